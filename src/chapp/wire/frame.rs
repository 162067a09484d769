//! Where a request ends ("End of a request"): pure functions over the bytes that are there.
//!
//! Two of the four ends show in the bytes: an empty line, and the next action line. [`frame`] finds those.
//! The other two are made by time, which a session knows: what is judged then is the text [`as_it_stands`].

use std::time::Duration;

use super::{Action, REQUEST_LIMIT, SEPARATOR, separator};

/// After this time without more input a text ends that has nothing wrong with it.
pub const QUIET: Duration = Duration::from_millis(20);
/// After this time without more input a text ends that has something wrong with it.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What the front of some bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// So many bytes of empty lines before an action line, which are skipped.
    EmptyLines(usize),
    /// A whole request.
    Whole {
        /// The bytes that are judged.
        text: usize,
        /// The bytes that it takes, with what ended it.
        length: usize,
        /// What ended it.
        end: End,
    },
    /// It is not whole, if nothing but its bytes is to say so. Its text has at least so many bytes, whatever
    /// comes: no end has to be looked for before them again.
    Open(usize),
    /// The text has more than [`REQUEST_LIMIT`] bytes, whatever comes.
    TooLong,
}

/// An end that shows in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Two separators.
    EmptyLine,
    /// A separator, and behind it the next request.
    ActionLine,
}

/// Looks at the front of `bytes`, in whose first `searched` bytes ([`Frame::Open`]) no end begins.
pub fn frame(bytes: &[u8], searched: usize) -> Frame {
    let empty_lines = bytes.chunks(SEPARATOR.len()).take_while(|&pair| pair == SEPARATOR).count();
    if empty_lines > 0 {
        return Frame::EmptyLines(empty_lines * SEPARATOR.len());
    }
    let mut from = searched;
    while let Some(at) = separator(bytes, from) {
        let next = at + SEPARATOR.len();
        match Line::behind(&bytes[next..]) {
            Line::Field => from = next,
            Line::Undecided => return open(at),
            Line::Empty => return whole(at, next + SEPARATOR.len(), End::EmptyLine),
            Line::Action => return whole(at, next, End::ActionLine),
        }
    }
    // A backslash in the last place may be half of a separator.
    open(bytes.len() - usize::from(bytes.ends_with(&SEPARATOR[..1])))
}

/// The text of a request that ends because nothing more comes: one separator may stand at its end.
pub fn as_it_stands(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(SEPARATOR).unwrap_or(bytes)
}

fn open(least: usize) -> Frame {
    if least > REQUEST_LIMIT { Frame::TooLong } else { Frame::Open(least) }
}

fn whole(text: usize, length: usize, end: End) -> Frame {
    if text > REQUEST_LIMIT { Frame::TooLong } else { Frame::Whole { text, length, end } }
}

/// What follows a separator.
pub(super) enum Line {
    Empty,
    Action,
    Field,
    /// It is too short to say.
    Undecided,
}

impl Line {
    pub(super) fn behind(bytes: &[u8]) -> Self {
        if bytes.starts_with(SEPARATOR) {
            return Self::Empty;
        }
        if SEPARATOR.starts_with(bytes) {
            return Self::Undecided;
        }
        for word in Action::ALL.map(|action| action.word().as_bytes()) {
            let shared = word.len().min(bytes.len());
            if !word[..shared].eq_ignore_ascii_case(&bytes[..shared]) {
                continue;
            }
            match bytes.get(word.len()) {
                None => return Self::Undecided,
                Some(b'\t') => return Self::Action,
                Some(_) => {}
            }
        }
        Self::Field
    }
}

#[cfg(test)]
mod tests;
