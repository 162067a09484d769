//! Those who come in, and those who give way to them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::Token;
use mio::net::TcpStream;

use super::Loop;
use crate::engine::accept::{Host, Visitor, turn_away};
use crate::engine::conn::{Conn, Stage, Turn};
use crate::engine::events::link::{Link, Socket};
use crate::engine::task::{Name, Task};
use crate::engine::{HAS_LOOSE, KEEP_LIMIT};
use crate::session::Refusal;

/// A loop that takes visitors in during a turn.
pub(super) struct Receiving<'a, 'b> {
    pub(super) by: &'a mut Loop<TcpStream>,
    pub(super) turn: &'a Turn<'b>,
}

impl Host for Receiving<'_, '_> {
    fn has_room(&mut self, now: Instant) -> bool {
        let Loop { house, places, slots, .. } = self.by;
        house.gate.room_for_pending().is_some_and(|room| room > 0) || places.have_ripe(now, slots)
    }

    fn take_in(&mut self, visitor: Visitor<TcpStream>, _: Instant) -> io::Result<()> {
        self.by.take_in(visitor, self.turn)
    }
}

impl<S: Socket> Loop<S> {
    /// Takes a new connection in.
    ///
    /// # Errors
    /// The system does not have its socket watched. It has been told that there is no room.
    pub(super) fn take_in(&mut self, visitor: Visitor<S>, turn: &Turn<'_>) -> io::Result<()> {
        let door = visitor.door();
        let gate = Arc::clone(&self.house.gate);
        let admission = visitor.ask(&gate, turn.now, &mut || HAS_LOOSE && self.oust_loosest(turn));
        let refusal = admission.refusal();
        let settled = visitor.settle(admission, turn.now, &mut self.out);
        let Some((stream, conn)) = settled.filter(|_| self.stage == Stage::Running) else {
            self.out.clear(KEEP_LIMIT);
            return Ok(());
        };
        self.inbox.handle.load.fetch_add(1, Ordering::Relaxed);
        let slot = match self.seat(Box::new(Link::new(stream, conn))) {
            Ok(slot) => slot,
            Err((error, mut link)) => {
                self.out.clear(KEEP_LIMIT);
                if refusal.is_none() {
                    gate.regret();
                }
                self.give_up(&error, &mut link);
                turn_away(link.stream, &*door, refusal.unwrap_or(Refusal::Full));
                return Err(error);
            }
        };
        if let Some(link) = self.slots.at(slot) {
            link.conn.open(turn, &mut self.out);
            self.pass_on(slot);
            self.turn(slot, turn);
        }
        if self.slots.at(slot).is_some_and(|link| link.conn.is_pending()) {
            self.places.note(self.slots.name(slot).into(), turn.now, &mut self.slots);
            if gate.room_for_pending().is_none()
                && let Some(oldest) = self.places.oldest(turn.now, &mut self.slots)
            {
                self.end(Name::from(oldest).slot, Conn::give_way, turn);
            }
        }
        Ok(())
    }

    /// Has the one give way from whom nothing has come for longest, if it is long enough.
    fn oust_loosest(&mut self, turn: &Turn<'_>) -> bool {
        let seconds = self.house.gate.limits().give_way as u64;
        if seconds == 0 {
            return false;
        }
        let least = Duration::from_secs(seconds);
        let Some(loosest) = self.places.loosest(turn.now, least, &mut self.slots) else { return false };
        self.end(Name::from(loosest).slot, Conn::give_way, turn);
        true
    }

    /// Gives a connection a slot and has its socket watched. If the system does not do that, it comes back.
    pub(super) fn seat(&mut self, mut link: Box<Link<S>>) -> Result<u32, (io::Error, Box<Link<S>>)> {
        let slot = self.slots.vacancy();
        match link.stream.register(self.poll.registry(), Token(slot as usize)) {
            Ok(()) => {
                self.slots.fill(slot, link);
                Ok(slot)
            }
            Err(error) => Err((error, link)),
        }
    }

    /// Ends a connection that has no slot.
    #[cold]
    pub(super) fn give_up(&mut self, error: &io::Error, link: &mut Link<S>) {
        self.inbox.handle.load.fetch_sub(1, Ordering::Relaxed);
        link.conn.broken(error);
        Task::partings(&mut link.conn).for_each(|task| self.asks.push(task));
    }
}
