//! What connections have others do, and what comes back.

use std::sync::Arc;

use super::conn::Conn;
use crate::roll::{Applicant, Member};
use crate::session::{Answer, Ask, Case, Effort, Matter, Paper, Session};

/// A connection's name: a late answer must never reach the next tenant of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl From<Name> for u64 {
    fn from(Name { slot, generation }: Name) -> Self {
        Self::from(generation) << 32 | Self::from(slot)
    }
}

impl From<u64> for Name {
    #[expect(clippy::cast_possible_truncation, reason = "it is taken apart")]
    fn from(number: u64) -> Self {
        Self { slot: number as u32, generation: (number >> 32) as u32 }
    }
}

/// Where replies go.
pub(super) trait Mailbox: Send + Sync {
    /// Leaves a reply for the connection of this name. Never waits.
    fn post(&self, name: Name, reply: Reply);

    /// Leaves what the connection did not ask for. Never waits: where there is no room for it, the connection
    /// is to be closed.
    fn mail(&self, name: Name, mail: Mail);
}

/// Whose mailbox it is, and which connection it is for.
pub(super) type Sender = (Arc<dyn Mailbox>, Name);

/// Something from a clerk that nobody asked for.
pub(super) struct Mail {
    pub(super) paper: Paper,
    /// In bytes.
    pub(super) size: usize,
}

/// What comes back.
pub(super) enum Reply {
    /// The roll was changed, or the clerk has dealt with it.
    Answer(Answer),
    /// A session has been away.
    Back(Returned),
}

/// What lies in a mailbox.
pub(super) enum Parcel {
    Reply(Reply),
    Mail(Mail),
}

/// A session that has been away to do its slow part.
pub(super) struct Returned {
    pub(super) session: Box<dyn Session>,
    pub(super) effort: Effort,
    pub(super) outcome: Toil,
}

/// Whether a session's slow part is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toil {
    Done,
    /// The daemon ends.
    Skipped,
}

/// Which way a task takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Roll,
    Brief,
    Long,
    Clerk,
}

impl Lane {
    pub(super) const ALL: [Self; 4] = [Self::Roll, Self::Brief, Self::Long, Self::Clerk];
}

impl From<Effort> for Lane {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Brief => Self::Brief,
            Effort::Long => Self::Long,
        }
    }
}

impl Reply {
    /// The way that the task took to which this is the reply.
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::Answer(Answer::Clerk(_)) => Lane::Clerk,
            Self::Answer(_) => Lane::Roll,
            Self::Back(Returned { effort, .. }) => (*effort).into(),
        }
    }
}

/// A change of the roll.
pub(super) enum Change {
    Join(Applicant),
    Leave(Member),
}

/// A change of the roll on its way, and who wants to hear what comes of it.
pub(super) struct RollTask {
    pub(super) change: Change,
    pub(super) reply: Option<Sender>,
}

/// A session that is to do its slow part, and who wants it back.
pub(super) struct Chore {
    pub(super) session: Box<dyn Session>,
    pub(super) effort: Effort,
    pub(super) reply: Sender,
}

/// Something for the clerk of a door, and who wants to hear what comes of it.
pub(super) struct Errand {
    pub(super) door: &'static str,
    pub(super) case: Case,
    pub(super) reply: Option<Sender>,
}

/// Something to be done.
pub(super) enum Task {
    Roll(RollTask),
    Chore(Chore),
    Errand(Errand),
}

impl Task {
    /// What the session of `conn` asks for. It goes along where it is needed; none if it is needed and not there.
    pub(super) fn new(ask: Ask, conn: &mut Conn, reply: Sender) -> Option<Self> {
        let change = match ask {
            Ask::Join(applicant) => Change::Join(applicant),
            Ask::Leave(member) => Change::Leave(member),
            // What is rationed has become toil where that is kept; elsewhere it is as much as anybody wants.
            Ask::Toil(effort) | Ask::Rationed { effort, .. } => {
                return Some(Self::Chore(Chore { session: conn.lend_session()?, effort, reply }));
            }
            Ask::Clerk(paper) => {
                let (door, from) = conn.introduce_to_clerk();
                let case = Case { from, matter: Matter::Ask(paper) };
                return Some(Self::Errand(Errand { door, case, reply: Some(reply) }));
            }
        };
        Some(Self::Roll(RollTask { change, reply: Some(reply) }))
    }

    /// What others have to be told once `conn` has ended: that its client is off the roll, and no more.
    pub(super) fn partings(conn: &mut Conn) -> impl Iterator<Item = Self> + use<> {
        let leave = conn
            .take_leaver()
            .map(|member| Self::Roll(RollTask { change: Change::Leave(member), reply: None }));
        let gone = conn.take_goodbye().map(|(door, from)| {
            Self::Errand(Errand { door, case: Case { from, matter: Matter::Gone }, reply: None })
        });
        leave.into_iter().chain(gone)
    }

    /// Which way it takes.
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::Roll(_) => Lane::Roll,
            Self::Chore(chore) => chore.effort.into(),
            Self::Errand(_) => Lane::Clerk,
        }
    }

    /// Whether there will be a reply.
    pub(super) fn is_replied_to(&self) -> bool {
        !matches!(self, Self::Roll(RollTask { reply: None, .. }) | Self::Errand(Errand { reply: None, .. }))
    }
}
