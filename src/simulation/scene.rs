//! What there is to see.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::lekt;
use super::play::Manner;

/// What there is to see.
pub(super) struct Scene {
    pub(super) now: Instant,
    /// Where those come from who are on the roll.
    pub(super) roll: BTreeSet<SocketAddr>,
    /// Who is on the roll by a name of Residue, and where they come from.
    pub(super) clients: BTreeMap<Box<str>, SocketAddr>,
    /// How many are on the roll.
    pub(super) there: usize,
    /// How others are told of LEKT clients, by where they come from.
    pub(super) listings: BTreeMap<SocketAddr, lekt::Seen>,
    /// Who was there, by the time that the server's clock showed.
    pub(super) past: Vec<(i64, Rc<BTreeSet<SocketAddr>>)>,
    pub(super) present: Rc<BTreeSet<SocketAddr>>,
    pub(super) manner: Manner,
    pub(super) is_ending: bool,
    /// Whether the daemon has been killed, and not everybody need have come back.
    pub(super) has_crashed: bool,
    /// Whether the journal is so short that who is slow is shown the door.
    pub(super) is_forgetful: bool,
    pub(super) longest_way: Duration,
}

impl Scene {
    /// Which step it is.
    pub(super) fn moment(&self) -> usize {
        self.past.len() - 1
    }

    /// What the server's clock has shown since.
    pub(super) fn clock_since(&self, moment: usize) -> impl Iterator<Item = i64> {
        self.past[moment..].iter().map(|(time, _)| *time)
    }

    /// Whether the server's clock was never within so many seconds of this time since.
    pub(super) fn was_always_off(&self, moment: usize, time: i64, seconds: u64) -> bool {
        self.clock_since(moment).all(|shown| shown.abs_diff(time) > seconds)
    }

    /// Whether the server's clock was off by more than so many seconds from this time since.
    pub(super) fn was_off(&self, moment: usize, time: i64, seconds: u64) -> bool {
        self.clock_since(moment).any(|shown| shown.abs_diff(time) > seconds)
    }

    /// Who was there when the server's clock showed this time.
    pub(super) fn at(&self, unix_time: i64) -> &BTreeSet<SocketAddr> {
        let shown = self.past.iter().rev().find(|(time, _)| *time == unix_time);
        shown.map_or_else(|| panic!("the server's clock never showed {unix_time}"), |(_, roll)| roll)
    }
}
