//! `rollcall probe`: shakes hands with a server as its clients do, and tells how each step goes.

#[cfg(feature = "chapp")]
mod chapp;
#[cfg(feature = "fmltp")]
mod fmltp;
mod report;
#[cfg(feature = "residue")]
mod residue;

use std::ffi::OsString;
use std::time::Duration;

use getopts::{Matches, Options};

use super::line::{self, Asked, Parsed};
use super::screen::Colours;
use crate::client::error::Error;
use crate::client::net;
use crate::wire::text::Printable;
use report::Format;

const BRIEF: &str = "Usage: rollcall probe DOOR [OPTION]... SERVER\n\
    Shake hands with SERVER as a client of DOOR does, and tell how each step goes and how long it takes.\n\
    SERVER is HOST or HOST:PORT, the port being the usual one of DOOR if it is left out.\n\
    Exit status: 0 fine, 1 a step failed, 3 rejected, 5 unreachable.";
/// A little more than what a server gives us for a step.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A door that can be probed.
struct Door {
    name: &'static str,
    /// Where a server listens unless it is told otherwise.
    port: u16,
    /// The options that not every door has.
    options: &'static [&'static str],
    run: fn(&Matches, Plan) -> Result<(), Error>,
}

/// What is the same for all doors.
#[derive(Debug)]
struct Plan {
    /// `HOST:PORT`.
    server: String,
    /// How long each step may take.
    timeout: Duration,
    format: Format,
}

const DOORS: &[Door] = &[
    #[cfg(feature = "fmltp")]
    Door { name: "fmltp", port: fmltp::PORT, options: &["name", "user"], run: fmltp::run },
    #[cfg(feature = "chapp")]
    Door { name: "chapp", port: net::CHAPP_PORT, options: &["name"], run: chapp::run },
    #[cfg(feature = "residue")]
    Door { name: "residue", port: residue::PORT, options: residue::OPTIONS, run: residue::run },
];

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let names = names();
    let ports: Vec<_> = DOORS.iter().map(|door| format!("{} for {}", door.port, door.name)).collect();
    let brief = format!("{BRIEF}\nDOOR is {names}; the port is {}.", ports.join(", "));
    let matches = match line::parse(options(), arguments, 2, &brief)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let Some(typed) = matches.free.first() else {
        return Err(Error::Usage(format!("the door has to be given: {names}")));
    };
    let Some(door) = DOORS.iter().find(|door| door.name == typed) else {
        let typed = Printable(typed);
        return Err(Error::Usage(format!("\"{typed}\" is no door that can be probed; write {names}")));
    };
    let Some(server) = matches.free.get(1) else {
        return Err(Error::Usage("SERVER has to be given, as HOST or HOST:PORT".to_owned()));
    };
    let server = net::place(server, Some(door.port))?;
    if let Some((option, other)) = foreign(&matches, door) {
        return Err(Error::Usage(format!("--{option} is for the door {other}")));
    }
    let timeout = line::seconds(&matches, "timeout", TIMEOUT)?;
    let format = if matches.opt_present("json") { Format::Json } else { Format::Lines(Colours::of_stdout()) };
    (door.run)(&matches, Plan { server, timeout, format }).map(|()| Asked::Done)
}

/// All doors, as one says them.
fn names() -> String {
    let names: Vec<_> = DOORS.iter().map(|door| door.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// An option that is given and is for another door, and that door.
fn foreign(matches: &Matches, door: &Door) -> Option<(&'static str, &'static str)> {
    let others = DOORS.iter().flat_map(|other| other.options.iter().map(|option| (*option, other.name)));
    let mut foreign = others.filter(|(option, _)| !door.options.contains(option));
    foreign.find(|(option, _)| matches.opt_present(option))
}

fn options() -> Options {
    let mut options = Options::new();
    #[cfg(feature = "fmltp")]
    options.optopt(
        "",
        "user",
        "fmltp: log in as USER; the password is asked for, or is a line of standard input",
        "USER",
    );
    #[cfg(feature = "residue")]
    residue::options(&mut options);
    let name =
        "what to say of ourselves (default for fmltp FlexMusic,0.0.0, for chapp probe- and our address)";
    options
        .optopt("", "name", name, "NAME")
        .optopt("", "timeout", "how long a step may take, 0.1 to 3600 (default 10)", "SECS")
        .optflag("", "json", "print one JSON object in place of the lines");
    options
}

/// The words of a failed step, without where it failed.
fn reason(error: &Error) -> String {
    match error {
        Error::Stuck { why, .. } => why.clone(),
        Error::Rejected { reason, .. } => format!("rejected: {}", Printable(reason)),
        other => other.to_string(),
    }
}
