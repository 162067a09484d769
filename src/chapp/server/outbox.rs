//! What a session has to say, in order and at the client's pace ("Manner").
//!
//! The real client dies of two messages in one receive. Once a client has shown that it is like that, what is
//! said to it waits until the message before it is [`SPACING`] old.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::session::Output;

/// How far messages to a client are apart that dies of two at once.
pub(super) const SPACING: Duration = Duration::from_millis(20);
/// The most bytes of deliveries that wait, and of replies but for the last one.
pub(super) const WAITING_LIMIT: usize = 1 << 20;

/// Messages on their way out.
pub(super) struct Outbox {
    pace: Pace,
    gate: Gate,
    waiting: VecDeque<Waiting>,
    /// The bytes of the replies and of the deliveries that wait.
    replies: usize,
    deliveries: usize,
}

enum Pace {
    /// Everything is said at once.
    Free,
    /// One message at a time, and the next one not before this time.
    Spaced { next: Option<Instant> },
}

enum Gate {
    Open,
    Shut,
}

struct Waiting {
    kind: Kind,
    bytes: Box<[u8]>,
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It answers a request, or is the last one.
    Reply,
    /// It is in the client's list as well.
    Delivery,
}

/// More waits to be said than may.
#[derive(Debug)]
pub(super) struct Overfull;

impl Outbox {
    pub(super) fn new() -> Self {
        Self { pace: Pace::Free, gate: Gate::Open, waiting: VecDeque::new(), replies: 0, deliveries: 0 }
    }

    /// Says one message at a time from now on.
    pub(super) fn space(&mut self) {
        self.pace = Pace::Spaced { next: None };
    }

    /// Says nothing until the gate is opened again.
    pub(super) fn shut(&mut self) {
        self.gate = Gate::Shut;
    }

    /// Says what has waited for the gate.
    pub(super) fn open(&mut self, now: Instant, out: &mut Output) {
        self.gate = Gate::Open;
        self.pump(now, out);
    }

    /// Says the message that `write` appends: at once if that is possible, or behind what waits.
    pub(super) fn put(
        &mut self,
        now: Instant,
        out: &mut Output,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Overfull> {
        self.pump(now, out);
        if self.waiting.is_empty() && self.may_speak(now) {
            write(out.bytes());
            self.spoke(now);
            return Ok(());
        }
        let mut bytes = Vec::new();
        write(&mut bytes);
        let full = match kind {
            // A reply may be as long as the list in it: it is let in if those before it are not too long.
            Kind::Reply => self.replies > WAITING_LIMIT,
            Kind::Delivery => self.deliveries + bytes.len() > WAITING_LIMIT,
        };
        if full {
            return Err(Overfull);
        }
        *self.count(kind) += bytes.len();
        self.waiting.push_back(Waiting { kind, bytes: bytes.into() });
        Ok(())
    }

    /// Says what may be said by now.
    pub(super) fn pump(&mut self, now: Instant, out: &mut Output) {
        while self.may_speak(now) {
            let Some(Waiting { kind, bytes }) = self.waiting.pop_front() else { return };
            *self.count(kind) -= bytes.len();
            out.bytes().extend_from_slice(&bytes);
            self.spoke(now);
            if self.waiting.is_empty() {
                // Most of the time nothing waits, and then it takes no memory.
                self.waiting = VecDeque::new();
            }
        }
    }

    /// Waits no more, as the client does not either: appends all that waits, and whatever comes is said at
    /// once.
    pub(super) fn empty(&mut self, into: &mut Vec<u8>) {
        (self.pace, self.gate) = (Pace::Free, Gate::Open);
        (self.replies, self.deliveries) = (0, 0);
        std::mem::take(&mut self.waiting).iter().for_each(|waiting| into.extend_from_slice(&waiting.bytes));
    }

    /// Forgets the deliveries that wait: the client finds them in its list.
    pub(super) fn forget_deliveries(&mut self) {
        self.waiting.retain(|waiting| waiting.kind != Kind::Delivery);
        self.deliveries = 0;
    }

    /// Forgets all that waits.
    pub(super) fn forget(&mut self) {
        self.waiting = VecDeque::new();
        (self.replies, self.deliveries) = (0, 0);
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When there is something to be said.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (&self.gate, &self.pace) {
            (Gate::Open, Pace::Spaced { next }) if !self.waiting.is_empty() => *next,
            _ => None,
        }
    }

    fn may_speak(&self, now: Instant) -> bool {
        match (&self.gate, &self.pace) {
            (Gate::Shut, _) => false,
            (Gate::Open, Pace::Free) => true,
            (Gate::Open, Pace::Spaced { next }) => next.is_none_or(|next| next <= now),
        }
    }

    fn spoke(&mut self, now: Instant) {
        if let Pace::Spaced { next } = &mut self.pace {
            *next = Some(now + SPACING);
        }
    }

    fn count(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Reply => &mut self.replies,
            Kind::Delivery => &mut self.deliveries,
        }
    }
}
