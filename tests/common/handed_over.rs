//! A daemon that a supervisor has opened its sockets for.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::{Daemon, Engine};

/// Runs the daemon with `listener` handed over under each of `names`; without names if there is none.
pub fn handed_over(engine: Engine, listener: &TcpListener, names: &[&str], args: &[&str]) -> Command {
    let program = Daemon::program().get_program().to_owned();
    let count = names.len().max(1);
    let copies: String = (3..3 + count).map(|descriptor| format!("{descriptor}<&0 ")).collect();
    let script = format!("exec {copies} </dev/null; export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$@\"");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg("sh").arg(program).args(["--engine", engine.name()]).args(args);
    for name in ["RUST_LOG", "NOTIFY_SOCKET", "JOURNAL_STREAM", "LISTEN_FDNAMES"] {
        shell.env_remove(name);
    }
    if !names.is_empty() {
        shell.env("LISTEN_FDNAMES", names.join(":"));
    }
    shell.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    shell
}
