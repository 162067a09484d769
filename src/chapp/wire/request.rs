//! Requests: what clients say, with the judgement of a server ("Statuses") and the emitters of a client.

use std::collections::BTreeSet;
use std::fmt;

use super::{
    Action, ActionLine, REQUEST_LIMIT, SEPARATOR, Status, field, lines, number, put_action, put_field,
    put_id, separator,
};
use crate::chapp::name::Name;

/// A request that has nothing wrong with it in itself. Names are as they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Does the server know this client ("Connect")?
    Connect {
        /// The request's ID.
        id: u64,
        /// The name that it wants, if it wants a certain one.
        username: Option<&'a str>,
    },
    /// May it have a name ("Introduce")?
    Introduce {
        /// The request's ID.
        id: u64,
        /// The name.
        from: &'a str,
    },
    /// A message ("Post").
    Post {
        /// The request's ID.
        id: u64,
        /// Whom it says that it is from.
        from: &'a str,
        /// Whom it is for.
        to: &'a str,
        /// What it says.
        message: &'a str,
    },
    /// It leaves the chat ("Goodbye").
    Goodbye {
        /// The request's ID.
        id: u64,
        /// Who it says that leaves.
        from: &'a str,
    },
    /// An acknowledgement, which is ignored whatever else is in it.
    Response,
}

/// Why a text is no request: one of the statuses from 200 to 205.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub status: Status,
    /// The offset of the line that is wrong, or the length of the text where something is missing.
    pub at: usize,
    /// The ID of the request, wherever there is one that can be read.
    pub about: Option<u64>,
}

/// What is wrong with a text, and where: a [`Complaint`] that was not asked for the ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    status: Status,
    at: usize,
}

impl Flaw {
    fn new(status: Status, at: usize) -> Self {
        Self { status, at }
    }

    /// The complaint about the text that was judged, which is looked through for its ID.
    pub fn complain(self, text: &[u8]) -> Complaint {
        if text.len() > REQUEST_LIMIT {
            return Complaint::too_long(text);
        }
        Complaint { status: self.status, at: self.at, about: readable_id(text) }
    }
}

impl Complaint {
    /// About a text of which `read` is what was read, and which is longer than it may be. A line that may be
    /// cut is not asked for the ID.
    pub fn too_long(read: &[u8]) -> Self {
        let read = &read[..read.len().min(REQUEST_LIMIT)];
        let whole_lines = read.windows(SEPARATOR.len()).rposition(|pair| pair == SEPARATOR).unwrap_or(0);
        let about = readable_id(&read[..whole_lines]);
        Self { status: Status::UnparsableField, at: REQUEST_LIMIT, about }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (byte {})", self.status.code(), self.status.reason(), self.at)
    }
}

impl<'a> Request<'a> {
    /// Judges a text: its action line, its fields from left to right, its action, what it has to have.
    pub fn parse(text: &'a [u8]) -> Result<Self, Complaint> {
        Self::judge(text).map_err(|flaw| flaw.complain(text))
    }

    /// Judges a text of which it is not known whether there will be a complaint about it.
    pub fn judge(text: &'a [u8]) -> Result<Self, Flaw> {
        if text.len() > REQUEST_LIMIT {
            return Err(Flaw::new(Status::UnparsableField, REQUEST_LIMIT));
        }
        let mut lines = lines(text);
        let line = lines.next().and_then(|(_, line)| ActionLine::parse(line));
        let ActionLine { word, from, to } = line.ok_or(Flaw::new(Status::UnparsableAction, 0))?;
        let action = Action::of(word);
        if action == Some(Action::Response) {
            return Ok(Self::Response);
        }
        let Fields { id, message, username } = Fields::read(lines)?;
        let action = action.ok_or(Flaw::new(Status::InvalidAction, 0))?;
        if action == Action::Post && message.is_none() {
            return Err(Flaw::new(Status::MissingRequiredField, text.len()));
        }
        let id = id.ok_or(Flaw::new(Status::MalformedIdLine, text.len()))?;
        Ok(match (action, message) {
            (Action::Connect, _) => Self::Connect { id, username },
            (Action::Introduce, _) => Self::Introduce { id, from },
            (Action::Post, message) => Self::Post { id, from, to, message: message.unwrap_or_default() },
            (Action::Goodbye, _) => Self::Goodbye { id, from },
            (Action::Response, _) => Self::Response,
        })
    }
}

