//! Sessions on a fake roll and a fake clock, without a socket.

mod conversation;
mod interpreter;
mod refusals;
mod timing;

use super::super::super::fernet::{Key, Scan};
use super::super::super::users::{UserBook, Users};
use super::*;
use crate::roll::{Member, Roll};

/// The world of one test.
struct World {
    roll: Roll,
    now: Instant,
    unix_time: i64,
}

impl View for World {
    fn unix_time(&self) -> i64 {
        self.unix_time
    }

    fn sequence(&self) -> crate::roll::Sequence {
        self.roll.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.roll);
    }
}

/// Somebody has to say who he is. The tests judge by themselves: see [`work`].
struct Book;

impl UserBook for Book {
    fn users(&self) -> Arc<Users> {
        unreachable!("a password takes too long for these tests")
    }
}

/// Whether a client has to say who he is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authorization {
    Off,
    On,
}
use Authorization::{Off, On};

fn settings(authorization: Authorization) -> Settings {
    let book = || Arc::new(Book) as Arc<dyn UserBook>;
    Settings { users: (authorization == On).then(book), ..Settings::default() }
}

/// A client: its session, and all that it was sent.
struct Guest {
    session: Server,
    unread: Vec<u8>,
    sent: Vec<u8>,
    member: Option<Member>,
    end: Option<End>,
}

/// How a session ended, and whether that is held against the address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Closed { badly: bool },
    Failed { why: String, badly: bool },
}

impl World {
    fn new() -> Self {
        Self { roll: Roll::new(16), now: Instant::now(), unix_time: 77 }
    }

    /// A client that has just connected.
    fn guest(&self, authorization: Authorization) -> Guest {
        self.guest_by(settings(authorization))
    }

    fn guest_by(&self, settings: Settings) -> Guest {
        let peer = "10.0.0.1:4000".parse().unwrap();
        let session = Server::new(self.now, peer, Arc::new(settings));
        let mut guest = Guest { session, unread: Vec::new(), sent: Vec::new(), member: None, end: None };
        guest.handle(self, Event::Opened);
        guest
    }

    /// A client that has sent all this, and read what came of it.
    fn guest_after(&mut self, authorization: Authorization, sent: &[Vec<u8>]) -> Guest {
        let mut guest = self.guest(authorization);
        guest.send(self, &sent.concat());
        guest.sent.clear();
        guest
    }
}

impl Guest {
    /// Has the session judge these bytes, and all that it had left over before, as an engine does.
    fn send(&mut self, world: &mut World, bytes: &[u8]) {
        if self.end.is_none() {
            self.unread.extend_from_slice(bytes);
            self.judge(world);
        }
    }

    fn judge(&mut self, world: &mut World) {
        while self.end.is_none() && !self.unread.is_empty() {
            let mut out = Output::default();
            let outcome = self.session.receive(world.now, &self.unread, world, &mut out);
            match outcome {
                Ok(0) => {
                    assert!(out.is_empty() && !out.has_ask() && !out.take_close(), "nothing was taken");
                    break;
                }
                Ok(taken) => drop(self.unread.drain(..taken)),
                Err(fault) => self.fail(fault),
            }
            self.follow(world, out);
        }
    }

    fn follow(&mut self, world: &mut World, mut out: Output) {
        assert_eq!(out.take_apart(), !out.is_empty(), "each packet is a write of its own");
        self.sent.extend_from_slice(out.plain().unwrap());
        if out.take_close() {
            assert!(self.session.deadline().is_none());
            self.end = Some(End::Closed { badly: self.session.ends_badly() });
        }
        match out.take_ask() {
            Some(Ask::Toil(effort)) => {
                work(&mut self.session, effort);
                self.answer(world, Answer::Toiled);
            }
            Some(Ask::Join(applicant)) => {
                let member = world.roll.join(applicant);
                self.member = Some(member);
                self.answer(world, Answer::Joined(member));
            }
            Some(Ask::Leave(_) | Ask::Clerk(_) | Ask::Rationed { .. }) => {
                panic!("the engine takes clients off the roll, and there is neither a clerk nor a ration")
            }
            None => (),
        }
    }

    fn answer(&mut self, world: &mut World, answer: Answer) {
        assert!(self.session.deadline().is_none(), "time does not count while the server works");
        let mut out = Output::default();
        self.session.handle(world.now, Event::Answer(answer), world, &mut out).unwrap();
        self.follow(world, out);
    }

    fn handle(&mut self, world: &World, event: Event) {
        let mut out = Output::default();
        if let Err(fault) = self.session.handle(world.now, event, world, &mut out) {
            self.fail(fault);
        }
        assert!(!out.has_ask() && !out.take_close());
        self.sent.extend_from_slice(out.plain().unwrap());
    }

    fn fail(&mut self, fault: Fault) {
        assert!(fault.level == log::Level::Debug, "a peer's fault is for debugging");
        self.sent.extend(fault.farewell);
        self.end = Some(End::Failed { why: fault.why.into_owned(), badly: self.session.ends_badly() });
    }

