//! A server of Residue, played by a thread of the test.

#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use rollcall::residue::cipher::{Inflated, Key, inflate};
use rollcall::residue::envelope::{self, Envelope};
use rollcall::residue::packet::DELIMITER;
use rollcall::residue::pair::{PrivateKey, PublicKey};
use rollcall::residue::reply::{self, Established, Flags};
use rollcall::residue::request::Request;

use crate::common::PATIENCE;

pub const ID: &str = "abcdefghijklmnop";
pub const HEX: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

/// Three ports and the connection that was accepted last.
pub struct Server {
    connect: TcpListener,
    token: TcpListener,
    logging: TcpListener,
    stream: Option<TcpStream>,
    /// What came and was not taken yet.
    waiting: Vec<u8>,
    pub flags: Flags,
}

impl Server {
    /// Has a thread play it, and says where its connect port is.
    pub fn start<T: Send + 'static>(
        script: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> (String, JoinHandle<T>) {
        let [connect, token, logging] = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let place = connect.local_addr().unwrap().to_string();
        let flags = Flags::default();
        let mut server = Self { connect, token, logging, stream: None, waiting: Vec::new(), flags };
        (place, thread::spawn(move || script(&mut server)))
    }

    pub fn accepts(&mut self) {
        self.accept(|server| &server.connect);
    }

    pub fn accepts_for_token(&mut self) {
        self.accept(|server| &server.token);
    }

    pub fn accepts_for_logs(&mut self) {
        self.accept(|server| &server.logging);
    }

    fn accept(&mut self, which: impl FnOnce(&Self) -> &TcpListener) {
        let (stream, _) = which(self).accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.stream = Some(stream);
        self.waiting.clear();
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        self.stream.as_mut().unwrap()
    }

    pub fn hangs_up(&mut self) {
        self.stream = None;
    }

    /// A packet without its delimiter; nothing once the client has closed.
    pub fn packet(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.waiting.windows(4).position(|window| window == DELIMITER) {
                let packet = self.waiting[..end].to_vec();
                self.waiting.drain(..end + 4);
                return packet;
            }
            let mut bytes = [0; 4096];
            match self.stream().read(&mut bytes) {
                Ok(0) => return Vec::new(),
                Ok(count) => self.waiting.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Vec::new(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn says(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream().write_all(bytes.as_ref()).unwrap();
    }

    pub fn says_plain(&mut self, text: &str) {
        self.says(format!("{text}\r\n\r\n"));
    }

    pub fn says_sealed(&mut self, text: impl AsRef<[u8]>) {
        let mut out = Vec::new();
        envelope::put(&mut out, &[7; 16], None, &key().seal(text.as_ref(), [7; 16]));
        self.says(out);
    }

    pub fn says_encrypted(&mut self, text: &[u8], to: &PublicKey) {
        let mut out = Vec::new();
        envelope::put_base64(&mut out, &to.encrypt(text).unwrap());
        self.says(out);
    }

    /// What the client has sealed.
    pub fn hears_sealed(&mut self) -> String {
        let packet = self.packet();
        let Envelope::Aes(sealed) = envelope::read(&packet) else { panic!("{}", packet.escape_ascii()) };
        assert_eq!(sealed.id, ID.as_bytes());
        let plain = key().open(&sealed).unwrap().plain;
        let text = match inflate(&plain) {
            Inflated::Text(text) => text.to_vec(),
            _ => plain.to_vec(),
        };
        String::from_utf8(text).unwrap()
    }

    /// A hello with the client's key in it, which it returns.
    pub fn hears_hello(&mut self) -> PublicKey {
        let request = Request::parse(&self.packet()).unwrap();
        PublicKey::parse(&request.public_key.unwrap()).unwrap()
    }

    /// A hello that is encrypted.
    pub fn hears_encrypted(&mut self, pair: &PrivateKey) -> String {
        let ciphertext = envelope::decode_base64(&self.packet()).unwrap();
        String::from_utf8(pair.decrypt(&ciphertext).to_vec()).unwrap()
    }

    pub fn greets(&mut self, theirs: &PublicKey) {
        self.says_encrypted(&hello(), theirs);
    }

    /// What a client is told that has acknowledged, or touched.
    pub fn establishes(&mut self) {
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let mut out = Vec::new();
        let told = Established {
            client_id: ID,
            key: &key(),
            age: 300,
            date_created: 1,
            flags: self.flags,
            logging_port: port(&self.logging),
            token_port: port(&self.token),
            max_bulk_size: 100,
            licensee: "ACME",
            version: "played 1.0",
        };
        reply::put_established(&mut out, &told);
        self.says_sealed(out);
    }

    /// Lets a client in, up to the established reply.
    pub fn lets_in(&mut self) {
        self.accepts();
        let theirs = self.hears_hello();
        self.greets(&theirs);
        assert!(self.hears_sealed().contains("\"type\":2,"));
        self.establishes();
    }
}

pub fn key() -> Key {
    Key::from_hex(HEX).unwrap()
}

/// The reply to a hello.
pub fn hello() -> Vec<u8> {
    let mut out = Vec::new();
    reply::put_hello(&mut out, ID, &key());
    out
}
