//! The engine of poll loops: each serves its share of the connections on one thread.
//!
//! The first loop accepts. Who has settled is handed over to the loop that has the fewest: to hand over every
//! visitor would cost more than to serve him. Sockets are registered once, for both interests, and
//! readiness is edge-triggered, so a loop remembers what it has not used up.

mod asks;
pub(super) mod link;
pub(super) mod poll;
mod slots;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use mio::net::TcpStream;
use mio::{Poll, Waker};
use parking_lot::Mutex;

use super::accept::{Acceptor, Entrance};
use super::task::{Mail, Mailbox, Name, Parcel, Reply};
use super::{House, Vigil};
use asks::REPLIES_LIMIT;
use link::{Link, Socket};
use poll::{ENTRANCES, Loop, WAKER};

/// How many connections may be on their way to one loop.
const MOVERS_LIMIT: usize = 256;

/// All loops.
pub(super) struct Loops {
    handles: Vec<Arc<Handle<TcpStream>>>,
}

/// How many letters of clerks may wait for one loop.
const MAIL_LIMIT: usize = 4096;

/// How others reach a loop.
struct Handle<S> {
    replies: Sender<(Name, Parcel)>,
    /// How many letters are among them.
    mail: AtomicUsize,
    /// For whom there was no room.
    overrun: Mutex<Vec<Name>>,
    movers: Sender<Box<Link<S>>>,
    waker: Waker,
    /// Set by the first who wakes the loop, so that the others need not.
    woken: AtomicBool,
    stopping: AtomicBool,
    /// How many connections it has.
    load: AtomicUsize,
}

/// A loop's own ends of what its handle leads to.
struct Inbox<S> {
    handle: Arc<Handle<S>>,
    replies: Receiver<(Name, Parcel)>,
    movers: Receiver<Box<Link<S>>>,
}

impl<S> Inbox<S> {
    /// The inbox of the loop that has this poll.
    fn new(poll: &Poll) -> io::Result<Self> {
        let (replies, replies_in) = bounded(REPLIES_LIMIT + MAIL_LIMIT);
        let (movers, movers_in) = bounded(MOVERS_LIMIT);
        let handle = Arc::new(Handle {
            replies,
            mail: AtomicUsize::new(0),
            overrun: Mutex::default(),
            movers,
            waker: Waker::new(poll.registry(), WAKER)?,
            woken: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            load: AtomicUsize::new(0),
        });
        Ok(Self { handle, replies: replies_in, movers: movers_in })
    }
}

impl<S> Handle<S> {
    /// Sees to it that the loop looks into its inbox.
    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            log::error!("a poll loop cannot be woken: {error}");
        }
    }
}

impl<S: Socket> Mailbox for Handle<S> {
    fn post(&self, name: Name, reply: Reply) {
        let posted = self.replies.try_send((name, Parcel::Reply(reply)));
        assert!(posted.is_ok(), "there is room for every reply");
        self.wake();
    }

    fn mail(&self, name: Name, mail: Mail) {
        let has_room = self.mail.fetch_add(1, Ordering::Relaxed) < MAIL_LIMIT;
        if !has_room || self.replies.try_send((name, Parcel::Mail(mail))).is_err() {
            self.mail.fetch_sub(1, Ordering::Relaxed);
            let mut overrun = self.overrun.lock();
            if !overrun.contains(&name) {
                overrun.push(name);
            }
        }
        self.wake();
    }
}

impl Loops {
    /// Starts `count` loops, the first of which has the `entrances`.
    pub(super) fn start(
        count: NonZeroUsize,
        house: &House,
        vigil: &Vigil,
        entrances: Vec<Entrance>,
    ) -> io::Result<Self> {
        let mut made = Vec::with_capacity(count.get());
        for _ in 0..count.get() {
            let poll = Poll::new()?;
            let inbox = Inbox::new(&poll)?;
            made.push((poll, inbox));
        }
        let handles: Vec<_> = made.iter().map(|(_, inbox)| Arc::clone(&inbox.handle)).collect();
        let mut entrances = Some(entrances);
        for (number, (poll, inbox)) in made.into_iter().enumerate() {
            let acceptor = entrances
                .take()
                .map(|all| Acceptor::new(all, Arc::clone(&house.gate), poll.registry(), ENTRANCES))
                .transpose()?;
            let serving = Loop::new(poll, inbox, acceptor, handles.clone(), house.clone());
            let vigil = vigil.clone();
            thread::Builder::new().name(format!("loop {number}")).spawn(move || serving.run(&vigil))?;
        }
        Ok(Self { handles })
    }

    /// Has every loop stop accepting and say goodbye to its connections.
    pub(super) fn stop(&self) {
        for handle in &self.handles {
            handle.stopping.store(true, Ordering::Release);
            handle.wake();
        }
    }
}
