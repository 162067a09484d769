//! What every address has of what one address may have.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use super::limits::Limits;
use crate::session::Refusal;

/// How many addresses are remembered for having come a lot lately, beside those that have somebody inside; beyond,
/// those are forgotten that may come again in any case, and if they are few, all who have nobody inside.
const REMEMBERED_LIMIT: usize = 65_536;
/// How long it takes, in microseconds, until one may have as many new connections as ever.
const MINUTE: u64 = 60_000_000;

/// What counts as one address. An IPv6 address counts by its first 64 bits, which one customer has to himself.
///
/// An IPv4 address is its number: no IPv6 address begins with 32 bits of 0 but those of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(u64);

impl Source {
    /// Nobody's, for whom nothing is counted.
    pub(super) const NOBODY: Self = Self(0);

    /// The source of a connection from `address`.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_bits().into()),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }
}

/// All addresses that have something.
#[derive(Debug, Default)]
pub(super) struct Sources {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    accounts: HashMap<Source, Account>,
    /// With so many it is time to look who can be forgotten.
    enough: usize,
}

#[derive(Debug, Default)]
struct Account {
    inside: u32,
    /// How many of them are pending.
    pending: u32,
    /// When it may have as many new connections as ever, by a clock in microseconds.
    restored: u64,
}

impl Sources {
    /// Lets one more in from `source`, who is pending, unless there are as many as `limits` say.
    pub(super) fn enter(&self, source: Source, limits: &Limits, clock: u64) -> Result<(), Refusal> {
        if source == Source::NOBODY {
            return Ok(());
        }
        let mut table = self.table.lock();
        table.make_room(clock);
        let account = table.accounts.entry(source).or_default();
        let is_reached = |count: u32, limit: usize| limit > 0 && count as usize >= limit;
        let restored = account.restored.max(clock) + interval(limits);
        if is_reached(account.inside, limits.max_per_address) {
            return Err(Refusal::Crowded);
        }
        if is_reached(account.pending, limits.max_pending_per_address) {
            return Err(Refusal::Pending);
        }
        if restored - clock > MINUTE {
            return Err(Refusal::Hasty);
        }
        *account = Account { inside: account.inside + 1, pending: account.pending + 1, restored };
        Ok(())
    }

    /// One who was let in by this table is not after all, and has not used up anything of his minute.
    pub(super) fn take_back(&self, source: Source, limits: &Limits) {
        if let Some(account) = self.table.lock().accounts.get_mut(&source) {
            account.restored = account.restored.saturating_sub(interval(limits));
        }
    }

    /// One who was pending is so no longer.
    pub(super) fn settle(&self, source: Source) {
        if let Some(account) = self.table.lock().accounts.get_mut(&source) {
            account.pending -= 1;
        }
    }

    /// One who was not pending leaves.
    pub(super) fn leave(&self, source: Source, clock: u64) {
        let accounts = &mut self.table.lock().accounts;
        let Some(account) = accounts.get_mut(&source) else { return };
        account.inside -= 1;
        if !account.is_needed(clock) {
            accounts.remove(&source);
        }
    }
}

/// How long a new connection counts, in microseconds.
fn interval(limits: &Limits) -> u64 {
    MINUTE.checked_div(limits.max_new_per_minute as u64).unwrap_or(0)
}

impl Table {
    /// Sees to it that one more can be remembered, at a cost that many share.
    fn make_room(&mut self, clock: u64) {
        if self.accounts.len() < self.enough.max(REMEMBERED_LIMIT) {
            return;
        }
        self.keep(clock);
        if self.accounts.len() > self.enough.max(REMEMBERED_LIMIT) / 2 {
            self.keep(u64::MAX);
        }
        self.enough = self.accounts.len() * 2;
    }

    fn keep(&mut self, clock: u64) {
        self.accounts.retain(|_, account| account.is_needed(clock));
    }
}

