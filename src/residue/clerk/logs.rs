//! The logs that come in one go: all of them are written at once, and answered after that ("Logs").

use std::collections::HashMap;
use std::time::Instant;

use super::health::Health;
use super::marks::Fate;
use super::registry::Registry;
use crate::residue::cipher::Mark;
use crate::residue::desk::{Pass, Verdict};
use crate::residue::room::Share;
use crate::residue::store::{LogStore, Packet, StoreError};
use crate::session::{Caller, Letter};

/// Packets that are to be written, and who waits for that.
#[derive(Default)]
pub(super) struct Batch {
    packets: Vec<Packet>,
    /// One for each packet.
    slips: Vec<Slip>,
    /// Where the packet of a life lies that has this mark.
    places: HashMap<(u64, Mark), usize>,
}

/// Whose packet it is.
pub(super) struct Slip {
    pass: Pass,
    mark: Mark,
    /// All who have sent it.
    callers: Vec<Caller>,
    /// What it takes until it is written.
    _share: Share,
}

impl Slip {
    pub(super) fn new(pass: Pass, mark: Mark, from: Caller, share: Share) -> Self {
        Self { pass, mark, callers: vec![from], _share: share }
    }
}

impl Batch {
    /// Has a connection wait for a packet that another one has sent, or itself before; false: there is none like this.
    pub(super) fn wait_for(&mut self, pass: &Pass, mark: Mark, from: Caller) -> bool {
        let slip = self.places.get(&(pass.life, mark)).and_then(|place| self.slips.get_mut(*place));
        slip.map(|slip| slip.callers.push(from)).is_some()
    }

    /// Adds a packet, of which nobody knows.
    pub(super) fn add(&mut self, slip: Slip, packet: Packet) {
        self.places.insert((slip.pass.life, slip.mark), self.slips.len());
        self.slips.push(slip);
        self.packets.push(packet);
    }

    /// Writes all of it, and says what is to be told.
    pub(super) fn write<S: LogStore>(
        self,
        now: Instant,
        store: &mut S,
        registry: &mut Registry,
        health: &mut Health,
    ) -> Vec<Letter> {
        if self.packets.is_empty() {
            return Vec::new();
        }
        let outcomes = store.append(&self.packets);
        debug_assert_eq!(outcomes.len(), self.packets.len(), "each packet has an outcome");
        note(now, health, &outcomes);
        let outcomes = outcomes.into_iter().map(|outcome| outcome.is_ok()).chain(std::iter::repeat(false));
        let mut letters = Vec::new();
        for (slip, is_written) in self.slips.into_iter().zip(outcomes) {
            // What has failed is forgotten: it may come again.
            if is_written {
                registry.remember(now, &slip.pass, slip.mark, Fate::Written);
            }
            letters.extend(slip.callers.into_iter().map(|caller| {
                let verdict = if is_written { Verdict::Logged } else { Verdict::NotLogged };
                Letter::answer(caller, Box::new(verdict))
            }));
        }
        letters
    }
}

/// Tells the log what keeps the store from its work, but not all the time; and when it is over.
fn note(now: Instant, health: &mut Health, outcomes: &[Result<(), StoreError>]) {
    match outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
        Some(error) => health.fails(now, error),
        None => health.works(),
    }
}
