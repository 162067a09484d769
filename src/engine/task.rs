//! What connections have others do, and what comes back.

use std::sync::Arc;

use crate::roll::{Applicant, Member};
use crate::session::{Answer, Ask, Effort, Session};

/// A connection's name: a late answer must never reach the next tenant of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Where replies go.
pub(super) trait Mailbox: Send + Sync {
    /// Leaves a reply for the connection of this name. Never waits.
    fn post(&self, name: Name, reply: Reply);
}

/// What comes back.
pub(super) enum Reply {
    /// The roll was changed.
    Answer(Answer),
    /// A session has been away.
    Back(Returned),
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
}

impl Lane {
    pub(super) const ALL: [Self; 3] = [Self::Roll, Self::Brief, Self::Long];
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
    pub(super) reply: Option<(Arc<dyn Mailbox>, Name)>,
}

/// A session that is to do its slow part, and who wants it back.
pub(super) struct Chore {
    pub(super) session: Box<dyn Session>,
    pub(super) effort: Effort,
    pub(super) reply: (Arc<dyn Mailbox>, Name),
}

/// Something to be done.
pub(super) enum Task {
    Roll(RollTask),
    Chore(Chore),
}

impl Task {
    /// What a session asks for. It goes along where it is needed; none if it is needed and not there.
    pub(super) fn new(
        ask: Ask,
        lend: impl FnOnce() -> Option<Box<dyn Session>>,
        reply: (Arc<dyn Mailbox>, Name),
    ) -> Option<Self> {
        let change = match ask {
            Ask::Join(applicant) => Change::Join(applicant),
            Ask::Leave(member) => Change::Leave(member),
            Ask::Toil(effort) => return Some(Self::Chore(Chore { session: lend()?, effort, reply })),
        };
        Some(Self::Roll(RollTask { change, reply: Some(reply) }))
    }

    /// Takes somebody off the roll who will not hear of it.
    pub(super) fn leave(member: Member) -> Self {
        Self::Roll(RollTask { change: Change::Leave(member), reply: None })
    }

    /// Which way it takes.
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::Roll(_) => Lane::Roll,
            Self::Chore(chore) => chore.effort.into(),
        }
    }

    /// Whether there will be a reply.
    pub(super) fn is_replied_to(&self) -> bool {
        !matches!(self, Self::Roll(RollTask { reply: None, .. }))
    }
}
