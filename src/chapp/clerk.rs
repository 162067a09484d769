//! The clerk: who may have which name, and what happens to messages ("Names").
//!
//! All that comes in one go is worked out in order within one transaction, and only what has become durable is told.
//! What has not become durable has not happened: whoever asked for it hears so, and everybody has the name that they
//! had before.

mod book;
mod chores;
mod keys;
mod live;
mod rules;

use super::desk::Question;
use super::store::{Store, StoreError};
use crate::session::{Caller, Case, Clerk, Letter, Matter, Moment, Office};
use chores::Chores;
use live::Live;
use rules::{Hearing, Today};

/// How often the log is told of what keeps the clerk from his work, in seconds.
const COMPLAINT_INTERVAL: u64 = 60;
/// How often the clerk tidies up though he is never idle, in seconds.
const TIDYING_INTERVAL: u64 = 10;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For how many whole days a name is kept that is not seen; 0: for ever ("Expiry").
    pub name_days: u32,
    /// For how many whole days messages are kept to a name that nobody has ("Expiry").
    pub message_days: u32,
    /// How many messages an address may post on a UTC day ("Quotas").
    pub daily_messages: u64,
    /// How many bytes all these messages may have ("Quotas").
    pub daily_bytes: u64,
    /// A Unix time as `YYYY-MM-DD hh:mm:ss`, in the server's local time ("Messages").
    pub local_time: fn(i64) -> String,
}

impl Settings {
    /// The defaults of the manual, with this clock.
    pub fn new(local_time: fn(i64) -> String) -> Self {
        Self { name_days: 30, message_days: 30, daily_messages: 10_000, daily_bytes: 16 << 20, local_time }
    }
}

/// Keeps the books of the door chapp.
pub struct ChappClerk<S> {
    settings: Settings,
    store: S,
    live: Live,
    chores: Chores,
    /// When he tidied up last, as Unix time.
    tidied: i64,
    health: Health,
}

/// Whether what has to be stored can be stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// It cannot, which the log was told at this Unix time.
    Ailing(i64),
}

/// A case whose paper was read.
enum Affair {
    Ask(Caller, Question),
    Gone(Caller),
}

impl<S: Store> ChappClerk<S> {
    /// A clerk who keeps these books; nobody is there yet.
    pub fn new(settings: Settings, store: S) -> Self {
        let (live, chores) = (Live::default(), Chores::default());
        Self { settings, store, live, chores, tidied: i64::MIN, health: Health::Well }
    }

    /// Works out all of it within one transaction, and says what is to be told.
    fn work(&mut self, unix_time: i64, affairs: &[Affair]) -> Vec<Letter> {
        let today = Today::new(unix_time, &self.settings);
        let (mut letters, mut changes, mut trouble) = (Vec::new(), 0, None);
        let start = self.live.mark();
        let outcome = self.store.transact(&mut |tables| {
            let mut hearing = Hearing::new(tables, &mut self.live, &today, &self.settings);
            affairs.iter().try_for_each(|affair| hearing.deal_with(affair))?;
            changes = hearing.changes();
            (letters, trouble) = hearing.end();
            Ok(())
        });
        if let Err(error) = outcome {
            self.live.undo_to(start);
            letters = affairs.iter().filter_map(|affair| rules::failed(affair, &mut self.live)).collect();
            trouble = Some(error);
        }
        self.live.settle();
        self.note(unix_time, trouble, changes);
        letters
    }

    /// Does a piece of what has to be done from day to day.
    fn tidy(&mut self, unix_time: i64) {
        let today = Today::new(unix_time, &self.settings);
        let Some(chore) = self.chores.next(today.day) else { return };
        let (mut after, mut changes) = (None, 0);
        let outcome = self.store.transact(&mut |tables| {
            let mut hearing = Hearing::new(tables, &mut self.live, &today, &self.settings);
            after = Some(chore.begin(&mut hearing)?);
            changes = hearing.changes();
            Ok(())
        });
        self.note(unix_time, outcome.as_ref().err().cloned(), changes);
        if let (Ok(()), Some(after)) = (outcome, after) {
            self.chores.go_on(after);
        }
    }

    /// Tells the log what keeps the clerk from his work, but not all the time; and when it is over.
    fn note(&mut self, unix_time: i64, trouble: Option<StoreError>, changes: usize) {
        match (trouble, self.health) {
            (Some(_), Health::Ailing(told)) if unix_time.abs_diff(told) < COMPLAINT_INTERVAL => {}
            (Some(error), _) => {
                log::warn!("chapp: nothing can be stored: {error}");
                self.health = Health::Ailing(unix_time);
            }
            (None, Health::Ailing(_)) if changes > 0 => {
                log::info!("chapp: it can be stored again");
                self.health = Health::Well;
                // Of those who came in the meantime it could not be noted that they are there.
                self.chores = Chores::default();
            }
            (None, _) => {}
        }
    }
}

impl<S: Store> Clerk for ChappClerk<S> {
    fn deal(&mut self, Moment { unix_time, .. }: Moment, cases: Vec<Case>, office: &mut dyn Office) {
        let is_idle = cases.is_empty();
        if !is_idle {
            let affairs: Vec<_> = cases.into_iter().map(open).collect();
            self.work(unix_time, &affairs).into_iter().for_each(|letter| office.send(letter));
        }
        if is_idle || unix_time.abs_diff(self.tidied) >= TIDYING_INTERVAL {
            self.tidied = unix_time;
            self.tidy(unix_time);
        }
    }
}

fn open(case: Case) -> Affair {
    match case.matter {
        Matter::Ask(paper) => match paper.downcast() {
            Ok(question) => Affair::Ask(case.from, *question),
            Err(_) => unreachable!("the sessions of this door ask nothing else"),
        },
        Matter::Gone => Affair::Gone(case.from),
    }
}

#[cfg(test)]
pub(crate) mod tests;
