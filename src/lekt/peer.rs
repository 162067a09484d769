//! One client talking to another.
//!
//! ```text
//!     caller A                                  answerer B
//!     awaiting answer (60 s)    -- H nick -->   awaiting hello (10 s)
//!                                               deciding: its user is asked (60 s)
//!     deciding (60 s)           <-- A nick --   awaiting accept (60 s)
//!     talking                   -- A ------->   talking
//! ```
//!
//! Either side may reject before it talks. What the other sends ahead waits, unread, until we have decided.

use std::fmt;
use std::time::{Duration, Instant};

use log::trace;

use super::message::{Inbox, Outbox, Parcel};
use super::wire::{self, Header, Version, kind};
use crate::wire::{Problem, Reader, WireError};

/// Within this time the caller has said who it is.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Within this time each side has decided whether it accepts.
pub const DECISION_TIMEOUT: Duration = Duration::from_secs(60);

/// What the other side did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// It says who it is, and now it is for us to [`Peer::accept`] or [`Peer::reject`]: the caller has called,
    /// or the one we called has accepted.
    Introduced {
        /// Its nickname, 1 to 255 bytes without control characters.
        nickname: &'a str,
    },
    /// It has accepted, after us: messages may be exchanged.
    Connected,
    /// It does not want to, and why. Nothing follows.
    Rejected {
        /// In its own words.
        reason: &'a str,
    },
    /// The next bytes of a message.
    Part {
        /// Which message.
        id: u32,
        /// At least one.
        bytes: &'a [u8],
    },
    /// A message is complete: now it is delivered.
    Ended {
        /// Which message.
        id: u32,
    },
}

/// Why it is over; [`Peer`] has already appended the rejection, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The other side broke a rule of lekt(7).
    Malformed(WireError),
    /// It speaks a version that we do not.
    Version(Version),
    /// It did not say who it is within [`HELLO_TIMEOUT`].
    NoHello,
    /// It did not decide within [`DECISION_TIMEOUT`].
    Undecided,
    /// Our own user did not.
    WeUndecided,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Version(theirs) => {
                write!(f, "version {theirs} is not spoken here, only {}", Version::OURS)
            }
            Self::NoHello => write!(f, "no handshake within {} s", HELLO_TIMEOUT.as_secs()),
            Self::Undecided => write!(f, "no decision within {} s", DECISION_TIMEOUT.as_secs()),
            Self::WeUndecided => write!(f, "nobody answered within {} s", DECISION_TIMEOUT.as_secs()),
        }
    }
}

impl std::error::Error for Fault {}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

/// It is not the time for that: nobody waits for our decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow;

/// Either role between two clients: bytes and time in, [`Event`]s and bytes out.
#[derive(Debug)]
pub struct Peer {
    state: State,
    role: Role,
    nickname: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Caller,
    Answerer,
}

/// Named for what is waited for.
#[derive(Debug)]
enum State {
    AwaitingHello {
        until: Instant,
    },
    /// The caller's: for the one it called.
    AwaitingAnswer {
        until: Instant,
    },
    /// For our own user.
    Deciding {
        version: Version,
        until: Instant,
    },
    /// The answerer's: for the caller to accept in its turn.
    AwaitingAccept {
        version: Version,
        until: Instant,
    },
    Talking(Inbox, Outbox),
    Ended,
}

impl Peer {
    /// Calls somebody; the handshake is appended to `out`. A nickname has 1 to 255 bytes without control
    /// characters; anything else is made so.
    pub fn call(nickname: &str, now: Instant, out: &mut Vec<u8>) -> Self {
        wire::put_said(out, kind::HELLO, Version::OURS, filled(nickname));
        let state = State::AwaitingAnswer { until: now + DECISION_TIMEOUT };
        Self { state, role: Role::Caller, nickname: nickname.to_owned() }
    }

    /// Answers somebody who has just connected.
    pub fn answer(nickname: &str, now: Instant) -> Self {
        let state = State::AwaitingHello { until: now + HELLO_TIMEOUT };
        Self { state, role: Role::Answerer, nickname: nickname.to_owned() }
    }

