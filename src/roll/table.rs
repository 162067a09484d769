//! The roll itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;

use super::entry::{Applicant, ClientId, Entry, Member, Told};
use super::journal::{Change, Forgotten, Journal, Sequence};
use super::listing::Listing;
use super::shelf::{PageSlice, Shelf};

/// Who is there, and what changed lately.
pub struct Roll {
    slots: Vec<Option<Entry>>,
    /// Slots of those who left.
    free: Vec<u32>,
    /// How many have ever joined.
    joined: u64,
    /// One shelf a size of listing.
    shelves: Vec<Shelf>,
    /// Who is told of at which address: several may share one, and a removed block names them by it alone.
    by_address: BTreeSet<(Ipv4Addr, u32)>,
    journal: Journal,
}

impl Roll {
    /// An empty roll whose journal remembers `journal` changes.
    pub fn new(journal: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            joined: 0,
            shelves: Vec::new(),
            by_address: BTreeSet::new(),
            journal: Journal::new(journal),
        }
    }

    /// The number of the newest change.
    pub fn sequence(&self) -> Sequence {
        self.journal.last()
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// True if nobody is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many have ever joined.
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// Everybody, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    /// Puts somebody on the roll.
    ///
    /// One who has a listing is told of to all others, and so has to have an IPv4 address.
    pub fn join(&mut self, applicant: Applicant) -> Member {
        let slot = self.vacancy();
        self.joined += 1;
        let id = ClientId(NonZeroU64::MIN.saturating_add(self.joined - 1));
        let Applicant { door, address, name, listing, since } = applicant;
        let ip = address.ip().to_canonical();
        let told = match (listing, ip) {
            (Some(listing), IpAddr::V4(v4)) => Some(self.tell(listing, v4, slot)),
            _ => None,
        };
        let entry = Entry { id, door, name, since, ip, port: address.port(), told };
        self.slots[slot as usize] = Some(entry);
        Member { id, slot }
    }

    /// Takes somebody off the roll; false if he was not on it.
    pub fn leave(&mut self, member: Member) -> bool {
        let Some(slot) = self.slots.get_mut(member.slot as usize) else { return false };
        let Some(entry) = slot.take_if(|entry| entry.id == member.id) else { return false };
        self.free.push(member.slot);
        if let (Some(told), IpAddr::V4(address)) = (entry.told, entry.ip) {
            self.untell(told, address, member.slot);
        }
        self.tidy();
        true
    }

    /// Everyone who is told of but `member`: how many, and their listings.
    pub fn everyone_but(&self, member: Member) -> (usize, impl Iterator<Item = PageSlice> + '_) {
        let own = self.entry(member).and_then(|entry| entry.told);
        let count = self.by_address.len() - usize::from(own.is_some());
        let slices = (0_u8..).zip(&self.shelves).flat_map(move |(number, shelf)| {
            shelf.slices(own.filter(|told| told.shelf == number).map(|told| told.index))
        });
        (count, slices)
    }

    /// What changed, net, for `member`, who knows everything up to the change `since`.
    pub fn since(&self, since: Sequence, member: Member) -> Result<Difference<'_>, Forgotten> {
        let changes = self.journal.since(since)?;
        let takes_others_along = |change: &Change| matches!(change, Change::Removed { others: true, .. });
        let mut shared = BTreeSet::new();
        if changes.clone().any(|change| takes_others_along(change) && went(change, since).is_some()) {
            changes.filter_map(|change| went(change, since)).for_each(|address| {
                shared.insert((address, 0));
            });
        }
        Ok(Difference { roll: self, since, member, shared })
    }

    fn entry(&self, member: Member) -> Option<&Entry> {
        self.slots.get(member.slot as usize)?.as_ref().filter(|entry| entry.id == member.id)
    }

    fn vacancy(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // There are fewer clients than descriptors, and so far fewer than 32 bits can count.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn tell(&mut self, listing: Listing, address: Ipv4Addr, slot: u32) -> Told {
        let size = listing.as_slice().len();
        let shelf = self.shelves.iter().position(|shelf| shelf.size() == size).unwrap_or_else(|| {
            self.shelves.push(Shelf::new(size));
            self.shelves.len() - 1
        });
        let index = self.shelves[shelf].push(listing.as_slice(), slot);
        self.by_address.insert((address, slot));
        // There are at most as many shelves as a listing can have sizes.
        Told { at: self.journal.added(listing), shelf: u8::try_from(shelf).unwrap_or(u8::MAX), index }
    }

    fn untell(&mut self, told: Told, address: Ipv4Addr, slot: u32) {
        if let Some(moved) = self.shelves[usize::from(told.shelf)].remove(told.index)
            && let Some(other) = self.slots[moved as usize].as_mut().and_then(|entry| entry.told.as_mut())
        {
            other.index = told.index;
        }
        self.by_address.remove(&(address, slot));
        let others = self.at(address).next().is_some();
        self.journal.removed(address, told.at, others);
    }

    /// The slots of all who are told of at `address`.
    fn at(&self, address: Ipv4Addr) -> impl Iterator<Item = u32> + '_ {
        self.by_address.range((address, 0)..=(address, u32::MAX)).map(|&(_, slot)| slot)
    }

    /// Gives memory back when nobody is left whose place it was.
    fn tidy(&mut self) {
        if self.is_empty() {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
    }
}

/// What changed, net, between two points of time.
pub struct Difference<'a> {
    roll: &'a Roll,
    since: Sequence,
    member: Member,
    /// Where an address took others along: all addresses that are removed, each once, in order. A set of the kind that the
    /// roll has anyway, of which the number counts for nothing here.
    shared: BTreeSet<(Ipv4Addr, u32)>,
}

impl Difference<'_> {
    /// The addresses of those who went, each once.
    pub fn removed(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let unshared = self.shared.is_empty().then(|| self.changes().into_iter().flatten());
        let alone = unshared.into_iter().flatten().filter_map(|change| went(change, self.since));
        alone.chain(self.shared.iter().map(|(address, _)| *address))
    }

    /// The listings of those who came, and of those whom a removed address took along though they stayed.
    pub fn added(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let came = self.changes().into_iter().flatten().filter_map(|change| match change {
            Change::Added { listing, here: true } => Some(listing.as_slice()),
            _ => None,
        });
        came.chain(self.shared.iter().flat_map(|&(address, _)| self.stayed(address)))
    }

    /// The listings of those at `address` whom the reader knew and who are still there.
    fn stayed(&self, address: Ipv4Addr) -> impl Iterator<Item = &[u8]> + '_ {
        self.roll.at(address).filter(|&slot| slot != self.member.slot).filter_map(|slot| {
            let told = self.roll.slots[slot as usize].as_ref()?.told?;
            let shelf = &self.roll.shelves[usize::from(told.shelf)];
            (told.at <= self.since).then(|| shelf.listing(told.index as usize))
        })
    }

    fn changes(&self) -> Result<impl Iterator<Item = &Change> + Clone + '_, Forgotten> {
        self.roll.journal.since(self.since)
    }
}

/// The address of somebody who went, if a reader who knows everything up to `since` had heard of him.
fn went(change: &Change, since: Sequence) -> Option<Ipv4Addr> {
    match change {
        Change::Removed { address, added_at, .. } if *added_at <= since => Some(*address),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
