//! Clients of LEKT: each hears who is there, and is to know the same as the roll.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::play::{End, Player, Stage};
use super::scene::Scene;
use crate::engine::simulation::LineId;
use crate::lekt::client::{Client, Event};
use crate::lekt::server::Settings;
use crate::lekt::wire::{Block, BlockKind, Method, Object};
use crate::wire::random::Random;

/// How long a client stays on the roll without a heartbeat.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may take until somebody is off the roll of whom the server knows that he is gone.
const PARTING: Duration = Duration::from_secs(1);
/// Where the listeners of this door are among all.
const DOOR: usize = 0;

/// How a client is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    ip: Ipv4Addr,
    port: Option<u16>,
}

impl Seen {
    fn of(object: &Object) -> Self {
        let port = object.methods.first().map(|&Method::DirectTcp { port }| port);
        Self { ip: object.address, port }
    }
}

/// What the door goes by.
pub(super) fn settings(pace: u32) -> Settings {
    Settings { handshake_timeout: Duration::from_secs(10), heartbeat_timeout: TIMEOUT * pace }
}

/// Somebody who comes as one client after the other.
pub(super) struct Guest {
    number: usize,
    state: State,
    /// Connections that he has left, each with the time by which it has to be off the roll.
    left: Vec<(SocketAddr, Instant)>,
    is_settled: bool,
}

enum State {
    Away,
    Here(Box<Visit>),
}

/// One connection of his.
struct Visit {
    line: LineId,
    peer: SocketAddr,
    client: Client,
    phase: Phase,
    unread: Vec<u8>,
    /// Everybody he has been told of.
    view: BTreeMap<Seen, usize>,
    /// It takes long until all is said that there is to say; before, the server does not listen.
    is_narrow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Coming,
    /// He was told that he is on the roll.
    There,
    /// He has sent what nobody may send, and waits to be told so.
    Misbehaved,
}

impl Guest {
    pub(super) fn new(number: usize, _: &mut Random) -> Self {
        Self { number, state: State::Away, left: Vec::new(), is_settled: false }
    }

    fn come(&mut self, stage: &mut Stage<'_>) {
        // Some share an address.
        let ip = Ipv4Addr::new(10, 0, 0, 1 + u8::try_from(self.number / 2).unwrap());
        let room = stage.room(4, &[64, 300, 5000, 100_000]);
        let (line, peer) = stage.connect(DOOR, ip, room);
        let port = (!stage.chance(5)).then_some(peer.port() + 1000);
        stage.scene.listings.insert(peer, Seen { ip, port });
        let mut out = Vec::new();
        let client = Client::new(port.map(|port| Method::DirectTcp { port }), &mut out);
        let mut phase = Phase::Coming;
        if stage.may_leave() && stage.chance(12) {
            // The server waits in vain for the rest, or it is nothing from the beginning.
            let at = stage.random.below(out.len());
            if at < 5 {
                out[at] ^= 1 << stage.random.below(8);
            } else {
                out.truncate(at);
            }
            phase = Phase::Misbehaved;
        }
        stage.world.send(line, &out);
        self.state = State::Here(Box::new(Visit {
            line,
            peer,
            client,
            phase,
            unread: Vec::new(),
            view: BTreeMap::new(),
            is_narrow: room < 5000,
        }));
        if stage.chance(3) {
            stage.wake_between(0, 1000);
        }
    }

    /// Leaves, in one way or another.
    fn leave(&mut self, stage: &mut Stage<'_>) {
        let State::Here(mut visit) = std::mem::replace(&mut self.state, State::Away) else { return };
        let longest_way = stage.scene.longest_way;
        let fate = stage.random.below(5);
        let slow = if visit.is_narrow { TIMEOUT } else { Duration::ZERO };
        let late = stage.now() + 4 * longest_way + TIMEOUT + PARTING + slow;
        let soon = if visit.is_narrow { late } else { stage.now() + 4 * longest_way + PARTING };
        match fate {
            0 => {
                stage.world.finish(visit.line);
                self.left.push((visit.peer, soon));
            }
            1 => {
                stage.world.reset(visit.line);
                self.left.push((visit.peer, soon));
            }
            2 => {
                stage.world.vanish(visit.line);
                self.left.push((visit.peer, late));
            }
            // He stays, and says no more.
            3 => self.left.push((visit.peer, late)),
            _ => {
                let mut beat = Vec::new();
                visit.client.heartbeat(0, &mut beat);
                let garbage =
                    if beat.is_empty() { b"GET / HTTP/1.0\r\n\r\n".to_vec() } else { vec![0xff; beat.len()] };
                stage.world.send(visit.line, &garbage);
                self.left.push((visit.peer, soon));
                visit.phase = Phase::Misbehaved;
                // He waits for the reason.
                self.state = State::Here(visit);
            }
        }
    }
}

