//! Who has to wait because a session from his address has ended badly.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::session::Cooldown;

/// How many addresses may cool down at a time at one door; beyond, the one that began first may come again.
const COOLING_LIMIT: usize = 65_536;

/// An address that has to answer for how its sessions at one door end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answerable {
    address: IpAddr,
    /// The index of the door.
    door: u8,
}

/// The addresses that cool down, for each door that has any of them do so.
pub(super) struct Cooldowns {
    doors: Vec<Door>,
}

struct Door {
    name: &'static str,
    rule: Cooldown,
    cooling: Mutex<Cooling>,
}

#[derive(Default)]
struct Cooling {
    until: HashMap<IpAddr, Instant>,
    /// In the order in which they end, which is the one in which they began; one that began anew is in it again.
    order: VecDeque<(Instant, IpAddr)>,
}

impl Cooldowns {
    /// The rules of these doors.
    pub(super) fn new(doors: impl IntoIterator<Item = (&'static str, Cooldown)>) -> Self {
        let mut known: Vec<Door> = Vec::new();
        for (name, rule) in doors {
            // A door may have several entrances.
            if !rule.length.is_zero() && known.iter().all(|door| door.name != name) {
                known.push(Door { name, rule, cooling: Mutex::default() });
            }
        }
        Self { doors: known }
    }

    /// Who answers for a session at `door` with `address`, if anybody does.
    pub(super) fn answerable(&self, door: &'static str, address: IpAddr) -> Option<Answerable> {
        let index = self.doors.iter().position(|known| known.name == door)?;
        let address = address.to_canonical();
        let exempt = address.is_loopback() && !self.doors[index].rule.loopback;
        let door = u8::try_from(index).ok()?;
        (!exempt).then_some(Answerable { address, door })
    }

    /// How long he still has to wait, if he has to.
    pub(super) fn left(&self, who: Answerable, now: Instant) -> Option<Duration> {
        let door = self.doors.get(usize::from(who.door))?;
        let until = *door.cooling.lock().until.get(&who.address)?;
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        // It may have begun after `now` was asked for, on another thread.
        Some(left.min(door.rule.length))
    }

    /// A session of his has ended badly: his time begins, or begins anew.
    pub(super) fn begin(&self, who: Answerable, now: Instant) {
        let Some(door) = self.doors.get(usize::from(who.door)) else { return };
        let mut cooling = door.cooling.lock();
        cooling.forget(now);
        cooling.add(who.address, now + door.rule.length);
    }
}

impl Cooling {
    /// Lets those go whose time is over, and room for one more be.
    fn forget(&mut self, now: Instant) {
        while let Some(&(until, address)) = self.order.front() {
            if until > now && self.order.len() < COOLING_LIMIT {
                return;
            }
            self.order.pop_front();
            if self.until.get(&address) == Some(&until) {
                self.until.remove(&address);
            }
        }
    }

    fn add(&mut self, address: IpAddr, until: Instant) {
        self.until.insert(address, until);
        self.order.push_back((until, address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn cooldowns(loopback: bool) -> Cooldowns {
        Cooldowns::new([("strict", Cooldown { length: MINUTE, loopback }), ("kind", Cooldown::NONE)])
    }

    #[test]
    fn an_address_waits_at_its_own_door_until_its_time_is_over() {
        let (cooldowns, now) = (cooldowns(false), Instant::now());
        let who = |address: &str| cooldowns.answerable("strict", address.parse().unwrap()).unwrap();
        cooldowns.begin(who("10.0.0.1"), now);
        assert_eq!(cooldowns.left(who("10.0.0.1"), now + MINUTE / 4), Some(MINUTE * 3 / 4));
        assert_eq!(cooldowns.left(who("::ffff:10.0.0.1"), now), Some(MINUTE));
        assert_eq!(cooldowns.left(who("10.0.0.2"), now), None);
        assert_eq!(cooldowns.left(who("10.0.0.1"), now + MINUTE), None);
        cooldowns.begin(who("2001:db8::1"), now);
        assert_eq!(cooldowns.left(who("2001:db8::1"), now), Some(MINUTE));
        // A neighbour in the same network is somebody else.
        assert_eq!(cooldowns.left(who("2001:db8::2"), now), None);
        assert!(cooldowns.answerable("kind", [10, 0, 0, 1].into()).is_none());
    }

    #[test]
    fn loopback_is_exempt_unless_it_is_told_otherwise() {
        for (loopback, address, exempt) in [
            (false, "127.0.0.9", true),
            (false, "::1", true),
            (true, "127.0.0.9", false),
            (true, "::1", false),
        ] {
            let cooldowns = cooldowns(loopback);
            let answerable = cooldowns.answerable("strict", address.parse().unwrap());
            assert_eq!(answerable.is_none(), exempt, "{address} where loopback is {loopback}");
        }
    }

    #[test]
    fn another_bad_end_begins_the_time_anew() {
        let (cooldowns, now) = (cooldowns(false), Instant::now());
        let who = cooldowns.answerable("strict", [10, 0, 0, 1].into()).unwrap();
        cooldowns.begin(who, now);
        cooldowns.begin(who, now + MINUTE / 2);
        assert_eq!(cooldowns.left(who, now + MINUTE), Some(MINUTE / 2));
        // The first time is over, the second is not, whatever is forgotten.
        let other = cooldowns.answerable("strict", [10, 0, 0, 2].into()).unwrap();
        cooldowns.begin(other, now + MINUTE);
        assert_eq!(cooldowns.left(who, now + MINUTE), Some(MINUTE / 2));
    }

    #[test]
    fn the_table_is_bounded_and_empties_itself() {
        let (cooldowns, now) = (cooldowns(false), Instant::now());
        let who = |number: usize| {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).unwrap());
            cooldowns.answerable("strict", address.into()).unwrap()
        };
        for number in 0..=COOLING_LIMIT {
            cooldowns.begin(who(number), now);
        }
        assert_eq!(cooldowns.left(who(0), now), None);
        assert_eq!(cooldowns.left(who(1), now), Some(MINUTE));
        assert_eq!(cooldowns.doors[0].cooling.lock().until.len(), COOLING_LIMIT);
        cooldowns.begin(who(0), now + MINUTE);
        assert_eq!(cooldowns.doors[0].cooling.lock().until.len(), 1);
    }
}
