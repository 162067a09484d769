//! The doors of the three ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Settings;
use super::session::Server;
use crate::residue::desk::Port;
use crate::residue::packet::DELIMITER;
use crate::residue::reply::{self, ConnectError, LogReply, TokenError};
use crate::session::{Door, Ration, Refusal, Session};

/// The door of the connect port: hello, acknowledge, touch.
pub struct ConnectDoor {
    settings: Arc<Settings>,
}

/// The door of the token port.
pub struct TokenDoor {
    settings: Arc<Settings>,
}

/// The door of the logging port.
pub struct LogDoor {
    settings: Arc<Settings>,
}

impl ConnectDoor {
    /// The name of this door, under which clients are on the roll.
    pub const NAME: &'static str = "residue";

    /// A door whose sessions go by `settings`.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl TokenDoor {
    /// The name of this door.
    pub const NAME: &'static str = "residue-token";

    /// A door whose sessions go by `settings`.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl LogDoor {
    /// The name of this door.
    pub const NAME: &'static str = "residue-log";

    /// A door whose sessions go by `settings`.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl Door for ConnectDoor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session> {
        Box::new(Server::new(now, peer, Port::Connect, Arc::clone(&self.settings)))
    }

    /// There is no text for a server that is full. This one is true, and what a client does about it, if
    /// anything, is to say hello again.
    fn refusal(&self, _why: Refusal) -> Vec<u8> {
        packet(|out| reply::put_error(out, ConnectError::NotConnected))
    }

    fn toils(&self) -> bool {
        true
    }

    fn ration(&self) -> Ration {
        self.settings.ration
    }
}

impl Door for TokenDoor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session> {
        Box::new(Server::new(now, peer, Port::Token, Arc::clone(&self.settings)))
    }

    /// As on the connect port.
    fn refusal(&self, _why: Refusal) -> Vec<u8> {
        packet(|out| reply::put_token_error(out, TokenError::NotConnected))
    }

    fn toils(&self) -> bool {
        true
    }
}

impl Door for LogDoor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session> {
        Box::new(Server::new(now, peer, Port::Log, Arc::clone(&self.settings)))
    }

    /// Whatever the client is sending, it is not taken. That it is not known would be wrong, and make it say
    /// hello for nothing.
    fn refusal(&self, _why: Refusal) -> Vec<u8> {
        LogReply::NotTaken.packet().to_vec()
    }

    fn toils(&self) -> bool {
        true
    }
}

/// The name of the door of a port.
pub(super) fn name(port: Port) -> &'static str {
    match port {
        Port::Connect => ConnectDoor::NAME,
        Port::Token => TokenDoor::NAME,
        Port::Log => LogDoor::NAME,
    }
}

/// A plain packet.
fn packet(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = Vec::new();
    put(&mut packet);
    packet.extend_from_slice(DELIMITER);
    packet
}
