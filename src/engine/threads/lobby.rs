//! How connections come in, and others give way to them.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Shared, receive};
use crate::engine::accept::{Host, Visitor, turn_away};
use crate::engine::places::Places;
use crate::engine::{HAS_LOOSE, Vigil};
use crate::session::{Door, Output, Refusal};

/// What the accepting thread knows of those who have come in.
pub(super) struct Lobby {
    pub(super) shared: Arc<Shared>,
    vigil: Vigil,
    /// How many have come.
    met: u64,
    /// Who gives way to those who come.
    places: Places,
}

impl Lobby {
    pub(super) fn new(shared: Arc<Shared>, vigil: Vigil) -> Self {
        Self { shared, vigil, met: 0, places: Places::default() }
    }
}

impl Host for Lobby {
    fn has_room(&mut self, now: Instant) -> bool {
        let Shared { house, seats, .. } = &*self.shared;
        house.gate.room_for_pending().is_some_and(|room| room > 0) || self.places.have_ripe(now, &mut &*seats)
    }

    fn take_in(&mut self, visitor: Visitor<mio::net::TcpStream>, now: Instant) -> io::Result<()> {
        let Self { shared, vigil, met, places } = self;
        *met += 1;
        let admission =
            visitor.ask(&shared.house.gate, now, &mut || HAS_LOOSE && oust_loosest(shared, places, now));
        let refusal = admission.refusal();
        let (door, mut out) = (visitor.door(), Output::default());
        let Some((stream, conn)) = visitor.settle(admission, now, &mut out) else { return Ok(()) };
        if let Err((error, stream)) = receive(stream.into(), conn, out, *met, shared, vigil) {
            if refusal.is_none() {
                shared.house.gate.regret();
            }
            if let Some(stream) = stream {
                tell(stream, &*door, refusal.unwrap_or(Refusal::Full));
            }
            return Err(error);
        }
        if refusal.is_none() {
            oust_oldest(shared, places, *met, now);
        }
        Ok(())
    }
}

/// Tells somebody who has no thread why he cannot be let in.
fn tell(stream: TcpStream, door: &dyn Door, why: Refusal) {
    if stream.set_nonblocking(true).is_ok() {
        turn_away(mio::net::TcpStream::from_std(stream), door, why);
    }
}

/// Notes one who has come, and has the one give way who has been pending for longest, if there are too many.
fn oust_oldest(shared: &Shared, places: &mut Places, newest: u64, now: Instant) {
    let mut guests = &shared.seats;
    places.note(newest, now, &mut guests);
    if shared.house.gate.room_for_pending().is_none() {
        while places.oldest(now, &mut guests).is_some_and(|oldest| !shared.seats.oust(oldest)) {}
    }
}

/// Has the one give way from whom nothing has come for longest, if it is long enough.
fn oust_loosest(shared: &Shared, places: &mut Places, now: Instant) -> bool {
    let seconds = shared.house.gate.limits().give_way as u64;
    let least = Duration::from_secs(seconds);
    let loosest = (seconds > 0).then(|| places.loosest(now, least, &mut &shared.seats)).flatten();
    loosest.is_some_and(|loosest| shared.seats.oust(loosest))
}
