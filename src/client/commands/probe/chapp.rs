//! The probe of the door chapp: see chapp(7).

use std::time::Instant;

use crossbeam_channel::after;
use getopts::Matches;
use serde_json::{Value, json};

use super::Plan;
use super::report::{Outcome, Report, Told};
use crate::chapp::client::{Event, Settings, Verdict};
use crate::chapp::message::Message;
use crate::chapp::name::Name;
use crate::client::chat::{Chat, Next};
use crate::client::commands::chapp;
use crate::client::error::Error;
use crate::client::net;
use crate::client::server::unix_time;
use crate::wire::text::Printable;

pub(super) fn run(matches: &Matches, plan: Plan) -> Result<(), Error> {
    let name = match chapp::own_name(matches)? {
        Some(name) => name,
        None => made_up(&plan.server)?,
    };
    let Plan { server, timeout, format } = plan;
    let mut report = Report::new(format, "chapp", &server);
    // Every step is asked for once: whoever probes wants to know of it.
    let settings = Settings { patience: timeout, attempts: 1, post_patience: timeout };
    let chat = Chat::new(server, settings, Some(name.clone()));
    let (step, began) = ("connect", Instant::now());
    let mut dialogue = Dialogue { chat, name, report: &mut report, settings, step, began };
    let ended = dialogue.converse();
    let told = match &ended {
        Err(error) if !error.is_broken_pipe() => {
            dialogue.tell(Outcome::Failed, Told::new(super::reason(error), Value::Null))
        }
        _ => Ok(()),
    };
    told.and(report.end(ended.as_ref().err()))?;
    ended
}

/// A name that does not change from probe to probe, for a server keeps it, and each address may have only so many.
fn made_up(server: &str) -> Result<Name, Error> {
    let name = net::source(server).map_or_else(|_| "probe".to_owned(), |address| format!("probe-{address}"));
    Name::parse(name).map_err(|error| Error::Unfit(error.to_string()))
}

/// A conversation with a server.
struct Dialogue<'a> {
    chat: Chat,
    /// Who we want to be.
    name: Name,
    report: &'a mut Report,
    settings: Settings,
    /// Where we are,
    step: &'static str,
    /// and since when.
    began: Instant,
}

