//! `rollcall post`: sends the lines of standard input to somebody at a chapp server.

use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, never};
use getopts::Options;

use super::chapp::{self, Format};
use super::line::{self, Asked, Parsed};
use crate::chapp::client::Event;
use crate::chapp::name::Name;
use crate::chapp::wire::REQUEST_LIMIT;
use crate::chapp::wire::request::Unsendable;
use crate::client::chat::{Chat, Next};
use crate::client::error::Error;

const BRIEF: &str = "Usage: rollcall post [OPTION]... TO [SERVER]\n\
    Send each line of standard input as a message to TO, who need not be there, at the chapp server SERVER.\n\
    SERVER is HOST or HOST:PORT, the port being 6969 if it is left out; without one it is 127.0.0.1:6969.\n\
    The first message that is not taken ends it; a message whose reply is lost is not sent again.\n\
    Exit status: 0 all are kept, 1 failed, 3 rejected, 5 unreachable.";

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    chapp::name_option(&mut options);
    chapp::options(&mut options);
    let matches = match line::parse(options, arguments, 2, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let to = chapp::name("TO", matches.free.first())?;
    let chat = chapp::chat(&matches, matches.free.get(1), chapp::own_name(&matches)?)?;
    let posting = Posting { chat, format: Format::of(&matches), to, state: State::Outside, number: 0 };
    posting.run(&lines()?).map(|()| Asked::Done)
}

/// Lines on their way.
struct Posting {
    chat: Chat,
    format: Format,
    to: Name,
    state: State,
    /// How many lines were read.
    number: u64,
}

/// Whether another line can be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// We are not in the chat.
    Outside,
    /// It can.
    Ready,
    /// The last one is out.
    Waiting,
}

impl Posting {
    fn run(mut self, lines: &Receiver<Result<String, Error>>) -> Result<(), Error> {
        let nothing = never();
        loop {
            let lines = if self.state == State::Ready { lines } else { &nothing };
            match self.chat.next(lines)? {
                Next::Other(line) => self.post(&line?)?,
                Next::EndOfOther => return Ok(()),
                Next::Event(event) => {
                    chapp::mention(self.format, &self.chat, &event)?;
                    self.see_to(event)?;
                }
            }
        }
    }

    fn post(&mut self, line: &str) -> Result<(), Error> {
        self.number += 1;
        let sent = self.chat.post(&self.to, line);
        let sent = sent.map_err(|error| Error::Unfit(format!("line {}: {}", self.number, unfit(error))))?;
        if sent.is_none() {
            return Err(Error::lost(self.chat.server(), format_args!("line {} was not sent", self.number)));
        }
        self.state = State::Waiting;
        Ok(())
    }

    fn see_to(&mut self, event: Event) -> Result<(), Error> {
        if let Some(error) = chapp::nameless(&self.chat, &event) {
            return Err(error);
        }
        let who = || self.chat.server().to_owned();
        match event {
            Event::Entered { .. } | Event::Posted { .. } => self.state = State::Ready,
            Event::Lost { .. } => self.state = State::Outside,
            Event::NotPosted { verdict, .. } => {
                let reason = format!("line {} is not taken: {verdict}", self.number);
                return Err(Error::Rejected { who: who(), reason });
            }
            Event::PostUnknown { .. } => {
                return Err(Error::Unsure { who: who(), what: format!("line {}", self.number) });
            }
            _ => {}
        }
        Ok(())
    }
}

fn unfit(error: Unsendable) -> String {
    match error {
        // How much too long is not known of a line that was not read to its end.
        Unsendable::TooLong(_) => {
            format!("too long; a message has room in {REQUEST_LIMIT} bytes, with some for who it is for")
        }
        Unsendable::Separator(_) => error.to_string(),
    }
}

/// Reads the lines of standard input, each when it is asked for.
fn lines() -> Result<Receiver<Result<String, Error>>, Error> {
    let (tell, lines) = bounded(0);
    // Reading cannot be broken off, so it is done where nobody waits for it.
    let spawned =
        thread::Builder::new().name("stdin".to_owned()).spawn(move || read_lines(io::stdin().lock(), &tell));
    spawned.map_err(|cause| Error::local("start a thread", cause))?;
    Ok(lines)
}

fn read_lines(mut input: impl BufRead, tell: &Sender<Result<String, Error>>) {
    let mut number = 0;
    loop {
        number += 1;
        let Some(line) = read_line(&mut input, number).transpose() else { return };
        let is_last = line.is_err();
        if tell.send(line).is_err() || is_last {
            return;
        }
    }
}

/// A line without its end, or as much of it as is too much for a message; none at the end of the input.
fn read_line(input: &mut impl BufRead, number: u64) -> Result<Option<String>, Error> {
    let mut line = Vec::new();
    let most = u64::try_from(REQUEST_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    let count = input.take(most).read_until(b'\n', &mut line);
    if count.map_err(|cause| Error::local("read standard input", cause))? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.len() > REQUEST_LIMIT {
        // It may be cut within a character, and does not fit anyhow.
        return Ok(Some("x".repeat(line.len())));
    }
    String::from_utf8(line).map(Some).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::Unfit(format!("line {number}: not UTF-8 (byte {at}); only that is taken"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_message_as_it_stands() {
        let mut input = &b"one\n\n two \r\nends in \\\nno newline"[..];
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input, 1).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", " two \r", "ends in \\", "no newline"]);
    }

    #[test]
    fn a_line_that_is_no_message_is_told_with_its_number() {
        let error = read_line(&mut &b"ab\xff\n"[..], 7).unwrap_err();
        assert_eq!(error.to_string(), "line 7: not UTF-8 (byte 2); only that is taken");
        let long = "é".repeat(100_000);
        let line = read_line(&mut long.as_bytes(), 1).unwrap().unwrap();
        assert_eq!(line.len(), REQUEST_LIMIT + 1, "it is read no further than has to be known");
    }
}
