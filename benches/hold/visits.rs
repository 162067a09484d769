//! Connections that are made and closed, a great many: nothing of them stays.

use std::io;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::swarm::{Swarm, Window};
use super::{Stage, mib};
use crate::support::bytes;
use crate::support::measure::per_second;

/// How many come at the same time.
const TOGETHER: u32 = 200;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    let all: u32 = stage.size.pick(20_000, 1_000_000);
    let daemon = Daemon::start(stage.engine, &["--lekt", "127.0.0.1:0"])?;
    let server = daemon.door("lekt")?;
    let before = daemon.descriptors()?;
    let (began, mut early, mut peak) = (Instant::now(), 0.0, 0.0_f64);
    for group in 0..all / TOGETHER {
        visit(server, group)?;
        if group == all / TOGETHER / 10 {
            early = settled(&daemon, before)?;
        }
        if group % 500 == 0 {
            peak = peak.max(mib(daemon.resident()?));
        }
    }
    let took = began.elapsed();
    let late = settled(&daemon, before)?;
    let after = daemon.descriptors()?;
    let status = daemon.status()?;
    stage.sum(status.welcomed);
    let figure = format!("{} at {:.0}/s", status.welcomed, per_second(all.into(), took));
    stage.exact("connections taken in", figure, &all.to_string(), status.welcomed == u64::from(all));
    stage.exact("descriptors, before and after", format!("{before}, {after}"), "the same", before == after);
    let figure = format!("{:+.2} MiB of {early:.1}, at most {peak:.1}", late - early);
    stage.holds("memory drift after the first tenth", figure, "under 1 MiB", late - early < 1.0);
    Ok(())
}

/// Resident MiB when all have gone and the daemon has tidied up.
pub(super) fn settled(daemon: &Daemon, descriptors: usize) -> io::Result<f64> {
    daemon.descriptors_at_last(descriptors)?;
    // That it has given memory back is told by nothing else; it does so after a second at rest.
    std::thread::sleep(Duration::from_secs(3));
    Ok(mib(daemon.resident()?))
}

/// So many come, in four manners, and go: silent or with a word, by a close or a reset. The last of them waits until
/// it is heard, so that those before it have been let in.
fn visit(server: std::net::SocketAddr, group: u32) -> io::Result<()> {
    let mut swarm = Swarm::new()?;
    // So that no address runs out of ports.
    let number = group % 500;
    for place in 0..TOGETHER - 1 {
        let index = swarm.connect(server, number, Window::Usual)?;
        if place % 2 == 0 {
            swarm.send_all(index, &bytes::HELLO[..(place % 17) as usize])?;
        }
        if place % 4 >= 2 {
            swarm.will_reset(index)?;
        }
    }
    let last = swarm.connect(server, number, Window::Usual)?;
    swarm.send_all(last, bytes::HELLO)?;
    swarm.until(crate::support::client::PATIENCE, |swarm| {
        swarm.links[last].inbox.len() >= bytes::ACCEPTED.len()
    })?;
    Ok(())
}
