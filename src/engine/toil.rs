//! Those who do what is slow: they take a session, have it do its slow part, and bring it back.
//!
//! They are threads of their own, of low priority where the system lets them be, so that neither the roll nor
//! anybody's heartbeat waits for somebody else's arithmetic.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use super::bell::Bell;
use super::task::{Chore, Reply, Returned, Toil};
use crate::session::Effort;

/// How many chores of either effort may wait in their channel.
const WAITING_LIMIT: usize = 1024;
/// How many brief chores are done before a long one gets its turn while both kinds wait: so many take about as
/// long as that one, and neither handshakes nor logins can starve the others.
const BRIEF_FOR_A_LONG_ONE: u32 = 64;

/// The way to those who do what is slow. They end when the last of these is dropped.
pub(super) struct Toilers {
    /// None only while this is being dropped.
    ways: Option<Ways>,
    bell: Arc<Bell>,
    stopping: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Ways {
    brief: Sender<Chore>,
    long: Sender<Chore>,
}

impl Toilers {
    /// Starts `count` threads, each of which first calls `humble`.
    pub(super) fn start(count: NonZeroUsize, humble: fn()) -> io::Result<Self> {
        let ((brief, brief_in), (long, long_in)) = (bounded(WAITING_LIMIT), bounded(WAITING_LIMIT));
        let (bell, stopping) = (Arc::new(Bell::default()), Arc::new(AtomicBool::new(false)));
        for number in 0..count.get() {
            let toiler = Toiler {
                brief: brief_in.clone(),
                long: long_in.clone(),
                bell: Arc::clone(&bell),
                stopping: Arc::clone(&stopping),
                brief_in_a_row: 0,
            };
            let toil = move || {
                humble();
                toiler.run();
            };
            thread::Builder::new().name(format!("slow {number}")).spawn(toil)?;
        }
        Ok(Self { ways: Some(Ways { brief, long }), bell, stopping })
    }

    /// Hands a chore over, or back if too many are waiting.
    pub(super) fn offer(&self, chore: Chore) -> Result<(), Chore> {
        let Some(ways) = &self.ways else { return Err(chore) };
        ways.of(chore.effort).try_send(chore).map_err(TrySendError::into_inner)?;
        self.bell.ring();
        Ok(())
    }

    /// Hands a chore over, and waits while too many are waiting.
    pub(super) fn put(&self, chore: Chore) {
        let Some(ways) = &self.ways else { return };
        // Whoever toils lives as long as there is somebody who can call this.
        let _ = ways.of(chore.effort).send(chore);
        self.bell.ring();
    }

    /// From now on sessions come back without having done anything.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

impl Ways {
    fn of(&self, effort: Effort) -> &Sender<Chore> {
        match effort {
            Effort::Brief => &self.brief,
            Effort::Long => &self.long,
        }
    }
}

impl Clone for Toilers {
    fn clone(&self) -> Self {
        let (bell, stopping) = (Arc::clone(&self.bell), Arc::clone(&self.stopping));
        Self { ways: self.ways.clone(), bell, stopping }
    }
}

impl Drop for Toilers {
    fn drop(&mut self) {
        self.ways = None;
        self.bell.ring();
    }
}

/// One of them.
struct Toiler {
    brief: Receiver<Chore>,
    long: Receiver<Chore>,
    bell: Arc<Bell>,
    stopping: Arc<AtomicBool>,
    /// How many brief chores he has done since the last long one.
    brief_in_a_row: u32,
}

impl Toiler {
    fn run(mut self) {
        while let Some(Chore { mut session, effort, reply: (mailbox, name) }) = self.next() {
            self.brief_in_a_row = match effort {
                Effort::Brief => self.brief_in_a_row.saturating_add(1),
                Effort::Long => 0,
            };
            let outcome = if self.stopping.load(Ordering::Acquire) {
                Toil::Skipped
            } else {
                session.toil();
                Toil::Done
            };
            mailbox.post(name, Reply::Back(Returned { session, effort, outcome }));
        }
        // The next one has to hear of the end, too.
        self.bell.ring();
    }

    /// The next chore, however long it takes to come; none once nobody is left who could send one.
    fn next(&self) -> Option<Chore> {
        self.look().unwrap_or_else(|| self.bell.sleep_until(|| self.look()))
    }

    /// The next chore if there is one; within it none once nobody is left who could send one.
    fn look(&self) -> Option<Option<Chore>> {
        let mut ways = [&self.brief, &self.long];
        if self.brief_in_a_row >= BRIEF_FOR_A_LONG_ONE {
            ways.swap(0, 1);
        }
        let mut cut = 0;
        for way in ways {
            match way.try_recv() {
                Ok(chore) => return Some(Some(chore)),
                Err(TryRecvError::Disconnected) => cut += 1,
                Err(TryRecvError::Empty) => {}
            }
        }
        (cut == ways.len()).then_some(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::task::{Mailbox, Name};
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
            let (post, posted) = bounded(4096);
            let toilers = Toilers::start(NonZeroUsize::MIN, || {}).unwrap();
            Self { toilers, mailbox: Arc::new(Post(post)), posted, done: bounded(4096) }
        }

        fn chore(&self, slot: u32, effort: Effort) -> Chore {
            let session = Box::new(Slow(self.done.0.clone(), effort));
            Chore { session, effort, reply: (Arc::clone(&self.mailbox), Name { slot, generation: 0 }) }
        }
    }

    #[test]
    fn a_session_comes_back_when_it_has_toiled() {
        let works = Works::new();
        for slot in 0..1000 {
            assert!(works.toilers.offer(works.chore(slot, Effort::Brief)).is_ok());
            let name = Name { slot, generation: 0 };
            assert_eq!(works.posted.recv_timeout(PATIENCE), Ok((name, Toil::Done)));
        }
        assert_eq!(works.done.1.len(), 1000);
    }

    #[test]
    fn neither_brief_nor_long_chores_starve_the_others() {
        let works = Works::new();
        // As if he had been asleep: he finds them all at once.
        let ways = works.toilers.ways.clone().unwrap();
        for slot in 0..200 {
            ways.brief.send(works.chore(slot, Effort::Brief)).unwrap();
            ways.long.send(works.chore(slot, Effort::Long)).unwrap();
        }
        works.toilers.bell.ring();
        let first: Vec<_> = (0..200).map(|_| works.done.1.recv_timeout(PATIENCE).unwrap()).collect();
        let long = first.iter().filter(|&&effort| effort == Effort::Long).count();
        assert!((2..=4).contains(&long), "{long} long ones among the first 200");
    }

    #[test]
    fn at_the_end_sessions_come_back_as_they_went() {
        let works = Works::new();
        works.toilers.stop();
        assert!(works.toilers.offer(works.chore(0, Effort::Long)).is_ok());
        let name = Name { slot: 0, generation: 0 };
        assert_eq!(works.posted.recv_timeout(PATIENCE), Ok((name, Toil::Skipped)));
        assert!(works.done.1.is_empty());
    }

    #[test]
    fn they_end_when_nobody_needs_them() {
        let works = Works::new();
        let bell = Arc::clone(&works.toilers.bell);
        drop(works);
        let patience = Instant::now() + PATIENCE;
        while Arc::strong_count(&bell) > 1 {
            assert!(Instant::now() < patience, "somebody sleeps on");
            thread::yield_now();
        }
    }
}
