//! What a client has to tell.

use std::fmt;
use std::time::Instant;

use crate::chapp::message::Message;
use crate::chapp::name::Name;
use crate::chapp::wire::told::{Malformed, Reply, TOLD_LIMIT};
use crate::chapp::wire::{Action, Status};

/// A request that may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Does the server know us?
    Connect,
    /// May we have this name?
    Introduce,
    /// We leave.
    Goodbye,
}

impl Errand {
    /// The action of the request.
    pub fn action(self) -> Action {
        match self {
            Self::Connect => Action::Connect,
            Self::Introduce => Action::Introduce,
            Self::Goodbye => Action::Goodbye,
        }
    }
}

/// What has happened. What servers say in it has to be made printable before it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request is sent.
    Asked {
        /// Which.
        errand: Errand,
        /// Its ID.
        id: u64,
        /// For the how manieth time, counted from 1; connections that failed count as well.
        attempt: u32,
    },
    /// The server knows no such client (305): we introduce ourselves, or, if we have no name, need one.
    NotKnown,
    /// The server calls us by another name than the wanted one.
    OtherName {
        /// What it was asked.
        errand: Errand,
        /// What it calls us.
        name: Name,
    },
    /// The server does not let us have the name (301): another one is needed.
    NameRefused(Name),
    /// The server lets us have the name.
    Introduced(Name),
    /// We are in the chat.
    Entered {
        /// Our name.
        name: Name,
        /// What came before, oldest first. All that comes from now on is told as [`Event::Delivered`].
        messages: Vec<Message>,
    },
    /// A message has come.
    Delivered(Message),
    /// Our message is kept.
    Posted {
        /// The ID of the request.
        id: u64,
        /// What is kept of it.
        message: Message,
    },
    /// Our message is not taken.
    NotPosted {
        /// The ID of the request.
        id: u64,
        /// Why.
        verdict: Verdict,
    },
    /// It is not known whether our message has arrived: there was no reply.
    PostUnknown {
        /// The ID of the request.
        id: u64,
    },
    /// The server has answered something that nobody waits for any more.
    Late {
        /// The ID of the request.
        about: u64,
    },
    /// The server complains about nothing that we could name.
    Complaint(Verdict),
    /// There is no connection any more, or none came about.
    Lost {
        /// The attempt that comes next,
        attempt: u32,
        /// and when it is due.
        at: Instant,
    },
    /// We have left the chat. Nothing follows.
    Left,
    /// It is over. Nothing follows.
    GaveUp(Why),
}

/// Why it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No attempt has led to a reply.
    Unreachable,
    /// The server agreed to the name [`ROUNDS`](super::ROUNDS) times, and did not stay with it.
    Unsettled,
    /// The server does not want to.
    Refused(Errand, Verdict),
    /// Another connection has become this client. It has to stay out, or the two would replace each other for ever.
    Replaced,
}

/// What a server says that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The number.
    pub status: u16,
    /// The word, in case there is one.
    pub reason: Option<Box<str>>,
}

impl Verdict {
    pub(super) fn of(reply: Reply) -> Self {
        Self { status: reply.status, reason: reply.reason }
    }
}

impl fmt::Display for Verdict {
    /// `305 CLIENT_NOT_FOUND`; the word is the server's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, Status::of(self.status)) {
            (Some(reason), _) => write!(f, "{} {reason}", self.status),
            (None, Some(status)) => write!(f, "{} {}", self.status, status.reason()),
            (None, None) => write!(f, "{}", self.status),
        }
    }
}

/// What a server did that chapp(7) does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What it says is no message.
    Malformed(Malformed),
    /// It says something without an end.
    TooLong,
    /// It says yes, and leaves out this field.
    Lacking(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::TooLong => write!(f, "no end of a message within {TOLD_LIMIT} bytes"),
            Self::Lacking(field) => write!(f, "a success without {field}"),
        }
    }
}

impl std::error::Error for Fault {}