impl Account {
    fn is_needed(&self, clock: u64) -> bool {
        self.inside > 0 || self.restored > clock
    }
}

#[cfg(test)]
impl Sources {
    /// How many addresses are remembered.
    pub(super) fn len(&self) -> usize {
        self.table.lock().accounts.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn limits(max_new_per_minute: usize) -> Limits {
        let max = usize::MAX;
        Limits {
            max_per_address: 3,
            max_pending_per_address: 2,
            max_new_per_minute,
            ..Limits::unbounded(max)
        }
    }

    fn source(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    #[test]
    fn an_address_may_have_so_many_inside_and_so_many_of_them_pending() {
        let (sources, limits) = (Sources::default(), limits(0));
        let one = source("10.0.0.1");
        let enter = || sources.enter(one, &limits, 0);
        assert_eq!([enter(), enter(), enter()], [Ok(()), Ok(()), Err(Refusal::Pending)]);
        sources.settle(one);
        assert_eq!([enter(), enter()], [Ok(()), Err(Refusal::Crowded)]);
        assert_eq!(sources.enter(source("10.0.0.2"), &limits, 0), Ok(()));
        sources.leave(one, 0);
        assert_eq!(enter(), Err(Refusal::Pending));
    }

    #[test]
    fn new_connections_are_as_many_as_in_a_minute_and_then_one_at_a_time() {
        let (sources, limits) = (Sources::default(), limits(120));
        let one = source("2001:db8::1");
        let come_and_go = |clock| {
            let outcome = sources.enter(one, &limits, clock);
            if outcome.is_ok() {
                sources.settle(one);
                sources.leave(one, clock);
            }
            outcome
        };
        assert!((0..120).all(|_| come_and_go(7) == Ok(())));
        assert_eq!(come_and_go(7), Err(Refusal::Hasty));
        assert_eq!(sources.enter(source("2001:db8:0:0:9::1"), &limits, 7), Err(Refusal::Hasty));
        assert_eq!(sources.enter(source("2001:db8:0:1::1"), &limits, 7), Ok(()));
        // Who was refused does not wait for longer because of it.
        let half = SECOND / 2;
        assert_eq!([come_and_go(7 + half), come_and_go(7 + half)], [Ok(()), Err(Refusal::Hasty)]);
        assert!((0..120).all(|_| come_and_go(100 * SECOND) == Ok(())), "all of it is back");
    }

    #[test]
    fn the_table_is_bounded_and_nobody_who_is_inside_is_forgotten() {
        let (sources, limits) = (Sources::default(), limits(1));
        let inside = source("2001:db8::1");
        assert_eq!(sources.enter(inside, &limits, 0), Ok(()));
        for number in 1..=4 * u32::try_from(REMEMBERED_LIMIT).unwrap() {
            let passer_by = Source::of(Ipv4Addr::from_bits(number).into());
            assert_eq!(sources.enter(passer_by, &limits, 0), Ok(()));
            sources.settle(passer_by);
            sources.leave(passer_by, 0);
            assert!(sources.len() <= REMEMBERED_LIMIT);
        }
        assert_eq!(sources.enter(inside, &limits, 0), Err(Refusal::Hasty));
        sources.settle(inside);
        sources.leave(inside, 2 * MINUTE);
        for number in 1..=4 {
            assert_eq!(
                sources.enter(Source::of(Ipv4Addr::from_bits(number).into()), &limits, 3 * MINUTE),
                Ok(())
            );
        }
    }

    #[test]
    fn where_nothing_is_counted_nothing_is_remembered() {
        let (sources, limits) = (Sources::default(), limits(1));
        for _ in 0..10 {
            assert_eq!(sources.enter(Source::NOBODY, &limits, 0), Ok(()));
        }
        sources.settle(Source::NOBODY);
        sources.leave(Source::NOBODY, 0);
        assert_eq!(sources.len(), 0);
    }
}
