//! Clients who take their time: a byte a second each, and when they are closed they come again. Others notice nothing.

use std::io;
use std::time::{Duration, Instant};

use super::Stage;
use super::daemon::Daemon;
use super::pulse::{Pulse, p99};
use super::swarm::{Swarm, Window, greeting};

/// The first number of an opener: far from those of healthy clients.
const FIRST: u32 = 100_000;
/// In so many groups they send, one after the other, within a second.
const GROUPS: usize = 100;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    play(stage, "limits as by default", &[])?;
    if Daemon::knows("--max-pending") {
        play(stage, "--max-pending 0", &["--max-pending", "0"])?;
    }
    Ok(())
}

fn play(stage: &mut Stage, label: &str, more: &[&str]) -> io::Result<()> {
    let (healthy, slow) = stage.size.pick((5, 20), (500, 5_000));
    let time = stage.size.pick(Duration::from_millis(300), Duration::from_secs(15));
    let start = || Daemon::start(stage.engine, &[&["--lekt", "127.0.0.1:0"], more].concat());
    // What happens to another daemon costs its own healthy clients no more than the machine does.
    let (daemon, other) = (start()?, start()?);
    let pulse = Pulse::start(daemon.door("lekt")?, 0..healthy)?;
    let alone = daemon.descriptors()?;
    // The heartbeats are timed while this thread does nothing.
    pulse.take();
    std::thread::sleep(time);
    let mut idle = pulse.take();
    let elsewhere = besiege(&other, &pulse, slow, time)?;
    drop(other);
    let here = besiege(&daemon, &pulse, slow, time)?;
    daemon.descriptors_at_last(alone)?;
    pulse.take();
    std::thread::sleep(time / 2);
    idle.extend(pulse.take());
    pulse.finish()?;

    stage.sum(u64::from(healthy) + slow as u64);
    let share = super::percent(here.used, time);
    let Siege { open, came_again, .. } = here;
    stage.tells(
        &format!("{slow} openers, {label}"),
        format!("{open} connections, {came_again} came again, {share:.1} % CPU"),
    );
    let ((idle, idle_text), (beside, beside_text)) = (p99(&idle), p99(&here.heartbeats));
    let (_, elsewhere_text) = p99(&elsewhere.heartbeats);
    stage.tells(&format!("the same with the openers at another daemon, {label}"), elsewhere_text);
    let figure = format!("{beside_text} beside {idle_text}");
    let what = format!("p99 of {healthy} healthy clients, {label}");
    stage.holds(&what, figure, "under twice its idle value", beside < 2.0 * idle);
    Ok(())
}

/// What came of it.
struct Siege {
    /// Microseconds of each.
    heartbeats: Vec<f64>,
    used: Duration,
    open: usize,
    came_again: u64,
}

/// Has the slow ones come to a daemon for some time, and looks at heartbeats meanwhile.
fn besiege(daemon: &Daemon, pulse: &Pulse, slow: usize, time: Duration) -> io::Result<Siege> {
    let server = daemon.door("lekt")?;
    let mut openers = Openers { swarm: Swarm::new()?, sent: vec![0; slow], came_again: 0 };
    for (index, number) in (FIRST..).take(slow).enumerate() {
        openers.swarm.connect(server, number, Window::Usual)?;
        debug_assert_eq!(openers.swarm.links.len(), index + 1);
    }
    openers.drip(server, time / 4)?;
    pulse.take();
    let used = daemon.processor_time()?;
    openers.drip(server, time)?;
    let used = daemon.processor_time()?.saturating_sub(used);
    let open = daemon.status()?.connections;
    Ok(Siege { heartbeats: pulse.take(), used, open, came_again: openers.came_again })
}

/// The slow ones.
struct Openers {
    swarm: Swarm,
    /// How many bytes each has sent on the connection that it has.
    sent: Vec<usize>,
    came_again: u64,
}

impl Openers {
    fn drip(&mut self, server: std::net::SocketAddr, time: Duration) -> io::Result<()> {
        let began = Instant::now();
        let pause = Duration::from_secs(1) / u32::try_from(GROUPS).unwrap_or(1);
        for (turn, group) in (1..).zip((0..GROUPS).cycle()) {
            for index in (group..self.sent.len()).step_by(GROUPS) {
                self.next_byte(server, index)?;
            }
            loop {
                let left = (pause * turn).saturating_sub(began.elapsed());
                if left.is_zero() {
                    break;
                }
                self.swarm.turn(left)?;
            }
            if began.elapsed() >= time {
                return Ok(());
            }
        }
        Ok(())
    }

    fn next_byte(&mut self, server: std::net::SocketAddr, index: usize) -> io::Result<()> {
        let number = FIRST + u32::try_from(index).unwrap_or_default();
        if self.swarm.links[index].ended.is_some() {
            self.swarm.reconnect(index, server, number)?;
            self.sent[index] = 0;
            self.came_again += 1;
        }
        let bytes = greeting(number);
        let at = self.sent[index];
        if let Some(byte) = bytes.get(at..=at) {
            self.sent[index] += self.swarm.send(index, byte);
        }
        Ok(())
    }
}
