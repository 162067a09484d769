//! Who is there, as the server tells it: added and removed blocks applied to a local picture of the roll.
//!
//! A removed address takes all its clients along, and those who stayed are added again by the same answer. So
//! that nobody seems to leave and come back, who was removed is kept as *leaving* until the answer must be over:
//! when it is [`settled`](Roll::settle), or when the next one shows itself.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use super::error::Error;
use crate::lekt::client::Event;
use crate::lekt::wire::{BlockKind, Object};

/// The most clients that a picture of the roll holds; a server has at most half as many.
pub const ROLL_LIMIT: usize = 1 << 21;

/// What changed on the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Was there already when we came.
    Present(Object),
    /// Came.
    Arrived(Object),
    /// Left.
    Departed(Object),
}

/// A local picture of the roll.
#[derive(Debug)]
pub struct Roll {
    clients: BTreeMap<Ipv4Addr, Vec<Object>>,
    count: usize,
    /// Who was removed, and how often, and has not been added again yet.
    leaving: HashMap<Object, usize>,
    /// How many that are.
    leaving_count: usize,
    /// How many there may be, those who are leaving among them.
    limit: usize,
    first: FirstAnswer,
}

impl Default for Roll {
    fn default() -> Self {
        Self::of(ROLL_LIMIT)
    }
}

/// The answer that adds everybody who is there; where it ends does not show before the next one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum FirstAnswer {
    #[default]
    Awaited,
    /// All its packets carry this time.
    Begun(i64),
    Over,
}

impl Roll {
    fn of(limit: usize) -> Self {
        let (clients, leaving) = (BTreeMap::new(), HashMap::new());
        Self { clients, count: 0, leaving, leaving_count: 0, limit, first: FirstAnswer::default() }
    }

