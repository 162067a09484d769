//! What a packet says that a client's key seals ("Established", "Tokens", "Logs").

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::Settings;
use crate::residue::cipher::{CipherError, Inflated, Mark, inflate_within};
use crate::residue::desk::{Entry, Lines, Pass, Port, Question};
use crate::residue::envelope::{self, Envelope};
use crate::residue::item::{self, Items, ItemsError, Limits};
use crate::residue::json::{JsonError, JsonProblem};
use crate::residue::packet::INFLATED_LIMIT;
use crate::residue::reply::Flags;
use crate::residue::request::{Request, RequestKind, TokenRequest};
use crate::residue::room::LINES_LIMIT;
use crate::session::Effort;

/// How much is done about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pains {
    /// What takes some tens of microseconds.
    AtOnce,
    /// What takes some milliseconds.
    Brief,
    /// Whatever it takes.
    Long,
}

impl Pains {
    /// The bytes that a packet may have.
    fn limit(self) -> usize {
        match self {
            Self::AtOnce => 8 << 10,
            Self::Brief => 64 << 10,
            Self::Long => usize::MAX,
        }
    }

    /// The bytes that it may have once it is inflated.
    fn inflated(self) -> usize {
        match self {
            Self::AtOnce => 32 << 10,
            Self::Brief => 256 << 10,
            Self::Long => INFLATED_LIMIT,
        }
    }

    /// What is to be done instead about a packet of so many bytes, for which this is not enough.
    pub(super) fn more(self, length: usize) -> Option<Effort> {
        match self {
            Self::AtOnce if length < Self::Brief.limit() => Some(Effort::Brief),
            Self::AtOnce | Self::Brief => Some(Effort::Long),
            Self::Long => None,
        }
    }
}

impl From<Effort> for Pains {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Brief => Self::Brief,
            Effort::Long => Self::Long,
        }
    }
}

/// A packet that is to be opened, and what has come of that.
pub(super) struct Opening {
    pub(super) packet: Box<[u8]>,
    pub(super) pass: Pass,
    pub(super) trust: Trust,
    /// When the packet came.
    pub(super) unix_time: i64,
    pub(super) pains: Pains,
    /// None: nothing yet.
    pub(super) reading: Option<Reading>,
}

/// A packet that was looked at.
pub(super) struct Sealed<'a> {
    pub(super) packet: Cow<'a, [u8]>,
    pub(super) pass: Pass,
    pub(super) trust: Trust,
    /// When it came.
    pub(super) unix_time: i64,
    /// How it was looked at.
    pub(super) pains: Pains,
}

/// How sure it is that a pass is that of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It was that of an earlier packet. The client may have another key by now.
    Kept,
    /// The clerk has said so when the packet was there.
    Told,
}

/// What a packet says.
pub(super) enum Reading {
    /// What nobody has said who has the key, as far as one can see. Whether it is the padding or what is in it
    /// makes no difference.
    Junk(Flaw),
    /// Something, but nothing that is served. It is answered as junk is, but it does not count toward the end of the
    /// connection: so whoever sends packets that he has changed learns whether they are JSON, and by that, with some
    /// hundred tries a byte, what is in them. The protocol has nothing that a server could do about that, and its
    /// manual page says so.
    Invalid(Mark),
    /// What the clerk has to decide.
    Question {
        question: Question,
        /// Which logger a token is for: the reply repeats it.
        logger: Option<Box<str>>,
    },
    /// More than is done with these pains.
    TooMuch,
}

/// Why a packet is junk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Cipher(CipherError),
    Json(JsonError),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cipher(error) => error.fmt(f),
            Self::Json(error) => error.fmt(f),
        }
    }
}

/// Who reads packets: one session, at one time.
pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    pub(super) port: Port,
    pub(super) peer: SocketAddr,
    pub(super) unix_time: i64,
}

