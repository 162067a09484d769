//! One play: a world, who takes part in it, and what has to be so after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SECOND;
use super::books::Books;
use super::lekt;
use super::scene::Scene;
use super::trail::Trail;
use crate::engine::Limits;
use crate::engine::simulation::{Delays, Happened, LineId, Plan, World};
use crate::lekt::server::LektDoor;
use crate::roll::{Entry, Roll};
use crate::session::Door;
use crate::wire::random::{Random, guess};

/// How everybody behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// They come and go.
    Restless,
    /// They come and go, and all of it takes long.
    Slow,
    /// They come, and stay, with hours between one word and the next.
    Loyal,
}

/// What becomes of the daemon in the middle of the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    GoesOn,
    IsKilled,
}

/// What a play is made of.
pub(super) struct Cast {
    pub(super) manner: Manner,
    pub(super) lekt: usize,
    pub(super) chapp: usize,
    pub(super) fmltp: usize,
    pub(super) residue: usize,
    /// Whether the daemon is killed in the middle.
    pub(super) fate: Fate,
    pub(super) length: Duration,
    pub(super) uptime: Duration,
    pub(super) journal: usize,
}

impl Cast {
    /// What the play of this seed is made of.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) + 1);
        let days = [0, 0, 25, 50, 100][random.below(5)];
        let cast = Self {
            manner: Manner::Restless,
            lekt: 2 + random.below(4),
            chapp: [0, 0, 2, 4][random.below(4)],
            fmltp: usize::from(random.below(50) == 0),
            residue: 0,
            fate: if random.below(8) == 0 { Fate::IsKilled } else { Fate::GoesOn },
            length: Duration::from_secs(5 + random.below(15) as u64),
            uptime: Duration::from_secs(days * 86_400),
            journal: [4096, 4096, 4][random.below(3)],
        };
        match random.below(24) {
            0 | 1 => Self { residue: 1 + random.below(2), ..cast },
            2 => {
                let (manner, length) = (Manner::Slow, SLOW_PACE * cast.length);
                Self { manner, length, lekt: 0, chapp: 0, fmltp: 0, residue: 1 + random.below(4), ..cast }
            }
            _ => cast,
        }
    }
}

