//! `rollcalld` as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::PATIENCE;
use super::process;

/// Which of the two engines a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Poll loops.
    Events,
    /// A thread for each connection.
    Threads,
}

impl Engine {
    /// As `--engine` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Threads => "threads",
        }
    }
}

/// The doors that there may be.
const DOORS: [&str; 6] = ["lekt", "fmltp", "chapp", "residue", "residue-token", "residue-log"];

/// What closes all doors but LEKT, whose default addresses tests must not take. Those that are not built in may be said
/// to be closed, too.
pub const CLOSED: &[&str] = &[
    "--fmltp",
    "off",
    "--chapp",
    "off",
    "--residue",
    "off",
    "--residue-token",
    "off",
    "--residue-log",
    "off",
];

/// A daemon that runs until the test is over.
pub struct Daemon {
    child: Child,
    /// The name of the door at each of the addresses.
    doors: Vec<String>,
    addresses: Vec<SocketAddr>,
    output: Arc<Lines>,
    log: Arc<Lines>,
    /// What it may have made by default.
    state: Option<PathBuf>,
}

impl Daemon {
    /// Starts a daemon and waits until it is ready. It listens for LEKT clients on 127.0.0.1 at a port of its
    /// choosing unless `args` say where; the other doors are closed unless `args` open them.
    #[track_caller]
    pub fn start(engine: Engine, args: &[&str]) -> Self {
        Self::spawn(&mut Self::command(engine, args))
    }

    /// The command that [`Daemon::start`] runs, for tests that change something about it. `--loops` is left out
    /// where there are none.
    pub fn command(engine: Engine, args: &[&str]) -> Command {
        let mut command = Self::program();
        command.args(["--engine", engine.name()]);
        if !args.contains(&"--lekt") {
            command.args(["--lekt", "127.0.0.1:0"]);
        }
        for closed in CLOSED.chunks(2).filter(|closed| !args.contains(&closed[0])) {
            command.args(closed);
        }
        if !process::is_root() && !args.contains(&"--no-sandbox") {
            // What it has open is to be seen by who runs the tests.
            command.arg("--no-sandbox");
        }
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if *arg == "--loops" && engine == Engine::Threads {
                rest.next();
            } else {
                command.arg(arg);
            }
        }
        command
    }

    /// The program without any argument, in an environment that does not decide for it. Where the variable
    /// `ROLLCALL_ADDRESS_SPACE` says how many bytes of address space it may have, it has no more.
    pub fn program() -> Command {
        const PROGRAM: &str = env!("CARGO_BIN_EXE_rollcalld");
        let Ok(bytes) = std::env::var("ROLLCALL_ADDRESS_SPACE") else {
            return Self::clean(Command::new(PROGRAM));
        };
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={bytes}")).arg(PROGRAM);
        Self::clean(command)
    }

    /// The program under the shell, after `preparation` (`ulimit -n 64`); it keeps the shell's process number.
    pub fn command_after(preparation: &str, engine: Engine, args: &[&str]) -> Command {
        let direct = Self::command(engine, args);
        let mut shell = Self::clean(Command::new("sh"));
        shell.arg("-c").arg(format!("{preparation}; exec \"$@\"")).arg("sh");
        shell.arg(direct.get_program()).args(direct.get_args());
        shell
    }

    /// A command by way of another program, which ends by running it: `ip netns exec NAME`.
    pub fn by_way_of(way: &[&str], direct: &Command) -> Command {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).arg(direct.get_program()).args(direct.get_args());
        for (name, value) in direct.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    fn clean(mut command: Command) -> Command {
        for name in
            ["RUST_LOG", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "JOURNAL_STREAM"]
        {
            command.env_remove(name);
        }
        // Whoever runs the tests may have a daemon of his own, whose data is no affair of theirs.
        command.env_remove("XDG_STATE_HOME").env("STATE_DIRECTORY", state_directory());
        command
    }

    /// Runs a command that is a daemon in the end, and waits until it is ready.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        let arguments: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let is_door = |option: &str| option.strip_prefix("--").is_some_and(|name| DOORS.contains(&name));
        let listeners = arguments.windows(2).filter(|two| is_door(&two[0]) && two[1] != "off").count();
        Self::spawn_with(command, listeners)
    }

    /// As [`Daemon::spawn`], where `listeners` ready lines are to come.
    #[track_caller]
    pub fn spawn_with(command: &mut Command, listeners: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Lines::collect(child.stdout.take().unwrap());
        let log = Lines::collect(child.stderr.take().unwrap());
        let state = state_of(command);
        let mut daemon = Self { child, doors: Vec::new(), addresses: Vec::new(), output, log, state };
        let ready = daemon.output.wait(|lines, ended| match lines.len() >= listeners {
            true => Some(Some(lines.to_vec())),
            false => ended.then_some(None),
        });
        let Some(Some(ready)) = ready else { panic!("it is not ready; log: {:#?}", daemon.log.all()) };
        (daemon.doors, daemon.addresses) = ready.iter().map(|line| listening_on(line)).unzip();
        daemon
    }

    /// Runs the program to its end, which has to come by itself.
    #[track_caller]
    pub fn run(args: &[&str]) -> Output {
        Self::finish(Self::program().args(args))
    }

    /// Runs a command to its end, which has to come by itself; within bounds, too.
    #[track_caller]
    pub fn finish(command: &mut Command) -> Output {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Lines::collect(child.stdout.take().unwrap());
        let log = Lines::collect(child.stderr.take().unwrap());
        let state = state_of(command);
        let mut daemon = Self { child, doors: Vec::new(), addresses: Vec::new(), output, log, state };
        let status = daemon.wait_for_exit();
        let bytes =
            |lines: &Lines| lines.all().iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
        Output { status, stdout: bytes(&daemon.output), stderr: bytes(&daemon.log) }
    }

    /// Where it listens first.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where it listens, one by one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens first for clients of this door.
    #[track_caller]
    pub fn door(&self, name: &str) -> SocketAddr {
        let found = self.doors.iter().position(|door| door == name);
        self.addresses[found.unwrap_or_else(|| panic!("the door {name} is closed: {:?}", self.doors))]
    }

    /// Whether it listens for clients of this door.
    pub fn has_door(&self, name: &str) -> bool {
        self.doors.iter().any(|door| door == name)
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stdout.
    pub fn output(&self) -> Vec<String> {
        self.output.all()
    }

    /// What it has logged.
    pub fn log(&self) -> Vec<String> {
        self.log.all()
    }

    /// Waits for a line of the log that holds all of `words`.
    #[track_caller]
    pub fn wait_for_log(&self, words: &[&str]) -> String {
        let found = self.log.wait(|lines, ended| {
            let line = lines.iter().find(|line| words.iter().all(|word| line.contains(word)));
            line.cloned().map(Some).or(ended.then_some(None))
        });
        found.flatten().unwrap_or_else(|| panic!("no line with {words:?} in {:#?}", self.log.all()))
    }

    /// Sends a signal by its name, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        process::signal(self.pid(), name);
    }

    /// Sends `TERM` and waits for the end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_for_exit()
    }

    /// Waits for the end: both pipes close when the process ends, at the latest.
    #[track_caller]
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        for lines in [&self.output, &self.log] {
            let ended = lines.wait(|_, ended| ended.then_some(()));
            assert!(ended.is_some(), "it does not end; log: {:#?}", self.log.all());
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let alive = matches!(self.child.try_wait(), Ok(None));
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.state.take().map(std::fs::remove_dir_all);
        if thread::panicking() {
            let state = if alive { "was alive" } else { "had ended" };
            println!("rollcalld {} {state}; its log: {:#?}", self.child.id(), self.log.all());
        }
    }
}

