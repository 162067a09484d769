//! The messages of chapp, both ways ("Messages"): what requests, replies and deliveries have in common.
//!
//! ```text
//!     ACTION TAB FROM -> TO  SEP  name: value  SEP  name: value ...          SEP = backslash, LF
//! ```
//!
//! [`frame`] finds where a request ends, [`request`] judges it and emits requests, [`told`] emits what a
//! server says and reads it for a client. Parsers take slices of bytes, look at each line once from left to
//! right, and say with each complaint at which offset it is.

pub mod frame;
pub mod request;
pub mod told;

use std::iter;
use std::str;

/// What separates lines.
pub const SEPARATOR: &[u8] = b"\\\n";
/// The most bytes that a request may have without the separators that end it.
pub const REQUEST_LIMIT: usize = 65_536;
/// The highest ID, and the highest of all numbers.
pub const NUMBER_LIMIT: u64 = i64::MAX as u64;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Does the server know this client?
    Connect,
    /// May this client have a name?
    Introduce,
    /// A message for somebody.
    Post,
    /// The client leaves the chat.
    Goodbye,
    /// A reply of the server's, or an acknowledgement of a client's.
    Response,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Connect, Self::Introduce, Self::Post, Self::Goodbye, Self::Response];

    /// The word that stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Introduce => "INTRODUCE",
            Self::Post => "POST",
            Self::Goodbye => "GOODBYE",
            Self::Response => "RESPONSE",
        }
    }

    /// The action of this word, in any ASCII case.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word().eq_ignore_ascii_case(word))
    }
}

/// What became of a request ("Statuses").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was carried out.
    Success,
    /// There is no action line.
    UnparsableAction,
    /// The action is none.
    InvalidAction,
    /// A line is no field, a number is none, or it all is too long.
    UnparsableField,
    /// A field is there twice.
    DuplicateField,
    /// A POST has no message.
    MissingRequiredField,
    /// There is no ID.
    MalformedIdLine,
    /// The name is not valid, or another client's.
    InvalidUsername,
    /// TO is no valid name.
    InvalidToUser,
    /// FROM is not the connection's name.
    InvalidFromUser,
    /// The connection has no name.
    NotIntroduced,
    /// No such name is on file for the client's address.
    ClientNotFound,
    /// Another connection has taken this one's place.
    Replaced,
    /// It could not be stored, is over a quota, or the server has no place.
    ServerError,
}

impl Status {
    /// All there are.
    pub const ALL: [Self; 14] = [
        Self::Success,
        Self::UnparsableAction,
        Self::InvalidAction,
        Self::UnparsableField,
        Self::DuplicateField,
        Self::MissingRequiredField,
        Self::MalformedIdLine,
        Self::InvalidUsername,
        Self::InvalidToUser,
        Self::InvalidFromUser,
        Self::NotIntroduced,
        Self::ClientNotFound,
        Self::Replaced,
        Self::ServerError,
    ];

    /// Its number and its reason. A success has none that is ever sent.
    fn row(self) -> (u16, &'static str) {
        match self {
            Self::Success => (100, "SUCCESS"),
            Self::UnparsableAction => (200, "UNPARSABLE_ACTION"),
            Self::InvalidAction => (201, "INVALID_ACTION"),
            Self::UnparsableField => (202, "UNPARSABLE_FIELD"),
            Self::DuplicateField => (203, "DUPLICATE_FIELD"),
            Self::MissingRequiredField => (204, "MISSING_REQUIRED_FIELD"),
            Self::MalformedIdLine => (205, "MALFORMED_ID_LINE"),
            Self::InvalidUsername => (301, "INVALID_USERNAME"),
            Self::InvalidToUser => (302, "INVALID_TO_USER"),
            Self::InvalidFromUser => (303, "INVALID_FROM_USER"),
            Self::NotIntroduced => (304, "NOT_INTRODUCED"),
            Self::ClientNotFound => (305, "CLIENT_NOT_FOUND"),
            Self::Replaced => (306, "REPLACED"),
            Self::ServerError => (400, "SERVER_ERROR"),
        }
    }

    /// The number that stands for it.
    pub fn code(self) -> u16 {
        self.row().0
    }

    /// Why it is not a success.
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    /// The status of this number.
    pub fn of(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// Where the next separator begins, from `from` on.
fn separator(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(SEPARATOR.len()).position(|pair| pair == SEPARATOR).map(|at| from + at)
}

/// The lines of a text, each with the offset at which it begins.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = Some(0);
    iter::from_fn(move || {
        let at = start?;
        let end = separator(text, at);
        start = end.map(|end| end + SEPARATOR.len());
        Some((at, &text[at..end.unwrap_or(text.len())]))
    })
}

/// The first line of a message, taken apart.
struct ActionLine<'a> {
    word: &'a str,
    from: &'a str,
    to: &'a str,
}

impl<'a> ActionLine<'a> {
    /// Reads a line with exactly one TAB and, behind it, exactly one `->`.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let (word, path) = line.split_once('\t')?;
        let (from, to) = path.split_once("->")?;
        let more = to.contains('\t') || from.contains('\t') || to.contains("->") || word.contains("->");
        (!more).then_some(Self { word, from, to })
    }
}

/// A field's name, and its value without the white space before it.
fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim_start()))
}

/// The number that a value is: ASCII digits and nothing else.
fn number(value: &str) -> Option<u64> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Any number of leading zeros is allowed; what follows them overflows before it is too long to matter.
    let significant = value.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    significant.parse().ok().filter(|&number| number <= NUMBER_LIMIT)
}

/// Appends the first line of a message.
fn put_action(out: &mut Vec<u8>, action: Action, from: &str, to: &str) {
    for part in [action.word(), "\t", from, "->", to] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(SEPARATOR);
}

/// Appends the line that says which message this is.
fn put_id(out: &mut Vec<u8>, id: u64) {
    out.extend_from_slice(format!("ID:{id}").as_bytes());
    out.extend_from_slice(SEPARATOR);
}

/// Appends a field. The value must hold no separator.
fn put_field(out: &mut Vec<u8>, name: &str, value: impl AsRef<[u8]>) {
    let value = value.as_ref();
    debug_assert!(separator(value, 0).is_none(), "a value would be cut in two");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(SEPARATOR);
}

#[cfg(test)]
mod tests;
