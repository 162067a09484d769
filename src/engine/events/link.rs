//! A connection and its socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::engine::backlog::Backlog;
use crate::engine::conn::{Conn, Turn, Wants};
use crate::session::Output;

/// What a connection lies on: a socket, or what stands for one in a simulation.
pub(in crate::engine) trait Socket: Read + Write + Send + 'static {
    /// Has it watched for both interests; what has come already shows with the first event.
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()>;

    /// Has it watched no more.
    fn deregister(&mut self, registry: &Registry) -> io::Result<()>;

    /// Says that nothing more is sent.
    fn finish(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(self)
    }

    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// What an event says about a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Readiness {
    pub(in crate::engine) readable: bool,
    pub(in crate::engine) writable: bool,
    /// The end of the stream shows, or that it is broken.
    pub(in crate::engine) ended: bool,
}

impl Readiness {
    #[inline]
    pub(super) fn of(event: &Event) -> Self {
        let ended = event.is_read_closed() || event.is_error();
        Self { readable: event.is_readable(), writable: event.is_writable(), ended }
    }
}

/// A connection with the socket that it lies on, and what the socket has not taken yet.
pub(super) struct Link<S> {
    pub(super) stream: S,
    pub(super) conn: Conn,
    pub(super) backlog: Backlog,
    /// When the timers look at it.
    pub(super) armed: Option<Instant>,
    /// Whether the loop will come back to it without an event.
    pub(super) waits_for_turn: bool,
    readable: Readable,
}

/// What an edge has told about the reading side and has not been used up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readable {
    No,
    /// There are bytes; a read that gives fewer than there was room for has taken them all.
    Bytes,
    /// There are bytes, and behind them the end: only reading to that end shows it.
    ToTheEnd,
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was done, and there may be more to do.
    Done,
    /// Nothing can be done before something happens.
    Idle,
    /// It is to be closed.
    Over,
}

impl<S: Socket> Link<S> {
    /// A connection that nothing is known of yet.
    pub(super) fn new(stream: S, conn: Conn) -> Self {
        Self {
            stream,
            conn,
            backlog: Backlog::default(),
            armed: None,
            waits_for_turn: false,
            readable: Readable::No,
        }
    }

    /// Remembers what an event says.
    #[inline]
    pub(super) fn note(&mut self, readiness: Readiness) {
        if readiness.ended {
            self.readable = Readable::ToTheEnd;
        } else if readiness.readable && self.readable == Readable::No {
            self.readable = Readable::Bytes;
        }
    }

    /// Has the socket looked at though no event came: a timer is about to judge.
    pub(super) fn suspect(&mut self) {
        if self.readable == Readable::No {
            self.readable = Readable::Bytes;
        }
    }

    /// Whether there is more to judge at once.
    pub(super) fn is_behind(&self) -> bool {
        self.conn.wants() == Wants::Turn
    }

    /// Whether nothing is under way: all is read, judged and sent.
    pub(super) fn is_at_rest(&self) -> bool {
        self.conn.wants() == Wants::Bytes && self.backlog.is_empty() && !self.waits_for_turn
    }

    /// Does the next thing that can be done, and leaves in `out` what comes of it.
    #[inline]
    pub(super) fn step(&mut self, buffer: &mut [u8], turn: &Turn<'_>, out: &mut Output) -> Step {
        let turn = &turn.owing(self.backlog.held());
        match self.conn.wants() {
            Wants::Turn if self.conn.may_go_on(turn) => {
                self.conn.resume(turn, out);
                Step::Done
            }
            Wants::Bytes if self.conn.may_read(turn) => self.read(buffer, turn, out),
            Wants::Discard => self.read(buffer, turn, out),
            Wants::Flush if self.backlog.is_empty() => {
                if self.conn.sent_all(turn.now) {
                    // It fails where the peer has gone already, which the next read shows.
                    let _ = self.stream.finish();
                }
                Step::Done
            }
            Wants::Close => Step::Over,
            Wants::Answer | Wants::Turn | Wants::Bytes | Wants::Flush => Step::Idle,
        }
    }

    /// Sends what is in `out`.
    #[inline]
    pub(super) fn send(&mut self, out: &Output) {
        let before = self.backlog.held();
        if let Err(error) = self.backlog.send(out, &mut self.stream) {
            self.broken(&error);
        }
        let held = self.backlog.held();
        if held > before {
            self.conn.owes(before, held);
        }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) {
        if let Err(error) = self.backlog.flush(&mut self.stream) {
            self.broken(&error);
        }
    }

    /// Nothing can be sent any more, and what waits need not.
    #[cold]
    fn broken(&mut self, error: &io::Error) {
        self.backlog = Backlog::default();
        self.conn.broken(error);
    }

    #[inline]
    fn read(&mut self, buffer: &mut [u8], turn: &Turn<'_>, out: &mut Output) -> Step {
        if self.readable == Readable::No {
            return Step::Idle;
        }
        let portion = turn.portion().min(buffer.len());
        let buffer = &mut buffer[..portion];
        match self.stream.read(buffer) {
            Ok(0) => {
                self.readable = Readable::No;
                self.conn.end_of_stream();
            }
            Ok(count) => {
                if count < buffer.len() && self.readable == Readable::Bytes {
                    self.readable = Readable::No;
                }
                self.conn.receive(&buffer[..count], turn, out);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = Readable::No,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.broken(&error),
        }
        Step::Done
    }
}
