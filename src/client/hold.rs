//! What is kept of messages that are not complete yet, and how much of it there may be.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::error::Error;

/// The least, and the default, that a receiver holds unfinished before it closes ("Message parts").
pub const HOLD: usize = 128 << 20;

/// A bound on the bytes held in messages that are not delivered yet, shared by all calls that have a clone of it.
///
/// When it is reached, the call whose unfinished messages take most loses them, and fails when it is given more
/// of them or has to deliver one: nobody can shut out the others by sending half a message. While a message is
/// being delivered nobody loses anything: the others wait for the room that this makes.
#[derive(Debug, Clone)]
pub struct Hold(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: usize,
    ledger: Mutex<Ledger>,
    /// Something has been given back.
    room: Condvar,
}

#[derive(Debug, Default)]
struct Ledger {
    /// Bytes in all messages that are not delivered yet.
    held: usize,
    /// Messages that are being delivered.
    delivering: usize,
    /// The unfinished messages of each call; one that held most and lost them is not among them any more.
    calls: HashMap<u64, Unfinished>,
    /// What the next call is known by.
    next: u64,
}

#[derive(Debug, Default)]
struct Unfinished {
    messages: HashMap<u32, Vec<u8>>,
    /// What is complete and cannot be delivered yet, one message behind the other.
    complete: Vec<u8>,
    /// In all of them together.
    bytes: usize,
}

impl Default for Hold {
    fn default() -> Self {
        Self::new(HOLD)
    }
}

impl Hold {
    /// A bound of `limit` bytes, at least [`HOLD`].
    pub fn new(limit: usize) -> Self {
        Self::of(limit.max(HOLD))
    }

    /// How many bytes are held now.
    pub fn held(&self) -> usize {
        self.0.ledger.lock().held
    }

    pub(in crate::client) fn of(limit: usize) -> Self {
        Self(Arc::new(Account { limit, ledger: Mutex::default(), room: Condvar::new() }))
    }
}

impl Ledger {
    /// Holds `bytes` if there is room for them; says whether there was, if the call is still among us.
    fn add(&mut self, limit: usize, call: u64, id: u32, bytes: &[u8]) -> Option<bool> {
        let unfinished = self.calls.get_mut(&call)?;
        if self.held.saturating_add(bytes.len()) > limit {
            return Some(false);
        }
        unfinished.messages.entry(id).or_default().extend_from_slice(bytes);
        unfinished.bytes += bytes.len();
        self.held += bytes.len();
        Some(true)
    }

    /// The call whose unfinished messages take most, `call` with `more` bytes if several do.
    fn greatest(&self, call: u64, more: usize) -> u64 {
        let size = |other: u64, bytes: usize| if other == call { bytes.saturating_add(more) } else { bytes };
        let sizes = self.calls.iter().map(|(&other, unfinished)| (size(other, unfinished.bytes), other));
        sizes.max_by_key(|&(size, other)| (size, other == call)).map_or(call, |(_, other)| other)
    }

    /// The call loses its unfinished messages, which are returned.
    fn remove(&mut self, call: u64) -> Option<Unfinished> {
        let unfinished = self.calls.remove(&call)?;
        self.held -= unfinished.bytes;
        Some(unfinished)
    }
}

/// Where the parts of messages go as they come.
///
/// Parts of several messages may interleave. A message is delivered when it has [`ended`](Sink::ended), not before.
pub trait Sink {
    /// The next bytes of message `id`, at least one.
    ///
    /// # Errors
    /// Those of the sink; the call is closed then, and the error handed on.
    fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error>;

    /// Message `id` is complete. It may be one that had no bytes.
    ///
    /// # Errors
    /// As [`part`](Sink::part).
    fn ended(&mut self, id: u32) -> Result<(), Error>;

    /// The call has ended and message `id` has not: it will never be complete.
    fn dropped(&mut self, id: u32) {
        let _ = id;
    }
}

/// The messages of one call that have begun and not ended.
#[derive(Debug)]
pub(super) struct Held {
    hold: Hold,
    /// What the ledger knows us by.
    call: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self::new(Hold::default())
    }
}

impl Held {
    pub(super) fn new(hold: Hold) -> Self {
        let mut ledger = hold.0.ledger.lock();
        let call = ledger.next;
        ledger.next += 1;
        ledger.calls.insert(call, Unfinished::default());
        drop(ledger);
        Self { hold, call }
    }