/// Who takes part: a client, or one after the other, of one door.
pub(super) trait Player {
    /// It is his turn, as he has wished.
    fn act(&mut self, stage: &mut Stage<'_>);

    /// The server has said something.
    fn hear(&mut self, line: LineId, bytes: &[u8], stage: &mut Stage<'_>);

    /// The server says no more.
    fn end(&mut self, line: LineId, how: End, stage: &mut Stage<'_>);

    /// Looks whether all is as it should be, by what he knows.
    fn check(&self, scene: &Scene);

    /// So many are on the roll now.
    fn notice(&mut self, _there: usize) {}

    /// Everything has come to rest.
    fn conclude(&self) {}

    /// The play is about to end: from now on he does nothing of himself but what shows how things are.
    fn settle(&mut self, stage: &mut Stage<'_>);
}

/// How a connection ended for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Broken,
}

/// What a player has at hand.
pub(super) struct Stage<'a> {
    pub(super) world: &'a mut World,
    pub(super) random: &'a mut Random,
    pub(super) scene: &'a mut Scene,
    /// Which player it is.
    number: usize,
    lines: &'a mut Vec<usize>,
}

impl Stage<'_> {
    pub(super) fn now(&self) -> Instant {
        self.world.now()
    }

    /// Connects from an address that nobody else has connected from.
    pub(super) fn connect(&mut self, door: usize, ip: Ipv4Addr, room: usize) -> (LineId, SocketAddr) {
        let peer = SocketAddr::from((ip, u16::try_from(1000 + self.lines.len()).unwrap()));
        let line = self.world.connect(door, peer, room);
        self.lines.push(self.number);
        (line, peer)
    }

    /// Has his turn come after some time, in milliseconds.
    pub(super) fn wake_between(&mut self, least: usize, most: usize) {
        let time = Duration::from_millis((least + self.random.below(most - least)) as u64);
        let time = time * pace(self.scene.manner);
        self.world.timer(self.world.now() + time, self.number as u64);
    }

    /// Whether somebody may do now what ends a connection.
    pub(super) fn may_leave(&self) -> bool {
        self.scene.manner != Manner::Loyal
    }

    /// How much the server may write to somebody before he has read some: to him who is quick perhaps very little.
    pub(super) fn room(&mut self, little: usize, plenty: &[usize]) -> usize {
        let is_quick = self.scene.longest_way < Duration::from_millis(600);
        if is_quick && self.chance(3) { little } else { plenty[self.random.below(plenty.len())] }
    }

    pub(super) fn chance(&mut self, of: usize) -> bool {
        self.random.below(of) == 0
    }
}

/// One play.
pub(super) struct Play {
    world: World,
    random: Random,
    cast: Cast,
    players: Vec<Box<dyn Player>>,
    /// Whose each connection is.
    lines: Vec<usize>,
    scene: Scene,
    jumps: i64,
    stamp: (u64, usize),
    start: Instant,
    trail: Trail,
    books: Books,
}

/// A morning.
const MORNING: i64 = 1_795_000_000;
const YEAR: i64 = 31_536_000;
/// How many times slower the loyal are.
const LOYAL_PACE: u32 = 3000;
/// And the slow: the times that are as they are, minutes, pass for them as well.
const SLOW_PACE: u32 = 100;

impl Play {
    pub(super) fn new(seed: u64, cast: Cast) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) + 1);
        let delays = Delays {
            wire: Duration::from_millis([1, 50, 1000][random.below(3)]),
            thread: Duration::from_millis([1, 5, 50][random.below(3)]),
        };
        let books = Books::new(seed, pace(cast.manner));
        guess::begin(seed);
        let plan = plan(&cast, &mut random, &books);
        let world = World::new(seed, plan, delays, cast.uptime, MORNING);
        let start = world.now();
        let scene = Scene {
            now: start,
            roll: BTreeSet::new(),
            clients: BTreeMap::new(),
            there: 0,
            listings: BTreeMap::new(),
            past: Vec::new(),
            present: Rc::default(),
            manner: cast.manner,
            is_ending: false,
            has_crashed: false,
            is_forgetful: cast.journal < 100,
            longest_way: delays.wire + 10 * delays.thread,
        };
        let mut players: Vec<Box<dyn Player>> = Vec::new();
        for number in 0..cast.lekt {
            players.push(Box::new(lekt::Guest::new(number, &mut random)));
        }
        books.players(&cast, &mut players);
        let (lines, trail, stamp) = (Vec::new(), Trail::new(seed), (0, 0));
        Self { world, random, cast, players, lines, scene, jumps: 0, stamp, start, trail, books }
    }

    /// Plays it to the end, and says in how many steps, and how many ever were on the roll.
    pub(super) fn run(mut self) -> (u64, u64) {
        for number in 0..self.players.len() {
            let at = self.start + Duration::from_millis(self.random.below(3000) as u64);
            self.world.timer(at, number as u64);
        }
        let middle = self.start + self.cast.length / 2;
        self.go_on_until(middle);
        if self.cast.fate == Fate::IsKilled {
            self.books.sicken();
            self.go_on_until(middle + SECOND / 2 * pace(self.cast.manner));
            self.crash();
        }
        let curtain = self.start + self.cast.length;
        self.go_on_until(curtain);
        self.settle();
        self.players.iter().for_each(|player| player.conclude());
        if self.cast.manner == Manner::Loyal {
            assert_eq!(self.lines.len(), self.players.len(), "somebody had to come again");
            assert_eq!(self.scene.roll.len(), self.players.len(), "somebody is not there any more");
        }
        self.stop();
        (self.trail.steps(), self.world.read(Roll::joined))
    }

    /// The daemon is killed, and begins anew.
    fn crash(&mut self) {
        self.scene.has_crashed = true;
        self.books.crash();
        let plan = plan(&self.cast, &mut self.random, &self.books);
        self.world.crash(plan);
        self.look();
        // By then everybody has heard of it.
        let end = self.world.now() + 10 * SECOND;
        self.go_on_until(end);
        self.scene.has_crashed = false;
    }

    /// Everything comes to rest, and everybody hears of it.
    fn settle(&mut self) {
        for number in 0..self.players.len() {
            self.with(number, |player, stage| player.settle(stage));
        }
        // Those who have gone silent are to be missed by now.
        let end = self.world.now() + lekt::TIMEOUT + 3 * SECOND;
        self.go_on_until(end);
        assert!(
            self.world.is_settled(),
            "something is still to be done though nobody has asked for anything"
        );
    }

    /// The daemon ends.
    fn stop(&mut self) {
        self.scene.is_ending = true;
        self.world.stop();
        let end = self.world.now() + 15 * SECOND;
        self.go_on_until(end);
        assert!(self.world.has_ended(), "{} connections are left", self.world.connections());
        assert_eq!(self.world.usage().clients, 0, "connections that are gone are counted");
        self.books.close();
    }

    fn go_on_until(&mut self, end: Instant) {
        loop {
            self.tell_time();
            let Some(happened) = self.world.step(end) else { return };
            self.trail.note(self.world.now() - self.start, &happened);
            self.look();
            match happened {
                Happened::Quiet => continue,
                // Nobody comes any more.
                Happened::Timer(_) if self.scene.is_ending => {}
                Happened::Inside => self.compare(),
                Happened::Timer(number) => self.with(number as usize, |player, stage| player.act(stage)),
                Happened::Said(line, bytes) => {
                    self.with(self.lines[line.0], |player, stage| player.hear(line, &bytes, stage));
                }
                Happened::Finished(line) => self.ended(line, End::Finished),
                Happened::Broken(line) => self.ended(line, End::Broken),
            }
            self.check();
        }
    }

    fn ended(&mut self, line: LineId, how: End) {
        self.with(self.lines[line.0], |player, stage| player.end(line, how, stage));
    }

    fn with(&mut self, number: usize, act: impl FnOnce(&mut dyn Player, &mut Stage<'_>)) {
        let Self { world, random, scene, lines, players, .. } = self;
        act(&mut *players[number], &mut Stage { world, random, scene, number, lines });
    }

    /// Each step has a time of its own on the server's clock, by which is found again what it has said then. Now and
    /// then that clock jumps by a year.
    fn tell_time(&mut self) {
        let mut time = self.world.unix_time() + 1;
        if self.random.below(200) == 0 {
            self.jumps += 1;
            let by = YEAR + 100_000 * self.jumps;
            time += if self.random.below(2) == 0 { by } else { -by };
        }
        self.world.set_clock(time);
        self.scene.past.push((time, Rc::clone(&self.scene.present)));
    }

    /// Looks at what has changed.
    fn look(&mut self) {
        self.scene.now = self.world.now();
        let stamp = self.world.read(|roll| (roll.joined(), roll.len()));
        if stamp != self.stamp {
            self.stamp = stamp;
            let count = self.world.read(|roll| {
                let (named, others): (Vec<_>, Vec<_>) = roll.entries().partition(|entry| is_client(entry));
                let Scene { clients, roll: there, .. } = &mut self.scene;
                let name = |entry: &&Entry| (entry.name.clone().unwrap_or_default(), entry.address());
                *clients = named.iter().map(name).collect();
                *there = others.iter().map(|entry| entry.address()).collect();
                let count = named.len() + others.len();
                assert_eq!(clients.len() + there.len(), count, "somebody is on the roll twice");
                count
            });
            self.scene.there = count;
            self.players.iter_mut().for_each(|player| player.notice(count));
            let listed = self.scene.roll.iter().filter(|peer| self.scene.listings.contains_key(peer));
            self.scene.present = Rc::new(listed.copied().collect());
        }
    }

    /// What has to be so after each step.
    fn check(&mut self) {
        for player in &self.players {
            player.check(&self.scene);
        }
        self.books.check(&self.scene);
    }

    /// What has to be so whenever nothing is under way.
    fn compare(&self) {
        if self.world.is_settled() && !self.scene.is_ending {
            let mut roll: Vec<_> = self.world.read(|roll| {
                roll.entries().filter(|entry| !is_client(entry)).map(|entry| entry.id).collect()
            });
            roll.sort_unstable();
            assert_eq!(self.world.members(), roll, "connections, by their own account, and the roll");
        }
    }
}

/// Whether it does not hang on any connection.
fn is_client(entry: &Entry) -> bool {
    entry.door == "residue"
}

fn pace(manner: Manner) -> u32 {
    match manner {
        Manner::Restless => 1,
        Manner::Slow => SLOW_PACE,
        Manner::Loyal => LOYAL_PACE,
    }
}

fn plan(cast: &Cast, random: &mut Random, books: &Books) -> Plan {
    let lekt: Arc<dyn Door> = Arc::new(LektDoor::new(lekt::settings(pace(cast.manner))));
    let mut doors = vec![lekt];
    let clerks = books.open(&mut doors);
    Plan {
        doors,
        clerks,
        limits: Limits { high_mark: [100, 65_536][random.below(2)], ..Limits::unbounded(1000) },
        journal: cast.journal,
        loops: 1 + random.below(2),
        workers: 1 + random.below(3),
        idle: SECOND * pace(cast.manner),
    }
}