    /// Everybody, by address.
    pub fn clients(&self) -> impl Iterator<Item = &Object> {
        self.clients.values().flatten()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if nobody is there.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// True once all of the first answer has come for certain.
    pub fn is_complete(&self) -> bool {
        self.first == FirstAnswer::Over
    }

    /// Forgets nothing, but takes the next answer as the first one of a new connection: who is not in it has left
    /// in the meantime.
    pub fn reconnect(&mut self) {
        self.first = FirstAnswer::Awaited;
        for object in std::mem::take(&mut self.clients).into_values().flatten() {
            self.leaves(object);
        }
    }

    /// Tells that everybody has left: what a server that lied has told makes no room for what it tells next.
    pub(super) fn forget(&mut self, tell: impl FnMut(Change)) {
        self.reconnect();
        self.first = FirstAnswer::Over;
        self.settle(tell);
    }

    /// Applies what the server told, and tells what that changed.
    ///
    /// # Errors
    /// The server lists more than [`ROLL_LIMIT`] clients, or has more of them come and go than that in one answer.
    pub fn apply(&mut self, event: Event, mut tell: impl FnMut(Change)) -> Result<(), Error> {
        match event {
            Event::Added(object) => self.add(object, tell),
            Event::Removed(address) => {
                // A first answer removes nobody: this is the one after it.
                self.end_first_answer(&mut tell);
                for object in self.clients.remove(&address).unwrap_or_default() {
                    self.leaves(object);
                }
                Ok(())
            }
            Event::BlockEnded(block) => {
                let begun = FirstAnswer::Begun(block.time);
                match self.first {
                    FirstAnswer::Awaited if block.kind == BlockKind::Added && block.count > 0 => {
                        self.first = begun;
                    }
                    first if block.count > 0 && first == begun => {}
                    FirstAnswer::Over if block.count > 0 => {}
                    _ => self.end_first_answer(&mut tell),
                }
                if block.count == 0 {
                    self.settle(tell);
                }
                Ok(())
            }
            Event::Accepted(_) | Event::Joined | Event::Rejected(_) => Ok(()),
        }
    }

    /// True if [`settle`](Self::settle) would tell something.
    pub fn is_unsettled(&self) -> bool {
        self.is_complete() && !self.leaving.is_empty()
    }

    /// Nothing more has come for a while, so that an answer must be over: who was removed and not added again
    /// has left.
    pub fn settle(&mut self, mut tell: impl FnMut(Change)) {
        if !self.is_complete() {
            return;
        }
        self.leaving_count = 0;
        let mut left: Vec<Object> = std::mem::take(&mut self.leaving)
            .into_iter()
            .flat_map(|(object, times)| std::iter::repeat_n(object, times))
            .collect();
        left.sort_by(|one, other| (one.address, &one.methods).cmp(&(other.address, &other.methods)));
        left.into_iter().for_each(|object| tell(Change::Departed(object)));
    }

    fn add(&mut self, object: Object, mut tell: impl FnMut(Change)) -> Result<(), Error> {
        // Without those who are leaving, an answer that adds and removes without an end would never be too long.
        if self.count + self.leaving_count >= self.limit && !self.leaving.contains_key(&object) {
            return Err(Error::Crowded(self.limit));
        }
        self.count += 1;
        self.clients.entry(object.address).or_default().push(object.clone());
        let is_complete = self.is_complete();
        match self.leaving.get_mut(&object) {
            Some(times) => {
                self.leaving_count -= 1;
                *times -= 1;
                if *times == 0 {
                    self.leaving.remove(&object);
                }
            }
            None if is_complete => tell(Change::Arrived(object)),
            None => tell(Change::Present(object)),
        }
        Ok(())
    }

    /// Somebody is on the roll no longer; whether that is told shows later.
    fn leaves(&mut self, object: Object) {
        self.count -= 1;
        self.leaving_count += 1;
        *self.leaving.entry(object).or_default() += 1;
    }

    fn end_first_answer(&mut self, tell: impl FnMut(Change)) {
        if self.first != FirstAnswer::Over {
            self.first = FirstAnswer::Over;
            self.settle(tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lekt::wire::{Block, Method};

    /// A client at 127.0.0.`last`, listening on `port`, or on none for 0.
    fn object(last: u8, port: u16) -> Object {
        let methods = if port == 0 { vec![] } else { vec![Method::DirectTcp { port }] };
        Object { address: Ipv4Addr::new(127, 0, 0, last), methods }
    }

    fn ended(time: i64, kind: BlockKind, count: u32) -> Event {
        Event::BlockEnded(Block { time, kind, count })
    }

    fn apply(roll: &mut Roll, events: Vec<Event>) -> Vec<Change> {
        let mut told = Vec::new();
        for event in events {
            roll.apply(event, |change| told.push(change)).unwrap();
        }
        told
    }

    fn added(time: i64, objects: &[Object]) -> Vec<Event> {
        let count = u32::try_from(objects.len()).unwrap();
        let events = objects.iter().cloned().map(Event::Added);
        events.chain([ended(time, BlockKind::Added, count)]).collect()
    }

    fn removed(time: i64, last: u8) -> Vec<Event> {
        vec![Event::Removed(Ipv4Addr::new(127, 0, 0, last)), ended(time, BlockKind::Removed, 1)]
    }

    #[test]
    fn the_first_answer_tells_who_is_present_and_later_ones_who_arrived() {
        let mut roll = Roll::default();
        let first = [added(5, &[object(1, 80)]), added(5, &[object(2, 0)])].concat();
        let told = apply(&mut roll, first);
        assert_eq!(told, [Change::Present(object(1, 80)), Change::Present(object(2, 0))]);
        assert!(!roll.is_complete(), "its end does not show");
        assert_eq!(apply(&mut roll, added(5, &[])), []);
        assert!(roll.is_complete());
        assert_eq!(apply(&mut roll, added(6, &[object(3, 1)])), [Change::Arrived(object(3, 1))]);
        assert_eq!((roll.len(), roll.clients().count()), (3, 3));
    }

    #[test]
    fn an_empty_first_answer_is_complete_at_once() {
        let mut roll = Roll::default();
        apply(&mut roll, added(5, &[]));
        assert!(roll.is_complete() && roll.is_empty());
    }

    #[test]
    fn another_time_is_another_answer() {
        let mut roll = Roll::default();
        apply(&mut roll, added(5, &[object(1, 80)]));
        apply(&mut roll, added(6, &[object(2, 80)]));
        assert!(roll.is_complete());
    }

    #[test]
    fn a_removed_address_takes_all_along_and_who_stayed_comes_again_unnoticed() {
        let mut roll = Roll::default();
        apply(
            &mut roll,
            [added(5, &[object(1, 1), object(1, 2), object(1, 2), object(9, 1)]), added(5, &[])].concat(),
        );
        assert_eq!(apply(&mut roll, removed(6, 1)), []);
        assert_eq!(roll.len(), 1, "all three are gone");
        assert!(roll.is_unsettled());
        assert_eq!(
            apply(&mut roll, added(6, &[object(1, 2), object(1, 3)])),
            [Change::Arrived(object(1, 3))]
        );
        let mut told = Vec::new();
        roll.settle(|change| told.push(change));
        assert_eq!(told, [Change::Departed(object(1, 1)), Change::Departed(object(1, 2))]);
        assert_eq!((roll.len(), roll.is_unsettled()), (3, false));
    }

    #[test]
    fn an_answer_without_news_settles_the_one_before() {
        let mut roll = Roll::default();
        apply(&mut roll, [added(5, &[object(1, 1)]), added(5, &[]), removed(6, 1)].concat());
        assert_eq!(apply(&mut roll, added(16, &[])), [Change::Departed(object(1, 1))]);
        assert_eq!(apply(&mut roll, removed(17, 1)), [], "an address that nobody has");
    }

    #[test]
    fn after_a_reconnect_only_the_difference_is_told() {
        let mut roll = Roll::default();
        apply(&mut roll, [added(5, &[object(1, 1), object(2, 2)]), added(5, &[])].concat());
        roll.reconnect();
        let told = apply(&mut roll, added(50, &[object(2, 2), object(3, 3)]));
        assert_eq!(told, [Change::Present(object(3, 3))]);
        roll.settle(|_| panic!("not before the first answer is over"));
        assert_eq!(apply(&mut roll, added(50, &[])), [Change::Departed(object(1, 1))]);
    }

    #[test]
    fn an_endless_coming_and_going_is_given_up() {
        let mut roll = Roll::of(10);
        let mut outcome = Ok(());
        for last in 0..=10 {
            assert!(outcome.is_ok(), "{last} is within the bound");
            outcome = roll.apply(Event::Added(object(last, 80)), |_| {});
            roll.apply(Event::Removed(Ipv4Addr::new(127, 0, 0, last)), |_| {}).unwrap();
        }
        assert!(matches!(outcome, Err(Error::Crowded(10))));
        let mut told = 0;
        roll.forget(|_| told += 1);
        assert_eq!((told, roll.len()), (10, 0));
        roll.reconnect();
        assert_eq!(apply(&mut roll, added(5, &[object(99, 1)])), [Change::Present(object(99, 1))]);
    }

    #[test]
    fn a_full_roll_may_be_told_anew() {
        let mut roll = Roll::of(3);
        let all = [object(1, 1), object(1, 1), object(2, 2)];
        apply(&mut roll, [added(5, &all), added(5, &[])].concat());
        roll.reconnect();
        assert_eq!(apply(&mut roll, [added(50, &all), added(50, &[])].concat()), []);
        assert_eq!((roll.len(), roll.leaving_count), (3, 0));
        let more = roll.apply(Event::Added(object(3, 3)), |_| {});
        assert!(matches!(more, Err(Error::Crowded(3))));
    }
}