    /// How many bytes of message `id` are held.
    pub(super) fn size(&self, id: u32) -> usize {
        let ledger = self.hold.0.ledger.lock();
        ledger.calls.get(&self.call).and_then(|call| call.messages.get(&id)).map_or(0, Vec::len)
    }

    /// Holds `bytes` if there is room for them now.
    pub(super) fn try_add(&self, id: u32, bytes: &[u8]) -> Result<bool, Error> {
        let account = &self.hold.0;
        let added = account.ledger.lock().add(account.limit, self.call, id, bytes);
        added.ok_or(Error::Held(account.limit))
    }

    /// Holds `bytes`, for which another call may have to go if it holds more than this one. Fails if this one is
    /// the one to go. Waits for what is being delivered.
    pub(super) fn add(&self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        let account = &self.hold.0;
        let mut ledger = account.ledger.lock();
        loop {
            match ledger.add(account.limit, self.call, id, bytes) {
                Some(true) => return Ok(()),
                Some(false) if ledger.delivering > 0 => account.room.wait(&mut ledger),
                Some(false) => {
                    let greatest = ledger.greatest(self.call, bytes.len());
                    let lost = ledger.remove(greatest);
                    // Giving so much back to the system takes a while.
                    parking_lot::MutexGuard::unlocked(&mut ledger, || drop(lost));
                }
                None => return Err(Error::Held(account.limit)),
            }
        }
    }

    /// Message `id` is complete, and has to wait: it is put behind those that do already.
    pub(super) fn complete(&self, id: u32) -> Result<(), Error> {
        let account = &self.hold.0;
        let mut ledger = account.ledger.lock();
        let unfinished = ledger.calls.get_mut(&self.call).ok_or(Error::Held(account.limit))?;
        let message = unfinished.messages.remove(&id).unwrap_or_default();
        unfinished.complete.extend_from_slice(&message);
        Ok(())
    }

    /// What is complete and has waited, as one; otherwise like [`take`](Self::take).
    pub(super) fn take_complete(&self) -> Result<(Vec<u8>, Grant), Error> {
        self.take_out(|unfinished| std::mem::take(&mut unfinished.complete))
    }

    /// All that is held of message `id`, which counts as held as long as the grant is there. Fails if what was
    /// held of it had to go.
    pub(super) fn take(&self, id: u32) -> Result<(Vec<u8>, Grant), Error> {
        self.take_out(|unfinished| unfinished.messages.remove(&id).unwrap_or_default())
    }

    fn take_out(&self, which: impl FnOnce(&mut Unfinished) -> Vec<u8>) -> Result<(Vec<u8>, Grant), Error> {
        let account = &self.hold.0;
        let mut ledger = account.ledger.lock();
        let unfinished = ledger.calls.get_mut(&self.call).ok_or(Error::Held(account.limit))?;
        let message = which(unfinished);
        unfinished.bytes -= message.len();
        drop(ledger);
        let grant = Grant { hold: self.hold.clone(), count: message.len(), is_delivering: false };
        Ok((message, grant))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // In a statement of its own, so that the memory is given back when the lock has been.
        let lost = self.hold.0.ledger.lock().remove(self.call);
        drop(lost);
    }
}

/// The bytes of a message that is complete and not delivered yet. They are given back when this is dropped.
#[derive(Debug)]
pub(super) struct Grant {
    hold: Hold,
    count: usize,
    is_delivering: bool,
}

impl Grant {
    /// The message is being delivered from now on. Nothing that this waits for may wait for room in the hold.
    pub(super) fn delivering(mut self) -> Self {
        if !self.is_delivering {
            self.is_delivering = true;
            self.hold.0.ledger.lock().delivering += 1;
        }
        self
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut ledger = self.hold.0.ledger.lock();
        ledger.held -= self.count;
        ledger.delivering -= usize::from(self.is_delivering);
        drop(ledger);
        self.hold.0.room.notify_all();
    }
}

/// A [`Sink`] that holds each message until it is complete and then hands it over as a whole.
#[derive(Debug)]
pub struct Whole<F> {
    deliver: F,
    held: Held,
}

