//! The client's side of the conversation with the server.
//!
//! ```text
//!     new -> awaiting accept -> setup -> on the roll <-> listing
//!                     any of them -> rejected
//! ```
//!
//! An answer is taken object by object and address by address: a block of millions needs no memory here.

use std::net::Ipv4Addr;

use log::trace;

use super::wire::{self, Block, BlockKind, Header, KnownMethods, Method, Object, Version, kind};
use crate::wire::{Problem, Reader, WireError};

/// What the server told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is accepted; the session speaks this version.
    Accepted(Version),
    /// The setup is over: we are on the roll, and heartbeats may be sent.
    Joined,
    /// Somebody is on the roll.
    Added(Object),
    /// An address has left the roll, with all its clients.
    Removed(Ipv4Addr),
    /// The block is complete; whether it was the last of its answer does not show.
    BlockEnded(Block),
    /// The server ends the conversation, and why. Nothing follows.
    Rejected(String),
}

/// The client's role against a server: bytes in, [`Event`]s and bytes out.
#[derive(Debug)]
pub struct Client {
    state: State,
    methods: Vec<Method>,
}

/// Named for what is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitingAccept,
    /// `asked` is the method that was asked for last, 0 before the first.
    Setup {
        version: Version,
        asked: u32,
    },
    OnRoll {
        version: Version,
    },
    /// Inside a block; `left` of its objects or addresses are still to come.
    Listing {
        version: Version,
        block: Block,
        left: u32,
    },
    Rejected,
}

impl Client {
    /// A client that can be reached by `methods`; its handshake is appended to `out`.
    pub fn new(methods: impl IntoIterator<Item = Method>, out: &mut Vec<u8>) -> Self {
        let methods: Vec<Method> = methods.into_iter().collect();
        KnownMethods::of(methods.iter().map(|method| method.index())).put(out, Version::OURS);
        Self { state: State::AwaitingAccept, methods }
    }

    /// Takes what came, up to the end of one packet, object or address, and appends what has to be sent.
    ///
    /// Returns how many of `bytes` were taken and what they told. Call it again with the rest until it gives
    /// neither: then more bytes are needed, and at most 65,540 are ever waited for.
    ///
    /// # Errors
    /// The server broke a rule of lekt(7): the connection has to be closed. Nothing is sent then, a client
    /// has no way to reject a server.
    pub fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Event>), WireError> {
        let mut reader = Reader::new(bytes);
        match self.step(&mut reader, out) {
            Ok(event) => Ok((reader.position(), event)),
            Err(error) if error.is_short() => Ok((0, None)),
            Err(error) => Err(error),
        }
    }

    /// Appends a heartbeat with our Unix time in seconds; false, and nothing, while we are not on the roll.
    pub fn heartbeat(&self, time: i64, out: &mut Vec<u8>) -> bool {
        let (State::OnRoll { version } | State::Listing { version, .. }) = self.state else {
            return false;
        };
        wire::put_heartbeat(out, version, time);
        true
    }

    /// True if the stream may end here, given that all that came was taken: on the roll, between two packets.
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::OnRoll { .. })
    }

    /// One step in the state at hand. Nothing is changed before all that the step reads has been read.
    fn step(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<Option<Event>, WireError> {
        match self.state {
            State::Listing { version, block, left } => self.list(reader, version, block, left).map(Some),
            State::Rejected => {
                reader.bytes("discarded", reader.rest().len())?;
                Ok(None)
            }
            State::AwaitingAccept | State::Setup { .. } | State::OnRoll { .. } => self.packet(reader, out),
        }
    }

    fn packet(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<Option<Event>, WireError> {
        let header = wire::header(reader)?;
        if header.kind == kind::REJECT {
            let reason = wire::said(reader, "reason")?.to_owned();
            self.enter(State::Rejected, "rejected by the server");
            return Ok(Some(Event::Rejected(reason)));
        }
        match self.state {
            State::Setup { version, asked } => {
                judge(header, version, kind::SETUP)?;
                self.setup(reader, version, asked, out)
            }
            State::OnRoll { version } => {
                judge(header, version, kind::HEARTBEAT)?;
                let block = Block::read(reader)?;
                if block.count == 0 {
                    return Ok(Some(Event::BlockEnded(block)));
                }
                self.state = State::Listing { version, block, left: block.count };
                Ok(None)
            }
            // The other two do not come here.
            State::AwaitingAccept | State::Listing { .. } | State::Rejected => {
                let version = header.version;
                let spoken = Version::OURS.agreed(version).unwrap_or(Version::OURS);
                judge(header, spoken, kind::ACCEPT)?;
                self.enter(State::Setup { version, asked: 0 }, "accepted");
                Ok(Some(Event::Accepted(version)))
            }
        }
    }

    /// The server asks for method `index`, or ends the setup with 0.
    fn setup(
        &mut self,
        reader: &mut Reader<'_>,
        version: Version,
        asked: u32,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, WireError> {
        let start = reader.clone();
        let index = reader.u32("method")?;
        if index == 0 {
            self.enter(State::OnRoll { version }, "setup is over");
            return Ok(Some(Event::Joined));
        }
        let method = self.methods.iter().find(|method| method.index() == index && index > asked);
        let Some(&method) = method else {
            return Err(start.error("method", Problem::Value(index)));
        };
        wire::put_method(out, version, method);
        self.enter(State::Setup { version, asked: index }, "a method was asked for");
        Ok(None)
    }

    /// One object or address of `block`, of which `left` are to come; or its end.
    fn list(
        &mut self,
        reader: &mut Reader<'_>,
        version: Version,
        block: Block,
        left: u32,
    ) -> Result<Event, WireError> {
        if left == 0 {
            self.state = State::OnRoll { version };
            return Ok(Event::BlockEnded(block));
        }
        let event = match block.kind {
            BlockKind::Added => Event::Added(object(reader)?),
            BlockKind::Removed => Event::Removed(Ipv4Addr::from(reader.word("address")?)),
        };
        self.state = State::Listing { version, block, left: left - 1 };
        Ok(event)
    }

    fn enter(&mut self, state: State, why: &str) {
        trace!("{:?} -> {state:?}: {why}", self.state);
        self.state = state;
    }
}

/// Judges version and kind of a packet that is not a rejection.
fn judge(header: Header, version: Version, kind: u8) -> Result<(), WireError> {
    let Version { major, minor, extra } = header.version;
    let error = |at, field, problem| Err(WireError { at, field, problem });
    for (at, field, found, expected) in [
        (5, "major version", major, version.major),
        (6, "minor version", minor, version.minor),
        (7, "extra version", extra, version.extra),
    ] {
        if found != expected {
            return error(at, field, Problem::Value(found.into()));
        }
    }
    if header.kind == kind { Ok(()) } else { error(4, "kind", Problem::Byte(header.kind)) }
}

/// A client object, whose methods have to ascend ("Added block").
fn object(reader: &mut Reader<'_>) -> Result<Object, WireError> {
    let start = reader.clone();
    let object = Object::read(reader)?;
    let descent = object.methods.windows(2).find(|pair| pair[0].index() >= pair[1].index());
    match descent {
        Some(pair) => Err(start.error("method", Problem::Value(pair[1].index()))),
        None => Ok(object),
    }
}

#[cfg(test)]
mod tests;
