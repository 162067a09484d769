//! How far a connection has come.

use std::time::Instant;

use crate::session::Effort;

/// How far a connection has come.
pub(super) enum Phase {
    Open,
    /// Nothing is judged or read until then.
    Resting {
        until: Instant,
        /// What the session waits for, and how many units of its ration that has taken already; none: it just
        /// goes on then.
        then: Option<(Effort, u32)>,
    },
    /// An ask of the session's is out.
    Asking,
    /// An ask was out when the connection broke.
    Abandoned,
    /// The ask to be taken off the roll is out; then the peer is told.
    Leaving {
        farewell: Vec<u8>,
    },
    /// Nothing more is said; what is owed is sent by then.
    Ending {
        until: Instant,
    },
    Lingering {
        until: Instant,
    },
    Over,
}

impl Phase {
    /// The name by which the log knows it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resting { .. } => "resting",
            Self::Asking => "asking",
            Self::Abandoned => "abandoned",
            Self::Leaving { .. } => "leaving",
            Self::Ending { .. } => "ending",
            Self::Lingering { .. } => "lingering",
            Self::Over => "over",
        }
    }
}
