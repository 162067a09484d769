//! What a session waits for, and what it knows by then.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::hello::{Judgement, Rules, Welcome};
use super::sealed::Opening;
use crate::residue::desk::Pass;
use crate::residue::envelope;
use crate::residue::pair::{KeyError, PrivateKey, PublicKey};
use crate::residue::reply;

/// What a session waits for. What is large is there only as long as it lasts.
pub(super) enum State {
    /// For a packet.
    Idle,
    /// For the end of a packet that is too long, of which so many bytes are gone.
    Skipping { gone: usize },
    /// To hear by what a packet is opened.
    Learning(Box<Learning>),
    /// For a long packet to be opened.
    Opening(Box<Opening>),
    /// For the clerk's verdict about a packet of the client whose pass it keeps, perhaps on a token for this
    /// logger.
    Asking { logger: Option<Box<str>> },
    /// For what is slow about judging a hello.
    Weighing(Box<Weighing>),
    /// To hear whether an ID is on record that should have come sealed.
    Misplaced,
    /// For an ID and a key for this one.
    Greeting(Box<Welcome>),
    /// For the reply to a hello.
    Encrypting(Box<Encrypting>),
    /// For nothing any more.
    Ending,
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Skipping { .. } => "skipping",
            Self::Learning(_) => "learning",
            Self::Opening(_) => "opening",
            Self::Asking { .. } => "asking",
            Self::Weighing(_) => "weighing",
            Self::Misplaced => "misplaced",
            Self::Greeting(_) => "greeting",
            Self::Encrypting(_) => "encrypting",
            Self::Ending => "ending",
        }
    }
}

/// Whether a connection outlives its next reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Ends,
}

/// A sealed packet whose key is asked for.
pub(super) struct Learning {
    pub(super) packet: Box<[u8]>,
    /// When it came.
    pub(super) unix_time: i64,
    /// What does not open it.
    pub(super) tried: Option<Pass>,
}

/// A packet that may be a hello.
pub(super) struct Weighing {
    pub(super) rules: Rules,
    pub(super) subject: Subject,
}

/// How far that is known.
pub(super) enum Subject {
    /// As long as the modulus of this key.
    Encrypted(Arc<PrivateKey>, Box<[u8]>),
    Judged(Judgement),
}

impl Weighing {
    /// Does what is slow. Most of it is decrypting, if there is something to decrypt.
    pub(super) fn weigh(&mut self) {
        let judgement = match &self.subject {
            Subject::Encrypted(key, ciphertext) => self.rules.decrypt(key, ciphertext),
            Subject::Judged(Judgement::Unread(hello)) => self.rules.read_key(hello),
            Subject::Judged(_) => return,
        };
        self.subject = Subject::Judged(judgement);
    }
}

/// The reply to a hello.
pub(super) struct Encrypting {
    pub(super) key: Arc<PublicKey>,
    pub(super) pass: Pass,
    /// None: it is not there yet.
    pub(super) packet: Option<Result<Vec<u8>, KeyError>>,
}

impl Encrypting {
    /// Makes the packet, which takes as long as a key exchange.
    pub(super) fn encrypt(&mut self) {
        let mut plain = Zeroizing::new(Vec::new());
        reply::put_hello(&mut plain, &self.pass.id, &self.pass.key);
        self.packet = Some(self.key.encrypt(&plain).map(|ciphertext| {
            let mut packet = Vec::new();
            envelope::put_base64(&mut packet, &ciphertext);
            packet
        }));
    }
}
