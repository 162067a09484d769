//! How firmly a connection is in, how fast it may be, and how it gives way to others.

use std::time::Instant;

use super::phase::Phase;
use super::{Conn, Turn};
use crate::engine::HAS_LOOSE;
use crate::engine::limits::Count;
use crate::session::{Event, Fault, Output, Standing};

impl Conn {
    /// Others need the place. An ask that is out comes back to nobody.
    pub(in crate::engine) fn give_way(&mut self, turn: &Turn<'_>, out: &mut Output) {
        match self.phase {
            Phase::Open | Phase::Resting { .. } => {
                self.permit.oust();
                self.wake_up();
                self.say_goodbye(Event::GiveWay, turn, out);
            }
            Phase::Asking => {
                self.permit.oust();
                self.abandon(Fault::silent("others need the place"), turn, out);
            }
            _ => {}
        }
    }

    /// How firmly the client is in.
    pub(in crate::engine) fn standing(&self) -> Standing {
        match (&self.phase, &self.session) {
            (Phase::Asking | Phase::Resting { then: Some(_), .. }, _) => Standing::Settled,
            _ if self.permit.is_pending() => Standing::Pending,
            (Phase::Open, Some(session)) if HAS_LOOSE => session.standing(),
            _ => Standing::Settled,
        }
    }

    /// Whether it has yet to show that it speaks the protocol.
    pub(in crate::engine) fn is_pending(&self) -> bool {
        self.permit.is_pending()
    }

    /// Notes that the session has settled, where it has done so just now.
    #[inline]
    pub(super) fn settle_if_it_has(&mut self) {
        if self.permit.is_pending()
            && let Some(session) = &self.session
            && session.standing() != Standing::Pending
        {
            self.permit.settle();
        }
    }

    /// The time by which messages are counted: a clock that turns over.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "it is meant to")]
    pub(super) fn clock(&self, now: Instant) -> u32 {
        self.permit.gate().clock(now) as u32
    }

    /// Has the connection rest because messages come too fast.
    #[cold]
    pub(super) fn slow_down(&mut self, until: Instant, turn: &Turn<'_>, out: &mut Output) {
        // The session's own deadline is not looked at meanwhile.
        self.handle(Event::Tick, turn, out);
        if let Phase::Open = self.phase {
            self.permit.gate().count(Count::Slowed);
            self.phase = Phase::Resting { until, then: None };
        }
    }
}
