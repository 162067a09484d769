//! What the system says of a process, and signals to it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Whether the tests run as root, who can become somebody else.
pub fn is_root() -> bool {
    status(std::process::id(), "Uid").starts_with("0\t")
}

/// How many descriptors the process has open.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// How many threads the process has.
pub fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

/// The value of a line of `/proc/PID/status`, such as `Uid`.
pub fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

/// Waits until the system says so. Only for what no socket or pipe can tell.
#[track_caller]
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, holds);
}

/// The same for what takes its time, which may be so long at most: the longer, the less often it is asked.
#[track_caller]
pub fn eventually_within(time: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < time, "never came: {what}");
        std::thread::park_timeout((time / 6000).min(Duration::from_millis(20)));
    }
}

/// Sends the signal of that name (`TERM`) by the shell, which needs no unsafe code of ours.
#[track_caller]
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status().unwrap();
    assert!(sent.success(), "kill -{name} {pid}: {sent}");
}
