//! The processes that are measured: the daemon, and floors.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::{measure, wrong};

/// A server that runs until this is dropped.
pub(crate) struct Process {
    /// What the tables call it.
    pub(crate) label: String,
    /// Where it listens; a daemon: for LEKT.
    pub(crate) address: SocketAddr,
    /// All that it listens at, in the order of the doors.
    pub(crate) doors: Vec<SocketAddr>,
    child: Child,
    /// A floor ends with its input.
    _stdin: Option<ChildStdin>,
    /// A daemon could still want to say something.
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the daemon with `options` besides those that any bench needs.
    pub(crate) fn daemon(label: &str, options: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcalld"));
        command.args(["--lekt", "127.0.0.1:0", "-q", "--heartbeat-timeout", "86400"]);
        if fs::metadata("/proc/self")?.uid() != 0 {
            // Or its memory could not be measured.
            command.arg("--no-sandbox");
        }
        // One that is not built in may be closed, too.
        let others = ["--fmltp", "--chapp", "--residue", "--residue-token", "--residue-log"];
        for door in others.iter().filter(|door| !options.contains(door)) {
            command.args([*door, "off"]);
        }
        // LEKT's, and that of each other door which is opened.
        let is_other = |option: &&&str| others.contains(*option);
        let doors = 1 + options.iter().filter(is_other).count();
        // Crowds come at once, and nobody is to wait who is fast: what is counted is counted all the same.
        command.args(["--handshake-timeout", "3600", "--max-pending", "1048576", "--max-messages", "100000"]);
        Self::start(label, command.args(options), doors)
    }

    /// Starts the floor whose first answer tells `first` clients and which goes round `cycle` from then on; see
    /// [`super::floor`].
    pub(crate) fn floor(first: u32, cycle: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::start("floor", command.args(["--floor", &first.to_string(), cycle]).stdin(Stdio::piped()), 1)
    }

    /// Starts a server, which tells its `doors` on its standard output, a line each.
    fn start(label: &str, command: &mut Command, doors: usize) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| wrong("no standard output"))?;
        let mut stdout = BufReader::new(stdout);
        let mut said = String::new();
        for _ in 0..doors {
            stdout.read_line(&mut said)?;
        }
        let addresses: Vec<SocketAddr> = said.lines().filter_map(address_in).collect();
        match addresses.first() {
            Some(&address) if addresses.len() == doors => {
                let (label, doors) = (label.into(), addresses);
                Ok(Self { label, address, doors, child, _stdin: stdin, _stdout: stdout })
            }
            _ => {
                let _ = child.kill();
                let ended = child.wait()?;
                Err(wrong(format!("{label} says {said:?} and ends with {ended}")))
            }
        }
    }

    /// The processor time that it has used so far.
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        measure::processor_time(self.child.id())
    }

    /// The bytes that it has resident.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        measure::resident(self.child.id())
    }

    /// The least that it has resident at any time until `during` is over.
    pub(crate) fn least_resident(&self, during: Duration) -> io::Result<u64> {
        let (began, mut least) = (Instant::now(), self.resident()?);
        while began.elapsed() < during {
            std::thread::sleep(Duration::from_millis(50));
            least = least.min(self.resident()?);
        }
        Ok(least)
    }
}

/// The address that a ready line tells.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.split(' ').next()?.parse().ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
