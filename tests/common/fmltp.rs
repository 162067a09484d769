//! A FmLTP client of plain bytes, which knows nothing of the product's own code.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use num_bigint::BigUint;

use super::daemon::{Daemon, Engine};
use super::fmltp_keys::{Key, PublicKey, group, now, server_number, small, token_length};
use super::place::Place;
use super::raw::Raw;

/// What the server says first.
pub const GREETING: &str = "FlexMusic,0.0.0\r\n";
/// What the real client says then.
pub const VERSION: &str = "FlexMusic Python Client Library,0.0.0\r\n";
/// Ready, where nobody has to say who it is.
pub const READY: &str = "100 FmLTP/1.0 Interpreter Ready.\r\n";
/// Ready, where everybody has to.
pub const READY_LOCKED: &str = "100 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.\r\n";
/// Let in.
pub const LET_IN: &str = "150 Authentication successful.\r\n";
/// Not let in.
pub const NOT_LET_IN: &str = "151 Authentication failed.\r\n";
/// The command is unknown here.
pub const INVALID: &str = "400 Invalid command or operative.\r\n";
/// The last words after QUIT.
pub const GOODBYE: &str = "200 Goodbye.\r\n";

/// The users whom the tests know. The hashes were made once, by another program.
pub const USERS: &str = "\
alice:$2b$12$eCsjpZYyoRC2ega8jP8bReUdExmmhh/wFIhP6l0Fbspai4GYM/xBu
bob1:$2a$12$bYJNSfA1PHwtdQOKOetDC.t.b5GBM3/APyioX9XNgcgI1fYC2Utye
carol:$2y$12$9mkcTnMn649D/93R0KpiROwAPjhlsIrvY0lWCqBDk9QCkE6ARMhnO
";
/// Alice's password; bob1's is [`BOBS`], carol's 72 times the letter p.
pub const ALICES: &str = "correct-horse";
/// The password of bob1.
pub const BOBS: &str = "12345678";

/// A daemon with the door FmLTP at a port of its choosing, in mode none unless `args` give users.
#[track_caller]
pub fn start(engine: Engine, args: &[&str]) -> Daemon {
    Daemon::start(engine, &[&["--fmltp", "127.0.0.1:0"], args].concat())
}

/// A daemon that lets in those of [`USERS`] only.
#[track_caller]
pub fn start_with_users(engine: Engine, args: &[&str]) -> (Daemon, Place) {
    let place = Place::new();
    let file = write_users(&place, USERS);
    let daemon = start(engine, &[&["--fmltp-users", &file], args].concat());
    (daemon, place)
}

/// Writes a file of users that nobody else may read, and returns its path.
#[track_caller]
pub fn write_users(place: &Place, text: impl AsRef<[u8]>) -> String {
    let path = place.join("users");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    place.text("users")
}

/// Where its door FmLTP is.
#[track_caller]
pub fn door(daemon: &Daemon) -> SocketAddr {
    daemon.door("fmltp")
}

/// One connection to a server.
pub struct Fm {
    raw: Raw,
    key: Option<Key>,
    shared: Vec<u8>,
}

