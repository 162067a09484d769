//! Logging by Residue: how many items a second are taken, and what one costs the server.
//!
//! There are two floors, in this process and in the same run. One writes the same lines and does nothing else: a write for
//! each packet. The other opens the same packets and makes the lines of them by the same code that the server has, and writes
//! those: what is left is sockets, threads, and the memory of what was seen.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rollcall::residue::cipher::{Inflated, Key, KeySize, inflate};
use rollcall::residue::envelope::{self, Envelope};
use rollcall::residue::item::{self, Limits, LineFormat};
use rollcall::residue::packet::DELIMITER;
use rollcall::residue::request::{self, LogItem};
use support::Size;
use support::measure::{median, nanoseconds_each, own_processor_time, per_second};
use support::process::Process;
use support::residue::{self, Guest, Visitor, Wire};

/// How many clients log at the same time.
const CLIENTS: usize = 8;
/// How many packets of each are under way.
const DEPTH: usize = 16;

/// The engines, as the table calls them.
const ENGINES: [(&str, &[&str]); 2] =
    [("events", &["--engine", "events"]), ("threads", &["--engine", "threads"])];

/// How items are sent.
#[derive(Debug, Clone, Copy)]
struct Load {
    label: &'static str,
    /// So many in a packet.
    bulk: usize,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Compressed,
}

const LOADS: [Load; 4] = [
    Load { label: "single", bulk: 1, form: Form::Plain },
    Load { label: "single, compressed", bulk: 1, form: Form::Compressed },
    Load { label: "bulk of 40", bulk: 40, form: Form::Plain },
    Load { label: "bulk of 40, compressed", bulk: 40, form: Form::Compressed },
];

fn main() -> ExitCode {
    support::main("log", run)
}

fn run(size: Size) -> io::Result<()> {
    println!(
        "load                    server             items/s  us each  items/s to write  us to write  us to open and write"
    );
    let mut checksum = 0_u64;
    for load in LOADS {
        checksum = checksum.wrapping_add(measure(load, size)?);
    }
    println!("checksum {checksum:016x}");
    Ok(())
}

/// All rounds of a load. Returns a sum over the lines, which are the same in all files.
fn measure(load: Load, size: Size) -> io::Result<u64> {
    let place = tempfile::tempdir()?;
    let pair = residue::fresh_pair()?;
    let visitor = Visitor { pair, managed: None };
    let mut write = Floor::new(place.path().join("write.log"))?;
    let mut open = Floor::new(place.path().join("open.log"))?;
    let mut servers = ENGINES
        .iter()
        .map(|(label, engine)| Server::start(place.path(), label, engine, &visitor))
        .collect::<io::Result<Vec<_>>>()?;
    let packets = size.pick(2, 32_000 / CLIENTS / load.bulk / DEPTH) * DEPTH;
    // The first round is for everybody to warm up.
    for round in 0..size.pick(2, 6) {
        let texts = texts(load, round, packets * CLIENTS)?;
        let mut measured = vec![write.writes(load, &lines(&texts)?)?, open.opens(load, &texts)?];
        for server in &mut servers {
            measured.push(server.round(load, &texts)?);
        }
        if round > 0 {
            let rounds = [&mut write.measured, &mut open.measured].into_iter();
            let rounds = rounds.chain(servers.iter_mut().map(|server| &mut server.measured));
            rounds.zip(measured).for_each(|(rounds, measured)| rounds.push(measured));
        }
    }
    let floors = [&write.measured[..], &open.measured];
    print_row(load, "bare write", &write.measured, floors);
    print_row(load, "open and write", &open.measured, floors);
    let sum = sum(&write.path)?;
    for server in &servers {
        print_row(load, &server.process.label, &server.measured, floors);
    }
    for path in servers.iter().map(|server| &server.log).chain([&open.path]) {
        if self::sum(path)? != sum {
            return Err(support::wrong(format!("other lines stand in {}", path.display())));
        }
    }
    Ok(sum)
}

/// How one round went.
struct Measured {
    /// Items a second.
    rate: f64,
    /// Nanoseconds of processor time for each.
    cost: f64,
}

/// What packets say, as JSON or compressed.
fn texts(load: Load, round: u32, count: usize) -> io::Result<Vec<Vec<u8>>> {
    let text = |packet: usize| {
        let mut text = Vec::new();
        for number in 0..load.bulk {
            text.push(if number == 0 { b'[' } else { b',' });
            put_item(&mut text, round, packet * load.bulk + number);
        }
        text.push(b']');
        if load.bulk == 1 {
            text.pop();
            text.remove(0);
        }
        match load.form {
            Form::Plain => Ok(text),
            Form::Compressed => compress(&text),
        }
    };
    (0..count).map(text).collect()
}

/// An item of some hundred bytes, as programs log them.
fn put_item(out: &mut Vec<u8>, round: u32, number: usize) {
    let message = format!("request {number} of round {round} was served from the cache in 12 ms, 4711 bytes");
    let item = LogItem {
        datetime: 1_795_283_647_034,
        logger: "bench",
        message: &message,
        level: 128,
        application: "com.example.bench",
        token: None,
    };
    request::put_item(out, residue::now(), &item);
}

fn compress(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    Ok(STANDARD.encode(encoder.finish()?).into_bytes())
}

/// The lines of what a packet says.
fn lines_of(text: &[u8]) -> io::Result<Vec<u8>> {
    let inflated = inflate(text);
    let text = match &inflated {
        Inflated::Plain => text,
        Inflated::Text(text) => text,
        Inflated::TooLong => return Err(support::wrong("it inflates to too much")),
    };
    let items = item::parse(text, &Limits { bulk: Some(item::BULK_LIMIT), freshness: None });
    let mut lines = Vec::new();
    for item in items.map_err(|error| support::wrong(error.to_string()))?.valid {
        item::put_line(&mut lines, &item, LineFormat::Text);
    }
    Ok(lines)
}

