//! TERM with everybody there: each door says goodbye in its way, and the process is gone within a second.

use std::io;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::daemon::Daemon;
use super::swarm::{Link, Swarm, Window};
use super::{Engine, Stage};
use crate::support::client::PATIENCE;
use crate::support::fmltp::Client;
use crate::support::{bytes, wrong};

/// The first number of a client at another door than LEKT.
const FIRST: u32 = 100_000;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    let place = tempfile::tempdir()?;
    let data = place.path().to_str().ok_or_else(|| wrong("a path that is not UTF-8"))?;
    let mut options = vec!["--data", data, "--fmltp-timeout", "3600"];
    for door in ["--lekt", "--fmltp", "--chapp", "--residue", "--residue-token", "--residue-log"] {
        options.extend([door, "127.0.0.1:0"]);
    }
    let daemon = Daemon::start(stage.engine, &options)?;
    // With a thread each, a client at a daemon with a clerk takes three descriptors of 20,000.
    let many = if stage.engine == Engine::Threads { 5_500 } else { 9_400 };
    let (lekt, others) = stage.size.pick((30, 3), (many, 200));
    let mut swarm = Swarm::new()?;
    let lekt = swarm.join(daemon.door("lekt")?, 0..lekt)?;
    let named = lekt.end..lekt.end + others;
    for number in (FIRST..).take(others) {
        let index = swarm.connect(daemon.door("chapp")?, number, Window::Usual)?;
        let text = format!("INTRODUCE\tnamed-{number}->server\\\nID:0\\\n\\\n");
        swarm.send_all(index, text.as_bytes())?;
    }
    let has_name = |link: &Link| link.has_heard(b"status: 100");
    let of = named.clone();
    swarm.until(PATIENCE, |swarm| swarm.links[of.clone()].iter().all(has_name))?;
    for door in ["residue", "residue-token", "residue-log"] {
        for number in (FIRST..).take(others / 3) {
            swarm.connect(daemon.door(door)?, number, Window::Usual)?;
        }
    }
    let residue = named.end..swarm.links.len();
    let fmltp = daemon.door("fmltp")?;
    let flexible = (0..others).map(|_| Client::shake_hands(fmltp)).collect::<Result<Vec<_>, _>>()?;
    let all = swarm.links.len() + others;
    let there = daemon.status()?.connections;
    stage.exact("sessions", format!("{there}"), &format!("{all}"), there == all);
    swarm.links.iter_mut().for_each(|link| link.inbox.clear());

    // Who hangs up late may keep the daemon for a second: these do it at once, each kind on a thread of its own.
    let listening = thread::spawn(move || flexible.into_iter().filter_map(heard).count());
    daemon.signal(Signal::SIGTERM)?;
    let began = Instant::now();
    let watch = thread::spawn(move || end_of(daemon, began));
    swarm.until(PATIENCE, |swarm| swarm.ended == swarm.links.len())?;
    let heard = listening.join().map_err(|_| wrong("nobody listens to fmltp"))?;
    let (status, took) = watch.join().map_err(|_| wrong("the process is not watched"))?;

    let status = status.map_or_else(|| "still there".to_owned(), |status| status.to_string());
    let figure = format!("{status} after {} ms", took.as_millis());
    stage.exact("exit", status.clone(), "exit status: 0", status == "exit status: 0");
    stage.holds("exit after TERM", figure, "within 1 s", took <= Duration::from_secs(1));
    let is_rejected = |link: &&Link| {
        link.inbox.starts_with(bytes::REJECTED) && link.has_heard(b"the server is shutting down")
    };
    let count = |range: std::ops::Range<usize>, is_told: &dyn Fn(&&Link) -> bool| {
        (swarm.links[range.clone()].iter().filter(is_told).count(), range.len())
    };
    let rows = [
        ("lekt: R", count(lekt, &is_rejected)),
        ("chapp: 400", count(named, &|link: &&Link| link.has_heard(b"status: 400"))),
        ("residue: closed without a word", count(residue, &|link: &&Link| link.inbox.is_empty())),
        ("fmltp: 400", (heard, others)),
    ];
    for (what, (told, of)) in rows {
        stage.exact(what, format!("{told} of {of}"), "all", told == of);
    }
    stage.sum(all as u64);
    Ok(())
}

/// Hears the goodbye, if it is one, and hangs up.
fn heard(mut client: Client) -> Option<()> {
    client.hear().ok().filter(|text| text.starts_with("400 ")).map(drop)
}

/// How the process has ended, and after how long.
fn end_of(mut daemon: Daemon, began: Instant) -> (Option<ExitStatus>, Duration) {
    loop {
        match daemon.ended() {
            Ok(None) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            outcome => return (outcome.unwrap_or_default(), began.elapsed()),
        }
    }
}
