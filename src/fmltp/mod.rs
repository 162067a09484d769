//! FmLTP (FlexMusic): clients shake hands, are secured and authorized, and then give commands.
//!
//! ```text
//!     server                                  client
//!     FlexMusic,0.0.0                  ->                               who are you, and which version
//!                                      <-     FlexMusic,0.0.0
//!     -----BEGIN DH PARAMETERS-----    ->                               let us agree on a key
//!                                      <-     -----BEGIN PUBLIC KEY-----
//!     -----BEGIN PUBLIC KEY-----       ->
//!                                      <-     {FlexMusic,0.0.0}         in {...}: a token, sealed with the key
//!     {100 FmLTP/1.0 Interpreter ...}  ->
//!                                      <-     {AUTH user password}
//!     {150 Authentication ...}         ->
//! ```
//!
//! The server speaks first. Both say their names and versions in the clear, agree on a key by Diffie-Hellman in the
//! server's [`group`], each side's public [`key`] travelling as a [`pem`] block, and from then on all is said in [`fernet`]
//! tokens, the first of which proves that the client has the key. Where the server keeps users, the client says its name
//! and password next. Then it gives commands, each a token, each answered by one that begins with a number.
//!
//! Nobody proves to the client that the server is the one it means: who can stand between the two can read along.
//!
//! The manual page fmltp(7) settles every byte; "quoted words" in comments here are its headings. All cryptography is
//! that of well-kept crates; no secret outlives its use in memory, and none is ever logged.

mod asn1;
pub mod client;
pub mod command;
pub mod fernet;
pub mod group;
pub mod key;
pub mod pem;
#[cfg(test)]
pub(crate) mod random;
#[cfg(not(test))]
mod random;
pub mod server;
pub mod space;
pub mod users;
#[cfg(test)]
mod vectors;
pub mod version;

#[cfg(test)]
mod tests;
