//! What the daemon says about itself when it is asked.

use std::fmt;
use std::time::Duration;

use crate::engine::{Count, Engine, Usage};

/// A summary in one line.
pub(super) struct Status {
    present: usize,
    joined: u64,
    change: u64,
    usage: Usage,
    up: Duration,
}

impl Status {
    /// How things are with `engine`, which has run for so long.
    pub(super) fn of(engine: &Engine, up: Duration) -> Self {
        let (present, joined, change) =
            engine.published().read(|roll| (roll.len(), roll.joined(), roll.sequence().0));
        Self { present, joined, change, usage: engine.usage(), up }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { present, joined, change, usage, up } = self;
        let Usage { clients, max_clients, pending, welcomed, counts } = usage;
        let refused = usage.refused();
        write!(
            f,
            "status: {present} on the roll, {clients} of at most {max_clients} connections, {pending} of them pending; \
             since the start {welcomed} connections, {refused} refused, {joined} joined, {change} changes; up {} s",
            up.as_secs()
        )?;
        let mut separator = "; refused or limited:";
        for (count, name) in counts.iter().zip(Count::NAMES) {
            write!(f, "{separator} {count} {name}")?;
            separator = ",";
        }
        Ok(())
    }
}
