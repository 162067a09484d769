//! Handshakes of FmLTP and Residue: how many a second, what one costs the server, and how much of that is cryptography that
//! nobody can do without; and whether an idle heartbeat of somebody else notices a thousand of FmLTP, and of logins, that
//! are under way.
//!
//! The floor is that cryptography alone, in this process and in the same run: two exponentiations for FmLTP, an RSA
//! encryption for Residue, and a decryption where the hello comes encrypted.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rollcall::residue::pair::PrivateKey;
use support::Size;
use support::crowd::{Crowd, Truth};
use support::fmltp::{self, Client, Load};
use support::measure::{median, nanoseconds_each, own_processor_time, per_second, percentile};
use support::process::Process;
use support::residue::{self, Guest, Visitor, Wire};

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
    println!("server            Residue      handshakes/s   us each      us of it RSA   share");
    let hosts = Hosts::new()?;
    for (label, engine) in ENGINES {
        for hello in [Hello::Plain, Hello::Rsa] {
            visit(label, engine, &hosts, hello, size)?;
        }
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

/// How clients of Residue say hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hello {
    /// With their public key.
    Plain,
    /// Encrypted to the server's key, which knows theirs.
    Rsa,
}

/// The keys of Residue, and the files that the server finds them in.
struct Hosts {
    place: tempfile::TempDir,
    server: Arc<PrivateKey>,
    client: Arc<PrivateKey>,
}

impl Hosts {
    /// The one managed client.
    const MANAGED: &str = "managed";

    fn new() -> io::Result<Self> {
        let place = tempfile::tempdir()?;
        let (server, client) = (residue::fresh_pair()?, residue::fresh_pair()?);
        std::fs::create_dir(place.path().join("clients"))?;
        let private = server.to_pem().map_err(io::Error::other)?;
        std::fs::write(place.path().join("key"), private.as_bytes())?;
        std::fs::set_permissions(place.path().join("key"), Permissions::from_mode(0o600))?;
        let public = client.public_pem().map_err(io::Error::other)?;
        std::fs::write(place.path().join("clients").join(format!("{}.pem", Self::MANAGED)), public)?;
        Ok(Self { place, server, client })
    }

    fn text(&self, name: &str) -> io::Result<String> {
        let path = self.place.path().join(name).into_os_string();
        path.into_string().map_err(|_| support::wrong("a path that is not UTF-8"))
    }

    fn visitor(&self, hello: Hello) -> Visitor {
        let managed = match hello {
            Hello::Plain => None,
            Hello::Rsa => Some((Arc::new(self.server.public()), Self::MANAGED)),
        };
        Visitor { pair: Arc::clone(&self.client), managed }
    }

    /// What RSA alone takes the server.
    fn floor(&self, hello: Hello, count: u32) -> io::Result<Duration> {
        let encrypted = self.server.public().encrypt(&[b'x'; 50]).map_err(io::Error::other)?;
        let to = self.client.public();
        let began = own_processor_time()?;
        for _ in 0..count {
            if hello == Hello::Rsa {
                std::hint::black_box(self.server.decrypt(&encrypted));
            }
            std::hint::black_box(to.encrypt(&[b'x'; 124]).map_err(io::Error::other)?);
        }
        Ok((own_processor_time()? - began) / count.max(1))
    }
}

/// Has clients say hello and acknowledge as fast as it goes. What they do in between is their own affair: the clock stands.
fn visit(label: &str, engine: &[&str], hosts: &Hosts, hello: Hello, size: Size) -> io::Result<()> {
    let (key, clients) = (hosts.text("key")?, hosts.text("clients")?);
    let files = ["--residue-key", &key, "--residue-clients", &clients, "--residue-rsa-rate", "0"];
    let logs = hosts.text("logs")?;
    let options = [engine, &residue::OPEN, &files, &["--residue-logs", &logs]].concat();
    let server = Process::daemon(label, &options)?;
    let visitor = hosts.visitor(hello);
    let (mut cost, mut rate, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.pick(1, 5) {
        let each = size.pick(1_u32, 50);
        floor.push(nanoseconds_each(hosts.floor(hello, size.pick(2, 200))?, 1) / 1000.0);
        let count = u64::from(TOGETHER) * u64::from(each);
        let (used, mut took) = (server.processor_time()?, Duration::ZERO);
        let hellos = (0..count).map(|_| visitor.hello()).collect::<io::Result<Vec<_>>>()?;
        let began = Instant::now();
        let greeted = at_once(hellos, |hello| {
            let mut wire = Wire::connect(server.doors[1])?;
            let reply = wire.ask(&hello)?;
            Ok((wire, reply))
        })?;
        took += began.elapsed();
        let guests = greeted.into_iter().map(|(wire, reply)| {
            let guest = visitor.greeted(&reply)?;
            Ok((wire, guest.acknowledgement()?, guest))
        });
        let guests = guests.collect::<io::Result<Vec<_>>>()?;
        let began = Instant::now();
        let established = at_once(guests, |(mut wire, packet, guest): (Wire, Vec<u8>, Guest)| {
            let reply = wire.ask(&packet)?;
            Ok((reply, guest))
        })?;
        took += began.elapsed();
        cost.push(nanoseconds_each(server.processor_time()?.saturating_sub(used), count) / 1000.0);
        rate.push(per_second(count, took));
        established.iter().try_for_each(|(reply, guest)| guest.check_established(reply))?;
    }
    let [rate, cost, floor] = [&rate, &cost, &floor].map(|values| median(values));
    let name = if hello == Hello::Plain { "plain hello" } else { "RSA hello" };
    println!("{label:16}  {name:11} {rate:13.0} {cost:9.0} {floor:17.0} {:6.0} %", floor / cost * 100.0);
    Ok(())
}

/// Does something with each of `all`, a few at a time.
fn at_once<T: Send, U: Send>(
    all: Vec<T>,
    act: impl Fn(T) -> io::Result<U> + Copy + Send,
) -> io::Result<Vec<U>> {
    let mut shares: Vec<Vec<T>> = (0..TOGETHER).map(|_| Vec::new()).collect();
    let places = (0..TOGETHER as usize).cycle();
    all.into_iter().zip(places).for_each(|(one, place)| shares[place].push(one));
    thread::scope(|scope| {
        let share =
            |share: Vec<T>| scope.spawn(move || share.into_iter().map(act).collect::<io::Result<Vec<U>>>());
        let threads: Vec<_> = shares.into_iter().map(share).collect();
        let mut done = Vec::new();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|_| Err(support::wrong("a client panicked")))?);
        }
        Ok(done)
    })
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
