//! One client, and which way its life goes ("Age").
//!
//! ```text
//!     Fresh --ACKNOWLEDGE--> Acknowledged --its age--> Dead --> forgotten
//!       +------------------300 s-----------> Lapsed --> forgotten
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Settings;
use super::marks::Marks;
use super::quiet::Home;
use super::tokens::Tokens;
use crate::residue::cipher::Key;
use crate::residue::desk::{Pass, Port};
use crate::residue::pair::PublicKey;
use crate::roll::Member;
use crate::session::Caller;

/// How long a client has to acknowledge.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(300);
/// How long the key of a dead client is kept, so that it can be told in its own language.
const KEY_KEPT: Duration = Duration::from_secs(600);

/// A client on record.
pub(super) struct Client {
    pub(super) key: Arc<Key>,
    /// A number that no other life has.
    pub(super) life: u64,
    pub(super) origin: Origin,
    pub(super) state: State,
    pub(super) marks: Marks,
    pub(super) tokens: Tokens,
    /// How many loggers there are because of it.
    pub(super) loggers: usize,
    /// When a packet of its came last that was not seen before.
    pub(super) heard: Instant,
    /// What that was when it was put on the list of those who are quiet.
    pub(super) listed: Instant,
    /// From where it has acknowledged; none: not yet, or that does not count.
    pub(super) home: Option<Home>,
    /// The connections that carried it last, one a port.
    carriers: [Option<Caller>; 3],
}

/// Where a client comes from.
pub(super) enum Origin {
    /// It was given its ID.
    Unknown,
    /// It is in the book, with this key.
    Managed(Arc<PublicKey>),
}

/// Each is since when it is so.
#[derive(Clone, Copy)]
pub(super) enum State {
    /// It has its key, and has not acknowledged.
    Fresh { since: Instant },
    /// It has acknowledged, or touched its key.
    Acknowledged { since: Instant, seat: Seat },
    /// Its time to acknowledge is over.
    Lapsed { since: Instant },
    /// It has lived.
    Dead { since: Instant },
}

/// Whether it is on the roll.
#[derive(Clone, Copy)]
pub(super) enum Seat {
    /// It will be, before anything more is said.
    Coming,
    /// It is.
    Taken(Member),
}

/// Who gives way first when there are too many clients, and among these who is so for longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Lapsed,
    Fresh,
    Dead,
}

impl Client {
    /// A client as it begins.
    pub(super) fn new(now: Instant, life: u64, key: Key, origin: Origin) -> Self {
        Self {
            key: Arc::new(key),
            life,
            origin,
            state: State::Fresh { since: now },
            marks: Marks::default(),
            tokens: Tokens::default(),
            loggers: 0,
            heard: now,
            listed: now,
            home: None,
            carriers: [None; 3],
        }
    }

    pub(super) fn pass(&self, id: &Arc<str>) -> Pass {
        Pass { id: Arc::clone(id), key: Arc::clone(&self.key), life: self.life }
    }

    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state, State::Fresh { .. } | State::Acknowledged { .. })
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.state, State::Acknowledged { .. })
    }

    pub(super) fn is_managed(&self) -> bool {
        matches!(self.origin, Origin::Managed(_))
    }

    /// The last moment at which it is what it is; none: it stays so.
    pub(super) fn deadline(&self, settings: &Settings) -> Option<Instant> {
        let Settings { age, tolerance, .. } = *settings;
        match self.state {
            State::Fresh { since } => since.checked_add(ACKNOWLEDGE_WITHIN),
            State::Acknowledged { .. } if age == 0 => None,
            // What ends beyond all time does not end.
            State::Acknowledged { since, .. } => {
                since.checked_add(Duration::from_secs(age))?.checked_add(Duration::from_secs(tolerance))
            }
            State::Lapsed { since } | State::Dead { since } => since.checked_add(KEY_KEPT),
        }
    }

    /// Whether it can give way to others, and when.
    pub(super) fn rank(&self) -> Option<(Rank, Instant)> {
        match self.state {
            State::Fresh { since } => Some((Rank::Fresh, since)),
            State::Acknowledged { .. } => None,
            State::Lapsed { since } => Some((Rank::Lapsed, since)),
            State::Dead { since } => Some((Rank::Dead, since)),
        }
    }

    /// Whether it may have to give way though it is alive.
    pub(super) fn may_be_too_quiet(&self) -> bool {
        self.is_acknowledged() && !self.is_managed()
    }

    /// Notes when it was heard, and by which connection.
    pub(super) fn heard_by(&mut self, now: Instant, port: Port, caller: Caller) {
        self.heard = now;
        let place = match port {
            Port::Connect => 0,
            Port::Token => 1,
            Port::Log => 2,
        };
        self.carriers[place] = Some(caller);
    }

    /// The connections that have carried it last; they are told of once.
    pub(super) fn take_carriers(&mut self) -> impl Iterator<Item = Caller> + use<> {
        std::mem::take(&mut self.carriers).into_iter().flatten()
    }
}
