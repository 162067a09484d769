//! `rollcall introduce`: gets a name at a chapp server, and shows how.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Read};

use getopts::Options;

use super::chapp::{self, Format, Step};
use super::line::{self, Asked, Parsed};
use super::screen;
use crate::chapp::client::Event;
use crate::chapp::name::Name;
use crate::client::chat::Chat;
use crate::client::error::Error;
use crate::wire::text::Printable;

const BRIEF: &str = "Usage: rollcall introduce [OPTION]... NAME [SERVER]\n\
    Get the name NAME at the chapp server SERVER, and show each step of it.\n\
    SERVER is HOST or HOST:PORT, the port being 6969 if it is left out; without one it is 127.0.0.1:6969.\n\
    Exit status: 0 it is ours, 3 it is not to be had, 5 unreachable.";
/// A line that is longer than this is no name.
const LINE_LIMIT: u64 = 1024;

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    chapp::options(&mut options);
    let matches = match line::parse(options, arguments, 2, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let name = chapp::name("NAME", matches.free.first())?;
    let mut chat = chapp::chat(&matches, matches.free.get(1), Some(name))?;
    let format = Format::of(&matches);
    loop {
        let event = chat.event()?;
        tell(format, &chat, &event)?;
        match event {
            Event::Entered { .. } => return Ok(Asked::Done),
            Event::NameRefused(_) => match another_name()? {
                Some(name) => chat.rename(name),
                None => return chapp::nameless(&chat, &event).map_or(Ok(Asked::Done), Err),
            },
            _ => {}
        }
    }
}

fn tell(format: Format, chat: &Chat, event: &Event) -> Result<(), Error> {
    let Format::Lines(colours) = format else { return chapp::object(chat, event) };
    let Step { label, style, about } = chapp::step(chat, event);
    screen::line(format!("{} {about}", colours.paint(style, format_args!("{label:<9}"))).trim_end())
}

/// Asks whoever sits at the terminal for another name; none if nobody does, or wants to.
fn another_name() -> Result<Option<Name>, Error> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    loop {
        screen::note(format_args!("Another name, or an empty line to leave it:"));
        let mut typed = Vec::new();
        let read = io::stdin().lock().take(LINE_LIMIT).read_until(b'\n', &mut typed);
        read.map_err(|cause| Error::local("read standard input", cause))?;
        let typed = typed.trim_ascii();
        if typed.is_empty() {
            return Ok(None);
        }
        match Name::parse(typed) {
            Ok(name) => return Ok(Some(name)),
            Err(error) => {
                let typed = String::from_utf8_lossy(typed);
                screen::note(format_args!("it cannot be \"{}\": {error}", Printable(&typed)));
            }
        }
    }
}
