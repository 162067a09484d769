//! What the benches share.
//!
//! A bench starts the real daemon and, beside it, a *floor*: a child process that moves the same bytes with the
//! fewest system calls and does nothing else. One [`crowd::Crowd`] drives either of them, rounds alternate, and
//! the processor time of both is read from the same clock, so that what the machine does meanwhile cancels.

pub(crate) mod bytes;
#[cfg(feature = "chapp")]
pub(crate) mod chapp;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod floor;
#[cfg(feature = "fmltp")]
pub(crate) mod fmltp;
pub(crate) mod measure;
pub(crate) mod pipe;
pub(crate) mod process;
#[cfg(feature = "residue")]
pub(crate) mod residue;
pub(crate) mod view;

use std::io;
use std::process::ExitCode;

/// How much work a bench does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Under `cargo test`: enough to show that it works.
    Small,
    /// Under `cargo bench`: enough to measure.
    Full,
}

impl Size {
    /// The value for this size.
    pub(crate) fn pick<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// Runs the bench `name`, or, in a child process, the floor that the arguments name.
///
/// Cargo passes `--bench` under `cargo bench` alone. A word among the arguments is a filter, as tests have it.
pub(crate) fn main(name: &str, run: fn(Size) -> io::Result<()>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = child(&arguments) {
        return ended(name, outcome);
    }
    let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    if filters.peek().is_some() && !filters.any(|filter| name.contains(filter.as_str())) {
        return ExitCode::SUCCESS;
    }
    let size = match arguments.iter().any(|argument| argument == "--bench") {
        true => Size::Full,
        false => Size::Small,
    };
    println!("{name} ({size:?}): {}", measure::machine());
    ended(name, measure::allow_many_descriptors().and_then(|()| run(size)))
}

/// Runs what a child process of a bench is for, if that is what the arguments ask for.
fn child(arguments: &[String]) -> Option<io::Result<()>> {
    #[cfg(feature = "fmltp")]
    if let Some(outcome) = fmltp::main(arguments) {
        return Some(outcome);
    }
    floor::main(arguments).or_else(|| pipe::main(arguments))
}

fn ended(name: &str, outcome: io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An error that says what went wrong.
pub(crate) fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}
