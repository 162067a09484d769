//! What is known of the clients of Residue and of what they log: who is to be on the roll, and which lines are to be
//! in the files; and the files, of which some cannot be written now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::engine::simulation::LineId;
use crate::residue::reply::LogReply;
use crate::residue::store::{Packet, StoreError};
use crate::simulation::SECOND;
use crate::simulation::scene::Scene;
use crate::wire::random::Random;

/// As good as for ever.
const AGES: Duration = Duration::from_secs(100 * 366 * 86_400);
/// How long a client has to acknowledge.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// By which rules the server of a play goes.
#[derive(Clone)]
pub(super) struct Rules {
    /// How long a client lives without a touch, in seconds; 0: for ever.
    pub(super) age: u64,
    /// How much longer, because its clock may be off.
    pub(super) grace: u64,
    /// How many packets it may send.
    pub(super) memory: usize,
    pub(super) needs_token: bool,
    pub(super) default_code: bool,
    /// How long the tokens of one code are good, in seconds.
    pub(super) short_life: u64,
    /// How far its clock may be off when it says when it has sent something, in seconds.
    pub(super) tolerance: u64,
    /// By when the clerk notices that somebody has died.
    pub(super) idle: Duration,
}

impl Rules {
    fn span(&self) -> Option<Duration> {
        (self.age > 0).then(|| Duration::from_secs(self.age + self.grace))
    }
}

/// When a client, or what it has, is good: surely up to the first of them, and not any more after the second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term(pub(super) Instant, pub(super) Instant);

impl Term {
    /// What began between these, and lasts so long; none: for ever.
    pub(super) fn new(began: (Instant, Instant), length: Option<Duration>) -> Self {
        let length = length.unwrap_or(AGES);
        Self(began.0 + length, began.1 + length)
    }
}

/// A client on record, as plainly as it can be said.
pub(super) struct Life {
    key: String,
    /// Which one it is.
    number: usize,
    is_acknowledged: bool,
    may_be_acknowledged: bool,
    term: Term,
    /// Requests are out that may make it live longer.
    pending: usize,
    /// Where it has acknowledged from.
    homes: BTreeSet<SocketAddr>,
    /// How many packets of its there are at the most that have to be remembered, and at the least.
    marks: usize,
    remembered: usize,
}

/// One packet of logs.
pub(super) struct Sheet {
    id: String,
    /// Which life of that client.
    life: usize,
    line: LineId,
    items: Vec<Item>,
    copies: usize,
    answers: [usize; 3],
    /// How often it could not be written.
    failures: usize,
    is_written: bool,
    generation: usize,
}

/// One line of it.
pub(super) struct Item {
    pub(super) logger: &'static str,
    pub(super) message: String,
    /// When it may be logged.
    pub(super) term: Option<Term>,
}

/// What everybody knows together.
pub(super) struct Record {
    pub(super) rules: Rules,
    lives: BTreeMap<String, Life>,
    /// When somebody said hello for the first time of those times of which he never heard what became.
    doubts: BTreeMap<String, Instant>,
    /// How many lives there were.
    count: usize,
    sheets: Vec<Sheet>,
    /// In which packet a message stands.
    places: BTreeMap<String, usize>,
    /// Which packet was written last, of those that came over a line.
    order: BTreeMap<LineId, usize>,
    /// How many times the daemon was killed.
    pub(super) generation: usize,
    health: Health,
    random: Random,
    pub(super) now: Instant,
}

/// How the daemon is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// It is killed when it writes the next time.
    Dying,
    /// Nothing that its clerk says is heard any more.
    Dead,
}

pub(in crate::simulation) type SharedRecord = Arc<Mutex<Record>>;

