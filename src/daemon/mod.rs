//! The daemon around the engines: command line, wiring, signals, readiness.

mod clerks;
#[cfg(feature = "chapp")]
mod data;
#[cfg(feature = "clerks")]
mod directory;
mod files;
mod listen;
mod logging;
#[cfg(feature = "residue")]
mod logs;
pub mod options;
mod panics;
mod pid_file;
#[cfg(feature = "toil")]
mod reread;
#[cfg(feature = "residue")]
mod residue;
mod run;
mod sandbox;
mod status;
mod system;
#[cfg(feature = "fmltp")]
mod users;

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

/// How `rollcalld` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to.
    Done,
    /// Something outside it failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The system does not permit it.
    NotPermitted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotPermitted => 4,
        })
    }
}

/// Why the daemon cannot run: one sentence for whoever started it.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// A failure of the system in doing `what`.
    fn system(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::NotPermitted,
            _ => Exit::Failed,
        };
        Self { exit, message: format!("{what}: {error}") }
    }

    /// A command line that cannot be meant.
    fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }
}

/// Runs `rollcalld` with these arguments, the program's name not among them.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    panics::end_with_the_first();
    system::share_memory();
    let outcome = options::parse(arguments).and_then(|command| match command {
        options::Command::Print(text) => {
            run::say(&text);
            Ok(())
        }
        options::Command::Check(options) => run::check(&options),
        options::Command::Serve(options) => run::serve(&options),
    });
    match outcome {
        Ok(()) => Exit::Done.into(),
        Err(Failure { exit, message }) => {
            eprintln!("rollcalld: {message}");
            if exit == Exit::Usage {
                eprintln!("Try 'rollcalld --help', or read rollcalld(8).");
            }
            exit.into()
        }
    }
}

/// Whether what a disk says may be over one day, and is no reason not to begin.
#[cfg(feature = "clerks")]
fn may_pass(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
    )
}
