//! How fast the messages of one connection may come: so many at once, then so many a second. Who sends more is not
//! read for a moment, so that what he sends waits where he is.

use std::time::Duration;

/// What may come at once is as much as otherwise in this time, in microseconds.
const BURST: u32 = 2_000_000;
/// The longest that one message may count for.
const LONGEST: u32 = 1_000_000;
/// The most that is ever counted: nothing is taken that would be more.
const MOST: u32 = BURST + LONGEST;
/// A pause is so much longer than it has to be, because one that is over at once is not worth it.
const WORTHWHILE: u32 = 10_000;

/// One connection's. It is four bytes, because each connection has it; the clock by which it goes, in microseconds, turns
/// over after 71 minutes, which at worst has somebody wait who need not, for as long as a burst takes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pace {
    /// When there will be as much as ever at once, by the clock.
    restored: u32,
}

impl Pace {
    /// How long to pause before the next message is taken; none: it may come at once.
    #[inline]
    pub(super) fn pause(self, clock: u32) -> Option<Duration> {
        let excess = self.ahead(clock).checked_sub(BURST).filter(|&excess| excess > 0)?;
        Some(Duration::from_micros((excess + WORTHWHILE).into()))
    }

    /// Counts one message, each of which is one in `interval` microseconds, at most a second; 0: as many as anybody
    /// wants.
    #[inline]
    pub(super) fn count(&mut self, clock: u32, interval: u32) {
        let ahead = self.ahead(clock) + interval.min(LONGEST);
        self.restored = clock.wrapping_add(ahead.min(MOST));
    }

    #[inline]
    fn ahead(self, clock: u32) -> u32 {
        let ahead = self.restored.wrapping_sub(clock);
        // What is longer ago looks as if it were far ahead.
        if ahead > MOST { 0 } else { ahead }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u32 = 1_000_000;

    /// How many messages get through in so many seconds, of somebody who always has more.
    fn in_seconds(pace: &mut Pace, start: u32, seconds: u64, interval: u32) -> u64 {
        let (mut count, mut passed) = (0, 0);
        while passed < seconds * u64::from(SECOND) {
            let now = start.wrapping_add(u32::try_from(passed).unwrap());
            match pace.pause(now) {
                Some(pause) => passed += u64::try_from(pause.as_micros()).unwrap(),
                None => {
                    pace.count(now, interval);
                    count += 1;
                }
            }
        }
        count
    }

    #[test]
    fn two_seconds_worth_is_free_and_then_it_is_so_many_a_second() {
        for start in [0, 5, u32::MAX - SECOND] {
            for (rate, interval) in [(2_000, 500), (100, 10_000), (1, SECOND)] {
                let count = in_seconds(&mut Pace::default(), start, 100, interval);
                let expected = 102 * rate;
                assert!(
                    count.abs_diff(expected) <= expected / 50 + 1,
                    "{count} of {expected} from {start} on"
                );
            }
        }
    }

    #[test]
    fn who_is_slower_never_waits_however_long_the_clock_runs() {
        let mut pace = Pace::default();
        // Five hours, in which the clock turns over four times.
        for number in 0..18_000_u32 {
            assert_eq!(pace.pause(number.wrapping_mul(SECOND)), None);
            pace.count(number.wrapping_mul(SECOND), 500);
        }
    }

    #[test]
    fn what_was_saved_up_comes_back() {
        let mut pace = Pace::default();
        let mut takes = |count: usize, clock: u32| {
            (0..count).all(|_| {
                let is_free = pace.pause(clock).is_none();
                pace.count(clock, 500);
                is_free
            })
        };
        assert!(takes(4_001, 0) && !takes(1, 0));
        assert!(takes(2_000, SECOND + 1_000) && !takes(1, SECOND + 500));
        let mut free = Pace::default();
        (0..10_000).for_each(|_| free.count(SECOND, 0));
        assert_eq!(free.pause(SECOND), None, "without limit");
    }

    #[test]
    fn who_goes_on_in_spite_of_it_is_never_taken_for_somebody_who_was_silent() {
        let mut pace = Pace::default();
        for _ in 0..100_000 {
            pace.count(0, 500);
        }
        assert_eq!(pace.pause(0), Some(Duration::from_micros((LONGEST + WORTHWHILE).into())));
        assert_eq!(pace.pause(LONGEST), None);
    }
}
