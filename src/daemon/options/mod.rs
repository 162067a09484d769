//! The command line of `rollcalld`.

#[cfg(feature = "chapp")]
mod chapp;
mod doors;
#[cfg(feature = "fmltp")]
mod fmltp;
pub(super) mod limits;
mod read;
#[cfg(feature = "residue")]
mod residue;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use getopts::{Matches, Options as Getopts};

use super::Failure;
use crate::engine::{Kind as EngineKind, Limits};
#[cfg(feature = "chapp")]
pub use chapp::Keeping;
pub use doors::{Addresses, Doors};
#[cfg(feature = "fmltp")]
pub use fmltp::Login;
use read::{cores, count, number, told};
#[cfg(feature = "residue")]
pub use residue::{KeyFile, Logging, Policy, Residue};

/// The most clients that can be asked for: far below what the 24-bit counts of LEKT can say.
pub const MAX_CLIENTS: usize = 1_048_576;
/// The most changes that the journal can be asked to remember: what one LEKT block can count.
const MAX_JOURNAL: usize = 16_777_215;

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Print this and end.
    Print(String),
    /// Say whether these options would do, and end.
    Check(Options),
    /// Serve.
    Serve(Options),
}

/// All that can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which doors there are, and what goes for them.
    pub doors: Doors,
    /// Which engine.
    pub engine: EngineKind,
    /// How many threads change the roll.
    pub workers: NonZeroUsize,
    /// How many threads do what is slow.
    pub slow_workers: NonZeroUsize,
    /// How much is allowed; of connections any number where that is not said.
    pub limits: Limits,
    /// How many changes the journal remembers.
    pub journal: usize,
    /// Who to become once everything is open.
    pub user: Option<String>,
    /// The group, if it is not the user's own.
    pub group: Option<String>,
    /// Where the process number is written.
    pub pid_file: Option<PathBuf>,
    /// Whether files and connections that are not needed are given up.
    pub sandbox: Sandbox,
    /// What is logged if `RUST_LOG` does not say.
    pub log_level: log::LevelFilter,
}

/// Whether the daemon gives up what it does not need once everything is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the kernel is able to.
    On,
    /// It stays as free as it was started.
    Off,
}

/// What it takes to stay free.
const NO_SANDBOX: &str = "no-sandbox";

fn getopts() -> Getopts {
    let mut all = Getopts::new();
    doors::declare(&mut all);
    all.optopt(
        "",
        "engine",
        "how connections are served: \"events\" or \"threads\" (default events)",
        "KIND",
    );
    all.optopt("", "loops", "poll loops of the engine \"events\", 1 to 256 (default one per core)", "N");
    all.optopt("", "workers", "threads that change the roll, 1 to 256 (default 1)", "N");
    #[cfg(feature = "toil")]
    all.optopt(
        "",
        "slow-workers",
        "threads of low priority for what is slow: key exchanges, passwords and long packets, 1 to 256 (default one less than cores)",
        "N",
    );
    all.optopt(
        "",
        "journal",
        "changes that a client may be behind, 16 to 16777215 (default 65536)",
        "CHANGES",
    );
    limits::declare(&mut all);
    all.optopt("", "user", "become this user once everything is open (default stay)", "NAME");
    all.optopt("", "group", "become a member of this group alone (default the user's own)", "NAME");
    #[cfg(feature = "sandbox")]
    all.optflag("", NO_SANDBOX, "stay outside of the sandbox, free to open other files and connections");
    all.optopt("", "pid-file", "write the process number there (default nowhere)", "FILE");
    all.optflag("", "check", "say whether these options would do, print what they come to, and exit");
    all.optflagmulti("v", "verbose", "log more: debug, and if given twice trace");
    all.optflag("q", "quiet", "log errors only");
    all.optflag("h", "help", "print this and exit");
    all.optflag("V", "version", "print the version and exit");
    all
}

/// Reads the command line.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut all = getopts();
    doors::declare_absent(&mut all);
    // What is not built in can be said to be off, as doors can.
    #[cfg(not(feature = "sandbox"))]
    all.optflag("", NO_SANDBOX, "");
    let matches = all.parse(arguments).map_err(|fail| Failure::usage(told(&fail)))?;
    if matches.opt_present("help") {
        let brief = "Usage: rollcalld [OPTION]...\nRendezvous and presence for small servers: keeps the roll, and tells who came and went.";
        return Ok(Command::Print(getopts().usage(brief).trim_end().to_owned()));
    }
    if matches.opt_present("version") {
        return Ok(Command::Print(format!("rollcalld {}", env!("CARGO_PKG_VERSION"))));
    }
    if let Some(extra) = matches.free.first() {
        return Err(Failure::usage(format!("it takes options only, not \"{extra}\"")));
    }
    let options = read(&matches)?;
    Ok(if matches.opt_present("check") { Command::Check(options) } else { Command::Serve(options) })
}

fn read(matches: &Matches) -> Result<Options, Failure> {
    Ok(Options {
        doors: doors::read(matches)?,
        engine: engine(matches)?,
        // To change the roll takes microseconds: more than one would be in each other's way.
        workers: count(matches, "workers")?.unwrap_or(NonZeroUsize::MIN),
        slow_workers: slow_workers(matches)?,
        limits: limits::read(matches)?,
        journal: number(matches, "journal", 16..=MAX_JOURNAL)?.unwrap_or(65_536),
        user: matches.opt_str("user"),
        group: matches.opt_str("group"),
        pid_file: matches.opt_str("pid-file").map(PathBuf::from),
        sandbox: if matches.opt_present(NO_SANDBOX) { Sandbox::Off } else { Sandbox::On },
        log_level: log_level(matches)?,
    })
}

fn engine(matches: &Matches) -> Result<EngineKind, Failure> {
    match matches.opt_str("engine").as_deref() {
        None | Some("events") => Ok(EngineKind::Events { loops: loops(matches)? }),
        Some("threads") if matches.opt_present("loops") => {
            Err(Failure::usage("--loops goes with --engine events only"))
        }
        Some("threads") => Ok(EngineKind::Threads),
        Some(other) => {
            Err(Failure::usage(format!("--engine takes \"events\" or \"threads\", not \"{other}\"")))
        }
    }
}

/// How many loops: one a core unless it is said.
fn loops(matches: &Matches) -> Result<NonZeroUsize, Failure> {
    Ok(count(matches, "loops")?.unwrap_or_else(cores))
}

/// How many threads do what is slow; the option is there where a door has something slow to do.
fn slow_workers(matches: &Matches) -> Result<NonZeroUsize, Failure> {
    let said = if cfg!(feature = "toil") { count(matches, "slow-workers")? } else { None };
    Ok(said.unwrap_or_else(spare_cores))
}

/// All cores but one, which is left to those who must not wait; at least one.
fn spare_cores() -> NonZeroUsize {
    NonZeroUsize::new(cores().get() - 1).unwrap_or(NonZeroUsize::MIN)
}

fn log_level(matches: &Matches) -> Result<log::LevelFilter, Failure> {
    match (matches.opt_present("quiet"), matches.opt_count("verbose")) {
        (true, 0) => Ok(log::LevelFilter::Error),
        (true, _) => Err(Failure::usage("-q and -v exclude each other")),
        (false, 0) => Ok(log::LevelFilter::Info),
        (false, 1) => Ok(log::LevelFilter::Debug),
        (false, _) => Ok(log::LevelFilter::Trace),
    }
}

#[cfg(test)]
mod tests;