impl Record {
    pub(super) fn new(seed: u64, rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            lives: BTreeMap::new(),
            doubts: BTreeMap::new(),
            count: 0,
            sheets: Vec::new(),
            places: BTreeMap::new(),
            order: BTreeMap::new(),
            generation: 0,
            health: Health::Well,
            random: Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1),
            now,
        }
    }

    /// From now on the daemon is killed as soon as it writes something.
    pub(super) fn sicken(&mut self) {
        self.health = Health::Dying;
    }

    /// It has been killed, and knows nobody.
    pub(super) fn crash(&mut self) {
        self.health = Health::Well;
        self.generation += 1;
        self.lives.clear();
        self.doubts.clear();
    }

    pub(super) fn life(&self, id: &str) -> Option<&Life> {
        self.lives.get(id)
    }

    /// A client has heard who it is; its hello came to the server between these times. True: its
    /// life begins.
    pub(super) fn greet(&mut self, id: &str, key: &str, (sent, heard): (Instant, Instant)) -> bool {
        if let Some(life) = self.lives.get(id) {
            if life.key == key {
                assert!(sent <= life.term.1 || life.pending > 0, "{id} is dead, and has its old key");
                return false;
            }
            assert!(heard > life.term.0, "{id} is alive, and has another key");
        }
        self.count += 1;
        // It may have begun by an earlier hello already.
        let sent = self.doubts.remove(id).map_or(sent, |doubt| doubt.min(sent));
        let life = Life {
            key: key.to_owned(),
            number: self.count,
            is_acknowledged: false,
            may_be_acknowledged: false,
            term: Term::new((sent, heard), Some(PATIENCE)),
            pending: 0,
            homes: BTreeSet::new(),
            marks: 0,
            remembered: 0,
        };
        self.lives.insert(id.to_owned(), life);
        true
    }

    /// Nobody will ever know what became of a hello, by which a life may have begun.
    pub(super) fn doubt(&mut self, id: &str, sent: Instant) {
        self.doubts.entry(id.to_owned()).or_insert(sent);
    }

    /// A client has sent a packet that nobody has sent before, perhaps to live longer.
    pub(super) fn send(&mut self, id: &str, home: Option<SocketAddr>, is_vital: bool, now: Instant) {
        let memory = self.rules.memory;
        let Some(life) = self.lives.get_mut(id) else { return };
        life.may_be_acknowledged |= home.is_some();
        life.homes.extend(home);
        life.pending += usize::from(is_vital);
        life.marks += 1;
        if life.marks >= memory {
            life.term.0 = life.term.0.min(now);
        }
    }

    /// The packet is served.
    pub(super) fn serve(&mut self, id: &str, now: Instant) {
        let memory = self.rules.memory;
        let Some(life) = self.lives.get_mut(id) else { return };
        life.remembered += 1;
        if life.remembered >= memory {
            life.term.1 = life.term.1.min(now);
        }
    }

    /// A request is answered, and a client lives longer, from some time between these on, or does not.
    pub(super) fn establish(&mut self, id: &str, began: Option<(Instant, Instant)>) {
        let (age, memory) = (self.rules.span(), self.rules.memory);
        let Some(life) = self.lives.get_mut(id) else { return };
        life.pending -= 1;
        let Some(began) = began else { return };
        assert!(began.0 <= life.term.1 || life.pending > 0, "{id} was dead, and lives");
        let Term(least, most) = Term::new(began, age);
        life.term = match life.is_acknowledged {
            true => Term(life.term.0.max(least), life.term.1.max(most)),
            false => Term(least, most),
        };
        life.is_acknowledged = true;
        if life.marks >= memory {
            life.term.0 = began.0;
        }
    }

    /// Nobody will ever know what became of a request that was to make a client live longer; if it came to the server,
    /// it did between these times.
    pub(super) fn lose(&mut self, id: &str, began: (Instant, Instant)) {
        let age = self.rules.span();
        let Some(life) = self.lives.get_mut(id) else { return };
        life.pending -= 1;
        let Term(least, most) = Term::new(began, age);
        life.term.1 = life.term.1.max(most);
        if !life.is_acknowledged {
            // It may have begun to age instead of waiting to be acknowledged.
            life.term.0 = life.term.0.min(least);
        }
    }

    /// A packet of logs is to be sent over a line.
    pub(super) fn post(&mut self, id: &str, line: LineId, items: Vec<Item>) -> usize {
        let number = self.sheets.len();
        self.places.extend(items.iter().map(|item| (item.message.clone(), number)));
        let generation = self.generation;
        let (id, life) = (id.to_owned(), self.lives.get(id).map_or(0, |life| life.number));
        let (copies, answers, failures, is_written) = (1, [0; 3], 0, false);
        self.sheets.push(Sheet { id, life, line, items, copies, answers, failures, is_written, generation });
        number
    }

    /// The same packet is sent once more; says whether it is written by now, and whether its client is there for sure.
    pub(super) fn post_again(&mut self, sheet: usize, now: Instant) -> (bool, bool) {
        self.sheets[sheet].copies += 1;
        (self.sheets[sheet].is_written, self.is_surely_there(sheet, now))
    }

    /// A packet of logs is answered, of which it is said whether it was written when it was sent, and whether it may
    /// have been too old.
    pub(super) fn answer(&mut self, number: usize, reply: LogReply, now: Instant, known: Known) {
        let is_sick = self.health != Health::Well;
        let sheet = &mut self.sheets[number];
        let text = &sheet.items.first().map_or("", |item| &item.message);
        let answer = match reply {
            LogReply::Taken => 0,
            LogReply::NotTaken => 1,
            LogReply::NoClient => 2,
        };
        sheet.answers[answer] += 1;
        let is_last = sheet.answers.iter().sum::<usize>() == sheet.copies;
        let is_taken = sheet.answers[0] > 0;
        assert!(sheet.is_written || !is_taken, "{text:?} is answered, and not written");
        assert!(!sheet.is_written || is_taken || !is_last, "{text:?} is refused, and written");
        if sheet.generation != self.generation || is_sick {
            return;
        }
        let (id, is_first) = (sheet.id.clone(), sheet.answers[0] == 1);
        match reply {
            LogReply::Taken if is_first => self.serve(&id, now),
            LogReply::Taken => {}
            LogReply::NotTaken => {
                let is_good = |item: &Item| item.term.is_some_and(|Term(least, _)| now <= least);
                let had_reason = sheet.failures > 0 || known.may_be_stale || !sheet.items.iter().any(is_good);
                assert!(had_reason, "{text:?} is refused without a reason");
                assert!(!known.was_written, "{text:?} was written, and is refused");
            }
            LogReply::NoClient => {
                let was_there = known.was_there && self.is_surely_there(number, now);
                assert!(!was_there, "{id} is taken for a stranger");
            }
        }
    }

    /// Whether the client of a packet has acknowledged, and is alive for sure.
    pub(super) fn is_surely_there(&self, sheet: usize, now: Instant) -> bool {
        let sheet = &self.sheets[sheet];
        let life = self.lives.get(&sheet.id).filter(|life| life.number == sheet.life);
        life.is_some_and(|life| life.is_acknowledged && now <= life.term.0)
    }

    /// It writes: whoever was to be killed by that is dead.
    pub(super) fn outlive(&mut self) {
        if self.health == Health::Dying {
            self.health = Health::Dead;
        }
    }

    /// Whether anybody hears what the clerk says.
    pub(super) fn is_heard(&self) -> bool {
        self.health != Health::Dead
    }

    /// What has to be so after each step.
    pub(super) fn check(&self, scene: &Scene) {
        if scene.is_ending || scene.has_crashed {
            return;
        }
        let slack = self.rules.idle + 2 * scene.longest_way + SECOND;
        for (id, home) in &scene.clients {
            let life = self.lives.get(&**id).unwrap_or_else(|| panic!("nobody knows {id}"));
            assert!(life.homes.contains(home), "{id} has not acknowledged from {home}");
            assert!(life.pending > 0 || scene.now <= life.term.1 + slack, "{id} is dead, and on the roll");
        }
        for (id, life) in &self.lives {
            let is_there = life.is_acknowledged && life.pending == 0 && scene.now <= life.term.0;
            assert!(!is_there || scene.clients.contains_key(&**id), "{id} is alive, and not on the roll");
        }
    }

    /// Writes a packet, or does not.
    pub(super) fn write(&mut self, packet: &Packet) -> Result<(), StoreError> {
        let is_bad = match self.health {
            Health::Well => self.random.below(8) == 0,
            Health::Dying => self.random.below(2) == 0,
            Health::Dead => true,
        };
        let lines: Vec<_> = packet.lines().map(|(logger, line)| (logger, message(line))).collect();
        let number = *self.places.get(lines[0].1).unwrap_or_else(|| panic!("nobody has sent {lines:?}"));
        let sheet = &mut self.sheets[number];
        if is_bad {
            sheet.failures += 1;
            return Err(StoreError("no space".to_owned()));
        }
        sheet.compare(&lines, self.now);
        if let Some(life) = self.lives.get(&sheet.id) {
            assert!(life.pending > 0 || self.now <= life.term.1, "{} is dead, and logs", sheet.id);
            assert!(life.may_be_acknowledged, "{} logs without a word before", sheet.id);
        }
        assert_eq!(sheet.generation, self.generation, "a log of before the end: {lines:?}");
        assert!(!std::mem::replace(&mut sheet.is_written, true), "{lines:?} is written twice");
        if sheet.copies == 1 {
            let before = self.order.insert(sheet.line, number);
            assert!(before.is_none_or(|before| before < number), "{lines:?} comes too late");
        }
        Ok(())
    }
}

