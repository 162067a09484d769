//! Serving, from the options to the end.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::clerks::{self, Clerks};
use super::files::Files;
use super::listen;
use super::options::{self, MAX_CLIENTS, Options};
use super::pid_file::{self, PidFile};
use super::sandbox::{self, Needs};
use super::status::Status;
use super::system::{self, Identity, Signal, Signals};
use super::{Exit, Failure, logging};
use crate::door;
use crate::engine::{Engine, Kind, Limits, Setup};

/// Descriptors that are not for clients: those who are told that it is full, the log, the journal, and some to
/// spare. Listeners and loops come on top.
const RESERVED_DESCRIPTORS: usize = 32;
/// The descriptors of a poll loop: what it polls, and what wakes it.
const LOOP_DESCRIPTORS: usize = 2;
/// The descriptors of a client that has a thread, and at whose door there is a clerk: its connection, and a pair by which
/// the thread hears of what the clerk has to say.
const HEARING_DESCRIPTORS: usize = 3;
/// The memory mappings of a thread: its stack, the stack of its signals, and a guard for each; one to spare.
const THREAD_MAPPINGS: usize = 5;
/// Memory mappings that are not for the threads of clients.
const RESERVED_MAPPINGS: usize = 2000;
/// How long sessions have to say goodbye.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);
/// How often the daemon looks whether many have gone, whose memory can be given back.
const HOUSEKEEPING: Duration = Duration::from_secs(2);
/// After so many looks it gives back what there is, which bursts among those who stayed may have left.
const LOOKS: u32 = 15;
/// When fewer connections than this have gone, or than half of those who are there, there is nothing to give
/// back that would be worth it.
const CROWD: u64 = 256;

/// Prints a line on standard output. That nobody reads it is no reason to end.
pub(super) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Says whether these options would do, and what they come to.
pub(super) fn check(options: &Options) -> Result<(), Failure> {
    let identity = find_identity(options)?;
    if identity.as_ref().is_some_and(|identity| !identity.may_be_assumed()) {
        let message = "--user and --group take the rights of root".to_owned();
        return Err(Failure { exit: Exit::NotPermitted, message });
    }
    options.pid_file.as_deref().map(pid_file::examine).transpose()?;
    logging::start(options.log_level);
    let mut doors = options.doors.clone();
    let files = Files::read(&mut doors)?;
    let places = doors.addresses.iter().map(|(kind, addresses)| (*kind, addresses.of(*kind).len()));
    let open: Vec<_> = places.flat_map(|(kind, count)| std::iter::repeat_n(kind, count)).collect();
    let limits = limits(options, &open, descriptor_limit()?)?;
    let unset = || "none".to_owned();
    let (engine, loops) = match options.engine {
        Kind::Events { loops } => ("events", loops.to_string()),
        Kind::Threads => ("threads", unset()),
    };
    let mut rows: Vec<_> = doors.places().collect();
    rows.extend([
        ("engine", engine.to_owned()),
        ("loops", loops),
        ("workers", options.workers.to_string()),
        #[cfg(feature = "toil")]
        ("slow-workers", options.slow_workers.to_string()),
    ]);
    rows.extend(options::limits::rows(&limits));
    rows.extend(doors.rows());
    rows.extend(Clerks::rows(&doors)?);
    rows.extend([
        ("journal", options.journal.to_string()),
        ("user", options.user.clone().unwrap_or_else(unset)),
        ("group", options.group.clone().unwrap_or_else(unset)),
        ("pid-file", options.pid_file.as_ref().map_or_else(unset, |path| path.display().to_string())),
    ]);
    drop_privileges(identity.as_ref())?;
    files.look_ahead();
    rows.push(("sandbox", sandbox::enter(options.sandbox, &Needs::default()).to_string()));
    rows.iter().for_each(|(name, value)| say(&format!("{name} = {value}")));
    Ok(())
}

