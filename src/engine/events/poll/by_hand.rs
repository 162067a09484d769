//! Loops whose polls are simulated: what a poll would say is said by hand.

use std::sync::atomic::Ordering;
use std::time::Instant;

use mio::Poll;

use super::Loop;
use crate::engine::House;
use crate::engine::accept::Visitor;
use crate::engine::conn::Turn;
use crate::engine::events::Inbox;
use crate::engine::events::link::{Readiness, Socket};
use crate::engine::published::Look;
use crate::roll::Member;

/// What a poll says, and who has come.
pub(in crate::engine) enum Told<S> {
    /// There is something in the inbox.
    Inbox,
    /// Something has happened to the connection in this slot.
    Ready(u32, Readiness),
    /// Somebody is at the door.
    Visitor(Visitor<S>),
}

impl<S: Socket> Loop<S> {
    /// So many loops, which know each other.
    pub(in crate::engine) fn by_hand(count: usize, house: &House) -> Vec<Self> {
        let make = |_| {
            let poll = Poll::new().unwrap();
            let inbox = Inbox::new(&poll).unwrap();
            (poll, inbox)
        };
        let made: Vec<_> = (0..count).map(make).collect();
        let handles: Vec<_> = made.iter().map(|(_, inbox)| inbox.handle.clone()).collect();
        let serve = |(poll, inbox)| Self::new(poll, inbox, None, handles.clone(), house.clone());
        made.into_iter().map(serve).collect()
    }

    /// One round of the loop, as if its poll had said all this.
    pub(in crate::engine) fn round(&mut self, told: Vec<Told<S>>, now: Instant, unix_time: i64) {
        let published = self.house.published.clone();
        let view = Look::at(&published, unix_time);
        let high_mark = self.house.gate.limits().high_mark;
        let mut turn = Turn { now, view, high_mark, owed: 0, stage: self.stage };
        let (mut visitors, unfinished) = (Vec::new(), self.unfinished());
        for what in told {
            match what {
                Told::Inbox => self.open_inbox(&turn),
                Told::Ready(slot, readiness) => self.serve(slot, readiness, &turn),
                Told::Visitor(visitor) => visitors.push(visitor),
            }
        }
        self.go_on(unfinished, &turn);
        visitors.into_iter().for_each(|visitor| self.take_in(visitor, &turn).unwrap());
        self.conclude(&mut turn);
    }

    /// Whether somebody has woken it, and it has not looked yet.
    pub(in crate::engine) fn is_woken(&self) -> bool {
        self.inbox.handle.woken.load(Ordering::Acquire)
    }

    /// When it wants to have a round at the latest.
    pub(in crate::engine) fn next_round(&self, now: Instant) -> Option<Instant> {
        self.patience(now).map(|patience| now + patience)
    }

    /// Whether nothing is on its way to or from others.
    pub(in crate::engine) fn is_settled(&self) -> bool {
        self.asks.is_empty() && self.inbox.replies.is_empty() && self.inbox.movers.is_empty()
    }

    /// Its connections: as whom each is on the roll, by its own account.
    pub(in crate::engine) fn members(&self) -> impl Iterator<Item = Option<Member>> {
        self.slots.all().map(|link| link.conn.member())
    }

    /// Has it say goodbye to everybody.
    pub(in crate::engine) fn stop(&self) {
        self.inbox.handle.stopping.store(true, Ordering::Release);
        self.inbox.handle.wake();
    }

    /// Whether a poll would not be asked again.
    pub(in crate::engine) fn has_ended(&self) -> bool {
        self.inbox.handle.stopping.load(Ordering::Acquire) && self.slots.is_empty()
    }
}
