//! What the client is told ("Connection errors", "Tokens", "Logs").

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::session::{Server, Turn, ours};
use super::state::{Fate, State};
use crate::residue::desk::{Pass, Port};
use crate::residue::envelope;
use crate::residue::packet::DELIMITER;
use crate::residue::random;
use crate::residue::reply::{self, ConnectError, Established, LogReply, TokenError};
use crate::session::Fault;

/// So many packets that no client on record has sealed, and no more ("Framing").
const JUNK_LIMIT: u8 = 16;
/// How long nothing is said on the token port after a reply: some clients take two that come together for one.
const SPACING: Duration = Duration::from_millis(50);

impl Server {
    /// The answer to what is not sealed, on a port where it has to be.
    pub(super) fn tell_junk(&mut self, turn: &mut Turn<'_>) {
        self.count_junk();
        self.tell_unreadable(turn);
    }

    /// The answer to what cannot be read at all.
    pub(super) fn tell_unreadable(&mut self, turn: &mut Turn<'_>) {
        match self.port {
            Port::Connect => self.tell_plain(turn, |out| reply::put_error(out, ConnectError::Invalid)),
            Port::Token => self.tell_plain(turn, |out| reply::put_token_error(out, TokenError::NoLogger)),
            Port::Log => self.tell_log(LogReply::NotTaken, turn),
        }
    }

    /// The answer to what somebody has sealed whose ID is not on record.
    pub(super) fn tell_stranger(&mut self, turn: &mut Turn<'_>) {
        self.note(&"it seals a packet and is not on record");
        self.count_junk();
        match self.port {
            Port::Connect => self.tell_plain(turn, |out| reply::put_error(out, ConnectError::NotConnected)),
            Port::Token => self.tell_plain(turn, |out| reply::put_token_error(out, TokenError::NotConnected)),
            Port::Log => self.tell_log(LogReply::NoClient, turn),
        }
    }

    /// The answer to what is not sealed and not served.
    pub(super) fn refuse(&mut self, error: ConnectError, turn: &mut Turn<'_>) {
        self.note(&error.text());
        self.count_junk();
        self.tell_plain(turn, |out| reply::put_error(out, error));
    }

    /// The answer to what is sealed and not served. It is sealed itself, and the same whatever is wrong; only by
    /// whether it counts toward the end of the connection it shows if it was understood.
    pub(super) fn tell_invalid(&mut self, turn: &mut Turn<'_>) -> Result<(), Fault> {
        match self.port {
            Port::Connect => self.seal(turn, |out| reply::put_error(out, ConnectError::Invalid)),
            Port::Token => self.seal(turn, |out| reply::put_token_error(out, TokenError::NoLogger)),
            Port::Log => {
                self.tell_log(LogReply::NotTaken, turn);
                Ok(())
            }
        }
    }

    /// The client is alive.
    pub(super) fn tell_established(
        &mut self,
        pass: &Pass,
        date_created: i64,
        age: u64,
        turn: &mut Turn<'_>,
    ) -> Result<(), Fault> {
        let settings = Arc::clone(&self.settings);
        let told = Established {
            client_id: &pass.id,
            key: &pass.key,
            age,
            date_created,
            flags: settings.flags,
            logging_port: settings.logging_port,
            token_port: settings.token_port,
            max_bulk_size: settings.bulk_limit,
            licensee: &settings.licensee,
            version: &settings.version,
        };
        self.seal(turn, |out| reply::put_established(out, &told))
    }

    pub(super) fn tell_log(&mut self, reply: LogReply, turn: &mut Turn<'_>) {
        turn.out.bytes().extend_from_slice(reply.packet());
        self.said(turn);
    }

    fn tell_plain(&mut self, turn: &mut Turn<'_>, put: impl FnOnce(&mut Vec<u8>)) {
        put(turn.out.bytes());
        turn.out.bytes().extend_from_slice(DELIMITER);
        self.said(turn);
    }

    /// Says something under the key that the session has.
    pub(super) fn seal(&mut self, turn: &mut Turn<'_>, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        let pass = self.pass.as_ref().ok_or_else(|| ours("there is nobody to seal it for"))?;
        let mut plain = Zeroizing::new(Vec::new());
        put(&mut plain);
        let iv = random::iv().map_err(|_| ours("the system has no random bytes"))?;
        envelope::put(turn.out.bytes(), &iv, None, &pass.key.seal(&plain, iv));
        self.said(turn);
        Ok(())
    }

    /// A packet has got its reply.
    pub(super) fn said(&mut self, turn: &mut Turn<'_>) {
        turn.out.apart();
        match (self.fate, self.port) {
            (Fate::Ends, _) => {
                turn.out.close();
                return self.enter(State::Ending, "that was the last reply");
            }
            (Fate::Stays, Port::Token) => turn.out.rest(turn.now + SPACING),
            (Fate::Stays, Port::Connect | Port::Log) => {}
        }
        self.enter(State::Idle, "it has its reply");
    }

    /// One packet more that no client on record has sealed.
    pub(super) fn count_junk(&mut self) {
        self.junk = self.junk.saturating_add(1);
        if self.junk >= JUNK_LIMIT {
            self.note(&"too much of what it sends is sealed by nobody on record");
            self.fate = Fate::Ends;
        }
    }
}