impl Dialogue<'_> {
    fn converse(&mut self) -> Result<(), Error> {
        let address = self.chat.open()?.map(|address| address.to_string()).unwrap_or_default();
        self.tell(Outcome::Done, Told::new(address.clone(), json!({"address": address})))?;
        self.get_in()?;
        self.post()?;
        self.begin("goodbye");
        self.chat.goodbye();
        loop {
            match self.next()? {
                Event::Left => return self.tell(Outcome::Done, Told::default()),
                // Somebody writes to us.
                Event::Delivered(_) => {}
                event => return Err(self.unexpected(&event)),
            }
        }
    }

    /// As whoever it knows, or else introduces itself.
    fn get_in(&mut self) -> Result<(), Error> {
        self.begin("ask");
        let name = self.name.clone();
        let shown = Printable(name.as_str());
        let facts = |is_known: bool| json!({"name": name.as_str(), "known": is_known});
        match self.next()? {
            Event::Entered { messages, .. } => {
                let about = format!("{shown} is known; {}", chapp::count(&messages));
                self.tell(Outcome::Done, Told::new(about, facts(true)))?;
                for step in ["introduce", "enter"] {
                    self.begin(step);
                    self.tell(Outcome::Skipped, Told::new("we are in", Value::Null))?;
                }
                return Ok(());
            }
            Event::NotKnown => {
                self.tell(Outcome::Done, Told::new(format!("{shown} is not known yet"), facts(false)))?;
            }
            event => return Err(self.unexpected(&event)),
        }
        self.begin("introduce");
        match self.next()? {
            Event::Introduced(_) => {
                let about = format!("we may be {shown}");
                self.tell(Outcome::Done, Told::new(about, json!({"name": name.as_str()})))?;
            }
            event => return Err(self.unexpected(&event)),
        }
        self.begin("enter");
        match self.next()? {
            Event::Entered { messages, .. } => {
                let facts = json!({"name": name.as_str(), "messages": messages.len()});
                self.tell(Outcome::Done, Told::new(chapp::count(&messages), facts))
            }
            event => Err(self.unexpected(&event)),
        }
    }

    /// Writes to itself, and gets that.
    fn post(&mut self) -> Result<(), Error> {
        self.begin("post");
        // All that a server has to quote, and one character that it must leave alone.
        let text = format!("probe {}: \"quoted\", \\ and\n\ta new line, é", unix_time());
        let name = self.name.clone();
        self.chat.post(&name, &text).map_err(|error| Error::Unfit(error.to_string()))?;
        let is_ours = |message: &Message| *message.text == *text && message.from == name;
        let mut is_delivered = false;
        loop {
            match self.next()? {
                Event::Delivered(message) => is_delivered |= is_ours(&message),
                Event::Posted { message, .. } if is_ours(&message) => {
                    let about = format!("kept at {}", Printable(&message.timestamp));
                    self.tell(Outcome::Done, Told::new(about, json!({"timestamp": message.timestamp})))?;
                    break;
                }
                event => return Err(self.unexpected(&event)),
            }
        }
        self.begin("delivery");
        while !is_delivered {
            match self.next()? {
                Event::Delivered(message) => is_delivered = is_ours(&message),
                event => return Err(self.unexpected(&event)),
            }
        }
        self.tell(Outcome::Done, Told::default())
    }

    /// What happens next, but for what we know and what changes nothing.
    fn next(&mut self) -> Result<Event, Error> {
        let until = self.began + self.settings.patience;
        loop {
            let timer = after(until.saturating_duration_since(Instant::now()));
            match self.chat.next(&timer) {
                Ok(Next::Event(Event::Asked { .. } | Event::Late { .. } | Event::Complaint(_))) => {}
                Ok(Next::Event(event)) => return Ok(event),
                Ok(Next::Other(_) | Next::EndOfOther) => return Err(self.overdue()),
                Err(Error::Unreachable { .. }) if self.chat.is_connected() => return Err(self.overdue()),
                Err(Error::Unreachable { .. }) => return Err(self.stuck(self.chat.trouble())),
                Err(Error::Garbled { why, .. }) => return Err(self.stuck(why)),
                Err(error) => return Err(error),
            }
        }
    }

    /// What an event that should not come here means.
    fn unexpected(&self, event: &Event) -> Error {
        let rejected = |reason| Error::Rejected { who: self.chat.server().to_owned(), reason };
        match event {
            Event::NameRefused(name) => {
                let name = Printable(name.as_str());
                rejected(format!(
                    "the name {name} is not to be had (301 INVALID_USERNAME); --name takes another"
                ))
            }
            Event::NotPosted { verdict, .. } => rejected(Verdict::to_string(verdict)),
            Event::PostUnknown { .. } if self.chat.is_connected() => self.overdue(),
            Event::PostUnknown { .. } | Event::Lost { .. } => self.stuck(self.chat.trouble()),
            Event::OtherName { name, .. } => self.stuck(format!("it calls us {}", Printable(name.as_str()))),
            Event::Posted { .. } => self.stuck("it keeps something else than was posted"),
            event => {
                self.stuck(format!("that is not expected here: {}", chapp::step(&self.chat, event).about))
            }
        }
    }

    fn begin(&mut self, step: &'static str) {
        (self.step, self.began) = (step, Instant::now());
    }

    fn tell(&mut self, outcome: Outcome, told: Told) -> Result<(), Error> {
        self.report.step(self.step, outcome, self.began.elapsed(), told)
    }

    fn overdue(&self) -> Error {
        self.stuck(format!("no reply came within {} s", self.settings.patience.as_secs_f64()))
    }

    fn stuck(&self, why: impl Into<String>) -> Error {
        Error::Stuck { who: self.chat.server().to_owned(), step: self.step, why: why.into() }
    }
}
