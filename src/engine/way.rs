//! The ways to those who do what connections ask for: bounded channels, and where their readers sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use parking_lot::{Condvar, Mutex};

use super::task::Task;

/// The sending end of a way. Whoever reads it ends when the last of these is dropped.
#[derive(Clone)]
pub(super) struct Way {
    /// None only while this is being dropped.
    tasks: Option<Sender<Task>>,
    pub(super) bell: Arc<Bell>,
}

/// The reading end of a way.
#[derive(Clone)]
pub(super) struct Inlet {
    tasks: Receiver<Task>,
    pub(super) bell: Arc<Bell>,
}

/// What a look into an inlet shows.
pub(super) enum Look {
    Task(Task),
    Nothing,
    /// Nobody is left who could send something.
    Cut,
}

/// A way on which `limit` tasks may wait, and whose readers sleep by `bell`.
pub(super) fn way(limit: usize, bell: &Arc<Bell>) -> (Way, Inlet) {
    let (tasks, waiting) = bounded(limit);
    let way = Way { tasks: Some(tasks), bell: Arc::clone(bell) };
    (way, Inlet { tasks: waiting, bell: Arc::clone(bell) })
}

impl Way {
    /// Hands a task over, or back if too many are waiting.
    pub(super) fn offer(&self, task: Task) -> Result<(), Task> {
        let Some(tasks) = &self.tasks else { return Err(task) };
        tasks.try_send(task).map_err(TrySendError::into_inner)?;
        self.bell.ring();
        Ok(())
    }

    /// Hands a task over, and waits while too many are waiting.
    pub(super) fn put(&self, task: Task) {
        let Some(tasks) = &self.tasks else { return };
        // Whoever reads lives as long as there is somebody who can call this.
        let _ = tasks.send(task);
        self.bell.ring();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.tasks = None;
        self.bell.ring();
    }
}

impl Inlet {
    /// What there is.
    pub(super) fn look(&self) -> Look {
        match self.tasks.try_recv() {
            Ok(task) => Look::Task(task),
            Err(TryRecvError::Empty) => Look::Nothing,
            Err(TryRecvError::Disconnected) => Look::Cut,
        }
    }

    /// Whether nothing waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// All that waits, without waiting for more.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Task> + '_ {
        std::iter::from_fn(|| match self.look() {
            Look::Task(task) => Some(task),
            Look::Nothing | Look::Cut => None,
        })
    }
}

/// Where readers sleep while nothing is to be done. The channel alone would have them spin and yield for some
/// microseconds before they sleep, which is more than most tasks take.
#[derive(Default)]
pub(super) struct Bell {
    sleepers: AtomicUsize,
    door: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// Wakes a reader if all of them may be asleep. Whatever he is to find has to be there already.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Whoever has counted himself as asleep holds the door until he is.
            drop(self.door.lock());
            self.rung.notify_one();
        }
    }

    /// Sleeps until `look` shows a task or the end; or, with a `patience`, for so long.
    pub(super) fn sleep_until(&self, patience: Option<Duration>, look: &mut dyn FnMut() -> Look) -> Look {
        let mut door = self.door.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let seen = loop {
            match (look(), patience) {
                (Look::Nothing, None) => self.rung.wait(&mut door),
                (Look::Nothing, Some(patience)) => {
                    if self.rung.wait_for(&mut door, patience).timed_out() {
                        break look();
                    }
                }
                (seen, _) => break seen,
            }
        };
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        seen
    }

    /// Looks first, and sleeps if there is nothing.
    pub(super) fn wait_for(&self, patience: Option<Duration>, look: &mut dyn FnMut() -> Look) -> Look {
        match look() {
            Look::Nothing => self.sleep_until(patience, look),
            seen => seen,
        }
    }
}
