//! What has to be done from day to day, in pieces, while nobody waits: those who are there are noted as seen, and what
//! has been kept for long enough is let go ("Expiry").

use super::keys::Day;
use super::rules::Hearing;
use crate::chapp::name::Name;
use crate::chapp::store::{StoreError, Table};

/// How many entries a piece is about. One name more may go, with all messages to it.
const PIECE: usize = 256;

/// What is left to do of the chores of a day.
#[derive(Default)]
pub(super) struct Chores {
    day: Option<Day>,
    next: Chore,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Chore {
    /// Note who is there, from the name on that follows this one.
    Muster(Option<Name>),
    /// Free names that were not seen for too long.
    Names,
    /// Let go of messages that nobody came for.
    Strays,
    /// Forget what was posted before today.
    Quotas,
    /// Nothing is left to do.
    #[default]
    Rest,
}

impl Chores {
    /// What is to be done next on this day.
    pub(super) fn next(&mut self, today: Day) -> Option<Chore> {
        if self.day != Some(today) {
            *self = Self { day: Some(today), next: Chore::Muster(None) };
        }
        (self.next != Chore::Rest).then(|| self.next.clone())
    }

    /// A piece is done: this comes after it.
    pub(super) fn go_on(&mut self, next: Chore) {
        self.next = next;
    }
}

impl Chore {
    /// Does a piece of it, and says what comes after that.
    pub(super) fn begin(&self, hearing: &mut Hearing<'_>) -> Result<Self, StoreError> {
        match self {
            Self::Muster(last) => muster(hearing, last.as_ref()),
            Self::Names => free_names(hearing),
            Self::Strays => drop_strays(hearing),
            Self::Quotas => forget_quotas(hearing),
            Self::Rest => Ok(Self::Rest),
        }
    }
}

fn muster(hearing: &mut Hearing<'_>, last: Option<&Name>) -> Result<Chore, StoreError> {
    let names: Vec<_> = hearing.live().after(last).take(PIECE).cloned().collect();
    names.iter().try_for_each(|name| hearing.see(name))?;
    let Some(last) = names.into_iter().nth(PIECE - 1) else { return Ok(Chore::Names) };
    Ok(Chore::Muster(Some(last)))
}

fn free_names(hearing: &mut Hearing<'_>) -> Result<Chore, StoreError> {
    let before = hearing.today().seen_before;
    let due = hearing.book().due(Table::Seen, before, PIECE)?;
    for (day, name) in &due {
        if hearing.changes() >= PIECE {
            return Ok(Chore::Names);
        }
        match hearing.person(name)? {
            // It is there, and is noted as seen.
            Some(person) if person.seen == *day => hearing.see(name)?,
            // Freed, or what says so is wrong.
            _ => hearing.book().forget(Table::Seen, *day, name)?,
        }
    }
    Ok(if due.len() < PIECE { Chore::Strays } else { Chore::Names })
}

fn drop_strays(hearing: &mut Hearing<'_>) -> Result<Chore, StoreError> {
    let before = hearing.today().posted_before;
    let due = hearing.book().due(Table::Strays, before, PIECE)?;
    for (day, name) in &due {
        if hearing.changes() >= PIECE {
            return Ok(Chore::Strays);
        }
        // Somebody may have come for them since.
        if hearing.person(name)?.is_none() {
            hearing.book().drop_messages(name, before)?;
        }
        hearing.book().forget(Table::Strays, *day, name)?;
    }
    Ok(if due.len() < PIECE { Chore::Quotas } else { Chore::Strays })
}

fn forget_quotas(hearing: &mut Hearing<'_>) -> Result<Chore, StoreError> {
    let today = hearing.today().day;
    hearing.book().forget_spent(today, PIECE)?;
    Ok(if hearing.changes() < PIECE { Chore::Rest } else { Chore::Quotas })
}
