//! Clients of Residue: they get a key, stay alive or do not, get tokens, and log; and whatever was sent once may come
//! again, over any connection.

mod errand;
mod files;
mod house;
mod logs;
mod record;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::play::{End, Player, Stage};
use super::scene::Scene;
use crate::engine::simulation::LineId;
use crate::residue::cipher::KeySize;
use crate::residue::client::{Client, Settings};
use crate::residue::packet::DELIMITER;
use crate::residue::reply::log_reply;
use errand::{Errand, What};
pub(super) use house::House;
use house::PAIR;
use logs::Logged;
use record::{SharedRecord, Term};

/// Where the listeners of these doors are among all: connect, token, log.
const DOORS: usize = 1 + cfg!(feature = "chapp") as usize + cfg!(feature = "fmltp") as usize;
const CONNECT: usize = 0;
const TOKEN: usize = 1;
const LOG: usize = 2;

/// Clients that the server knows by name.
const MANAGED: [&str; 2] = ["manny", "molly"];
const LOGGERS: [&str; 3] = ["network", "disk", "default"];
/// So many packets of nobody stay without consequences.
const STRANGERS: usize = 10;
/// So many of the last packets are sent again perhaps.
const KEPT: usize = 6;

/// A program that logs.
pub(super) struct Program {
    ip: Ipv4Addr,
    number: usize,
    name: Option<&'static str>,
    client: Client,
    posts: [Option<Post>; 3],
    who: Option<Who>,
    errand: Option<Errand>,
    tokens: Vec<Token>,
    kept: VecDeque<Kept>,
    record: SharedRecord,
    count: usize,
    /// It has sent more than a server remembers, who may have it begin anew.
    is_worn: bool,
    is_settled: bool,
}

/// Who a program is to the server.
struct Who {
    id: String,
    /// How often the server had been killed when it said so.
    generation: usize,
}

/// A token that was given.
struct Token {
    text: String,
    logger: &'static str,
    term: Term,
}

/// A connection.
struct Post {
    line: LineId,
    peer: SocketAddr,
    unread: Vec<u8>,
    awaited: VecDeque<Awaited>,
    strangers: usize,
}

/// What the next reply is to.
enum Awaited {
    Errand,
    Sheet(Logged),
    /// To a packet other than logs that came before.
    Again,
    Stranger,
}

/// A packet that was served.
struct Kept {
    port: usize,
    packet: Vec<u8>,
    logged: Option<Logged>,
}

impl Program {
    pub(super) fn new(number: usize, house: &House) -> Self {
        let name = MANAGED.get(number).copied().filter(|_| number.is_multiple_of(2));
        let settings = Settings {
            pair: PAIR.clone(),
            client_id: name.map(Box::from),
            server_key: name.map(|_| PAIR.public()),
            // The reply to others has no room in so small a key.
            key_size: Some(if number < 2 { KeySize::Bits128 } else { KeySize::Bits192 }),
        };
        Self {
            ip: Ipv4Addr::new(10, 0, 3, u8::try_from(number).unwrap()),
            number,
            name,
            client: Client::new(settings),
            posts: [None, None, None],
            who: None,
            errand: None,
            tokens: Vec::new(),
            kept: VecDeque::new(),
            record: Arc::clone(&house.record),
            count: 0,
            is_worn: false,
            is_settled: false,
        }
    }

    fn is_managed(&self) -> bool {
        self.name.is_some()
    }

    fn move_on(&mut self, stage: &mut Stage<'_>) {
        match stage.random.below(16) {
            0 => self.drop_line(stage),
            1 if stage.chance(3) => self.forget(),
            1 => self.say_as_stranger(stage),
            2 | 3 if !self.kept.is_empty() => self.repeat(stage.random.below(self.kept.len()), stage),
            4..=9 => self.ask(stage),
            _ => self.log(stage),
        }
        if self.who.is_none() {
            self.ask(stage);
        }
    }

    fn ask(&mut self, stage: &mut Stage<'_>) {
        if self.errand.is_some() {
            return;
        }
        let errand = self.set_out(stage);
        let port = errand.what.port();
        let peer = self.post(port, stage).peer;
        if !errand.what.is_hello() {
            let home = matches!(errand.what, What::Acknowledge).then_some(peer);
            self.note_sent(home, errand.what.is_vital(), stage.now());
        }
        let packet = errand.packet.clone();
        let awaited = if let What::Log(sheet) = errand.what {
            let logged = self.logged(sheet, errand.unix_time, stage);
            self.keep(port, &packet, Some(logged));
            Awaited::Sheet(logged)
        } else {
            self.errand = Some(errand);
            Awaited::Errand
        };
        self.send(port, &packet, awaited, stage);
    }

    /// A packet was sealed that nobody has sent before.
    fn note_sent(&mut self, home: Option<SocketAddr>, is_vital: bool, now: Instant) {
        let Some(who) = &self.who else { return };
        let mut record = self.record.lock();
        record.send(&who.id, home, is_vital, now);
        let memory = record.rules.memory;
        self.is_worn |= record.life(&who.id).is_some_and(|life| life.is_worn(memory));
    }

    /// What its clock shows, which is wrong now and then where that matters.
    fn clock(&self, stage: &mut Stage<'_>) -> i64 {
        let (time, tolerance) = (stage.world.unix_time(), self.record.lock().rules.tolerance);
        match i64::try_from(tolerance) {
            Ok(tolerance) if stage.chance(12) => time + [-2, 2][stage.random.below(2)] * tolerance,
            _ => time,
        }
    }