    /// Takes what came, up to the next thing to tell.
    ///
    /// Returns how many of `bytes` were taken and what they told. Call it again with the rest until it gives
    /// neither: then more bytes are needed, at most 264, or our decision is, before which nothing but
    /// a rejection is read.
    ///
    /// # Errors
    /// Before messages are exchanged the rejection has been appended to `out`: it has to be sent ("Rejecting").
    /// While they are there is none. Either way nothing more is read.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        bytes: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), Fault> {
        if let State::Talking(inbox, _) = &mut self.state {
            return converse(inbox, bytes).map_err(|error| self.fail(error.into(), out));
        }
        let mut reader = Reader::new(bytes);
        match self.step(now, &mut reader) {
            Ok(event) => Ok((reader.position(), event)),
            Err(Fault::Malformed(error)) if error.is_short() => Ok((0, None)),
            Err(fault) => Err(self.fail(fault, out)),
        }
    }

    /// Accepts the one who has introduced itself. The caller may talk at once, the answerer waits
    /// for [`Event::Connected`].
    pub fn accept(&mut self, now: Instant, out: &mut Vec<u8>) -> Result<(), NotNow> {
        let State::Deciding { version, .. } = self.state else {
            return Err(NotNow);
        };
        match self.role {
            Role::Caller => {
                wire::put_accept(out, version);
                self.enter(State::Talking(Inbox::after_accepting(), Outbox::default()), "both accepted");
            }
            Role::Answerer => {
                wire::put_said(out, kind::ACCEPT, version, filled(&self.nickname));
                self.enter(State::AwaitingAccept { version, until: now + DECISION_TIMEOUT }, "we accepted");
            }
        }
        Ok(())
    }

    /// Rejects, at any time before messages are exchanged.
    pub fn reject(&mut self, reason: &str, out: &mut Vec<u8>) -> Result<(), NotNow> {
        let version = match self.state {
            State::Deciding { version, .. } | State::AwaitingAccept { version, .. } => version,
            State::AwaitingHello { .. } | State::AwaitingAnswer { .. } => Version::OURS,
            State::Talking(..) | State::Ended => return Err(NotNow),
        };
        wire::put_reject(out, version, reason);
        self.enter(State::Ended, "rejected by us");
        Ok(())
    }

    /// When [`tick`](Self::tick) is due next.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::AwaitingHello { until }
            | State::AwaitingAnswer { until }
            | State::Deciding { until, .. }
            | State::AwaitingAccept { until, .. } => Some(until),
            State::Talking(..) | State::Ended => None,
        }
    }

    /// Looks whether the deadline has passed; before it this does nothing.
    ///
    /// # Errors
    /// It has: the rejection is in `out`.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.deadline().is_none_or(|until| now < until) {
            return Ok(());
        }
        let fault = match self.state {
            State::AwaitingHello { .. } => Fault::NoHello,
            State::Deciding { .. } => Fault::WeUndecided,
            _ => Fault::Undecided,
        };
        Err(self.fail(fault, out))
    }

    /// True once both have accepted.
    pub fn is_talking(&self) -> bool {
        matches!(self.state, State::Talking(..))
    }

    /// True while it is our turn to accept or reject.
    pub fn is_deciding(&self) -> bool {
        matches!(self.state, State::Deciding { .. })
    }

    /// True after a rejection by either side, and after a fault.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The sending side, while messages are exchanged.
    pub fn outbox(&mut self) -> Option<&mut Outbox> {
        match &mut self.state {
            State::Talking(_, outbox) => Some(outbox),
            _ => None,
        }
    }

    /// The two directions apart, so that different threads can see to them; none unless messages are exchanged.
    pub fn split(&mut self) -> Option<(Inbox, Outbox)> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Talking(inbox, outbox) => Some((inbox, outbox)),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// One packet of the handshake. Nothing is changed before it is there as a whole.
    fn step<'a>(&mut self, now: Instant, reader: &mut Reader<'a>) -> Result<Option<Event<'a>>, Fault> {
        if self.has_ended() {
            reader.bytes("discarded", reader.rest().len())?;
            return Ok(None);
        }
        let mut body = reader.clone();
        let header = match self.header(&mut body)? {
            Some(header) => header,
            // Sent ahead: it is judged when we have decided.
            None => return Ok(None),
        };
        let event = if header.kind == kind::REJECT {
            let reason = wire::said(&mut body, "reason")?;
            self.enter(State::Ended, "rejected by the other");
            Event::Rejected { reason }
        } else if let State::AwaitingAccept { .. } = self.state {
            self.enter(State::Talking(Inbox::default(), Outbox::default()), "both accepted");
            Event::Connected
        } else {
            let nickname = wire::said(&mut body, "nickname")?;
            let version = Version::OURS.agreed(header.version).ok_or(Fault::Version(header.version))?;
            self.enter(State::Deciding { version, until: now + DECISION_TIMEOUT }, "introduced");
            Event::Introduced { nickname }
        };
        *reader = body;
        Ok(Some(event))
    }

    /// The next header, judged against the phase: magic, version, kind. None where it waits for our decision.
    fn header(&self, reader: &mut Reader<'_>) -> Result<Option<Header>, Fault> {
        let deciding_caller = self.is_deciding() && self.role == Role::Caller;
        if deciding_caller && reader.rest().get(..5).is_some_and(|start| start != b"LEKTR") {
            // Not a rejection, so it is a part, and parts have no header.
            return Ok(None);
        }
        let header = wire::header(reader)?;
        if header.kind == kind::REJECT {
            return Ok(Some(header));
        }
        let (version, kind) = match self.state {
            State::AwaitingHello { .. } => (None, kind::HELLO),
            State::AwaitingAnswer { .. } => (None, kind::ACCEPT),
            State::Deciding { version, .. } | State::AwaitingAccept { version, .. } => {
                (Some(version), kind::ACCEPT)
            }
            State::Talking(..) | State::Ended => (None, header.kind),
        };
        self.judge_version(header.version, version)?;
        if header.kind != kind {
            return Err(WireError { at: 4, field: "kind", problem: Problem::Byte(header.kind) }.into());
        }
        Ok(if self.is_deciding() { None } else { Some(header) })
    }

    /// In a handshake the answerer judges the major version alone, and the caller that the answer is not above
    /// what it offered; from then on it is `spoken`.
    fn judge_version(&self, theirs: Version, spoken: Option<Version>) -> Result<(), Fault> {
        let agreed = Version::OURS.agreed(theirs);
        let fits = match (spoken, self.role) {
            (Some(spoken), _) => theirs == spoken,
            (None, Role::Answerer) => agreed.is_some(),
            (None, Role::Caller) => agreed == Some(theirs),
        };
        if fits { Ok(()) } else { Err(Fault::Version(theirs)) }
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<u8>) -> Fault {
        if self.reject(&fault.to_string(), out).is_err() {
            // Where messages are exchanged there is no packet that could say it.
            self.enter(State::Ended, "malformed part");
        }
        fault
    }

    fn enter(&mut self, state: State, why: &str) {
        trace!("{:?} -> {state:?}: {why}", self.state);
        self.state = state;
    }
}

/// What the inbox says, as an event.
fn converse<'a>(inbox: &mut Inbox, bytes: &'a [u8]) -> Result<(usize, Option<Event<'a>>), WireError> {
    let (taken, parcel) = inbox.receive(bytes)?;
    let event = parcel.map(|parcel| match parcel {
        Parcel::Part { id, bytes } => Event::Part { id, bytes },
        Parcel::Ended { id } => Event::Ended { id },
        Parcel::Rejected { reason } => Event::Rejected { reason },
    });
    Ok((taken, event))
}

/// What is said where something has to be.
fn filled(nickname: &str) -> &str {
    if nickname.is_empty() { "?" } else { nickname }
}

#[cfg(test)]
mod tests;
