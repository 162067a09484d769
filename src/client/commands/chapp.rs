//! What the commands of the door chapp have in common: their options, and how they tell what happens.

use std::time::Instant;

use getopts::{Matches, Options};
use serde_json::{Value, json};

use super::screen::{self, Colours, Style};
use super::{json, line};
use crate::chapp::client::{Errand, Event, Settings};
use crate::chapp::message::Message;
use crate::chapp::name::Name;
use crate::client::chat::Chat;
use crate::client::clock::LocalTime;
use crate::client::error::Error;
use crate::client::net::{self, CHAPP_PORT};
use crate::wire::text::Printable;

/// Where the server is unless anything says otherwise.
const DEFAULT_SERVER: &str = "127.0.0.1:6969";
/// The most attempts that can be asked for.
const ATTEMPTS: usize = 1000;

/// How things are told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// In words.
    Lines(Colours),
    /// A JSON object a line.
    Json,
}

impl Format {
    pub(super) fn of(matches: &Matches) -> Self {
        if matches.opt_present("json") { Self::Json } else { Self::Lines(Colours::of_stdout()) }
    }
}

/// Adds the options that all of them take.
pub(super) fn options(options: &mut Options) {
    options
        .optopt("", "timeout", "how long to wait for a reply, 0.1 to 3600 (default 2)", "SECS")
        .optopt("", "attempts", "how often to ask or to connect in all, 1 to 1000 (default 5)", "N")
        .optflag("", "json", "print a JSON object a line");
}

/// Adds the option that [`own_name`] reads.
pub(super) fn name_option(options: &mut Options) {
    let text = "who to be; without it that is the name that was introduced last from this address";
    options.optopt("", "name", text, "NAME");
}

/// The client that the command line describes. It wants to be `name`.
pub(super) fn chat(matches: &Matches, server: Option<&String>, name: Option<Name>) -> Result<Chat, Error> {
    let default = Settings::default();
    let attempts = usize::try_from(default.attempts).unwrap_or(ATTEMPTS);
    let attempts = line::number(matches, "attempts", 1..=ATTEMPTS, attempts)?;
    let settings = Settings {
        patience: line::seconds(matches, "timeout", default.patience)?,
        attempts: u32::try_from(attempts).unwrap_or(default.attempts),
        ..default
    };
    let server = net::place(server.map_or(DEFAULT_SERVER, String::as_str), Some(CHAPP_PORT))?;
    Ok(Chat::new(server, settings, name))
}

/// The name that was typed where `what` has to stand.
pub(super) fn name(what: &str, typed: Option<&String>) -> Result<Name, Error> {
    let Some(typed) = typed else {
        return Err(Error::Usage(format!("{what} has to be given")));
    };
    Name::parse(typed)
        .map_err(|error| Error::Usage(format!("{what} cannot be \"{}\": {error}", Printable(typed))))
}

/// The name after `--name`.
pub(super) fn own_name(matches: &Matches) -> Result<Option<Name>, Error> {
    matches.opt_str("name").map(|typed| name("NAME", Some(&typed))).transpose()
}

/// The error of an event after which there is no name to go on with, if this is one.
pub(super) fn nameless(chat: &Chat, event: &Event) -> Option<Error> {
    let reason = match (event, chat.name()) {
        (Event::NameRefused(name), _) => {
            format!("the name {} is not to be had (301 INVALID_USERNAME)", Printable(name.as_str()))
        }
        (Event::NotKnown, None) => {
            "it knows no name of this address (305 CLIENT_NOT_FOUND); introduce one".to_owned()
        }
        _ => return None,
    };
    Some(Error::Rejected { who: chat.server().to_owned(), reason })
}

/// Tells what happens to somebody who did not ask for it: what goes wrong, on standard error, or, as JSON, all.
pub(super) fn mention(format: Format, chat: &Chat, event: &Event) -> Result<(), Error> {
    if let Format::Json = format {
        return object(chat, event);
    }
    match event {
        Event::Entered { name, .. } => {
            screen::note(format_args!("in the chat of {} as {}", chat.server(), Printable(name.as_str())));
        }
        Event::Lost { .. } | Event::Complaint(_) => {
            let Step { label, about, .. } = step(chat, event);
            screen::note(format_args!("{label}: {about}"));
        }
        Event::Asked { attempt: 2.., .. } => {
            screen::note(format_args!("asking again: {}", step(chat, event).about));
        }
        _ => {}
    }
    Ok(())
}

/// A step on the way into the chat, as a line of words.
pub(super) struct Step {
    /// What is asked or answered, in one word.
    pub(super) label: String,
    pub(super) style: Style,
    /// What it is about, printable.
    pub(super) about: String,
}

