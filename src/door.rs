//! Which doors there are: the only list of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

#[cfg(feature = "chapp")]
use crate::chapp::server::ChappDoor;
#[cfg(feature = "fmltp")]
use crate::fmltp::server::{FmltpDoor, Settings as FmltpSettings};
use crate::lekt::server::{LektDoor, Settings as LektSettings};
#[cfg(feature = "residue")]
use crate::residue::server::{ConnectDoor, LogDoor, Settings as ResidueSettings, TokenDoor};
use crate::session::Door;

/// A protocol that the daemon speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Presence and rendezvous.
    Lekt,
    /// FlexMusic clients.
    #[cfg(feature = "fmltp")]
    Fmltp,
    /// A chat with names that last.
    #[cfg(feature = "chapp")]
    Chapp,
    /// Logging clients: where they connect.
    #[cfg(feature = "residue")]
    Residue,
    /// Where they get tokens.
    #[cfg(feature = "residue")]
    ResidueToken,
    /// Where they bring their logs.
    #[cfg(feature = "residue")]
    ResidueLog,
}

impl Kind {
    /// All that are built in, in the order in which they are told.
    pub const ALL: &[Self] = &[
        Self::Lekt,
        #[cfg(feature = "fmltp")]
        Self::Fmltp,
        #[cfg(feature = "chapp")]
        Self::Chapp,
        #[cfg(feature = "residue")]
        Self::Residue,
        #[cfg(feature = "residue")]
        Self::ResidueToken,
        #[cfg(feature = "residue")]
        Self::ResidueLog,
    ];

    /// The name by which options, log lines and the roll know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lekt => LektDoor::NAME,
            #[cfg(feature = "fmltp")]
            Self::Fmltp => FmltpDoor::NAME,
            #[cfg(feature = "chapp")]
            Self::Chapp => ChappDoor::NAME,
            #[cfg(feature = "residue")]
            Self::Residue => ConnectDoor::NAME,
            #[cfg(feature = "residue")]
            Self::ResidueToken => TokenDoor::NAME,
            #[cfg(feature = "residue")]
            Self::ResidueLog => LogDoor::NAME,
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether somebody keeps books for it.
    pub fn has_clerk(self) -> bool {
        match self {
            Self::Lekt => false,
            #[cfg(feature = "fmltp")]
            Self::Fmltp => false,
            #[cfg(feature = "chapp")]
            Self::Chapp => true,
            #[cfg(feature = "residue")]
            Self::Residue | Self::ResidueToken | Self::ResidueLog => true,
        }
    }

    /// Where it listens unless told otherwise: this machine only.
    pub fn default_address(self) -> SocketAddr {
        let port = match self {
            Self::Lekt => LEKT_PORT,
            #[cfg(feature = "fmltp")]
            Self::Fmltp => FMLTP_PORT,
            #[cfg(feature = "chapp")]
            Self::Chapp => CHAPP_PORT,
            #[cfg(feature = "residue")]
            Self::Residue => RESIDUE_PORT,
            #[cfg(feature = "residue")]
            Self::ResidueToken => RESIDUE_TOKEN_PORT,
            #[cfg(feature = "residue")]
            Self::ResidueLog => RESIDUE_LOG_PORT,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// The names of the doors that are not built in.
pub const ABSENT: &[&str] = &[
    #[cfg(not(feature = "fmltp"))]
    "fmltp",
    #[cfg(not(feature = "chapp"))]
    "chapp",
    #[cfg(not(feature = "residue"))]
    "residue",
    #[cfg(not(feature = "residue"))]
    "residue-token",
    #[cfg(not(feature = "residue"))]
    "residue-log",
];

/// The port of LEKT, for servers and for whoever looks for one.
pub const LEKT_PORT: u16 = 7890;
/// The port of FmLTP.
#[cfg(feature = "fmltp")]
pub const FMLTP_PORT: u16 = 8900;
/// The port of chapp.
#[cfg(feature = "chapp")]
pub const CHAPP_PORT: u16 = 6969;
/// The port of Residue at which clients connect.
#[cfg(feature = "residue")]
pub const RESIDUE_PORT: u16 = 8777;
/// The port of Residue at which they get tokens.
#[cfg(feature = "residue")]
pub const RESIDUE_TOKEN_PORT: u16 = 8778;
/// The port of Residue at which they bring their logs.
#[cfg(feature = "residue")]
pub const RESIDUE_LOG_PORT: u16 = 8779;

/// What can be set for all doors.
#[derive(Debug, Clone, Default)]
pub struct DoorSettings {
    /// For LEKT.
    pub lekt: LektSettings,
    /// For FmLTP.
    #[cfg(feature = "fmltp")]
    pub fmltp: FmltpSettings,
    /// For the doors of Residue.
    #[cfg(feature = "residue")]
    pub residue: Arc<ResidueSettings>,
}

/// Makes the door of this kind.
pub fn open(kind: Kind, settings: &DoorSettings) -> Arc<dyn Door> {
    match kind {
        Kind::Lekt => Arc::new(LektDoor::new(settings.lekt.clone())),
        #[cfg(feature = "fmltp")]
        Kind::Fmltp => Arc::new(FmltpDoor::new(settings.fmltp.clone())),
        #[cfg(feature = "chapp")]
        Kind::Chapp => Arc::new(ChappDoor),
        #[cfg(feature = "residue")]
        Kind::Residue => Arc::new(ConnectDoor::new(settings.residue.clone())),
        #[cfg(feature = "residue")]
        Kind::ResidueToken => Arc::new(TokenDoor::new(settings.residue.clone())),
        #[cfg(feature = "residue")]
        Kind::ResidueLog => Arc::new(LogDoor::new(settings.residue.clone())),
    }
}
