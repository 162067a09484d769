//! What sessions and their clerk write to each other: the papers that go over the desk between them.
//!
//! A session puts a [`Question`] and hears one [`Verdict`]; it may find a [`Notice`] at any time.

use std::net::IpAddr;

use super::name::Name;

/// What a session asks its clerk. What can be seen without the books has been judged before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Does somebody at `address` have a name on file, or, if there is a `username`, this one ("Connect")?
    Connect {
        /// Where the connection comes from; an IPv4-mapped address is an IPv4 one.
        address: IpAddr,
        /// The name that is wanted; none: the one that was introduced last.
        username: Option<Name>,
    },
    /// May the connection have this name ("Introduce")?
    Introduce {
        /// Where the connection comes from; an IPv4-mapped address is an IPv4 one.
        address: IpAddr,
        /// The name that is wanted.
        name: Name,
    },
    /// Keep this message, and hand it to whoever is `to` now ("Post").
    Post {
        /// Where the connection comes from: quotas go by it.
        address: IpAddr,
        /// The name of the connection.
        from: Name,
        /// Whom it is for; nobody need have that name.
        to: Name,
        /// The ID of the request, which the delivery carries.
        id: u64,
        /// What it says.
        message: Box<str>,
    },
    /// The connection gives up its name, which stays on file ("Goodbye").
    Goodbye {
        /// The name of the connection.
        name: Name,
    },
}

/// What the clerk says to a question, after what it says has become durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// To [`Question::Connect`]: the connection now has this name (100).
    Connected {
        /// Its name.
        name: Name,
        /// The value of the field `messages`: `[M, M]`.
        messages: Box<[u8]>,
    },
    /// To [`Question::Connect`]: no such name is on file for that address (305).
    NotFound,
    /// To [`Question::Introduce`]: the connection now has this name (100).
    Introduced {
        /// Its name.
        name: Name,
        /// The value of the field `messages`: `[M, M]`.
        messages: Box<[u8]>,
    },
    /// To [`Question::Introduce`]: the name is another's, or there are too many; the connection keeps the one
    /// it had (301).
    Refused,
    /// To [`Question::Post`]: it is kept (100).
    Posted {
        /// The value of the field `message`: M.
        message: Box<[u8]>,
    },
    /// To [`Question::Goodbye`]: the connection has no name any more (100).
    Gone,
    /// It could not be stored, or is over a quota; nothing has changed (400).
    Failed,
}

/// What the clerk tells a session unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message for the name that the connection has ("Deliveries").
    Delivered {
        /// Who posted it.
        from: Name,
        /// Whom it is for.
        to: Name,
        /// The ID of the sender's request.
        id: u64,
        /// The value of the field `message`: M.
        message: Box<[u8]>,
    },
    /// Another connection has connected as this client; this one is to be told 306 and closed.
    Replaced,
}
