//! How many are let in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::cooldown::Cooldowns;
use super::rations::Rations;
use crate::session::Refusal;

/// How many connections may be told at a time that they cannot be let in; beyond, they are closed unheard.
const REFUSALS_AT_A_TIME: usize = 16;

/// What an engine allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most connections in all.
    pub max_clients: usize,
    /// The most connections from one address; 0: any number. Loopback addresses are exempt, and an IPv6
    /// address counts by its first 64 bits, which one customer has to himself.
    pub max_per_address: usize,
    /// The unsent bytes above which a connection is not read.
    pub high_mark: usize,
}

/// How much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Connections that were let in and are still there.
    pub clients: usize,
    /// The most that are let in.
    pub max_clients: usize,
    /// How many have ever been let in.
    pub welcomed: u64,
    /// How many have ever been refused.
    pub refused: u64,
}

impl Usage {
    /// How many were let in and have gone again.
    pub fn gone(&self) -> u64 {
        self.welcomed.saturating_sub(self.clients as u64)
    }
}

/// Counts who is in.
pub(super) struct Gate {
    limits: Limits,
    clients: AtomicUsize,
    refusals: AtomicUsize,
    welcomed: AtomicU64,
    refused: AtomicU64,
    sources: Mutex<HashMap<Source, usize>>,
    cooldowns: Cooldowns,
    rations: Rations,
}

/// What the gate says to a connection.
pub(super) enum Admission {
    /// Come in.
    Welcome(Permit),
    /// Be told why not.
    Refused(Permit, Refusal),
    /// There is not even room for that.
    TurnedAway,
}

/// The right to be in, given back when it is dropped.
pub(super) struct Permit {
    gate: Arc<Gate>,
    holder: Holder,
}

enum Holder {
    /// Where it is counted, if it is.
    Client(Option<Source>),
    Refused,
}

/// What counts as one address. An IPv6 address counts by its first 64 bits, which one customer has to himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    /// The source of a connection from `address`.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl Gate {
    /// A gate that keeps `limits`, holds those back who ended badly, and gives rations of what is slow.
    pub(super) fn new(limits: Limits, cooldowns: Cooldowns, rations: Rations) -> Self {
        Self {
            limits,
            clients: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            welcomed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            sources: Mutex::new(HashMap::new()),
            cooldowns,
            rations,
        }
    }

    /// The unsent bytes above which a connection is not read.
    pub(super) fn high_mark(&self) -> usize {
        self.limits.high_mark
    }

    /// How much is used.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            clients: self.clients.load(Ordering::Relaxed),
            max_clients: self.limits.max_clients,
            welcomed: self.welcomed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Decides about a connection from `address` that comes to `door`.
    pub(super) fn admit(self: &Arc<Self>, door: &'static str, address: IpAddr, now: Instant) -> Admission {
        let answerable = self.cooldowns.answerable(door, address);
        if let Some(left) = answerable.and_then(|answerable| self.cooldowns.left(answerable, now)) {
            return self.refuse(Refusal::CoolingDown(left));
        }
        if !take(&self.clients, self.limits.max_clients) {
            return self.refuse(Refusal::Full);
        }
        // Loopback is this machine's own business.
        let exempt = self.limits.max_per_address == 0 || address.to_canonical().is_loopback();
        let counted = (!exempt).then(|| Source::of(address));
        if let Some(source) = counted {
            let mut sources = self.sources.lock();
            let count = sources.entry(source).or_default();
            if *count >= self.limits.max_per_address {
                self.clients.fetch_sub(1, Ordering::Relaxed);
                return self.refuse(Refusal::Crowded);
            }
            *count += 1;
        }
        self.welcomed.fetch_add(1, Ordering::Relaxed);
        let holder = Holder::Client(counted);
        Admission::Welcome(Permit { gate: Arc::clone(self), holder })
    }

    fn refuse(self: &Arc<Self>, why: Refusal) -> Admission {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if !take(&self.refusals, REFUSALS_AT_A_TIME) {
            return Admission::TurnedAway;
        }
        Admission::Refused(Permit { gate: Arc::clone(self), holder: Holder::Refused }, why)
    }

    fn forget(&self, source: Source) {
        let mut sources = self.sources.lock();
        if let Some(count) = sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                sources.remove(&source);
            }
        }
    }
}

