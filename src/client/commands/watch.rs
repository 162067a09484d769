//! `rollcall watch`: who comes and goes, until interrupted.

use std::ffi::OsString;
use std::time::Duration;

use getopts::Options;
use serde_json::{Value, json};

use super::line::{self, Asked, Parsed};
use super::screen::{self, Colours, Style};
use super::{json, names};
use crate::client::clock::LocalTime;
use crate::client::error::Error;
use crate::client::presence::{News, Presence, PresenceOptions, WhenLost};
use crate::client::roll::Change;
use crate::lekt::wire::Object;

const BRIEF: &str = "Usage: rollcall watch [OPTION]... [SERVER]\n\
    Tell who comes to the roll of SERVER and who leaves it, a line each, until interrupted.\n\
    Those who are there already come first. A server that is lost is tried again by itself.";
/// News is what this is for: ask for it more often than a client has to.
const INTERVAL: Duration = Duration::from_secs(2);

/// How events are written.
#[derive(Debug, Clone, Copy)]
enum Format {
    Lines(Colours),
    Json,
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    options.optflag("", "json", "print a JSON object a line");
    line::interval_option(&mut options, "2");
    let matches = match line::parse(options, arguments, 1, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let server = line::server(matches.free.first())?;
    let heartbeat = line::interval(&matches, INTERVAL)?;
    let format = if matches.opt_present("json") { Format::Json } else { Format::Lines(Colours::of_stdout()) };
    let options = PresenceOptions { heartbeat, when_lost: WhenLost::Reconnect, ..PresenceOptions::default() };
    let presence = Presence::join(&server, options)?;
    for news in presence.news() {
        if let (Format::Lines(_), News::Complete) = (format, &news) {
            screen::note(format_args!("watching the roll of {server}"));
        }
        if let Some(line) = format.tell(&news, &LocalTime::now()) {
            screen::line(&line)?;
        }
    }
    Ok(Asked::Done)
}

impl Format {
    /// The line of one piece of news; some is none for the user.
    fn tell(self, news: &News, time: &LocalTime) -> Option<String> {
        match (self, Told::of(news)) {
            // Standard error says it.
            (Self::Lines(_), _) if matches!(news, News::Complete) => None,
            (Self::Json, Told { name, client: Some(client), .. }) => {
                Some(json::event(name, time, json::client(client)).to_string())
            }
            (Self::Json, Told { name, about, .. }) => {
                let about = if about.is_empty() { Value::Null } else { json!({"about": about}) };
                Some(json::event(name, time, about).to_string())
            }
            (Self::Lines(colours), Told { name, style, client, about }) => {
                let about = client.map_or(about, names::place);
                let name = colours.paint(style, format_args!("{name:<9}"));
                Some(format!("{} {name} {about}", colours.paint(Style::Dim, time)).trim_end().to_owned())
            }
        }
    }
}

/// One event as both formats tell it.
struct Told<'a> {
    name: &'static str,
    style: Style,
    client: Option<&'a Object>,
    about: String,
}

impl<'a> Told<'a> {
    fn of(news: &'a News) -> Self {
        let (name, style, client, about) = match news {
            News::Roll(Change::Present(client)) => ("present", Style::Name, Some(client), String::new()),
            News::Roll(Change::Arrived(client)) => ("arrived", Style::Good, Some(client), String::new()),
            News::Roll(Change::Departed(client)) => ("departed", Style::Bad, Some(client), String::new()),
            News::Lost(error) => ("lost", Style::Bad, None, error.to_string()),
            News::Retrying(wait) => {
                let about = format!("trying again in {:.1} s", wait.as_secs_f64());
                ("retrying", Style::Dim, None, about)
            }
            News::Rejoined => ("rejoined", Style::Good, None, String::new()),
            News::Complete => ("complete", Style::Dim, None, String::new()),
        };
        Self { name, style, client, about }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_in_the_manual() {
        let client = Object { address: [127, 0, 0, 9].into(), methods: vec![] };
        let manual = include_str!("../../../man/rollcall.1");
        let (_, events) = manual.split_once(".Ql event :\n").unwrap();
        let (events, _) = events.split_once(".El\n").unwrap();
        for news in [
            News::Roll(Change::Present(client.clone())),
            News::Roll(Change::Arrived(client.clone())),
            News::Roll(Change::Departed(client)),
            News::Complete,
            News::Lost(Error::Declined),
            News::Retrying(INTERVAL),
            News::Rejoined,
        ] {
            let name = Told::of(&news).name;
            let mut names = events.lines().filter_map(|line| line.strip_prefix(".It Li "));
            assert!(names.any(|names| names.split(" , ").any(|listed| listed == name)), "{name}");
        }
    }
}
