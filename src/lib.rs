//! Rendezvous and presence for small servers.
//!
//! Clients knock at one lean daemon, shake hands, are kept on the roll while they stay alive, hear with
//! each heartbeat who came and who went, and then talk to each other directly. By other doors they leave messages for each
//! other, or logs.
//!
//! # The way data takes
//!
//! ```text
//!     socket -> engine -> session -> (ask) -> workers -> roll -> journal -> session -> bytes -> engine -> socket
//!                                    (ask) -> toil, on a thread of low priority -> session
//!                                    (ask) -> clerk -> workers; database or log files; letters -> session
//! ```
//!
//! Data goes round once, always the same way; nothing calls backwards.
//!
//! # The floors
//!
//! Each floor imports only from below; `tests/layers.rs` holds every `use crate::` against this picture.
//!
//! ```text
//!     bin        rollcalld, rollcall: parse the command line, run, exit code
//!     daemon     options, wiring, signals, data           client   connect, call, answer, the commands
//!     door       which doors there are; the only list     engine   sockets, time, threads, workers, limits
//!     lekt fmltp chapp residue
//!                one protocol each: packets, one state machine for each role, and books where there are any
//!     session    what a protocol is to an engine
//!     roll       who is there, and what changed
//!     wire       bytes in and out
//! ```
//!
//! Read it from the bottom: [`wire`], [`roll`], [`session`], [`lekt`], `fmltp`, `chapp`, `residue`, then [`engine`], [`door`] and [`daemon`].

#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

#[cfg(feature = "chapp")]
pub mod chapp;
#[cfg(feature = "client")]
pub mod client;
pub mod daemon;
pub mod door;
pub mod engine;
#[cfg(feature = "fmltp")]
pub mod fmltp;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod lekt;
#[cfg(feature = "residue")]
pub mod residue;
pub mod roll;
pub mod session;
#[cfg(test)]
#[cfg_attr(
    not(all(feature = "chapp", feature = "fmltp")),
    allow(dead_code, unused_mut, unused_variables, clippy::ptr_arg, reason = "some doors are not there")
)]
mod simulation;
pub mod wire;
