//! The latest changes of the roll, each encoded once.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::listing::Listing;

/// The number of a change. They strictly increase; 0 is before the first one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(pub u64);

/// The journal does not reach back so far: too much has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten;

/// One change.
#[derive(Debug)]
pub(super) enum Change {
    /// Somebody came.
    Added {
        listing: Listing,
        /// Not any more once he has left again: then nobody needs to hear that he came.
        here: bool,
    },
    /// Somebody went.
    Removed {
        address: Ipv4Addr,
        /// The change by which he had come: whoever has not heard of that need not hear of this.
        added_at: Sequence,
        /// Whether others of the same address stayed, whom the address takes along.
        others: bool,
    },
}

/// A bounded queue of changes; the newest has the number `last`.
#[derive(Debug)]
pub(super) struct Journal {
    changes: VecDeque<Change>,
    last: Sequence,
    limit: usize,
}

impl Journal {
    /// A journal that remembers `limit` changes.
    pub(super) fn new(limit: usize) -> Self {
        Self { changes: VecDeque::new(), last: Sequence::default(), limit: limit.max(1) }
    }

    /// The number of the newest change.
    pub(super) fn last(&self) -> Sequence {
        self.last
    }

    /// Writes down that somebody came.
    pub(super) fn added(&mut self, listing: Listing) -> Sequence {
        self.push(Change::Added { listing, here: true })
    }

    /// Writes down that whoever came at `added_at` went.
    pub(super) fn removed(&mut self, address: Ipv4Addr, added_at: Sequence, others: bool) -> Sequence {
        if let Some(Change::Added { here, .. }) =
            self.index(added_at).and_then(|index| self.changes.get_mut(index))
        {
            *here = false;
        }
        self.push(Change::Removed { address, added_at, others })
    }

    /// The changes after `since`, oldest first.
    pub(super) fn since(
        &self,
        since: Sequence,
    ) -> Result<impl Iterator<Item = &Change> + Clone + '_, Forgotten> {
        let first = self.index(Sequence(since.0 + 1)).ok_or(Forgotten)?;
        Ok(self.changes.range(first.min(self.changes.len())..))
    }

    fn push(&mut self, change: Change) -> Sequence {
        if self.changes.len() == self.limit {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
        self.last.0 += 1;
        self.last
    }

    /// Where the change of this number lies, or would lie if it is still to come; none if it is forgotten.
    fn index(&self, sequence: Sequence) -> Option<usize> {
        let forgotten = self.last.0 - self.changes.len() as u64;
        usize::try_from(sequence.0.checked_sub(forgotten + 1)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_journal_says_when_it_does_not_reach_back() {
        let listing = Listing::new(b"x").unwrap();
        let mut journal = Journal::new(3);
        for number in 1..=5 {
            assert_eq!(journal.added(listing), Sequence(number));
        }
        let count = |since| journal.since(Sequence(since)).map(Iterator::count);
        assert_eq!(count(5), Ok(0));
        assert_eq!(count(3), Ok(2));
        assert_eq!(count(2), Ok(3));
        assert_eq!(count(1), Err(Forgotten));
        assert_eq!(count(0), Err(Forgotten));
    }

    #[test]
    fn who_has_left_again_is_not_here() {
        let mut journal = Journal::new(3);
        let at = journal.added(Listing::new(b"x").unwrap());
        journal.removed(Ipv4Addr::LOCALHOST, at, false);
        let here: Vec<_> = journal
            .since(Sequence(0))
            .unwrap()
            .map(|change| matches!(change, Change::Added { here: true, .. }))
            .collect();
        assert_eq!(here, [false, false]);
    }
}
