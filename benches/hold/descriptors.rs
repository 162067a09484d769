//! No descriptors left: who is there stays, nothing is busy waiting, and who comes later is let in once there are some.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::swarm::{Swarm, Window, greeting};
use super::{Stage, percent};
use crate::support::client::PATIENCE;
use crate::support::wrong;

/// The first number of those who find no room.
const FIRST: u32 = 100_000;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    taken_away(stage)?;
    from_the_start(stage)
}

/// There were more, and the limit is lowered while the daemon runs: it is the system that says no.
fn taken_away(stage: &mut Stage) -> io::Result<()> {
    let (sessions, coming) = stage.size.pick((5, 60), (100, 600));
    let daemon = Daemon::start(stage.engine, &["--lekt", "127.0.0.1:0"])?;
    let server = daemon.door("lekt")?;
    let mut inside = Swarm::new()?;
    let inside_range = inside.join(server, 0..sessions)?;
    let limit = stage.size.pick(daemon.descriptors()? + 20, 256);
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &daemon.pid().to_string()]).arg(format!("--nofile={limit}:{limit}"));
    if !prlimit.status().is_ok_and(|status| status.success()) {
        stage.tells("skipped", "prlimit(1) is not there or not permitted");
        return Ok(());
    }
    let mut waiting = Swarm::new()?;
    for number in (FIRST..).take(coming) {
        waiting.connect(server, number, Window::Usual)?;
    }
    daemon.wait_for_log("cannot accept", 1)?;
    let complaints = daemon.logged("cannot accept");
    let window = stage.size.pick(Duration::from_millis(500), Duration::from_secs(21));
    let (used, began) = (daemon.processor_time()?, Instant::now());
    waiting.until(window, |_| false)?;
    let share = percent(daemon.processor_time()?.saturating_sub(used), began.elapsed());
    let lines = daemon.logged("cannot accept") - complaints + 1;
    let kept = inside.beat(inside_range.clone(), PATIENCE)?;
    let what = format!("sessions kept, limit {limit}, {coming} connects");
    stage.exact(&what, format!("{kept} of {sessions}"), "100 %", kept == inside_range.len());
    stage.holds("processor while they wait", format!("{share:.2} %"), "under 1 %", share < 1.0);
    let most = usize::try_from(window.as_secs()).unwrap_or(0) / 10 + 1;
    let figure = format!("{lines} in {:.0} s", window.as_secs_f64());
    stage.exact("log lines", figure, "at most 1 in 10 s", lines <= most);

    let released = Instant::now();
    drop(waiting);
    let_in_at_last(server)?;
    let took = released.elapsed();
    let figure = format!("{} ms", took.as_millis());
    stage.holds("accepting again after release", figure, "within 1 s", took < Duration::from_secs(1));
    stage.sum(u64::from(sessions) + coming as u64);
    Ok(())
}

/// Comes until there is room: who is too early is told that there is none.
fn let_in_at_last(server: SocketAddr) -> io::Result<()> {
    let (mut late, number, began) = (Swarm::new()?, FIRST - 1, Instant::now());
    let index = late.connect(server, number, Window::Usual)?;
    while began.elapsed() < PATIENCE {
        late.send_all(index, &greeting(number))?;
        late.until(PATIENCE, |swarm| swarm.links[index].has_joined() || swarm.links[index].ended.is_some())?;
        if late.links[index].has_joined() {
            return Ok(());
        }
        late.reconnect(index, server, number)?;
    }
    Err(wrong("nobody is let in any more"))
}

/// The limit is there from the start: the daemon keeps some in reserve, and says that it is full.
fn from_the_start(stage: &mut Stage) -> io::Result<()> {
    let (limit, coming) = stage.size.pick((64, 60), (256, 600));
    let argument = format!("--nofile={limit}:{limit}");
    let before: &[&str] = &["prlimit", &argument];
    let daemon = Daemon::start_under(before, stage.engine, &["--lekt", "127.0.0.1:0"])?;
    let server = daemon.door("lekt")?;
    let mut inside = Swarm::new()?;
    let sessions = inside.join(server, 0..10)?;
    let mut coming_in = Swarm::new()?;
    for number in (FIRST..).take(coming) {
        coming_in.connect(server, number, Window::Usual)?;
    }
    let room = limit - daemon.descriptors()?;
    coming_in.until(Duration::from_secs(2), |swarm| swarm.ended + room >= swarm.links.len())?;
    let is_told = |link: &&super::swarm::Link| link.has_heard(b"the server is full");
    let told = coming_in.links.iter().filter(is_told).count();
    let open = coming_in.links.len() - coming_in.ended;
    let kept = inside.beat(sessions.clone(), PATIENCE)?;
    let figure = format!("{kept} of {} kept; {coming} come, {open} let in, {told} told", sessions.len());
    stage.exact(&format!("limit {limit} from the start"), figure, "all kept", kept == sessions.len());
    stage.sum(coming as u64);
    Ok(())
}
