//! How many are let in, and what is counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::cooldown::Cooldowns;
use super::rations::Rations;
use super::sources::{Source, Sources};
use super::{HAS_COOLDOWNS, HAS_WAITING};
use crate::session::{Excess, Refusal};

/// How many connections may be told at a time that they cannot be let in, and stay until they have heard it; beyond, they
/// are told and closed at once.
const REFUSALS_AT_A_TIME: usize = 16;

/// What an engine allows. For what is counted by address loopback is exempt, and an IPv6 address counts by its first
/// 64 bits, which one customer has to himself.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most connections in all.
    pub max_clients: usize,
    /// The most connections from one address; 0: any number.
    pub max_per_address: usize,
    /// The most connections that are pending: beyond, the oldest of them gives way; 0: any number.
    pub max_pending: usize,
    /// The most connections from one address that are pending; 0: any number.
    pub max_pending_per_address: usize,
    /// The most new connections from one address in a minute; 0: any number.
    pub max_new_per_minute: usize,
    /// The most messages of one connection in a second: beyond, it is not read for a moment; 0: any number.
    pub max_messages: usize,
    /// For how many seconds nothing has come from a loose connection that gives way when there are as many in all as
    /// there may be; 0: none does.
    pub give_way: usize,
    /// The bytes that may wait to be sent to a client and, having come from it, to be judged: it is not read as long as
    /// there would be more.
    pub high_mark: usize,
}

impl Limits {
    /// At most `max_clients`, and otherwise no limits.
    pub const fn unbounded(max_clients: usize) -> Self {
        Self {
            max_clients,
            max_per_address: 0,
            max_pending: 0,
            max_pending_per_address: 0,
            max_new_per_minute: 0,
            max_messages: 0,
            give_way: 0,
            high_mark: usize::MAX,
        }
    }
}

/// What is counted since the start, beside those who were let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Refused, because there were as many connections as there may be, or as the system had threads for.
    Full,
    /// Refused, because there were as many from the address.
    Crowded,
    /// Refused, because there were as many from the address that were pending.
    Pending,
    /// Refused, because as many had come from the address lately.
    Hasty,
    /// Refused, because an earlier session from the address has ended badly.
    CoolingDown,
    /// Refused, because the system had no descriptor left.
    Descriptors,
    /// Closed, because others needed the place.
    GaveWay,
    /// Not read for a moment, because messages came too fast.
    Slowed,
    /// Not read for a while, because too much waited to be sent.
    Stuffed,
    /// Closed, because more had changed than the journal remembers.
    Behind,
    /// Closed, because too many letters waited.
    Letters,
}

impl From<Excess> for Count {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Changes => Self::Behind,
            Excess::Letters => Self::Letters,
        }
    }
}

/// How much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Connections that were let in and are still there.
    pub clients: usize,
    /// The most that are let in.
    pub max_clients: usize,
    /// Those among them that are pending.
    pub pending: usize,
    /// How many have ever been let in.
    pub welcomed: u64,
    /// What else was counted.
    pub counts: [u64; Count::NAMES.len()],
}

impl Count {
    /// What each is called.
    pub const NAMES: [&str; 11] = [
        "full",
        "per address",
        "pending per address",
        "new per minute",
        "cooling down",
        "descriptors",
        "gave way",
        "slowed down",
        "stuffed",
        "behind the journal",
        "letters",
    ];
    /// How many of them, from the first on, are refusals.
    pub const REFUSALS: usize = 6;
}

impl Usage {
    /// How many were let in and have gone again.
    pub fn gone(&self) -> u64 {
        self.welcomed.saturating_sub(self.clients as u64)
    }

    /// How many have ever been refused.
    pub fn refused(&self) -> u64 {
        self.counts[..Count::REFUSALS].iter().sum()
    }
}

/// Counts who is in.
pub(super) struct Gate {
    limits: Limits,
    /// In microseconds.
    message_interval: u32,
    /// When the clock began by which connections and addresses are judged.
    began: Instant,
    clients: AtomicUsize,
    pending: AtomicUsize,
    refusals: AtomicUsize,
    welcomed: AtomicU64,
    counts: [AtomicU64; Count::NAMES.len()],
    sources: Sources,
    cooldowns: Cooldowns,
    rations: Rations,
}

/// What the gate says to a connection.
pub(super) enum Admission {
    /// Come in.
    Welcome(Permit),
    /// Be told why not.
    Refused(Permit, Refusal),
    /// Be told why not, and go at once.
    TurnedAway(Refusal),
}

impl Admission {
    /// Why not.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Welcome(_) => None,
            Self::Refused(_, why) | Self::TurnedAway(why) => Some(*why),
        }
    }
}

/// The right to be in, given back when it is dropped.
pub(super) struct Permit {
    gate: Arc<Gate>,
    /// Where it is counted, if it is.
    source: Source,
    holder: Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// A client who is pending.
    Pending,
    /// A client who is pending, and waits for us.
    Waiting,
    Settled,
    /// A client who is to leave because others need the place.
    Ousted,
    /// No client, but one who is told why not.
    Refused,
}

impl Gate {
    /// A gate that keeps `limits`, holds those back who ended badly, and gives rations of what is slow.
    pub(super) fn new(limits: Limits, cooldowns: Cooldowns, rations: Rations) -> Self {
        let interval = 1_000_000_usize.checked_div(limits.max_messages).unwrap_or(0);
        Self {
            limits,
            message_interval: u32::try_from(interval).unwrap_or(0),
            began: Instant::now(),
            clients: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            welcomed: AtomicU64::new(0),
            counts: Default::default(),
            sources: Sources::default(),
            cooldowns,
            rations,
        }
    }