fn lines(texts: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    texts.iter().map(|text| lines_of(text)).collect()
}

/// A sum over the lines of a file, in whatever order.
fn sum(path: &Path) -> io::Result<u64> {
    let text = fs::read(path)?;
    let hash = |line: &[u8]| {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        hasher.finish()
    };
    Ok(text.split(|byte| *byte == b'\n').map(hash).fold(0, u64::wrapping_add))
}

/// What a server cannot be better than.
struct Floor {
    path: PathBuf,
    file: File,
    guest: Guest,
    measured: Vec<Measured>,
}

impl Floor {
    fn new(path: PathBuf) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(&path)?;
        let key = Key::fresh(KeySize::Bits256).map_err(io::Error::other)?;
        Ok(Self { path, file, guest: Guest { id: "floor".into(), key }, measured: Vec::new() })
    }

    /// Writes lines, those of a packet at a time.
    fn writes(&mut self, load: Load, lines: &[Vec<u8>]) -> io::Result<Measured> {
        let (used, began) = (own_processor_time()?, Instant::now());
        lines.iter().try_for_each(|lines| self.file.write_all(lines))?;
        Self::measured(load, lines.len(), used, began)
    }

    /// Opens packets, and writes their lines.
    fn opens(&mut self, load: Load, texts: &[Vec<u8>]) -> io::Result<Measured> {
        let packets = seal_each(&self.guest, texts)?;
        let (used, began) = (own_processor_time()?, Instant::now());
        for packet in &packets {
            let Envelope::Aes(sealed) = envelope::read(packet.strip_suffix(DELIMITER).unwrap_or(packet))
            else {
                return Err(support::wrong("it is not sealed"));
            };
            let opened = self.guest.key.open(&sealed).map_err(|error| support::wrong(error.to_string()))?;
            self.file.write_all(&lines_of(&opened.plain)?)?;
        }
        Self::measured(load, texts.len(), used, began)
    }

    fn measured(
        load: Load,
        packets: usize,
        used: std::time::Duration,
        began: Instant,
    ) -> io::Result<Measured> {
        let took = began.elapsed();
        let count = (packets * load.bulk) as u64;
        let cost = nanoseconds_each(own_processor_time()?.saturating_sub(used), count);
        Ok(Measured { rate: per_second(count, took), cost })
    }
}

fn seal_each(guest: &Guest, texts: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    let seal = |text: &Vec<u8>| {
        let mut packet = Vec::new();
        guest.seal(&mut packet, text).map(|()| packet)
    };
    texts.iter().map(seal).collect()
}

/// A daemon and its clients.
struct Server {
    process: Process,
    log: PathBuf,
    clients: Vec<(Guest, Wire)>,
    measured: Vec<Measured>,
}

impl Server {
    fn start(place: &Path, label: &str, engine: &[&str], visitor: &Visitor) -> io::Result<Self> {
        let logs = place.join(label);
        let path = logs.to_str().ok_or_else(|| support::wrong("a path that is not UTF-8"))?;
        let options = [engine, &residue::OPEN, &["--residue-logs", path]].concat();
        let process = Process::daemon(label, &options)?;
        let client = |_| {
            let guest = Guest::established(process.doors[1], visitor)?;
            Ok((guest, Wire::connect(process.doors[3])?))
        };
        let clients = (0..CLIENTS).map(client).collect::<io::Result<_>>()?;
        Ok(Self { process, log: logs.join("bench.log"), clients, measured: Vec::new() })
    }

    /// Has each client send its share, so many packets at a time.
    fn round(&mut self, load: Load, texts: &[Vec<u8>]) -> io::Result<Measured> {
        let share = texts.len() / CLIENTS;
        let mut turns = Vec::new();
        for ((guest, _), texts) in self.clients.iter().zip(texts.chunks(share)) {
            let packets = seal_each(guest, texts)?;
            turns.push(packets.chunks(DEPTH).map(<[_]>::concat).collect::<Vec<_>>());
        }
        let (used, began) = (self.process.processor_time()?, Instant::now());
        for turn in 0..share / DEPTH {
            for ((_, wire), turns) in self.clients.iter_mut().zip(&turns) {
                wire.send(&turns[turn])?;
            }
            for (_, wire) in &mut self.clients {
                wire.expect_taken(DEPTH)?;
            }
        }
        let took = began.elapsed();
        let used = self.process.processor_time()?.saturating_sub(used);
        let count = (texts.len() * load.bulk) as u64;
        Ok(Measured { rate: per_second(count, took), cost: nanoseconds_each(used, count) })
    }
}

fn print_row(load: Load, label: &str, own: &[Measured], [write, open]: [&[Measured]; 2]) {
    let of = |value: fn(&Measured) -> f64| median(&own.iter().map(value).collect::<Vec<_>>());
    let to = |floor: &[Measured], value: fn(&Measured) -> f64| {
        median(&own.iter().zip(floor).map(|(own, floor)| value(own) / value(floor)).collect::<Vec<_>>())
    };
    println!(
        "{:23} {label:16} {:9.0} {:8.2} {:17.3} {:12.1} {:21.2}",
        load.label,
        of(|round| round.rate),
        of(|round| round.cost) / 1000.0,
        to(write, |round| round.rate),
        to(write, |round| round.cost),
        to(open, |round| round.cost),
    );
}
