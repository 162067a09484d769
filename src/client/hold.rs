//! What is kept of messages that are not complete yet, and how much of it there may be.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;

/// The least, and the default, that a receiver holds unfinished before it closes ("Message parts").
pub const HOLD: usize = 128 << 20;

/// A bound on the bytes held in unfinished messages, shared by all calls that have a clone of it.
#[derive(Debug, Clone)]
pub struct Hold(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: usize,
    held: AtomicUsize,
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
        self.0.held.load(Ordering::Relaxed)
    }

    pub(in crate::client) fn of(limit: usize) -> Self {
        Self(Arc::new(Account { limit, held: AtomicUsize::new(0) }))
    }

    fn take(&self, count: usize) -> Result<(), Error> {
        let held = self.0.held.fetch_add(count, Ordering::Relaxed) + count;
        if held > self.0.limit {
            self.give_back(count);
            return Err(Error::Held(self.0.limit));
        }
        Ok(())
    }

    fn give_back(&self, count: usize) {
        self.0.held.fetch_sub(count, Ordering::Relaxed);
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

/// Messages that have begun and not ended.
#[derive(Debug)]
pub(super) struct Held {
    messages: HashMap<u32, Vec<u8>>,
    hold: Hold,
}

impl Held {
    pub(super) fn new(hold: Hold) -> Self {
        Self { messages: HashMap::new(), hold }
    }

    pub(super) fn add(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        self.hold.take(bytes.len())?;
        self.messages.entry(id).or_default().extend_from_slice(bytes);
        Ok(())
    }

    /// All that is held of message `id`.
    pub(super) fn take(&mut self, id: u32) -> Vec<u8> {
        let message = self.messages.remove(&id).unwrap_or_default();
        self.hold.give_back(message.len());
        message
    }

    /// The same, and it still counts as held: what was given must be [given back](Self::give_back).
    pub(super) fn take_in_hand(&mut self, id: u32) -> Vec<u8> {
        self.messages.remove(&id).unwrap_or_default()
    }

    pub(super) fn give_back(&self, message: &[u8]) {
        self.hold.give_back(message.len());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = self.messages.values().map(Vec::len).sum();
        self.hold.give_back(held);
    }
}

/// A [`Sink`] that holds each message until it is complete and then hands it over as a whole.
#[derive(Debug)]
pub struct Whole<F> {
    deliver: F,
    held: Held,
}

impl<F: FnMut(Vec<u8>) -> Result<(), Error>> Whole<F> {
    /// Hands whole messages to `deliver` and holds no more than `hold` allows.
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
        (self.deliver)(self.held.take(id))
    }

    fn dropped(&mut self, id: u32) {
        self.held.take(id);
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
        assert!(matches!(other.part(1, &[0; 5]), Err(Error::Held(10))));
        other.part(1, &[0; 4]).unwrap();
        drop(one);
        assert_eq!(hold.held(), 4);
        other.part(1, &[0; 6]).unwrap();
    }

    #[test]
    fn a_hold_is_never_below_what_the_protocol_grants() {
        assert_eq!(Hold::new(1).0.limit, HOLD);
        assert_eq!(Hold::new(HOLD + 1).0.limit, HOLD + 1);
    }
}
