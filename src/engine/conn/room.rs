//! How much of a connection there may be in our memory: what waits to be sent, and what came and is not judged yet, are
//! together below the high mark.

use super::{Conn, Turn};
use crate::engine::READ_LIMIT;
use crate::engine::limits::Count;

/// The share of the high mark that is for what is read at once.
const READING: usize = 4;
/// The share of it that is for what one message adds, before that is known.
const ANSWER: usize = 8;
/// What is read at once however low the high mark is.
const LEAST: usize = 1024;

/// How much may be read at once.
fn portion(high_mark: usize) -> usize {
    (high_mark / READING).clamp(LEAST, READ_LIMIT)
}

/// Whether there is room for `more` bytes and an answer where `owed` bytes wait to be sent. Where none do, there is.
fn has_room(owed: usize, more: usize, high_mark: usize) -> bool {
    owed == 0 || owed + more <= high_mark - high_mark / ANSWER
}

impl Turn<'_> {
    /// The same turn for a connection for which `owed` bytes wait to be sent.
    pub(in crate::engine) fn owing(&self, owed: usize) -> Self {
        Self { owed, ..*self }
    }

    /// How much may be read at once.
    #[inline]
    pub(in crate::engine) fn portion(&self) -> usize {
        portion(self.high_mark)
    }

    /// Whether a message may be judged that is among `unread` bytes, where `said` bytes are to be sent on top.
    #[inline]
    pub(super) fn has_room(&self, said: usize, unread: usize) -> bool {
        has_room(self.owed + said, unread, self.high_mark)
    }
}

impl Conn {
    /// Whether what came may be judged.
    #[inline]
    pub(in crate::engine) fn may_go_on(&self, turn: &Turn<'_>) -> bool {
        turn.has_room(0, self.unread.len())
    }

    /// Whether more may be read.
    #[inline]
    pub(in crate::engine) fn may_read(&self, turn: &Turn<'_>) -> bool {
        turn.has_room(0, self.unread.len() + turn.portion())
    }

    /// Notes that `owed` bytes wait to be sent, where it was `before` a moment ago.
    #[inline(never)]
    pub(in crate::engine) fn owes(&self, before: usize, owed: usize) {
        let gate = self.permit.gate();
        let high_mark = gate.limits().high_mark;
        let is_read = |owed| has_room(owed, portion(high_mark), high_mark);
        if is_read(before) && !is_read(owed) {
            gate.count(Count::Stuffed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_and_what_came_stay_below_the_high_mark_with_an_answer_to_spare() {
        let high_mark = 65_536;
        assert_eq!(portion(high_mark), 16_384);
        for owed in 1..high_mark {
            for unread in [0, portion(high_mark)] {
                let is_below = owed + unread + 8192 <= high_mark;
                assert_eq!(has_room(owed, unread, high_mark), is_below, "{owed} and {unread}");
            }
        }
    }

    #[test]
    fn whoever_is_owed_nothing_is_read_however_low_the_mark_and_however_long_the_message() {
        for high_mark in [0, 1, 1024, 65_536, usize::MAX] {
            assert!(has_room(0, 1 << 30, high_mark));
            assert!((LEAST..=READ_LIMIT).contains(&portion(high_mark)));
        }
    }
}
