//! Clients come and go for long, some without a goodbye: at every sample the roll, what it has told, and what the
//! process holds are what they have to be.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::{Stage, mib};
use crate::support::crowd::{Crowd, Truth};
use crate::support::measure::median;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    let (watchers, clients, seconds) = stage.size.pick((5, 60, 4), (50, 5_000, 600));
    let churn = stage.size.pick(6, clients / 100);
    let pace = stage.size.pick(Duration::from_millis(50), Duration::from_secs(1));
    let options = ["--lekt", "127.0.0.1:0", "--heartbeat-timeout", "86400"];
    let daemon = Daemon::start(stage.engine, &options)?;
    let mut crowd = Crowd::new(daemon.door("lekt")?, Truth::Kept)?;
    // The witness is among the watchers, who look at everything; numbers behind them go round.
    let alone = daemon.descriptors()?;
    crowd.join(0..1)?;
    let one = daemon.descriptors_at_last(alone + 1)? - alone;
    crowd.join(1..watchers + 1)?;
    let ring = watchers + 1..watchers + 1 + clients + churn;
    crowd.join(ring.start..ring.end - churn)?;
    let present = watchers + 1 + clients;
    crowd.hear(1..watchers + 1, u64::from(present) - 1)?;

    let (mut out, mut resident, mut wrong_samples) = (ring.start, Vec::new(), 0_u64);
    let mut expected = daemon.descriptors()?;
    for second in 0..seconds {
        let began = Instant::now();
        let leaving = round(&ring, out, churn);
        // Those who left last come back.
        let behind = clients;
        let coming = round(&ring, out + behind, churn);
        let first = ring.start + (out - ring.start + behind) % (clients + churn);
        for (place, number) in (0_u32..).zip(leaving) {
            match place % 3 {
                0 => crowd.leave_by_reset(number)?,
                _ => crowd.leave(number..number + 1),
            }
        }
        // All at once, but where the ring begins anew.
        let (above, below): (Vec<u32>, Vec<u32>) = coming.partition(|&number| number >= first);
        for part in [above, below] {
            if let (Some(&from), Some(&last)) = (part.first(), part.last()) {
                crowd.join(from..last + 1)?;
            }
        }
        out = ring.start + (out - ring.start + churn) % (clients + churn);
        // Whoever is silent for long is asked by TCP whether he is there, all of them in one burst, of which the system
        // may lose the same part each time.
        let tenth = ring.start + second % 10 * (clients + churn).div_ceil(10);
        crowd.look(tenth..(tenth + (clients + churn).div_ceil(10)).min(ring.end))?;
        crowd.settle()?;
        crowd.hear(1..watchers + 1, u64::from(2 * churn))?;
        stage.sum(crowd.check(1..watchers + 1)?);
        let descriptors = daemon.descriptors_at_last(expected)?;
        let seen = daemon.status()?.present;
        if descriptors != expected || seen != present as usize {
            eprintln!(
                "sample {second}: {descriptors} descriptors, not {expected}; {seen} on the roll, not {present}"
            );
            wrong_samples += 1;
            expected = descriptors;
        }
        resident.push(mib(daemon.resident()?));
        std::thread::sleep(pace.saturating_sub(began.elapsed()));
    }
    let figure = format!("{wrong_samples} of {seconds} samples wrong");
    let told = format!("adds - removes = present = {present}, descriptors exact");
    stage.exact(&format!("{churn} of {clients} a second: {told}"), figure, "0", wrong_samples == 0);
    stage.exact(&format!("{watchers} watchers equal the table"), "yes", "always", true);
    let tenth = resident.len() / 10;
    let (early, late) =
        (median(&resident[tenth..2 * tenth.max(1)]), median(&resident[resident.len() - tenth.max(1)..]));
    let figure = format!("{:+.2} MiB of {early:.1}", late - early);
    stage.holds("memory drift after the first tenth", figure, "under 1 MiB", late - early < 1.0);
    crowd.leave(0..present + churn);
    let left = daemon.descriptors_at_last(alone)?;
    stage.exact(
        &format!("descriptors left, {one} a client"),
        left.to_string(),
        &alone.to_string(),
        left == alone,
    );
    Ok(())
}

/// So many numbers of a ring, from one of them on.
fn round(ring: &Range<u32>, from: u32, count: u32) -> impl Iterator<Item = u32> {
    let (start, length) = (ring.start, ring.end - ring.start);
    (from..from + count).map(move |number| start + (number - start) % length)
}
