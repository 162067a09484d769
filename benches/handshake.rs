//! FmLTP handshakes: how many a second, what one costs the server, and how much of that is the key exchange; and
//! whether an idle heartbeat of somebody else notices a thousand of them, and of logins, that are under way.
//!
//! The floor is the key exchange alone: two exponentiations, in this process and in the same run.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use support::Size;
use support::crowd::{Crowd, Truth};
use support::fmltp::{self, Client, Load};
use support::measure::{median, nanoseconds_each, per_second, percentile};
use support::process::Process;

/// How many shake hands at the same time.
const TOGETHER: u32 = 8;

/// The engines, as the tables call them.
const ENGINES: [(&str, &[&str]); 2] =
    [("events", &["--engine", "events"]), ("threads", &["--engine", "threads"])];

fn main() -> ExitCode {
    support::main("handshake", run)
}

fn run(size: Size) -> io::Result<()> {
    println!("server            handshakes/s   us each   us of it key exchange   share");
    for (label, engine) in ENGINES {
        count(label, engine, size)?;
    }
    println!();
    println!("server            under way  handshakes/s  logins/s   heartbeat us p50    p99   to idle p99");
    let users = Users::write()?;
    for (label, engine) in ENGINES {
        disturb(label, engine, &users, size)?;
    }
    Ok(())
}

/// Shakes hands as fast as it goes.
fn count(label: &str, engine: &[&str], size: Size) -> io::Result<()> {
    let options = [engine, &["--fmltp", "127.0.0.1:0"]].concat();
    let server = Process::daemon(label, &options)?;
    let door = server.doors[1];
    let (mut cost, mut rate, mut exchange) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.pick(1, 5) {
        let each = size.pick(2, 100);
        exchange.push(fmltp::exchange(size.pick(2, 200))?);
        let (used, began) = (server.processor_time()?, Instant::now());
        thread::scope(|scope| {
            let all: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(|| shake_hands(door, each))).collect();
            all.into_iter()
                .try_for_each(|one| one.join().unwrap_or_else(|_| Err(support::wrong("a client panicked"))))
        })?;
        let count = u64::from(TOGETHER * each);
        rate.push(per_second(count, began.elapsed()));
        cost.push(nanoseconds_each(server.processor_time()?.saturating_sub(used), count) / 1000.0);
    }
    let exchange: Vec<_> = exchange.iter().map(|time| nanoseconds_each(*time, 1) / 1000.0).collect();
    let (cost, exchange) = (median(&cost), median(&exchange));
    println!(
        "{label:16} {:13.0} {cost:9.0} {exchange:23.0} {:6.0} %",
        median(&rate),
        exchange / cost * 100.0
    );
    Ok(())
}

fn shake_hands(door: SocketAddr, count: u32) -> io::Result<()> {
    (0..count).try_for_each(|_| Client::shake_hands(door).map(drop))
}

/// The file of the users that may log in.
struct Users(tempfile::NamedTempFile);

impl Users {
    fn write() -> io::Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), fmltp::USER)?;
        Ok(Self(file))
    }

    fn path(&self) -> io::Result<&str> {
        self.0.path().to_str().ok_or_else(|| support::wrong("a path that is not UTF-8"))
    }
}

/// Measures idle heartbeats alone, then beside many who shake hands and log in, in rounds of a server each: what
/// those have left undone must not disturb the next.
fn disturb(label: &str, engine: &[&str], users: &Users, size: Size) -> io::Result<()> {
    let options = [engine, &["--fmltp", "127.0.0.1:0", "--fmltp-users", users.path()?]].concat();
    let (members, clients) = size.pick((4, 4), (100, 1000));
    let (mut idle, mut busy) = (Row::default(), Row::default());
    for _ in 0..size.pick(1, 3) {
        let server = Process::daemon(label, &options)?;
        let mut crowd = Crowd::new(server.address, Truth::Kept)?;
        crowd.join(0..members)?;
        crowd.hear(0..members, u64::from(members) - 1)?;
        let beats = size.pick(20, 2000);
        let alone = heartbeats(&mut crowd, members, beats)?;
        let load = Load::start(server.doors[1], clients)?;
        let began = Instant::now();
        let beside = heartbeats(&mut crowd, members, beats)?;
        let took = began.elapsed();
        let (handshakes, logins) = load.finish()?;
        idle.add(&alone, &alone, (0.0, 0.0));
        busy.add(&beside, &alone, (per_second(handshakes, took), per_second(logins, took)));
    }
    idle.print(label, 0);
    busy.print(label, clients);
    Ok(())
}

/// What a line of the table is made of, a value a round.
#[derive(Default)]
struct Row {
    handshakes: Vec<f64>,
    logins: Vec<f64>,
    half: Vec<f64>,
    p99: Vec<f64>,
    ratio: Vec<f64>,
}

impl Row {
    fn add(&mut self, beats: &[f64], idle: &[f64], (handshakes, logins): (f64, f64)) {
        let p99 = percentile(beats, 99);
        self.handshakes.push(handshakes);
        self.logins.push(logins);
        self.half.push(median(beats));
        self.p99.push(p99);
        self.ratio.push(p99 / percentile(idle, 99));
    }

    fn print(&self, label: &str, clients: u32) {
        let [handshakes, logins, half, p99, ratio] =
            [&self.handshakes, &self.logins, &self.half, &self.p99, &self.ratio].map(|values| median(values));
        println!("{label:16} {clients:10} {handshakes:13.0} {logins:9.1} {half:18.0} {p99:6.0} {ratio:13.2}");
    }
}

/// One heartbeat at a time, with a pause in between: how long each took to be answered, in microseconds.
fn heartbeats(crowd: &mut Crowd, members: u32, count: u32) -> io::Result<Vec<f64>> {
    let mut times = Vec::new();
    for beat in 0..count {
        let member = beat % members;
        let began = Instant::now();
        crowd.pound(member..member + 1, 1, 1)?;
        times.push(nanoseconds_each(began.elapsed(), 1) / 1000.0);
        thread::sleep(Duration::from_millis(2));
    }
    Ok(times)
}
