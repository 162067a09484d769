//! `rollcall` as a process, with pipes for a terminal.

#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

#[cfg(feature = "chapp")]
pub mod chapp;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use crate::common::PATIENCE;

/// The program, in an environment that does not decide for it.
pub fn command<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments);
    for name in ["RUST_LOG", "ROLLCALL_SERVER", "NO_COLOR", "TZ", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command
}

/// A running `rollcall`.
pub struct Rollcall {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Bytes>,
    stderr: Arc<Bytes>,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ended {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

impl Rollcall {
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut command(arguments))
    }

    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Bytes::collect(child.stdout.take().unwrap());
        let stderr = Bytes::collect(child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Runs it to its end with this standard input.
    #[track_caller]
    pub fn run(arguments: &[&str], stdin: &[u8]) -> Ended {
        let mut rollcall = Self::start(arguments);
        rollcall.types(stdin);
        rollcall.finish()
    }

    /// Takes calls, and says where.
    #[track_caller]
    pub fn answer(arguments: &[&str]) -> (Self, String) {
        let rollcall = Self::start(&[&["answer", "--nick", "bob"], arguments].concat());
        let line = rollcall.says("listening on ");
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        (rollcall, address)
    }

    pub fn types(&mut self, bytes: impl AsRef<[u8]>) {
        // It may have ended, and what it said then is for the test to look at.
        let _ = self.stdin.as_mut().unwrap().write_all(bytes.as_ref());
    }

    pub fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line on standard error that holds `words`.
    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        self.line(&self.stderr, words)
    }

    /// Waits for a line on standard output that holds `words`.
    #[track_caller]
    pub fn shows(&self, words: &str) -> String {
        self.line(&self.stdout, words)
    }

    /// What it has shown by now.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.stdout.state.lock().unwrap().bytes).into_owned()
    }

    #[track_caller]
    fn line(&self, stream: &Bytes, words: &str) -> String {
        let found = stream.wait(|bytes, ended| {
            let whole = &bytes[..bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)];
            let text = String::from_utf8_lossy(whole);
            let line = text.lines().find(|line| line.contains(words)).map(str::to_owned);
            line.map(Some).or(ended.then_some(None))
        });
        found
            .flatten()
            .unwrap_or_else(|| panic!("no {words:?} in {:?} and {:?}", self.shown(), self.errors()))
    }

    fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr.state.lock().unwrap().bytes).into_owned()
    }

    /// Closes its input and waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Ended {
        self.end_of_input();
        for stream in [&self.stdout, &self.stderr] {
            let ended = stream.wait(|_, ended| ended.then_some(()));
            assert!(ended.is_some(), "it does not end: {:?} and {:?}", self.shown(), self.errors());
        }
        let code = self.child.wait().unwrap().code();
        let stdout = self.stdout.state.lock().unwrap().bytes.clone();
        Ended { code, stdout, stderr: self.errors() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Rollcall {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of a pipe, collected by a thread of their own.
struct Bytes {
    state: Mutex<Collected>,
    changed: Condvar,
}

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    ended: bool,
}

impl Bytes {
    fn collect(mut pipe: impl Read + Send + 'static) -> Arc<Self> {
        let all = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        let collector = Arc::clone(&all);
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                collector.state.lock().unwrap().bytes.extend_from_slice(&buffer[..count]);
                collector.changed.notify_all();
            }
            collector.state.lock().unwrap().ended = true;
            collector.changed.notify_all();
        });
        all
    }

    fn wait<T>(&self, mut look: impl FnMut(&[u8], bool) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = look(&state.bytes, state.ended) {
                return Some(found);
            }
            let left = PATIENCE.checked_sub(start.elapsed())?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// The steps of a probe, each with what came of it.
#[track_caller]
pub fn steps(ended: &Ended) -> Vec<(&str, &str)> {
    // Columns are divided by two spaces at least; the name of a step may have one.
    ended
        .text()
        .lines()
        .map(|line| {
            let (name, rest) = line.split_once("  ").unwrap_or_else(|| panic!("no step: {line:?}"));
            (name, rest.trim_start().split(' ').next().unwrap())
        })
        .collect()
}