    fn keep(&mut self, port: usize, packet: &[u8], logged: Option<Logged>) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { port, packet: packet.to_vec(), logged });
    }

    /// Says what nobody says who is on record.
    fn say_as_stranger(&mut self, stage: &mut Stage<'_>) {
        let port = stage.random.below(3);
        let post = self.post(port, stage);
        post.strangers += 1;
        if post.strangers < STRANGERS {
            let packet = format!("{}:nobody:{}\r\n\r\n", "0".repeat(32), "A".repeat(64));
            self.send(port, packet.as_bytes(), Awaited::Stranger, stage);
        }
    }

    /// It begins anew, and nobody is told.
    fn forget(&mut self) {
        if self.errand.is_none() {
            self.who = None;
            self.tokens.clear();
            self.kept.clear();
        }
    }

    fn drop_line(&mut self, stage: &mut Stage<'_>) {
        let port = stage.random.below(3);
        let Some(line) = self.posts[port].as_ref().map(|post| post.line) else { return };
        match stage.random.below(3) {
            0 => stage.world.finish(line),
            1 => stage.world.reset(line),
            _ => stage.world.vanish(line),
        }
        self.part(port, stage, End::Broken);
    }

    /// There is no such connection any more, or nobody listens to it.
    fn part(&mut self, port: usize, stage: &mut Stage<'_>, how: End) {
        let Some(post) = self.posts[port].take() else { return };
        if how == End::Finished {
            stage.world.finish(post.line);
        }
        if post.awaited.iter().any(|awaited| matches!(awaited, Awaited::Errand)) {
            // By then the server has taken what it will ever take.
            let by = stage.now() + 2 * stage.scene.longest_way + 20 * super::SECOND;
            self.give_up_errand(by);
        }
    }

    fn post(&mut self, port: usize, stage: &mut Stage<'_>) -> &mut Post {
        let ip = self.ip;
        self.posts[port].get_or_insert_with(|| {
            let room = stage.room(100, &[100_000]);
            let (line, peer) = stage.connect(DOORS + port, ip, room);
            Post { line, peer, unread: Vec::new(), awaited: VecDeque::new(), strangers: 0 }
        })
    }

    fn send(&mut self, port: usize, packet: &[u8], awaited: Awaited, stage: &mut Stage<'_>) {
        let post = self.post(port, stage);
        post.awaited.push_back(awaited);
        let line = post.line;
        if stage.chance(2) {
            stage.world.send_whole(line, packet);
        } else {
            stage.world.send(line, packet);
        }
    }

    /// One packet that the server has sent.
    fn take(&mut self, port: usize, packet: &[u8], stage: &mut Stage<'_>) {
        let awaited = self.posts[port].as_mut().and_then(|post| post.awaited.pop_front());
        match awaited.expect("the server speaks only when it is asked") {
            Awaited::Errand => {
                let errand = self.errand.take().expect("it has asked for something");
                self.come_back(&errand, packet, stage);
            }
            Awaited::Sheet(logged) => {
                let reply = log_reply(packet).expect("a log is answered by what became of it");
                self.hear_of(logged, reply, stage);
            }
            Awaited::Again => {
                let text = self.client.open(packet);
                let is_refused = text.is_none_or(|text| text.contains(r#""error_text":"#));
                assert!(is_refused || stage.scene.has_crashed, "a packet is served twice");
            }
            Awaited::Stranger => {
                let expected: &[u8] = match port {
                    CONNECT => br#"{"ack":0,"error_text":"Client not connected yet","status":1}"#,
                    TOKEN => br#"{"error_text":"Client not connected yet","status":1}"#,
                    _ => br#"{"r":2}"#,
                };
                assert_eq!(packet.strip_suffix(DELIMITER), Some(expected), "to a stranger");
            }
        }
    }
}

impl Player for Program {
    fn act(&mut self, stage: &mut Stage<'_>) {
        if !self.is_settled {
            self.move_on(stage);
            stage.wake_between(200, 1500);
        }
    }

    fn hear(&mut self, line: LineId, bytes: &[u8], stage: &mut Stage<'_>) {
        let is_it = |post: &Option<Post>| post.as_ref().is_some_and(|post| post.line == line);
        let Some(port) = self.posts.iter().position(is_it) else { return };
        let Some(post) = &mut self.posts[port] else { return };
        post.unread.extend_from_slice(bytes);
        let mut unread = std::mem::take(&mut post.unread);
        while let Some(end) = unread.windows(DELIMITER.len()).position(|window| window == DELIMITER) {
            let packet: Vec<u8> = unread.drain(..end + DELIMITER.len()).collect();
            self.take(port, &packet, stage);
        }
        if let Some(post) = &mut self.posts[port] {
            post.unread = unread;
        }
    }

    fn end(&mut self, line: LineId, how: End, stage: &mut Stage<'_>) {
        let is_it = |post: &Option<Post>| post.as_ref().is_some_and(|post| post.line == line);
        let Some(port) = self.posts.iter().position(is_it) else { return };
        let is_right = stage.scene.is_ending || stage.scene.has_crashed || self.is_worn;
        assert!(is_right, "a program has done nothing wrong, and its connection is over: {how:?}");
        self.part(port, stage, how);
    }

    /// The record does.
    fn check(&self, _: &Scene) {}

    fn settle(&mut self, _: &mut Stage<'_>) {
        self.is_settled = true;
    }

    fn conclude(&self) {
        let posts = self.posts.iter().flatten();
        posts.for_each(|post| assert!(post.awaited.is_empty(), "somebody waits in vain at {:?}", post.line));
    }
}
