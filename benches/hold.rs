//! What the daemon holds up against: garbage, crowds, greed, kills, signals, and a long life.
//!
//! Each row starts the real daemon, does to it over real sockets what the row is named after, and holds a figure
//! against a bar. `cargo bench --bench hold -- ROW ...` runs those that are named, `--markdown` prints them as
//! `tests/RELIABILITY.md` has them, `--engine NAME` keeps to one engine, and `--seconds NUMBER` says for how long clients
//! come and go. A bar that says how many is *exact*: to miss it is a failure at any size. One that says how fast or how
//! much is held against a quiet machine alone, so the load average stands beside each.

#[path = "hold/mod.rs"]
mod hold;
#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    hold::main()
}
