//! What goes wrong between a client and a server.

use std::fmt;

use crate::residue::cipher::CipherError;
use crate::residue::envelope::Base64Error;
use crate::residue::pair::KeyError;
use crate::residue::reply::ReplyError;

/// What a server did that none may do. None of it says anything of what it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It said something, and had not been asked.
    Unasked,
    /// It said more than [`LIMIT`](super::LIMIT) bytes in one go.
    TooLong,
    /// It said something that is neither JSON nor any envelope.
    NoEnvelope(Base64Error),
    /// What it encrypted is not as long as our key.
    Length {
        /// So many bytes.
        found: usize,
        /// And not so many.
        expected: usize,
    },
    /// What it encrypted is not encrypted to our key, or is no reply.
    NotDecrypted,
    /// What it sealed is not sealed by our key.
    NotOpened(CipherError),
    /// It said something that is no reply.
    Reply(ReplyError),
    /// It did not say what has become of a log.
    NoLogReply,
    /// It sent a key that everybody can read.
    BareKey,
    /// It takes us for somebody else.
    OtherClient,
    /// It calls us by an ID that no packet can carry.
    ClientId,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unasked => f.write_str("it speaks without being asked"),
            Self::TooLong => write!(f, "it sends more than {} bytes without an end", super::LIMIT),
            Self::NoEnvelope(error) => write!(f, "it sends neither JSON nor an envelope: {error}"),
            Self::Length { found, expected } => {
                write!(f, "it sends {found} encrypted bytes, and our key makes {expected} of them")
            }
            Self::NotDecrypted => {
                f.write_str("its reply is not encrypted to our public key, or says something unknown")
            }
            Self::NotOpened(error) => write!(f, "its reply is not sealed by our key: {error}"),
            Self::Reply(error) => write!(f, "its reply is none: {error}"),
            Self::NoLogReply => f.write_str("it does not say what has become of the log"),
            Self::BareKey => f.write_str("it sends the key in plain, for everybody to read"),
            Self::OtherClient => f.write_str("it takes us for another client"),
            Self::ClientId => f.write_str("it calls us by an ID that no packet can carry"),
        }
    }
}

impl std::error::Error for Fault {}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// The server has not given us a key.
    NoKey,
    /// The hello is too long for the server's key.
    NoRoom {
        /// So many bytes.
        length: usize,
        /// And not so many.
        room: usize,
    },
    /// Something is wrong with a key.
    Key(KeyError),
    /// The system has no random bytes.
    Random,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("the server has not given us a key"),
            Self::NoRoom { length, room } => {
                write!(f, "the hello has {length} bytes, and the server's key has room for {room}")
            }
            Self::Key(error) => error.fmt(f),
            Self::Random => f.write_str("the system has no random bytes"),
        }
    }
}

impl std::error::Error for Unsent {}
