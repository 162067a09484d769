//! One poll loop.

#[cfg(test)]
pub(in crate::engine) mod by_hand;
mod newcomers;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Poll, Token};

use super::asks::Asks;
use super::link::{Link, Readiness, Socket, Step};
use super::slots::Slots;
use super::{Handle, Inbox};
use crate::engine::accept::Acceptor;
use crate::engine::conn::{Conn, Stage, Turn};
use crate::engine::places::Places;
use crate::engine::published::Look;
use crate::engine::rehearsal::{Scene, rehearse};
use crate::engine::task::{Mailbox, Name, Parcel, Task};
use crate::engine::timers::Timers;
use crate::engine::{House, KEEP_LIMIT, READ_LIMIT, Vigil};
use crate::session::{Output, Standing};
use newcomers::Receiving;

/// The token of a loop's waker.
pub(super) const WAKER: Token = Token(usize::MAX);
/// The token of the first entrance; slots are counted from 0 and never come so far.
pub(super) const ENTRANCES: usize = usize::MAX / 2;

/// The most events that one poll brings.
const EVENTS_PER_POLL: usize = 1024;
/// The most reads of one connection before the others get their turn.
const STEPS_PER_TURN: usize = 16;
/// How many connections more than the others a loop may have: few are served best by one thread, which finds
/// several of them ready at a time.
const IMBALANCE_LIMIT: usize = 64;
/// How long to wait before asks that the workers had no room for are offered again.
const OFFER_AGAIN: Duration = Duration::from_millis(1);

/// One loop and its connections.
pub(in crate::engine) struct Loop<S> {
    poll: Poll,
    inbox: Inbox<S>,
    acceptor: Option<Acceptor>,
    /// All loops, to hand connections over to.
    loops: Vec<Arc<Handle<S>>>,
    house: House,
    stage: Stage,
    slots: Slots<S>,
    /// Who gives way to those whom this loop accepts. It has them all: they stay where they came in.
    places: Places,
    timers: Timers,
    /// Slots whose turn ended before they had nothing left to do.
    again: Vec<u32>,
    asks: Asks,
    buffer: Box<[u8]>,
    out: Output,
}

/// Counts one connection in another loop's load.
fn move_load<S>(from: &Handle<S>, to: &Handle<S>) {
    from.load.fetch_sub(1, Ordering::Relaxed);
    to.load.fetch_add(1, Ordering::Relaxed);
}

impl Loop<TcpStream> {
    /// Serves until the daemon ends and the last connection is gone.
    pub(super) fn run(mut self, _: &Vigil) {
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        let published = Arc::clone(&self.house.published);
        let high_mark = self.house.gate.limits().high_mark;
        while self.stage == Stage::Running || !self.slots.is_empty() || !self.inbox.movers.is_empty() {
            match self.poll.poll(&mut events, self.patience(Instant::now())) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Nothing that can happen outside this program makes a poll fail.
                Err(error) => panic!("cannot poll: {error}"),
            }
            let (now, view) = (Instant::now(), Look::now(&published));
            let mut turn = Turn { now, view, high_mark, owed: 0, stage: self.stage };
            self.serve_all(&events, &turn);
            self.conclude(&mut turn);
        }
    }

    fn serve_all(&mut self, events: &Events, turn: &Turn<'_>) {
        let unfinished = self.unfinished();
        for event in events {
            match event.token() {
                WAKER => self.open_inbox(turn),
                Token(token) if token >= ENTRANCES => {
                    self.acceptor.iter_mut().for_each(|acceptor| acceptor.knock(token - ENTRANCES));
                }
                Token(token) => {
                    let Ok(slot) = u32::try_from(token) else { continue };
                    self.serve(slot, Readiness::of(event), turn);
                }
            }
        }
        self.go_on(unfinished, turn);
        self.accept(turn);
    }

    fn accept(&mut self, turn: &Turn<'_>) {
        let Some(mut acceptor) = self.acceptor.take() else { return };
        acceptor.accept(turn.now, &mut Receiving { by: self, turn });
        self.acceptor = Some(acceptor);
    }
}

impl<S: Socket> Loop<S> {
    pub(super) fn new(
        poll: Poll,
        inbox: Inbox<S>,
        acceptor: Option<Acceptor>,
        loops: Vec<Arc<Handle<S>>>,
        house: House,
    ) -> Self {
        Self {
            poll,
            inbox,
            acceptor,
            loops,
            house,
            stage: Stage::Running,
            slots: Slots::default(),
            places: Places::default(),
            timers: Timers::default(),
            again: Vec::new(),
            asks: Asks::default(),
            buffer: vec![0; READ_LIMIT].into_boxed_slice(),
            out: Output::default(),
        }
    }

