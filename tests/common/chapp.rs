//! A chapp client of plain bytes, which knows nothing of the product's own code.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use super::chapp_told::{Delivery, Kept, Reply, reason, way};
use super::daemon::{Daemon, Engine};
use super::place::Place;
use super::raw::Raw;

/// What ends a line.
pub const SEP: &str = "\\\n";
/// An empty line behind a line, which ends a request.
pub const END: &str = "\\\n\\\n";

/// A daemon with the door chapp at a port of its choosing, which keeps its books in a directory of the test's own.
#[track_caller]
pub fn start(engine: Engine, args: &[&str]) -> (Daemon, Place) {
    let place = Place::new();
    (start_in(&place, engine, args), place)
}

/// The same with the books that are in that directory.
#[track_caller]
pub fn start_in(place: &Place, engine: Engine, args: &[&str]) -> Daemon {
    Daemon::spawn(&mut command(place, engine, args))
}

/// The command that [`start_in`] runs.
pub fn command(place: &Place, engine: Engine, args: &[&str]) -> Command {
    let data = place.text("data");
    Daemon::command(engine, &[&["--chapp", "127.0.0.1:0", "--data", &data], args].concat())
}

/// Kills the daemon as it is, and starts another one with the same books.
#[track_caller]
pub fn start_again(mut killed: Daemon, place: &Place, engine: Engine) -> Daemon {
    killed.signal("KILL");
    killed.wait_for_exit();
    start_in(place, engine, &[])
}

/// Where the door is.
#[track_caller]
pub fn door(daemon: &Daemon) -> SocketAddr {
    daemon.door("chapp")
}

/// What the tests write with `|` where a line ends.
pub fn wire(text: &str) -> Vec<u8> {
    text.replace('|', SEP).into_bytes()
}

/// How a client ends its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// By an empty line.
    EmptyLine,
    /// By nothing: it falls silent, as the real client does.
    Quiet,
}

/// One connection to a server.
pub struct Chapp {
    raw: Raw,
    manner: Manner,
    /// As the server is to call it.
    name: String,
    /// The next ID.
    next: u64,
    reader: BufReader<TcpStream>,
    deliveries: Vec<Delivery>,
}

