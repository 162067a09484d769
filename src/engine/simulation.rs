//! The engine of poll loops without the system: its loops, connections, roll, desks and ways are the real ones; time,
//! network, polls, and when which thread gets to do something are made up from a seed.
//!
//! ```text
//!     connect, send, finish ...  -> wire -> rounds of loops -> ways -> workers, toilers, desks -> inboxes -> ...
//!     what clients hear          <- wire <-
//! ```
//!
//! Whatever happens next is the earliest thing in one queue; things of the same time come in any order. No protocol is
//! known here: that is for whoever drives it.

mod hands;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::accept::Visitor;
use super::cooldown::Cooldowns;
use super::events::poll::Loop;
use super::events::poll::by_hand::Told;
use super::limits::Gate;
use super::rations::Rations;
use super::{House, Limits, Published, Usage};
use crate::roll::{ClientId, Roll};
use crate::session::{Clerk, Door};
use crate::wire::random::Random;
use hands::{Hands, Work};
use wire::{FakeSocket, Line, Segment};

/// What is to be simulated.
pub(crate) struct Plan {
    pub(crate) doors: Vec<Arc<dyn Door>>,
    pub(crate) clerks: Vec<(Vec<&'static str>, Box<dyn Clerk>)>,
    pub(crate) limits: Limits,
    pub(crate) journal: usize,
    pub(crate) loops: usize,
    pub(crate) workers: usize,
    /// How long a clerk has nothing to do before he is told that it is time again.
    pub(crate) idle: Duration,
}

/// How long things may take at the most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    /// From one end of the network to the other.
    pub(crate) wire: Duration,
    /// Until a thread that has something to do does it.
    pub(crate) thread: Duration,
}

/// What happens to whoever drives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happened {
    /// Nothing that would show anywhere.
    Quiet,
    /// Nothing that would show outside.
    Inside,
    /// The server has said this.
    Said(LineId, Vec<u8>),
    /// The server says no more.
    Finished(LineId),
    /// The connection is broken.
    Broken(LineId),
    /// This timer has run out.
    Timer(u64),
}

/// A connection, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineId(pub(crate) usize);

/// What is to happen.
#[derive(Debug)]
enum Next {
    Knock(usize),
    ToServer(usize),
    ToClient(usize),
    Round(usize),
    Work(Work),
    Timer(u64),
}

/// When something is to happen; at the same time it is by chance who comes first.
type Key = (Instant, u64, u64);

/// A simulated engine, and all that is around it.
pub(crate) struct World {
    random: Random,
    delays: Delays,
    now: Instant,
    unix_time: i64,
    queue: BTreeMap<Key, Next>,
    /// How many things were ever to happen.
    planned: u64,
    lines: Vec<Line>,
    /// Those that the server has not closed.
    open: Vec<usize>,
    place: Arc<Mutex<usize>>,
    inside: Inside,
}

/// What is gone when the daemon is killed.
struct Inside {
    house: House,
    doors: Vec<Arc<dyn Door>>,
    loops: Vec<Loop<FakeSocket>>,
    /// The next round of each.
    rounds: Vec<Option<Key>>,
    visitors: Vec<Visitor<FakeSocket>>,
    hands: Hands,
}

impl Inside {
    fn new(plan: Plan) -> Self {
        let Plan { doors, clerks, limits, journal, loops, workers, idle } = plan;
        let published = Arc::new(Published::new(journal));
        let cooldowns = Cooldowns::new(doors.iter().map(|door| (door.name(), door.cooldown())));
        let rations = Rations::new(doors.iter().map(|door| (door.name(), door.ration())));
        let gate = Arc::new(Gate::new(limits, cooldowns, rations));
        let (workers, hands) = Hands::new(workers, clerks, idle);
        let house = House { published, gate, workers };
        let loops = Loop::by_hand(loops, &house);
        let rounds = vec![None; loops.len()];
        Self { house, doors, loops, rounds, visitors: Vec::new(), hands }
    }
}

impl World {
    /// A world in which it is `uptime` after its start, and of which everything follows from the seed.
    pub(crate) fn new(seed: u64, plan: Plan, delays: Delays, uptime: Duration, unix_time: i64) -> Self {
        let mut world = Self {
            random: Random::new(seed ^ 0x9e37_79b9_7f4a_7c15),
            delays,
            now: Instant::now() + uptime,
            unix_time,
            queue: BTreeMap::new(),
            planned: 0,
            lines: Vec::new(),
            open: Vec::new(),
            place: Arc::default(),
            inside: Inside::new(plan),
        };
        world.begin();
        world
    }

    /// The daemon is killed, and begins anew at once: nothing is left of it but what its clerks have written down.
    pub(crate) fn crash(&mut self, plan: Plan) {
        self.inside = Inside::new(plan);
        self.queue.retain(|_, next| !matches!(next, Next::Round(_) | Next::Work(_) | Next::Knock(_)));
        self.look_at_lines();
        self.begin();
    }

