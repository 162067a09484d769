//! Which doors there are: the only list of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::lekt::server::{LektDoor, Settings};
use crate::session::Door;

/// A protocol that the daemon speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Presence and rendezvous.
    Lekt,
}

impl Kind {
    /// The name by which options, log lines and the roll know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lekt => LektDoor::NAME,
        }
    }

    /// Where it listens unless told otherwise: this machine only.
    pub fn default_address(self) -> SocketAddr {
        let port = match self {
            Self::Lekt => LEKT_PORT,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// The port of LEKT, for servers and for whoever looks for one.
pub const LEKT_PORT: u16 = 7890;

/// What can be set for all doors.
#[derive(Debug, Clone, Default)]
pub struct DoorSettings {
    /// For LEKT.
    pub lekt: Settings,
}

/// Makes the door of this kind.
pub fn open(kind: Kind, settings: &DoorSettings) -> Arc<dyn Door> {
    match kind {
        Kind::Lekt => Arc::new(LektDoor::new(settings.lekt.clone())),
    }
}
