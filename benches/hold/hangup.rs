//! HUP, again and again: everything is read again, and nobody notices.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use super::daemon::Daemon;
use super::swarm::Swarm;
use super::{Stage, mib};
use crate::support::client::PATIENCE;
use crate::support::{fmltp, wrong};

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    let (clients, times) = stage.size.pick((10, 20), (1_000, 1_000));
    let place = tempfile::tempdir()?;
    let path = |name: &str| place.path().join(name).to_str().map(str::to_owned);
    let missing = || wrong("a path that is not UTF-8");
    let (data, users) = (path("data").ok_or_else(missing)?, path("users").ok_or_else(missing)?);
    let codes = path("codes").ok_or_else(missing)?;
    for (file, content) in [(&users, fmltp::USER), (&codes, "logger code 60\n")] {
        fs::write(file, content)?;
        fs::set_permissions(file, Permissions::from_mode(0o600))?;
    }
    let mut options = vec!["--data", &data, "--fmltp-users", &users, "--residue-codes", &codes];
    for door in ["--lekt", "--fmltp", "--chapp", "--residue", "--residue-token", "--residue-log"] {
        options.extend([door, "127.0.0.1:0"]);
    }
    let daemon = Daemon::start(stage.engine, &options)?;
    let mut swarm = Swarm::new()?;
    let everyone = swarm.join(daemon.door("lekt")?, 0..clients)?;
    // The first answer tells of everybody, and the first times warm up.
    swarm.beat(everyone.clone(), PATIENCE)?;
    swarm.until(std::time::Duration::from_millis(200), |_| false)?;
    hang_up(&daemon, times / 10)?;
    let (descriptors, before) = (daemon.descriptors()?, daemon.resident()?);
    hang_up(&daemon, times)?;
    let (after, resident) = (daemon.descriptors()?, daemon.resident()?);
    let kept = swarm.beat(everyone.clone(), PATIENCE)?;
    let gone = swarm.ended + everyone.len() - kept;
    stage.exact(&format!("disconnects of {clients} by {times} x HUP"), gone.to_string(), "0", gone == 0);
    let figure = format!("{descriptors}, {after}");
    stage.exact("descriptors, before and after", figure, "the same", descriptors == after);
    let drift = format!("{:+.2} MiB of {:.1}", mib(resident) - mib(before), mib(before));
    stage.holds("memory drift", drift, "under 1 MiB", resident < before + (1 << 20));
    stage.sum(kept as u64 * u64::from(times));
    Ok(())
}

/// Sends it so often, each time when the last has been followed.
fn hang_up(daemon: &Daemon, times: u32) -> io::Result<()> {
    const FOLLOWED: &str = "read again: 1 user in";
    for _ in 0..times {
        let before = daemon.logged(FOLLOWED);
        daemon.signal(Signal::SIGHUP)?;
        daemon.wait_for_log(FOLLOWED, before + 1)?;
    }
    Ok(())
}
