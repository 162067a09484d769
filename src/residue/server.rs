//! The server's side of a conversation with a client, on each of the three ports.
//!
//! ```text
//!     sealed by a client's key:
//!         Idle --packet--> Learning --whose key it is--> Opening --opened--> Asking --verdict--> Idle
//!              --opened by the key of the last packet---------------------->
//!     hello, plain or encrypted to the server's key:
//!         Idle --packet--> Weighing --its key is read--> Greeting --ID and key--> Encrypting --reply--> Idle
//! ```
//!
//! Each packet gets one reply, and the next packet is not looked at before. What opens quickly is opened at
//! once; long packets and everything with RSA in it is done where it holds up nobody else.

mod answers;
mod doors;
mod hello;
mod sealed;
mod session;
mod state;
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::books::{ClientBook, Clients};
use super::item::{self, LineFormat};
use super::pair::PrivateKey;
use super::reply::Flags;
use super::request::Freshness;
pub use super::request::TOLERANCE;
use super::room::{ROOM, Room};
use crate::session::Ration;
pub use doors::{ConnectDoor, LogDoor, TokenDoor};

/// How much RSA an address may have done ("Rates"): 20 decryptions a second, and 40 at once if it has not asked
/// for long.
pub const RATION: Ration = Ration { interval: Duration::from_millis(5), burst: 400 };

/// What can be set: the same for the doors of all three ports.
#[derive(Clone)]
pub struct Settings {
    /// The server's own key; none: no hello can be encrypted to it.
    pub key: Option<Arc<PrivateKey>>,
    /// Who is managed.
    pub clients: Arc<dyn ClientBook>,
    /// What the server does, and tells its clients. The clerk has to be told the same about tokens.
    pub flags: Flags,
    /// Who the server belongs to: has to be a [label](super::reply::is_label).
    pub licensee: Box<str>,
    /// What the server is: has to be a [label](super::reply::is_label).
    pub version: Box<str>,
    /// Where clients are told to send their logs; 0: nowhere.
    pub logging_port: u16,
    /// Where clients are told to get tokens; 0: nowhere.
    pub token_port: u16,
    /// How many items a packet may hold.
    pub bulk_limit: u32,
    /// How far a client's clock may be off, in seconds, either way.
    pub tolerance: u64,
    /// What the lines of log files look like.
    pub line_format: LineFormat,
    /// How much RSA an address may have done on the connect port: a decryption takes 10 units, a plain hello 1.
    pub ration: Ration,
    /// Where lines are until they are written.
    pub room: Arc<Room>,
}

impl Settings {
    /// What counts as sent just now.
    fn freshness(&self, unix_time: i64) -> Freshness {
        Freshness { unix_time, tolerance: self.tolerance }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: None,
            clients: Arc::new(Nobody::default()),
            flags: Flags::default(),
            licensee: "rollcall".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            logging_port: 0,
            token_port: 0,
            bulk_limit: u32::try_from(item::BULK_LIMIT).unwrap_or(u32::MAX),
            tolerance: TOLERANCE,
            line_format: LineFormat::default(),
            ration: RATION,
            room: Room::new(ROOM),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("key", &self.key.is_some())
            .field("managed", &self.clients.clients().len())
            .field("flags", &self.flags)
            .field("licensee", &self.licensee)
            .field("version", &self.version)
            .field("logging_port", &self.logging_port)
            .field("token_port", &self.token_port)
            .field("bulk_limit", &self.bulk_limit)
            .field("tolerance", &self.tolerance)
            .field("line_format", &self.line_format)
            .field("ration", &self.ration)
            .field("room", &self.room)
            .finish()
    }
}

/// The book of a server that manages nobody.
#[derive(Default)]
struct Nobody {
    book: Arc<Clients>,
}

impl ClientBook for Nobody {
    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.book)
    }
}

#[cfg(test)]
mod tests;
