//! What a play that fails leaves behind: its seed, and its last steps.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::simulation::Happened;
use crate::wire::text::Escaped;

/// How many steps are told.
const LENGTH: usize = 40;

/// The steps of one play. Where it panics, they are printed.
pub(super) struct Trail {
    seed: u64,
    steps: VecDeque<Step>,
    count: u64,
}

struct Step {
    number: u64,
    at: Duration,
    what: Happened,
}

impl Trail {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, steps: VecDeque::new(), count: 0 }
    }

    /// How many steps there were.
    pub(super) fn steps(&self) -> u64 {
        self.count
    }

    /// Notes a step; of those that show nothing outside only the number.
    pub(super) fn note(&mut self, at: Duration, what: &Happened) {
        self.count += 1;
        if let Happened::Quiet | Happened::Inside = what {
            return;
        }
        if self.steps.len() == LENGTH {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { number: self.count, at, what: what.clone() });
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!("ROLLCALL_SEED={} repeats this; step {}, after", self.seed, self.count);
        for Step { number, at, what } in &self.steps {
            match what {
                Happened::Said(line, bytes) => {
                    eprintln!("  {number:5} {at:>12.3?} {line:?} {}", Escaped(bytes));
                }
                _ => eprintln!("  {number:5} {at:>12.3?} {what:?}"),
            }
        }
    }
}
