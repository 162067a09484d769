//! The only ones that change the roll; and the way to them, and to those who do what is slow.
//!
//! Asks come in through one bounded channel. A worker takes all that wait there, up to a bound, changes the
//! roll once for all of them, publishes that, and only then answers: whoever is told that he is on the roll
//! can be seen there. What is slow goes to [`toil`](super::toil).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use super::bell::Bell;
use super::published::Published;
use super::task::{Change, Reply, RollTask, Task};
use super::toil::Toilers;
use crate::roll::{Member, Roll};
use crate::session::Answer;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

/// How many asks may wait in the channel.
const WAITING_LIMIT: usize = 1024;
/// How many asks are carried out under one lock.
const BATCH_LIMIT: usize = 64;

/// The way to the workers. They end when the last of these is dropped.
pub(super) struct Workers {
    /// None only while this is being dropped.
    changes: Option<Sender<RollTask>>,
    bell: Arc<Bell>,
    toilers: Option<Toilers>,
}

impl Workers {
    /// Starts `count` workers. What is slow goes to `toilers`; without them nobody may ask for it.
    pub(super) fn start(
        count: NonZeroUsize,
        toilers: Option<Toilers>,
        published: &Arc<Published>,
    ) -> io::Result<Self> {
        let (changes, waiting) = bounded(WAITING_LIMIT);
        let bell = Arc::new(Bell::default());
        for number in 0..count.get() {
            let (waiting, bell, published) = (waiting.clone(), Arc::clone(&bell), Arc::clone(published));
            let work = move || work(&waiting, &bell, &published);
            thread::Builder::new().name(format!("worker {number}")).spawn(work)?;
        }
        Ok(Self { changes: Some(changes), bell, toilers })
    }

    /// Hands a task over, or back if too many are waiting on its way.
    pub(super) fn offer(&self, task: Task) -> Result<(), Task> {
        match (task, &self.changes, &self.toilers) {
            (Task::Roll(task), Some(changes), _) => {
                changes.try_send(task).map_err(|full| Task::Roll(full.into_inner()))?;
                self.bell.ring();
                Ok(())
            }
            (Task::Chore(chore), _, Some(toilers)) => toilers.offer(chore).map_err(Task::Chore),
            (task, ..) => Err(task),
        }
    }

    /// Hands a task over, and waits while too many are waiting on its way.
    pub(super) fn put(&self, task: Task) {
        match (task, &self.changes, &self.toilers) {
            (Task::Roll(task), Some(changes), _) => {
                // The workers live as long as there is somebody who can call this.
                let _ = changes.send(task);
                self.bell.ring();
            }
            (Task::Chore(chore), _, Some(toilers)) => toilers.put(chore),
            _ => {}
        }
    }

    /// From now on nothing slow is begun any more: the daemon ends.
    pub(super) fn stop_toil(&self) {
        self.toilers.iter().for_each(Toilers::stop);
    }
}

impl Clone for Workers {
    fn clone(&self) -> Self {
        let (changes, toilers) = (self.changes.clone(), self.toilers.clone());
        Self { changes, bell: Arc::clone(&self.bell), toilers }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.changes = None;
        self.bell.ring();
    }
}

fn work(waiting: &Receiver<RollTask>, bell: &Bell, published: &Published) {
    let mut done = Vec::with_capacity(BATCH_LIMIT);
    while let Some(first) = next(waiting, bell) {
        published.change(|roll| {
            let more = waiting.try_iter().take(BATCH_LIMIT - 1);
            done.extend(
                std::iter::once(first)
                    .chain(more)
                    .map(|RollTask { change, reply }| (carry_out(roll, change), reply)),
            );
        });
        for (Outcome { answer, event, there }, reply) in done.drain(..) {
            if let Some((mailbox, name)) = reply {
                mailbox.post(name, Reply::Answer(answer));
            }
            // Not before the roll is free again: who reads the log may be slow.
            log::debug!("{event}, {there} there");
        }
    }
    // The next one has to hear of the end, too.
    bell.ring();
}

/// The next change, however long it takes to come; none once nobody is left who could send one.
fn next(waiting: &Receiver<RollTask>, bell: &Bell) -> Option<RollTask> {
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
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { door, address, member } => {
                write!(f, "{door} {address}: on the roll as {}", member.id)
            }
            Self::Left(member) => write!(f, "{} is off the roll", member.id),
        }
    }
}

fn carry_out(roll: &mut Roll, change: Change) -> Outcome {
    let (answer, event) = match change {
        Change::Join(applicant) => {
            let (door, address) = (applicant.door, applicant.address);
            let member = roll.join(applicant);
            (Answer::Joined(member), Happened::Joined { door, address, member })
        }
        Change::Leave(member) => {
            roll.leave(member);
            (Answer::Left, Happened::Left(member))
        }
    };
    Outcome { answer, event, there: roll.len() }
}

#[cfg(test)]
mod tests {
    use super::super::task::{Mailbox, Name};
    use super::*;
    use crate::roll::Applicant;
    use crate::session::Ask;

    struct Post(crossbeam_channel::Sender<Name>);

    impl Mailbox for Post {
        fn post(&self, name: Name, _: Reply) {
            self.0.send(name).unwrap();
        }
    }

    #[test]
    fn every_task_is_answered_however_sleepy_the_workers_are() {
        let published = Arc::new(Published::new(16));
        let workers = Workers::start(NonZeroUsize::new(3).unwrap(), None, &published).unwrap();
        let (post, posted) = bounded(1);
        let mailbox: Arc<dyn Mailbox> = Arc::new(Post(post));
        for slot in 0..2000 {
            let address = SocketAddr::from(([10, 0, 0, 1], 1));
            let ask = Ask::Join(Applicant { door: "test", address, name: None, listing: None, since: 0 });
            let name = Name { slot, generation: 0 };
            let task = Task::new(ask, || None, (Arc::clone(&mailbox), name)).unwrap();
            assert!(workers.offer(task).is_ok());
            assert_eq!(posted.recv_timeout(std::time::Duration::from_secs(30)), Ok(name));
        }
        assert_eq!(published.read(crate::roll::Roll::len), 2000);
    }

    #[test]
    fn workers_end_when_nobody_needs_them() {
        let published = Arc::new(Published::new(16));
        let workers = Workers::start(NonZeroUsize::new(3).unwrap(), None, &published).unwrap();
        let bell = Arc::clone(&workers.bell);
        drop(workers);
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while Arc::strong_count(&bell) > 1 {
            assert!(std::time::Instant::now() < patience, "a worker sleeps on");
            thread::yield_now();
        }
    }
}
