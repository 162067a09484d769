//! Log lines that come at most once a minute, or as often as is said, however often there is reason for them.

use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// At most one line in this time, unless it is said otherwise.
const INTERVAL: Duration = Duration::from_secs(60);

/// One kind of complaint.
#[derive(Debug)]
pub(super) struct Seldom {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// A kind of complaint that was never made yet.
    pub(super) const fn new() -> Self {
        Self::once_in(INTERVAL)
    }

    /// One that is made at most once in this time.
    pub(super) const fn once_in(interval: Duration) -> Self {
        Self { interval, state: Mutex::new(State { last: None, unsaid: 0 }) }
    }

    /// Logs the complaint at `level`, unless it was made a short while ago; then it is only counted.
    pub(super) fn log(&self, level: log::Level, now: Instant, complaint: fmt::Arguments<'_>) {
        if let Some(unsaid) = self.due(now) {
            match unsaid {
                0 => log::log!(level, "{complaint}"),
                more => log::log!(level, "{complaint} ({more} more like this before)"),
            }
        }
    }

    /// How many were not said since the last one, if it is time for the next.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.interval) {
            state.unsaid += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_made_once_a_minute_and_counts_the_rest() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        let at = |seconds| seldom.due(start + Duration::from_secs(seconds));
        assert_eq!(
            [at(0), at(1), at(59), at(60), at(61), at(200)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