impl Chapp {
    /// Connects from 127.0.0.1.
    #[track_caller]
    pub fn connect(daemon: &Daemon) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, daemon)
    }

    /// Connects from an address of this machine.
    #[track_caller]
    pub fn connect_from(address: impl Into<IpAddr>, daemon: &Daemon) -> Self {
        Self::over(Raw::connect_from(address, door(daemon)), Manner::EmptyLine)
    }

    /// Takes a connection as it is.
    pub fn over(mut raw: Raw, manner: Manner) -> Self {
        let name = "unknown".to_owned();
        let reader = BufReader::new(raw.stream().try_clone().unwrap());
        Self { raw, reader, manner, name, next: 1, deliveries: Vec::new() }
    }

    /// A client from 127.0.0.1 that has introduced itself.
    #[track_caller]
    pub fn introduced(name: &str, daemon: &Daemon) -> Self {
        Self::introduced_from(Ipv4Addr::LOCALHOST, name, daemon)
    }

    /// A client from an address of this machine that has introduced itself.
    #[track_caller]
    pub fn introduced_from(address: impl Into<IpAddr>, name: &str, daemon: &Daemon) -> Self {
        let mut client = Self::connect_from(address, daemon);
        client.introduces(name);
        client
    }

    /// A client from 127.0.0.1 that ends its requests as the real one does, and has introduced itself.
    #[track_caller]
    pub fn quiet(name: &str, daemon: &Daemon) -> Self {
        let raw = Raw::connect(door(daemon));
        let mut client = Self::over(raw, Manner::Quiet);
        client.introduces(name);
        client
    }

    /// The connection itself, of which nothing was read but what has been looked at.
    #[track_caller]
    pub fn raw(&mut self) -> &mut Raw {
        let unread = self.reader.buffer();
        assert!(unread.is_empty(), "{:?} has come", String::from_utf8_lossy(unread));
        &mut self.raw
    }

    /// Where it comes from, with its port.
    pub fn local(&mut self) -> SocketAddr {
        self.raw.stream().local_addr().unwrap()
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.raw.send(bytes.as_ref());
    }

    /// Sends what is written with `|` where a line ends, and nothing behind it.
    #[track_caller]
    pub fn sends(&mut self, text: &str) {
        self.send(wire(text));
    }

    /// Sends a request that is written with `|` where a line ends, and ends it in the client's manner.
    #[track_caller]
    pub fn asks(&mut self, text: &str) {
        let end = self.end();
        self.send([&wire(text), end.as_bytes()].concat());
    }

    fn end(&self) -> &'static str {
        match self.manner {
            Manner::EmptyLine => END,
            Manner::Quiet => "",
        }
    }

    /// Sends a request with the next ID, which is returned.
    #[track_caller]
    pub fn requests(&mut self, line: &str, fields: &str) -> u64 {
        let id = self.next;
        self.next += 1;
        let text = format!("{line}{SEP}ID:{id}{fields}{}", self.end());
        self.send(text);
        id
    }

    /// Sends a message without waiting for anything; returns its ID.
    #[track_caller]
    pub fn sends_post(&mut self, to: &str, message: &str) -> u64 {
        self.requests(&format!("POST\t{}->{to}", self.name), &format!("{SEP}message: {message}"))
    }

    /// A message is kept, and what is kept is returned.
    #[track_caller]
    pub fn posts(&mut self, to: &str, message: &str) -> Kept {
        let id = self.sends_post(to, message);
        self.hears_posted(id, to, message)
    }

    /// The message with this ID is kept.
    #[track_caller]
    pub fn hears_posted(&mut self, id: u64, to: &str, message: &str) -> Kept {
        let reply = self.hears_success(id, &["message"]);
        let kept = Kept::parse(&reply.fields[0]);
        assert_eq!([&kept.message, &kept.from, &kept.to], [message, &self.name, to]);
        kept
    }

    /// Introduces itself, and is that from now on; returns the messages to it.
    #[track_caller]
    pub fn introduces(&mut self, name: &str) -> Vec<Kept> {
        let id = self.requests(&format!("INTRODUCE\t{name}->server"), "");
        self.becomes(id, name)
    }

    /// Introduces itself, and is refused.
    #[track_caller]
    pub fn is_refused(&mut self, name: &str) {
        let id = self.requests(&format!("INTRODUCE\t{name}->server"), "");
        self.hears_status(id, 301);
    }

    /// The server knows it as `name`, the last one of its address; returns the messages to it.
    #[track_caller]
    pub fn connects(&mut self, name: &str) -> Vec<Kept> {
        let id = self.requests("CONNECT\t->server", "");
        self.becomes(id, name)
    }

    /// The server knows it as `name`, which it asks for; returns the messages to it.
    #[track_caller]
    pub fn connects_as(&mut self, name: &str) -> Vec<Kept> {
        let id = self.requests("CONNECT\t->server", &format!("{SEP}username: {name}"));
        self.becomes(id, name)
    }

    /// The server does not know it, or not by that name if one is given.
    #[track_caller]
    pub fn is_not_known(&mut self, name: Option<&str>) {
        let field = name.map(|name| format!("{SEP}username: {name}")).unwrap_or_default();
        let id = self.requests("CONNECT\t->server", &field);
        self.hears_status(id, 305);
    }

    #[track_caller]
    fn becomes(&mut self, id: u64, name: &str) -> Vec<Kept> {
        name.clone_into(&mut self.name);
        let reply = self.hears_success(id, &["username", "messages"]);
        assert_eq!(reply.fields[0], name);
        reply.messages()
    }

    /// Leaves the chat.
    #[track_caller]
    pub fn says_goodbye(&mut self) {
        let id = self.requests(&format!("GOODBYE\t{}->server", self.name), "");
        self.hears_success(id, &[]);
        "unknown".clone_into(&mut self.name);
    }

    /// The next reply says that the request with this ID went well, and has these fields.
    #[track_caller]
    pub fn hears_success(&mut self, id: u64, fields: &[&str]) -> Reply {
        let reply = self.take_reply(fields);
        let wanted = (self.name.as_str(), i64::try_from(id).unwrap(), 100);
        assert_eq!((reply.to.as_str(), reply.about, reply.status), wanted);
        reply
    }

    /// The next reply refuses the request with this ID.
    #[track_caller]
    pub fn hears_status(&mut self, id: u64, status: u16) {
        self.hears(i64::try_from(id).unwrap(), status);
    }

    /// The next reply is for that ID, or none, and has this status, which is no success.
    #[track_caller]
    pub fn hears(&mut self, about: i64, status: u16) {
        let reply = self.take_reply(&[]);
        let wanted = Reply { to: self.name.clone(), about, status, fields: Vec::new() };
        assert_eq!(reply, wanted);
    }

    /// The next message is this one, its ID aside, written with `|` where a line ends.
    #[track_caller]
    pub fn expect(&mut self, wanted: &str) {
        let mut got = self.take_line() + "|";
        assert!(self.take_field("ID").parse::<u64>().is_ok(), "an ID that is none behind {got:?}");
        while got.matches('|').count() < wanted.matches('|').count() {
            got += &(self.take_line() + "|");
        }
        assert_eq!(got, wanted);
    }

    /// Becomes that, as far as the checks of replies are concerned.
    pub fn is_called(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// The next reply; what is delivered before it is put aside. If it tells a success, it has these fields.
    #[track_caller]
    pub fn take_reply(&mut self, fields: &[&str]) -> Reply {
        loop {
            let action = self.take_line();
            let Some(line) = action.strip_prefix("RESPONSE\t") else {
                let delivery = self.take_rest_of_delivery(&action);
                self.deliveries.push(delivery);
                continue;
            };
            let ("server", to) = way(line) else { panic!("not from the server: {action:?}") };
            assert!(self.take_field("ID").parse::<u64>().is_ok(), "an ID that is none behind {action:?}");
            let about = self.take_field("for").parse().expect("a number, or -1");
            let status = self.take_field("status").parse().expect("a number");
            let mut reply = Reply { to: to.to_owned(), about, status, fields: Vec::new() };
            match status {
                100 => reply.fields = fields.iter().map(|name| self.take_field(name)).collect(),
                _ => assert_eq!(self.take_field("reason"), reason(status), "{reply:?}"),
            }
            return reply;
        }
    }

    /// The next message that is delivered.
    #[track_caller]
    pub fn take_delivery(&mut self) -> Delivery {
        if !self.deliveries.is_empty() {
            return self.deliveries.remove(0);
        }
        let action = self.take_line();
        self.take_rest_of_delivery(&action)
    }

    /// This message is delivered next.
    #[track_caller]
    pub fn hears_message(&mut self, kept: &Kept) {
        assert_eq!(&self.take_delivery().kept, kept);
    }

    #[track_caller]
    fn take_rest_of_delivery(&mut self, action: &str) -> Delivery {
        let line =
            action.strip_prefix("POST\t").unwrap_or_else(|| panic!("neither this nor that: {action:?}"));
        let id = self.take_field("ID");
        assert_eq!(self.take_field("id"), id);
        let kept = Kept::parse(&self.take_field("message"));
        assert_eq!((kept.from.as_str(), kept.to.as_str()), way(line), "{kept:?}");
        assert_eq!(kept.to, self.name, "a message to somebody else: {kept:?}");
        Delivery { id: id.parse().expect("a number"), kept }
    }

    /// The value of the next field, which has this name. It follows after a blank, but for the ID of a message.
    #[track_caller]
    fn take_field(&mut self, name: &str) -> String {
        let line = self.take_line();
        let before = if name == "ID" { "ID:".to_owned() } else { format!("{name}: ") };
        line.strip_prefix(&before).unwrap_or_else(|| panic!("no {name}: {line:?}")).to_owned()
    }

    /// The next line, without its end.
    #[track_caller]
    pub fn take_line(&mut self) -> String {
        self.try_line().unwrap_or_else(|error| panic!("{error} instead of a line"))
    }

    /// The next line, without its end, if there is one.
    pub fn try_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(SEP.as_bytes()) {
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, format!("the end after {line:02x?}")));
            }
        }
        line.truncate(line.len() - SEP.len());
        Ok(String::from_utf8(line).expect("the server speaks UTF-8"))
    }

    /// Sends a message, and waits for its reply, as long as there is a server.
    pub fn try_post(&mut self, to: &str, message: &str) -> io::Result<()> {
        let id = self.next;
        self.next += 1;
        let line = format!("POST\t{}->{to}{SEP}ID:{id}{SEP}message: {message}{}", self.name, self.end());
        self.raw.stream().write_all(line.as_bytes())?;
        let reply: Vec<_> = (0..5).map(|_| self.try_line()).collect::<io::Result<_>>()?;
        assert_eq!(reply[2..4], [format!("for: {id}"), "status: 100".to_owned()], "{reply:?}");
        Ok(())
    }

    /// The stream ends without another byte.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.raw().expect_end();
    }

    /// Nothing comes.
    #[track_caller]
    pub fn expect_silence(&mut self) {
        assert_eq!(self.deliveries, []);
        self.raw().expect_silence();
    }

    /// Ends the sending side and goes on reading.
    pub fn finish(&mut self) {
        self.raw.finish();
    }

    /// Ends the connection by a reset.
    pub fn reset(self) {
        self.raw.reset();
    }
}
