//! Posting: how many messages a second are stored, delivered and acknowledged, and what one costs the server.
//!
//! The floor stores the same bytes in a database of its own, in the same directory and the same run, and does nothing
//! else: as many messages in one commit as there are clients, which is as many as can be waiting for one at a time.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use redb::{Database, TableDefinition};
use support::Size;
use support::chapp::{Posters, Sum, kept};
use support::measure::{median, nanoseconds_each, own_processor_time, per_second};
use support::process::Process;

/// The engines, as the table calls them.
const ENGINES: [(&str, &[&str]); 2] =
    [("events", &["--engine", "events"]), ("threads", &["--engine", "threads"])];

fn main() -> ExitCode {
    support::main("post", run)
}

fn run(size: Size) -> io::Result<()> {
    println!("clients  server            posts/s  us each   posts/s to floor  us to floor");
    let mut checksum = 0_u64;
    // Nobody may post more than 10,000 messages a day.
    for &(clients, each) in size.pick(&[(1, 10), (5, 4)][..], &[(1, 1_000), (50, 200), (500, 40)]) {
        let place = tempfile::tempdir()?;
        let mut floor = Floor::new(place.path(), clients)?;
        let mut servers = ENGINES
            .iter()
            .map(|engine| Server::start(place.path(), engine, clients))
            .collect::<Result<Vec<_>, _>>()?;
        // The first round is for everybody to warm up.
        for round in 0..size.pick(2, 6) {
            let floor_measured = floor.round(each)?;
            for server in &mut servers {
                let measured = server.round(each)?;
                if round > 0 {
                    server.measured.push(measured);
                }
            }
            if round > 0 {
                floor.measured.push(floor_measured);
            }
        }
        print_row(clients, "bare commits", &floor.measured, &floor.measured);
        for server in servers {
            print_row(clients, &server.process.label, &server.measured, &floor.measured);
            checksum = checksum.wrapping_add(server.posters.delivered.sum);
        }
    }
    println!("checksum {checksum:016x}");
    Ok(())
}

/// How one round went.
struct Measured {
    /// Messages a second.
    rate: f64,
    /// Nanoseconds of processor time for each.
    cost: f64,
}

/// A daemon and its clients.
struct Server {
    process: Process,
    posters: Posters,
    measured: Vec<Measured>,
}

impl Server {
    fn start(place: &Path, (label, engine): &(&str, &[&str]), clients: usize) -> io::Result<Self> {
        let data = place.join(label);
        let data = data.to_str().ok_or_else(|| support::wrong("a path that is not UTF-8"))?;
        let options = [*engine, &["--chapp", "127.0.0.1:0", "--data", data]].concat();
        let process = Process::daemon(label, &options)?;
        let posters = Posters::introduce(process.doors[1], clients)?;
        Ok(Self { process, posters, measured: Vec::new() })
    }

    fn round(&mut self, each: u64) -> io::Result<Measured> {
        let before = self.posters.delivered;
        let (used, began) = (self.process.processor_time()?, Instant::now());
        let Sum { count, sum } = self.posters.post(each)?;
        let took = began.elapsed();
        let used = self.process.processor_time()?.saturating_sub(used);
        let wanted = Sum { count: before.count + count, sum: before.sum.wrapping_add(sum) };
        if self.posters.delivered != wanted {
            return Err(support::wrong(format!(
                "{:?} was delivered, not {wanted:?}",
                self.posters.delivered
            )));
        }
        Ok(Measured { rate: per_second(count, took), cost: nanoseconds_each(used, count) })
    }
}

/// A database in which messages are stored, so many in a commit.
struct Floor {
    database: Database,
    clients: usize,
    stored: u64,
    measured: Vec<Measured>,
}

impl Floor {
    const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("messages");

    fn new(place: &Path, clients: usize) -> io::Result<Self> {
        let database = Database::create(place.join("floor")).map_err(io::Error::other)?;
        Ok(Self { database, clients, stored: 0, measured: Vec::new() })
    }

    fn round(&mut self, each: u64) -> io::Result<Measured> {
        let (used, began) = (own_processor_time()?, Instant::now());
        for number in 0..each {
            self.commit(number).map_err(io::Error::other)?;
        }
        let count = each * self.clients as u64;
        let used = own_processor_time()?.saturating_sub(used);
        Ok(Measured { rate: per_second(count, began.elapsed()), cost: nanoseconds_each(used, count) })
    }

    /// A message from each client.
    fn commit(&mut self, number: u64) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut table = transaction.open_table(Self::TABLE)?;
        for client in 0..self.clients {
            let message = kept(client, number, (client + 1) % self.clients);
            let key = [&b"poster-000\0"[..], &self.stored.to_be_bytes()].concat();
            table.insert(&key[..], message.as_bytes())?;
            self.stored += 1;
        }
        drop(table);
        Ok(transaction.commit()?)
    }
}

fn print_row(clients: usize, label: &str, own: &[Measured], floor: &[Measured]) {
    let of = |value: fn(&Measured) -> f64| {
        let ratios: Vec<_> = own.iter().zip(floor).map(|(own, floor)| value(own) / value(floor)).collect();
        (median(&own.iter().map(value).collect::<Vec<_>>()), median(&ratios))
    };
    let ((rate, rate_ratio), (cost, cost_ratio)) = (of(|round| round.rate), of(|round| round.cost / 1000.0));
    println!("{clients:7}  {label:16} {rate:8.0} {cost:8.1} {rate_ratio:18.2} {cost_ratio:12.2}");
}