    /// How long the next poll may wait.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let accepting = self.acceptor.as_ref().and_then(|acceptor| acceptor.next(now));
        let offering = self.asks.is_behind().then(|| now + OFFER_AGAIN);
        let first = [self.timers.next(), accepting, offering].into_iter().flatten().min()?;
        Some(first.saturating_duration_since(now))
    }

    /// Serves a connection that a poll has told of.
    pub(super) fn serve(&mut self, slot: u32, readiness: Readiness, turn: &Turn<'_>) {
        let Some(link) = self.slots.at(slot) else { return };
        rehearse(Scene::Loop);
        link.note(readiness);
        if readiness.writable && !link.backlog.is_empty() {
            link.flush();
        }
        self.turn(slot, turn);
    }

    /// Whose turn had ended before they had nothing left to do.
    pub(super) fn unfinished(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.again)
    }

    /// Goes on with those.
    pub(super) fn go_on(&mut self, unfinished: Vec<u32>, turn: &Turn<'_>) {
        for slot in unfinished {
            self.slots.at(slot).into_iter().for_each(|link| link.waits_for_turn = false);
            self.turn(slot, turn);
        }
    }

    /// What comes after everybody has been served.
    pub(super) fn conclude(&mut self, turn: &mut Turn<'_>) {
        self.stop_if_told(turn);
        self.expire(turn);
        self.asks.offer(&self.house.workers);
    }

    /// Gives a connection its turn: as much as can be done for it, up to a bound.
    fn turn(&mut self, slot: u32, turn: &Turn<'_>) {
        for _ in 0..STEPS_PER_TURN {
            let Some(link) = self.slots.at(slot) else { return };
            let step = link.step(&mut self.buffer, turn, &mut self.out);
            self.pass_on(slot);
            match step {
                // It has had its share of messages, and there are more.
                Step::Done if self.slots.at(slot).is_some_and(|link| link.is_behind()) => break,
                Step::Done => {}
                Step::Idle => return self.rest(slot),
                Step::Over => return self.close(slot),
            }
        }
        if let Some(link) = self.slots.at(slot).filter(|link| !link.waits_for_turn) {
            link.waits_for_turn = true;
            self.again.push(slot);
        }
        self.rest(slot);
    }

    /// Passes on what a connection has to say and to ask.
    #[inline]
    fn pass_on(&mut self, slot: u32) {
        let name = self.slots.name(slot);
        let Some(link) = self.slots.at(slot) else { return };
        // The ask goes first: where the connection breaks while it is sent to, the session has to be on its way.
        let ask = self.out.take_ask().and_then(|ask| {
            let mailbox: Arc<dyn Mailbox> = self.inbox.handle.clone();
            Task::new(ask, &mut link.conn, (mailbox, name))
        });
        link.send(&self.out);
        self.out.clear(KEEP_LIMIT);
        let partings = Task::partings(&mut link.conn);
        ask.into_iter().chain(partings).for_each(|task| self.asks.push(task));
    }

    #[inline]
    fn rest(&mut self, slot: u32) {
        if let Some(link) = self.slots.at(slot) {
            let deadline = link.conn.deadline();
            self.timers.arm(slot, &mut link.armed, deadline);
        }
    }

    fn close(&mut self, slot: u32) {
        let Some(mut link) = self.slots.remove(slot) else { return };
        self.timers.disarm(slot, &mut link.armed);
        self.inbox.handle.load.fetch_sub(1, Ordering::Relaxed);
        // Closing the descriptor takes it out of the poll, too.
        Task::partings(&mut link.conn).for_each(|task| self.asks.push(task));
    }

    pub(super) fn open_inbox(&mut self, turn: &Turn<'_>) {
        // First the mark, then the mail: whoever posts later wakes this loop again.
        self.inbox.handle.woken.swap(false, Ordering::AcqRel);
        while let Ok((name, parcel)) = self.inbox.replies.try_recv() {
            self.unpack(name, parcel, turn);
        }
        let overrun = std::mem::take(&mut *self.inbox.handle.overrun.lock());
        for name in overrun {
            let Some(slot) = self.slots.find(name) else { continue };
            let Some(link) = self.slots.at(slot) else { continue };
            link.conn.overrun(turn, &mut self.out);
            self.pass_on(slot);
            self.turn(slot, turn);
        }
        while let Ok(link) = self.inbox.movers.try_recv() {
            self.take_over(link, turn);
        }
    }

    /// Gives a connection what came for it.
    fn unpack(&mut self, name: Name, parcel: Parcel, turn: &Turn<'_>) {
        match &parcel {
            Parcel::Reply(reply) => self.asks.replied(reply.lane()),
            Parcel::Mail(_) => {
                self.inbox.handle.mail.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let Some(slot) = self.slots.find(name) else { return };
        let Some(link) = self.slots.at(slot) else { return };
        let its_turn = turn.owing(link.backlog.held());
        match parcel {
            Parcel::Reply(reply) => link.conn.take_reply(reply, &its_turn, &mut self.out),
            Parcel::Mail(mail) => link.conn.take_mail(mail, &its_turn, &mut self.out),
        }
        self.pass_on(slot);
        self.turn(slot, turn);
    }

    /// Takes a connection from another loop, which has counted it in this one's load already. What it has
    /// been sent meanwhile shows with the first event.
    fn take_over(&mut self, link: Box<Link<S>>, turn: &Turn<'_>) {
        let slot = match self.seat(link) {
            Ok(slot) => slot,
            Err((error, mut link)) => return self.give_up(&error, &mut link),
        };
        if self.stage == Stage::Stopping {
            self.end(slot, Conn::shut_down, turn);
        }
        self.rest(slot);
    }

    /// Ends a connection, by `how` it is to be ended.
    fn end(&mut self, slot: u32, how: fn(&mut Conn, &Turn<'_>, &mut Output), turn: &Turn<'_>) {
        let Some(link) = self.slots.at(slot) else { return };
        how(&mut link.conn, turn, &mut self.out);
        self.pass_on(slot);
        self.turn(slot, turn);
    }

    /// Hands a connection that has settled to the loop that has the fewest, if this one has too many and
    /// nothing is under way on it.
    fn hand_over(&mut self, slot: u32, turn: &Turn<'_>) {
        let load = |handle: &Handle<S>| handle.load.load(Ordering::Relaxed);
        let Some(least) = self.loops.iter().min_by_key(|handle| load(handle)).cloned() else { return };
        let ends = least.stopping.load(Ordering::Acquire);
        let balanced = ends || self.keeps(slot) || load(&self.inbox.handle) < load(&least) + IMBALANCE_LIMIT;
        if balanced || !self.slots.at(slot).is_some_and(|link| link.is_at_rest()) {
            return;
        }
        let Some(mut link) = self.slots.remove(slot) else { return };
        self.timers.disarm(slot, &mut link.armed);
        // It fails only for what is not registered, and then there is nothing to take back.
        let _ = link.stream.deregister(self.poll.registry());
        move_load(&self.inbox.handle, &least);
        match least.movers.try_send(link) {
            Ok(()) => least.wake(),
            Err(full) => {
                move_load(&least, &self.inbox.handle);
                self.take_over(full.into_inner(), turn);
            }
        }
    }

    /// Whether a connection has to stay where its clerk finds it, or where it came in.
    fn keeps(&mut self, slot: u32) -> bool {
        let has_clerk = |conn: &Conn| self.house.workers.has_clerk(conn.door());
        self.slots
            .at(slot)
            .is_some_and(|link| link.conn.standing() != Standing::Settled || has_clerk(&link.conn))
    }

    /// Looks at whose time has come. What has come from him is read first: the daemon may have slept longer
    /// than he did. Who is alive and well has settled by now.
    fn expire(&mut self, turn: &Turn<'_>) {
        let due: Vec<_> = std::iter::from_fn(|| self.timers.pop(turn.now)).collect();
        for slot in due {
            let Some(link) = self.slots.at(slot) else { continue };
            link.armed = None;
            if link.conn.deadline().is_some_and(|deadline| deadline <= turn.now) {
                link.suspect();
                self.turn(slot, turn);
                let Some(link) = self.slots.at(slot) else { continue };
                link.conn.tick(&turn.owing(link.backlog.held()), &mut self.out);
                self.pass_on(slot);
                self.turn(slot, turn);
            }
            self.rest(slot);
            self.hand_over(slot, turn);
        }
    }

    fn stop_if_told(&mut self, turn: &mut Turn<'_>) {
        if self.stage == Stage::Stopping || !self.inbox.handle.stopping.load(Ordering::Acquire) {
            return;
        }
        self.stage = Stage::Stopping;
        turn.stage = Stage::Stopping;
        self.acceptor = None;
        self.loops.clear();
        self.open_inbox(turn);
        for slot in self.slots.taken() {
            self.end(slot, Conn::shut_down, turn);
        }
    }
}
