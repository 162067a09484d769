//! How much may be on its way to the clerk ("Logs").
//!
//! What is inflated and escaped can be a thousand times as long as what was sent. So whoever makes lines has room for
//! them first, and the room is given back when they are written, or when nobody wants them any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of all lines that wait for the clerk, of all connections.
pub const ROOM: usize = 64 << 20;
/// The bytes that the lines of one packet may have.
pub const LINES_LIMIT: usize = 16 << 20;

/// Room for lines.
#[derive(Debug)]
pub struct Room {
    size: usize,
    taken: AtomicUsize,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self { size, taken: AtomicUsize::new(0) })
    }

    /// Takes as much of it; none: there is not so much.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let more = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.size);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Share { room: Arc::clone(self), bytes })
    }

    /// How many bytes of it are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// A share of a room, which is given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Share {
    /// Keeps so many bytes of it at the most, and gives the others back.
    pub fn shrink_to(&mut self, bytes: usize) {
        let others = self.bytes.saturating_sub(bytes);
        self.room.taken.fetch_sub(others, Ordering::AcqRel);
        self.bytes -= others;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let room = Room::new(100);
        let first = room.take(60);
        assert!(room.take(41).is_none() && room.take(usize::MAX).is_none());
        let mut second = room.take(40).unwrap();
        assert!(room.take(1).is_none() && room.take(0).is_some());
        drop(first);
        second.shrink_to(50);
        assert_eq!(room.taken(), 40);
        second.shrink_to(10);
        assert_eq!(room.taken(), 10);
        drop(second);
        assert_eq!(room.taken(), 0);
    }
}
