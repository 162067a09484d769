//! How fast the messages of one connection may come: so many at once, then so many a second. Who sends more is not
//! read for a moment, so that what he sends waits where he is.

use std::time::Duration;

/// What may come at once is as much as otherwise in this time, in microseconds.
const BURST: u32 = 2_000_000;
/// The longest that one message may count for.
const LONGEST: u32 = 1_000_000;
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
    /// Counts one message, each of which is one in `interval` microseconds, at most a second; 0: as many as anybody
    /// wants. If that was one too many: how long to pause.
    #[inline]
    pub(super) fn count(&mut self, clock: u32, interval: u32) -> Option<Duration> {
        if interval == 0 {
            return None;
        }
        let ahead = self.restored.wrapping_sub(clock);
        // What is longer ago looks as if it were far ahead.
        let ahead = if ahead > BURST + LONGEST { 0 } else { ahead } + interval.min(LONGEST);
        self.restored = clock.wrapping_add(ahead);
        (ahead > BURST).then(|| Duration::from_micros((ahead - BURST + WORTHWHILE).into()))
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
            count += 1;
            let now = start.wrapping_add(u32::try_from(passed).unwrap());
            let pause = pace.count(now, interval).unwrap_or_default();
            passed += u64::try_from(pause.as_micros()).unwrap();
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
            assert_eq!(pace.count(number.wrapping_mul(SECOND), 500), None);
        }
    }

    #[test]
    fn what_was_saved_up_comes_back() {
        let mut pace = Pace::default();
        assert!((0..4_000).all(|_| pace.count(0, 500).is_none()));
        assert_eq!(pace.count(0, 500), Some(Duration::from_micros(10_500)));
        assert!((0..2_000).all(|_| pace.count(SECOND + 500, 500).is_none()));
        assert!(pace.count(SECOND + 500, 500).is_some());
        assert!((0..10_000).all(|_| pace.count(SECOND, 0).is_none()), "without limit");
    }
}