impl<F: FnMut(Vec<u8>) -> Result<(), Error>> Whole<F> {
    /// Hands whole messages to `deliver` and holds no more than `hold` allows. What `deliver` has been given
    /// counts as held until it returns.
    pub fn new(hold: Hold, deliver: F) -> Self {
        Self::with(Held::new(hold), deliver)
    }

    pub(super) fn with(held: Held, deliver: F) -> Self {
        Self { deliver, held }
    }
}

impl<F> Whole<F> {
    pub(super) fn into_held(self) -> Held {
        self.held
    }
}

impl<F: FnMut(Vec<u8>) -> Result<(), Error>> Sink for Whole<F> {
    fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        self.held.add(id, bytes)
    }

    fn ended(&mut self, id: u32) -> Result<(), Error> {
        let (message, grant) = self.held.take(id)?;
        let _grant = grant.delivering();
        (self.deliver)(message)
    }

    fn dropped(&mut self, id: u32) {
        drop(self.held.take(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_handed_over_when_they_are_complete() {
        let (hold, mut delivered) = (Hold::default(), Vec::new());
        let mut sink = Whole::new(hold.clone(), |message| {
            delivered.push(message);
            Ok(())
        });
        sink.part(1, b"he").unwrap();
        sink.part(2, b"dropped").unwrap();
        sink.part(1, b"llo").unwrap();
        assert_eq!(hold.held(), 12);
        sink.ended(1).unwrap();
        sink.ended(9).unwrap();
        sink.dropped(2);
        assert_eq!(hold.held(), 0);
        drop(sink);
        assert_eq!(delivered, [&b"hello"[..], b""]);
    }

    #[test]
    fn the_hold_is_shared_and_given_back() {
        let hold = Hold::of(10);
        let mut one = Whole::new(hold.clone(), |_| Ok(()));
        let mut other = Whole::new(hold.clone(), |_| Ok(()));
        one.part(1, &[0; 6]).unwrap();
        other.part(1, &[0; 4]).unwrap();
        assert_eq!(hold.held(), 10);
        drop(one);
        assert_eq!(hold.held(), 4);
        other.part(1, &[0; 6]).unwrap();
        assert!(matches!(other.part(1, &[0; 1]), Err(Error::Held(10))), "it is the one that holds most");
        assert_eq!(hold.held(), 0);
    }

    #[test]
    fn who_holds_most_has_to_go_and_not_who_comes_last() {
        let hold = Hold::of(10);
        let mut delivered = Vec::new();
        let mut idle = Whole::new(hold.clone(), |_| panic!("half of it is gone"));
        let mut busy = Whole::new(hold.clone(), |message| {
            delivered.push(message);
            Ok(())
        });
        idle.part(1, &[0; 9]).unwrap();
        busy.part(1, b"hello").unwrap();
        assert_eq!(hold.held(), 5);
        busy.ended(1).unwrap();
        assert!(matches!(idle.part(1, b"x"), Err(Error::Held(10))));
        assert!(matches!(idle.ended(1), Err(Error::Held(10))));
        idle.dropped(1);
        drop((idle, busy));
        assert_eq!((delivered, hold.held()), (vec![b"hello".to_vec()], 0));
    }

    #[test]
    fn what_is_being_delivered_counts_and_the_others_wait_for_it() {
        let hold = Hold::of(10);
        let (begun, begins) = crossbeam_channel::bounded(0);
        let (go_on, goes_on) = crossbeam_channel::bounded::<()>(0);
        let mut slow = Whole::new(hold.clone(), move |_| {
            begun.send(()).unwrap();
            goes_on.recv().unwrap();
            Ok(())
        });
        let mut other = Whole::new(hold.clone(), |_| Ok(()));
        slow.part(1, &[0; 8]).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || slow.ended(1).unwrap());
            begins.recv().unwrap();
            assert_eq!(hold.held(), 8);
            let waiting = scope.spawn(move || other.part(1, &[0; 8]).map(|()| other));
            go_on.send(()).unwrap();
            let other = waiting.join().unwrap().unwrap();
            assert_eq!(hold.held(), 8);
            drop(other);
        });
        assert_eq!(hold.held(), 0);
    }

    #[test]
    fn a_hold_is_never_below_what_the_protocol_grants() {
        assert_eq!(Hold::new(1).0.limit, HOLD);
        assert_eq!(Hold::new(HOLD + 1).0.limit, HOLD + 1);
    }
}
