//! The options that say how much there may be of something.

use std::ops::RangeInclusive;

use getopts::{Matches, Options as Getopts};

use super::MAX_CLIENTS;
use super::read::number;
use crate::daemon::Failure;
use crate::engine::Limits;

/// What one option says.
struct Limit {
    name: &'static str,
    /// What it limits, for the help.
    help: &'static str,
    unit: &'static str,
    range: RangeInclusive<usize>,
    default: usize,
    place: fn(&mut Limits) -> &mut usize,
}

/// All but the number of connections, whose default depends on the system.
static LIMITS: &[Limit] = &[
    Limit {
        name: "max-per-address",
        help: "connections from one address, or IPv6 /64; 0 is any number, loopback is exempt (default 64)",
        unit: "N",
        range: 0..=MAX_CLIENTS,
        default: 64,
        place: |limits| &mut limits.max_per_address,
    },
    Limit {
        name: "max-pending",
        help: "handshakes under way in all, the oldest of which gives way; 0 is any number (default 1024)",
        unit: "N",
        range: 0..=MAX_CLIENTS,
        default: 1024,
        place: |limits| &mut limits.max_pending,
    },
    Limit {
        name: "max-pending-per-address",
        help: "handshakes under way from one address, counted likewise; 0 is any number (default 16)",
        unit: "N",
        range: 0..=MAX_CLIENTS,
        default: 16,
        place: |limits| &mut limits.max_pending_per_address,
    },
    Limit {
        name: "max-new-per-minute",
        help: "new connections from one address in a minute, counted likewise; 0 is any number (default 120)",
        unit: "N",
        range: 0..=1_000_000,
        default: 120,
        place: |limits| &mut limits.max_new_per_minute,
    },
    Limit {
        name: "max-messages",
        help: "messages of one client in a second, faster ones wait; 0 is any number (default 2000)",
        unit: "N",
        range: 0..=100_000,
        default: 2000,
        place: |limits| &mut limits.max_messages,
    },
    #[cfg(feature = "residue")]
    Limit {
        name: "give-way",
        help: "when there are --max-clients, close the one that sent nothing for longest, if that is so long; 0 is never, at most 86400 (default 120)",
        unit: "SECS",
        range: 0..=86_400,
        default: 120,
        place: |limits| &mut limits.give_way,
    },
    Limit {
        name: "high-mark",
        help: "bytes that may wait for a client that does not read, 1024 to 1073741824 (default 65536)",
        unit: "BYTES",
        range: 1024..=1 << 30,
        default: 65_536,
        place: |limits| &mut limits.high_mark,
    },
];

/// Declares the options.
pub(super) fn declare(all: &mut Getopts) {
    all.optopt(
        "",
        "max-clients",
        "connections in all, 1 to 1048576 (default what the descriptor limit allows)",
        "N",
    );
    for limit in LIMITS {
        all.optopt("", limit.name, limit.help, limit.unit);
    }
}

/// Reads them. The number of connections is not limited where that is not said.
pub(super) fn read(matches: &Matches) -> Result<Limits, Failure> {
    let max_clients = number(matches, "max-clients", 1..=MAX_CLIENTS)?;
    let mut limits = Limits::unbounded(max_clients.unwrap_or(usize::MAX));
    for limit in LIMITS {
        let said = number(matches, limit.name, limit.range.clone())?;
        *(limit.place)(&mut limits) = said.unwrap_or(limit.default);
    }
    Ok(limits)
}

/// What is set, by the names of the options.
pub(in crate::daemon) fn rows(limits: &Limits) -> Vec<(&'static str, String)> {
    let mut limits = limits.clone();
    let mut rows = vec![("max-clients", limits.max_clients.to_string())];
    rows.extend(LIMITS.iter().map(|limit| (limit.name, (limit.place)(&mut limits).to_string())));
    rows
}
