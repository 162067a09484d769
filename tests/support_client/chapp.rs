//! A chapp server as a test plays it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use rollcall::chapp::message;
use rollcall::chapp::name::Name;

use crate::common::PATIENCE;

/// The server's end of connections, one at a time. `|` stands for a separator in all that is said.
pub struct Server {
    listener: TcpListener,
    pub stream: Option<TcpStream>,
    waiting: Vec<u8>,
}

impl Server {
    /// A server that does this; where it listens, and what comes of it.
    pub fn start<T: Send + 'static>(
        script: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> (String, JoinHandle<T>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let mut server = Self { listener, stream: None, waiting: Vec::new() };
        (place, thread::spawn(move || script(&mut server)))
    }

    /// Takes the next connection, and closes the last one.
    pub fn accepts(&mut self) {
        self.hangs_up();
        let stream = self.listener.accept().unwrap().0;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.stream = Some(stream);
    }

    /// Closes the connection.
    pub fn hangs_up(&mut self) {
        self.stream = None;
        self.waiting.clear();
    }

    /// Says this.
    pub fn says(&mut self, text: &str) {
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(text.replace('|', "\\\n").as_bytes()).unwrap();
    }

    /// The next request, up to its empty line; empty at the end of the connection.
    pub fn hears(&mut self) -> String {
        loop {
            if let Some(end) = self.waiting.windows(4).position(|four| four == b"\\\n\\\n") {
                let text = self.waiting.drain(..end + 4).collect();
                return String::from_utf8(text).unwrap().replace("\\\n", "|");
            }
            let mut bytes = [0; 4096];
            let count = self.stream.as_mut().unwrap().read(&mut bytes).unwrap();
            if count == 0 {
                return String::new();
            }
            self.waiting.extend_from_slice(&bytes[..count]);
        }
    }

    /// Hears a request that begins so, and tells its ID.
    #[track_caller]
    pub fn hears_of(&mut self, start: &str) -> u64 {
        let request = self.hears();
        let rest = request.strip_prefix(start).unwrap_or_else(|| panic!("no {start:?} in {request:?}"));
        let (id, _) = rest.strip_prefix("|ID:").unwrap().split_once('|').unwrap();
        id.parse().unwrap()
    }

    /// Takes a connection, and lets ann in as somebody who is known.
    pub fn lets_in(&mut self, messages: &[String]) {
        self.accepts();
        let id = self.hears_of("CONNECT\t->server");
        self.says(&welcome(id, "ann", messages));
    }
}

/// What a server says to whoever it calls `name`.
pub fn welcome(about: u64, name: &str, messages: &[String]) -> String {
    let list = messages.join(", ");
    format!("RESPONSE\tserver->{name}|ID:9|for: {about}|status: 100|username: {name}|messages: [{list}]|")
}

/// What it says in place of yes: `305 CLIENT_NOT_FOUND`.
pub fn refusal(about: Option<u64>, reason: &str) -> String {
    let about = about.map_or_else(|| "-1".to_owned(), |about| about.to_string());
    let (status, reason) = reason.split_once(' ').unwrap();
    format!("RESPONSE\tserver->unknown|ID:9|for: {about}|status: {status}|reason: {reason}|")
}

/// M, as `from` posts it to ann.
pub fn kept(from: &str, text: &str) -> String {
    let name = |text| Name::parse(text).unwrap();
    let bytes = message::render("2026-11-21 06:59:13", text, &name(from), &name("ann"));
    String::from_utf8(bytes.into()).unwrap()
}

/// What ann gets of it.
pub fn delivery(from: &str, text: &str) -> String {
    format!("POST\t{from}->ann|ID:7|id: 7|message: {}|", kept(from, text))
}

/// What it says to a message of ann's.
pub fn posted(about: u64, text: &str) -> String {
    format!("RESPONSE\tserver->ann|ID:9|for: {about}|status: 100|message: {}|", kept("ann", text))
}
