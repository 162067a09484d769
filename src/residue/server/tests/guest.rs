//! Those who come to a server: connections, and the clients behind them.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::residue::cipher::Key;
use crate::residue::desk::Port;
use crate::residue::envelope;
use crate::residue::packet::DELIMITER;
use crate::session::{Answer, Ask, Caller, Effort, Event, Fault, Letter, Output, Session, View};

/// What a session had others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Toil(Effort),
    Rationed(Effort, u32),
    Clerk,
}

/// A connection, and all that went to and fro.
pub(super) struct Guest {
    pub(super) session: Box<dyn Session>,
    pub(super) caller: Caller,
    port: Port,
    unread: Vec<u8>,
    /// The replies, without their delimiters, and when each was said, in milliseconds.
    pub(super) said: Vec<(u128, String)>,
    pub(super) asked: Vec<Asked>,
    pub(super) closed: bool,
    pub(super) why: Option<String>,
}

impl Guest {
    pub(super) fn at(world: &mut World, port: Port) -> Self {
        let peer: SocketAddr = "10.0.0.1:5".parse().unwrap();
        let settings = Arc::clone(&world.settings);
        let session = match port {
            Port::Connect => ConnectDoor::new(settings).open(world.now, peer),
            Port::Token => TokenDoor::new(settings).open(world.now, peer),
            Port::Log => LogDoor::new(settings).open(world.now, peer),
        };
        world.callers += 1;
        let mut guest = Self {
            session,
            caller: Caller(world.callers),
            port,
            unread: Vec::new(),
            said: Vec::new(),
            asked: Vec::new(),
            closed: false,
            why: None,
        };
        guest.happens(world, Event::Opened);
        guest
    }

    pub(super) fn sends(&mut self, world: &mut World, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        self.judge(world);
        self.fetches_mail(world);
    }

    /// Sends a packet, and hears its one reply.
    #[track_caller]
    pub(super) fn hears(&mut self, world: &mut World, packet: &[u8]) -> String {
        let before = self.said.len();
        self.sends(world, packet);
        assert_eq!(self.said.len(), before + 1, "there is one reply to each packet: {:?}", self.why);
        self.said.last().unwrap().1.clone()
    }

    /// Sends a packet whose ration is not there yet, and is held up by that.
    #[track_caller]
    pub(super) fn waits(&mut self, world: &World, packet: &[u8]) {
        let mut out = Output::default();
        assert_eq!(self.session.receive(world.now, packet, world, &mut out).ok(), Some(packet.len()));
        assert!(matches!(out.take_ask(), Some(Ask::Rationed { .. })));
    }

    /// Its ration is there; hears its one reply.
    #[track_caller]
    pub(super) fn goes_on(&mut self, world: &mut World) -> String {
        let before = self.said.len();
        self.session.toil();
        self.happens(world, Event::Answer(Answer::Toiled));
        assert_eq!(self.said.len(), before + 1, "there is one reply to each packet: {:?}", self.why);
        self.said[before].1.clone()
    }

    /// Hears what the clerk has to say unasked.
    pub(super) fn fetches_mail(&mut self, world: &mut World) {
        let (own, others) =
            std::mem::take(&mut world.mail).into_iter().partition(|letter| letter.to == self.caller);
        world.mail = others;
        let own: Vec<Letter> = own;
        own.into_iter().for_each(|letter| self.happens(world, Event::Mail(letter.paper)));
    }

    fn judge(&mut self, world: &mut World) {
        while !self.closed && !self.unread.is_empty() {
            let mut out = Output::default();
            let unread = std::mem::take(&mut self.unread);
            let outcome = self.session.receive(world.now, &unread, world, &mut out);
            assert!(
                !matches!(outcome, Ok(0)) || out.is_empty() && !out.has_ask(),
                "nothing comes of nothing"
            );
            let taken = self.follow(world, outcome, out).unwrap_or(unread.len());
            assert!(taken <= unread.len(), "it takes no more than there is");
            self.unread = unread[taken..].to_vec();
            if taken == 0 {
                break;
            }
        }
    }

    pub(super) fn happens(&mut self, world: &mut World, event: Event) {
        if self.closed {
            return;
        }
        let mut out = Output::default();
        let outcome = self.session.handle(world.now, event, world, &mut out);
        self.follow(world, outcome, out);
    }

    /// Does what the session wants, as an engine and its workers do.
    fn follow<T>(&mut self, world: &mut World, outcome: Result<T, Fault>, mut out: Output) -> Option<T> {
        let bytes = out.plain().unwrap().to_vec();
        assert!(bytes.is_empty() || out.take_apart(), "each reply is a write of its own");
        self.note(world, &bytes);
        let outcome = outcome.map_err(|fault| {
            assert!(fault.farewell.is_empty() && fault.level == log::Level::Debug, "{fault:?}");
            self.why = Some(fault.why.into_owned());
        });
        if outcome.is_err() || out.take_close() {
            assert!(!out.has_ask());
            self.closed = true;
        }
        match out.take_ask() {
            Some(ask) => {
                assert!(bytes.is_empty(), "what is not decided is not answered");
                self.answer(world, ask);
            }
            None => {
                let rest = out.take_rest().filter(|_| !self.closed);
                assert_eq!(rest.is_some(), self.port == Port::Token && !bytes.is_empty() && !self.closed);
                world.now = world.now.max(rest.unwrap_or(world.now));
            }
        }
        outcome.ok()
    }