    fn begin(&mut self) {
        for desk in 0..self.inside.hands.desks() {
            let idle = self.inside.hands.idle();
            self.plan(self.now + idle, Next::Work(Work::Idle(desk)));
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn unix_time(&self) -> i64 {
        self.unix_time
    }

    /// Sets the clock on the wall.
    pub(crate) fn set_clock(&mut self, unix_time: i64) {
        self.unix_time = unix_time;
    }

    /// Has a timer run out at that time.
    pub(crate) fn timer(&mut self, at: Instant, token: u64) {
        self.plan(at, Next::Timer(token));
    }

    /// Somebody connects; the server may write `room` bytes before they have arrived.
    pub(crate) fn connect(&mut self, door: usize, peer: SocketAddr, room: usize) -> LineId {
        let number = self.lines.len();
        let (line, socket) = Line::new(door, peer, room, &self.place);
        self.lines.push(line);
        self.open.push(number);
        self.inside.hands.keep(number, socket);
        let at = self.soon(self.delays.wire);
        self.plan(at, Next::Knock(number));
        LineId(number)
    }

    /// The client sends this.
    pub(crate) fn send(&mut self, LineId(line): LineId, bytes: &[u8]) {
        // However it is sent, it arrives in pieces.
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = [1, 7, 20, usize::MAX, usize::MAX][self.random.below(5)].min(rest.len());
            let (piece, others) = rest.split_at(1 + self.random.below(most));
            self.transmit(line, Segment::Bytes(piece.to_vec()));
            rest = others;
        }
    }

    /// The client sends this, which arrives all at once.
    pub(crate) fn send_whole(&mut self, LineId(line): LineId, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.transmit(line, Segment::Bytes(bytes.to_vec()));
        }
    }

    /// The client sends no more.
    pub(crate) fn finish(&mut self, LineId(line): LineId) {
        self.transmit(line, Segment::Finish);
    }

    /// The client breaks the connection off, and hears no more.
    pub(crate) fn reset(&mut self, LineId(line): LineId) {
        self.transmit(line, Segment::Reset);
        self.lines[line].is_over = true;
    }

    /// The client, or the network to it, is no more, and nobody is told.
    pub(crate) fn vanish(&mut self, LineId(line): LineId) {
        self.lines[line].is_cut = true;
        self.lines[line].is_over = true;
    }

    /// Has the daemon end.
    pub(crate) fn stop(&mut self) {
        self.inside.loops.iter().for_each(Loop::stop);
        self.inside.hands.stop();
        self.plan_rounds();
    }

