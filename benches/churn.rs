//! Churn: some come and go, and everybody else hears of it.
//!
//! After each half of a round, all who stay send one heartbeat, and are told of exactly what happened in that
//! half. The floor reads the same heartbeats and answers each with one write of as many bytes. Two costs: of
//! telling (the heartbeats alone), and of the whole round, in which the others come and go as well.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use support::Size;
use support::crowd::{Crowd, Truth, WITNESS};
use support::measure::{median, nanoseconds_each};
use support::process::Process;

fn main() -> ExitCode {
    support::main("churn", run)
}

/// Who takes part.
#[derive(Clone, Copy)]
struct Cast {
    /// So many stay, the witness not counted.
    stay: u32,
    /// So many come and go.
    churn: u32,
}

impl Cast {
    fn changes_a_round(self) -> u64 {
        2 * u64::from(self.churn) * u64::from(self.stay)
    }
}

struct Target {
    process: Process,
    crowd: Crowd,
    /// Nanoseconds of server time for each change told to one client, a round each.
    telling: Vec<f64>,
    /// The same, with what it takes to let the others come and go.
    whole: Vec<f64>,
    /// Bytes of answers, a round each.
    bytes: Vec<u64>,
}

impl Target {
    fn new(process: Process, truth: Truth, cast: Cast) -> io::Result<Self> {
        let mut crowd = Crowd::new(process.address, truth)?;
        crowd.join(0..cast.stay + 1)?;
        crowd.hear(0..cast.stay + 1, cast.stay.into())?;
        crowd.check(0..cast.stay + 1)?;
        Ok(Self { process, crowd, telling: Vec::new(), whole: Vec::new(), bytes: Vec::new() })
    }

    /// One round, and a checksum of what everybody sees in it.
    fn round(&mut self, cast: Cast) -> io::Result<u64> {
        let others = cast.stay + 1..cast.stay + 1 + cast.churn;
        let began = self.process.processor_time()?;
        self.crowd.join(others.clone())?;
        self.crowd.settle()?;
        let (first, first_bytes, seen) = self.tell(cast)?;
        self.crowd.leave(others);
        self.crowd.settle()?;
        let (second, second_bytes, seen_again) = self.tell(cast)?;
        let whole = self.process.processor_time()?.saturating_sub(began);

        self.telling.push(nanoseconds_each(first + second, cast.changes_a_round()));
        self.whole.push(nanoseconds_each(whole, cast.changes_a_round()));
        self.bytes.push(first_bytes + second_bytes);
        Ok(seen.wrapping_add(seen_again))
    }

    /// All who stay hear of half a round: processor time, bytes, and a checksum of what they see then.
    fn tell(&mut self, cast: Cast) -> io::Result<(Duration, u64, u64)> {
        let (began, received) = (self.process.processor_time()?, self.crowd.received);
        let staying = WITNESS + 1..cast.stay + 1;
        self.crowd.hear(staying.clone(), cast.churn.into())?;
        let took = self.process.processor_time()?.saturating_sub(began);
        let received = self.crowd.received - received;
        Ok((took, received, self.crowd.check(staying)?))
    }
}

fn run(size: Size) -> io::Result<()> {
    let cast = Cast { stay: size.pick(50, 5_000), churn: size.pick(5, 200) };
    let rounds = size.pick(2, 12);
    println!(
        "{} stay, {} come and go: {} changes told a round",
        cast.stay,
        cast.churn,
        cast.changes_a_round()
    );
    println!("server            ns a change  to floor  with comings and goings  to floor  bytes a change");
    let mut checksum = 0_u64;
    for (label, options) in [
        ("events, one loop", &["--engine", "events", "--loops", "1"][..]),
        ("events", &["--engine", "events"]),
        ("threads", &["--engine", "threads"]),
    ] {
        checksum = checksum.wrapping_add(compare(label, options, cast, rounds)?);
    }
    println!("checksum {checksum:016x}, nothing lost");
    Ok(())
}

/// Measures one server beside a floor, and gives a checksum of what was told.
fn compare(label: &str, options: &[&str], cast: Cast, rounds: usize) -> io::Result<u64> {
    let cycle = format!("A{0},R{0}", cast.churn);
    let mut floor = Target::new(Process::floor(cast.stay, &cycle)?, Truth::Prepared, cast)?;
    let mut server = Target::new(Process::daemon(label, options)?, Truth::Kept, cast)?;
    let mut checksum = 0_u64;
    for round in 0..=rounds {
        floor.round(cast)?;
        let seen = server.round(cast)?;
        if round == 0 {
            // The first round warms up.
            for target in [&mut floor, &mut server] {
                target.telling.clear();
                target.whole.clear();
                target.bytes.clear();
            }
            continue;
        }
        checksum = checksum.wrapping_add(seen);
    }
    print_row(&floor, &floor, cast);
    print_row(&server, &floor, cast);
    Ok(checksum)
}

fn print_row(target: &Target, floor: &Target, cast: Cast) {
    let ratio = |own: &[f64], floor: &[f64]| {
        median(&own.iter().zip(floor).map(|(own, floor)| own / floor).collect::<Vec<_>>())
    };
    let bytes: Vec<_> = target.bytes.iter().map(|bytes| per_change(*bytes, cast)).collect();
    println!(
        "{:16} {:12.2} {:9.2} {:24.2} {:9.2} {:15.2}",
        target.process.label,
        median(&target.telling),
        ratio(&target.telling, &floor.telling),
        median(&target.whole),
        ratio(&target.whole, &floor.whole),
        median(&bytes)
    );
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 52 bits")]
fn per_change(bytes: u64, cast: Cast) -> f64 {
    bytes as f64 / cast.changes_a_round() as f64
}
