//! Letting clients in. `accept` never kills: out of descriptors or memory means to pause, say so, and go on.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use super::conn::Conn;
use super::limits::{Admission, Gate};
use super::seldom::Seldom;
use crate::session::{Door, Output};

/// How many connections are taken in before the ones that are there get their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// How long to wait when there are no descriptors, or no memory, for one more.
const PAUSE: Duration = Duration::from_millis(250);

/// A listener, and what lies behind it.
pub struct Entrance {
    /// Where clients knock. `TCP_NODELAY` is set on it, which connections inherit.
    pub listener: TcpListener,
    /// Which sessions they get.
    pub door: Arc<dyn Door>,
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
    full: Seldom,
}

/// Somebody at the door: a connection, and whether it may come in.
pub(super) struct Visitor<S> {
    pub(super) stream: S,
    peer: SocketAddr,
    door: Arc<dyn Door>,
    admission: Admission,
}

impl<S> Visitor<S> {
    /// Somebody who comes to `door` from `peer`, and what the gate says to him.
    pub(super) fn new(
        stream: S,
        peer: SocketAddr,
        door: Arc<dyn Door>,
        gate: &Arc<Gate>,
        now: Instant,
    ) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let admission = gate.admit(door.name(), peer.ip(), now);
        Self { stream, peer, door, admission }
    }

    /// The connection, with what it is told first if it cannot be let in; none if it is to be closed at once.
    pub(super) fn settle(self, now: Instant, out: &mut Output) -> Option<(S, Conn)> {
        let conn = match self.admission {
            Admission::Welcome(permit) => Conn::welcome(&*self.door, self.peer, permit, now),
            Admission::Refused(permit, why) => Conn::refuse(&*self.door, self.peer, permit, now, why, out),
            Admission::TurnedAway => return None,
        };
        Some((self.stream, conn))
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
        Ok(Self { entrances, gate, paused: None, waiting, trouble: Seldom::new(), full: Seldom::new() })
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

    /// Takes in some of those who wait.
    pub(super) fn accept(&mut self, now: Instant, mut take_in: impl FnMut(Visitor<TcpStream>)) {
        if self.paused.is_some_and(|until| now < until) {
            return;
        }
        self.paused = None;
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(&number) = self.waiting.front() else { return };
            let Some(entrance) = self.entrances.get(number) else { return };
            match entrance.listener.accept() {
                Ok((stream, peer)) => {
                    take_in(self.meet(number, stream, peer, now));
                    // One that is besieged does not keep the others waiting.
                    self.waiting.rotate_left(1);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.waiting.pop_front();
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    let pause = format_args!("cannot accept: {error}; trying again in a moment");
                    self.trouble.log(log::Level::Warn, now, pause);
                    self.paused = Some(now + PAUSE);
                    // The trouble may be this entrance's alone.
                    self.waiting.rotate_left(1);
                    return;
                }
            }
        }
    }

    fn meet(&self, number: usize, stream: TcpStream, peer: SocketAddr, now: Instant) -> Visitor<TcpStream> {
        let door = Arc::clone(&self.entrances[number].door);
        let visitor = Visitor::new(stream, peer, door, &self.gate, now);
        let peer = visitor.peer;
        match &visitor.admission {
            Admission::Welcome(_) => {}
            Admission::Refused(_, why) => {
                self.full.log(log::Level::Warn, now, format_args!("refused {peer}: {why}"));
            }
            Admission::TurnedAway => self.full.log(log::Level::Warn, now, format_args!("turned {peer} away")),
        }
        visitor
    }
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