    /// Whether nobody is left inside.
    pub(crate) fn has_ended(&self) -> bool {
        self.inside.loops.iter().all(Loop::has_ended)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&Roll) -> T) -> T {
        self.inside.house.published.read(look)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.inside.house.gate.usage()
    }

    /// Whether the roll is as it will be if nothing more happens.
    pub(crate) fn is_settled(&self) -> bool {
        self.inside.hands.is_settled() && self.inside.loops.iter().all(Loop::is_settled)
    }

    /// Who is on the roll by the account of his connection.
    pub(crate) fn members(&self) -> Vec<ClientId> {
        let members = self.inside.loops.iter().flat_map(Loop::members);
        let mut members: Vec<_> = members.flatten().map(|member| member.id).collect();
        members.sort_unstable();
        members
    }

    /// How many connections there are inside.
    pub(crate) fn connections(&self) -> usize {
        self.inside.loops.iter().map(|one| one.members().count()).sum()
    }

    /// Does the next thing; none if nothing is to happen within that time.
    pub(crate) fn step(&mut self, until: Instant) -> Option<Happened> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= until)?;
        let ((at, ..), next) = entry.remove_entry();
        self.now = self.now.max(at);
        let happened = match next {
            Next::Timer(token) => Happened::Timer(token),
            Next::ToClient(line) => self.at_client(line),
            Next::Knock(line) => {
                self.knock(line);
                Happened::Quiet
            }
            Next::ToServer(line) => {
                self.at_server(line);
                Happened::Quiet
            }
            Next::Round(number) => {
                self.round(number);
                self.look_at_lines();
                self.plan_rounds();
                self.plan_work();
                Happened::Inside
            }
            Next::Work(work) => {
                self.work(&work);
                self.plan_rounds();
                self.plan_work();
                Happened::Inside
            }
        };
        Some(happened)
    }

    fn work(&mut self, work: &Work) {
        let clock = (self.now, self.unix_time);
        if let Some(after) = self.inside.hands.work(work, clock, &self.inside.house.published) {
            let at = self.soon(self.delays.thread);
            self.plan(at, Next::Work(after));
        }
    }

    fn knock(&mut self, number: usize) {
        let line = &self.lines[number];
        let Some(socket) = self.inside.hands.socket(number) else { return };
        let door = Arc::clone(&self.inside.doors[line.door]);
        self.inside.visitors.push(Visitor::new(socket, line.peer, door));
        self.plan_round(0);
    }

    fn at_server(&mut self, number: usize) {
        let line = &mut self.lines[number];
        let Some(segment) = line.to_server.pop_front().filter(|_| !line.is_cut) else { return };
        if line.arrive(segment) {
            self.plan_way_back(number);
        }
        self.plan_news(number);
    }

    /// A loop is to hear what there is to hear about a connection.
    fn plan_news(&mut self, number: usize) {
        let line = &self.lines[number];
        if let Some((place, _)) = line.seat().filter(|_| line.news.is_some()) {
            self.plan_round(place);
        }
    }

    fn plan_way_back(&mut self, number: usize) {
        let at = self.soon(self.delays.wire);
        self.plan(at, Next::ToClient(number));
    }

    fn at_client(&mut self, number: usize) -> Happened {
        let line = &mut self.lines[number];
        let Some(segment) = line.to_client.pop_front().filter(|_| !line.is_cut) else {
            return Happened::Quiet;
        };
        let id = LineId(number);
        match segment {
            Segment::Bytes(bytes) => {
                line.make_room(bytes.len());
                let is_over = line.is_over;
                self.plan_news(number);
                if is_over { Happened::Quiet } else { Happened::Said(id, bytes) }
            }
            _ if line.is_over => Happened::Quiet,
            Segment::Finish => Happened::Finished(id),
            Segment::Reset => {
                line.is_over = true;
                Happened::Broken(id)
            }
        }
    }

    /// One loop does all that it knows of.
    fn round(&mut self, number: usize) {
        let Inside { loops, rounds, visitors, .. } = &mut self.inside;
        rounds[number] = None;
        *self.place.lock() = number;
        let mut told = Vec::new();
        if loops[number].is_woken() {
            told.push(Told::Inbox);
        }
        for &open in &self.open {
            let line = &mut self.lines[open];
            if let Some((_, slot)) = line.seat().filter(|seat| seat.0 == number) {
                told.extend(line.news.take().map(|news| Told::Ready(slot, news)));
            }
        }
        // Fisher and Yates.
        for last in (1..told.len()).rev() {
            told.swap(last, self.random.below(last + 1));
        }
        if number == 0 {
            told.extend(visitors.drain(..).map(Told::Visitor));
        }
        loops[number].round(told, self.now, self.unix_time);
    }

    /// Whether the server has said something, or is to hear of something.
    fn look_at_lines(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.open = open.into_iter().filter(|&number| self.look_at(number)).collect();
    }

    /// False if the server has closed it.
    fn look_at(&mut self, number: usize) -> bool {
        for _ in 0..self.lines[number].look() {
            self.plan_way_back(number);
        }
        self.plan_news(number);
        !self.lines[number].is_closed()
    }

    fn plan_rounds(&mut self) {
        for number in 0..self.inside.loops.len() {
            if self.inside.loops[number].is_woken() {
                self.plan_round(number);
            }
            if let Some(at) = self.inside.loops[number].next_round(self.now) {
                let late = self.random_time(self.delays.thread);
                self.plan_round_at(number, at + late);
            }
        }
    }

    fn plan_round(&mut self, number: usize) {
        let at = self.soon(self.delays.thread);
        self.plan_round_at(number, at);
    }

    fn plan_round_at(&mut self, number: usize, at: Instant) {
        let planned = self.inside.rounds[number];
        if planned.is_some_and(|planned| planned.0 <= at) {
            return;
        }
        planned.map(|planned| self.queue.remove(&planned));
        self.inside.rounds[number] = Some(self.plan(at, Next::Round(number)));
    }

    fn plan_work(&mut self) {
        while let Some(work) = self.inside.hands.next_work() {
            let at = self.soon(self.delays.thread);
            let at = if let Work::Idle(_) = work { self.now + self.inside.hands.idle() } else { at };
            self.plan(at, Next::Work(work));
        }
    }

    fn transmit(&mut self, line: usize, segment: Segment) {
        if self.lines[line].is_over {
            return;
        }
        self.lines[line].to_server.push_back(segment);
        let at = self.soon(self.delays.wire);
        self.plan(at, Next::ToServer(line));
    }

    fn plan(&mut self, at: Instant, next: Next) -> Key {
        self.planned += 1;
        let key = (at, self.random.next(), self.planned);
        self.queue.insert(key, next);
        key
    }

    fn soon(&mut self, most: Duration) -> Instant {
        self.now + self.random_time(most)
    }

    fn random_time(&mut self, most: Duration) -> Duration {
        let micros = usize::try_from(most.as_micros()).unwrap();
        Duration::from_micros(self.random.below(micros + 1) as u64)
    }
}
