//! Clients come and go for long, some without a goodbye: at every sample the roll, what it has told, and what the
//! process holds are what they have to be.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::visits::settled;
use super::{Stage, mib};
use crate::support::crowd::{Crowd, Truth};
use crate::support::measure::median;
use crate::support::wrong;

/// In so many samples each client has sent a heartbeat.
const ROUND: u32 = 10;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    let (watchers, clients, seconds) = stage.size.pick((5, 60, 4), (50, 5_000, 600));
    let samples = stage.seconds.unwrap_or(seconds);
    let pace = stage.size.pick(Duration::from_millis(50), Duration::from_secs(1));
    // The journal is to be full before memory is compared: the one that there is by default takes ten minutes to fill.
    let options = ["--lekt", "127.0.0.1:0", "--heartbeat-timeout", "86400", "--journal", "4096"];
    let daemon = Daemon::start(stage.engine, &options)?;
    let (alone, before) = (daemon.descriptors()?, mib(daemon.resident()?));
    let mut play = Play::begin(daemon, watchers, clients, stage.size.pick(6, clients / 100))?;
    let one = play.each(alone)?;
    let expected = alone + one * play.present() as usize;

    let (mut resident, mut wrong_samples, began) = (Vec::new(), 0_u64, Instant::now());
    for sample in 0..samples {
        let sampled = Instant::now();
        play.swap()?;
        play.look(sample)?;
        stage.sum(play.everybody_sees_the_roll()?);
        let descriptors = play.daemon.descriptors_at_last(expected)?;
        let (seen, present) = (play.daemon.status()?.present, play.present() as usize);
        if descriptors != expected || seen != present {
            eprintln!(
                "sample {sample}: {descriptors} descriptors, not {expected}; {seen} on the roll, not {present}"
            );
            wrong_samples += 1;
        }
        resident.push(mib(play.daemon.resident()?));
        // So many a second, not as many as can be.
        std::thread::sleep(pace.saturating_sub(sampled.elapsed()));
    }
    let churn = play.churn;
    let figure = format!("{wrong_samples} of {samples} samples wrong, in {} s", began.elapsed().as_secs());
    let told = format!("adds - removes = present = {}, descriptors exact", play.present());
    stage.exact(&format!("{churn} of {clients} a second: {told}"), figure, "0", wrong_samples == 0);
    // One of them who did not would have ended it.
    let figure = format!("{samples} times each");
    stage.exact(&format!("{watchers} watchers equal the table"), figure, "always", true);
    play.a_newcomer_sees_the_same()?;
    stage.exact("a newcomer is told what they have been told", "yes", "yes", true);
    memory(stage, &resident);
    let (left, after) = play.end(alone)?;
    let what = format!("descriptors left, {one} a client");
    stage.exact(&what, left.to_string(), &alone.to_string(), left == alone);
    stage.tells("resident with nobody there, before and after", format!("{before:.1}, {after:.1} MiB"));
    Ok(())
}

/// How much more is resident in the last tenth of all samples than in the second.
fn memory(stage: &mut Stage, resident: &[f64]) {
    let tenth = resident.len() / 10;
    let (from, length) = (tenth.min(resident.len()), tenth.max(1));
    let early = median(&resident[from..(from + length).min(resident.len())]);
    let late = median(&resident[resident.len().saturating_sub(length)..]);
    let most = resident.iter().copied().fold(0.0, f64::max);
    let figure = format!("{:+.2} MiB of {early:.1}, at most {most:.1}", late - early);
    stage.holds("memory drift after the first tenth", figure, "under 1 MiB", late - early < 1.0);
}

/// The daemon, and who is there: a witness, watchers, and clients whose numbers go round.
struct Play {
    daemon: Daemon,
    crowd: Crowd,
    watchers: Range<u32>,
    /// The numbers of clients: those who are there, and so many more as come and go at once.
    ring: Range<u32>,
    churn: u32,
    /// Where in the ring those begin who go next. Those who went last are before it.
    next: u32,
}

