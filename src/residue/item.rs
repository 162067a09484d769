//! Log items: how they are read, and the line that each of them becomes ("Logs", "Log files").
//!
//! ```text
//!     {"datetime":1504663925034,"logger":"default","msg":"hello","level":128,"file":"app.js","line":10,...}
//!
//!     2017-09-06T02:12:05.034Z INFO default com.example.app app.js:10 work - hello
//! ```
//!
//! An item is borrowed from its packet until it is a line: reading and writing one take no memory of their own.

mod line;

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

use super::json::{self, Document, Fields, JsonError, JsonProblem, Text, Value};
use super::random;
use super::request::Freshness;
pub use line::{LineFormat, line_limit, put_line};

/// How many items a packet may hold, unless it is told otherwise.
pub const BULK_LIMIT: usize = 100;

/// Where an item goes that does not say.
pub(super) const DEFAULT_LOGGER: &str = "default";
/// The longest text that may stand for a token: each of its characters may be written as an escape.
const TOKEN_LIMIT: usize = 6 * random::NAME;
/// The longest name of a logger.
const LOGGER_LIMIT: usize = 64;

/// What is taken.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many items an array may hold; none: there are no arrays.
    pub bulk: Option<usize>,
    /// What counts as sent just now; none: it does not matter.
    pub freshness: Option<Freshness>,
}

/// What a packet holds.
pub struct Items<'a> {
    /// What can be taken of it: at least one item.
    pub valid: Vec<Item<'a>>,
    /// How much else was in it.
    pub skipped: usize,
}

/// Reads what a packet holds, as JSON.
///
/// # Errors
/// Nothing of it can be taken.
pub fn parse<'a>(text: &'a [u8], limits: &Limits) -> Result<Items<'a>, ItemsError> {
    let read = json::objects::<Item<'a>>(text, limits.bulk.unwrap_or(0));
    let (mut items, others) = match read {
        Ok(Document::One(item)) => (vec![item], 0),
        Ok(Document::Many { objects, others }) if objects.len() + others > 0 => (objects, others),
        Ok(Document::Many { .. }) => return Err(ItemsError::Empty),
        Err(JsonError { problem: JsonProblem::TooMany, .. }) if limits.bulk.is_none() => {
            return Err(ItemsError::NoBulk);
        }
        Err(error) => return Err(ItemsError::Json(error)),
    };
    let (count, mut first) = (items.len() + others, None);
    items.retain(|item| match item.problem(limits.freshness) {
        None => true,
        Some(problem) => {
            first.get_or_insert(problem);
            false
        }
    });
    if items.is_empty() {
        return Err(ItemsError::NoneValid(first.unwrap_or(ItemProblem::NoObject)));
    }
    Ok(Items { skipped: count - items.len(), valid: items })
}

/// Something that was logged. A text that is missing is as good as an empty one.
#[derive(Default)]
pub struct Item<'a> {
    datetime: i64,
    sent: Option<i64>,
    /// None: it does not say.
    logger: Option<Text<'a>>,
    message: Text<'a>,
    level: Option<i64>,
    verbosity: Option<i64>,
    file: Text<'a>,
    line: Option<i64>,
    function: Text<'a>,
    application: Text<'a>,
    thread: Text<'a>,
    token: Text<'a>,
}

impl<'a> Item<'a> {
    /// Where it goes: the name of a logger.
    pub fn logger(&self) -> Cow<'a, str> {
        self.logger.map_or(Cow::Borrowed(DEFAULT_LOGGER), Text::decode)
    }

    /// What lets it go there: nothing that is longer than any token is, which may be much longer.
    pub fn token(&self) -> Option<Zeroizing<String>> {
        (1..=TOKEN_LIMIT).contains(&self.token.written_length()).then(|| self.token.secret())
    }

    /// Why it cannot be taken.
    fn problem(&self, freshness: Option<Freshness>) -> Option<ItemProblem> {
        let is_stale = || freshness.zip(self.sent).is_some_and(|(freshness, sent)| !freshness.covers(sent));
        if self.datetime <= 0 {
            Some(ItemProblem::Datetime)
        } else if self.message.is_empty() {
            Some(ItemProblem::Message)
        } else if self.logger.is_some_and(|name| !is_logger_name(&name.decode())) {
            Some(ItemProblem::Logger)
        } else if is_stale() {
            Some(ItemProblem::Stale)
        } else {
            None
        }
    }
}

impl<'a> Fields<'a> for Item<'a> {
    fn put(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"datetime" => self.datetime = value.integer().unwrap_or_default(),
            b"_t" => self.sent = value.integer().filter(|&time| time != 0),
            b"logger" => self.logger = value.text(),
            b"msg" => self.message = value.text().unwrap_or_default(),
            b"level" => self.level = value.integer(),
            b"vlevel" => self.verbosity = value.integer(),
            b"file" => self.file = value.text().unwrap_or_default(),
            b"line" => self.line = value.integer(),
            b"func" => self.function = value.text().unwrap_or_default(),
            b"app" => self.application = value.text().unwrap_or_default(),
            b"thread" => self.thread = value.text().unwrap_or_default(),
            b"token" => self.token = value.text().unwrap_or_default(),
            _ => {}
        }
    }
}

/// Whether a logger may have this name, which is that of its file: 1 to 64 ASCII letters, digits, and `._-`, of
/// which the first is no dot.
pub fn is_logger_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LOGGER_LIMIT).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_fit)
}

/// Why nothing of a packet can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemsError {
    /// It is no JSON, or too much of it.
    Json(JsonError),
    /// It is an array, which is off.
    NoBulk,
    /// It is an empty array.
    Empty,
    /// No item is valid; that is what is wrong with the first of them.
    NoneValid(ItemProblem),
}

impl fmt::Display for ItemsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::NoBulk => f.write_str("it is an array, which is not allowed"),
            Self::Empty => f.write_str("it is an empty array"),
            Self::NoneValid(problem) => write!(f, "it has no valid item: {problem}"),
        }
    }
}

impl std::error::Error for ItemsError {}

/// What can be wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemProblem {
    /// It is no object.
    NoObject,
    /// It has no time, or none that comes after 1970.
    Datetime,
    /// It says nothing.
    Message,
    /// No logger has that name.
    Logger,
    /// It was not sent just now.
    Stale,
}

impl fmt::Display for ItemProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoObject => "it is no object",
            Self::Datetime => "it has no valid datetime",
            Self::Message => "it has no msg",
            Self::Logger => "its logger has a name that no logger has",
            Self::Stale => "it is stale",
        })
    }
}

#[cfg(test)]
mod tests;