impl Fm {
    /// Connects from 127.0.0.1.
    #[track_caller]
    pub fn connect(daemon: &Daemon) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, daemon)
    }

    /// Connects from an address of this machine.
    #[track_caller]
    pub fn connect_from(address: impl Into<IpAddr>, daemon: &Daemon) -> Self {
        Self::over(Raw::connect_from(address, door(daemon)))
    }

    /// Takes a connection as it is.
    pub fn over(raw: Raw) -> Self {
        Self { raw, key: None, shared: Vec::new() }
    }

    /// Connects and is greeted.
    #[track_caller]
    pub fn greeted(daemon: &Daemon) -> Self {
        Self::greeted_from(Ipv4Addr::LOCALHOST, daemon)
    }

    /// Connects from an address of this machine and is greeted.
    #[track_caller]
    pub fn greeted_from(address: impl Into<IpAddr>, daemon: &Daemon) -> Self {
        let mut client = Self::connect_from(address, daemon);
        client.expect(GREETING);
        client
    }

    /// A client that has been told the group.
    #[track_caller]
    pub fn in_key_exchange(daemon: &Daemon) -> Self {
        Self::in_key_exchange_from(Ipv4Addr::LOCALHOST, daemon)
    }

    /// A client from an address of this machine that has been told the group.
    #[track_caller]
    pub fn in_key_exchange_from(address: impl Into<IpAddr>, daemon: &Daemon) -> Self {
        let mut client = Self::greeted_from(address, daemon);
        client.send(VERSION);
        client.expect(&group());
        client
    }

    /// A client that shares a key with the server.
    #[track_caller]
    pub fn keyed(daemon: &Daemon) -> Self {
        Self::keyed_from(Ipv4Addr::LOCALHOST, daemon)
    }

    /// A client from an address of this machine that shares a key with the server.
    #[track_caller]
    pub fn keyed_from(address: impl Into<IpAddr>, daemon: &Daemon) -> Self {
        let mut client = Self::in_key_exchange_from(address, daemon);
        client.exchange_keys();
        client
    }

    /// A client for which the interpreter is ready; what it said is looked at.
    #[track_caller]
    pub fn ready(daemon: &Daemon, words: &str) -> Self {
        Self::ready_from(Ipv4Addr::LOCALHOST, daemon, words)
    }

    /// A client from an address of this machine for which the interpreter is ready.
    #[track_caller]
    pub fn ready_from(address: impl Into<IpAddr>, daemon: &Daemon, words: &str) -> Self {
        let mut client = Self::keyed_from(address, daemon);
        client.says(GREETING);
        client.hears(words);
        client
    }

    /// A client that has said who it is.
    #[track_caller]
    pub fn let_in(daemon: &Daemon, name: &str, password: &str) -> Self {
        Self::let_in_from(Ipv4Addr::LOCALHOST, daemon, name, password)
    }

    /// A client from an address of this machine that has said who it is.
    #[track_caller]
    pub fn let_in_from(address: impl Into<IpAddr>, daemon: &Daemon, name: &str, password: &str) -> Self {
        let mut client = Self::ready_from(address, daemon, READY_LOCKED);
        client.asks(&format!("AUTH {name} {password}"), LET_IN);
        client
    }

    /// Sends the key of a small secret and takes the server's.
    #[track_caller]
    pub fn exchange_keys(&mut self) {
        let secret = small(65_537);
        let ours = PublicKey::of_secret(&secret).pem();
        self.send(ours);
        self.take_key(&secret);
    }

    /// Takes the server's key, which makes that of the session; returns the server's.
    #[track_caller]
    pub fn take_key(&mut self, secret: &BigUint) -> BigUint {
        let theirs = server_number(&self.take_pem());
        self.shared = super::fmltp_keys::shared(secret, &theirs);
        self.key = Some(Key::from_shared(&self.shared));
        theirs
    }

    /// The key of the session.
    pub fn key(&self) -> &Key {
        self.key.as_ref().expect("the keys have been exchanged")
    }

    /// The secret that both sides share.
    pub fn shared(&self) -> &[u8] {
        &self.shared
    }

    /// The connection itself.
    pub fn raw(&mut self) -> &mut Raw {
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

    /// The next bytes are these.
    #[track_caller]
    pub fn expect(&mut self, wanted: &str) {
        self.raw.expect(wanted.as_bytes());
    }

    /// Sends a text as a token.
    #[track_caller]
    pub fn says(&mut self, text: impl AsRef<[u8]>) {
        let token = self.key().seal(text);
        self.send(token);
    }

    /// The text of the next token.
    #[track_caller]
    pub fn take_text(&mut self) -> String {
        let mut token = Vec::new();
        for blocks in 1.. {
            token.extend(self.raw.take(token_length(blocks) - token.len()));
            if let Some((text, time)) = self.key().open(&token) {
                assert!(time.abs_diff(now()) < 300, "a token that was made at another time: {time}");
                return String::from_utf8(text).expect("the server speaks UTF-8");
            }
        }
        unreachable!("the server does not end")
    }

    /// The next token says this.
    #[track_caller]
    pub fn hears(&mut self, wanted: &str) {
        assert_eq!(self.take_text(), wanted);
    }

    /// Sends a command, and it is answered so.
    #[track_caller]
    pub fn asks(&mut self, command: &str, wanted: &str) {
        self.says(command);
        let got = self.take_text();
        assert_eq!(got, wanted, "the answer to {command:?}");
    }

    /// What a command is answered.
    #[track_caller]
    pub fn answer_to(&mut self, command: &str) -> String {
        self.says(command);
        self.take_text()
    }

    /// The next line up to its LF, which is not beyond any bounds.
    #[track_caller]
    pub fn take_line(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            assert!(line.len() < 1024, "a line without end: {:?}", String::from_utf8_lossy(&line));
            line.extend(self.raw.take(1));
        }
        String::from_utf8(line).expect("the server speaks UTF-8")
    }

    /// The next PEM block.
    #[track_caller]
    pub fn take_pem(&mut self) -> String {
        let mut text = self.take_line();
        assert!(text.starts_with("-----BEGIN "), "no PEM block: {text:?}");
        while !text.ends_with("-----\n") || text.lines().count() < 2 {
            text += &self.take_line();
        }
        text
    }

    /// A refusal as a plain line, and the end; returns why.
    #[track_caller]
    pub fn is_refused(&mut self) -> String {
        let line = self.take_line();
        self.raw.expect_end();
        reason(&line)
    }

    /// A refusal as a token, and the end; returns why.
    #[track_caller]
    pub fn is_refused_in_secret(&mut self) -> String {
        let text = self.take_text();
        self.raw.expect_end();
        reason(&text)
    }

    /// The stream ends without another byte.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.raw.expect_end();
    }

    /// The stream ends, whatever comes before.
    #[track_caller]
    pub fn expect_end_at_last(&mut self) {
        io::copy(self.raw.stream(), &mut io::sink()).expect("an end in order");
    }

    /// Nothing comes.
    #[track_caller]
    pub fn expect_silence(&mut self) {
        self.raw.expect_silence();
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

/// Why, in a refusal by the rules: `400 REASON`, printable ASCII.
#[track_caller]
fn reason(line: &str) -> String {
    let reason = line.strip_prefix("400 ").and_then(|rest| rest.strip_suffix("\r\n"));
    let reason = reason.unwrap_or_else(|| panic!("no refusal: {line:?}"));
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    assert!(!reason.is_empty() && reason.as_bytes().iter().all(printable), "{line:?}");
    reason.to_owned()
}