    fn end_of_stream(&mut self, world: &mut World) {
        if self.end.is_none() {
            self.handle(world, Event::EndOfStream);
            self.judge(world);
            self.end.get_or_insert(End::Closed { badly: self.session.ends_badly() });
        }
    }

    fn tick(&mut self, world: &mut World) {
        if self.end.is_none() {
            self.handle(world, Event::Tick);
            self.judge(world);
        }
    }

    /// Lets time pass, with a tick at each deadline, and one before that nobody asked for.
    fn wait(&mut self, world: &mut World, time: Duration) {
        self.tick(world);
        let end = world.now + time;
        while let Some(deadline) = self.session.deadline().filter(|&at| at <= end && self.end.is_none()) {
            world.now = world.now.max(deadline);
            self.tick(world);
            let next = self.session.deadline();
            assert!(self.end.is_some() || next != Some(deadline), "a deadline that stays");
        }
        world.now = end;
    }

    /// What was sent since it was asked last: plain lines, the names of PEM blocks, and the texts of tokens in braces.
    fn heard(&mut self) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent);
        let mut rest = sent.as_slice();
        let mut heard = Vec::new();
        while !rest.is_empty() {
            let text = str::from_utf8(rest).unwrap();
            let found = Key::new(KEY).find_within(1 << 16, rest, &mut Scan::default());
            let (packet, taken) = if let Ok(Some((taken, text))) = found {
                (format!("{{{}}}", str::from_utf8(&text).unwrap()), taken)
            } else if let Some(label) = text.strip_prefix("-----BEGIN ") {
                let label = label.split("-----").next().unwrap();
                let end = format!("-----END {label}-----\n");
                (label.to_owned(), text.find(&end).unwrap() + end.len())
            } else {
                let end = text.find("\r\n").unwrap() + 2;
                (text[..end].to_owned(), end)
            };
            heard.push(packet);
            rest = &rest[taken..];
        }
        heard
    }
}

/// Does a session's slow work with a key that is known beforehand, and with one user.
fn work(session: &mut Server, effort: Effort) {
    match &mut session.state {
        State::Agreeing { exchange, .. } => {
            assert_eq!(effort, Effort::Brief);
            let channel = Channel::new(Key::new(KEY));
            *exchange = Exchange::Agreed { ours: PUBLIC_KEY.to_owned(), channel };
        }
        State::Checking { attempt, .. } => {
            assert_eq!(effort, Effort::Long);
            attempt.judge(|name, password| name == "alice" && password == b"secret");
        }
        _ => panic!("there is nothing to do"),
    }
}

const KEY: [u8; 32] = *b"sixteen to sign, sixteen to hide";

fn token(text: &str) -> Vec<u8> {
    Key::new(KEY).seal(text.as_bytes(), 0, [7; 16])
}

const REPLY: &[u8] = b"FlexMusic Test,0.0.0\r\n";

/// The public key of the secret 1, which is 2: what is agreed on is the other side's public key.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBITCCARcGCSqGSIb3DQEDATCCAQgCggEBAP//////////tQTzM/neZIRZfYmz
dUq+nx1vYLqJO6hM7ReshYMzmRVK/IMEOriiw6ix/m/cg9s5D3SoXkOce0p4BIc2
PfonaNIgLodCrx9OUwWcYBG8M3vKsbyRFohFikYKvHIvfE4zxtWoo4u36dzLKmND
MfPITfUvEg+Dblgu6qSgiZBAykqBOUq22P0O/fTToCzryT4MQmTavNUotlG4zzQb
b4I2xwEE3AH+MjUvMypen3vaHr/2ob4/yiITB96gYkH3qoHCwfy93qL33DMYg4ou
r/XzstJPSnY/rLiC/f4XD9Ox94D5rM5BeX8oBcJGeF6SxoC1//////////8CAQID
BAACAQI=
-----END PUBLIC KEY-----
";

fn reply() -> Vec<u8> {
    REPLY.to_vec()
}

fn public_key() -> Vec<u8> {
    PUBLIC_KEY.into()
}

/// All that a client sends until the interpreter is ready.
fn handshake() -> Vec<Vec<u8>> {
    vec![reply(), public_key(), token("FlexMusic,0.0.0\r\n")]
}

/// All that a client sends until it may do everything.
fn login() -> Vec<Vec<u8>> {
    [handshake(), vec![token("AUTH alice secret\r\n")]].concat()
}

const SAID_FIRST: &str = "FlexMusic,0.0.0\r\n";
const READY: &str = "{100 FmLTP/1.0 Interpreter Ready.\r\n}";
const LOCKED: &str = "{100 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.\r\n}";
const RIGHT: &str = "{150 Authentication successful.\r\n}";
const WRONG: &str = "{151 Authentication failed.\r\n}";
const GOODBYE: &str = "{200 Goodbye.\r\n}";
const WELL: End = End::Closed { badly: false };
const BADLY: End = End::Closed { badly: true };
