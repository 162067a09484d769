//! What a loop's connections ask for, on its way out.

use std::collections::VecDeque;

use crate::engine::task::{Lane, Task};
use crate::engine::workers::Workers;

/// How many tasks of one loop may be out on each lane, in the order of [`Lane::ALL`].
const LIMITS: [usize; Lane::ALL.len()] = [1024, 256, 256, 1024];
/// How many replies may so wait for a loop.
pub(super) const REPLIES_LIMIT: usize = LIMITS[0] + LIMITS[1] + LIMITS[2] + LIMITS[3];

/// Tasks that wait for the end of the loop's turn, so that a worker is woken once for many, or for room. What
/// is slow holds up nothing but its like.
#[derive(Default)]
pub(super) struct Asks {
    waiting: [VecDeque<Task>; Lane::ALL.len()],
    /// How many are out that will be replied to.
    out: [usize; Lane::ALL.len()],
}

impl Asks {
    /// Has a task wait.
    pub(super) fn push(&mut self, task: Task) {
        self.waiting[task.lane() as usize].push_back(task);
    }

    /// Notes that a reply has come.
    pub(super) fn replied(&mut self, lane: Lane) {
        self.out[lane as usize] -= 1;
    }

    /// Whether nothing waits, and nothing is out.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty) && self.out == [0; Lane::ALL.len()]
    }

    /// Whether some wait that it makes sense to offer again in a moment: nobody tells of room.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting
            .iter()
            .zip(self.out.iter().zip(LIMITS))
            .any(|(waiting, (&out, limit))| !waiting.is_empty() && out < limit)
    }

    /// Hands over as many as the workers, and the mailbox for the replies, have room for.
    pub(super) fn offer(&mut self, workers: &Workers) {
        for lane in Lane::ALL {
            let (waiting, out) = (&mut self.waiting[lane as usize], &mut self.out[lane as usize]);
            while let Some(task) = waiting.pop_front() {
                let replied_to = task.is_replied_to();
                if replied_to && *out >= LIMITS[lane as usize] {
                    waiting.push_front(task);
                    break;
                }
                if let Err(task) = workers.offer(task) {
                    waiting.push_front(task);
                    break;
                }
                *out += usize::from(replied_to);
            }
        }
    }
}