/// Serves until a signal ends it.
pub(super) fn serve(options: &Options) -> Result<(), Failure> {
    logging::start(options.log_level);
    let signals = Signals::hold().map_err(|error| Failure::system("cannot hold signals back", &error))?;
    let identity = find_identity(options)?;
    let mut doors = options.doors.clone();
    let mut files = Files::read(&mut doors)?;
    let opened = listen::open(&doors)?;
    let open: Vec<_> = opened.iter().map(|opened| opened.kind).collect();
    let descriptors = descriptor_limit()?;
    let limits = limits(options, &open, descriptors)?;
    let ready = listen::ready_lines(&doors, &opened);
    let pid_file = options.pid_file.as_deref().map(PidFile::write).transpose()?;
    let clerks = Clerks::prepare(&doors, &open, identity.as_ref(), descriptors)?;
    drop_privileges(identity.as_ref())?;
    let needs = Needs {
        kept: clerks.directories(&doors),
        read: files.paths(),
        removed: pid_file.iter().map(|file| file.path().to_owned()).collect(),
    };
    let clerks = clerks.hire(&doors, &mut files)?;
    files.look_ahead();
    // Before there is a second thread, which all inherit it.
    sandbox::enter(options.sandbox, &needs);
    let engine = Engine::start(Setup {
        kind: options.engine,
        workers: options.workers,
        slow_workers: options.slow_workers,
        humble: system::be_humble,
        clerks,
        limits,
        journal: options.journal,
        entrances: opened.into_iter().map(|opened| opened.entrance).collect(),
    });
    let engine = engine.map_err(|error| Failure::system("cannot start", &error))?;
    ready.iter().for_each(|line| say(line));
    notify(Notice::Ready);
    let started = Instant::now();
    watch(&engine, &signals, &files, started);
    log::info!("ending: every client is told");
    notify(Notice::Stopping);
    if let Err(left) = engine.drain(Instant::now() + DRAIN_LIMIT) {
        log::warn!("{left} connections did not end in time");
    }
    drop(pid_file);
    log::info!("ended after {} s", started.elapsed().as_secs());
    Ok(())
}

/// Does what signals ask for, until one asks to end.
fn watch(engine: &Engine, signals: &Signals, files: &Files, started: Instant) {
    let (mut tidied, mut looks) = (0, 0);
    loop {
        match signals.wait(HOUSEKEEPING) {
            Some(Signal::End) => return,
            Some(Signal::Status) => log::info!("{}", Status::of(engine, started.elapsed())),
            Some(Signal::Reload) => files.read_again(),
            None => {}
        }
        let usage = engine.usage();
        let (gone, there) = (usage.gone(), usage.clients as u64);
        looks += 1;
        if looks >= LOOKS || gone.saturating_sub(tidied) > CROWD.max(there / 2) {
            system::give_memory_back();
            (tidied, looks) = (gone, 0);
        }
    }
}

/// How many descriptors there may be, once the system has been asked for as many as it allows.
fn descriptor_limit() -> Result<usize, Failure> {
    let descriptors = system::raise_descriptor_limit()
        .map_err(|error| Failure::system("cannot learn the descriptor limit", &error))?;
    Ok(usize::try_from(descriptors).unwrap_or(usize::MAX))
}

/// What the engine may use: as much as the system allows unless less is asked for. `open` has the door of each listener.
fn limits(options: &Options, open: &[door::Kind], descriptors: usize) -> Result<Limits, Failure> {
    let (polls, threads) = match options.engine {
        Kind::Events { loops } => (loops.get(), usize::MAX),
        Kind::Threads => (1, system::mapping_limit().saturating_sub(RESERVED_MAPPINGS) / THREAD_MAPPINGS),
    };
    let each = match options.engine {
        Kind::Threads if open.iter().any(|kind| kind.has_clerk()) => HEARING_DESCRIPTORS,
        _ => 1,
    };
    let reserved =
        RESERVED_DESCRIPTORS + open.len() + polls * LOOP_DESCRIPTORS + clerks::descriptors(open, descriptors);
    if descriptors <= reserved {
        let message = format!(
            "the limit of {descriptors} descriptors leaves no room for clients: raise it above {reserved}, or take fewer --loops"
        );
        return Err(Failure { exit: Exit::Failed, message });
    }
    let room = ((descriptors - reserved) / each).min(threads).clamp(1, MAX_CLIENTS);
    let max_clients = options.limits.max_clients;
    if max_clients > room && max_clients != usize::MAX {
        let bound = if room == threads { "memory mappings" } else { "descriptors" };
        log::warn!("--max-clients {max_clients} is more than the limit of {bound} allows: {room}");
    }
    Ok(Limits { max_clients: max_clients.min(room), ..options.limits })
}

fn find_identity(options: &Options) -> Result<Option<Identity>, Failure> {
    Identity::find(options.user.as_deref(), options.group.as_deref()).map_err(Failure::usage)
}

fn drop_privileges(identity: Option<&Identity>) -> Result<(), Failure> {
    identity
        .map_or(Ok(()), Identity::assume)
        .map_err(|error| Failure::system("cannot become what --user and --group say", &error))?;
    system::renounce_privileges().map_err(|error| Failure::system("cannot give up new privileges", &error))
}

/// What a supervisor wants to hear.
#[derive(Clone, Copy)]
enum Notice {
    Ready,
    Stopping,
}

#[cfg(feature = "systemd")]
fn notify(notice: Notice) {
    let state = match notice {
        Notice::Ready => sd_notify::NotifyState::Ready,
        Notice::Stopping => sd_notify::NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("cannot tell the supervisor: {error}");
    }
}

#[cfg(not(feature = "systemd"))]
fn notify(_: Notice) {}