/// Counts one more, unless that would be more than `limit`.
fn take(counter: &AtomicUsize, limit: usize) -> bool {
    let more = |count: usize| (count < limit).then_some(count + 1);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl Permit {
    /// A connection from `address` to `door` has ended badly: the address cools down, if it has to.
    pub(super) fn cool_down(&self, door: &'static str, address: IpAddr, now: Instant) {
        if let Some(answerable) = self.gate.cooldowns.answerable(door, address) {
            self.gate.cooldowns.begin(answerable, now);
        }
    }

    /// Uses `cost` units of what `address` may have done at `door`. None: it may be done now; otherwise when.
    pub(super) fn draw(
        &self,
        door: &'static str,
        address: IpAddr,
        cost: u32,
        now: Instant,
    ) -> Option<Instant> {
        self.gate.rations.draw(door, Source::of(address), cost, now)
    }

    /// What was drawn is not needed after all.
    pub(super) fn give_back(&self, door: &'static str, address: IpAddr, cost: u32) {
        self.gate.rations.give_back(door, Source::of(address), cost);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match self.holder {
            Holder::Refused => {
                self.gate.refusals.fetch_sub(1, Ordering::Relaxed);
            }
            Holder::Client(counted) => {
                self.gate.clients.fetch_sub(1, Ordering::Relaxed);
                counted.into_iter().for_each(|source| self.gate.forget(source));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(max_clients: usize, max_per_address: usize) -> Arc<Gate> {
        let limits = Limits { max_clients, max_per_address, high_mark: 1 };
        Arc::new(Gate::new(limits, Cooldowns::new([]), Rations::new([])))
    }

    fn admit(gate: &Arc<Gate>, address: IpAddr) -> Admission {
        gate.admit("test", address, Instant::now())
    }

    fn outcome(admission: &Admission) -> String {
        match admission {
            Admission::Welcome(_) => "welcome".to_owned(),
            Admission::Refused(_, why) => why.to_string(),
            Admission::TurnedAway => "turned away".to_owned(),
        }
    }

    #[test]
    fn a_full_server_takes_the_next_when_one_leaves() {
        let gate = gate(2, 0);
        let address = IpAddr::from([10, 0, 0, 1]);
        let mut inside = vec![admit(&gate, address), admit(&gate, address)];
        assert_eq!(outcome(&admit(&gate, address)), "the server is full");
        inside.pop();
        assert_eq!(outcome(&admit(&gate, address)), "welcome");
        assert_eq!(gate.usage(), Usage { clients: 1, max_clients: 2, welcomed: 3, refused: 1 });
    }

    #[test]
    fn only_so_many_refusals_are_pending() {
        let gate = gate(0, 0);
        let pending: Vec<_> = (0..17).map(|_| admit(&gate, IpAddr::from([10, 0, 0, 1]))).collect();
        assert_eq!(pending.iter().filter(|admission| outcome(admission) == "turned away").count(), 1);
    }

    #[test]
    fn an_address_counts_by_itself_and_loopback_not_at_all() {
        let gate = gate(100, 1);
        let table = [
            ("10.0.0.1", "welcome"),
            ("10.0.0.1", "too many connections from your address"),
            ("::ffff:10.0.0.1", "too many connections from your address"),
            ("10.0.0.2", "welcome"),
            ("2001:db8::1", "welcome"),
            ("2001:db8::2", "too many connections from your address"),
            ("2001:db8:0:1::1", "welcome"),
            ("127.0.0.1", "welcome"),
            ("127.0.0.1", "welcome"),
            ("::1", "welcome"),
            ("::1", "welcome"),
        ];
        let mut inside = Vec::new();
        for (address, expected) in table {
            inside.push(admit(&gate, address.parse().unwrap()));
            assert_eq!(outcome(&inside[inside.len() - 1]), expected, "{address}");
        }
        drop(inside);
        assert!(gate.sources.lock().is_empty());
        assert_eq!(gate.usage().clients, 0);
    }
}
