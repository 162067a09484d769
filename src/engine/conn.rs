//! A session plus its bytes in transit: the loop, the pause while an ask is out, the limits. Both engines
//! drive it; neither knows what is in it.
//!
//! ```text
//!     Open <--> Asking --> Abandoned      an ask is out: nothing is judged, nothing is read
//!      | ^---> Resting                    nor is it here, until a certain time
//!      | \
//!      |  Leaving                         off the roll first, then the last words
//!      v /
//!     Ending --> Lingering --> Over       everything is sent; input is discarded; closed
//! ```

mod others;
mod phase;
mod room;
mod standing;

use std::net::SocketAddr;
use std::time::Instant;

use super::limits::Permit;
use super::pace::Pace;
use super::published::Look;
use super::rehearsal::{Scene, rehearse};
use super::seldom::Seldom;
use super::task::Mail;
use super::{FLUSH_LIMIT, HAS_TOIL, HAS_WAITING, LINGER_LIMIT, MESSAGES_PER_TURN, PARTING_LIMIT};
use crate::roll::Member;
use crate::session::{Ask, Caller, Door, Event, Fault, Output, Refusal, Session};
use crate::wire::Buffer;
use phase::Phase;

/// Ends that are worth a line; many may come at once.
static NOTABLE: Seldom = Seldom::new();

/// What one turn of a connection is given.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) view: Look<'a>,
    /// What may wait to be sent or judged, in bytes.
    pub(super) high_mark: usize,
    /// What waits to be sent already.
    pub(super) owed: usize,
    pub(super) stage: Stage,
}

/// Whether the daemon goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    Stopping,
}

/// One connection.
pub(super) struct Conn {
    /// None once it has ended.
    session: Option<Box<dyn Session>>,
    door: &'static str,
    peer: SocketAddr,
    phase: Phase,
    member: Option<Member>,
    /// What came but is not judged yet.
    unread: Buffer,
    /// Whether there may be a whole message in it.
    behind: Behind,
    input: Input,
    pace: Pace,
    /// Only where the clerk has been asked for something: he has to hear of the end.
    clerk: Option<Box<Acquaintance>>,
    permit: Permit,
}

/// What there is between a connection and the clerk.
struct Acquaintance {
    /// As whom he knows it.
    caller: Caller,
    /// What he said while an ask was out.
    held: Vec<Mail>,
    /// How many bytes of letters are, at most, among those that wait to be sent.
    owed: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    No,
    Perhaps,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Flowing,
    Ended,
}

/// What an engine is to do for a connection next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Read, and hand what came to [`Conn::receive`].
    Bytes,
    /// Call [`Conn::resume`]: there is more to judge.
    Turn,
    /// Wait for the workers, or for the deadline.
    Answer,
    /// Send what is owed, then call [`Conn::sent_all`].
    Flush,
    /// Read, and throw away what came.
    Discard,
    /// Close.
    Close,
}

impl Conn {
    /// A connection that was let in through `door`.
    pub(super) fn welcome(door: &dyn Door, peer: SocketAddr, permit: Permit, now: Instant) -> Self {
        log::debug!("{} {peer}: connected", door.name());
        Self::new(Some(door.open(now, peer)), door, peer, permit, Phase::Open)
    }

    /// A connection that is told that it cannot be let in; `out` is what it is told.
    pub(super) fn refuse(
        door: &dyn Door,
        peer: SocketAddr,
        permit: Permit,
        now: Instant,
        why: Refusal,
        out: &mut Output,
    ) -> Self {
        log::debug!("{} {peer}: refused: {why}", door.name());
        out.bytes().extend_from_slice(&door.refusal(why));
        let phase = Phase::Ending { until: now + LINGER_LIMIT };
        Self::new(None, door, peer, permit, phase)
    }

    fn new(
        session: Option<Box<dyn Session>>,
        door: &dyn Door,
        peer: SocketAddr,
        permit: Permit,
        phase: Phase,
    ) -> Self {
        Self {
            session,
            door: door.name(),
            peer,
            phase,
            member: None,
            unread: Buffer::default(),
            behind: Behind::No,
            input: Input::Flowing,
            pace: Pace::default(),
            clerk: None,
            permit,
        }
    }

    /// Tells the session that the connection is there.
    pub(super) fn open(&mut self, turn: &Turn<'_>, out: &mut Output) {
        self.handle(Event::Opened, turn, out);
    }