/// What an event is in words.
pub(super) fn step(chat: &Chat, event: &Event) -> Step {
    let shown = |name: &Name| Printable(name.as_str()).to_string();
    let wanted = || chat.name().map_or_else(|| "whoever it knows us as".to_owned(), shown);
    let (label, style, about) = match event {
        Event::Asked { errand, attempt, .. } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            (errand.action().word().to_owned(), Style::Name, format!("as {}{again}", wanted()))
        }
        Event::NotKnown => {
            ("305".to_owned(), Style::Dim, format!("{} is not known at this address", wanted()))
        }
        Event::OtherName { name, .. } => {
            ("100".to_owned(), Style::Bad, format!("as {}, who is not {}", shown(name), wanted()))
        }
        Event::NameRefused(name) => {
            ("301".to_owned(), Style::Bad, format!("{} is somebody else, or no name", shown(name)))
        }
        Event::Introduced(name) => ("100".to_owned(), Style::Good, format!("we may be {}", shown(name))),
        Event::Entered { name, messages } => {
            ("100".to_owned(), Style::Good, format!("in the chat as {}; {}", shown(name), count(messages)))
        }
        Event::Posted { id, .. } => ("100".to_owned(), Style::Good, format!("message {id} is kept")),
        Event::NotPosted { verdict, .. } | Event::Complaint(verdict) => {
            let reason = verdict.reason.as_deref().unwrap_or_default();
            (verdict.status.to_string(), Style::Bad, Printable(reason).to_string())
        }
        Event::PostUnknown { id } => {
            ("lost".to_owned(), Style::Bad, format!("message {id}, or the reply to it"))
        }
        Event::Delivered(message) => {
            ("POST".to_owned(), Style::Name, format!("from {}", shown(&message.from)))
        }
        Event::Late { about } => {
            ("late".to_owned(), Style::Dim, format!("a reply to request {about}, ignored"))
        }
        Event::Lost { attempt, at } => {
            let wait = at.saturating_duration_since(Instant::now()).as_secs_f64();
            ("lost".to_owned(), Style::Bad, format!("{}; attempt {attempt} in {wait:.1} s", chat.trouble()))
        }
        Event::Left => ("100".to_owned(), Style::Good, "we have left".to_owned()),
        // It is told as an error.
        Event::GaveUp(_) => ("lost".to_owned(), Style::Bad, chat.trouble()),
    };
    Step { label, style, about }
}

/// How many messages came before.
pub(super) fn count(messages: &[Message]) -> String {
    match messages.len() {
        0 => "no messages so far".to_owned(),
        1 => "1 message so far".to_owned(),
        count => format!("{count} messages so far"),
    }
}

/// Prints an event as an object. Of a list of messages only their number is told.
pub(super) fn object(chat: &Chat, event: &Event) -> Result<(), Error> {
    let time = LocalTime::now();
    let print = |name: &str, facts: Value| screen::line(&json::event(name, &time, facts).to_string());
    let request = |errand: &Errand| errand.action().word();
    match event {
        Event::Asked { errand, id, attempt } => {
            print("asked", json!({"request": request(errand), "id": id, "attempt": attempt}))
        }
        Event::NotKnown => print("unknown", Value::Null),
        Event::OtherName { errand, name } => {
            print("other", json!({"request": request(errand), "name": name.as_str()}))
        }
        Event::NameRefused(name) => print("refused", json!({"name": name.as_str()})),
        Event::Introduced(name) => print("introduced", json!({"name": name.as_str()})),
        Event::Entered { name, messages } => {
            print("entered", json!({"name": name.as_str(), "messages": messages.len()}))
        }
        Event::Delivered(message) => print("delivered", facts(message)),
        Event::Posted { id, message } => {
            let mut facts = facts(message);
            facts["id"] = (*id).into();
            print("posted", facts)
        }
        Event::NotPosted { id, verdict } => {
            print("failed", json!({"id": id, "status": verdict.status, "reason": verdict.reason}))
        }
        Event::PostUnknown { id } => print("unsure", json!({"id": id})),
        Event::Late { about } => print("late", json!({"id": about})),
        Event::Complaint(verdict) => {
            print("complaint", json!({"status": verdict.status, "reason": verdict.reason}))
        }
        Event::Lost { attempt, at } => {
            let wait = at.saturating_duration_since(Instant::now()).as_secs_f64();
            print("lost", json!({"about": chat.trouble(), "attempt": attempt, "wait": wait}))
        }
        Event::Left => print("left", Value::Null),
        Event::GaveUp(_) => Ok(()),
    }
}

/// A message as the members of an object.
pub(super) fn facts(message: &Message) -> Value {
    json!({
        "timestamp": message.timestamp,
        "from": message.from.as_str(),
        "to": message.to.as_str(),
        "message": message.text,
    })
}
