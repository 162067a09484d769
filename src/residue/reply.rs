//! What the server says ("Hello", "Established", "Connection errors", "Tokens", "Logs").
//!
//! The keys stand in an order that clients of all times get along with: old ones look for `{"ack"` to tell a reply
//! from what is encrypted.
//!
//! ```text
//!     {"ack":0,"client_id":"...","key":"HEX","status":0}          hello
//!     {"ack":1,"age":259200,...,"status":0}                       established
//!     {"ack":0,"error_text":"...","status":1}                     neither
//!     {"life":3600,"loggerId":"...","status":0,"token":"..."}     token
//!     {"status":0}                                                the token is valid
//!     {"error_text":"...","status":1}                             no token
//!     {"r":0}                                                     logged; 1: not, 2: who are you?
//! ```

mod heard;

use zeroize::Zeroizing;

use super::cipher::Key;
use super::json::ObjectWriter;
pub use heard::{ConnectReply, ReplyError, Terms, TokenReply, log_reply};

/// What fits into one of the reads of any client, its delimiter included.
pub const REPLY_LIMIT: usize = 1_400;

/// What a server does, as it tells its clients: "Flags".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Clients may log to loggers that nobody has configured.
    pub const UNKNOWN_LOGGERS: u32 = 1;
    /// Nothing is logged without a token.
    pub const REQUIRES_TOKEN: u32 = 2;
    /// Tokens are given without an access code.
    pub const DEFAULT_CODE: u32 = 4;
    /// A packet may hold many items.
    pub const BULK: u32 = 16;
    /// What is answered is written.
    pub const IMMEDIATE_FLUSH: u32 = 32;
    /// Clients need not be managed.
    pub const UNKNOWN_CLIENTS: u32 = 64;
    /// A hello may come in plain.
    pub const PLAIN: u32 = 128;
    /// Items may be compressed.
    pub const COMPRESSION: u32 = 256;
    /// A hello has to say when it was sent.
    pub const REQUIRES_TIMESTAMP: u32 = 1024;

    /// All of these have a name.
    const NAMES: [(u32, &'static str); 9] = [
        (Self::UNKNOWN_LOGGERS, "unknown loggers"),
        (Self::REQUIRES_TOKEN, "requires token"),
        (Self::DEFAULT_CODE, "default access code"),
        (Self::BULK, "bulk"),
        (Self::IMMEDIATE_FLUSH, "immediate flush"),
        (Self::UNKNOWN_CLIENTS, "unknown clients"),
        (Self::PLAIN, "plain connections"),
        (Self::COMPRESSION, "compression"),
        (Self::REQUIRES_TIMESTAMP, "requires timestamp"),
    ];

    /// Whether all of these are set.
    pub fn has(self, flags: u32) -> bool {
        self.0 & flags == flags
    }

    /// The names of those that are set and have one.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| name)
    }
}

impl Default for Flags {
    fn default() -> Self {
        Self(
            Self::UNKNOWN_LOGGERS
                | Self::DEFAULT_CODE
                | Self::BULK
                | Self::IMMEDIATE_FLUSH
                | Self::UNKNOWN_CLIENTS
                | Self::PLAIN
                | Self::COMPRESSION,
        )
    }
}

/// Whether this may be told as licensee or version: 1 to 64 printable ASCII characters that need no escape.
pub fn is_label(text: &str) -> bool {
    let is_fit = |byte: u8| (b' '..=b'~').contains(&byte) && !b"'\"\\".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_fit)
}

/// Appends the reply to a hello.
pub fn put_hello(out: &mut Vec<u8>, client_id: &str, key: &Key) {
    let hex = key.to_hex();
    // All at once: what grows leaves copies of the key behind.
    out.reserve(60 + 6 * client_id.len() + hex.len());
    ObjectWriter::begin(out)
        .integer("ack", 0)
        .text("client_id", client_id)
        .text("key", &hex)
        .integer("status", 0)
        .end();
}

/// What a client is told once it has acknowledged, and whenever it touches.
#[derive(Debug, Clone, Copy)]
pub struct Established<'a> {
    /// Who it is.
    pub client_id: &'a str,
    /// Its key.
    pub key: &'a Key,
    /// For how many seconds it lives if it does not touch; 0: for ever.
    pub age: u64,
    /// Since when: Unix time in seconds.
    pub date_created: i64,
    /// What the server does.
    pub flags: Flags,
    /// Where items are taken.
    pub logging_port: u16,
    /// Where tokens are given.
    pub token_port: u16,
    /// How many items a packet may hold.
    pub max_bulk_size: u32,
    /// Who the server belongs to.
    pub licensee: &'a str,
    /// What it is.
    pub version: &'a str,
}

