//! Residue: clients that say hello, get a key, stay alive by touching it, and send encrypted logs.
//!
//! ```text
//!     connect port     hello -> key -> acknowledge -> established ... touch -> established
//!     token port       access code -> token
//!     logging port     items -> {"r":0}
//! ```
//!
//! A client says hello with a public RSA key, in plain or encrypted to the server's own, and gets an ID and an AES
//! key that only it can read. With that it acknowledges, and is on the roll until it has not touched its key for too
//! long, whatever becomes of its connections. All else it sends is sealed by that key: requests for tokens, and logs,
//! which are answered when they are in the file of their logger.
//!
//! The manual page residue(7) settles every byte; "quoted words" in comments here are its headings. What
//! sessions and their clerk say to each other goes over the [`desk`]: sessions know no files and no clients but
//! the one whose packet they hold, the clerk no connection.

pub mod books;
pub mod cipher;
pub mod clerk;
pub mod client;
pub mod desk;
pub mod envelope;
pub mod item;
pub mod json;
pub mod packet;
pub mod pair;
pub mod random;
pub mod reply;
pub mod request;
pub mod room;
pub mod server;
pub mod store;
#[cfg(test)]
mod vectors;
