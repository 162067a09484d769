//! `rollcall inbox`: what came to us at a chapp server, and what comes.

mod seen;

use std::ffi::OsString;

use getopts::Options;

use super::chapp::{self, Format};
use super::json;
use super::line::{self, Asked, Parsed};
use super::screen::{self, Colours, Style};
use crate::chapp::client::Event;
use crate::chapp::message::Message;
use crate::client::clock::LocalTime;
use crate::client::error::Error;
use crate::wire::text::Printable;
use seen::Seen;

const BRIEF: &str = "Usage: rollcall inbox [OPTION]... [SERVER]\n\
    Show the messages that came to us at the chapp server SERVER, and those that come, until interrupted.\n\
    SERVER is HOST or HOST:PORT, the port being 6969 if it is left out; without one it is 127.0.0.1:6969.\n\
    A connection that is lost is made again by itself.\n\
    Exit status: 0 fine, 1 failed, 3 rejected, 5 unreachable.";

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    options.optflag("", "once", "end after the messages that came before");
    chapp::name_option(&mut options);
    chapp::options(&mut options);
    let matches = match line::parse(options, arguments, 1, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let mut chat = chapp::chat(&matches, matches.free.first(), chapp::own_name(&matches)?)?;
    let format = Format::of(&matches);
    let mut seen = Seen::default();
    loop {
        let event = chat.event()?;
        chapp::mention(format, &chat, &event)?;
        if let Some(error) = chapp::nameless(&chat, &event) {
            return Err(error);
        }
        match event {
            Event::Entered { messages, .. } => {
                for message in seen.news(&messages) {
                    show(format, message, Came::Before)?;
                }
                if matches.opt_present("once") {
                    return Ok(Asked::Done);
                }
            }
            Event::Delivered(message) => {
                show(format, &message, Came::Now)?;
                seen.note(&message);
            }
            _ => {}
        }
    }
}

/// When a message has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// While we were away.
    Before,
    /// Just now.
    Now,
}

fn show(format: Format, message: &Message, came: Came) -> Result<(), Error> {
    match (format, came) {
        (Format::Lines(colours), _) => lines(colours, message).iter().try_for_each(|line| screen::line(line)),
        (Format::Json, Came::Before) => {
            screen::line(&json::event("listed", &LocalTime::now(), chapp::facts(message)).to_string())
        }
        // It is told as an event already.
        (Format::Json, Came::Now) => Ok(()),
    }
}

/// A line of a message each, with whose it is in front of each, so that nobody can put words in another's mouth.
fn lines(colours: Colours, message: &Message) -> Vec<String> {
    let time = colours.paint(Style::Dim, Printable(&message.timestamp));
    let from = colours.paint(Style::Name, Printable(message.from.as_str()));
    let lines = message.text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.map(|line| format!("{time} {from}: {}", Printable(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chapp::name::Name;

    #[test]
    fn nothing_in_a_message_can_act_on_the_terminal_or_pass_for_another() {
        let message = Message {
            timestamp: "2026-11-21\u{1b}".into(),
            text: "hi\u{1b}[2J\r\n2026-11-21 06:59:13 eve: \u{202e}hello\u{9b}".into(),
            from: Name::parse("bob\u{202e}").unwrap(),
            to: Name::parse("ann").unwrap(),
        };
        let expected = [
            r"2026-11-21\u{1B} bob\u{202E}: hi\u{1B}[2J",
            r"2026-11-21\u{1B} bob\u{202E}: 2026-11-21 06:59:13 eve: \u{202E}hello\u{9B}",
        ];
        assert_eq!(lines(Colours::Off, &message), expected);
    }
}
