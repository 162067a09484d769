//! Those who do what is slow: they take a session, have it do its slow part, and bring it back.
//!
//! They are threads of their own, of low priority where the system lets them be, so that neither the roll nor
//! anybody's heartbeat waits for somebody else's arithmetic.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::rehearsal::{Scene, rehearse};
use super::task::{Chore, Reply, Returned, Task, Toil};
use super::way::{Inlet, Look, Way, way};
use crate::session::Effort;

/// How many chores of either effort may wait in their channel.
const WAITING_LIMIT: usize = 1024;
/// How many brief chores are done before a long one gets its turn while both kinds wait: so many take about as
/// long as that one, and neither handshakes nor logins can starve the others.
const BRIEF_FOR_A_LONG_ONE: u32 = 64;

/// The ways to those who do what is slow.
#[derive(Clone)]
pub(super) struct Toilers {
    brief: Way,
    long: Way,
    stopping: Arc<AtomicBool>,
}

impl Toilers {
    /// Starts `count` threads, each of which first calls `humble`.
    pub(super) fn start(count: NonZeroUsize, humble: fn()) -> io::Result<Self> {
        let (toilers, toiler) = Self::new();
        for number in 0..count.get() {
            let toiler = toiler.clone();
            let toil = move || {
                humble();
                toiler.run();
            };
            thread::Builder::new().name(format!("slow {number}")).spawn(toil)?;
        }
        Ok(toilers)
    }

    /// The ways, and one who may be sent to their other ends.
    pub(super) fn new() -> (Self, Toiler) {
        let (bell, stopping) = (Arc::default(), Arc::default());
        let ((brief, brief_in), (long, long_in)) = (way(WAITING_LIMIT, &bell), way(WAITING_LIMIT, &bell));
        let toiler =
            Toiler { brief: brief_in, long: long_in, stopping: Arc::clone(&stopping), brief_in_a_row: 0 };
        (Self { brief, long, stopping }, toiler)
    }

    /// The way to them for something that takes so long.
    pub(super) fn way(&self, effort: Effort) -> &Way {
        match effort {
            Effort::Brief => &self.brief,
            Effort::Long => &self.long,
        }
    }

    /// From now on sessions come back without having done anything.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

/// One of them.
#[derive(Clone)]
pub(super) struct Toiler {
    brief: Inlet,
    long: Inlet,
    stopping: Arc<AtomicBool>,
    /// How many brief chores he has done since the last long one.
    brief_in_a_row: u32,
}

impl Toiler {
    fn run(mut self) {
        let bell = Arc::clone(&self.brief.bell);
        while let Look::Task(task) = bell.wait_for(None, &mut || self.look()) {
            self.toil(task);
        }
        // The next one has to hear of the end, too.
        bell.ring();
    }

    pub(super) fn toil(&mut self, task: Task) {
        let Task::Chore(Chore { mut session, effort, reply: (mailbox, name) }) = task else { return };
        self.brief_in_a_row = match effort {
            Effort::Brief => self.brief_in_a_row.saturating_add(1),
            Effort::Long => 0,
        };
        rehearse(Scene::Slow);
        let outcome = if self.stopping.load(Ordering::Acquire) {
            Toil::Skipped
        } else {
            session.toil();
            Toil::Done
        };
        mailbox.post(name, Reply::Back(Returned { session, effort, outcome }));
    }

    /// Whether nothing waits for him.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.brief.is_empty() && self.long.is_empty()
    }

