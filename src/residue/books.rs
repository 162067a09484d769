//! What the clerk is told by files that people write: who is managed, and which codes give tokens.
//!
//! The daemon reads the files, and reads them again when it is told to; each time it hands out a new book.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::item::is_logger_name;
use super::pair::PublicKey;
use super::request::is_client_id;

/// For how long a token is good for which nothing else is said, in seconds ("Tokens").
pub const DEFAULT_LIFE: u64 = 3_600;

/// Where the book of managed clients is.
pub trait ClientBook: Send + Sync {
    /// The book as it is now: the same one as long as nothing has changed.
    fn clients(&self) -> Arc<Clients>;
}

/// Where the book of access codes is.
pub trait CodeBook: Send + Sync {
    /// The book as it is now.
    fn codes(&self) -> Arc<Codes>;
}

/// The managed clients: their IDs, and the keys to which their hellos are answered ("Managed clients").
#[derive(Default)]
pub struct Clients {
    keys: HashMap<Box<str>, Arc<PublicKey>>,
}

impl Clients {
    /// Adds a client, or gives it another key.
    pub fn add(&mut self, id: &str, key: PublicKey) -> Result<(), IdError> {
        if !is_client_id(id) {
            return Err(IdError);
        }
        self.keys.insert(id.into(), Arc::new(key));
        Ok(())
    }

    /// The key of a managed client.
    pub fn key(&self, id: &str) -> Option<&Arc<PublicKey>> {
        self.keys.get(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True if nobody is managed.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// It is no ID that a managed client may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ID of a client has 1 to 64 of the characters A-Z a-z 0-9 @ # _ . -")
    }
}

impl std::error::Error for IdError {}

/// The access codes, and for how long the tokens are good that they give ("Tokens").
#[derive(Default)]
pub struct Codes {
    by_logger: HashMap<Box<str>, Vec<Code>>,
}

struct Code {
    text: Zeroizing<Box<str>>,
    /// In seconds; 0: for ever.
    life: u64,
}

impl Codes {
    /// Reads lines `LOGGER CODE [LIFE]`, between which there may be empty ones, and comments that begin with `#`.
    pub fn parse(text: &str) -> Result<Self, CodesError> {
        let mut codes = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            codes.read_line(line).map_err(|what| CodesError { line: number, what })?;
        }
        Ok(codes)
    }

    /// For how long a token for `logger` is good that this code gives, in seconds, 0 being for ever; none: it gives
    /// none. It takes as long wherever the code is wrong.
    pub fn life(&self, logger: &str, code: &str) -> Option<u64> {
        let own = self.by_logger.get(logger)?;
        own.iter().fold(None, |found, known| match is_same(known.text.as_bytes(), code.as_bytes()) {
            true => Some(known.life),
            false => found,
        })
    }

    /// How many there are, of all loggers.
    pub fn len(&self) -> usize {
        self.by_logger.values().map(Vec::len).sum()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.by_logger.is_empty()
    }

    /// Whether there is any code for this logger.
    pub fn knows(&self, logger: &str) -> bool {
        self.by_logger.contains_key(logger)
    }

    fn read_line(&mut self, line: &str) -> Result<(), CodesProblem> {
        let mut fields = line.split_whitespace();
        let Some(logger) = fields.next().filter(|first| !first.starts_with('#')) else { return Ok(()) };
        if !is_logger_name(logger) {
            return Err(CodesProblem::Logger);
        }
        let code = fields.next().ok_or(CodesProblem::NoCode)?;
        let life = fields.next().map_or(Ok(DEFAULT_LIFE), str::parse).map_err(|_| CodesProblem::Life)?;
        if fields.next().is_some() {
            return Err(CodesProblem::More);
        }
        if self.life(logger, code).is_some() {
            return Err(CodesProblem::Twice);
        }
        let code = Code { text: Zeroizing::new(code.into()), life };
        self.by_logger.entry(logger.into()).or_default().push(code);
        Ok(())
    }
}

/// Why a file of access codes cannot be used. It tells nothing of what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodesError {
    /// In which line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: CodesProblem,
}

/// What is wrong with a line of a file of access codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodesProblem {
    /// It does not begin with a name that a logger may have.
    Logger,
    /// There is no code behind the logger.
    NoCode,
    /// What stands behind the code is no number of seconds.
    Life,
    /// There is something behind the life.
    More,
    /// The logger has this code from another line.
    Twice,
}

impl fmt::Display for CodesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            CodesProblem::Logger => {
                "the name of a logger has 1 to 64 of the characters A-Z a-z 0-9 . _ - and no dot in front"
            }
            CodesProblem::NoCode => "there is no code behind the logger",
            CodesProblem::Life => "the life is no whole number of seconds",
            CodesProblem::More => "there is something behind the life",
            CodesProblem::Twice => "the logger has this code already",
        };
        write!(f, "line {}: {what}", self.line)
    }
}

impl std::error::Error for CodesError {}

/// Whether they are the same, in a time that says nothing about where they differ.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
    one.len() == other.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_line_by_line() {
        let text = "# who may log\n\nnetwork  secret\r\n  disk\tother 60  \nnetwork more#1 0\n\
            #disk none\ndisk secret 18446744073709551615";
        let codes = Codes::parse(text).unwrap();
        let table = [
            ("network", "secret", Some(DEFAULT_LIFE)),
            ("network", "more#1", Some(0)),
            ("network", "more", None),
            ("network", "secreT", None),
            ("network", "secret ", None),
            ("network", "", None),
            ("disk", "other", Some(60)),
            ("disk", "secret", Some(u64::MAX)),
            ("disk", "none", None),
            ("Disk", "other", None),
            ("#disk", "none", None),
        ];
        for (logger, code, life) in table {
            assert_eq!(codes.life(logger, code), life, "{logger} {code}");
        }
        assert!(codes.knows("disk") && !codes.knows("Disk"));
    }

    #[test]
    fn what_is_wrong_with_codes_is_told_with_the_line_and_without_the_code() {
        let table = [
            ("a hidden\n.b hidden", 2, CodesProblem::Logger),
            ("a/b hidden", 1, CodesProblem::Logger),
            ("ä hidden", 1, CodesProblem::Logger),
            ("# a\n\n\na", 4, CodesProblem::NoCode),
            ("a hidden -1", 1, CodesProblem::Life),
            ("a hidden 1.5", 1, CodesProblem::Life),
            ("a hidden 18446744073709551616", 1, CodesProblem::Life),
            ("a hidden # comment", 1, CodesProblem::Life),
            ("a hidden 1 2", 1, CodesProblem::More),
            ("a hidden\nb hidden\na hidden 60", 3, CodesProblem::Twice),
        ];
        for (text, line, what) in table {
            let error = Codes::parse(text).err().unwrap();
            assert_eq!(error, CodesError { line, what }, "{text}");
            assert!(error.to_string().starts_with(&format!("line {line}: ")));
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }

    #[test]
    fn the_same_is_the_same() {
        for (one, other) in [("", ""), ("a", "a"), ("a", "b"), ("a", "ab"), ("ab", "a"), ("", "a")] {
            assert_eq!(is_same(one.as_bytes(), other.as_bytes()), one == other, "{one:?} {other:?}");
        }
    }
}
