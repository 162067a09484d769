//! The real client of Residue in JavaScript, as a process.
//!
//! The environment variable `ROLLCALL_NODE_MODULES` names the directory `node_modules` in which the package `residue` is;
//! it has to work then. Without it, or without Node, nothing is checked.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::daemon::Daemon;
use super::residue::{Port, TAKEN};

/// It makes an RSA key before it connects, and its language is slow at that.
const PATIENCE: Duration = Duration::from_secs(120);
/// Lets it decrypt as it is used to, in spite of a weakness of OpenSSL that is mended meanwhile.
const REVERT: &str = "--security-revert=CVE-2023-46809";

/// The directory with the package, if there is one.
#[track_caller]
pub fn modules() -> Option<String> {
    let Ok(modules) = env::var("ROLLCALL_NODE_MODULES") else {
        println!("not checked: ROLLCALL_NODE_MODULES is not set");
        return None;
    };
    let script =
        "process.exit(require(process.argv[1] + '/residue/package.json').version === '2.0.1' ? 0 : 1)";
    let works = runs(Command::new("node").args(["-e", script, &modules]));
    assert!(works, "ROLLCALL_NODE_MODULES is {modules:?}, in which node finds no residue 2.0.1");
    Some(modules)
}

fn runs(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Passes on the lines of a pipe.
fn collect(pipe: impl Read + Send + 'static, before: &'static str, sender: Sender<String>) {
    let lines = BufReader::new(pipe).lines().map_while(Result::ok);
    thread::spawn(move || lines.map(|line| format!("{before}{line}")).try_for_each(|line| sender.send(line)));
}

/// One client.
pub struct Node {
    child: Child,
    lines: Receiver<String>,
    /// What has been read of what it prints.
    pub seen: Vec<String>,
    connect: u16,
    log: u16,
}

impl Node {
    /// Starts a client of this daemon with these options beside, and connects it.
    #[track_caller]
    pub fn connected(modules: &str, daemon: &Daemon, options: &Value) -> Self {
        let mut client = Self::start(modules, daemon, options);
        client.calls(r#"["connect"]"#);
        client.waits_for("Connected to Residue (v");
        client
    }

    #[track_caller]
    fn start(modules: &str, daemon: &Daemon, options: &Value) -> Self {
        let [connect, _, log] = Port::ALL.map(|port| port.of(daemon));
        let mut all = options.clone();
        all["application_id"] = "com.example.node".into();
        all["host"] = connect.ip().to_string().into();
        all["connect_port"] = connect.port().into();
        let mut command = Command::new("node");
        if runs(Command::new("node").args([REVERT, "-e", "0"])) {
            command.arg(REVERT);
        }
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/residue_client.js"));
        command.args([modules, &all.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        collect(child.stdout.take().unwrap(), "", sender.clone());
        collect(child.stderr.take().unwrap(), "STDERR ", sender);
        Self { child, lines, seen: Vec::new(), connect: connect.port(), log: log.port() }
    }

    /// Has it call something.
    #[track_caller]
    pub fn calls(&mut self, call: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{call}").unwrap();
    }

    /// Waits for a line that begins so, be it one that has been read already.
    #[track_caller]
    pub fn waits_for(&mut self, start: &str) {
        self.waits_until(start, |seen| seen.iter().any(|line| line.starts_with(start)));
    }

    /// Waits until so many logs are answered, all of them with success.
    #[track_caller]
    pub fn waits_until_taken(&mut self, count: usize) {
        let before = format!("HEARD {} ", self.log);
        let answers = |seen: &[String]| seen.iter().filter(|line| line.starts_with(&before)).count();
        self.waits_until(&format!("{count} answers"), |seen| answers(seen) >= count);
        assert_eq!((self.taken(), answers(&self.seen)), (count, count), "{:#?}", self.seen);
    }

    /// How many logs were answered with success, as far as it has been read.
    pub fn taken(&self) -> usize {
        let taken = format!("HEARD {} {TAKEN}", self.log);
        self.seen.iter().filter(|line| **line == taken).count()
    }

    /// How often the server has said something on the connect port.
    pub fn requests(&self) -> usize {
        let before = format!("HEARD {} ", self.connect);
        self.seen.iter().filter(|line| line.starts_with(&before)).count()
    }

    /// Reads on until what was read is enough.
    #[track_caller]
    pub fn waits_until(&mut self, what: &str, is_enough: impl Fn(&[String]) -> bool) {
        let start = Instant::now();
        while !is_enough(&self.seen) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("{what}: {error} after {:#?}", self.seen),
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
