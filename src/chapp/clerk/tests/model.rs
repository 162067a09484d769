//! The clerk against a clerk who keeps everything in lists, and goes through all of them each time.

use std::collections::BTreeMap;

use super::maps::{self, Fault};
use super::*;
use crate::chapp::store::Table;
use crate::wire::random::Random;

const NAMES: [&str; 5] = ["ann", "bob", "cid", "dan", "eve"];
const CALLERS: u64 = 8;
const DAILY_MESSAGES: u64 = 9;
const DAILY_BYTES: u64 = 60;

/// What a clerk has to know, as plainly as it can be said.
#[derive(Clone, Default)]
struct Model {
    /// Whose a name is, and on which day it was seen last.
    names: BTreeMap<Name, ([u8; 4], i64)>,
    /// The names in the order in which they were introduced.
    introduced: Vec<Name>,
    /// All messages, with whom they are for and their day.
    messages: Vec<(Name, i64, Box<[u8]>)>,
    /// What an address has posted on a day.
    spent: BTreeMap<(i64, [u8; 4]), (u64, u64)>,
    live: BTreeMap<u64, Name>,
}

impl Model {
    fn deal(&mut self, now: i64, asked: &[(u64, Option<Question>)]) -> Letters {
        let mut letters = Vec::new();
        for (from, question) in asked {
            self.expire(now);
            match question {
                None => self.leave(now, *from),
                Some(question) => {
                    let verdict = self.judge(now, *from, question, &mut letters);
                    letters.push(answer(*from, verdict));
                }
            }
        }
        letters
    }

    /// What nobody hears of but by a failure.
    fn fail(&mut self, asked: &[(u64, Option<Question>)]) -> Letters {
        let mut letters = Vec::new();
        for (from, question) in asked {
            match question {
                None => drop(self.live.remove(from)),
                Some(_) => letters.push(answer(*from, Verdict::Failed)),
            }
        }
        letters
    }

    fn judge(&mut self, now: i64, from: u64, question: &Question, letters: &mut Letters) -> Verdict {
        match question {
            Question::Connect { address, username } => {
                let is_own = |name: &&Name| IpAddr::from(self.names[*name].0) == *address;
                let mut own = self.introduced.iter().rev().filter(is_own);
                let found = own.find(|name| username.as_ref().is_none_or(|wanted| wanted == *name)).cloned();
                let Some(name) = found else { return Verdict::NotFound };
                self.become_(now, from, &name, letters);
                Verdict::Connected { messages: self.list(&name), name }
            }
            Question::Introduce { address, name } => {
                let IpAddr::V4(address) = address else { unreachable!() };
                let address = address.octets();
                let is_others = self.names.get(name).is_some_and(|(owner, _)| *owner != address);
                if is_others || self.live.iter().any(|(caller, own)| *caller != from && own == name) {
                    return Verdict::Refused;
                }
                self.introduced.retain(|other| other != name);
                self.introduced.push(name.clone());
                self.names.insert(name.clone(), (address, now / DAY));
                self.become_(now, from, name, letters);
                Verdict::Introduced { name: name.clone(), messages: self.list(name) }
            }
            Question::Post { address, from: sender, to, id, message } => {
                let IpAddr::V4(address) = address else { unreachable!() };
                if self.live.get(&from) != Some(sender) {
                    return Verdict::Failed;
                }
                let spent = self.spent.entry((now / DAY, address.octets())).or_default();
                let would_be = (spent.0 + 1, spent.1 + message.len() as u64);
                if would_be.0 > DAILY_MESSAGES || would_be.1 > DAILY_BYTES {
                    return Verdict::Failed;
                }
                *spent = would_be;
                let kept = kept(now, [sender.as_str(), to.as_str()], message);
                self.messages.push((to.clone(), now / DAY, kept.clone()));
                if let Some((caller, _)) = self.live.iter().find(|(_, own)| *own == to) {
                    let (from, to, message) = (sender.clone(), to.clone(), kept.clone());
                    letters.push((*caller, Told::Notice(Notice::Delivered { from, to, id: *id, message })));
                }
                Verdict::Posted { message: kept }
            }
            Question::Goodbye { .. } => {
                self.leave(now, from);
                Verdict::Gone
            }
        }
    }

    fn become_(&mut self, now: i64, from: u64, name: &Name, letters: &mut Letters) {
        if self.live.get(&from) != Some(name) {
            self.leave(now, from);
            let other = self.live.iter().find(|(_, own)| *own == name).map(|(caller, _)| *caller);
            if let Some(other) = other {
                self.live.remove(&other);
                letters.push((other, Told::Notice(Notice::Replaced)));
            }
            self.live.insert(from, name.clone());
        }
        self.see(now, name);
    }