/// What the client knows of its packet when it hears what has become of it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// It was written already when it was sent.
    pub(super) was_written: bool,
    /// It was sent by somebody who was there for sure.
    pub(super) was_there: bool,
    pub(super) may_be_stale: bool,
}

impl Life {
    pub(super) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    /// Whether it may be dead by now, and whether it is for sure what has happened since.
    pub(super) fn may_be_dead(&self, now: Instant) -> bool {
        now > self.term.0
    }

    pub(super) fn may_be_acknowledged(&self) -> bool {
        self.may_be_acknowledged
    }

    /// Whether its connections may be closed because it has sent too much.
    pub(super) fn is_worn(&self, memory: usize) -> bool {
        self.marks >= memory
    }
}

impl Sheet {
    /// All that has to be written is, in order, and nothing that must not be.
    fn compare(&self, lines: &[(&str, &str)], now: Instant) {
        let mut written = lines.iter().copied().peekable();
        for item in &self.items {
            let is_written = written.next_if_eq(&(item.logger, &item.message)).is_some();
            let may = item.term.is_some_and(|Term(_, most)| now <= most);
            let must = item.term.is_some_and(|Term(least, _)| now <= least);
            assert!(is_written || !must, "{:?} is missing", item.message);
            assert!(!is_written || may, "{:?} may not be logged", item.message);
        }
        assert_eq!(written.next(), None, "a line that is not of this packet, or not in its place");
    }
}

/// The last column of a line.
fn message(line: &[u8]) -> &str {
    let line = std::str::from_utf8(line).unwrap();
    let line = line.strip_suffix('\n').unwrap_or_else(|| panic!("{line:?} is no line"));
    assert!(!line.contains('\n'), "{line:?} is more than a line");
    line.splitn(8, ' ').nth(7).unwrap_or_else(|| panic!("{line:?} has no message"))
}
