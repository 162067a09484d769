//! What becomes of a packet on the connect port that no client's key seals ("Hello", "Connection errors").
//!
//! ```text
//!     plain:  JSON --ration of 1--> its key is read ----------> the clerk gives ID and key --> the reply is encrypted
//!     RSA:    base64 --ration of 10--> it is decrypted and read -->
//! ```
//!
//! What is refused is refused as soon as that is clear. What that tells by its time: for a plain packet no more
//! than its sender knows, who wrote it. A packet of the right length for RSA is always decrypted, and what does
//! not decrypt becomes junk of random length, which is as little JSON as what does decrypt and was made up:
//! both are refused at the same step, and nobody learns from the time which it was. That a packet says
//! something sensible shows, by its reply too.

use std::sync::Arc;

use crate::residue::books::Clients;
use crate::residue::cipher::KeySize;
use crate::residue::desk::Newcomer;
use crate::residue::pair::{PrivateKey, PublicKey};
use crate::residue::random;
use crate::residue::reply::{ConnectError, Flags};
use crate::residue::request::{Freshness, KeySizeField, Request, RequestKind};

/// How a packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    /// Encrypted to the server's key.
    Rsa,
}

/// By what a packet is judged.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) form: Form,
    pub(super) flags: Flags,
    pub(super) freshness: Freshness,
    pub(super) clients: Arc<Clients>,
}

/// What a packet amounts to.
pub(super) enum Judgement {
    Refused(ConnectError),
    /// Type 2 or 3: how it is refused hangs on whether this ID is on record.
    Misplaced(Box<str>),
    /// A hello whose public key has to be read, which is slow.
    Unread(Unread),
    /// A hello that is to be answered.
    Welcome(Welcome),
}

/// A hello with a public key.
pub(super) struct Unread {
    /// The base64 of a PEM.
    key: Box<str>,
    size: KeySize,
    /// What is wrong even if the key is good.
    otherwise: Option<ConnectError>,
}

/// A hello that is to be answered.
pub(super) struct Welcome {
    pub(super) who: Newcomer,
    pub(super) size: KeySize,
    /// What the reply is encrypted to.
    pub(super) key: Arc<PublicKey>,
}

impl Welcome {
    fn managed(id: Box<str>, key: Arc<PublicKey>, size: KeySize) -> Self {
        Self { who: Newcomer::Managed { id, key: Arc::clone(&key) }, size, key }
    }

    /// What becomes of the hello if the book has another key for the client than when it came, or none: it may have
    /// waited for its ration.
    pub(super) fn judge_anew(self, key: Option<Arc<PublicKey>>) -> Judgement {
        match (self.who, key) {
            (Newcomer::Managed { id, .. }, Some(key)) if has_room(&key, id.len(), self.size) => {
                Judgement::Welcome(Self::managed(id, key, self.size))
            }
            (Newcomer::Managed { .. }, None) => Judgement::Refused(ConnectError::Unknown),
            (Newcomer::Managed { .. } | Newcomer::Unknown, _) => Judgement::Refused(ConnectError::Invalid),
        }
    }
}

impl Rules {
    /// Judges what a packet says, by the first row of the table that fits it.
    pub(super) fn judge(&self, request: Request) -> Judgement {
        let Request { time, kind, client_id, public_key, key_size } = request;
        let is_hello = match kind {
            None => return Judgement::Refused(ConnectError::Invalid),
            Some(RequestKind::Connect) => true,
            Some(RequestKind::Acknowledge | RequestKind::Touch) => false,
        };
        let size = self.size(time, key_size);
        match (client_id, public_key) {
            (Some(id), _) if !is_hello => Judgement::Misplaced(id),
            (Some(id), _) => self.judge_managed(id, size),
            (None, Some(key)) if is_hello => self.judge_unknown(key, size),
            (None, _) => Judgement::Refused(ConnectError::Invalid),
        }
    }