    fn leave(&mut self, now: i64, from: u64) {
        if let Some(name) = self.live.remove(&from) {
            self.see(now, &name);
        }
    }

    fn see(&mut self, now: i64, name: &Name) {
        self.names.get_mut(name).unwrap().1 = now / DAY;
    }

    fn list(&self, name: &Name) -> Box<[u8]> {
        let own = self.messages.iter().filter(|(to, ..)| to == name);
        list(&own.map(|(.., message)| message.clone()).collect::<Vec<_>>())
    }

    fn expire(&mut self, now: i64) {
        let is_old = |day: i64| now / DAY - day > 30;
        let live: Vec<_> = self.live.values().cloned().collect();
        let stale = |(name, (_, seen)): (&Name, &([u8; 4], i64))| {
            (is_old(*seen) && !live.contains(name)).then(|| name.clone())
        };
        for name in self.names.iter().filter_map(stale).collect::<Vec<_>>() {
            self.names.remove(&name);
            self.introduced.retain(|other| *other != name);
            self.messages.retain(|(to, ..)| *to != name);
        }
        self.messages.retain(|(to, day, _)| self.names.contains_key(to) || !is_old(*day));
    }

    fn idle(&mut self, now: i64) {
        for name in self.live.values().cloned().collect::<Vec<_>>() {
            self.see(now, &name);
        }
    }
}

#[test]
fn it_does_what_one_does_who_goes_through_all_of_it() {
    for seed in 0..300 {
        play(seed);
    }
}

fn play(seed: u64) {
    let mut random = Random::new(seed + 1);
    let mut office =
        Office::with(Settings { daily_messages: DAILY_MESSAGES, daily_bytes: DAILY_BYTES, ..settings() });
    let mut model = Model::default();
    for step in 0..100 {
        office.now += match random.below(12) {
            0 => DAY * random.below(45) as i64,
            1 => DAY,
            _ => random.below(3) as i64,
        };
        let asked: Vec<_> = (0..1 + random.below(6)).map(|_| any_case(&mut random, &model)).collect();
        let fault = match random.below(8) {
            0 => Fault::Commit,
            1 => Fault::Change(random.below(12)),
            _ => Fault::None,
        };
        office.maps.fail(fault);
        // What he does besides comes when he is idle.
        office.clerk.tidied = office.now;
        let told = office.deal(&asked);
        let has_failed = fault != Fault::None && office.maps.fault() == Fault::None;
        office.maps.fail(Fault::None);
        let expected = if has_failed { model.fail(&asked) } else { model.deal(office.now, &asked) };
        assert_eq!(told, expected, "seed {seed}, step {step}: {asked:?}");
        for own in NAMES {
            let live = model.live.iter().find(|(_, had)| had.as_str() == own).map(|(caller, _)| *caller);
            assert_eq!(office.lives(own), live, "seed {seed}, step {step}");
        }
        match random.below(20) {
            0 => {
                office.restart();
                model.live.clear();
            }
            1..8 => {
                office.idle(0);
                model.idle(office.now);
            }
            _ => {}
        }
    }
    check_end(&mut office, seed);
}

/// In the end everything is let go, and nothing is left of it.
fn check_end(office: &mut Office, seed: u64) {
    let count = |table| office.maps.count(table);
    assert_eq!(count(Table::Names), count(Table::Seen), "seed {seed}");
    assert_eq!(count(Table::Names), count(Table::Addresses), "seed {seed}");
    let gone: Vec<_> = (0..CALLERS).map(|from| (from, None)).collect();
    office.deal(&gone);
    office.idle(31 * DAY);
    assert_eq!(office.maps.entries(), maps::Entries::new(), "seed {seed}");
}

fn any_case(random: &mut Random, model: &Model) -> (u64, Option<Question>) {
    let from = random.below(8) as u64;
    let address = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]][usize::try_from(from % 3).unwrap()];
    let own = NAMES[random.below(5)];
    let had = model.live.get(&from).map_or(own, Name::as_str);
    let question = match random.below(12) {
        0 => return (from, None),
        1 => goodbye(had),
        2 | 3 => introduce(address, own),
        4 => connect(address, None),
        5 => connect(address, Some(own)),
        // One that has become somebody else in the meantime.
        6 => post(address, [own, NAMES[random.below(5)]], 1, "from whom?"),
        _ => {
            let message = "message".repeat(random.below(4));
            post(address, [had, NAMES[random.below(5)]], random.below(100) as u64, &message)
        }
    };
    (from, Some(question))
}
