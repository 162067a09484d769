//! Where a connection's thread finds what others have for it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::{Condvar, Mutex};

use crate::engine::task::{Mail, Mailbox, Name, Parcel, Reply};
use crate::engine::{HAS_CLERKS, OWED_LIMIT};

const BYTES: Token = Token(0);
const LETTERS: Token = Token(1);

/// What has come for one connection, in order.
#[derive(Default)]
pub(super) struct Letterbox {
    inside: Mutex<Inside>,
    arrived: Condvar,
    /// Wakes a thread that waits for its peer.
    waker: Option<Waker>,
}

#[derive(Default)]
struct Inside {
    parcels: VecDeque<Parcel>,
    /// How many bytes of letters are among them.
    mail: usize,
    overrun: bool,
    /// Whether the thread is to look up, though nothing may have come.
    rung: bool,
}

/// What a thread finds in its letterbox.
pub(super) enum Found {
    Parcel(Parcel),
    /// There was no room for a letter.
    Overrun,
}

impl Letterbox {
    /// Waits until something has come or it rings, or, where a time is given, until then.
    pub(super) fn wait(&self, until: Option<Instant>) -> Option<Found> {
        let mut inside = self.inside.lock();
        loop {
            let found = inside.take();
            if found.is_some() || std::mem::take(&mut inside.rung) {
                return found;
            }
            match until {
                None => self.arrived.wait(&mut inside),
                Some(until) => {
                    if self.arrived.wait_until(&mut inside, until).timed_out() {
                        return inside.take();
                    }
                }
            }
        }
    }

    /// Takes what has come, if anything has.
    pub(super) fn look(&self) -> Option<Found> {
        self.inside.lock().take()
    }

    /// Has the thread look up, if it waits for something to come, or will.
    pub(super) fn ring(&self) {
        self.inside.lock().rung = true;
        self.arrived();
    }

    /// Whether it is heard by a thread that waits for its peer.
    pub(super) fn is_heard_while_reading(&self) -> bool {
        self.waker.is_some()
    }

    fn arrived(&self) {
        self.arrived.notify_one();
        if let Some(Err(error)) = self.waker.as_ref().filter(|_| HAS_CLERKS).map(Waker::wake) {
            log::error!("a connection's thread cannot be woken: {error}");
        }
    }
}

impl Inside {
    fn take(&mut self) -> Option<Found> {
        if std::mem::take(&mut self.overrun) {
            return Some(Found::Overrun);
        }
        let parcel = self.parcels.pop_front()?;
        if let Parcel::Mail(Mail { size, .. }) = &parcel {
            self.mail -= size;
        }
        Some(Found::Parcel(parcel))
    }
}

impl Mailbox for Letterbox {
    fn post(&self, _: Name, reply: Reply) {
        self.inside.lock().parcels.push_back(Parcel::Reply(reply));
        self.arrived();
    }

    fn mail(&self, _: Name, mail: Mail) {
        let mut inside = self.inside.lock();
        if inside.mail + mail.size > OWED_LIMIT {
            inside.overrun = true;
        } else {
            inside.mail += mail.size;
            inside.parcels.push_back(Parcel::Mail(mail));
        }
        drop(inside);
        self.arrived();
    }
}

/// How a thread waits for its peer and its letters at the same time.
pub(super) struct Ear {
    poll: Poll,
    events: Events,
}

impl Ear {
    /// An ear for what `stream` brings, and the letterbox that it listens for.
    pub(super) fn new(stream: &TcpStream) -> io::Result<(Self, Arc<Letterbox>)> {
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&stream.as_raw_fd()), BYTES, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), LETTERS)?;
        let letterbox = Arc::new(Letterbox { waker: Some(waker), ..Letterbox::default() });
        Ok((Self { poll, events: Events::with_capacity(2) }, letterbox))
    }

    /// Waits until the peer has sent something, at most for `patience`. True if it has; otherwise something else
    /// has happened.
    pub(super) fn hears(&mut self, stream: &TcpStream, patience: Option<Duration>) -> io::Result<bool> {
        // What was left over by the last read would not show again of itself.
        let mut source = SourceFd(&stream.as_raw_fd());
        self.poll.registry().reregister(&mut source, BYTES, Interest::READABLE)?;
        match self.poll.poll(&mut self.events, patience) {
            Ok(()) => Ok(self.events.iter().any(|event| event.token() == BYTES)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }
}