    /// How long the key is to be, in a hello that is fresh and says nothing wrong about it.
    fn size(&self, time: Option<i64>, size: KeySizeField) -> Option<KeySize> {
        let is_fresh = match time {
            Some(time) => self.freshness.covers(time),
            None => !self.flags.has(Flags::REQUIRES_TIMESTAMP),
        };
        match size {
            _ if !is_fresh => None,
            KeySizeField::Missing => Some(KeySize::Bits256),
            KeySizeField::Is(size) => Some(size),
            KeySizeField::Wrong => None,
        }
    }

    fn judge_managed(&self, id: Box<str>, size: Option<KeySize>) -> Judgement {
        if size.is_some() && self.is_plain_off() {
            return Judgement::Refused(ConnectError::PlainOff);
        }
        let Some(key) = self.clients.key(&id) else {
            return Judgement::Refused(ConnectError::Unknown);
        };
        match size {
            Some(size) if has_room(key, id.len(), size) => {
                Judgement::Welcome(Welcome::managed(id, Arc::clone(key), size))
            }
            _ => Judgement::Refused(ConnectError::Invalid),
        }
    }

    fn judge_unknown(&self, key: Box<str>, size: Option<KeySize>) -> Judgement {
        let unknown_off = (!self.flags.has(Flags::UNKNOWN_CLIENTS)).then_some(ConnectError::UnknownOff);
        match (size, unknown_off) {
            (Some(size), _) if self.is_plain_off() => {
                Judgement::Unread(Unread { key, size, otherwise: Some(ConnectError::PlainOff) })
            }
            (_, Some(error)) => Judgement::Refused(error),
            (Some(size), None) => Judgement::Unread(Unread { key, size, otherwise: None }),
            (None, None) => Judgement::Refused(ConnectError::Invalid),
        }
    }

    fn is_plain_off(&self) -> bool {
        self.form == Form::Plain && !self.flags.has(Flags::PLAIN)
    }

    /// Reads the public key of a hello, and judges it. Takes as long as a key exchange at the most.
    pub(super) fn read_key(&self, hello: &Unread) -> Judgement {
        let key = PublicKey::parse(&hello.key).ok().filter(|key| has_room(key, random::NAME, hello.size));
        match (key, hello.otherwise) {
            (Some(key), None) => {
                let key = Arc::new(key);
                Judgement::Welcome(Welcome { who: Newcomer::Unknown, size: hello.size, key })
            }
            (Some(_), Some(error)) => Judgement::Refused(error),
            (None, _) if self.flags.has(Flags::UNKNOWN_CLIENTS) => Judgement::Refused(ConnectError::Invalid),
            (None, _) => Judgement::Refused(ConnectError::UnknownOff),
        }
    }

    /// Decrypts what is as long as the modulus of `own`, and judges it. Slow: as long as a password takes for a
    /// long key.
    pub(super) fn decrypt(&self, own: &PrivateKey, ciphertext: &[u8]) -> Judgement {
        let plain = own.decrypt(ciphertext);
        match Request::parse(&plain).map(|request| self.judge(request)) {
            Ok(Judgement::Unread(hello)) => self.read_key(&hello),
            Ok(judgement) => judgement,
            Err(_) => Judgement::Refused(ConnectError::Invalid),
        }
    }
}

/// Whether the reply to a hello can be encrypted to this key, for an ID so long and a key of this size.
fn has_room(key: &PublicKey, id: usize, size: KeySize) -> bool {
    reply_length(id, size) <= key.room()
}

/// How long the reply to a hello is. No ID has a character that JSON escapes.
fn reply_length(id: usize, size: KeySize) -> usize {
    let digits = match size {
        KeySize::Bits128 => 32,
        KeySize::Bits192 => 48,
        KeySize::Bits256 => 64,
    };
    br#"{"ack":0,"client_id":"","key":"","status":0}"#.len() + id + digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residue::cipher::Key;
    use crate::residue::reply;

    #[test]
    fn the_length_of_a_reply_is_known_beforehand() {
        for size in [KeySize::Bits128, KeySize::Bits192, KeySize::Bits256] {
            for id in ["a", "abcdefghijklmnop", "A@#_.-z9"] {
                let mut reply = Vec::new();
                reply::put_hello(&mut reply, id, &Key::fresh(size).unwrap());
                assert_eq!(reply_length(id.len(), size), reply.len());
            }
        }
    }
}