/// The fields that requests are asked for.
#[derive(Default)]
struct Fields<'a> {
    id: Option<u64>,
    message: Option<&'a str>,
    username: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(lines: impl Iterator<Item = (usize, &'a [u8])>) -> Result<Self, Flaw> {
        let mut fields = Self::default();
        let mut names = BTreeSet::new();
        for (at, line) in lines {
            let (name, value) = field(line).ok_or(Flaw::new(Status::UnparsableField, at))?;
            let name = name.to_ascii_lowercase();
            let no_number = Flaw::new(Status::UnparsableField, at);
            if names.contains(&name) {
                return Err(Flaw::new(Status::DuplicateField, at));
            }
            match name.as_str() {
                "id" => fields.id = Some(number(value).ok_or(no_number)?),
                "for" | "status" => drop(number(value).ok_or(no_number)?),
                "message" => fields.message = Some(value),
                "username" => fields.username = Some(value),
                _ => {}
            }
            names.insert(name);
        }
        Ok(fields)
    }
}

/// The first line of a text that is an ID, wherever it stands and whatever else is wrong.
fn readable_id(text: &[u8]) -> Option<u64> {
    let ids = lines(text).filter_map(|(_, line)| field(line));
    ids.filter(|(name, _)| name.eq_ignore_ascii_case("id")).find_map(|(_, value)| number(value))
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsendable {
    /// It holds a backslash and a line feed behind it at this offset, which would end it.
    Separator(usize),
    /// It is longer by so many bytes than a request has room for.
    TooLong(usize),
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separator(at) => {
                write!(f, "a message cannot hold a backslash before a line feed, which there is at byte {at}")
            }
            Self::TooLong(by) => write!(f, "the message is longer by {by} bytes than a request has room for"),
        }
    }
}

impl std::error::Error for Unsendable {}

/// Appends a question whether the server knows this client, and, if there is a `username`, as that.
pub fn put_connect(out: &mut Vec<u8>, id: u64, username: Option<&Name>) {
    put_action(out, Action::Connect, "", SERVER);
    put_id(out, id);
    username.into_iter().for_each(|username| put_field(out, "username", username.as_bytes()));
    out.extend_from_slice(SEPARATOR);
}

/// Appends a question whether this client may be `from`.
pub fn put_introduce(out: &mut Vec<u8>, id: u64, from: &Name) {
    put_action(out, Action::Introduce, from.as_str(), SERVER);
    put_id(out, id);
    out.extend_from_slice(SEPARATOR);
}

/// Appends a message, or nothing if it cannot be sent. White space at its front gets lost on the way.
pub fn put_post(out: &mut Vec<u8>, id: u64, from: &Name, to: &Name, message: &str) -> Result<(), Unsendable> {
    if let Some(at) = separator(message.as_bytes(), 0) {
        return Err(Unsendable::Separator(at));
    }
    let start = out.len();
    put_action(out, Action::Post, from.as_str(), to.as_str());
    put_id(out, id);
    put_field(out, "message", message);
    let excess = (out.len() - start - SEPARATOR.len()).saturating_sub(REQUEST_LIMIT);
    if excess > 0 {
        out.truncate(start);
        return Err(Unsendable::TooLong(excess));
    }
    out.extend_from_slice(SEPARATOR);
    Ok(())
}

/// Appends that `from` leaves the chat.
pub fn put_goodbye(out: &mut Vec<u8>, id: u64, from: &Name) {
    put_action(out, Action::Goodbye, from.as_str(), SERVER);
    put_id(out, id);
    out.extend_from_slice(SEPARATOR);
}

/// Who requests are for that are for nobody else.
const SERVER: &str = "server";

#[cfg(test)]
mod tests;