/// A directory of one daemon's own, which it makes when it needs it.
fn state_directory() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("rollcall-state-{}-{number}", std::process::id()))
}

/// That directory.
fn state_of(command: &Command) -> Option<PathBuf> {
    command
        .get_envs()
        .find(|(name, _)| *name == "STATE_DIRECTORY")
        .and_then(|(_, path)| path)
        .map(PathBuf::from)
}

/// The door that a ready line tells of, and where it is.
#[track_caller]
fn listening_on(line: &str) -> (String, SocketAddr) {
    let parts = line.split_once(" listening on ").filter(|(name, _)| DOORS.contains(name));
    let (name, rest) = parts.unwrap_or_else(|| panic!("not a ready line: {line}"));
    let address = rest.split(' ').next().unwrap_or_default();
    (name.to_owned(), address.parse().unwrap_or_else(|_| panic!("not an address: {line}")))
}

/// The lines of a pipe, collected by a thread of their own.
struct Lines {
    state: Mutex<Collected>,
    changed: Condvar,
}

#[derive(Default)]
struct Collected {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn collect(pipe: impl Read + Send + 'static) -> Arc<Self> {
        let all = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        let collector = Arc::clone(&all);
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                collector.state.lock().unwrap().lines.push(String::from_utf8_lossy(&line).into_owned());
                collector.changed.notify_all();
            }
            collector.state.lock().unwrap().ended = true;
            collector.changed.notify_all();
        });
        all
    }

    fn all(&self) -> Vec<String> {
        self.state.lock().unwrap().lines.clone()
    }

    /// Waits until `look`, given the lines and whether they have ended, finds something; none if it never does.
    fn wait<T>(&self, mut look: impl FnMut(&[String], bool) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = look(&state.lines, state.ended) {
                return Some(found);
            }
            let left = PATIENCE.checked_sub(start.elapsed())?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}
