//! Idle heartbeats: how many a second, and what one costs the server, beside a bare echo of the same bytes.
//!
//! Every client has heard the whole roll, nothing changes any more, and each sends its next heartbeats when the
//! last have been answered: one (closed loop), or 16 in one write. All servers get the same rounds in turn.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use support::Size;
use support::crowd::{Crowd, Truth};
use support::measure::{median, nanoseconds_each, per_second};
use support::process::Process;

fn main() -> ExitCode {
    support::main("heartbeat", run)
}

struct Target {
    process: Process,
    crowd: Crowd,
    /// Nanoseconds of server time for each heartbeat, a round each.
    cost: Vec<f64>,
    rate: Vec<f64>,
}

impl Target {
    fn new(process: Process, truth: Truth, connections: u32) -> io::Result<Self> {
        let mut crowd = Crowd::new(process.address, truth)?;
        crowd.join(0..connections)?;
        crowd.hear(0..connections, u64::from(connections) - 1)?;
        Ok(Self { process, crowd, cost: Vec::new(), rate: Vec::new() })
    }

    fn round(&mut self, connections: u32, deep: usize, bursts: u32) -> io::Result<()> {
        let count = u64::from(connections) * deep as u64 * u64::from(bursts);
        let (used, began) = (self.process.processor_time()?, Instant::now());
        self.crowd.pound(0..connections, deep, bursts)?;
        let (took, used) = (began.elapsed(), self.process.processor_time()?.saturating_sub(used));
        self.cost.push(nanoseconds_each(used, count));
        self.rate.push(per_second(count, took));
        Ok(())
    }
}

fn run(size: Size) -> io::Result<()> {
    println!("connections deep  server            heartbeats/s  ns each  to floor");
    let mut checksum = 0_u64;
    for &connections in size.pick(&[1, 8][..], &[1, 50, 1000]) {
        let mut targets = targets(connections)?;
        for deep in [1, 16] {
            // So many heartbeats a round, however they are dealt out.
            let heartbeats = size.pick(64, if deep == 1 { 20_000 } else { 160_000 });
            let bursts = (heartbeats / connections / u32::try_from(deep).unwrap_or(1)).max(2);
            for round in 0..size.pick(2, 12) {
                for target in &mut targets {
                    target.round(connections, deep, bursts)?;
                    if round == 0 {
                        // The first round warms up.
                        target.cost.clear();
                        target.rate.clear();
                    }
                }
            }
            print_rows(&mut targets, connections, deep);
        }
        for target in &mut targets {
            checksum = checksum.wrapping_add(target.crowd.check(0..connections)?);
            checksum = checksum.wrapping_add(target.crowd.received);
        }
    }
    println!("checksum {checksum:016x}");
    Ok(())
}

fn targets(connections: u32) -> io::Result<Vec<Target>> {
    let daemon =
        |label, options: &[&str]| Target::new(Process::daemon(label, options)?, Truth::Kept, connections);
    Ok(vec![
        Target::new(Process::floor(connections - 1, "A0")?, Truth::Prepared, connections)?,
        daemon("events, one loop", &["--engine", "events", "--loops", "1"])?,
        daemon("events", &["--engine", "events"])?,
        daemon("threads", &["--engine", "threads"])?,
    ])
}

/// Prints a row for each, the first of which is the floor, and begins anew.
fn print_rows(targets: &mut [Target], connections: u32, deep: usize) {
    let floor = targets.first().map(|floor| floor.cost.clone()).unwrap_or_default();
    for target in targets {
        // Ratios are of rounds that were neighbours.
        let ratios: Vec<_> = target.cost.iter().zip(&floor).map(|(own, floor)| own / floor).collect();
        let (cost, rate) = (median(&target.cost), median(&target.rate));
        let label = &target.process.label;
        println!("{connections:11} {deep:4}  {label:16} {rate:13.0} {cost:8.0} {:9.2}", median(&ratios));
        target.cost.clear();
        target.rate.clear();
    }
}
