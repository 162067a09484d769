//! Whether something works, and what the log is told when it does not.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often the log is told of what keeps the clerk from his work.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// Whether something works.
pub(super) struct Health {
    /// What the log is told when it does not.
    complaint: &'static str,
    /// What the log is told when it does again.
    relief: &'static str,
    /// When the log was told that it does not.
    told: Option<Instant>,
}

impl Health {
    pub(super) fn new(complaint: &'static str, relief: &'static str) -> Self {
        Self { complaint, relief, told: None }
    }

    /// It did not work just now.
    pub(super) fn fails(&mut self, now: Instant, why: &dyn Display) {
        if self.told.is_none_or(|told| now.saturating_duration_since(told) >= COMPLAINT_INTERVAL) {
            log::warn!("residue: {}: {why}", self.complaint);
            self.told = Some(now);
        }
    }

    /// It worked just now.
    pub(super) fn works(&mut self) {
        if self.told.take().is_some() {
            log::info!("residue: {}", self.relief);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_complains_once_a_minute_until_it_is_over() {
        let start = Instant::now();
        let mut health = Health::new("it does not work", "it works");
        let mut told = Vec::new();
        for (at, fails) in [(0, true), (1, true), (59, true), (60, true), (61, false), (62, true), (63, true)]
        {
            let now = start + Duration::from_secs(at);
            match fails {
                true => health.fails(now, &"a reason"),
                false => health.works(),
            }
            told.push(health.told.map(|told| told.duration_since(start).as_secs()));
        }
        assert_eq!(told, [Some(0), Some(0), Some(0), Some(60), None, Some(62), Some(62)]);
    }
}
