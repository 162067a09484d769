//! Letting clients in. `accept` never kills: out of descriptors or memory means to pause, say so, and go on.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use super::conn::Conn;
use super::events::link::Socket;
use super::limits::{Admission, Count, Gate};
use super::rehearsal::{Scene, rehearse};
use super::seldom::Seldom;
use crate::session::{Door, Output, Refusal};

/// How many connections are taken in before the ones that are there get their turn.
const ACCEPTS_PER_TURN: usize = 8;
/// How long to wait when there are no descriptors, no threads, or no memory for one more.
const PAUSE: Duration = Duration::from_millis(250);
/// How long to wait when as many are pending as may be, and all of them have just come.
const HOLD: Duration = Duration::from_millis(5);
/// How many are told before that that there is no room for them: by the descriptor that is kept in reserve, if need be.
const TOLD_PER_PAUSE: usize = 16;
/// How much is read of what each has sent, so that it is told: so many times as much as fits on the stack.
const READS: usize = 16;
/// How often that is logged.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// Connections that were refused.
static REFUSED: Seldom = Seldom::new();

/// A listener, and what lies behind it.
pub struct Entrance {
    /// Where clients knock. `TCP_NODELAY` is set on it, which connections inherit.
    pub listener: TcpListener,
    /// Which sessions they get.
    pub door: Arc<dyn Door>,
    /// What is done to each connection that is accepted.
    pub prepare: fn(&TcpStream),
}

/// All entrances of the house.
pub(super) struct Acceptor {
    entrances: Vec<Entrance>,
    gate: Arc<Gate>,
    /// Accepting goes on at this time.
    paused: Option<Instant>,
    /// Entrances that may have more waiting than one turn took in.
    waiting: VecDeque<usize>,
    trouble: Seldom,
    /// How many could not be served since somebody was, or since the last pause.
    unserved: usize,
    /// A descriptor that is given up when there are no others, so that somebody can be told.
    reserve: Option<OwnedFd>,
}

/// Who takes visitors in.
pub(super) trait Host {
    /// Whether one more may come in now, or has to wait.
    fn has_room(&mut self, now: Instant) -> bool;

    /// Lets one come in, if he may.
    ///
    /// # Errors
    /// The system has no means to serve one more. He has been told that there is no room.
    fn take_in(&mut self, visitor: Visitor<TcpStream>, now: Instant) -> io::Result<()>;
}

/// Somebody at the door.
pub(super) struct Visitor<S> {
    pub(super) stream: S,
    peer: SocketAddr,
    door: Arc<dyn Door>,
}

impl<S> Visitor<S> {
    /// Somebody who comes to `door` from `peer`.
    pub(super) fn new(stream: S, peer: SocketAddr, door: Arc<dyn Door>) -> Self {
        Self { stream, peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()), door }
    }

    /// Asks at `gate` whether the visitor may come in. For `make_room`, see there.
    pub(super) fn ask(
        &self,
        gate: &Arc<Gate>,
        now: Instant,
        make_room: &mut dyn FnMut() -> bool,
    ) -> Admission {
        let admission = gate.admit(self.door.name(), self.peer.ip(), now, make_room);
        let peer = self.peer;
        if let Some(why) = admission.refusal() {
            REFUSED.log(log::Level::Warn, now, format_args!("refused {peer}: {why}"));
        }
        admission
    }

    /// What lies behind the door.
    pub(super) fn door(&self) -> Arc<dyn Door> {
        Arc::clone(&self.door)
    }
}

impl<S: Socket> Visitor<S> {
    /// The connection, with what it is told first if it cannot be let in; none if that was told already.
    pub(super) fn settle(self, admission: Admission, now: Instant, out: &mut Output) -> Option<(S, Conn)> {
        let conn = match admission {
            Admission::Welcome(permit) => Conn::welcome(&*self.door, self.peer, permit, now),
            Admission::Refused(permit, why) => Conn::refuse(&*self.door, self.peer, permit, now, why, out),
            Admission::TurnedAway(why) => {
                turn_away(self.stream, &*self.door, why);
                return None;
            }
        };
        Some((self.stream, conn))
    }
}

/// Tells somebody at once why he cannot be let in, and closes the connection, whose calls never wait. What he has sent is
/// read, or that would take back what he is told. What he sends later may: nobody stays to read that.
#[cold]
pub(super) fn turn_away(mut stream: impl Socket, door: &dyn Door, why: Refusal) {
    let told = door.refusal(why);
    let mut sent = [0; 4096];
    // Whether he can be told is his own affair, and whatever goes wrong, this is the end.
    if stream.write(&told).is_ok() && stream.finish().is_ok() {
        let mut reads = 0..READS;
        while reads.next().is_some() && stream.read(&mut sent).is_ok_and(|length| length > 0) {}
    }
}

