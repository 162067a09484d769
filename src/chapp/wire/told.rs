//! What a server says: replies and deliveries, with the emitters of a server and the parser of a client.
//!
//! ```text
//!     RESPONSE TAB server->NAME  ID:n  for: f  status: 100                              GOODBYE
//!     RESPONSE TAB server->NAME  ID:n  for: f  status: 100  username: U  messages: [M, M]   CONNECT, INTRODUCE
//!     RESPONSE TAB server->NAME  ID:n  for: f  status: 100  message: M                      POST
//!     RESPONSE TAB server->NAME  ID:n  for: f  status: s  reason: R                     all that fails
//!     POST TAB FROM->TO          ID:k  id: k  message: M                                a delivery
//! ```
//!
//! Each line ends in a separator, and nothing but the fields says where a message ends.

use std::fmt;

use super::frame::Line;
use super::{
    Action, ActionLine, SEPARATOR, Status, field, lines, number, put_action, put_field, put_id, separator,
};
use crate::chapp::message::{Message, MessageError};
use crate::chapp::name::{Name, NameError};

/// The most bytes of one message that a client takes.
pub const TOLD_LIMIT: usize = 2 << 20;

/// Who replies come from.
const SERVER: &str = "server";
/// Who replies go to that go to a connection without a name.
const NOBODY: &str = "unknown";

/// What a reply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The connection now has this name: 100.
    Named {
        /// The name.
        username: &'a Name,
        /// The messages to it: `[M, M]`.
        messages: &'a [u8],
    },
    /// A message is kept: 100.
    Kept {
        /// M.
        message: &'a [u8],
    },
    /// All is well, and that is all: 100.
    Done,
    /// Anything but a success.
    Failed(Status),
}

/// Appends a reply with this ID to the request `about` ("Replies").
pub fn put_reply(out: &mut Vec<u8>, id: u64, to: Option<&Name>, about: Option<u64>, outcome: Outcome<'_>) {
    put_action(out, Action::Response, SERVER, to.map_or(NOBODY, Name::as_str));
    put_id(out, id);
    put_field(out, "for", about.map_or_else(|| "-1".to_owned(), |about| about.to_string()));
    let status = if let Outcome::Failed(status) = outcome { status } else { Status::Success };
    put_field(out, "status", status.code().to_string());
    match outcome {
        Outcome::Named { username, messages } => {
            put_field(out, "username", username.as_bytes());
            put_field(out, "messages", messages);
        }
        Outcome::Kept { message } => put_field(out, "message", message),
        Outcome::Done => {}
        Outcome::Failed(status) => put_field(out, "reason", status.reason()),
    }
}

/// Appends the delivery of a message `message`, M, whose sender gave it this ID ("Deliveries").
pub fn put_delivery(out: &mut Vec<u8>, from: &Name, to: &Name, id: u64, message: &[u8]) {
    put_action(out, Action::Post, from.as_str(), to.as_str());
    put_id(out, id);
    put_field(out, "id", id.to_string());
    put_field(out, "message", message);
}

/// What the front of some bytes of a server's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A whole message of so many bytes.
    Whole(usize),
    /// So many bytes, which are a message unless more of it follows.
    Perhaps(usize),
    /// It is not whole. No end has to be looked for in the first so many bytes again.
    Open(usize),
    /// It has more than [`TOLD_LIMIT`] bytes.
    TooLong,
}

/// Looks at the front of `bytes`, in whose first `searched` bytes ([`Heard::Open`]) no end is to be found. A
/// message ends behind a field that comes last, or before the next action line.
pub fn hear(bytes: &[u8], searched: usize) -> Heard {
    let mut start = searched;
    while let Some(end) = separator(bytes, start) {
        let next = end + SEPARATOR.len();
        let last = field(&bytes[start..end]).is_some_and(|(name, _)| LAST.contains(&name));
        let heard = match Line::behind(&bytes[next..]) {
            _ if last => Heard::Whole(next),
            Line::Action => Heard::Whole(next),
            Line::Undecided if next == bytes.len() => Heard::Perhaps(next),
            Line::Undecided => Heard::Open(start),
            Line::Field | Line::Empty => {
                start = next;
                continue;
            }
        };
        return if next > TOLD_LIMIT { Heard::TooLong } else { heard };
    }
    if bytes.len() > TOLD_LIMIT { Heard::TooLong } else { Heard::Open(start) }
}

/// Fields behind which nothing comes.
const LAST: [&str; 3] = ["reason", "messages", "message"];

/// A server's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What became of a request.
    Reply(Reply),
    /// A message for this client.
    Delivery(Delivery),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The name of the connection; none: `unknown`.
    pub to: Option<Name>,
    /// The reply's own ID.
    pub id: u64,
    /// The ID of the request; none: -1.
    pub about: Option<u64>,
    /// Its status, which need not be one of [`Status`].
    pub status: u16,
    /// Why, if it is not a success.
    pub reason: Option<Box<str>>,
    /// The name that the connection has now.
    pub username: Option<Name>,
    /// The messages to that name, oldest first.
    pub messages: Option<Vec<Message>>,
    /// What was kept of a message that was posted.
    pub message: Option<Message>,
}

