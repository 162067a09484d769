//! A client of Residue that knows nothing of the product's own code.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::daemon::{Daemon, Engine};
use super::place::Place;
pub use super::residue_cipher::*;
pub use super::residue_keys::*;
pub use super::residue_wire::{END, Wire};

/// What the logging port says.
pub const TAKEN: &str = r#"{"r":0}"#;
/// Nothing was taken.
pub const NOT_TAKEN: &str = r#"{"r":1}"#;
/// Nothing was taken, for whoever sent it may not log.
pub const NO_CLIENT: &str = r#"{"r":2}"#;

/// What there is no other word for on the connect port.
pub const INVALID: &str = "Invalid connection request";
/// Who is this?
pub const NOT_CONNECTED: &str = "Client not connected yet";
/// What there is no other word for on the token port.
pub const NO_LOGGER: &str = "No logger ID provided (Malformed JSON?)";

/// An error on the connect port.
pub fn error(text: &str) -> String {
    format!(r#"{{"ack":0,"error_text":"{text}","status":1}}"#)
}

/// An error on the token port.
pub fn token_error(text: &str) -> String {
    format!(r#"{{"error_text":"{text}","status":1}}"#)
}

/// One of the three ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Hello, acknowledge, touch.
    Connect,
    /// Tokens.
    Token,
    /// Logs.
    Log,
}

impl Port {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Connect, Self::Token, Self::Log];

    /// What becomes of junk there, in plain.
    pub fn to_junk(self) -> String {
        match self {
            Self::Connect => error(INVALID),
            Self::Token => token_error(NO_LOGGER),
            Self::Log => NOT_TAKEN.to_owned(),
        }
    }

    /// What becomes of somebody there who is not on record, in plain.
    pub fn to_strangers(self) -> String {
        match self {
            Self::Connect => error(NOT_CONNECTED),
            Self::Token => token_error(NOT_CONNECTED),
            Self::Log => NO_CLIENT.to_owned(),
        }
    }

    /// Where it is.
    #[track_caller]
    pub fn of(self, daemon: &Daemon) -> SocketAddr {
        daemon.door(["residue", "residue-token", "residue-log"][self as usize])
    }
}

/// A daemon with all doors of Residue at ports of its choosing, whose logs are in a directory of the test's own.
#[track_caller]
pub fn start(engine: Engine, args: &[&str]) -> (Daemon, Place) {
    let place = Place::new();
    (start_in(&place, engine, args), place)
}

/// The same where the logs are in that place.
#[track_caller]
pub fn start_in(place: &Place, engine: Engine, args: &[&str]) -> Daemon {
    Daemon::spawn(&mut command(place, engine, args))
}

/// The command that [`start_in`] runs.
pub fn command(place: &Place, engine: Engine, args: &[&str]) -> Command {
    let logs = place.text("logs");
    let anywhere = |door| [door, "127.0.0.1:0"];
    let open = ["--residue", "--residue-token", "--residue-log"].into_iter();
    let open = open.filter(|door| !args.contains(door)).flat_map(anywhere);
    let mut all: Vec<&str> = open.collect();
    all.extend(["--residue-logs", &logs]);
    all.extend(args);
    Daemon::command(engine, &all)
}

/// All that a logger has in its file.
#[track_caller]
pub fn log_of(place: &Place, logger: &str) -> String {
    fs::read_to_string(place.join(format!("logs/{logger}.log"))).unwrap_or_default()
}

/// The messages in it, each of which is what stands behind the seventh space.
#[track_caller]
pub fn messages(place: &Place, logger: &str) -> Vec<String> {
    let text = log_of(place, logger);
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let message = |line: &str| line.splitn(8, ' ').nth(7).unwrap_or_else(|| panic!("{line:?}")).to_owned();
    text.lines().map(message).collect()
}

