//! Who is to be ticked when: at most one time for each slot, moved only to an earlier one, or when it has passed.

use std::collections::BTreeSet;
use std::time::Instant;

/// The earliest time at which each slot has to be looked at.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, u32)>,
}

impl Timers {
    /// Has `slot` looked at by `deadline`, given that it is so far looked at when `armed` says. A deadline
    /// that moves back costs nothing: the look comes too early, and is set anew then.
    #[inline]
    pub(super) fn arm(&mut self, slot: u32, armed: &mut Option<Instant>, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        self.disarm(slot, armed);
        *armed = Some(deadline);
        self.queue.insert((deadline, slot));
    }

    /// Forgets `slot`.
    pub(super) fn disarm(&mut self, slot: u32, armed: &mut Option<Instant>) {
        if let Some(armed) = armed.take() {
            self.queue.remove(&(armed, slot));
        }
    }

    /// When the next slot has to be looked at.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|&(deadline, _)| deadline)
    }

    /// Takes out a slot whose time has come; it is not armed any more.
    pub(super) fn pop(&mut self, now: Instant) -> Option<u32> {
        self.next().filter(|&deadline| deadline <= now)?;
        self.queue.pop_first().map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_an_earlier_deadline_moves_a_timer() {
        let (mut timers, start) = (Timers::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut armed = None;
        timers.arm(7, &mut armed, Some(at(10)));
        timers.arm(7, &mut armed, Some(at(30)));
        assert_eq!(timers.next(), Some(at(10)));
        timers.arm(7, &mut armed, Some(at(1)));
        assert_eq!((timers.next(), timers.pop(at(0))), (Some(at(1)), None));
        assert_eq!((timers.pop(at(1)), timers.next()), (Some(7), None));
        let mut armed = None;
        timers.arm(8, &mut armed, Some(at(5)));
        timers.disarm(8, &mut armed);
        assert_eq!(timers.next(), None);
    }
}
