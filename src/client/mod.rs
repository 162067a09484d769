//! The client: being present on a server's roll, calling others and being called, and the program `rollcall`.
//!
//! Everything here blocks; what has to go on in the meantime has a thread of its own. The protocol itself is
//! in [`lekt`](crate::lekt), this adds sockets and time.
//!
//! * [`Presence`] keeps a place on the roll of a server and tells who comes and goes; [`roster`] asks once.
//! * [`Ringing`] is a call that has not come about yet, from either side; [`Listener`] brings those of others.
//! * [`Call`] sends messages, from several threads if need be, and [`Incoming`] receives them, whole or through
//!   a [`Sink`] as they come.
//! * `chat` is all of that for a client of chapp, whose conversations go through the server.
//! * [`commands`] is the program.

mod backoff;
mod call;
#[cfg(feature = "chapp")]
mod chat;
mod clock;
pub mod commands;
mod error;
mod hold;
mod listen;
mod net;
mod presence;
mod ringing;
mod roll;
mod server;

pub use backoff::{BACKOFF_FIRST, BACKOFF_LIMIT, BACKOFF_RESET, Backoff};
pub use call::{Call, Incoming};
pub use clock::LocalTime;
pub use error::Error;
pub use hold::{HOLD, Hold, Sink, Whole};
pub use listen::{Listener, MAX_PEERS, Stopper};
pub use net::{CONNECT_TIMEOUT, LINGER, SERVER_PORT, place};
pub use presence::{
    HEARTBEAT_INTERVAL, NEWS_LIMIT, News, Presence, PresenceOptions, SILENCE_LIMIT, WhenLost, roster,
};
pub use ringing::{Decider, Ringing};
pub use roll::{Change, ROLL_LIMIT, Roll};
pub use server::JOIN_TIMEOUT;

#[cfg(test)]
mod tests;
