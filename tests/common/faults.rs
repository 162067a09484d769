//! The daemon on a kernel that fails, which is made by strace: of each thread, some calls never take place, and return
//! an error in place of what they would have done.

use std::process::{Command, Stdio};

use super::daemon::{Daemon, Engine};

/// Whether calls can be made to fail here; says why not.
pub fn are_possible() -> bool {
    let probe = Command::new("strace")
        .args([
            "-D",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=read",
            "-e",
            "inject=read:error=EINTR:when=9999",
        ])
        .arg("true")
        .stderr(Stdio::null())
        .status();
    let possible = probe.is_ok_and(|status| status.success());
    if !possible {
        println!("skipped: there is no strace, or it may trace nothing");
    }
    possible
}

/// What happens to a call, such as (`accept4`, `EMFILE`, `1+2`): the first, the third and so on of each thread fails.
pub type Fault<'a> = (&'a str, &'a str, &'a str);

/// The command of a daemon to which this happens. The process is the daemon's own: who traces it stands beside it.
pub fn command(engine: Engine, fault: Fault<'_>, args: &[&str]) -> Command {
    traced(&Daemon::command(engine, args), fault)
}

/// The same of a daemon that has this command.
pub fn traced(daemon: &Command, (call, error, when): Fault<'_>) -> Command {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={when}"));
    let way = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    Daemon::by_way_of(&way, daemon)
}
