//! Where workers sleep while nothing is to be done.

use std::sync::atomic::{AtomicUsize, Ordering, fence};

use parking_lot::{Condvar, Mutex};

/// The sleep of workers, beside the channel that they are fed by. The channel alone would have them spin and
/// yield for some microseconds before they sleep, which is more than most tasks take.
#[derive(Default)]
pub(super) struct Bell {
    sleepers: AtomicUsize,
    door: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// Wakes a worker if all of them may be asleep. Whatever he is to find has to be there already.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Whoever has counted himself as asleep holds the door until he is.
            drop(self.door.lock());
            self.rung.notify_one();
        }
    }

    /// Sleeps until `look` finds something.
    pub(super) fn sleep_until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let mut door = self.door.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let found = loop {
            match look() {
                Some(found) => break found,
                None => self.rung.wait(&mut door),
            }
        };
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        found
    }
}
