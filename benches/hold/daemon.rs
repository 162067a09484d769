//! The daemon as a process that things are done to.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::Engine;
use crate::support::client::PATIENCE;
use crate::support::{measure, wrong};

const DOORS: [&str; 6] = ["--lekt", "--fmltp", "--chapp", "--residue", "--residue-token", "--residue-log"];
const PROGRAM: &str = env!("CARGO_BIN_EXE_rollcalld");

/// A daemon that runs until this is dropped.
pub(super) struct Daemon {
    child: Child,
    doors: Vec<(String, SocketAddr)>,
    log: Arc<Mutex<Vec<String>>>,
    /// How long it took from its start until it listened.
    pub(super) started_in: Duration,
}

/// What it says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) present: usize,
    pub(super) connections: usize,
    /// Connections since the start.
    pub(super) welcomed: u64,
}

impl Daemon {
    /// Starts it, with all doors closed that `options` do not open, and waits until it listens.
    pub(super) fn start(engine: Engine, options: &[&str]) -> io::Result<Self> {
        Self::start_under(&[], engine, options)
    }

    /// As [`Daemon::start`], under another program that becomes it, with that one's arguments.
    pub(super) fn start_under(before: &[&str], engine: Engine, options: &[&str]) -> io::Result<Self> {
        let mut words = before.to_vec();
        words.extend([PROGRAM, "--engine", engine.name()]);
        for door in DOORS.iter().filter(|door| !options.contains(door)) {
            words.extend([*door, "off"]);
        }
        words.extend(options);
        let (program, arguments) = words.split_first().ok_or_else(|| wrong("no program"))?;
        let doors = DOORS.iter().filter(|door| options.contains(door)).count();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("RUST_LOG");
        let began = Instant::now();
        let mut child = command.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(|| wrong("no standard output"))?);
        let stderr = child.stderr.take().ok_or_else(|| wrong("no standard error"))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Ok(mut lines) = collected.lock() {
                    lines.push(line);
                }
            }
        });
        let mut daemon = Self { child, doors: Vec::new(), log, started_in: Duration::ZERO };
        for _ in 0..doors {
            let mut line = String::new();
            stdout.read_line(&mut line)?;
            let place = place(&line).ok_or_else(|| wrong(format!("it says {line:?}; {}", daemon.all())))?;
            daemon.doors.push(place);
        }
        daemon.started_in = began.elapsed();
        // What it says later is read by nobody, and it goes on.
        thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(drop));
        Ok(daemon)
    }

    /// Whether it has an option of this name.
    pub(super) fn knows(option: &str) -> bool {
        static HELP: OnceLock<String> = OnceLock::new();
        let help = HELP.get_or_init(|| {
            let output = Command::new(PROGRAM).arg("--help").output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
        });
        help.contains(option)
    }

    /// Where it listens for the clients of this door.
    pub(super) fn door(&self, name: &str) -> io::Result<SocketAddr> {
        let found = self.doors.iter().find(|(door, _)| door == name);
        found.map(|(_, address)| *address).ok_or_else(|| wrong(format!("the door {name} is closed")))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn processor_time(&self) -> io::Result<Duration> {
        measure::processor_time(self.pid())
    }

    pub(super) fn resident(&self) -> io::Result<u64> {
        measure::resident(self.pid())
    }

    pub(super) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }

    /// Waits until it has so many descriptors open; how many it has in the end.
    pub(super) fn descriptors_at_last(&self, wanted: usize) -> io::Result<usize> {
        let began = Instant::now();
        loop {
            let there = self.descriptors()?;
            if there == wanted || began.elapsed() > PATIENCE {
                return Ok(there);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.pid()).map_err(io::Error::other)?;
        Ok(signal::kill(Pid::from_raw(pid), signal)?)
    }

    /// Kills it, and waits until it is gone.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// How many lines of its log hold `words`.
    pub(super) fn logged(&self, words: &str) -> usize {
        let lines = self.log.lock();
        lines.map_or(0, |lines| lines.iter().filter(|line| line.contains(words)).count())
    }

    /// Waits until so many lines of its log hold `words`.
    pub(super) fn wait_for_log(&self, words: &str, count: usize) -> io::Result<()> {
        let began = Instant::now();
        while self.logged(words) < count {
            if began.elapsed() > PATIENCE {
                return Err(wrong(format!("it does not log {words:?} {count} times: {}", self.all())));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Asks it how it is.
    pub(super) fn status(&self) -> io::Result<Status> {
        const BEGINNING: &str = "status: ";
        let asked = self.logged(BEGINNING);
        self.signal(Signal::SIGUSR1)?;
        self.wait_for_log(BEGINNING, asked + 1)?;
        let line = {
            let lines = self.log.lock().map_err(|_| wrong("the log is lost"))?;
            lines.iter().rfind(|line| line.contains(BEGINNING)).cloned().unwrap_or_default()
        };
        read_status(&line).ok_or_else(|| wrong(format!("not a status: {line}")))
    }

    /// Waits until so many are on its roll at least.
    pub(super) fn wait_for_presence(&self, count: usize) -> io::Result<()> {
        let began = Instant::now();
        loop {
            let present = self.status()?.present;
            if present >= count {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(wrong(format!("{present} are on the roll, not {count}: {}", self.all())));
            }
        }
    }

    fn all(&self) -> String {
        let lines = self.log.lock().map(|lines| lines.clone()).unwrap_or_default();
        let last = lines.len().saturating_sub(5);
        format!("its log ends with {:?}", &lines[last..])
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The door that a ready line tells of, and where it is.
fn place(line: &str) -> Option<(String, SocketAddr)> {
    let (name, rest) = line.split_once(" listening on ")?;
    Some((name.to_owned(), rest.split_whitespace().next()?.parse().ok()?))
}

fn read_status(line: &str) -> Option<Status> {
    let number = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
    let present = number(line.split_once("status: ")?.1)?;
    let connections = number(line.split_once("on the roll, ")?.1)?;
    let welcomed = number(line.split_once("since the start ")?.1)?;
    let [present, connections] = [present, connections].map(usize::try_from);
    Some(Status { present: present.ok()?, connections: connections.ok()?, welcomed })
}
