//! How much slow work each address may have done: as much at once as it has saved up, then so much a second.

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::Mutex;

use super::sources::Source;
use crate::session::Ration;

/// How many addresses are remembered at a door for what they have used; beyond, those are forgotten that have it all
/// back, and if they are few, everybody.
const REMEMBERED_LIMIT: usize = 65_536;

/// Who has used how much, for each door that gives rations.
pub(super) struct Rations {
    doors: Vec<Door>,
}

struct Door {
    name: &'static str,
    rule: Ration,
    /// When everyone will have back all that he has used.
    restored: Mutex<HashMap<Source, Instant>>,
}

impl Rations {
    /// The rules of these doors.
    pub(super) fn new(doors: impl IntoIterator<Item = (&'static str, Ration)>) -> Self {
        let mut known: Vec<Door> = Vec::new();
        for (name, rule) in doors {
            // A door may have several entrances.
            if !rule.interval.is_zero() && known.iter().all(|door| door.name != name) {
                known.push(Door { name, rule, restored: Mutex::default() });
            }
        }
        Self { doors: known }
    }

    /// Uses `cost` units of `source`'s ration at `door`. None: they are there; otherwise when they will be. Whoever has
    /// to wait keeps his place: those who come later wait for longer.
    pub(super) fn draw(&self, door: &str, source: Source, cost: u32, now: Instant) -> Option<Instant> {
        let door = self.door(door)?;
        let mut restored = door.restored.lock();
        make_room(&mut restored, now);
        let entry = restored.entry(source).or_insert(now);
        *entry = (*entry).max(now) + door.rule.interval.saturating_mul(cost);
        let saved = door.rule.interval.saturating_mul(door.rule.burst);
        entry.checked_sub(saved).filter(|ready| *ready > now)
    }

    /// What was drawn is not needed after all.
    pub(super) fn give_back(&self, door: &str, source: Source, cost: u32) {
        let Some(door) = self.door(door) else { return };
        if let Some(entry) = door.restored.lock().get_mut(&source) {
            let earlier = entry.checked_sub(door.rule.interval.saturating_mul(cost));
            *entry = earlier.unwrap_or(*entry);
        }
    }

    fn door(&self, name: &str) -> Option<&Door> {
        self.doors.iter().find(|door| door.name == name)
    }
}

/// Sees to it that one more can be remembered, at a cost that many share.
fn make_room(restored: &mut HashMap<Source, Instant>, now: Instant) {
    if restored.len() < REMEMBERED_LIMIT {
        return;
    }
    restored.retain(|_, restored| *restored > now);
    if restored.len() > REMEMBERED_LIMIT / 2 {
        restored.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(5);

    fn rations() -> Rations {
        Rations::new([("strict", Ration { interval: INTERVAL, burst: 40 }), ("kind", Ration::NONE)])
    }

    fn source(address: &str) -> Source {
        Source::of(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_burst_is_free_and_then_everyone_waits_his_turn() {
        let (rations, now) = (rations(), Instant::now());
        let draw = |cost, now| rations.draw("strict", source("127.0.0.1"), cost, now);
        for _ in 0..4 {
            assert_eq!(draw(10, now), None);
        }
        assert_eq!(draw(10, now), Some(now + INTERVAL * 10));
        assert_eq!(draw(1, now), Some(now + INTERVAL * 11));
        // He who waited is served when his time has come; what he drew then is not drawn again.
        assert_eq!(draw(1, now + INTERVAL * 12), None);
        assert_eq!(draw(40, now + INTERVAL * 1000), None, "all of it is back");
    }

    #[test]
    fn what_is_given_back_is_there_for_the_next_one() {
        let (rations, now) = (rations(), Instant::now());
        let draw = |cost| rations.draw("strict", source("10.0.0.1"), cost, now);
        assert_eq!(draw(40), None);
        assert_eq!(draw(10), Some(now + INTERVAL * 10));
        rations.give_back("strict", source("10.0.0.1"), 10);
        assert_eq!(draw(10), Some(now + INTERVAL * 10));
    }

    #[test]
    fn each_address_has_its_own_and_kind_doors_give_as_much_as_anybody_wants() {
        let (rations, now) = (rations(), Instant::now());
        for (address, waits) in [
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", true),
            ("10.0.0.2", false),
            ("2001:db8::1", false),
            ("2001:db8::2", true),
            ("2001:db8:0:1::1", false),
        ] {
            let drawn = rations.draw("strict", source(address), 40, now);
            assert_eq!(drawn.is_some(), waits, "{address}");
            assert_eq!(rations.draw("kind", source(address), u32::MAX, now), None);
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let (rations, now) = (rations(), Instant::now());
        for number in 0..2 * REMEMBERED_LIMIT {
            let address = std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap());
            rations.draw("strict", Source::of(address.into()), 40, now);
            assert!(rations.doors[0].restored.lock().len() <= REMEMBERED_LIMIT);
        }
    }
}
