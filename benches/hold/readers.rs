//! Readers that never read, and are owed ever more: what waits for them is bounded, and others do not wait with them.
//!
//! Much of what is sent waits in the system's own buffers, up to 4 MiB a connection, before it waits in the daemon. In a
//! network namespace with small ones (`unshare -n`, loopback up, net.ipv4.tcp_wmem = "4096 16384 16384") it is the
//! daemon that is looked at.

use std::io;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::pulse::{Pulse, p99};
use super::swarm::{Link, Swarm, Window, greeting};
use super::{Stage, mib};
use crate::support::client::PATIENCE;
use crate::support::{bytes, wrong};

/// What they are owed, together.
const OWED: usize = 64 << 20;
/// The high mark, as by default.
const HIGH_MARK: u64 = 65_536;
/// What chapp may owe a client in letters, by its page.
const LETTERS: u64 = 1 << 20;
/// The first number of a reader.
const FIRST: u32 = 100_000;
/// How long a posted message is.
const MESSAGE: usize = 60_000;
/// How many bytes of messages one address may post a day, less one message.
const QUOTA: usize = (16 << 20) - MESSAGE;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    by_lekt(stage)?;
    by_chapp(stage)
}

/// Answers to heartbeats: a reader that does not read is not read from, so that it is owed no more.
fn by_lekt(stage: &mut Stage) -> io::Result<()> {
    let (healthy, readers, owed) = stage.size.pick((5, 5, OWED / 64), (50, 100, OWED));
    let timeout = stage.size.pick("2", "10");
    let mut options = vec!["--lekt", "127.0.0.1:0", "-v", "--heartbeat-timeout", timeout];
    if Daemon::knows("--max-messages") {
        options.extend(["--max-messages", "0"]);
    }
    let daemon = Daemon::start(stage.engine, &options)?;
    let server = daemon.door("lekt")?;
    let pulse = Pulse::start(server, 0..healthy)?;
    let mut swarm = Swarm::new()?;
    for number in (FIRST..).take(readers) {
        let index = swarm.connect(server, number, Window::Narrow)?;
        swarm.send_all(index, &greeting(number))?;
    }
    daemon.wait_for_presence(readers + healthy as usize)?;
    pulse.take();
    // Their heartbeats are timed meanwhile.
    std::thread::sleep(stage.size.pick(Duration::from_millis(200), Duration::from_secs(3)));
    let (idle, idle_text) = p99(&pulse.take());
    let (before, mut peak) = (daemon.resident()?, 0);

    let each = owed / readers / bytes::BLOCK * bytes::PACKET;
    let burst = bytes::HEARTBEAT.repeat(1024);
    let mut sent = vec![0; readers];
    let began = Instant::now();
    let time = Duration::from_secs(timeout.parse().unwrap_or(1)) * 2;
    let mut in_time = Vec::new();
    while daemon.logged("no heartbeat") < readers && began.elapsed() < time {
        for (index, sent) in sent.iter_mut().enumerate() {
            let most = (each - *sent).min(burst.len());
            // Where it stopped in the middle of a heartbeat, it goes on there.
            let at = *sent % bytes::PACKET;
            *sent += swarm.send(index, &burst[at..most.max(at)]);
        }
        peak = peak.max(daemon.resident()?);
        in_time.extend(pulse.take());
        // So that the daemon, not who asks, has the processor.
        std::thread::sleep(Duration::from_millis(5));
    }
    let (beside, beside_text) = p99(&in_time);
    pulse.finish()?;
    let asked: usize = sent.iter().map(|sent| sent / bytes::PACKET * bytes::BLOCK).sum();
    let grown = peak.saturating_sub(before);
    let wanted = mib((each * readers / bytes::PACKET * bytes::BLOCK) as u64);
    stage.tells("lekt: answers asked for", format!("{:.1} of {wanted:.1} MiB were taken", mib(asked as u64)));
    let bar = bar(HIGH_MARK, readers, "high mark");
    let figure = format!("{:.1} MiB", mib(grown));
    stage.holds("lekt: memory grows", figure, &bar, grown <= HIGH_MARK * readers as u64);
    let figure = format!("{beside_text} beside {idle_text}");
    stage.holds("lekt: p99 of others", figure, "under twice its idle value", beside < 2.0 * idle);
    let logged = daemon.logged("no heartbeat");
    let figure = format!("{logged} of {readers}");
    stage.exact("lekt: ended by the timeout, cause logged", figure, "all", logged >= readers);
    stage.sum(readers as u64);
    Ok(())
}

