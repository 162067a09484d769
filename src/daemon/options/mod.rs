//! The command line of `rollcalld`.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use getopts::{Matches, Options as Getopts};

use super::Failure;
use crate::door;
use crate::engine::Kind as EngineKind;

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
    /// Where LEKT clients are listened for.
    pub lekt: Addresses,
    /// Which engine.
    pub engine: EngineKind,
    /// How many threads change the roll and do what is slow.
    pub workers: NonZeroUsize,
    /// The most connections; none: as many as the descriptor limit allows.
    pub max_clients: Option<usize>,
    /// The most connections from one address; 0: any number.
    pub max_per_address: usize,
    /// How many changes the journal remembers.
    pub journal: usize,
    /// The unsent bytes above which a connection is not read.
    pub high_mark: usize,
    /// What can be set for the doors.
    pub doors: door::DoorSettings,
    /// Who to become once everything is open.
    pub user: Option<String>,
    /// The group, if it is not the user's own.
    pub group: Option<String>,
    /// Where the process number is written.
    pub pid_file: Option<PathBuf>,
    /// What is logged if `RUST_LOG` does not say.
    pub log_level: log::LevelFilter,
}

/// Where a door is listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Nothing was said: its default address, or the sockets that were handed over.
    Default,
    /// Nowhere.
    Off,
    /// There.
    At(Vec<SocketAddr>),
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => door::Kind::Lekt.default_address().fmt(f),
            Self::Off => f.write_str("off"),
            Self::At(addresses) => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&addresses.join(" "))
            }
        }
    }
}

fn getopts() -> Getopts {
    let mut all = Getopts::new();
    all.optmulti("", "lekt", "listen for LEKT clients there; may be given more than once, port 0 takes any free port, \"off\" closes the door (default 127.0.0.1:7890)", "ADDR:PORT");
    all.optopt(
        "",
        "engine",
        "how connections are served: \"events\" or \"threads\" (default events)",
        "KIND",
    );
    all.optopt("", "loops", "poll loops of the engine \"events\", 1 to 256 (default one per core)", "N");
    all.optopt("", "workers", "threads that change the roll, 1 to 256 (default 1)", "N");
    all.optopt(
        "",
        "max-clients",
        "connections in all, 1 to 1048576 (default what the descriptor limit allows)",
        "N",
    );
    all.optopt(
        "",
        "max-per-address",
        "connections from one address, or IPv6 /64; 0 is any number, loopback is exempt (default 64)",
        "N",
    );
    all.optopt("", "handshake-timeout", "time for handshake and setup, 1 to 3600 (default 10)", "SECS");
    all.optopt(
        "",
        "heartbeat-timeout",
        "time on the roll without a heartbeat, 1 to 86400 (default 30)",
        "SECS",
    );
    all.optopt(
        "",
        "journal",
        "changes that a client may be behind, 16 to 16777215 (default 65536)",
        "CHANGES",
    );
    all.optopt(
        "",
        "high-mark",
        "unsent bytes above which a client is not read, 1024 to 1073741824 (default 65536)",
        "BYTES",
    );
    all.optopt("", "user", "become this user once everything is open (default stay)", "NAME");
    all.optopt("", "group", "become a member of this group alone (default the user's own)", "NAME");
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
    let getopts = getopts();
    let matches = getopts.parse(arguments).map_err(|fail| Failure::usage(told(&fail)))?;
    if matches.opt_present("help") {
        let brief = "Usage: rollcalld [OPTION]...\nRendezvous and presence for small servers: keeps the roll, and tells who came and went.";
        return Ok(Command::Print(getopts.usage(brief).trim_end().to_owned()));
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

/// What is wrong with the command line as such.
fn told(fail: &getopts::Fail) -> String {
    use getopts::Fail;
    let dashed = |name: &str| if name.len() == 1 { format!("-{name}") } else { format!("--{name}") };
    match fail {
        Fail::ArgumentMissing(name) => format!("{} needs a value", dashed(name)),
        Fail::UnrecognizedOption(name) => format!("there is no option {}", dashed(name)),
        Fail::OptionMissing(name) => format!("{} has to be given", dashed(name)),
        Fail::OptionDuplicated(name) => format!("{} is given more than once", dashed(name)),
        Fail::UnexpectedArgument(name) => format!("{} takes no value", dashed(name)),
    }
}

fn read(matches: &Matches) -> Result<Options, Failure> {
    let lekt = addresses(matches, "lekt")?;
    if lekt == Addresses::Off {
        return Err(Failure::usage("with --lekt off there is no door left to listen on"));
    }
    let mut doors = door::DoorSettings::default();
    let seconds = |name, range| Ok::<_, Failure>(number(matches, name, range)?.map(as_seconds));
    if let Some(timeout) = seconds("handshake-timeout", 1..=3600)? {
        doors.lekt.handshake_timeout = timeout;
    }
    if let Some(timeout) = seconds("heartbeat-timeout", 1..=86_400)? {
        doors.lekt.heartbeat_timeout = timeout;
    }
    Ok(Options {
        lekt,
        engine: engine(matches)?,
        // To change the roll takes microseconds: more than one would be in each other's way.
        workers: count(matches, "workers")?.unwrap_or(NonZeroUsize::MIN),
        max_clients: number(matches, "max-clients", 1..=MAX_CLIENTS)?,
        max_per_address: number(matches, "max-per-address", 0..=MAX_CLIENTS)?.unwrap_or(64),
        journal: number(matches, "journal", 16..=MAX_JOURNAL)?.unwrap_or(65_536),
        high_mark: number(matches, "high-mark", 1024..=1 << 30)?.unwrap_or(65_536),
        doors,
        user: matches.opt_str("user"),
        group: matches.opt_str("group"),
        pid_file: matches.opt_str("pid-file").map(PathBuf::from),
        log_level: log_level(matches)?,
    })
}

fn addresses(matches: &Matches, name: &str) -> Result<Addresses, Failure> {
    let said = matches.opt_strs(name);
    match said.as_slice() {
        [] => return Ok(Addresses::Default),
        [off] if off == "off" => return Ok(Addresses::Off),
        _ => {}
    }
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            let hint = "an address and a port like 0.0.0.0:7890 or [::]:7890, or \"off\" alone";
            Failure::usage(format!("--{name} takes {hint}, not \"{text}\""))
        })
    };
    said.iter().map(parse).collect::<Result<_, _>>().map(Addresses::At)
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