impl Player for Guest {
    fn act(&mut self, stage: &mut Stage<'_>) {
        match &mut self.state {
            State::Away if self.is_settled => {}
            State::Away => {
                self.come(stage);
                stage.wake_between(1000, 8_000);
            }
            State::Here(visit)
                if visit.phase != Phase::Misbehaved
                    && !self.is_settled
                    && stage.may_leave()
                    && stage.chance(if visit.phase == Phase::Coming { 2 } else { 5 }) =>
            {
                self.leave(stage);
                stage.wake_between(0, 4000);
            }
            State::Here(visit) => {
                visit.beat(stage);
                let most = if self.is_settled { 10_000 } else { 8000 };
                stage.wake_between(most / 2, most);
            }
        }
    }

    fn hear(&mut self, line: LineId, bytes: &[u8], stage: &mut Stage<'_>) {
        if let State::Here(visit) = &mut self.state
            && visit.line == line
        {
            visit.hear(bytes, stage);
        }
    }

    fn end(&mut self, line: LineId, how: End, stage: &mut Stage<'_>) {
        let State::Here(visit) = &self.state else { return };
        if visit.line != line {
            return;
        }
        let is_forgotten = stage.scene.is_forgetful;
        assert!(
            visit.phase != Phase::There || stage.scene.is_ending || is_forgotten || stage.scene.has_crashed,
            "guest {} has done nothing wrong, and its connection is over: {how:?}",
            self.number
        );
        if how == End::Finished {
            stage.world.finish(line);
        }
        self.left.push((visit.peer, stage.now() + 2 * stage.scene.longest_way + PARTING));
        self.state = State::Away;
    }

    fn check(&self, scene: &Scene) {
        for (peer, by) in self.left.iter().filter(|_| !scene.is_ending) {
            assert!(
                *by > scene.now || !scene.roll.contains(peer),
                "guest {}: {peer} is a ghost",
                self.number
            );
        }
        if let State::Here(visit) = &self.state
            && visit.phase == Phase::There
            && !scene.is_ending
            && !scene.is_forgetful
            && !scene.has_crashed
        {
            assert!(
                scene.roll.contains(&visit.peer),
                "guest {}: {} is not on the roll",
                self.number,
                visit.peer
            );
        }
    }

    fn settle(&mut self, _: &mut Stage<'_>) {
        self.is_settled = true;
    }
}

impl Visit {
    fn beat(&mut self, stage: &mut Stage<'_>) {
        let mut out = Vec::new();
        let beats = if stage.chance(8) { 3 } else { 1 };
        for _ in 0..beats {
            self.client.heartbeat(0, &mut out);
        }
        if !out.is_empty() && self.phase == Phase::There {
            stage.world.send(self.line, &out);
        }
    }

    fn hear(&mut self, bytes: &[u8], stage: &mut Stage<'_>) {
        self.unread.extend_from_slice(bytes);
        loop {
            let mut out = Vec::new();
            let (taken, event) = match self.client.receive(&self.unread, &mut out) {
                Ok(heard) => heard,
                Err(_) if self.phase == Phase::Misbehaved => return,
                Err(error) => panic!("{}: the server says what it may not say: {error}", self.peer),
            };
            self.unread.drain(..taken);
            if !out.is_empty() {
                stage.world.send(self.line, &out);
            }
            let is_over = taken == 0 && event.is_none();
            event.into_iter().for_each(|event| self.happens(event, stage));
            if is_over {
                return;
            }
        }
    }

    fn happens(&mut self, event: Event, stage: &mut Stage<'_>) {
        match event {
            Event::Accepted(_) => {}
            Event::Joined => {
                if self.phase == Phase::Coming {
                    self.phase = Phase::There;
                    self.beat(stage);
                }
            }
            Event::Added(object) => {
                let count = self.view.entry(Seen::of(&object)).or_default();
                *count += 1;
            }
            Event::Removed(ip) => {
                let known = self.view.len();
                self.view.retain(|seen, _| seen.ip != ip);
                assert!(self.view.len() < known, "{}: {ip} leaves, who was never there", self.peer);
            }
            // An answer ends with a block of those who came, or, where nobody has come, with one of those who went:
            // whether that was the last one does not show.
            Event::BlockEnded(Block { kind: BlockKind::Removed, .. }) => {}
            Event::BlockEnded(block) => self.compare(block.time, stage),
            Event::Rejected(why) => {
                let is_right = self.phase == Phase::Misbehaved || stage.scene.is_ending;
                assert!(is_right, "{}: rejected: {why}", self.peer);
            }
        }
    }

    fn compare(&self, unix_time: i64, stage: &Stage<'_>) {
        let mut roll: BTreeMap<Seen, usize> = BTreeMap::new();
        for peer in stage.scene.at(unix_time).iter().filter(|peer| **peer != self.peer) {
            *roll.entry(stage.scene.listings[peer]).or_default() += 1;
        }
        assert_eq!(self.view, roll, "{}: what it was told, and the roll as it was then", self.peer);
    }
}
