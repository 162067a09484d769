//! What the integration tests share: the daemon as a process, and a client that knows nothing of the
//! product's own code.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

pub mod answer;
pub mod bytes;
#[cfg(feature = "chapp")]
pub mod chapp;
#[cfg(feature = "chapp")]
pub mod chapp_told;
pub mod daemon;
#[cfg(any(feature = "fmltp", feature = "residue"))]
pub mod der;
pub mod disk;
pub mod faults;
#[cfg(feature = "fmltp")]
pub mod fmltp;
#[cfg(feature = "fmltp")]
pub mod fmltp_keys;
pub mod handed_over;
pub mod own;
pub mod place;
pub mod process;
pub mod random;
pub mod raw;
#[cfg(feature = "residue")]
pub mod reporter;
#[cfg(feature = "residue")]
pub mod residue;
#[cfg(feature = "residue")]
pub mod residue_cipher;
#[cfg(feature = "residue")]
pub mod residue_keys;
#[cfg(feature = "residue")]
pub mod residue_node;
#[cfg(feature = "residue")]
pub mod residue_wire;
#[cfg(any(feature = "fmltp", feature = "residue"))]
pub mod secrets;

use std::time::Duration;

pub use answer::{Seen, ip, who};
pub use bytes::*;
pub use daemon::{CLOSED, Daemon, Engine};
pub use disk::Disk;
pub use handed_over::handed_over;
pub use own::own_address;
pub use place::Place;
pub use raw::Raw;

/// How long a test waits for something that has to come. Nothing is ever expected to take it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long a test looks for something that must not come. A machine that is slower than that misses a
/// mistake, but reports none.
pub const GLANCE: Duration = Duration::from_millis(40);

/// Makes two tests of each function that is named: one on each engine.
#[macro_export]
macro_rules! on_both_engines {
    ($($rule:ident),+ $(,)?) => {
        mod events {
            $(#[test] fn $rule() { super::$rule($crate::common::Engine::Events); })+
        }
        mod threads {
            $(#[test] fn $rule() { super::$rule($crate::common::Engine::Threads); })+
        }
    };
}
