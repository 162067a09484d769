//! Engines move bytes and time between the system and sessions.
//!
//! There are two, and they drive the same sessions: `events` (mio poll loops) and `threads` (blocking, a
//! thread a connection). All that they share is in `conn`: a session plus its bytes in transit. `accept`
//! lets clients in, `limits` says how many, `sources` how many from where, `cooldown` who has to wait, `places` who
//! has to go, and `pace` how fast messages may come; `workers` change the roll and publish
//! it, `toil` is for what is slow, and over a `desk` goes what is for the books of a door. No protocol is known here
//! by name.

mod accept;
mod backlog;
mod conn;
mod cooldown;
mod desk;
mod events;
mod limits;
mod pace;
mod places;
mod published;
mod rations;
mod rehearsal;
mod seldom;
mod sources;
mod task;
mod threads;
mod timers;
mod toil;
mod way;
mod workers;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

pub use accept::Entrance;
pub use limits::{Count, Limits, Usage};
pub use published::Published;

use crate::session::Clerk;
use cooldown::Cooldowns;
use limits::Gate;
use rations::Rations;
use toil::Toilers;
use workers::Workers;

/// How connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By poll loops, so many of them.
    Events {
        /// How many threads poll.
        loops: NonZeroUsize,
    },
    /// By one blocking thread for each connection.
    Threads,
}

/// What an engine needs to begin.
pub struct Setup {
    /// Which engine.
    pub kind: Kind,
    /// How many threads change the roll.
    pub workers: NonZeroUsize,
    /// How many threads do what is slow, if any door needs it done.
    pub slow_workers: NonZeroUsize,
    /// What each of those calls first, to leave the machine to others that are in a hurry.
    pub humble: fn(),
    /// Who keeps the books of which doors.
    pub clerks: Vec<(Vec<&'static str>, Box<dyn Clerk>)>,
    /// What is allowed.
    pub limits: Limits,
    /// The bound of the roll's journal, in changes.
    pub journal: usize,
    /// The listeners, each with what lies behind it.
    pub entrances: Vec<Entrance>,
}

/// A running engine.
pub struct Engine {
    published: Arc<Published>,
    gate: Arc<Gate>,
    workers: Workers,
    service: Service,
    ended: Receiver<()>,
}

enum Service {
    Events(events::Loops),
    Threads(threads::Service),
}

impl Engine {
    /// Starts the workers, then whoever accepts.
    ///
    /// # Errors
    /// When a thread or a poll cannot be made.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let published = Arc::new(Published::new(setup.journal));
        let doors = || setup.entrances.iter().map(|entrance| &entrance.door);
        let strict = || doors().filter(|_| HAS_COOLDOWNS);
        let cooldowns = Cooldowns::new(strict().map(|door| (door.name(), door.cooldown())));
        let toils = HAS_TOIL && doors().any(|door| door.toils());
        let toilers = toils.then(|| Toilers::start(setup.slow_workers, setup.humble)).transpose()?;
        let slow = || doors().filter(|_| HAS_TOIL);
        let rations = Rations::new(slow().map(|door| (door.name(), door.ration())));
        let gate = Arc::new(Gate::new(setup.limits, cooldowns, rations));
        let (lamp, ended) = bounded(1);
        let vigil = Vigil { _lamp: lamp };
        let mut workers = Workers::start(setup.workers, toilers, &published)?;
        for (doors, clerk) in setup.clerks {
            if HAS_CLERKS {
                workers.hire(doors, clerk, vigil.clone())?;
            }
        }
        let house =
            House { published: Arc::clone(&published), gate: Arc::clone(&gate), workers: workers.clone() };
        let service = match setup.kind {
            Kind::Events { loops } => {
                Service::Events(events::Loops::start(loops, &house, &vigil, setup.entrances)?)
            }
            Kind::Threads => Service::Threads(threads::Service::start(house, vigil, setup.entrances)?),
        };
        Ok(Self { published, gate, workers, service, ended })
    }

    /// Stops accepting, lets every session say goodbye, and waits until all are gone and every clerk has closed his
    /// books, at most until `until`.
    ///
    /// # Errors
    /// They did not in time: how many connections are left.
    pub fn drain(self, until: Instant) -> Result<(), usize> {
        let Self { gate, workers, service, ended, .. } = self;
        match &service {
            Service::Events(loops) => loops.stop(),
            Service::Threads(service) => service.stop(),
        }
        workers.stop_toil();
        // A clerk ends when nobody is left who could come to him.
        drop((workers, service));
        // Nothing is ever sent: the channel is cut when the last one who keeps something is gone.
        let left = until.saturating_duration_since(Instant::now());
        match ended.recv_timeout(left) {
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Ok(()),
            _ => Err(gate.usage().clients),
        }
    }

    /// The roll, to look at.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// How many connections there are, and how many were refused.
    pub fn usage(&self) -> Usage {
        self.gate.usage()
    }
}

/// What every thread that serves connections has.
#[derive(Clone)]
struct House {
    published: Arc<Published>,
    gate: Arc<Gate>,
    workers: Workers,
}

/// Held by whoever may still have connections, or books; when the last one is dropped, [`Engine::drain`] knows.
#[derive(Clone)]
struct Vigil {
    _lamp: crossbeam_channel::Sender<()>,
}

/// Whether any door that is built in has slow work done, or a clerk: the bare daemon goes without what is for them.
const HAS_TOIL: bool = cfg!(any(test, feature = "toil"));
const HAS_CLERKS: bool = cfg!(any(test, feature = "clerks"));
/// Whether somebody who is pending may wait for us, and be pending again afterwards.
const HAS_WAITING: bool = HAS_TOIL || HAS_CLERKS;
/// Whether any door that is built in has addresses cool down: those do that have slow work done.
const HAS_COOLDOWNS: bool = HAS_TOIL;
/// Whether any door that is built in has sessions that are loose.
const HAS_LOOSE: bool = cfg!(any(test, feature = "residue"));
/// How long a connection that is to be closed may take to read what it is still owed.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);
/// What of its clerk's letters a connection may be owed before it is closed.
const OWED_LIMIT: usize = 1 << 20;
/// How long input is discarded after the last words, so that a TCP reset does not destroy them.
const LINGER_LIMIT: Duration = Duration::from_secs(1);
/// The same, and the time to read what is owed, once the daemon is to end: all have to be gone within a second.
const PARTING_LIMIT: Duration = Duration::from_millis(500);
/// The most messages that one connection has carried out before the others get their turn.
const MESSAGES_PER_TURN: usize = 64;
/// The most bytes that are read at once.
const READ_LIMIT: usize = 16 * 1024;
/// What of a buffer that a burst has filled is kept for the next one.
const KEEP_LIMIT: usize = 64 * 1024;

#[cfg(test)]
#[cfg_attr(not(feature = "chapp"), allow(dead_code, reason = "not every door uses all of it"))]
pub(crate) mod simulation;
#[cfg(test)]
mod tests;
