//! The roll as the workers have published it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;

use crate::roll::{Roll, Sequence};
use crate::session::View;

/// The one roll. Workers change it; connections read it, each on its own thread.
pub struct Published {
    /// The number of the newest change, beside the lock: whoever knows it already needs no lock.
    sequence: AtomicU64,
    roll: RwLock<Roll>,
}

impl Published {
    /// An empty roll whose journal remembers `journal` changes.
    pub fn new(journal: usize) -> Self {
        Self { sequence: AtomicU64::new(0), roll: RwLock::new(Roll::new(journal)) }
    }

    /// Changes the roll, and publishes the change before anybody can be told of it ("One order").
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Roll) -> T) -> T {
        let mut roll = self.roll.write();
        let outcome = change(&mut roll);
        self.sequence.store(roll.sequence().0, Ordering::Release);
        outcome
    }

    /// Looks at the roll.
    pub fn read<T>(&self, look: impl FnOnce(&Roll) -> T) -> T {
        look(&self.roll.read())
    }
}

/// What a session sees during one turn.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    published: &'a Published,
    unix_time: i64,
}

impl<'a> Look<'a> {
    /// A look at `published`, now.
    pub(super) fn now(published: &'a Published) -> Self {
        Self { published, unix_time: unix_time() }
    }

    /// A look at `published` when some clock says that it is `unix_time`.
    #[cfg(test)]
    pub(super) fn at(published: &'a Published, unix_time: i64) -> Self {
        Self { published, unix_time }
    }
}

impl View for Look<'_> {
    fn unix_time(&self) -> i64 {
        self.unix_time
    }

    #[inline]
    fn sequence(&self) -> Sequence {
        Sequence(self.published.sequence.load(Ordering::Acquire))
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.published.roll.read());
    }
}

/// Unix time in seconds; negative before 1970, where a clock without a battery may think it is.
pub(super) fn unix_time() -> i64 {
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    }
}
