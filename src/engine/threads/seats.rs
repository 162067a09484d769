//! The sockets on which threads may be blocked, and how to reach who blocks there.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

use super::letterbox::Letterbox;
use crate::engine::places::Guests;
use crate::session::Standing;

/// A connection's socket, and what others have for it.
pub(super) struct Seat {
    pub(super) stream: TcpStream,
    pub(super) letterbox: Arc<Letterbox>,
    /// How firmly its client is in; none: it has to give way.
    standing: Mutex<Option<Standing>>,
}

/// All sockets, by the numbers of the connections.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
}

impl Seat {
    pub(super) fn new(stream: TcpStream, standing: Standing, letterbox: Arc<Letterbox>) -> Self {
        Self { stream, letterbox, standing: Mutex::new(Some(standing)) }
    }

    /// Notes how firmly the client is in, unless it is too late.
    pub(super) fn show(&self, standing: Standing) {
        self.standing.lock().iter_mut().for_each(|shown| *shown = standing);
    }

    /// Whether the client has to give way.
    pub(super) fn is_ousted(&self) -> bool {
        self.standing.lock().is_none()
    }

    /// Has its thread look up, wherever it waits.
    fn disturb(&self) {
        self.letterbox.ring();
        if !self.letterbox.is_heard_while_reading() {
            // It ends a read that blocks; where the peer has gone, that has ended already.
            let _ = self.stream.shutdown(Shutdown::Read);
        }
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
        // Those who look up may leave at once, and are not to wait for the others to be disturbed.
        let all: Vec<_> = self.taken.lock().values().cloned().collect();
        all.into_iter().for_each(|seat| seat.disturb());
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn who_waits_for_an_answer_looks_up_when_he_has_to_give_way() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let seat = Arc::new(Seat::new(stream, Standing::Pending, Arc::default()));
        let seats = Seats::default();
        seats.take(7, &seat);
        thread::scope(|scope| {
            let waits = scope.spawn(|| seat.letterbox.wait(None).is_none());
            assert!(seats.oust(7));
            assert!(waits.join().unwrap(), "something has come");
        });
        assert!(seat.is_ousted() && (&seats).standing(7).is_none());
        assert!(!seats.oust(7), "he does so once");
        seats.leave(7);
        assert!((&seats).all().is_empty());
    }
}