impl Reader<'_> {
    /// Reads a packet if that is done with these pains.
    pub(super) fn read(&self, packet: &[u8], pass: &Pass, pains: Pains) -> Reading {
        if packet.len() >= pains.limit() {
            return Reading::TooMuch;
        }
        let Envelope::Aes(sealed) = envelope::read(packet) else {
            return Reading::Junk(Flaw::Cipher(CipherError::Length(0)));
        };
        let opened = match pass.key.open(&sealed) {
            Ok(opened) => opened,
            Err(error) => return Reading::Junk(Flaw::Cipher(error)),
        };
        let about = About { pass, mark: opened.mark };
        match self.port {
            Port::Connect => self.request(&opened.plain, about),
            Port::Token => self.token_request(&opened.plain, about),
            Port::Log if self.settings.flags.has(Flags::COMPRESSION) => {
                match inflate_within(&opened.plain, pains.inflated()) {
                    Inflated::Plain => self.items(&opened.plain, about),
                    Inflated::Text(text) => self.items(&text, about),
                    Inflated::TooLong if pains != Pains::Long => Reading::TooMuch,
                    // It decrypts, and it inflates: only who has the key makes such a packet.
                    Inflated::TooLong => Reading::Invalid(about.mark),
                }
            }
            Port::Log => self.items(&opened.plain, about),
        }
    }

    fn request(&self, plain: &[u8], about: About<'_>) -> Reading {
        let request = match Request::parse(plain) {
            Ok(request) => request,
            Err(error) => return Reading::Junk(Flaw::Json(error)),
        };
        let is_same = request.client_id.as_deref() == Some(&*about.pass.id);
        match request.kind {
            _ if !is_same || !self.is_fresh(request.time) => Reading::Invalid(about.mark),
            Some(RequestKind::Acknowledge) => {
                about.ask(|pass, mark| Question::Acknowledge { pass, mark, address: self.peer })
            }
            Some(RequestKind::Touch) => about.ask(|pass, mark| Question::Touch { pass, mark }),
            Some(RequestKind::Connect) | None => Reading::Invalid(about.mark),
        }
    }

    fn token_request(&self, plain: &[u8], about: About<'_>) -> Reading {
        let TokenRequest { time, logger, access_code, token } = match TokenRequest::parse(plain) {
            Ok(request) => request,
            Err(error) => return Reading::Junk(Flaw::Json(error)),
        };
        let Some(logger) = logger.filter(|_| self.is_fresh(time)) else {
            return Reading::Invalid(about.mark);
        };
        match token {
            // In place of an access code: with one, it is an old token that the client is about to replace.
            Some(token) if access_code.is_none() => {
                about.ask(|pass, mark| Question::CheckToken { pass, mark, logger, token })
            }
            _ => Reading::Question {
                logger: Some(logger.clone()),
                question: Question::AskToken {
                    pass: about.pass.clone(),
                    mark: about.mark,
                    logger,
                    access_code,
                },
            },
        }
    }

    fn items(&self, text: &[u8], about: About<'_>) -> Reading {
        let has_bulk = self.settings.flags.has(Flags::BULK);
        let limit = usize::try_from(self.settings.bulk_limit).unwrap_or(usize::MAX);
        let limits = Limits {
            bulk: has_bulk.then_some(limit),
            freshness: Some(self.settings.freshness(self.unix_time)),
        };
        match item::parse(text, &limits) {
            Ok(items) => self.log(&items, about),
            Err(ItemsError::Json(JsonError { problem: JsonProblem::TooMany, .. })) => {
                Reading::Invalid(about.mark)
            }
            Err(ItemsError::Json(error)) => Reading::Junk(Flaw::Json(error)),
            Err(ItemsError::NoBulk | ItemsError::Empty | ItemsError::NoneValid(_)) => {
                Reading::Invalid(about.mark)
            }
        }
    }

    /// The lines that the items become, if there is room for them.
    fn log(&self, items: &Items<'_>, about: About<'_>) -> Reading {
        let format = self.settings.line_format;
        let limit = items.valid.iter().map(|item| item::line_limit(item, format)).sum();
        if limit > LINES_LIMIT {
            return Reading::Invalid(about.mark);
        }
        let Some(mut share) = self.settings.room.take(limit) else {
            return about.ask(|pass, mark| Question::NoRoom { pass, mark });
        };
        // All at once: what grows takes more than what it was given room for.
        let mut text = Vec::with_capacity(limit);
        let entries = items.valid.iter().map(|item| {
            let begin = text.len();
            item::put_line(&mut text, item, format);
            Entry { logger: item.logger().into(), token: item.token(), line: begin..text.len() }
        });
        let entries = entries.collect();
        text.shrink_to_fit();
        share.shrink_to(text.capacity());
        about.ask(|pass, mark| Question::Log { pass, mark, lines: Lines { text, entries, share } })
    }

    /// Whether something was sent just now, and says so.
    fn is_fresh(&self, time: Option<i64>) -> bool {
        time.is_some_and(|time| self.settings.freshness(self.unix_time).covers(time))
    }
}

/// Whose packet it is, and which.
#[derive(Clone, Copy)]
struct About<'a> {
    pass: &'a Pass,
    mark: Mark,
}

impl About<'_> {
    fn ask(self, question: impl FnOnce(Pass, Mark) -> Question) -> Reading {
        Reading::Question { question: question(self.pass.clone(), self.mark), logger: None }
    }
}
