//! What sessions and their clerk write to each other: the papers that go over the desk between them.
//!
//! A session puts a [`Question`] and hears one [`Verdict`]; it may find a [`Notice`] at any time. What can be seen
//! without the registry of clients, such as whether a packet is fresh, has been judged before anything is asked.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::cipher::{Key, KeySize, Mark};
use super::pair::PublicKey;
use super::reply::{ConnectError, TokenError};
use super::room::Share;

/// A client as a session knows it: what opens its packets, and seals what it is told.
#[derive(Clone)]
pub struct Pass {
    /// Its ID.
    pub id: Arc<str>,
    /// Its key.
    pub key: Arc<Key>,
    /// Which life it is: a managed client that comes back from the dead has the same ID, and another key. No two lives
    /// of whichever clients have the same number.
    pub life: u64,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("id", &self.id).field("life", &self.life).finish_non_exhaustive()
    }
}

/// What a session asks its clerk. Whatever has a pass and a mark is about a packet that was opened by that pass and
/// understood, and the mark is remembered ("Repeated packets").
pub enum Question {
    /// By what are the packets of this client opened? [`Verdict::Key`].
    Key {
        /// The ID that stands on the envelope.
        id: Box<str>,
    },
    /// A client says hello: [`Verdict::Hello`], [`Verdict::Full`] or [`Verdict::OtherKey`].
    Hello {
        /// Who it is.
        who: Newcomer,
        /// How long its key is to be, if it gets a new one.
        size: KeySize,
    },
    /// Type 2 on the connect port: [`Verdict::Established`] or [`Verdict::Refused`].
    Acknowledge {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
        /// Where the connection comes from, for the roll.
        address: SocketAddr,
    },
    /// Type 3 on the connect port: [`Verdict::Established`] or [`Verdict::Refused`].
    Touch {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
    },
    /// It was understood, but the session refuses it: only the mark is remembered. [`Verdict::Noted`]; on the logging
    /// port also [`Verdict::NoClient`], or [`Verdict::Logged`] if it was written when it came before.
    Invalid {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
        /// Where it came in.
        port: Port,
    },
    /// A packet on the logging port carries the ID of this client, and does not open: [`Verdict::Noted`] or
    /// [`Verdict::NoClient`]. Nothing is remembered of it: anybody may have sent it.
    Unreadable {
        /// Whose ID it carries.
        pass: Pass,
    },
    /// A token is wanted: [`Verdict::Token`] or [`Verdict::TokenRefused`].
    AskToken {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
        /// For which logger.
        logger: Box<str>,
        /// What is to show that the client may have it, if anything.
        access_code: Option<Zeroizing<String>>,
    },
    /// Is this token good? [`Verdict::TokenIsRight`] or [`Verdict::TokenRefused`].
    CheckToken {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
        /// For which logger.
        logger: Box<str>,
        /// What the client has.
        token: Zeroizing<String>,
    },
    /// A packet with at least one valid item: [`Verdict::Logged`], [`Verdict::NotLogged`] or [`Verdict::NoClient`].
    Log {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
        /// What is to be written.
        lines: Lines,
    },
    /// The same, but there is no room for what it says: [`Verdict::NotLogged`], or, if it was written when it came
    /// before, [`Verdict::Logged`]; or [`Verdict::NoClient`]. Nothing is remembered: it may come again.
    NoRoom {
        /// Whose packet it is.
        pass: Pass,
        /// By what it is told from others.
        mark: Mark,
    },
}

/// What the items of a packet become.
pub struct Lines {
    /// The lines of all valid items, each with its line feed.
    pub text: Vec<u8>,
    /// The valid items, in their order.
    pub entries: Vec<Entry>,
    /// The room that the text takes.
    pub share: Share,
}

/// Who says hello.
#[derive(Clone, PartialEq, Eq)]
pub enum Newcomer {
    /// One with a key of its own, who is given an ID.
    Unknown,
    /// A managed client.
    Managed {
        /// Its ID.
        id: Box<str>,
        /// The key that the book had for it when the session looked, to which the reply will be encrypted. By the time
        /// that the clerk hears of it there may be another book.
        key: Arc<PublicKey>,
    },
}

/// Which of the three ports a packet came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Hello, acknowledge, touch.
    Connect,
    /// Tokens.
    Token,
    /// Logs.
    Log,
}

/// A log item, as the clerk needs to know it.
pub struct Entry {
    /// Whose file it is for: a name that a logger may have.
    pub logger: Box<str>,
    /// The token that came with it.
    pub token: Option<Zeroizing<String>>,
    /// Where its line is in the text of the packet, line feed and all.
    pub line: Range<usize>,
}

/// What the clerk says to a question.
pub enum Verdict {
    /// To [`Question::Key`]: who has this ID, alive or dead; none: nobody who is on record.
    Key(Option<Pass>),
    /// To [`Question::Hello`]: this is who it is, and its key.
    Hello(Pass),
    /// To [`Question::Hello`]: there are as many clients as there may be, or no random bytes to make a key from.
    Full,
    /// To [`Question::Hello`]: the book has another key for that managed client by now, this one, or none. Nothing has
    /// happened: the hello is to be judged by that. Whoever only has the key that was taken away is not let in.
    OtherKey(Option<Arc<PublicKey>>),
    /// To whatever had a pass: it is of a life that is over and forgotten. Nothing has happened, and nothing is
    /// remembered: the packet is to be judged by who has that ID now, if anybody. It will not open any more.
    Changed(Option<Pass>),
    /// To [`Question::Acknowledge`] and [`Question::Touch`]: the client is acknowledged, and on the roll.
    Established {
        /// The beginning of its age: now, as Unix time in seconds.
        date_created: i64,
        /// Its age in seconds; 0: for ever.
        age: u64,
    },
    /// To [`Question::Acknowledge`] and [`Question::Touch`]: no, to be told under the key of the pass.
    Refused(ConnectError),
    /// To [`Question::Invalid`] and [`Question::Unreadable`]: so be it.
    Noted,
    /// To [`Question::AskToken`]: here it is.
    Token {
        /// 16 characters.
        token: Zeroizing<String>,
        /// How long it is good, in seconds; 0: as long as the client lives.
        life: u64,
    },
    /// To [`Question::CheckToken`]: it is good.
    TokenIsRight,
    /// To [`Question::AskToken`] and [`Question::CheckToken`]: no, to be told under the key of the pass.
    TokenRefused(TokenError),
    /// To [`Question::Log`]: it stands in the files, now or from before (`{"r":0}`).
    Logged,
    /// To [`Question::Log`]: it does not, as none of its items may be logged, or could not be (`{"r":1}`).
    NotLogged,
    /// To [`Question::Log`], and whatever else comes to the logging port: the client is not acknowledged, or dead
    /// (`{"r":2}`).
    NoClient,
}

/// What the clerk tells a session unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The connection has carried a client whose life was ended before its time: close it, so that the client begins
    /// anew ("Repeated packets").
    CloseNow,
}