/// Appends the reply to ACKNOWLEDGE and TOUCH.
pub fn put_established(out: &mut Vec<u8>, told: &Established<'_>) {
    let hex = told.key.to_hex();
    out.reserve(400 + 6 * (told.client_id.len() + 2 * told.licensee.len() + told.version.len()));
    ObjectWriter::begin(out)
        .integer("ack", 1)
        .integer("age", told.age)
        .text("client_id", told.client_id)
        .integer("date_created", told.date_created)
        .integer("flags", told.flags.0)
        .text("key", &hex)
        .integer("logging_port", told.logging_port)
        .integer("max_bulk_size", told.max_bulk_size)
        .text("licensee", told.licensee)
        .integer("token_port", told.token_port)
        .object("server_info", |info| info.text("version", told.version).text("licensee", told.licensee))
        .integer("status", 0)
        .end();
}

/// Why a client is not served on the connect port ("Connection errors").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectError {
    /// Its ID is not on record, or it has died without its key having been used.
    NotConnected,
    /// What it sent is no request.
    Invalid,
    /// It has acknowledged already.
    AlreadyAcknowledged,
    /// It has not acknowledged yet, and touches.
    NotAcknowledged,
    /// It is dead, and touches.
    Dead,
    /// It acknowledges or touches without the key of any client.
    NoSuchClient,
    /// Its hello comes in plain, which is off.
    PlainOff,
    /// It says that it is managed, and is not.
    Unknown,
    /// It is not managed, and has to be.
    UnknownOff,
}

impl ConnectError {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NotConnected,
        Self::Invalid,
        Self::AlreadyAcknowledged,
        Self::NotAcknowledged,
        Self::Dead,
        Self::NoSuchClient,
        Self::PlainOff,
        Self::Unknown,
        Self::UnknownOff,
    ];

    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotConnected => "Client not connected yet",
            Self::Invalid => "Invalid connection request",
            Self::AlreadyAcknowledged => "Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.",
            Self::NotAcknowledged => "Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first",
            Self::Dead => "Cannot touch dead client. Please reset the connection",
            Self::NoSuchClient => "Client with this ID does not exists. Please send CONNECT request first.",
            Self::PlainOff => "Plain connections not allowed by the server",
            Self::Unknown => "Client is unknown",
            Self::UnknownOff => "Unknown clients are not allowed",
        }
    }
}

/// Appends the reply to a request on the connect port that is not served.
pub fn put_error(out: &mut Vec<u8>, error: ConnectError) {
    ObjectWriter::begin(out).integer("ack", 0).text("error_text", error.text()).integer("status", 1).end();
}

/// Appends a token that is good for so many seconds; 0: for ever.
pub fn put_token(out: &mut Vec<u8>, life: u64, logger: &str, token: &Zeroizing<String>) {
    out.reserve(80 + 6 * (logger.len() + token.len()));
    ObjectWriter::begin(out)
        .integer("life", life)
        .text("loggerId", logger)
        .integer("status", 0)
        .text("token", token)
        .end();
}

/// Appends that a token is valid.
pub fn put_token_ok(out: &mut Vec<u8>) {
    ObjectWriter::begin(out).integer("status", 0).end();
}

/// Why a client is not served on the token port ("Tokens").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// The access code is not one of that logger.
    AccessCode,
    /// The token is none of that client and logger.
    Token,
    /// There is no logger in it, or it is no request.
    NoLogger,
    /// The client's ID is not on record.
    NotConnected,
    /// The client is dead, or has not acknowledged.
    Dead,
}

impl TokenError {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::AccessCode, Self::Token, Self::NoLogger, Self::NotConnected, Self::Dead];

    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AccessCode => "Invalid access code",
            Self::Token => "Invalid token",
            Self::NoLogger => "No logger ID provided (Malformed JSON?)",
            Self::NotConnected => "Client not connected yet",
            Self::Dead => "Client is dead",
        }
    }
}

/// Appends the reply to a request on the token port that is not served.
pub fn put_token_error(out: &mut Vec<u8>, error: TokenError) {
    ObjectWriter::begin(out).text("error_text", error.text()).integer("status", 1).end();
}

/// What the logging port says to a packet; always in plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogReply {
    /// What can be taken of it is in its file.
    Taken,
    /// Nothing is.
    NotTaken,
    /// Nothing is, for the client is not known, not acknowledged, or dead.
    NoClient,
}

impl LogReply {
    /// The whole packet.
    pub const fn packet(self) -> &'static [u8] {
        match self {
            Self::Taken => b"{\"r\":0}\r\n\r\n",
            Self::NotTaken => b"{\"r\":1}\r\n\r\n",
            Self::NoClient => b"{\"r\":2}\r\n\r\n",
        }
    }
}

#[cfg(test)]
mod tests;
