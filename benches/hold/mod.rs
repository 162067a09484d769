//! The rows, and the table that they make.

mod churn;
mod crash;
mod daemon;
mod descriptors;
mod ending;
mod garbage;
mod hangup;
mod openers;
mod pulse;
mod readers;
mod swarm;
mod visits;

use std::fs;
use std::io;
use std::process::ExitCode;

use crate::support::{Size, measure};

/// One row of the table: what is done to the daemon.
struct Row {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Stage) -> io::Result<()>,
}

/// All of them, in the order of the table.
const ROWS: &[Row] = &[
    Row { name: "garbage", what: "garbage held open at every door", run: garbage::run },
    Row { name: "openers", what: "slow openers beside healthy clients", run: openers::run },
    Row { name: "descriptors", what: "descriptors exhausted", run: descriptors::run },
    Row { name: "readers", what: "readers that never read", run: readers::run },
    Row { name: "crash", what: "kill -9 and restart", run: crash::run },
    Row { name: "ending", what: "TERM with everybody there", run: ending::run },
    Row { name: "hangup", what: "HUP again and again", run: hangup::run },
    Row { name: "churn", what: "clients come and go", run: churn::run },
    Row { name: "visits", what: "connects and closes", run: visits::run },
];

/// Which engine the daemon of a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Events,
    Threads,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Threads => "threads",
        }
    }
}

/// How a figure stands to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// It depends on what else the machine does.
    Missed,
    /// It depends on nothing else.
    Wrong,
    /// There is no bar.
    Told,
}

/// One line of the table.
struct Figure {
    row: &'static str,
    engine: Engine,
    what: String,
    figure: String,
    bar: String,
    verdict: Verdict,
    load: String,
}

/// Where a row is played.
pub(super) struct Stage {
    size: Size,
    engine: Engine,
    row: &'static Row,
    /// For how long clients come and go, where somebody says so.
    seconds: Option<u32>,
    figures: Vec<Figure>,
    /// A sum of the work that was done.
    checksum: u64,
}

impl Stage {
    /// A figure that a busy machine makes worse.
    fn holds(&mut self, what: &str, figure: impl Into<String>, bar: &str, ok: bool) {
        self.note(what, figure.into(), bar, if ok { Verdict::Ok } else { Verdict::Missed });
    }

    /// A figure that is right or wrong.
    fn exact(&mut self, what: &str, figure: impl Into<String>, bar: &str, ok: bool) {
        self.note(what, figure.into(), bar, if ok { Verdict::Ok } else { Verdict::Wrong });
    }

    /// A figure without a bar.
    fn tells(&mut self, what: &str, figure: impl Into<String>) {
        self.note(what, figure.into(), "", Verdict::Told);
    }

    /// Counts work that was done.
    fn sum(&mut self, work: u64) {
        self.checksum = self.checksum.rotate_left(5).wrapping_add(work);
    }

    fn note(&mut self, what: &str, figure: String, bar: &str, verdict: Verdict) {
        let (row, engine, load) = (self.row.name, self.engine, load());
        let figure = Figure { row, engine, what: what.into(), figure, bar: bar.into(), verdict, load };
        println!("{figure}");
        self.figures.push(figure);
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { row, engine, what, figure, bar, load, .. } = self;
        let (engine, verdict) = (engine.name(), self.verdict.name());
        write!(f, "{row:11} {engine:7} {what:46} {figure:34} {bar:28} {verdict:6} load {load}")
    }
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missed => "MISSED",
            Self::Wrong => "WRONG",
            Self::Told => "",
        }
    }
}

/// The load average of the last minute.
fn load() -> String {
    let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    all.split(' ').next().unwrap_or_default().to_owned()
}

/// What the command line asks for.
struct Wishes {
    size: Size,
    markdown: bool,
    seconds: Option<u32>,
    rows: Vec<&'static Row>,
    engines: Vec<Engine>,
}

impl Wishes {
    /// Cargo passes `--bench` under `cargo bench` alone. Words are rows; under `cargo test` they may be meant for others.
    fn read() -> Self {
        let (mut words, mut engines) = (Vec::new(), vec![Engine::Events, Engine::Threads]);
        let (mut size, mut markdown, mut seconds) = (Size::Small, false, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => size = Size::Full,
                "--small" => size = Size::Small,
                "--markdown" => markdown = true,
                "--seconds" => seconds = arguments.next().and_then(|number| number.parse().ok()),
                "--engine" => {
                    let name = arguments.next().unwrap_or_default();
                    engines.retain(|engine| engine.name() == name);
                }
                option if option.starts_with('-') => {}
                word => words.push(word.to_owned()),
            }
        }
        let is_meant = |row: &&Row| {
            words.is_empty() || words.iter().any(|word| word == row.name || "hold".contains(word.as_str()))
        };
        Self { size, markdown, seconds, rows: ROWS.iter().filter(is_meant).collect(), engines }
    }
}

/// Plays what the command line asks for.
pub(crate) fn main() -> ExitCode {
    let wishes = Wishes::read();
    if wishes.rows.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("hold ({:?}): {}", wishes.size, measure::machine());
    if let Err(error) = measure::allow_many_descriptors() {
        eprintln!("hold: {error}");
        return ExitCode::FAILURE;
    }
    let (mut figures, mut failed, mut checksum) = (Vec::new(), false, 0_u64);
    for row in wishes.rows {
        for &engine in &wishes.engines {
            let (size, seconds) = (wishes.size, wishes.seconds);
            let mut stage = Stage { size, engine, row, seconds, figures: Vec::new(), checksum: 0 };
            if let Err(error) = (row.run)(&mut stage) {
                stage.exact("played to its end", error.to_string(), "yes", false);
            }
            checksum = checksum.wrapping_add(stage.checksum);
            figures.append(&mut stage.figures);
        }
    }
    failed |= figures.iter().any(|figure| figure.verdict == Verdict::Wrong);
    if wishes.markdown {
        print_markdown(&figures);
    }
    println!("checksum {checksum:016x}");
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints the rows as `tests/RELIABILITY.md` has them.
fn print_markdown(figures: &[Figure]) {
    println!("\n| row | engine | figure | measured | bar | | load |\n|---|---|---|---|---|---|---|");
    for Figure { row, engine, what, figure, bar, verdict, load } in figures {
        let about = ROWS.iter().find(|known| known.name == *row).map_or(*row, |row| row.what);
        let (engine, verdict) = (engine.name(), verdict.name());
        println!("| {about} | {engine} | {what} | {figure} | {bar} | {verdict} | {load} |");
    }
}

/// What share of `time` was used, in percent.
fn percent(used: std::time::Duration, time: std::time::Duration) -> f64 {
    used.as_secs_f64() / time.as_secs_f64() * 100.0
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "it is printed with two digits")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
