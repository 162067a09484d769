//! What a client makes of replies. Servers of all times have their own forms of them, and so what is there counts,
//! in any order, and what is not there is nothing.

use std::fmt;

use zeroize::Zeroizing;

use super::{Flags, LogReply};
use crate::residue::cipher::Key;
use crate::residue::json::{self, Fields, JsonError, Text, Value};

/// What a server says on the connect port.
#[derive(Debug)]
pub enum ConnectReply {
    /// It has given a key.
    Accepted {
        /// The key.
        key: Key,
        /// What comes with it.
        terms: Box<Terms>,
    },
    /// It does not want to, in its own words.
    Refused(String),
}

/// What comes with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Whether it holds us for acknowledged.
    pub is_acknowledged: bool,
    /// Who we are.
    pub client_id: Box<str>,
    /// For how many seconds we live if we do not touch; 0: for ever.
    pub age: Option<u64>,
    /// Since when: Unix time in seconds.
    pub date_created: Option<i64>,
    /// What the server does.
    pub flags: Option<Flags>,
    /// Where items are taken.
    pub logging_port: Option<u16>,
    /// Where tokens are given.
    pub token_port: Option<u16>,
    /// How many items a packet may hold.
    pub max_bulk_size: Option<u64>,
    /// Who the server belongs to.
    pub licensee: Option<Box<str>>,
    /// What it is.
    pub version: Option<Box<str>>,
}

impl ConnectReply {
    /// Reads a reply that is in plain, or was.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, ReplyError> {
        // A touch by nobody is answered like that by some.
        if let Some(number) = short(text).filter(|&number| number != 0) {
            return Ok(Self::Refused(format!("r {number}")));
        }
        let said: Said<'_> = json::object(text).map_err(ReplyError::Json)?;
        if let Some(refusal) = said.refusal() {
            return Ok(Self::Refused(refusal));
        }
        let client_id = said.client_id.filter(|id| !id.is_empty()).ok_or(ReplyError::Lacks("client_id"))?;
        let key = said.key.ok_or(ReplyError::Lacks("key"))?;
        let key = Key::from_hex(&key.secret()).ok_or(ReplyError::NoKey)?;
        let terms = Box::new(Terms {
            is_acknowledged: said.ack == Some(1),
            client_id: client_id.boxed(),
            age: said.age.and_then(|age| u64::try_from(age).ok()),
            date_created: said.date_created,
            flags: said.flags.and_then(|flags| u32::try_from(flags).ok()).map(Flags),
            logging_port: said.logging_port,
            token_port: said.token_port,
            max_bulk_size: said.max_bulk_size.and_then(|size| u64::try_from(size).ok()),
            licensee: said.licensee.or(said.info.licensee).map(Text::boxed),
            version: said.info.version.map(Text::boxed),
        });
        Ok(Self::Accepted { key, terms })
    }
}

/// What a server says on the token port.
pub enum TokenReply {
    /// A token.
    Given {
        /// The token.
        token: Zeroizing<String>,
        /// For how many seconds it is good; 0: for ever.
        life: u64,
    },
    /// The token that was shown is valid.
    Valid,
    /// It does not want to, in its own words.
    Refused(String),
}

impl TokenReply {
    /// Reads a reply that is in plain, or was.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, ReplyError> {
        if let Some(number) = short(text).filter(|&number| number != 0) {
            return Ok(Self::Refused(format!("r {number}")));
        }
        let said: Said<'_> = json::object(text).map_err(ReplyError::Json)?;
        if let Some(refusal) = said.refusal() {
            return Ok(Self::Refused(refusal));
        }
        let life = said.life.and_then(|life| u64::try_from(life).ok()).unwrap_or(0);
        match said.token {
            Some(token) => Ok(Self::Given { token: token.secret(), life }),
            None if said.status == Some(0) => Ok(Self::Valid),
            None => Err(ReplyError::Lacks("token")),
        }
    }
}

/// What a server says on the logging port; none: something else.
pub fn log_reply(text: &[u8]) -> Option<LogReply> {
    Some(match short(text)? {
        0 => LogReply::Taken,
        1 => LogReply::NotTaken,
        2 => LogReply::NoClient,
        _ => return None,
    })
}

/// The number in `{"r":0}` and in what older servers say instead: `{r:0}`, `{r:1,c:1}`.
fn short(text: &[u8]) -> Option<i64> {
    #[derive(Default)]
    struct Short(Option<i64>);

    impl Fields<'_> for Short {
        fn put(&mut self, key: &[u8], value: Value<'_>) {
            if key == b"r" {
                self.0 = value.integer();
            }
        }
    }

    if let Ok(Short(number)) = json::object(text) {
        return number;
    }
    let members = std::str::from_utf8(text).ok()?.trim().strip_prefix("{r:")?.strip_suffix('}')?;
    members.split(',').next()?.trim().parse().ok()
}

/// Why something is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// It is no JSON object.
    Json(JsonError),
    /// This is not in it.
    Lacks(&'static str),
    /// The key in it is none.
    NoKey,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Lacks(what) => write!(f, "it has no {what}"),
            Self::NoKey => f.write_str("the key in it is not 32, 48 or 64 hexadecimal digits"),
        }
    }
}

impl std::error::Error for ReplyError {}

/// All that any reply may hold.
#[derive(Default)]
struct Said<'a> {
    ack: Option<i64>,
    status: Option<i64>,
    error_text: Option<Text<'a>>,
    client_id: Option<Text<'a>>,
    key: Option<Text<'a>>,
    age: Option<i64>,
    date_created: Option<i64>,
    flags: Option<i64>,
    logging_port: Option<u16>,
    token_port: Option<u16>,
    max_bulk_size: Option<i64>,
    licensee: Option<Text<'a>>,
    info: Info<'a>,
    life: Option<i64>,
    token: Option<Text<'a>>,
}

#[derive(Default)]
struct Info<'a> {
    version: Option<Text<'a>>,
    licensee: Option<Text<'a>>,
}

impl Said<'_> {
    /// Why it does not want to, if it does not.
    fn refusal(&self) -> Option<String> {
        let text = self.error_text.map(|text| text.decode().into_owned()).filter(|text| !text.is_empty());
        match self.status {
            None | Some(0) => text,
            Some(status) => Some(text.unwrap_or_else(|| format!("status {status}"))),
        }
    }
}

impl<'a> Fields<'a> for Said<'a> {
    fn put(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"ack" => self.ack = value.integer(),
            b"status" => self.status = value.integer(),
            b"error_text" => self.error_text = value.text(),
            b"client_id" => self.client_id = value.text(),
            b"key" => self.key = value.text(),
            b"age" => self.age = value.integer(),
            b"date_created" => self.date_created = value.integer(),
            b"flags" => self.flags = value.integer(),
            b"logging_port" => self.logging_port = port(value),
            b"token_port" => self.token_port = port(value),
            b"max_bulk_size" => self.max_bulk_size = value.integer(),
            b"licensee" => self.licensee = value.text(),
            b"server_info" => self.info = value.object().unwrap_or_default(),
            b"life" => self.life = value.integer(),
            b"token" => self.token = value.text(),
            _ => {}
        }
    }
}

/// A port; 0 is none.
fn port(value: Value<'_>) -> Option<u16> {
    value.integer().and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0)
}

impl<'a> Fields<'a> for Info<'a> {
    fn put(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"version" => self.version = value.text(),
            b"licensee" => self.licensee = value.text(),
            _ => {}
        }
    }
}
