//! How long to wait before the next try: twice as long each time, and never all at the same moment.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first wait, before jitter.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// The longest wait, before jitter.
pub const BACKOFF_LIMIT: Duration = Duration::from_secs(30);
/// What has lasted this long went well: the waits begin anew.
pub const BACKOFF_RESET: Duration = Duration::from_secs(30);

/// Waits that double up to a bound, each between a half and one and a half of that: a thousand clients that
/// lost the same server do not come back at once.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    jitter: RandomState,
    tries: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: BACKOFF_FIRST, jitter: RandomState::new(), tries: 0 }
    }
}

impl Backoff {
    /// The last try succeeded for this long. One that is lost at once is no better than one that failed.
    pub fn lasted(&mut self, time: Duration) {
        if time >= BACKOFF_RESET {
            self.next = BACKOFF_FIRST;
        }
    }

    /// The wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(BACKOFF_LIMIT);
        self.tries += 1;
        // The keys of the hasher are the random part.
        let percent = 50 + self.jitter.hash_one(self.tries) % 101;
        wait * u32::try_from(percent).unwrap_or(100) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_give_or_take_a_half() {
        let mut backoff = Backoff::default();
        for expected in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let wait = backoff.next_wait().as_millis();
            assert!((expected / 2..=expected * 3 / 2).contains(&wait), "{wait} for {expected}");
        }
    }

    #[test]
    fn the_waits_begin_anew_only_after_what_has_lasted() {
        let mut backoff = Backoff::default();
        for (lasted, expected) in [(0, 500), (1, 1_000), (29, 2_000), (30, 500), (0, 1_000), (9_999, 500)] {
            backoff.lasted(Duration::from_secs(lasted));
            let wait = backoff.next_wait().as_millis();
            assert!((expected / 2..=expected * 3 / 2).contains(&wait), "{wait} for {expected}");
        }
    }

    #[test]
    fn two_clients_do_not_wait_alike() {
        let waits = |mut backoff: Backoff| (0..20).map(|_| backoff.next_wait()).collect::<Vec<_>>();
        assert_ne!(waits(Backoff::default()), waits(Backoff::default()));
    }
}