impl Play {
    fn begin(daemon: Daemon, watchers: u32, clients: u32, churn: u32) -> io::Result<Self> {
        let crowd = Crowd::new(daemon.door("lekt")?, Truth::Kept)?;
        let first = watchers + 1;
        let ring = first..first + clients + churn;
        let mut play = Self { daemon, crowd, watchers: 1..first, ring, churn, next: 0 };
        play.crowd.join(0..first)?;
        play.crowd.join(first..first + clients)?;
        play.crowd.settle()?;
        let others = u64::from(play.present()) - 1;
        play.crowd.hear(play.watchers.clone(), others)?;
        // What each of them takes for its first heartbeat is not to be taken for something that grows.
        (0..ROUND).try_for_each(|part| play.look(part))?;
        Ok(play)
    }

    /// How many are on the roll.
    fn present(&self) -> u32 {
        self.ring.end - self.churn
    }

    /// How many descriptors the daemon has for each of them, beside those that it had `alone`.
    fn each(&self, alone: usize) -> io::Result<usize> {
        let (all, present) = (self.daemon.descriptors()? - alone, self.present() as usize);
        match all % present {
            0 => Ok(all / present),
            _ => Err(wrong(format!("{all} descriptors for {present} clients"))),
        }
    }

    /// Some go, and as many come: those who went last time.
    fn swap(&mut self) -> io::Result<()> {
        let length = self.ring.end - self.ring.start;
        let from = |offset: u32| {
            let ring = self.ring.clone();
            (0..self.churn).map(move |place| ring.start + (offset + place) % length)
        };
        let (leaving, coming) = (from(self.next), from(self.next + length - self.churn));
        for (place, number) in (0_u32..).zip(leaving) {
            match place % 3 {
                // What becomes of a killed process that had not read all is a reset.
                0 => self.crowd.leave_by_reset(number)?,
                _ => self.crowd.leave(number..number + 1),
            }
        }
        let mut coming: Vec<u32> = coming.collect();
        coming.sort_unstable();
        // All at once, but where the ring begins anew.
        for part in coming.chunk_by(|one, other| one + 1 == *other) {
            self.crowd.join(part[0]..part[0] + part.len() as u32)?;
        }
        self.next = (self.next + self.churn) % length;
        Ok(())
    }

    /// Some of the clients send a heartbeat, each of them in its turn. Whoever is silent for long is asked by TCP whether
    /// he is there, all of them in one burst, of which the system may lose the same part each time.
    fn look(&mut self, sample: u32) -> io::Result<()> {
        let part = (self.ring.end - self.ring.start).div_ceil(ROUND);
        let first = self.ring.start + sample % ROUND * part;
        self.crowd.look(first.min(self.ring.end)..(first + part).min(self.ring.end))
    }

    /// Each watcher has been told of those who went and those who came, and of nothing else; a sum of it.
    fn everybody_sees_the_roll(&mut self) -> io::Result<u64> {
        self.crowd.settle()?;
        self.crowd.hear(self.watchers.clone(), u64::from(2 * self.churn))?;
        self.crowd.check(self.watchers.clone())
    }

    /// Somebody who has heard none of it is told who is there.
    fn a_newcomer_sees_the_same(&mut self) -> io::Result<()> {
        let (number, others) = (self.ring.end, u64::from(self.present()));
        self.crowd.join(number..number + 1)?;
        self.crowd.hear(number..number + 1, others)?;
        self.crowd.check(number..number + 1).map(drop)
    }

    /// Everybody goes; how many descriptors are left, and how many MiB are resident then.
    fn end(mut self, alone: usize) -> io::Result<(usize, f64)> {
        self.crowd.leave(0..self.ring.end + 1);
        let resident = settled(&self.daemon, alone)?;
        Ok((self.daemon.descriptors()?, resident))
    }
}