    pub(super) fn look(&self) -> Look {
        let mut inlets = [&self.brief, &self.long];
        if self.brief_in_a_row >= BRIEF_FOR_A_LONG_ONE {
            inlets.swap(0, 1);
        }
        let mut seen = Look::Cut;
        for inlet in inlets {
            match inlet.look() {
                Look::Task(task) => return Look::Task(task),
                Look::Nothing => seen = Look::Nothing,
                Look::Cut => {}
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossbeam_channel::{Receiver, Sender, bounded};

    use super::super::task::{Mail, Mailbox, Name};
    use super::*;
    use crate::session::{Event, Fault, Output, Session, View};

    /// A session that tells when it toils.
    struct Slow(Sender<Effort>, Effort);

    impl Session for Slow {
        fn receive(&mut self, _: Instant, _: &[u8], _: &dyn View, _: &mut Output) -> Result<usize, Fault> {
            Ok(0)
        }

        fn handle(&mut self, _: Instant, _: Event, _: &dyn View, _: &mut Output) -> Result<(), Fault> {
            Ok(())
        }

        fn deadline(&self) -> Option<Instant> {
            None
        }

        fn toil(&mut self) {
            self.0.send(self.1).unwrap();
        }
    }

    struct Post(Sender<(Name, Toil)>);

    impl Mailbox for Post {
        fn post(&self, name: Name, reply: Reply) {
            let Reply::Back(back) = reply else { panic!("nobody changes the roll here") };
            self.0.send((name, back.outcome)).unwrap();
        }

        fn mail(&self, _: Name, _: Mail) {}
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    /// One toiler who begins when he is let, and the chores that wait for him.
    struct Works {
        toilers: Toilers,
        mailbox: Arc<dyn Mailbox>,
        posted: Receiver<(Name, Toil)>,
        done: (Sender<Effort>, Receiver<Effort>),
    }

    impl Works {
        fn new() -> Self {
            Self::of(Toilers::start(NonZeroUsize::MIN, || {}).unwrap())
        }

        fn of(toilers: Toilers) -> Self {
            let (post, posted) = bounded(4096);
            Self { toilers, mailbox: Arc::new(Post(post)), posted, done: bounded(4096) }
        }

        fn chore(&self, slot: u32, effort: Effort) -> Chore {
            let session = Box::new(Slow(self.done.0.clone(), effort));
            Chore { session, effort, reply: (Arc::clone(&self.mailbox), Name { slot, generation: 0 }) }
        }

        fn offer(&self, chore: Chore) -> bool {
            self.toilers.way(chore.effort).offer(Task::Chore(chore)).is_ok()
        }
    }

    #[test]
    fn a_session_comes_back_when_it_has_toiled() {
        let works = Works::new();
        for slot in 0..1000 {
            assert!(works.offer(works.chore(slot, Effort::Brief)));
            let name = Name { slot, generation: 0 };
            assert_eq!(works.posted.recv_timeout(PATIENCE), Ok((name, Toil::Done)));
        }
        assert_eq!(works.done.1.len(), 1000);
    }

    #[test]
    fn neither_brief_nor_long_chores_starve_the_others() {
        let (toilers, toiler) = Toilers::new();
        let works = Works::of(toilers);
        for slot in 0..200 {
            assert!(works.offer(works.chore(slot, Effort::Brief)));
            assert!(works.offer(works.chore(slot, Effort::Long)));
        }
        // Only now does he begin: he finds them all at once.
        thread::spawn(|| toiler.run());
        let first: Vec<_> = (0..200).map(|_| works.done.1.recv_timeout(PATIENCE).unwrap()).collect();
        let long = first.iter().filter(|&&effort| effort == Effort::Long).count();
        assert!((2..=4).contains(&long), "{long} long ones among the first 200");
    }

    #[test]
    fn at_the_end_sessions_come_back_as_they_went() {
        let works = Works::new();
        works.toilers.stop();
        assert!(works.offer(works.chore(0, Effort::Long)));
        let name = Name { slot: 0, generation: 0 };
        assert_eq!(works.posted.recv_timeout(PATIENCE), Ok((name, Toil::Skipped)));
        assert!(works.done.1.is_empty());
    }

    #[test]
    fn they_end_when_nobody_needs_them() {
        let works = Works::new();
        let bell = Arc::clone(&works.toilers.brief.bell);
        drop(works);
        let patience = Instant::now() + PATIENCE;
        while Arc::strong_count(&bell) > 1 {
            assert!(Instant::now() < patience, "somebody sleeps on");
            thread::yield_now();
        }
    }
}
