//! The only ones that change the roll; and the way to them, and to those who do what is slow.
//!
//! Asks come in through one bounded channel. A worker takes all that wait there, up to a bound, changes the
//! roll once for all of them, publishes that, and only then answers: whoever is told that he is on the roll
//! can be seen there. What is slow goes to [`toil`](super::toil), and what the books of a door are about over a
//! [`desk`](super::desk).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use super::published::Published;
use super::rehearsal::{Scene, rehearse};
use super::task::{Change, Reply, RollTask, Sender, Task};
use super::toil::Toilers;
use super::way::{Inlet, Look, Way, way};
use super::{Vigil, desk};
use crate::roll::{Member, Roll};
use crate::session::{Answer, Clerk};

/// How many asks may wait in the channel.
const WAITING_LIMIT: usize = 1024;
/// How many asks are carried out under one lock.
const BATCH_LIMIT: usize = 64;

/// The ways to all who do what connections ask for.
#[derive(Clone)]
pub(super) struct Workers {
    roll: Way,
    toil: Option<Toilers>,
    desks: Vec<(&'static str, Way)>,
}

impl Workers {
    /// Starts `count` workers. What is slow goes to `toil`; without it nobody may ask for it.
    pub(super) fn start(
        count: NonZeroUsize,
        toil: Option<Toilers>,
        published: &Arc<Published>,
    ) -> io::Result<Self> {
        let (roll, inlet) = way(WAITING_LIMIT, &Arc::default());
        for number in 0..count.get() {
            let (inlet, published) = (inlet.clone(), Arc::clone(published));
            let work = move || work(&inlet, &published);
            thread::Builder::new().name(format!("worker {number}")).spawn(work)?;
        }
        Ok(Self { roll, toil, desks: Vec::new() })
    }

    /// Gives the clerk of these doors a thread: what their books are about goes to him from now on.
    pub(super) fn hire(
        &mut self,
        doors: Vec<&'static str>,
        clerk: Box<dyn Clerk>,
        vigil: Vigil,
    ) -> io::Result<()> {
        let way = desk::open(doors.first().copied().unwrap_or_default(), clerk, self.roll.clone(), vigil)?;
        self.desks.extend(doors.into_iter().map(|door| (door, way.clone())));
        Ok(())
    }

    /// Ways whose other ends somebody else has.
    #[cfg(test)]
    pub(super) fn of(roll: Way, toil: Toilers, desks: Vec<(&'static str, Way)>) -> Self {
        Self { roll, toil: Some(toil), desks }
    }

    /// Hands a task over, or back if too many are waiting on its way.
    pub(super) fn offer(&self, task: Task) -> Result<(), Task> {
        match self.way(&task) {
            Some(way) => way.offer(task),
            None => Err(task),
        }
    }

    /// Hands a task over, and waits while too many are waiting on its way.
    pub(super) fn put(&self, task: Task) {
        if let Some(way) = self.way(&task) {
            way.put(task);
        }
    }

    /// Whether a door has a clerk, who may have something to say to its connections.
    pub(super) fn has_clerk(&self, door: &str) -> bool {
        self.desk(door).is_some()
    }

    /// From now on nothing slow is begun any more: the daemon ends.
    pub(super) fn stop_toil(&self) {
        self.toil.iter().for_each(Toilers::stop);
    }

    fn way(&self, task: &Task) -> Option<&Way> {
        match task {
            Task::Roll(_) => Some(&self.roll),
            Task::Chore(chore) => self.toil.as_ref().map(|toil| toil.way(chore.effort)),
            Task::Errand(errand) => self.desk(errand.door),
        }
    }

    fn desk(&self, door: &str) -> Option<&Way> {
        self.desks.iter().find_map(|(name, way)| (*name == door).then_some(way))
    }
}

fn work(inlet: &Inlet, published: &Published) {
    let mut done = Vec::with_capacity(BATCH_LIMIT);
    while let Look::Task(first) = inlet.bell.wait_for(None, &mut || inlet.look()) {
        change(first, inlet, published, &mut done);
        answer(&mut done);
    }
    // The next one has to hear of the end, too.
    inlet.bell.ring();
}

/// Changes the roll as `first`, and those that wait behind it, want.
pub(super) fn change(first: Task, inlet: &Inlet, published: &Published, done: &mut Vec<Done>) {
    published.change(|roll| {
        let all = std::iter::once(first).chain(inlet.waiting().take(BATCH_LIMIT - 1));
        done.extend(all.filter_map(|task| match task {
            Task::Roll(RollTask { change, reply }) => Some(Done(carry_out(roll, change), reply)),
            Task::Chore(_) | Task::Errand(_) => None,
        }));
    });
}

/// Tells whoever asked that it is done.
pub(super) fn answer(done: &mut Vec<Done>) {
    for Done(Outcome { answer, event, there }, reply) in done.drain(..) {
        if let Some((mailbox, name)) = reply {
            mailbox.post(name, Reply::Answer(answer));
        }
        // Not before the roll is free again: who reads the log may be slow.
        log::debug!("{event}, {there} there");
    }
}

/// What came of a change, and who wants to know.
pub(super) struct Done(Outcome, Option<Sender>);

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
    rehearse(Scene::Worker);
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
    use super::super::task::{Change, Mail, Mailbox, Name, RollTask};
    use super::*;
    use crate::roll::Applicant;

    struct Post(crossbeam_channel::Sender<Name>);

    impl Mailbox for Post {
        fn post(&self, name: Name, _: Reply) {
            self.0.send(name).unwrap();
        }

        fn mail(&self, _: Name, _: Mail) {}
    }

    #[test]
    fn every_task_is_answered_however_sleepy_the_workers_are() {
        let published = Arc::new(Published::new(16));
        let workers = Workers::start(NonZeroUsize::new(3).unwrap(), None, &published).unwrap();
        let (post, posted) = crossbeam_channel::bounded(1);
        let mailbox: Arc<dyn Mailbox> = Arc::new(Post(post));
        for slot in 0..2000 {
            let address = SocketAddr::from(([10, 0, 0, 1], 1));
            let applicant = Applicant { door: "test", address, name: None, listing: None, since: 0 };
            let name = Name { slot, generation: 0 };
            let reply = Some((Arc::clone(&mailbox), name));
            let task = RollTask { change: Change::Join(applicant), reply };
            assert!(workers.offer(Task::Roll(task)).is_ok());
            assert_eq!(posted.recv_timeout(std::time::Duration::from_secs(30)), Ok(name));
        }
        assert_eq!(published.read(crate::roll::Roll::len), 2000);
    }

    #[test]
    fn workers_end_when_nobody_needs_them() {
        let published = Arc::new(Published::new(16));
        let workers = Workers::start(NonZeroUsize::new(3).unwrap(), None, &published).unwrap();
        let bell = Arc::clone(&workers.roll.bell);
        drop(workers);
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while Arc::strong_count(&bell) > 1 {
            assert!(std::time::Instant::now() < patience, "a worker sleeps on");
            thread::yield_now();
        }
    }
}
