//! Why a client is refused ("Refusals").

use std::fmt;
use std::time::Duration;

use super::super::fernet::TokenError;
use super::super::key::KeyError;
use super::super::pem::PemError;
use super::super::version::{GREETING_LIMIT, GreetingError};
use super::session::AUTH_LIMIT;
use crate::session::{Refusal, whole_seconds};

/// What a client is told, and the log: printable ASCII, in which nothing is repeated that the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// This packet was not whole within this time.
    Late(Packet, Duration),
    /// Nobody proved who he is.
    NotAuthenticated,
    /// There is no line end where there has to be one at the latest.
    LongReply,
    /// The version reply is no text.
    NotUtf8,
    /// The version reply is a text, but no name and version.
    Reply(GreetingError),
    /// The name is not one of FlexMusic's.
    Stranger,
    /// The client is of another class than this one, which is the server's.
    Incompatible(u16),
    /// What was to be the public key is no PEM.
    Pem(PemError),
    /// The public key is not one of the group.
    Key(KeyError),
    /// What was to be a token is none.
    Token(TokenError),
    /// The token holds something else than what the server has said first.
    Challenge,
    /// The daemon is about to end.
    ShuttingDown,
    /// Others need the place.
    InTheWay,
}

/// What a client has to send in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet {
    Reply,
    Key,
    Challenge,
    Token,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(packet, limit) => {
                write!(f, "{} was not complete within {} s", packet.name(), whole_seconds(*limit))
            }
            Self::NotAuthenticated => write!(f, "No authentication within {} s", AUTH_LIMIT.as_secs()),
            Self::LongReply => write!(f, "Version reply is longer than {GREETING_LIMIT} bytes"),
            Self::NotUtf8 => f.write_str("Version reply is not UTF-8"),
            Self::Reply(error) => write!(f, "Version reply is malformed: {error}"),
            Self::Stranger => f.write_str("Name does not start with FlexMusic"),
            Self::Incompatible(class) => write!(f, "Incompatible version: the class has to be {class}"),
            Self::Pem(error) => write!(f, "Public key is malformed: {error}"),
            Self::Key(error) => write!(f, "Public key is not valid: {error}"),
            Self::Token(error) => write!(f, "Token is not valid: {error}"),
            Self::Challenge => f.write_str("Challenge is wrong"),
            Self::ShuttingDown => f.write_str("The server is shutting down"),
            Self::InTheWay => f.write_str("Others need the place and the handshake takes too long"),
        }
    }
}

impl Packet {
    fn name(self) -> &'static str {
        match self {
            Self::Reply => "Version reply",
            Self::Key => "Public key",
            Self::Challenge => "Challenge",
            Self::Token => "Token",
        }
    }
}

/// The line in which a client is told why.
pub(super) fn line(reason: &dyn fmt::Display) -> String {
    format!("400 {reason}.\r\n")
}

/// The line in place of everything for a client that cannot be let in.
pub(super) fn refusal(why: Refusal) -> String {
    match why {
        Refusal::Full => line(&"Server is full"),
        Refusal::Crowded => line(&"Too many connections from your address"),
        Refusal::Pending => line(&"Too many handshakes under way from your address"),
        Refusal::Hasty => line(&"Too many new connections from your address"),
        Refusal::CoolingDown(left) => line(&format_args!("Try again in {} s", whole_seconds(left))),
    }
}
