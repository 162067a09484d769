//! The fake network: what stands for a socket, and what is on its way to and from it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use std::collections::VecDeque;

use mio::{Registry, Token};
use parking_lot::Mutex;

use crate::engine::events::link::{Readiness, Socket};

/// The server's end of a connection, as the system keeps it.
pub(super) struct Wire {
    /// What has come and was not read.
    unread: VecDeque<u8>,
    end: Option<End>,
    /// What was written since it was looked at.
    written: Vec<u8>,
    /// How many bytes may be written before the peer has read some.
    room: usize,
    /// A write was refused since there was room.
    is_blocked: bool,
    is_finished: bool,
    is_closed: bool,
    /// Where it is watched, and whether that is news.
    seat: Option<(usize, u32)>,
    is_new_there: bool,
    /// The loop that has its round.
    place: Arc<Mutex<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Reset,
}

/// What is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Bytes(Vec<u8>),
    /// Nothing more is sent that way.
    Finish,
    /// The connection is broken.
    Reset,
}

/// What stands for a socket.
pub(in crate::engine) struct FakeSocket {
    wire: Arc<Mutex<Wire>>,
}

/// A connection, from the client's end to the server's.
pub(super) struct Line {
    pub(super) door: usize,
    pub(super) peer: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    pub(super) to_server: VecDeque<Segment>,
    pub(super) to_client: VecDeque<Segment>,
    /// What the server's poll has to hear of.
    pub(super) news: Option<Readiness>,
    /// Nothing gets through any more, and nobody is told.
    pub(super) is_cut: bool,
    /// The client has heard the end, or has gone itself.
    pub(super) is_over: bool,
    told_finish: bool,
}

impl Line {
    pub(super) fn new(
        door: usize,
        peer: SocketAddr,
        room: usize,
        place: &Arc<Mutex<usize>>,
    ) -> (Self, FakeSocket) {
        let wire = Wire {
            unread: VecDeque::new(),
            end: None,
            written: Vec::new(),
            room,
            is_blocked: false,
            is_finished: false,
            is_closed: false,
            seat: None,
            is_new_there: false,
            place: Arc::clone(place),
        };
        let wire = Arc::new(Mutex::new(wire));
        let socket = FakeSocket { wire: Arc::clone(&wire) };
        let line = Self {
            door,
            peer,
            wire,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            news: None,
            is_cut: false,
            is_over: false,
            told_finish: false,
        };
        (line, socket)
    }

    /// Where the server watches it.
    pub(super) fn seat(&self) -> Option<(usize, u32)> {
        let wire = self.wire.lock();
        wire.seat.filter(|_| !wire.is_closed)
    }

    /// Whether the server has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.wire.lock().is_closed
    }

    /// Something arrives at the server's end; true if the client is told that nobody is there.
    pub(super) fn arrive(&mut self, segment: Segment) -> bool {
        let mut wire = self.wire.lock();
        if wire.is_closed {
            // Who sends to a socket that is closed is told so.
            let is_told = segment != Segment::Reset && !self.is_over;
            if is_told {
                self.to_client.push_back(Segment::Reset);
            }
            return is_told;
        }
        let ended = !matches!(segment, Segment::Bytes(_));
        // What is broken can be written to: the write says so.
        let writable = segment == Segment::Reset;
        match segment {
            Segment::Bytes(bytes) => wire.unread.extend(bytes),
            Segment::Finish => wire.end = wire.end.or(Some(End::Finished)),
            Segment::Reset => {
                wire.end = Some(End::Reset);
                wire.unread.clear();
            }
        }
        drop(wire);
        self.note(Readiness { readable: true, writable, ended });
        false
    }

    /// The client has read so much of what the server wrote.
    pub(super) fn make_room(&mut self, count: usize) {
        let mut wire = self.wire.lock();
        wire.room += count;
        if std::mem::take(&mut wire.is_blocked) {
            drop(wire);
            self.note(Readiness { readable: false, writable: true, ended: false });
        }
    }

    /// What the server has done to it since it was looked at; how many things there are for the client.
    pub(super) fn look(&mut self) -> usize {
        let mut wire = self.wire.lock();
        let before = self.to_client.len();
        if !wire.written.is_empty() {
            self.to_client.push_back(Segment::Bytes(std::mem::take(&mut wire.written)));
        }
        if (wire.is_finished || wire.is_closed) && !self.told_finish {
            self.told_finish = true;
            let is_rude = wire.is_closed && !wire.unread.is_empty();
            self.to_client.push_back(if is_rude { Segment::Reset } else { Segment::Finish });
        }
        if std::mem::take(&mut wire.is_new_there) {
            let readiness = Readiness {
                readable: !wire.unread.is_empty() || wire.end.is_some(),
                writable: true,
                ended: wire.end.is_some(),
            };
            drop(wire);
            self.note(readiness);
        }
        self.to_client.len() - before
    }

    fn note(&mut self, more: Readiness) {
        let known = self.news.get_or_insert(more);
        known.readable |= more.readable;
        known.writable |= more.writable;
        known.ended |= more.ended;
    }
}

impl Read for FakeSocket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.wire.lock();
        match (wire.unread.is_empty(), wire.end) {
            (_, Some(End::Reset)) => Err(ErrorKind::ConnectionReset.into()),
            (true, Some(End::Finished)) => Ok(0),
            (true, None) => Err(ErrorKind::WouldBlock.into()),
            // Less than all of it only where there is no room, as with sockets: a ring gives up to its seam.
            (false, _) => {
                let count = wire.unread.read(into)?;
                Ok(count + wire.unread.read(&mut into[count..])?)
            }
        }
    }
}

impl Write for FakeSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.wire.lock();
        if wire.end == Some(End::Reset) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(wire.room);
        wire.is_blocked |= count < bytes.len();
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        wire.room -= count;
        wire.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// As a system does it: less than all of it only if there is no room.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(&slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for FakeSocket {
    fn register(&mut self, _: &Registry, token: Token) -> io::Result<()> {
        let mut wire = self.wire.lock();
        let place = *wire.place.lock();
        wire.seat = Some((place, u32::try_from(token.0).unwrap()));
        wire.is_new_there = true;
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        self.wire.lock().seat = None;
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        let mut wire = self.wire.lock();
        wire.is_finished = true;
        if wire.end == Some(End::Reset) { Err(ErrorKind::NotConnected.into()) } else { Ok(()) }
    }
}

impl Drop for FakeSocket {
    fn drop(&mut self) {
        self.wire.lock().is_closed = true;
    }
}
