//! What is not for any door, from clients who then stay: it costs nothing while they do, and they are gone when the
//! handshake's time is over.

use std::io;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::swarm::{Swarm, Window};
use super::{Stage, percent};
use crate::support::wrong;

const DOORS: [&str; 6] = ["lekt", "fmltp", "chapp", "residue", "residue-token", "residue-log"];
/// Those whose protocol has a handshake, and a time for it.
const TIMED: [&str; 2] = ["lekt", "fmltp"];
/// How long one who was told may take to hang up, and what a busy machine takes beside it.
const SLACK: Duration = Duration::from_secs(3);
/// How long it may take until all of it has been judged,
const JUDGED: Duration = Duration::from_secs(5);
/// which shows when the daemon does nothing for so long.
const QUIET: Duration = Duration::from_millis(250);

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    let each = stage.size.pick(2, 50);
    let deadline = stage.size.pick(2, 10);
    let place = tempfile::tempdir()?;
    let data = place.path().to_str().ok_or_else(|| wrong("a path that is not UTF-8"))?;
    let seconds = deadline.to_string();
    let mut options = vec!["--data", data, "--handshake-timeout", &seconds, "--fmltp-timeout", &seconds];
    for door in ["--lekt", "--fmltp", "--chapp", "--residue", "--residue-token", "--residue-log"] {
        options.extend([door, "127.0.0.1:0"]);
    }
    let daemon = Daemon::start(stage.engine, &options)?;
    let before = daemon.descriptors()?;
    let mut swarm = Swarm::new()?;
    let garbage =
        [tls_hello(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), junk(700), junk(1 << 20)];
    let began = Instant::now();
    let mut left: Vec<(usize, &[u8])> = Vec::new();
    // Which links each door has.
    let mut links = Vec::new();
    for door in DOORS {
        let address = daemon.door(door)?;
        let first = swarm.links.len();
        for bytes in &garbage {
            for number in 0..each {
                let index = swarm.connect(address, number, Window::Usual)?;
                left.push((index, bytes));
            }
        }
        links.push((door, first..swarm.links.len()));
    }
    let total = swarm.links.len();
    // As much of it is sent as the server takes.
    while !left.is_empty() && began.elapsed() < Duration::from_secs(deadline) / 4 {
        for (index, bytes) in &mut left {
            let sent = swarm.send(*index, bytes);
            *bytes = &bytes[sent..];
        }
        left.retain(|(index, bytes)| !bytes.is_empty() && swarm.links[*index].ended.is_none());
        swarm.turn(Duration::from_millis(10))?;
    }
    // It is judged once, when it comes; this is about what it costs from then on.
    let comes = Instant::now();
    loop {
        let used = daemon.processor_time()?;
        swarm.until(QUIET, |_| false)?;
        let idles = daemon.processor_time()?.saturating_sub(used) < Duration::from_millis(1);
        if idles || comes.elapsed() > JUDGED {
            break;
        }
    }
    let came = comes.elapsed();
    stage.tells("until what has come is judged", format!("{:.1} s", came.as_secs_f64()));
    let held = total - swarm.ended;
    let watched = stage.size.pick(Duration::from_millis(500), Duration::from_secs(5));
    let (used, watch) = (daemon.processor_time()?, Instant::now());
    swarm.until(watched, |_| false)?;
    let share = percent(daemon.processor_time()?.saturating_sub(used), watch.elapsed());
    stage.tells("connections, and those among them still held", format!("{total}, {held}"));
    stage.holds("processor while they are held", format!("{share:.2} %"), "under 2 %", share < 2.0);

    let limit = (Duration::from_secs(deadline) + SLACK).saturating_sub(began.elapsed());
    swarm.until(limit, |swarm| swarm.ended == swarm.links.len())?;
    for (door, range) in links {
        let all = &swarm.links[range];
        let open = all.iter().filter(|link| link.ended.is_none()).count();
        let last = all.iter().filter_map(|link| link.ended).max().unwrap_or(began) - began;
        let figure = format!("{open} of {} open, last closed after {:.1} s", all.len(), last.as_secs_f64());
        match TIMED.contains(&door) {
            true => stage.exact(&format!("{door}: after {deadline} s"), figure, "0 open", open == 0),
            false => stage.tells(&format!("{door}: its protocol sets no time"), figure),
        }
        stage.sum(all.len() as u64);
    }
    drop(swarm);
    let after = daemon.descriptors_at_last(before)?;
    stage.exact("descriptors, before and after", format!("{before}, {after}"), "the same", before == after);
    Ok(())
}

/// The first record of a TLS client.
fn tls_hello() -> Vec<u8> {
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.extend(junk(506));
    hello
}

/// Bytes without sense, always the same.
fn junk(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}
