//! What could not be sent at once.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

use crate::roll::PageSlice;
use crate::session::{Output, Piece};

/// The most pieces that one write is given.
const PIECES_PER_WRITE: usize = 64;

/// What the C library adds to memory that is asked for.
const ALLOCATION: usize = 16;

/// Bytes that wait to be sent, in order. Holds no memory while nothing waits.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Owned>,
    /// How much of the first piece is sent already.
    sent: usize,
    length: usize,
}

#[derive(Debug)]
enum Owned {
    Bytes(Box<[u8]>),
    Page(PageSlice),
}

impl Owned {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Page(page) => page.as_slice(),
        }
    }
}

impl Backlog {
    /// How much memory is held: the bytes that wait, and what it takes to keep them.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| {
            let (room, pieces) = (waiting.pieces.capacity(), waiting.pieces.len());
            waiting.length + room * size_of::<Owned>() + pieces * ALLOCATION
        })
    }

    /// True if nothing waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Sends what is in `out`, behind all that waits already; what cannot be sent without blocking waits.
    #[inline]
    pub(super) fn send(&mut self, out: &Output, stream: &mut impl Write) -> io::Result<()> {
        if let (None, Some(bytes)) = (&self.waiting, out.plain()) {
            if bytes.is_empty() {
                return Ok(());
            }
            let sent = write(stream, &[IoSlice::new(bytes)])?;
            if sent < bytes.len() {
                self.push(Owned::Bytes(bytes[sent..].into()));
            }
            return Ok(());
        }
        self.append(out);
        self.flush(stream)
    }

    /// Has what is in `out` wait.
    pub(super) fn append(&mut self, out: &Output) {
        for piece in out.pieces() {
            self.push(match piece {
                Piece::Bytes(bytes) => Owned::Bytes(bytes.into()),
                Piece::Page(page) => Owned::Page(page.clone()),
            });
        }
    }

    /// Sends what waits, until nothing does or the stream would block.
    pub(super) fn flush(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while let Some(waiting) = &mut self.waiting {
            let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
            let mut skip = waiting.sent;
            let mut offered = 0;
            for (slice, piece) in slices.iter_mut().zip(&waiting.pieces) {
                *slice = IoSlice::new(&piece.as_slice()[std::mem::take(&mut skip)..]);
                offered += slice.len();
            }
            let count = waiting.pieces.len().min(PIECES_PER_WRITE);
            let sent = write(stream, &slices[..count])?;
            waiting.advance(sent);
            if waiting.length == 0 {
                self.waiting = None;
            } else if sent < offered {
                return Ok(());
            }
        }
        Ok(())
    }

    fn push(&mut self, piece: Owned) {
        let waiting = self.waiting.get_or_insert_default();
        waiting.length += piece.as_slice().len();
        waiting.pieces.push_back(piece);
    }
}

impl Waiting {
    fn advance(&mut self, sent: usize) {
        self.length -= sent;
        self.sent += sent;
        while let Some(first) = self.pieces.front().map(|piece| piece.as_slice().len()) {
            if self.sent < first {
                return;
            }
            self.sent -= first;
            self.pieces.pop_front();
        }
    }
}

/// Writes once; how much. A stream that would block has taken nothing.
fn write(stream: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        let outcome = match slices {
            [one] => stream.write(one),
            many => stream.write_vectored(many),
        };
        match outcome {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes, then would block.
    struct Pipe {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_lost_or_turned_around_by_short_writes() {
        for room in 1..40 {
            let mut backlog = Backlog::default();
            let mut pipe = Pipe { taken: Vec::new(), room: 0 };
            let mut expected = Vec::new();
            for round in 0..10_u8 {
                let mut out = Output::default();
                out.bytes().extend((0..20).map(|byte| byte + round));
                expected.extend_from_slice(out.plain().unwrap());
                pipe.room = room;
                backlog.send(&out, &mut pipe).unwrap();
                let waiting = expected.len() - pipe.taken.len();
                assert!(backlog.held() >= waiting && (waiting > 0 || backlog.held() == 0));
            }
            while !backlog.is_empty() {
                pipe.room = room;
                backlog.flush(&mut pipe).unwrap();
            }
            assert_eq!(pipe.taken, expected, "{room} bytes at a time");
        }
    }
}