    /// What is to be done next.
    #[inline]
    pub(super) fn wants(&self) -> Wants {
        match self.phase {
            Phase::Open if self.behind == Behind::Perhaps || self.input == Input::Ended => Wants::Turn,
            Phase::Open => Wants::Bytes,
            Phase::Resting { .. } | Phase::Asking | Phase::Abandoned | Phase::Leaving { .. } => Wants::Answer,
            Phase::Ending { .. } => Wants::Flush,
            Phase::Lingering { .. } if self.input == Input::Ended => Wants::Close,
            Phase::Lingering { .. } => Wants::Discard,
            Phase::Over => Wants::Close,
        }
    }

    /// When [`Conn::tick`] is to be called.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open => self.session.as_ref().and_then(|session| session.deadline()),
            Phase::Resting { until, .. } | Phase::Ending { until } | Phase::Lingering { until } => {
                Some(*until)
            }
            Phase::Asking | Phase::Abandoned | Phase::Leaving { .. } | Phase::Over => None,
        }
    }

    /// Takes what came.
    #[inline]
    pub(super) fn receive(&mut self, bytes: &[u8], turn: &Turn<'_>, out: &mut Output) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        rehearse(Scene::Connection);
        if self.unread.is_empty() {
            let judged = self.judge(bytes, turn, out);
            if judged < bytes.len() && self.goes_on() {
                self.unread.push(&bytes[judged..]);
            }
        } else {
            self.unread.push(bytes);
            self.judge_unread(turn, out);
        }
    }

    /// Goes on where the last turn ended.
    pub(super) fn resume(&mut self, turn: &Turn<'_>, out: &mut Output) {
        self.judge_unread(turn, out);
        if let (Phase::Open, Behind::No, Input::Ended) = (&self.phase, self.behind, self.input) {
            self.handle(Event::EndOfStream, turn, out);
            self.judge_unread(turn, out);
            // Whatever the session makes of it: nothing can come any more.
            if let (Phase::Open, Behind::No) = (&self.phase, self.behind) {
                self.end(turn);
            }
        }
    }

    /// The peer sends no more. What came before is judged first: see [`Wants::Turn`].
    pub(super) fn end_of_stream(&mut self) {
        self.input = Input::Ended;
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, turn: &Turn<'_>, out: &mut Output) {
        match self.phase {
            Phase::Ending { until } | Phase::Lingering { until } if until <= turn.now => {
                self.enter(Phase::Over, "it takes too long");
            }
            Phase::Resting { until, then } if until <= turn.now => self.go_on(then, turn, out),
            _ => {
                self.handle(Event::Tick, turn, out);
                self.judge_unread(turn, out);
            }
        }
    }

    /// The daemon is about to end. An ask that is out comes back first.
    pub(super) fn shut_down(&mut self, turn: &Turn<'_>, out: &mut Output) {
        // Everybody leaves at once: nobody is left who would have to hear of it.
        self.member = None;
        self.wake_up();
        if let Phase::Ending { until } | Phase::Lingering { until } = &mut self.phase {
            *until = (*until).min(turn.now + PARTING_LIMIT);
        }
        self.say_goodbye(Event::Shutdown, turn, out);
    }

    /// Lets the session have its last word, which comes to an end whether it wants to or not.
    fn say_goodbye(&mut self, word: Event, turn: &Turn<'_>, out: &mut Output) {
        self.handle(word, turn, out);
        if matches!(self.phase, Phase::Open) {
            self.end(turn);
        }
    }

    /// Everything that was owed is sent. True if the sending side is to be shut down.
    pub(super) fn sent_all(&mut self, now: Instant) -> bool {
        let Phase::Ending { until } = self.phase else { return false };
        let hears_more = self.input == Input::Flowing;
        if hears_more {
            self.enter(Phase::Lingering { until: until.min(now + LINGER_LIMIT) }, "all is said");
        } else {
            self.enter(Phase::Over, "all is said, and nobody is there");
        }
        hears_more
    }

    /// The connection is broken.
    pub(super) fn broken(&mut self, why: &dyn std::fmt::Display) {
        log::debug!("{} {}: {why}", self.door, self.peer);
        self.dismiss(Instant::now());
        self.phase = match self.phase {
            Phase::Asking => Phase::Abandoned,
            Phase::Leaving { .. } | Phase::Abandoned => return,
            _ => Phase::Over,
        };
    }

    /// As whom it is on the roll.
    #[cfg(test)]
    pub(super) fn member(&self) -> Option<Member> {
        self.member
    }

    /// Which door it came through.
    pub(super) fn door(&self) -> &'static str {
        self.door
    }

    /// Whether what came may still be judged, now or later.
    fn goes_on(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Resting { .. } | Phase::Asking)
    }

    fn judge_unread(&mut self, turn: &Turn<'_>, out: &mut Output) {
        if self.unread.is_empty() {
            self.behind = Behind::No;
            return;
        }
        let mut unread = std::mem::take(&mut self.unread);
        let judged = self.judge(unread.as_slice(), turn, out);
        if self.goes_on() {
            unread.consume(judged);
            self.unread = unread;
        }
    }

    /// Has the session carry out whole messages at the front of `bytes`, and says how many bytes they were.
    #[inline]
    fn judge(&mut self, bytes: &[u8], turn: &Turn<'_>, out: &mut Output) -> usize {
        self.behind = Behind::No;
        let (clock, interval) = (self.clock(turn.now), self.permit.message_interval());
        let mut judged = 0;
        for _ in 0..MESSAGES_PER_TURN {
            let rest = &bytes[judged..];
            let (Phase::Open, false, Some(session)) = (&self.phase, rest.is_empty(), &mut self.session)
            else {
                return judged;
            };
            if out.take_apart() || !turn.has_room(out.len(), rest.len()) {
                break;
            }
            // Before the message, which may have the session ask, or be away: it could not rest then.
            if let Some(pause) = self.pace.pause(clock) {
                self.slow_down(turn.now + pause, turn, out);
                break;
            }
            match session.receive(turn.now, rest, &turn.view, out) {
                Ok(0) => return judged,
                Ok(taken) => judged += taken,
                Err(fault) => {
                    self.fail(fault, turn, out);
                    return bytes.len();
                }
            }
            self.follow(turn, out);
            self.pace.count(clock, interval);
        }
        if judged < bytes.len() {
            self.behind = Behind::Perhaps;
        }
        judged
    }

    fn handle(&mut self, event: Event, turn: &Turn<'_>, out: &mut Output) {
        let (Phase::Open, Some(session)) = (&self.phase, &mut self.session) else { return };
        match session.handle(turn.now, event, &turn.view, out) {
            Ok(()) => self.follow(turn, out),
            Err(fault) => self.fail(fault, turn, out),
        }
    }

    /// Does what the session wants besides sending.
    #[inline]
    fn follow(&mut self, turn: &Turn<'_>, out: &mut Output) {
        self.settle_if_it_has();
        if out.has_ask() {
            self.phase = Phase::Asking;
            if HAS_WAITING {
                self.permit.wait();
            }
            if HAS_TOIL {
                self.ration(turn.now, out);
            }
        } else if out.take_close() {
            self.end(turn);
        } else if let Some(until) = out.take_rest() {
            self.phase = Phase::Resting { until, then: None };
        }
    }

    fn fail(&mut self, fault: Fault, turn: &Turn<'_>, out: &mut Output) {
        let Fault { why, farewell, level, excess } = fault;
        excess.into_iter().for_each(|excess| self.permit.gate().count(excess.into()));
        if level == log::Level::Debug {
            log::debug!("{} {}: {why}", self.door, self.peer);
        } else {
            NOTABLE.log(level, turn.now, format_args!("{} {}: {why}", self.door, self.peer));
        }
        self.dismiss(turn.now);
        if farewell.is_empty() {
            self.enter(Phase::Over, "it hears nothing of it");
        } else if let Some(member) = self.member.take() {
            out.ask(Ask::Leave(member));
            self.enter(Phase::Leaving { farewell }, "off the roll first");
        } else {
            self.last_words(&farewell, turn, out);
        }
    }

    fn last_words(&mut self, farewell: &[u8], turn: &Turn<'_>, out: &mut Output) {
        out.bytes().extend_from_slice(farewell);
        self.end(turn);
    }

    fn end(&mut self, turn: &Turn<'_>) {
        self.dismiss(turn.now);
        let limit = match turn.stage {
            Stage::Running => FLUSH_LIMIT,
            Stage::Stopping => PARTING_LIMIT,
        };
        self.enter(Phase::Ending { until: turn.now + limit }, "nothing more is said");
    }

    /// The session is over: on every way out. What it leaves behind may be a bad name for its address.
    fn dismiss(&mut self, now: Instant) {
        self.wake_up();
        self.permit.settle();
        self.unread = Buffer::default();
        self.clerk.iter_mut().for_each(|clerk| clerk.held = Vec::new());
        if self.session.take().is_some_and(|session| session.ends_badly()) {
            self.permit.cool_down(self.door, self.peer.ip(), now);
        }
    }

    fn enter(&mut self, phase: Phase, why: &str) {
        log::trace!("{} {}: {} -> {}: {why}", self.door, self.peer, self.phase.name(), phase.name());
        self.phase = phase;
    }
}
