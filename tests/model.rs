//! A hundred clients at random against a simple model of the roll.
//!
//! The model knows who is there, and what each client has been told. From the difference follows exactly what
//! the next heartbeat must be answered. `ROLLCALL_SEED` repeats a run, `ROLLCALL_STEPS` makes it longer.

#![cfg(test)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use common::answer::Answer;
use common::random::Random;
use common::*;

on_both_engines!(every_view_is_the_roll_without_oneself);

/// How many clients there are at most, besides the one that watches.
const CLIENTS: usize = 100;
/// So many of them share [`SHARED`] addresses.
const SHARING: usize = 30;
const SHARED: usize = 6;

fn every_view_is_the_roll_without_oneself(engine: Engine) {
    let now =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()));
    let seed = number("ROLLCALL_SEED").unwrap_or_else(now);
    let steps = number("ROLLCALL_STEPS").unwrap_or(10_000);
    println!("ROLLCALL_SEED={seed} repeats this");

    let daemon = Daemon::start(engine, &["--loops", "2", "--workers", "2"]);
    let mut world = World::new(&daemon, Random::new(seed));
    for step in 0..steps {
        world.step = step;
        world.step();
    }
    world.everybody_hears();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Numbers clients in the order of their joining; never used twice.
type Id = u64;

/// A client that has joined.
struct Member {
    raw: Raw,
    id: Id,
    /// Who was there when it was last answered.
    told: BTreeMap<Id, Seen>,
}

struct World<'a> {
    daemon: &'a Daemon,
    random: Random,
    step: u64,
    next: Id,
    /// Everybody who is there: the model.
    roll: BTreeMap<Id, Seen>,
    /// Heartbeats after each change, which orders it: what the watcher was told, everybody must be told.
    watcher: Member,
    members: Vec<Option<Member>>,
}

impl<'a> World<'a> {
    fn new(daemon: &'a Daemon, random: Random) -> Self {
        let raw = Raw::joined(1, daemon.address(), 1);
        let roll = BTreeMap::from([(0, who(1, 1))]);
        let watcher = Member { raw, id: 0, told: BTreeMap::new() };
        let members = (0..CLIENTS).map(|_| None).collect();
        Self { daemon, random, step: 0, next: 1, roll, watcher, members }
    }

    fn step(&mut self) {
        let place = self.random.below(CLIENTS);
        match self.members[place].take() {
            None => self.members[place] = Some(self.join(place)),
            Some(mut member) => match self.random.below(10) {
                0 | 1 => self.leave(member),
                beats => {
                    member.hears(&self.roll, if beats == 2 { 5 } else { 1 }, self.step);
                    self.members[place] = Some(member);
                }
            },
        }
    }

    fn join(&mut self, place: usize) -> Member {
        let address = address(place);
        let port = u16::try_from(1 + self.random.below(65_535)).unwrap();
        let (raw, port) = match self.random.below(8) {
            0 => (Raw::looking_from(address, self.daemon.address()), None),
            _ => (Raw::joined_from(address, self.daemon.address(), port), Some(port)),
        };
        let id = self.next;
        self.next += 1;
        self.roll.insert(id, Seen { address, port });
        // Index 0 was there, so everybody must be told from now on.
        self.watcher.hears(&self.roll, 1, self.step);
        Member { raw, id, told: BTreeMap::new() }
    }

    fn leave(&mut self, mut member: Member) {
        self.roll.remove(&member.id);
        match self.random.below(4) {
            0 => drop(member),
            1 => member.raw.reset(),
            2 => {
                member.raw.finish();
                member.raw.expect_end();
            }
            _ => {
                member.raw.send(GARBAGE);
                member.raw.expect_reject();
                // It was off the roll before the `R` was sent: there is nothing to wait for.
                self.watcher.hears(&self.roll, 1, self.step);
                return;
            }
        }
        self.watcher.hears_at_last(&self.roll);
    }

    fn everybody_hears(&mut self) {
        for member in self.members.iter_mut().flatten().chain([&mut self.watcher]) {
            member.hears(&self.roll, 2, self.step);
        }
    }
}

/// Where the client of that place comes from.
fn address(place: usize) -> Ipv4Addr {
    let place = if place < SHARING { place % SHARED } else { place };
    let place = u8::try_from(place).unwrap();
    Ipv4Addr::new(127, 1 + place % 3, 100 + place % 7, 1 + place)
}

impl Member {
    /// Sends so many heartbeats at once, the first of which is answered by what is news, the others by nothing.
    fn hears(&mut self, roll: &BTreeMap<Id, Seen>, beats: usize, step: u64) {
        let wanted = self.news(roll);
        self.raw.send(&BEAT.repeat(beats));
        let got = self.raw.take_answer(&wanted);
        assert_eq!(got, wanted, "client {} in step {step}", self.id);
        for _ in 1..beats {
            self.raw.expect_answer(&[], &[]);
        }
        self.told.clone_from(roll);
    }

    fn hears_at_last(&mut self, roll: &BTreeMap<Id, Seen>) {
        let wanted = self.news(roll);
        self.raw.hears_at_last(&wanted.removed, &wanted.added);
        self.told.clone_from(roll);
    }

    /// What the next heartbeat must be answered, by the page: who has gone takes the address along, so that whoever
    /// remains there, but the receiver, is added again.
    fn news(&self, roll: &BTreeMap<Id, Seen>) -> Answer {
        let gone = self.told.iter().filter(|(id, _)| !roll.contains_key(id));
        let removed: BTreeSet<Ipv4Addr> = gone.map(|(_, seen)| seen.address).collect();
        let others = roll.iter().filter(|(id, _)| **id != self.id);
        let added: Vec<Seen> = others
            .filter(|(id, seen)| !self.told.contains_key(id) || removed.contains(&seen.address))
            .map(|(_, seen)| *seen)
            .collect();
        Answer::of(&removed.into_iter().collect::<Vec<_>>(), &added)
    }
}
