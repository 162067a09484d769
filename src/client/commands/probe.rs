//! `rollcall probe`: shakes hands with a server as its clients do, and tells how each step goes.

mod fmltp;
mod report;

use std::ffi::OsString;
use std::time::Duration;

use getopts::{Matches, Options};

use super::line::{self, Asked, Parsed};
use super::screen::Colours;
use crate::client::error::Error;
use crate::client::net;
use crate::fmltp::users::Name;
use crate::fmltp::version::Greeting;
use crate::wire::text::Printable;
use fmltp::Plan;
use report::{Format, Report};

const BRIEF: &str = "Usage: rollcall probe fmltp [OPTION]... SERVER\n\
    Shake hands with SERVER as a FlexMusic client does, and tell how each step goes and how long it takes.\n\
    SERVER is HOST or HOST:PORT, the port being 8900 if it is left out.\n\
    Exit status: 0 fine, 1 a step failed, 3 rejected, 5 unreachable.";
/// Where an FmLTP server listens unless it is told otherwise.
const FMLTP_PORT: u16 = 8900;
/// A little more than what a server gives us for a step.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    options
        .optopt(
            "",
            "user",
            "log in as USER; the password is asked for, or is a line of standard input",
            "USER",
        )
        .optopt("", "name", "what to say of ourselves (default FlexMusic,0.0.0)", "NAME,x.y.z")
        .optopt("", "timeout", "how long a step may take, 0.1 to 3600 (default 10)", "SECS")
        .optflag("", "json", "print one JSON object in place of the lines");
    let matches = match line::parse(options, arguments, 2, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    match matches.free.first().map(String::as_str) {
        Some("fmltp") => {}
        Some(other) => {
            let other = Printable(other);
            return Err(Error::Usage(format!("\"{other}\" is no door that can be probed; write fmltp")));
        }
        None => return Err(Error::Usage("the door has to be given: fmltp".to_owned())),
    }
    let plan = plan(&matches)?;
    let format = if matches.opt_present("json") { Format::Json } else { Format::Lines(Colours::of_stdout()) };
    let mut report = Report::new(format, "fmltp", &plan.server);
    let ended = fmltp::probe(&plan, &mut report);
    report.end(ended.as_ref().err())?;
    ended.map(|()| Asked::Done)
}

fn plan(matches: &Matches) -> Result<Plan, Error> {
    let Some(server) = matches.free.get(1) else {
        return Err(Error::Usage("SERVER has to be given, as HOST or HOST:PORT".to_owned()));
    };
    let server = net::place(server, Some(FMLTP_PORT))?;
    let user = matches.opt_str("user").map(|user| {
        Name::parse(&user).map_err(|error| Error::Usage(format!("{error}, not \"{}\"", Printable(&user))))
    });
    let greeting = matches.opt_str("name").map(|name| {
        Greeting::parse(&name).map_err(|error| {
            Error::Usage(format!("--name takes NAME,x.y.z, not \"{}\": {error}", Printable(&name)))
        })
    });
    let timeout = line::seconds(matches, "timeout", TIMEOUT)?;
    Ok(Plan { server, user: user.transpose()?, greeting: greeting.transpose()?.unwrap_or_default(), timeout })
}
