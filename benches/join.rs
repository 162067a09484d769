//! Joining: a client comes, hears the whole roll, and leaves again, while many others are there.
//!
//! The floor accepts, answers the handshake and the setup with the same bytes, sends one prepared roll of the
//! same size, and closes. Beside that: the memory that a client takes who is there and idle.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use support::Size;
use support::crowd::{Crowd, Truth, WITNESS};
use support::measure::{median, nanoseconds_each, per_second};
use support::process::Process;

/// How many come at the same time.
const TOGETHER: u32 = 8;

fn main() -> ExitCode {
    support::main("join", run)
}

struct Target {
    process: Process,
    crowd: Crowd,
    /// Nanoseconds of server time for each visit, a round each.
    cost: Vec<f64>,
    rate: Vec<f64>,
}

impl Target {
    fn new(process: Process, truth: Truth) -> io::Result<Self> {
        let crowd = Crowd::new(process.address, truth)?;
        Ok(Self { process, crowd, cost: Vec::new(), rate: Vec::new() })
    }

    /// So many clients come, hear who the `home` others are, and leave.
    fn round(&mut self, home: u32, visits: u32) -> io::Result<u64> {
        let (used, began) = (self.process.processor_time()?, Instant::now());
        let checksum = self.crowd.visit(home, visits, TOGETHER)?;
        let took = began.elapsed();
        // What the last ones leave behind belongs to them.
        self.crowd.settle()?;
        let used = self.process.processor_time()?.saturating_sub(used);
        self.cost.push(nanoseconds_each(used, visits.into()));
        self.rate.push(per_second(visits.into(), took));
        Ok(checksum)
    }
}

/// Resident bytes of a server: before the first client, with all of them, and after the last.
struct Memory {
    before: u64,
    full: u64,
    after: u64,
}

fn run(size: Size) -> io::Result<()> {
    println!("present  server            joins/s  us each  to floor   B/client  MiB before  full  left");
    let mut checksum = 0_u64;
    for &present in size.pick(&[20][..], &[1_000, 10_000]) {
        for (label, options) in [
            ("events, one loop", &["--engine", "events", "--loops", "1"][..]),
            ("events", &["--engine", "events"]),
            ("threads", &["--engine", "threads"]),
        ] {
            checksum = checksum.wrapping_add(compare(label, options, present, size)?);
        }
    }
    println!("checksum {checksum:016x}");
    Ok(())
}

/// Measures one server beside a floor, and gives a checksum of what was told.
fn compare(label: &str, options: &[&str], present: u32, size: Size) -> io::Result<u64> {
    let visits = size.pick(10, if present > 1_000 { 250 } else { 1_000 });
    let mut floor = Target::new(Process::floor(present, "A0")?, Truth::Prepared)?;
    floor.crowd.join(WITNESS..WITNESS + 1)?;
    let mut server = Target::new(Process::daemon(label, options)?, Truth::Kept)?;
    let before = server.process.resident()?;
    server.crowd.join(0..present)?;
    server.crowd.hear(0..present, u64::from(present) - 1)?;
    let full = server.process.resident()?;
    let mut checksum = server.crowd.check(0..present)?;

    // The first visit of each also lets the witnesses hear what they have not heard yet.
    for target in [&mut floor, &mut server] {
        target.round(present, visits)?;
        target.cost.clear();
        target.rate.clear();
    }
    for _ in 0..size.pick(2, 10) {
        for target in [&mut floor, &mut server] {
            checksum = checksum.wrapping_add(target.round(present, visits)?);
        }
    }
    // Who came and went meanwhile appears in no answer.
    server.crowd.hear(0..present, 0)?;
    server.crowd.check(0..present)?;
    server.crowd.leave(WITNESS + 1..present);
    server.crowd.settle()?;
    // Who left takes a moment to hand back what it had.
    let after = server.process.least_resident(size.pick(Duration::ZERO, Duration::from_secs(2)))?;

    print_row(&floor, None, present, &floor);
    print_row(&server, Some(&Memory { before, full, after }), present, &floor);
    Ok(checksum)
}

fn print_row(target: &Target, memory: Option<&Memory>, present: u32, floor: &Target) {
    let ratios: Vec<_> = target.cost.iter().zip(&floor.cost).map(|(own, floor)| own / floor).collect();
    let (rate, cost) = (median(&target.rate), median(&target.cost) / 1000.0);
    let (label, ratio) = (&target.process.label, median(&ratios));
    print!("{present:7}  {label:16} {rate:8.0} {cost:8.1} {ratio:9.2}");
    match memory {
        None => println!(),
        Some(Memory { before, full, after }) => {
            let each = full.saturating_sub(*before) / u64::from(present);
            let [before, full, after] = [before, full, after].map(|bytes| mib(*bytes));
            println!("   {each:8}  {before:10.1} {full:5.1} {after:5.1}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is printed with one digit")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
