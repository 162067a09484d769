//! Who gives way though he is alive: those of whom nothing was heard for longest, of all or of an address ("Age").
//!
//! A client that is heard stays where it is in these lists, and is put where it belongs only when it would be its turn: so
//! that being heard costs nothing, and nobody is looked at twice for one packet.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

/// What counts as one address. An IPv6 address counts by its first 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Home(IpAddr);

impl Home {
    /// The home of whoever comes from this address; none: behind loopback there may be everybody.
    pub(super) fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V6(address) => Some(Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into())),
            address @ IpAddr::V4(_) => Some(Self(address)),
        }
    }
}

/// Clients that have acknowledged and are not managed, each with when it was heard when it was put here.
#[derive(Default)]
pub(super) struct Quiet {
    all: BTreeSet<(Instant, Arc<str>)>,
    homes: HashMap<Home, BTreeSet<(Instant, Arc<str>)>>,
}

impl Quiet {
    pub(super) fn add(&mut self, heard: Instant, id: &Arc<str>, home: Option<Home>) {
        self.all.insert((heard, Arc::clone(id)));
        if let Some(home) = home {
            self.homes.entry(home).or_default().insert((heard, Arc::clone(id)));
        }
    }

    /// Takes one away that was put here with these words.
    pub(super) fn remove(&mut self, heard: Instant, id: &Arc<str>, home: Option<Home>) {
        let one = (heard, Arc::clone(id));
        self.all.remove(&one);
        let Some(home) = home else { return };
        if let Some(list) = self.homes.get_mut(&home) {
            list.remove(&one);
            if list.is_empty() {
                self.homes.remove(&home);
            }
        }
    }

    /// The first of all, or of those of an address.
    pub(super) fn first(&self, home: Option<Home>) -> Option<&(Instant, Arc<str>)> {
        match home {
            None => self.all.first(),
            Some(home) => self.homes.get(&home)?.first(),
        }
    }

    /// How many are at home there.
    pub(super) fn count(&self, home: Home) -> usize {
        self.homes.get(&home).map_or(0, BTreeSet::len)
    }
}

#[cfg(test)]
impl Quiet {
    /// How much is kept.
    pub(super) fn size(&self) -> usize {
        self.all.len() + self.homes.len() + self.homes.values().map(BTreeSet::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_one_customer_has() {
        let home = |text: &str| Home::of(text.parse().unwrap());
        for one in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(home(one), None, "{one}");
        }
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            assert_eq!(home(one) == home(other), same, "{one} {other}");
        }
    }
}
