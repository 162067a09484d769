//! The sockets on which threads may be blocked, and how to reach who blocks there.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::places::Guests;
use crate::session::Standing;

/// A connection's socket.
pub(super) struct Seat {
    pub(super) stream: TcpStream,
    /// How firmly its client is in; none: it has to give way.
    standing: Mutex<Option<Standing>>,
}

/// All sockets, by the numbers of the connections.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
}

impl Seat {
    pub(super) fn new(stream: TcpStream, standing: Standing) -> Self {
        Self { stream, standing: Mutex::new(Some(standing)) }
    }

    /// Notes how firmly the client is in, unless it is too late.
    pub(super) fn show(&self, standing: Standing) {
        self.standing.lock().iter_mut().for_each(|shown| *shown = standing);
    }

    /// Whether the client has to give way.
    pub(super) fn is_ousted(&self) -> bool {
        self.standing.lock().is_none()
    }

    /// Ends a read that blocks; where the peer has gone, it has ended already.
    fn disturb(&self) {
        let _ = self.stream.shutdown(Shutdown::Read);
    }
}

impl Seats {
    pub(super) fn take(&self, number: u64, seat: &Arc<Seat>) {
        self.taken.lock().insert(number, Arc::clone(seat));
    }

    pub(super) fn leave(&self, number: u64) {
        self.taken.lock().remove(&number);
    }

    /// Has every thread look up.
    pub(super) fn disturb_all(&self) {
        self.taken.lock().values().for_each(|seat| seat.disturb());
    }

    /// Has one give way. True if he was there to hear it.
    pub(super) fn oust(&self, number: u64) -> bool {
        let Some(seat) = self.find(number) else { return false };
        let ousted = seat.standing.lock().take().is_some();
        seat.disturb();
        ousted
    }

    fn find(&self, number: u64) -> Option<Arc<Seat>> {
        self.taken.lock().get(&number).cloned()
    }
}

impl Guests for &Seats {
    fn standing(&mut self, guest: u64) -> Option<Standing> {
        self.find(guest).and_then(|seat| *seat.standing.lock())
    }

    fn all(&mut self) -> Vec<u64> {
        self.taken.lock().keys().copied().collect()
    }
}