/// Whether the readers are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// Nobody is owed anything: what the database alone takes.
    Absent,
    Stuck,
}

/// What became of messages that were posted.
struct Posted {
    taken: usize,
    /// How much more memory was resident at any time.
    grown: u64,
    /// How many readers were closed for what they were owed.
    closed: usize,
}

/// Messages that others post: by its own page, a reader is closed when it is owed more than 1 MiB, so that the mark of
/// this door is that and the high mark. What that is of the high mark alone stands beside it.
fn by_chapp(stage: &mut Stage) -> io::Result<()> {
    let (few, many, owed) = stage.size.pick((2, 4, 4 << 20), (32, 100, OWED));
    for readers in [many, few] {
        let messages = owed / MESSAGE;
        let absent = owe(stage, Readers::Absent, readers, messages)?;
        let stuck = owe(stage, Readers::Stuck, readers, messages)?;
        let label = format!("chapp: {:.0} MiB for {readers}", mib(owed as u64));
        let figure = format!("{} of {messages}", stuck.taken);
        stage.exact(&format!("{label}: posts taken"), figure, "all", stuck.taken == messages);
        let grown = stuck.grown.saturating_sub(absent.grown);
        let mark = LETTERS + HIGH_MARK;
        let figure = format!("{:.1} MiB: high mark x {}", mib(grown), grown / (HIGH_MARK * readers as u64));
        let bar = bar(mark, readers, "high mark and letters");
        stage.holds(&format!("{label}: memory grows"), figure, &bar, grown <= mark * readers as u64);
        stage.tells(&format!("{label}: closed for it, cause logged"), format!("{}", stuck.closed));
        stage.sum(stuck.taken as u64);
    }
    Ok(())
}

fn owe(stage: &Stage, kind: Readers, readers: usize, messages: usize) -> io::Result<Posted> {
    let place = tempfile::tempdir()?;
    let data = place.path().to_str().ok_or_else(|| wrong("a path that is not UTF-8"))?;
    let daemon = Daemon::start(stage.engine, &["--chapp", "127.0.0.1:0", "--data", data])?;
    let server = daemon.door("chapp")?;
    let (mut stuck, mut posters) = (Swarm::new()?, Swarm::new()?);
    let count = (messages * MESSAGE).div_ceil(QUOTA);
    for number in 0..count {
        let index = posters.connect(server, u32::try_from(number).unwrap_or_default(), Window::Usual)?;
        posters.send_all(index, introduction(&format!("poster-{number}")).as_bytes())?;
    }
    if kind == Readers::Stuck {
        for number in (FIRST..).take(readers) {
            let index = stuck.connect(server, number, Window::Narrow)?;
            stuck.send_all(index, introduction(&format!("reader-{}", number - FIRST)).as_bytes())?;
        }
    }
    let is_in = |link: &Link| link.has_heard(b"status: 100");
    posters.until(PATIENCE, |swarm| swarm.links.iter().all(is_in))?;
    daemon.wait_for_presence(count + stuck.links.len())?;
    let (before, mut peak, mut taken) = (daemon.resident()?, 0, 0);
    let text = "x".repeat(MESSAGE);
    for message in 0..messages {
        let poster = message * count / messages;
        posters.links[poster].inbox.clear();
        let to = message % readers;
        let post = format!("POST\tposter-{poster}->reader-{to}\\\nID:{message}\\\nmessage: {text}\\\n\\\n");
        posters.send_all(poster, post.as_bytes())?;
        let answered = format!("for: {message}\\\n");
        posters.until(PATIENCE, |swarm| {
            let link = &swarm.links[poster];
            link.inbox.ends_with(b"\\\n") && link.has_heard(answered.as_bytes())
        })?;
        taken += usize::from(posters.links[poster].has_heard(b"status: 100"));
        peak = peak.max(daemon.resident()?);
    }
    let grown = peak.saturating_sub(before);
    Ok(Posted { taken, grown, closed: daemon.logged("is owed more than") })
}

fn introduction(name: &str) -> String {
    format!("INTRODUCE\t{name}->server\\\nID:0\\\n\\\n")
}

fn bar(mark: u64, readers: usize, name: &str) -> String {
    format!("{:.1} MiB: {readers} x {name}", mib(mark * readers as u64))
}