/// Whether anything was ever logged.
pub fn nothing_is_written(place: &Place) -> bool {
    fs::read_dir(place.join("logs")).map_or(true, |entries| entries.count() == 0)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A hello in plain: these fields, beside its time and type.
pub fn plain_hello(fields: &str) -> String {
    format!(r#"{{"_t":{},"type":1,{fields}}}"#, now())
}

/// The hello of somebody with this key.
pub fn hello_with(key: &str) -> String {
    plain_hello(&format!(r#""rsa_public_key":"{key}""#))
}

/// An item for the logger `app` that says this.
pub fn item(message: &str) -> String {
    item_for("app", message)
}

/// An item for a logger that says this.
pub fn item_for(logger: &str, message: &str) -> String {
    format!(
        r#"{{"_t":{},"datetime":1504663925034,"logger":"{logger}","msg":"{message}","level":128}}"#,
        now()
    )
}

/// A client, and a connection to each of the ports that it has used.
pub struct Client {
    /// Who it is.
    pub id: String,
    /// What its packets are sealed with.
    pub key: Vec<u8>,
    address: IpAddr,
    doors: [Option<SocketAddr>; 3],
    wires: [Option<Wire>; 3],
}

impl Client {
    /// A client with Ann's key that has said hello.
    #[track_caller]
    pub fn greeted(daemon: &Daemon) -> Self {
        Self::greeted_from(Ipv4Addr::LOCALHOST, daemon)
    }

    /// The same from an address of this machine.
    #[track_caller]
    pub fn greeted_from(address: impl Into<IpAddr>, daemon: &Daemon) -> Self {
        Self::greeted_by(address.into(), daemon, &hello_with(&ANNS.as_sent()))
    }

    /// The same, by a hello of its own that is answered to Ann's key.
    #[track_caller]
    pub fn greeted_with(daemon: &Daemon, hello: &str) -> Self {
        Self::greeted_by(Ipv4Addr::LOCALHOST.into(), daemon, hello)
    }

    #[track_caller]
    fn greeted_by(address: IpAddr, daemon: &Daemon, hello: &str) -> Self {
        let mut wire = Wire::connect_from(address, Port::Connect.of(daemon));
        wire.says(hello);
        let (id, key) = take_hello(&mut wire, &ANNS);
        let has = |door| daemon.has_door(door).then(|| daemon.door(door));
        let doors = ["residue", "residue-token", "residue-log"].map(has);
        Self { id, key, address, doors, wires: [Some(wire), None, None] }
    }

    /// A client with Ann's key that is established.
    #[track_caller]
    pub fn established(daemon: &Daemon) -> Self {
        let mut client = Self::greeted(daemon);
        client.acknowledges();
        client
    }

    /// The managed client of this name, whose key is Ann's, is established.
    #[track_caller]
    pub fn managed(daemon: &Daemon, id: &str) -> Self {
        let mut client = Self::greeted_with(daemon, &plain_hello(&format!(r#""client_id":"{id}""#)));
        assert_eq!(client.id, id);
        client.acknowledges();
        client
    }

    /// Somebody who is not this client uses its key, or the other way round.
    pub fn is_called(&self, id: &str) -> Self {
        let (id, key) = (id.to_owned(), self.key.clone());
        Self { id, key, address: self.address, doors: self.doors, wires: [None, None, None] }
    }

    /// Its connection to a port.
    #[track_caller]
    pub fn wire(&mut self, port: Port) -> &mut Wire {
        let door = self.doors[port as usize].expect("the door is open");
        self.wires[port as usize].get_or_insert_with(|| Wire::connect_from(self.address, door))
    }

    /// Closes all connections.
    pub fn hangs_up(&mut self) {
        self.wires = [None, None, None];
    }

    /// Seals a packet.
    pub fn seal(&self, text: impl AsRef<[u8]>) -> Sealed {
        self.seal_blocks(fresh_iv(), &pad(text.as_ref()))
    }

    /// Seals whole blocks by an IV of the test's own.
    pub fn seal_blocks(&self, iv: [u8; 16], blocks: &[u8]) -> Sealed {
        Sealed { iv, id: self.id.clone(), ciphertext: encrypt(&self.key, &iv, blocks) }
    }

    /// What a sealed reply says.
    #[track_caller]
    pub fn open(&self, reply: &str) -> String {
        let (iv, text) = reply.split_once(':').unwrap_or_else(|| panic!("it is not sealed: {reply:?}"));
        assert_eq!((iv.len(), &*iv.to_lowercase()), (32, iv));
        let blocks = STANDARD.decode(text).expect("base64");
        let plain = decrypt(&self.key, &unhex(iv).try_into().unwrap(), &blocks);
        String::from_utf8(plain).expect("the server speaks UTF-8")
    }

    /// Sends a packet as it is.
    #[track_caller]
    pub fn sends(&mut self, port: Port, packet: impl AsRef<[u8]>) {
        self.wire(port).send(packet);
    }

    /// The next reply on the connect or token port, opened.
    #[track_caller]
    pub fn hears(&mut self, port: Port) -> String {
        let reply = self.wire(port).take();
        self.open(&reply)
    }

    /// Seals a request and opens the reply to it.
    #[track_caller]
    pub fn asks(&mut self, port: Port, text: &str) -> String {
        let packet = self.seal(text).packet();
        self.sends(port, packet);
        self.hears(port)
    }

    /// A request of this type, by a client of this name.
    pub fn request(&self, kind: u8) -> String {
        format!(r#"{{"_t":{},"type":{kind},"client_id":"{}"}}"#, now(), self.id)
    }

    /// Acknowledges, and is told how things are.
    #[track_caller]
    pub fn acknowledges(&mut self) -> Value {
        let reply = self.asks(Port::Connect, &self.request(2));
        self.is_established(&reply)
    }

    /// Touches, and is told how things are.
    #[track_caller]
    pub fn touches(&mut self) -> Value {
        let reply = self.asks(Port::Connect, &self.request(3));
        self.is_established(&reply)
    }

    #[track_caller]
    fn is_established(&self, reply: &str) -> Value {
        let value: Value = serde_json::from_str(reply).unwrap();
        assert_eq!((&value["ack"], &value["status"]), (&1.into(), &0.into()), "{reply}");
        assert_eq!(
            (text(&value, "client_id"), text(&value, "key")),
            (&*self.id, &*hex(&self.key).to_uppercase())
        );
        value
    }

    /// What becomes of something sealed on the logging port.
    #[track_caller]
    pub fn logs(&mut self, text: impl AsRef<[u8]>) -> String {
        let packet = self.seal(text).packet();
        let wire = self.wire(Port::Log);
        wire.send(packet);
        wire.take()
    }

    /// Logs an item for the logger `app`.
    #[track_caller]
    pub fn logs_message(&mut self, message: &str) {
        assert_eq!(self.logs(item(message)), TAKEN, "{message:?}");
    }

    /// Asks for a token for a logger, with these fields beside.
    #[track_caller]
    pub fn asks_for_token(&mut self, logger: &str, fields: &str) -> String {
        self.asks(Port::Token, &format!(r#"{{"_t":{},"logger_id":"{logger}"{fields}}}"#, now()))
    }

    /// Is given a token by an access code: how long it is good, and what it is.
    #[track_caller]
    pub fn is_given_token(&mut self, logger: &str, code: &str) -> (u64, String) {
        let reply = self.asks_for_token(logger, &format!(r#","access_code":"{code}""#));
        let value: Value = serde_json::from_str(&reply).unwrap();
        let (life, token) = (value["life"].as_u64().unwrap(), text(&value, "token").to_owned());
        let wanted = format!(r#"{{"life":{life},"loggerId":"{logger}","status":0,"token":"{token}"}}"#);
        assert_eq!(reply, wanted);
        assert!(token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
        (life, token)
    }
}

/// The reply to a hello: an ID and a key.
#[track_caller]
pub fn take_hello(wire: &mut Wire, pair: &Pair) -> (String, Vec<u8>) {
    let reply = wire.take();
    let plain = pair.decrypt(&STANDARD.decode(&reply).unwrap_or_else(|_| panic!("no base64: {reply}")));
    let plain = String::from_utf8(plain).unwrap();
    let value: Value = serde_json::from_str(&plain).unwrap();
    let (id, key) = (text(&value, "client_id").to_owned(), text(&value, "key"));
    // Old clients look for what it begins with.
    assert_eq!(plain, format!(r#"{{"ack":0,"client_id":"{id}","key":"{key}","status":0}}"#));
    assert_eq!(key.to_uppercase(), key);
    (id, unhex(key))
}
