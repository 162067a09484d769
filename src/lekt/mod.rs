//! LEKT 0.0.0: presence and rendezvous, the heart of the house.
//!
//! A client connects and says which connection methods it knows (`H`). The server accepts (`A`), asks for the
//! particulars of each method that it knows too (`T`), and puts the client on the roll. From then on the
//! client sends heartbeats (`H`), and each is answered with what changed on the roll since the answer before.
//! Whoever misbehaves is told why (`R`). Messages never pass through the server: one client connects to the
//! other, both say their nicknames, and once both have accepted they exchange message [`part`]s.
//!
//! The manual page lekt(7) settles every byte; "quoted words" in comments here are its headings. One
//! role, one state machine, none of which has a socket or a clock.

pub mod client;
pub mod message;
pub mod part;
pub mod peer;
pub mod server;
pub mod wire;
