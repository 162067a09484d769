//! The only ones that change the roll.
//!
//! Asks come in through one bounded channel. A worker takes all that wait there, up to a bound, changes the
//! roll once for all of them, publishes that, and only then answers: whoever is told that he is on the roll
//! can be seen there.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::published::Published;
use crate::roll::Roll;
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
#[derive(Clone)]
pub(super) struct Workers {
    tasks: Sender<Task>,
}

impl Workers {
    /// Starts `count` workers.
    pub(super) fn start(count: NonZeroUsize, published: &Arc<Published>) -> io::Result<Self> {
        let (tasks, waiting) = bounded(WAITING_LIMIT);
        for number in 0..count.get() {
            let (waiting, published) = (waiting.clone(), Arc::clone(published));
            thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || work(&waiting, &published))?;
        }
        Ok(Self { tasks })
    }

    /// Hands a task over, or back if too many are waiting.
    pub(super) fn offer(&self, task: Task) -> Result<(), Task> {
        self.tasks.try_send(task).map_err(TrySendError::into_inner)
    }

    /// Hands a task over, and waits while too many are waiting.
    pub(super) fn put(&self, task: Task) {
        // The workers live as long as there is somebody who can call this.
        let _ = self.tasks.send(task);
    }
}

fn work(waiting: &Receiver<Task>, published: &Published) {
    let mut answers = Vec::with_capacity(BATCH_LIMIT);
    while let Ok(first) = waiting.recv() {
        published.change(|roll| {
            let more = waiting.try_iter().take(BATCH_LIMIT - 1);
            for Task { ask, reply } in std::iter::once(first).chain(more) {
                let answer = carry_out(roll, ask);
                answers.extend(reply.map(|reply| (reply, answer)));
            }
        });
        for ((mailbox, name), answer) in answers.drain(..) {
            mailbox.post(name, answer);
        }
    }
}

fn carry_out(roll: &mut Roll, ask: Ask) -> Answer {
    match ask {
        Ask::Join(applicant) => {
            let (door, address) = (applicant.door, applicant.address);
            let member = roll.join(applicant);
            log::debug!("{door} {address}: on the roll as {}, {} there", member.id, roll.len());
            Answer::Joined(member)
        }
        Ask::Leave(member) => {
            if roll.leave(member) {
                log::debug!("{} is off the roll, {} there", member.id, roll.len());
            }
            Answer::Left
        }
    }
}
