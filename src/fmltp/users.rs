//! Who may log in, and whether a password is right ("Users").
//!
//! ```text
//!     # blank lines, and lines that start with "#", are skipped
//!     NAME ":" HASH       name: 2 to 32 ASCII letters and digits
//!                         hash: 60 characters, $2a$12$, $2b$12$ or $2y$12$, then salt and digest of bcrypt
//! ```
//!
//! A line ends in LF or CRLF, the last one perhaps in neither; the real server strips white space around a
//! line, but takes exactly one colon in each, so that nothing made here ever adds a line of another kind.

mod draft;
mod login;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

pub use draft::{Draft, Outcome};
pub use login::{Hash, Name, NameError, Password, PasswordError};

/// The longest users file that is read, in bytes: some ten thousand users.
pub const FILE_LIMIT: usize = 1 << 20;
/// The longest password that can be right, in bytes: bcrypt looks at no more.
pub const PASSWORD_LIMIT: usize = 72;
/// The cost of every hash: 2^12 rounds, tenths of a second.
const COST: u32 = 12;
/// What the password of a stranger is held against. It is the hash of a random one, which nobody knows.
const STRANGER: &str = "$2b$12$IX62iocqPZTq26Ule19oeObqKZYRYtu5fgZFrqbzO/fJj1s9p/nyq";

/// Whoever has the users, which may be others from one moment to the next.
pub trait UserBook: Send + Sync {
    /// The users as they are now.
    fn users(&self) -> Arc<Users>;
}

/// Who may log in, each with the hash of a password.
#[derive(Default)]
pub struct Users {
    hashes: HashMap<Name, Hash>,
}

impl Users {
    /// Reads the text of a users file.
    ///
    /// # Errors
    /// The first line that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = Self::default();
        let mut lines = HashMap::new();
        for (number, line) in numbered(text) {
            let Some((name, hash)) = user(line).map_err(|problem| UsersError { line: number, problem })?
            else {
                continue;
            };
            match lines.entry(name.clone()) {
                Entry::Vacant(entry) => entry.insert(number),
                Entry::Occupied(entry) => {
                    let problem = Problem::Duplicate { of: *entry.get() };
                    return Err(UsersError { line: number, problem });
                }
            };
            users.hashes.insert(name, hash);
        }
        Ok(users)
    }

    /// Whether this is the user's password. It takes the time of one bcrypt, whatever the answer is.
    pub fn is_right(&self, name: &str, password: &[u8]) -> bool {
        let hash = self.hashes.get(name);
        // Beyond its limit, and behind a NUL that makes it begin anew, bcrypt would take other passwords for
        // the same.
        let is_plain = password.len() <= PASSWORD_LIMIT && !password.contains(&0);
        let is_same = bcrypt::verify(password, hash.map_or(STRANGER, Hash::as_str)).unwrap_or_default();
        hash.is_some() && is_plain && is_same
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// True if nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

/// Tells no hash.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.len())
    }
}

/// The text of a users file.
///
/// # Errors
/// The first line that is not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, UsersError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        UsersError { line: 1 + valid.iter().filter(|&&byte| byte == b'\n').count(), problem: Problem::Utf8 }
    })
}

/// Which line of a users file is wrong. What stands there is not repeated: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsersError {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for UsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for UsersError {}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It is not text.
    Utf8,
    /// It has no colon.
    Colon,
    /// What stands before the colon can be no name.
    Name,
    /// What stands behind the colon is not made by bcrypt, or not whole.
    Hash,
    /// It is, but at another cost, and so it would take another time than a stranger's.
    Cost,
    /// Somebody of that name was there before.
    Duplicate {
        /// In this line.
        of: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("it is not UTF-8"),
            Self::Colon => f.write_str("there is no colon between a name and a hash"),
            Self::Name => NameError.fmt(f),
            Self::Hash => {
                f.write_str("behind the colon is no bcrypt hash (60 characters, version 2a, 2b or 2y)")
            }
            Self::Cost => write!(f, "the cost of the hash is not {COST}"),
            Self::Duplicate { of } => write!(f, "the name is in line {of} already"),
        }
    }
}

/// The lines of a text with their numbers, each with its end.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.split_inclusive('\n'))
}

/// The line without its end, and the end.
fn without_end(line: &str) -> (&str, &str) {
    let bare = line.strip_suffix('\n').map_or(line, |bare| bare.strip_suffix('\r').unwrap_or(bare));
    line.split_at(bare.len())
}

/// The user that a line names; none if it is skipped.
fn user(line: &str) -> Result<Option<(Name, Hash)>, Problem> {
    let (line, _) = without_end(line);
    if line.starts_with('#') || line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let (name, hash) = line.split_once(':').ok_or(Problem::Colon)?;
    let name = Name::parse(name).map_err(|NameError| Problem::Name)?;
    Ok(Some((name, Hash::parse(hash)?)))
}

#[cfg(test)]
mod tests;