/// How many threads of a kind.
fn count(matches: &Matches, name: &str) -> Result<Option<NonZeroUsize>, Failure> {
    Ok(number(matches, name, 1..=256)?.and_then(NonZeroUsize::new))
}

/// How many loops: one a core unless it is said.
fn loops(matches: &Matches) -> Result<NonZeroUsize, Failure> {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(count(matches, "loops")?.unwrap_or_else(cores))
}

fn number(matches: &Matches, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>, Failure> {
    let Some(text) = matches.opt_str(name) else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && range.contains(&number) => Ok(Some(number)),
        _ => {
            let (least, most) = range.into_inner();
            Err(Failure::usage(format!(
                "--{name} takes a whole number from {least} to {most}, not \"{text}\""
            )))
        }
    }
}

fn as_seconds(number: usize) -> Duration {
    Duration::from_secs(number as u64)
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
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        match parse(arguments.iter().map(OsString::from)) {
            Ok(Command::Serve(options) | Command::Check(options)) => Ok(options),
            Ok(Command::Print(text)) => Err(text),
            Err(failure) => {
                assert_eq!(failure.exit, super::super::Exit::Usage);
                Err(failure.message)
            }
        }
    }

    #[test]
    fn every_option_has_its_default() {
        let options = parsed(&[]).unwrap();
        assert_eq!(options.lekt, Addresses::Default);
        assert!(matches!(options.engine, EngineKind::Events { .. }));
        assert_eq!((options.max_clients, options.max_per_address), (None, 64));
        assert_eq!((options.journal, options.high_mark), (65_536, 65_536));
        assert_eq!(options.doors.lekt.handshake_timeout, Duration::from_secs(10));
        assert_eq!(options.doors.lekt.heartbeat_timeout, Duration::from_secs(30));
        assert_eq!(options.log_level, log::LevelFilter::Info);
    }

    #[test]
    fn what_cannot_be_meant_is_told_by_its_option() {
        let table: &[(&[&str], &str)] = &[
            (&["--loops", "0"], "--loops takes a whole number from 1 to 256, not \"0\""),
            (&["--workers", "+3"], "--workers takes a whole number from 1 to 256, not \"+3\""),
            (&["--high-mark", "10"], "--high-mark takes a whole number from 1024 to 1073741824, not \"10\""),
            (&["--heartbeat-timeout", "1.5"], "--heartbeat-timeout takes a whole number from 1 to 86400"),
            (&["--lekt", "localhost"], "--lekt takes an address and a port"),
            (&["--lekt", "off"], "no door left"),
            (&["--lekt", "off", "--lekt", "127.0.0.1:1"], "\"off\" alone"),
            (&["--engine", "magic"], "--engine takes \"events\" or \"threads\", not \"magic\""),
            (&["--engine", "threads", "--loops", "2"], "--loops goes with --engine events only"),
            (&["-q", "-v"], "-q and -v exclude each other"),
            (&["here"], "it takes options only, not \"here\""),
            (&["--nonsense"], "there is no option --nonsense"),
            (&["--journal"], "--journal needs a value"),
            (&["--check=yes"], "--check takes no value"),
            (&["--engine", "events", "--engine", "threads"], "--engine is given more than once"),
        ];
        for (arguments, expected) in table {
            let message = parsed(arguments).unwrap_err();
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
    }
}