/// A message for this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Who posted it.
    pub from: Name,
    /// Whom it is for.
    pub to: Name,
    /// The ID of the sender's request.
    pub id: u64,
    /// What is kept of it.
    pub message: Message,
}

/// Why bytes are no message of a server's, and at which offset from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// Offset of the line that is wrong, or of the end where one is missing.
    pub at: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a server's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The first line has not one TAB and one `->`.
    ActionLine,
    /// The action is none that a server sends.
    Action,
    /// A line is no field.
    Field,
    /// A field is there twice.
    Repeated,
    /// A number is none.
    Number,
    /// This field is missing.
    Missing(&'static str),
    /// A name is not valid.
    Name(NameError),
    /// A message in it is none.
    Message(MessageError),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::ActionLine => f.write_str("there is no action line"),
            Problem::Action => f.write_str("the action is none that a server sends"),
            Problem::Field => f.write_str("a line is no field"),
            Problem::Repeated => f.write_str("a field is there twice"),
            Problem::Number => f.write_str("a number is none"),
            Problem::Missing(name) => write!(f, "there is no {name}"),
            Problem::Name(error) => error.fmt(f),
            Problem::Message(error) => error.fmt(f),
        }?;
        write!(f, " (byte {})", self.at)
    }
}

impl std::error::Error for Malformed {}

impl Told {
    /// Reads a whole message, with or without the separator at its end.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = bytes.strip_suffix(SEPARATOR).unwrap_or(bytes);
        let wrong = |at, problem| Malformed { at, problem };
        let mut lines = lines(text);
        let line = lines.next().and_then(|(_, line)| ActionLine::parse(line));
        let ActionLine { word, from, to } = line.ok_or(wrong(0, Problem::ActionLine))?;
        let name = |text: &str| Name::parse(text).map_err(|error| wrong(0, Problem::Name(error)));
        let fields = Fields::read(lines)?;
        let missing = |field| wrong(text.len(), Problem::Missing(field));
        let id = fields.id.ok_or(missing("ID"))?;
        match Action::of(word) {
            Some(Action::Post) => Ok(Self::Delivery(Delivery {
                from: name(from)?,
                to: name(to)?,
                id,
                message: fields.message.ok_or(missing("message"))?,
            })),
            Some(Action::Response) => Ok(Self::Reply(Reply {
                to: if to == NOBODY { None } else { Some(name(to)?) },
                id,
                about: fields.about.ok_or(missing("for"))?,
                status: fields.status.ok_or(missing("status"))?,
                reason: fields.reason,
                username: fields.username,
                messages: fields.messages,
                message: fields.message,
            })),
            _ => Err(wrong(0, Problem::Action)),
        }
    }
}

/// The fields of a server's messages. Others are ignored.
#[derive(Default)]
struct Fields {
    id: Option<u64>,
    about: Option<Option<u64>>,
    status: Option<u16>,
    reason: Option<Box<str>>,
    username: Option<Name>,
    messages: Option<Vec<Message>>,
    message: Option<Message>,
}

impl Fields {
    fn read<'a>(lines: impl Iterator<Item = (usize, &'a [u8])>) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for (at, line) in lines {
            fields.take(line).map_err(|problem| Malformed { at, problem })?;
        }
        Ok(fields)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Problem> {
        let (name, value) = field(line).ok_or(Problem::Field)?;
        match name.to_ascii_lowercase().as_str() {
            "id" => {
                let id = number(value).ok_or(Problem::Number)?;
                // A delivery says it twice, once in capitals.
                if self.id.is_some_and(|before| before != id) {
                    return Err(Problem::Repeated);
                }
                self.id = Some(id);
                Ok(())
            }
            "for" => fill(&mut self.about, about(value)?),
            "status" => {
                let status = number(value).and_then(|status| u16::try_from(status).ok());
                fill(&mut self.status, status.ok_or(Problem::Number)?)
            }
            "reason" => fill(&mut self.reason, value.into()),
            "username" => fill(&mut self.username, Name::parse(value).map_err(Problem::Name)?),
            "messages" => fill(&mut self.messages, Message::parse_list(value).map_err(Problem::Message)?),
            "message" => fill(&mut self.message, Message::parse(value).map_err(Problem::Message)?),
            _ => Ok(()),
        }
    }
}

/// Which request a reply is for.
fn about(value: &str) -> Result<Option<u64>, Problem> {
    if value == "-1" { Ok(None) } else { number(value).map(Some).ok_or(Problem::Number) }
}

fn fill<T>(place: &mut Option<T>, value: T) -> Result<(), Problem> {
    if place.is_some() {
        return Err(Problem::Repeated);
    }
    *place = Some(value);
    Ok(())
}

#[cfg(test)]
mod tests;
