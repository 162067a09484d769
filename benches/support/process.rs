//! The processes that are measured: the daemon, and floors.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::{measure, wrong};

/// A server that runs until this is dropped.
pub(crate) struct Process {
    /// What the tables call it.
    pub(crate) label: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
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
        if cfg!(feature = "fmltp") && !options.contains(&"--fmltp") {
            command.args(["--fmltp", "off"]);
        }
        Self::start(label, command.args(["--handshake-timeout", "3600"]).args(options))
    }

    /// Starts the floor whose first answer tells `first` clients and which goes round `cycle` from then on; see
    /// [`super::floor`].
    pub(crate) fn floor(first: u32, cycle: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::start("floor", command.args(["--floor", &first.to_string(), cycle]).stdin(Stdio::piped()))
    }

    fn start(label: &str, command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| wrong("no standard output"))?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let address = line
            .split_once("listening on ")
            .and_then(|(_, rest)| rest.split([' ', '\n']).next().and_then(|address| address.parse().ok()));
        match address {
            Some(address) => Ok(Self { label: label.into(), address, child, _stdin: stdin, _stdout: stdout }),
            None => {
                let _ = child.kill();
                let ended = child.wait()?;
                Err(wrong(format!("{label} says {line:?} and ends with {ended}")))
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

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
