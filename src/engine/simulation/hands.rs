//! Those who are threads in a running engine: workers, toilers and clerks, each of whom does one thing when told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::wire::FakeSocket;
use crate::engine::Published;
use crate::engine::desk::{Keeper, Room};
use crate::engine::task::Task;
use crate::engine::toil::{Toiler, Toilers};
use crate::engine::way::{Inlet, Look, way};
use crate::engine::workers::{self, Done, Workers};
use crate::roll::{Applicant, Member};
use crate::session::{Case, Clerk, Letter, Moment, Office};

/// How many chores are done at a time.
const TOILERS: usize = 2;

/// All of them.
pub(super) struct Hands {
    roll: Inlet,
    toiler: Toiler,
    toilers: Toilers,
    desks: Vec<Desk>,
    /// Workers who have nothing to do.
    idle_workers: usize,
    idle_toilers: usize,
    /// What was done, and has not been told.
    done: BTreeMap<u64, Vec<Done>>,
    chores: BTreeMap<u64, Task>,
    count: u64,
    idle: Duration,
    /// Sockets that nobody has accepted.
    sockets: BTreeMap<usize, FakeSocket>,
}

struct Desk {
    keeper: Keeper,
    is_called: bool,
    /// Whether his next idle moment is planned.
    waits: bool,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Change the roll,
    Change,
    /// and tell whoever wants to know.
    Answer(u64),
    /// Take a chore,
    Take,
    /// and do it.
    Toil(u64),
    /// Have a clerk deal with what waits for him.
    Deal(usize),
    /// Tell a clerk that it is time again.
    Idle(usize),
}

impl Hands {
    pub(super) fn new(
        workers: usize,
        clerks: Vec<(Vec<&'static str>, Box<dyn Clerk>)>,
        idle: Duration,
    ) -> (Workers, Self) {
        let (roll, inlet) = way(1024, &Arc::default());
        let (toilers, toiler) = Toilers::new();
        let (mut ways, mut desks) = (Vec::new(), Vec::new());
        for (doors, clerk) in clerks {
            let (way, keeper) = Keeper::new(clerk, roll.clone());
            ways.extend(doors.into_iter().map(|door| (door, way.clone())));
            desks.push(Desk { keeper, is_called: false, waits: true });
        }
        let hands = Self {
            roll: inlet,
            toiler,
            toilers: toilers.clone(),
            desks,
            idle_workers: workers,
            idle_toilers: TOILERS,
            done: BTreeMap::new(),
            chores: BTreeMap::new(),
            count: 0,
            idle,
            sockets: BTreeMap::new(),
        };
        (Workers::of(roll, toilers, ways), hands)
    }

    pub(super) fn desks(&self) -> usize {
        self.desks.len()
    }

    pub(super) fn idle(&self) -> Duration {
        self.idle
    }

    /// Keeps a socket until it is accepted.
    pub(super) fn keep(&mut self, line: usize, socket: FakeSocket) {
        self.sockets.insert(line, socket);
    }

    /// The socket that is to be accepted; it is gone if the daemon was killed before.
    pub(super) fn socket(&mut self, line: usize) -> Option<FakeSocket> {
        self.sockets.remove(&line)
    }

    pub(super) fn stop(&self) {
        self.toilers.stop();
    }

    /// Whether all that was asked for is done and told.
    pub(super) fn is_settled(&self) -> bool {
        let is_idle = |desk: &Desk| desk.keeper.inlet.is_empty();
        self.roll.is_empty()
            && self.done.is_empty()
            && self.chores.is_empty()
            && self.desks.iter().all(is_idle)
    }

    /// What somebody has to do who does not know yet.
    pub(super) fn next_work(&mut self) -> Option<Work> {
        if self.idle_workers > 0 && !self.roll.is_empty() {
            self.idle_workers -= 1;
            return Some(Work::Change);
        }
        if self.idle_toilers > 0 && !self.toiler.is_idle() {
            self.idle_toilers -= 1;
            return Some(Work::Take);
        }
        self.desks.iter_mut().enumerate().find_map(|(number, desk)| desk.next_work(number))
    }

    /// Does it, and says what the same one does next.
    pub(super) fn work(&mut self, work: &Work, clock: (Instant, i64), published: &Published) -> Option<Work> {
        self.count += 1;
        match *work {
            Work::Change => {
                let Look::Task(first) = self.roll.look() else {
                    self.idle_workers += 1;
                    return None;
                };
                let mut done = Vec::new();
                workers::change(first, &self.roll, published, &mut done);
                self.done.insert(self.count, done);
                return Some(Work::Answer(self.count));
            }
            Work::Answer(number) => {
                self.idle_workers += 1;
                self.done.remove(&number).iter_mut().for_each(workers::answer);
            }
            Work::Take => {
                let Look::Task(task) = self.toiler.look() else {
                    self.idle_toilers += 1;
                    return None;
                };
                self.chores.insert(self.count, task);
                return Some(Work::Toil(self.count));
            }
            Work::Toil(number) => {
                self.idle_toilers += 1;
                self.chores.remove(&number).into_iter().for_each(|task| self.toiler.toil(task));
            }
            Work::Deal(number) => self.desks[number].deal(clock, published),
            Work::Idle(number) => self.desks[number].idle(clock, published),
        }
        None
    }
}

impl Desk {
    fn next_work(&mut self, number: usize) -> Option<Work> {
        if !self.is_called && !self.keeper.inlet.is_empty() {
            self.is_called = true;
            return Some(Work::Deal(number));
        }
        if !self.waits {
            self.waits = true;
            return Some(Work::Idle(number));
        }
        None
    }

    /// Has the clerk deal with what waits for him.
    fn deal(&mut self, clock: (Instant, i64), published: &Published) {
        self.is_called = false;
        let Look::Task(first) = self.keeper.inlet.look() else { return };
        let (cases, gone) = self.keeper.take(Some(first));
        self.work(cases, clock, published);
        self.keeper.forget(&gone);
    }

    /// Tells the clerk that it is time again.
    fn idle(&mut self, clock: (Instant, i64), published: &Published) {
        self.waits = false;
        self.work(Vec::new(), clock, published);
    }

    fn work(&mut self, cases: Vec<Case>, (now, unix_time): (Instant, i64), published: &Published) {
        let Keeper { clerk, room, .. } = &mut self.keeper;
        clerk.deal(Moment { now, unix_time }, cases, &mut ByHand { room, published });
    }
}

/// What a clerk has at hand: his letters go where they always go, and the roll is changed while he waits.
struct ByHand<'a> {
    room: &'a mut Room,
    published: &'a Published,
}

impl Office for ByHand<'_> {
    fn send(&mut self, letter: Letter) {
        self.room.send(letter);
    }

    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member> {
        self.published.change(|roll| {
            leaves.into_iter().for_each(|member| assert!(roll.leave(member), "he was on the roll"));
            joins.into_iter().map(|applicant| roll.join(applicant)).collect()
        })
    }
}