    fn note(&mut self, world: &World, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        assert!(bytes.len() < 1400, "{} bytes are no reply", bytes.len());
        let reply = std::str::from_utf8(bytes).unwrap().strip_suffix("\r\n\r\n").unwrap();
        assert!(!reply.contains("\r\n"), "there is one reply to each packet");
        self.said.push(((world.now - world.begin).as_millis(), reply.to_owned()));
    }

    fn answer(&mut self, world: &mut World, ask: Ask) {
        let asked = match &ask {
            Ask::Toil(effort) => Asked::Toil(*effort),
            Ask::Rationed { effort, cost } => Asked::Rationed(*effort, *cost),
            Ask::Clerk(_) => Asked::Clerk,
            Ask::Join(_) | Ask::Leave(_) => panic!("the clerk does that"),
        };
        self.asked.push(asked);
        let answer = match ask {
            Ask::Clerk(paper) => Answer::Clerk(world.ask(self.caller, paper)),
            _ => {
                self.session.toil();
                Answer::Toiled
            }
        };
        self.happens(world, Event::Answer(answer));
    }

    /// The replies, in order.
    pub(super) fn replies(&self) -> Vec<&str> {
        self.said.iter().map(|(_, reply)| reply.as_str()).collect()
    }
}

/// Who has a key.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) sent: u128,
}

impl Client {
    /// The one that this reply to a hello makes.
    pub(super) fn from_hello(reply: &str, own: &PrivateKey) -> Self {
        let plain = own.decrypt(&STANDARD.decode(reply).unwrap());
        let plain = std::str::from_utf8(&plain).unwrap();
        let rest = plain.strip_prefix(r#"{"ack":0,"client_id":""#).unwrap_or_else(|| panic!("{plain}"));
        let (id, rest) = rest.split_once(r#"","key":""#).unwrap();
        let key = rest.strip_suffix(r#"","status":0}"#).unwrap();
        Self { id: id.to_owned(), key: key.to_owned(), sent: 0 }
    }

    /// One who has said hello, in plain.
    pub(super) fn fresh(world: &mut World) -> Self {
        let hello = hello_with_key(&CLIENT, "");
        let reply = Guest::at(world, Port::Connect).hears(world, &hello);
        Self::from_hello(&reply, &CLIENT)
    }

    /// One who has acknowledged as well.
    pub(super) fn acknowledged(world: &mut World) -> Self {
        let mut client = Self::fresh(world);
        client.acknowledges(world);
        client
    }

    /// The managed one that is called `manny`, who has acknowledged.
    pub(super) fn manny(world: &mut World) -> Self {
        Self::managed(world, "manny")
    }

    /// A managed one who has acknowledged.
    pub(super) fn managed(world: &mut World, id: &str) -> Self {
        let hello = plain(&format!(r#"{{"_t":{},"type":1,"client_id":"{id}"}}"#, world.unix_time()));
        let reply = Guest::at(world, Port::Connect).hears(world, &hello);
        let mut client = Self::from_hello(&reply, &CLIENT);
        client.acknowledges(world);
        client
    }

    #[track_caller]
    pub(super) fn acknowledges(&mut self, world: &mut World) {
        let packet = self.request(world, 2);
        let reply = Guest::at(world, Port::Connect).hears(world, &packet);
        let told = self.open(&reply);
        assert!(told.starts_with(r#"{"ack":1,"#), "{told}");
    }

    /// A request on the connect port, sent now.
    pub(super) fn request(&mut self, world: &World, kind: u8) -> Vec<u8> {
        let (time, id) = (world.unix_time(), self.id.clone());
        self.seal(&format!(r#"{{"_t":{time},"type":{kind},"client_id":"{id}"}}"#))
    }

    /// The packet of a text.
    pub(super) fn seal(&mut self, text: &str) -> Vec<u8> {
        self.sent += 1;
        let mut packet = Vec::new();
        let iv = self.sent.to_be_bytes();
        envelope::put(&mut packet, &iv, Some(&self.id), &self.cipher().seal(text.as_bytes(), iv));
        packet
    }

    /// What a reply says.
    #[track_caller]
    pub(super) fn open(&self, reply: &str) -> String {
        let sealed = envelope::read_reply(reply.as_bytes()).unwrap_or_else(|| panic!("{reply}"));
        let opened = self.cipher().open(&sealed).unwrap();
        String::from_utf8(opened.plain.to_vec()).unwrap()
    }

    fn cipher(&self) -> Key {
        Key::from_hex(&self.key).unwrap()
    }
}

/// A plain packet.
pub(super) fn plain(text: &str) -> Vec<u8> {
    [text.as_bytes(), DELIMITER].concat()
}

/// A plain hello with a public key and these other fields, each with a comma before it.
pub(super) fn hello_with_key(own: &PrivateKey, more: &str) -> Vec<u8> {
    plain(&hello_text(&own.public_pem().unwrap(), more))
}

/// What such a hello says, of any PEM.
pub(super) fn hello_text(pem: &str, more: &str) -> String {
    format!(r#"{{"type":1,"rsa_public_key":"{}"{more}}}"#, STANDARD.encode(pem))
}

/// The packet of a text that is encrypted to the server's key.
pub(super) fn encrypted(text: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    envelope::put_base64(&mut packet, &SERVER.public().encrypt(text.as_bytes()).unwrap());
    packet
}