impl Acceptor {
    /// Registers `entrances` under the tokens from `first` on.
    pub(super) fn new(
        mut entrances: Vec<Entrance>,
        gate: Arc<Gate>,
        registry: &Registry,
        first: usize,
    ) -> io::Result<Self> {
        for (number, entrance) in entrances.iter_mut().enumerate() {
            registry.register(&mut entrance.listener, Token(first + number), Interest::READABLE)?;
        }
        let waiting = VecDeque::with_capacity(entrances.len());
        let trouble = Seldom::once_in(COMPLAINT_INTERVAL);
        Ok(Self { entrances, gate, paused: None, waiting, trouble, unserved: 0, reserve: reserve() })
    }

    /// Notes that somebody knocks at this entrance.
    pub(super) fn knock(&mut self, entrance: usize) {
        if !self.waiting.contains(&entrance) {
            self.waiting.push_back(entrance);
        }
    }

    /// When to come back at the latest; at once if there is more to accept.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.paused.or((!self.waiting.is_empty()).then_some(now))
    }

    /// Takes in some of those who wait, as long as `host` has room.
    pub(super) fn accept(&mut self, now: Instant, host: &mut impl Host) {
        if self.paused.is_some_and(|until| now < until) {
            return;
        }
        self.paused = None;
        self.reserve = self.reserve.take().or_else(reserve);
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(&number) = self.waiting.front() else { return };
            let Some(entrance) = self.entrances.get(number) else { return };
            if !host.has_room(now) {
                self.paused = Some(now + HOLD);
                return;
            }
            match entrance.listener.accept() {
                Ok((stream, peer)) => {
                    rehearse(Scene::Accept);
                    let outcome = host.take_in(entrance.meet(stream, peer), now);
                    // One that is besieged does not keep the others waiting.
                    self.waiting.rotate_left(1);
                    self.note(outcome, now);
                    if self.paused.is_some() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.waiting.pop_front();
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    let pause = format_args!("cannot accept: {error}; trying again in a moment");
                    self.trouble.log(log::Level::Warn, now, pause);
                    if is_for_want_of_descriptors(&error) {
                        self.tell_some(number);
                    }
                    self.paused = Some(now + PAUSE);
                    // The trouble may be this entrance's alone.
                    self.waiting.rotate_left(1);
                    return;
                }
            }
        }
    }

    /// Sees whether somebody was served. Where too many could not be, accepting pauses.
    fn note(&mut self, outcome: io::Result<()>, now: Instant) {
        let Err(error) = outcome else {
            self.unserved = 0;
            return;
        };
        self.trouble.log(log::Level::Warn, now, format_args!("cannot serve a connection: {error}"));
        self.unserved += 1;
        if self.unserved >= TOLD_PER_PAUSE {
            self.unserved = 0;
            self.paused = Some(now + PAUSE);
        }
    }

    /// Tells some of those who wait that there is no room for them, by the descriptor that was kept for that.
    fn tell_some(&mut self, number: usize) {
        let Some(entrance) = self.entrances.get(number) else { return };
        for _ in 0..TOLD_PER_PAUSE {
            // It is closed here, and taken again once its place is free once more.
            if self.reserve.take().is_none() {
                return;
            }
            let Ok((stream, _)) = entrance.listener.accept() else { return };
            self.gate.count(Count::Descriptors);
            turn_away(stream, &*entrance.door, Refusal::Full);
            self.reserve = reserve();
        }
    }
}

impl Entrance {
    fn meet(&self, stream: TcpStream, peer: SocketAddr) -> Visitor<TcpStream> {
        (self.prepare)(&stream);
        Visitor::new(stream, peer, Arc::clone(&self.door))
    }
}

/// One descriptor more, which is good for nothing: any would do.
fn reserve() -> Option<OwnedFd> {
    io::stderr().as_fd().try_clone_to_owned().ok()
}

/// Whether there are no descriptors: then one that is given up is one to tell somebody by.
fn is_for_want_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether accepting failed because of the one connection that would have been accepted, which is gone with it:
/// see accept(2). A refusal by a security module is not among them: it would come back for ever.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::TimedOut
    )
}