    /// What is allowed.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How much is used.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            clients: self.clients.load(Ordering::Relaxed),
            max_clients: self.limits.max_clients,
            pending: self.pending.load(Ordering::Relaxed),
            welcomed: self.welcomed.load(Ordering::Relaxed),
            counts: std::array::from_fn(|which| self.counts[which].load(Ordering::Relaxed)),
        }
    }

    /// Counts one more of this.
    pub(super) fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One who was welcome cannot be served after all.
    pub(super) fn regret(&self) {
        self.welcomed.fetch_sub(1, Ordering::Relaxed);
        self.count(Count::Full);
    }

    /// The time in microseconds.
    #[inline]
    pub(super) fn clock(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.began);
        passed.as_secs() * 1_000_000 + u64::from(passed.subsec_micros())
    }

    /// How many more may be pending; none: there are too many.
    pub(super) fn room_for_pending(&self) -> Option<usize> {
        match self.limits.max_pending {
            0 => Some(usize::MAX),
            limit => limit.checked_sub(self.pending.load(Ordering::Relaxed)),
        }
    }

    /// Decides about a connection from `address` that comes to `door`. Where there is no place, `make_room` may see to it
    /// that there will be one at once, and then says so.
    pub(super) fn admit(
        self: &Arc<Self>,
        door: &'static str,
        address: IpAddr,
        now: Instant,
        make_room: &mut dyn FnMut() -> bool,
    ) -> Admission {
        let cools_down = || self.cooldowns.left(self.cooldowns.answerable(door, address)?, now);
        if HAS_COOLDOWNS && let Some(left) = cools_down() {
            return self.refuse(Refusal::CoolingDown(left));
        }
        // Loopback is this machine's own business.
        let exempt = address.to_canonical().is_loopback();
        let source = if exempt { Source::NOBODY } else { Source::of(address) };
        let clock = self.clock(now);
        if let Err(why) = self.sources.enter(source, &self.limits, clock) {
            return self.refuse(why);
        }
        if !take(&self.clients, self.limits.max_clients) {
            if !make_room() {
                self.sources.settle(source);
                self.sources.take_back(source, &self.limits);
                self.sources.leave(source, clock);
                return self.refuse(Refusal::Full);
            }
            self.clients.fetch_add(1, Ordering::Relaxed);
        }
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.welcomed.fetch_add(1, Ordering::Relaxed);
        Admission::Welcome(Permit { gate: Arc::clone(self), source, holder: Holder::Pending })
    }

    fn refuse(self: &Arc<Self>, why: Refusal) -> Admission {
        self.count(match why {
            Refusal::Full => Count::Full,
            Refusal::Crowded => Count::Crowded,
            Refusal::Pending => Count::Pending,
            Refusal::Hasty => Count::Hasty,
            Refusal::CoolingDown(_) => Count::CoolingDown,
        });
        if !take(&self.refusals, REFUSALS_AT_A_TIME) {
            return Admission::TurnedAway(why);
        }
        let permit = Permit { gate: Arc::clone(self), source: Source::NOBODY, holder: Holder::Refused };
        Admission::Refused(permit, why)
    }
}

/// Counts one more, unless that would be more than `limit`.
fn take(counter: &AtomicUsize, limit: usize) -> bool {
    let more = |count: usize| (count < limit).then_some(count + 1);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl Permit {
    /// Where it is from.
    #[inline]
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How long a message counts, in microseconds.
    #[inline]
    pub(super) fn message_interval(&self) -> u32 {
        self.gate.message_interval
    }

    /// Whether its holder is pending.
    #[inline]
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.holder, Holder::Pending | Holder::Waiting)
    }

    /// Its holder waits for us: that is no reason to keep others out, or to let him go.
    #[inline]
    pub(super) fn wait(&mut self) {
        if self.holder == Holder::Pending {
            self.holder = Holder::Waiting;
            self.gate.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Its holder waits for us no longer.
    #[inline]
    pub(super) fn go_on(&mut self) {
        if HAS_WAITING && self.holder == Holder::Waiting {
            self.holder = Holder::Pending;
            self.gate.pending.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Its holder is pending no longer.
    pub(super) fn settle(&mut self) {
        if self.is_pending() {
            self.wait();
            self.holder = Holder::Settled;
            self.gate.sources.settle(self.source);
        }
    }

    /// Its holder has to leave, which is not to be held against his address.
    pub(super) fn oust(&mut self) {
        self.settle();
        self.holder = Holder::Ousted;
        self.gate.count(Count::GaveWay);
    }

    /// A connection from `address` to `door` has ended badly: the address cools down, if it has to.
    pub(super) fn cool_down(&self, door: &'static str, address: IpAddr, now: Instant) {
        if HAS_COOLDOWNS
            && self.holder != Holder::Ousted
            && let Some(answerable) = self.gate.cooldowns.answerable(door, address)
        {
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
        if self.holder == Holder::Refused {
            self.gate.refusals.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.settle();
        self.gate.clients.fetch_sub(1, Ordering::Relaxed);
        if self.source != Source::NOBODY {
            self.gate.sources.leave(self.source, self.gate.clock(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests;
