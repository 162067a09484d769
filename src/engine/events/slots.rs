//! Where a loop's connections lie.

use super::link::Link;
use crate::engine::places::Guests;
use crate::engine::task::Name;
use crate::session::Standing;

/// Connections by slot. Whoever comes into a slot gets a new generation, so that what was meant for the one
/// before him does not reach him.
pub(super) struct Slots<S> {
    slots: Vec<Slot<S>>,
    free: Vec<u32>,
}

struct Slot<S> {
    generation: u32,
    link: Option<Box<Link<S>>>,
}

impl<S> Default for Slots<S> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<S> Slots<S> {
    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// True if there is no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot that the next connection gets.
    pub(super) fn vacancy(&mut self) -> u32 {
        match self.free.last() {
            Some(&slot) => slot,
            None => {
                self.slots.push(Slot { generation: 0, link: None });
                // There are fewer connections than descriptors, which are 32-bit numbers.
                let slot = u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX);
                self.free.push(slot);
                slot
            }
        }
    }

    /// Puts a connection where [`Slots::vacancy`] said.
    pub(super) fn fill(&mut self, slot: u32, link: Box<Link<S>>) {
        debug_assert_eq!(self.free.last(), Some(&slot));
        self.free.pop();
        let tenant = &mut self.slots[slot as usize];
        tenant.generation = tenant.generation.wrapping_add(1);
        tenant.link = Some(link);
    }

    /// The connection in this slot.
    #[inline]
    pub(super) fn at(&mut self, slot: u32) -> Option<&mut Link<S>> {
        self.slots.get_mut(slot as usize)?.link.as_deref_mut()
    }

    /// The name of the connection in this slot.
    pub(super) fn name(&self, slot: u32) -> Name {
        let generation = self.slots.get(slot as usize).map_or(0, |slot| slot.generation);
        Name { slot, generation }
    }

    /// The slot of the connection of this name, if it is still there.
    pub(super) fn find(&self, name: Name) -> Option<u32> {
        let slot = self.slots.get(name.slot as usize)?;
        (slot.generation == name.generation && slot.link.is_some()).then_some(name.slot)
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Box<Link<S>>> {
        let link = self.slots.get_mut(slot as usize)?.link.take()?;
        self.free.push(slot);
        Some(link)
    }

    /// All connections.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &Link<S>> {
        self.slots.iter().filter_map(|slot| slot.link.as_deref())
    }

    /// All slots that have a connection.
    pub(super) fn taken(&self) -> Vec<u32> {
        (0..).zip(&self.slots).filter(|(_, slot)| slot.link.is_some()).map(|(number, _)| number).collect()
    }
}

impl<S> Guests for Slots<S> {
    fn standing(&mut self, guest: u64) -> Option<Standing> {
        let slot = self.find(Name::from(guest))?;
        self.at(slot).map(|link| link.conn.standing())
    }

    fn all(&mut self) -> Vec<u64> {
        self.taken().into_iter().map(|slot| self.name(slot).into()).collect()
    }
}
