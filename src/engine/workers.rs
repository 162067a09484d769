//! The only ones that change the roll.
//!
//! Asks come in through one bounded channel. A worker takes all that wait there, up to a bound, changes the
//! roll once for all of them, publishes that, and only then answers: whoever is told that he is on the roll
//! can be seen there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use parking_lot::{Condvar, Mutex};

use super::published::Published;
use crate::roll::{Member, Roll};
use crate::session::{Answer, Ask};

/// How many asks may wait in the channel.
const WAITING_LIMIT: usize = 1024;
/// How many asks are carried out under one lock.
const BATCH_LIMIT: usize = 64;

/// A connection's name: a late answer must never reach the next tenant of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Where answers go.
pub(super) trait Mailbox: Send + Sync {
    /// Leaves an answer for the connection of this name. Never waits.
    fn post(&self, name: Name, answer: Answer);
}

/// An ask on its way, and who wants to hear what comes of it.
pub(super) struct Task {
    pub(super) ask: Ask,
    pub(super) reply: Option<(Arc<dyn Mailbox>, Name)>,
}

/// The way to the workers. They end when the last of these is dropped.
pub(super) struct Workers {
    /// None only while this is being dropped.
    tasks: Option<Sender<Task>>,
    bell: Arc<Bell>,
}

impl Workers {
    /// Starts `count` workers.
    pub(super) fn start(count: NonZeroUsize, published: &Arc<Published>) -> io::Result<Self> {
        let (tasks, waiting) = bounded(WAITING_LIMIT);
        let bell = Arc::new(Bell::default());
        for number in 0..count.get() {
            let (waiting, bell, published) = (waiting.clone(), Arc::clone(&bell), Arc::clone(published));
            let work = move || work(&waiting, &bell, &published);
            thread::Builder::new().name(format!("worker {number}")).spawn(work)?;
        }
        Ok(Self { tasks: Some(tasks), bell })
    }

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
        // The workers live as long as there is somebody who can call this.
        let _ = tasks.send(task);
        self.bell.ring();
    }
}

impl Clone for Workers {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone(), bell: Arc::clone(&self.bell) }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.tasks = None;
        self.bell.ring();
    }
}

/// Where workers sleep while nothing is to be done. The channel alone would have them spin and yield for some
/// microseconds before they sleep, which is more than most tasks take.
#[derive(Default)]
struct Bell {
    sleepers: AtomicUsize,
    door: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// Wakes a worker if all of them may be asleep. Whatever he is to find has to be there already.
    fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Whoever has counted himself as asleep holds the door until he is.
            drop(self.door.lock());
            self.rung.notify_one();
        }
    }

    /// Sleeps until `look` finds something.
    fn sleep_until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
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

fn work(waiting: &Receiver<Task>, bell: &Bell, published: &Published) {
    let mut done = Vec::with_capacity(BATCH_LIMIT);
    while let Some(first) = next(waiting, bell) {
        published.change(|roll| {
            let more = waiting.try_iter().take(BATCH_LIMIT - 1);
            done.extend(
                std::iter::once(first).chain(more).map(|task| (carry_out(roll, task.ask), task.reply)),
            );
        });
        for (Outcome { answer, event, there }, reply) in done.drain(..) {
            if let Some((mailbox, name)) = reply {
                mailbox.post(name, answer);
            }
            // Not before the roll is free again: who reads the log may be slow.
            log::debug!("{event}, {there} there");
        }
    }
    // The next one has to hear of the end, too.
    bell.ring();
}

/// The next task, however long it takes to come; none once nobody is left who could send one.
fn next(waiting: &Receiver<Task>, bell: &Bell) -> Option<Task> {
    let look = || match waiting.try_recv() {
        Ok(task) => Some(Some(task)),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(None),
    };
    look().unwrap_or_else(|| bell.sleep_until(look))
}

/// What came of an ask, and what the log is told of it.
struct Outcome {
    answer: Answer,
    event: Happened,
    there: usize,
}

enum Happened {
    Joined { door: &'static str, address: SocketAddr, member: Member },
    Left(Member),
    Toiled,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { door, address, member } => {
                write!(f, "{door} {address}: on the roll as {}", member.id)
            }
            Self::Left(member) => write!(f, "{} is off the roll", member.id),
            Self::Toiled => f.write_str("toiled"),
        }
    }
}

fn carry_out(roll: &mut Roll, ask: Ask) -> Outcome {
    let (answer, event) = match ask {
        Ask::Join(applicant) => {
            let (door, address) = (applicant.door, applicant.address);
            let member = roll.join(applicant);
            (Answer::Joined(member), Happened::Joined { door, address, member })
        }
        Ask::Leave(member) => {
            roll.leave(member);
            (Answer::Left, Happened::Left(member))
        }
        Ask::Toil(_) => (Answer::Toiled, Happened::Toiled),
    };
    Outcome { answer, event, there: roll.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::Applicant;

    struct Post(crossbeam_channel::Sender<Name>);

    impl Mailbox for Post {
        fn post(&self, name: Name, _: Answer) {
            self.0.send(name).unwrap();
        }
    }

    #[test]
    fn every_task_is_answered_however_sleepy_the_workers_are() {
        let published = Arc::new(Published::new(16));
        let workers = Workers::start(NonZeroUsize::new(3).unwrap(), &published).unwrap();
        let (post, posted) = bounded(1);
        let mailbox: Arc<dyn Mailbox> = Arc::new(Post(post));
        for slot in 0..2000 {
            let address = SocketAddr::from(([10, 0, 0, 1], 1));
            let ask = Ask::Join(Applicant { door: "test", address, name: None, listing: None, since: 0 });
            let name = Name { slot, generation: 0 };
            assert!(workers.offer(Task { ask, reply: Some((Arc::clone(&mailbox), name)) }).is_ok());
            assert_eq!(posted.recv_timeout(std::time::Duration::from_secs(30)), Ok(name));
        }
        assert_eq!(published.read(crate::roll::Roll::len), 2000);
    }

    #[test]
    fn workers_end_when_nobody_needs_them() {
        let published = Arc::new(Published::new(16));
        let workers = Workers::start(NonZeroUsize::new(3).unwrap(), &published).unwrap();
        let bell = Arc::clone(&workers.bell);
        drop(workers);
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while Arc::strong_count(&bell) > 1 {
            assert!(std::time::Instant::now() < patience, "a worker sleeps on");
            thread::yield_now();
        }
    }
}
