//! What clients ask for ("Hello", "Tokens").
//!
//! ```text
//!     {"_t":1504663925,"type":1,"rsa_public_key":"LS0t..."}       hello
//!     {"_t":1504663925,"type":1,"client_id":"known01"}            hello of a managed client
//!     {"_t":1504663925,"type":2,"client_id":"abcdefghijklmnop"}   acknowledge; 3: touch
//!     {"_t":1504663925,"logger_id":"app","access_code":"a2dcb"}   token; with "token": is it valid?
//! ```

use zeroize::Zeroizing;

use super::cipher::KeySize;
use super::item::is_logger_name;
use super::json::{self, Fields, JsonError, ObjectWriter, Text, Value};

/// What a client asks for on the connect port. What is missing, empty or of a wrong type is none.
#[derive(Default, PartialEq, Eq)]
pub struct Request {
    /// When it says that it was sent: Unix time in seconds.
    pub time: Option<i64>,
    /// What for.
    pub kind: Option<RequestKind>,
    /// Who it says it is.
    pub client_id: Option<Box<str>>,
    /// The key that the reply is to be encrypted to: base64 of a PEM.
    pub public_key: Option<Box<str>>,
    /// How long its key is to be.
    pub key_size: KeySizeField,
}

/// What a request on the connect port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Hello: give me a key.
    Connect,
    /// I have the key.
    Acknowledge,
    /// I am still here.
    Touch,
}

/// What a request says of the size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeySizeField {
    /// Nothing.
    #[default]
    Missing,
    /// This.
    Is(KeySize),
    /// Something that is no such size. Of all fields only this one is held against a client that has it wrong: it
    /// would get another key than it thinks.
    Wrong,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, JsonError> {
        json::object(json)
    }
}

impl Fields<'_> for Request {
    fn put(&mut self, key: &[u8], value: Value<'_>) {
        match key {
            b"_t" => self.time = value.integer().filter(|&time| time != 0),
            b"type" => self.kind = value.integer().and_then(RequestKind::of),
            b"client_id" => self.client_id = said(value).map(Text::boxed),
            b"rsa_public_key" => self.public_key = said(value).map(Text::boxed),
            b"key_size" if value.is_null() => self.key_size = KeySizeField::Missing,
            b"key_size" => {
                self.key_size = value
                    .integer()
                    .and_then(KeySize::from_bits)
                    .map_or(KeySizeField::Wrong, KeySizeField::Is);
            }
            _ => {}
        }
    }
}

impl RequestKind {
    fn of(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::Connect,
            2 => Self::Acknowledge,
            3 => Self::Touch,
            _ => return None,
        })
    }
}

/// A text that says something.
fn said(value: Value<'_>) -> Option<Text<'_>> {
    value.text().filter(|text| !text.is_empty())
}

/// What a client asks for on the token port. What is missing, empty or of a wrong type is none.
#[derive(Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// When it says that it was sent: Unix time in seconds.
    pub time: Option<i64>,
    /// For which logger; a name that no logger has is none, for no token helps there.
    pub logger: Option<Box<str>>,
    /// What lets it have a token.
    pub access_code: Option<Zeroizing<String>>,
    /// A token that it has: is it valid?
    pub token: Option<Zeroizing<String>>,
}

impl TokenRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, JsonError> {
        json::object(json)
    }
}

impl Fields<'_> for TokenRequest {
    fn put(&mut self, key: &[u8], value: Value<'_>) {
        match key {
            b"_t" => self.time = value.integer().filter(|&time| time != 0),
            b"logger_id" => {
                self.logger = said(value).map(Text::boxed).filter(|name| is_logger_name(name));
            }
            b"access_code" => self.access_code = said(value).map(Text::secret),
            b"token" => self.token = said(value).map(Text::secret),
            _ => {}
        }
    }
}

/// How far a client's clock may be off, in seconds, unless it is told otherwise.
pub const TOLERANCE: u64 = 120;

/// What counts as sent just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// What time it is: Unix time in seconds.
    pub unix_time: i64,
    /// How many seconds a clock may be off, either way.
    pub tolerance: u64,
}

impl Freshness {
    /// Whether what was sent at this time was sent just now.
    pub fn covers(self, time: i64) -> bool {
        time.abs_diff(self.unix_time) <= self.tolerance
    }
}

/// Whether a managed client may have this ID: 1 to 64 ASCII letters, digits, and `@#_.-`.
pub fn is_client_id(id: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"@#_.-".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(is_fit)
}

/// Who says hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introduction<'a> {
    /// Whoever has the other half of this key: base64 of a PEM.
    PublicKey(&'a str),
    /// The managed client of this ID.
    ClientId(&'a str),
}

/// Appends a hello.
pub fn put_hello(out: &mut Vec<u8>, unix_time: i64, who: Introduction<'_>, size: Option<KeySize>) {
    let hello = ObjectWriter::begin(out).integer("_t", unix_time).integer("type", 1);
    let hello = match who {
        Introduction::PublicKey(base64) => hello.text("rsa_public_key", base64),
        Introduction::ClientId(id) => hello.text("client_id", id),
    };
    match size {
        Some(size) => hello.integer("key_size", size.bits()).end(),
        None => hello.end(),
    }
}

/// Appends what a client says once it has a key.
pub fn put_acknowledge(out: &mut Vec<u8>, unix_time: i64, client_id: &str) {
    ObjectWriter::begin(out).integer("_t", unix_time).integer("type", 2).text("client_id", client_id).end();
}

/// Appends what a client says to stay alive.
pub fn put_touch(out: &mut Vec<u8>, unix_time: i64, client_id: &str) {
    ObjectWriter::begin(out).integer("_t", unix_time).integer("type", 3).text("client_id", client_id).end();
}

/// What a client has to show on the token port.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// What lets it have a token.
    AccessCode(&'a str),
    /// A token that it wants to know to be valid.
    Token(&'a str),
}

/// Appends a request for a token, or for its being valid.
pub fn put_token(out: &mut Vec<u8>, unix_time: i64, logger: &str, what: Credential<'_>) {
    let (key, value) = match what {
        Credential::AccessCode(code) => ("access_code", code),
        Credential::Token(token) => ("token", token),
    };
    // All at once: what grows leaves copies of the secret behind.
    out.reserve(80 + 6 * (logger.len() + value.len()));
    ObjectWriter::begin(out).integer("_t", unix_time).text("logger_id", logger).text(key, value).end();
}

/// What a client logs.
#[derive(Clone, Copy)]
pub struct LogItem<'a> {
    /// When it happened: Unix time in milliseconds.
    pub datetime: i64,
    /// Where it goes.
    pub logger: &'a str,
    /// What happened.
    pub message: &'a str,
    /// How bad it is.
    pub level: u32,
    /// The program to which it happened.
    pub application: &'a str,
    /// What lets it go there.
    pub token: Option<&'a str>,
}

/// Appends a log item that is sent at this time, which is Unix time in seconds.
pub fn put_item(out: &mut Vec<u8>, unix_time: i64, item: &LogItem<'_>) {
    let texts = [item.logger, item.message, item.application, item.token.unwrap_or_default()];
    out.reserve(160 + 6 * texts.map(str::len).iter().sum::<usize>());
    let object = ObjectWriter::begin(out)
        .integer("_t", unix_time)
        .integer("datetime", item.datetime)
        .text("logger", item.logger)
        .text("msg", item.message)
        .text("app", item.application)
        .integer("level", item.level);
    match item.token {
        Some(token) => object.text("token", token).end(),
        None => object.end(),
    }
}

#[cfg(test)]
mod tests;
