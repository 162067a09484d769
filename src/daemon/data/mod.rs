//! What the daemon keeps beyond its end: a directory, and in it the database of the door chapp.
//!
//! A database that cannot be written is no reason to end, as long as it is whole: what is there can be read, and
//! writing is tried again and again. One that is damaged, or that somebody else has open, is told of at the start,
//! and is left as it is.

mod draft;
mod file;
mod tables;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::system::{self, Identity};
use super::{Exit, Failure, directory, may_pass};
use crate::chapp::store::{Store, StoreError, Work};
use file::{Obstacle, Scrutiny};
use tables::{Access, Setback};

/// The name of the database in its directory.
const NAME: &str = "chapp.redb";
/// How long it is at least until a database that has failed is tried again.
const RESPITE: Duration = Duration::from_secs(1);
/// How much longer than the last try took it is until the next one: the database may be a large one.
const RESPITE_FACTOR: u32 = 10;

/// The database of the door chapp.
pub(super) struct Book {
    path: PathBuf,
    state: State,
}

enum State {
    /// All is well.
    Open(redb::Database),
    /// It cannot be written.
    Ailing {
        /// Why.
        why: StoreError,
        /// When it is tried again.
        again: Instant,
        /// Whether it can be read meanwhile.
        reading: Reading,
    },
}

enum Reading {
    NotTried,
    Possible(redb::Database),
    Impossible,
}

impl Book {
    /// Opens the database in this directory, or makes a new one. Where it cannot be written, that is logged.
    pub(super) fn open(directory: &Path) -> Result<Self, Failure> {
        system::endure_file_limit();
        let path = directory.join(NAME);
        let opened = look_through(&path).and_then(|_| open(&path));
        let state = match opened {
            Ok(database) => State::Open(database),
            Err(Obstacle::System(error)) if may_pass(&error) => {
                log::warn!("names and messages cannot be stored in {}: {error}", path.display());
                State::ailing(error.to_string(), Duration::ZERO)
            }
            Err(obstacle) => return Err(failure(&path, obstacle)),
        };
        Ok(Self { path, state })
    }

    /// Looks through the database in this directory, changes nothing, and says what there is to say about it.
    pub(super) fn examine(directory: &Path) -> Result<&'static str, Failure> {
        let path = directory.join(NAME);
        match look_through(&path) {
            Ok(Found::Whole) => Ok("whole"),
            Ok(Found::Nothing) => Ok("not there yet"),
            Err(Obstacle::InUse) => Ok("in use by another daemon, and not looked at"),
            Err(obstacle) => Err(failure(&path, obstacle)),
        }
    }

    /// Tries to open it again.
    fn try_again(&mut self) {
        let start = Instant::now();
        // The draft shares the file with others who read it, but not with who writes it.
        if let State::Ailing { reading, .. } = &mut self.state {
            *reading = Reading::NotTried;
        }
        self.state = match open(&self.path) {
            Ok(database) => State::Open(database),
            Err(obstacle) => State::ailing(obstacle.to_string(), start.elapsed()),
        };
    }
}

impl State {
    fn ailing(why: String, effort: Duration) -> Self {
        let respite = RESPITE.max(effort.saturating_mul(RESPITE_FACTOR));
        Self::Ailing { why: StoreError(why), again: Instant::now() + respite, reading: Reading::NotTried }
    }
}

impl Store for Book {
    fn transact(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        if let State::Ailing { again, .. } = &self.state
            && *again <= Instant::now()
        {
            self.try_again();
        }
        match &mut self.state {
            State::Open(database) => {
                tables::transact(database, Access::Full, work).map_err(|setback| match setback {
                    Setback::Work(error) => error,
                    Setback::Database(error) => {
                        // It cannot be used any more until it is opened again.
                        self.state = State::ailing(error.to_string(), Duration::ZERO);
                        StoreError(error.to_string())
                    }
                })
            }
            State::Ailing { why, reading, .. } => reading.transact(&self.path, why, work),
        }
    }
}

impl Reading {
    /// Has `work` read, and hear why nothing else is possible.
    fn transact(&mut self, path: &Path, why: &StoreError, work: &mut Work<'_>) -> Result<(), StoreError> {
        if let Self::NotTried = self {
            *self = file::draft(path, Scrutiny::Casual).map_or(Self::Impossible, Self::Possible);
        }
        let Self::Possible(database) = self else { return Err(why.clone()) };
        tables::transact(database, Access::Reading(why), work).map_err(|setback| match setback {
            Setback::Work(error) => error,
            Setback::Database(error) => {
                *self = Self::Impossible;
                StoreError(error.to_string())
            }
        })
    }
}

/// Makes the directory of the database, for whoever the daemon is to become. Where that is not possible, it is tried again
/// when the database is opened.
pub(super) fn make_directory(path: &Path, identity: Option<&Identity>) -> Result<(), Failure> {
    match directory::create(path, identity) {
        Err(error) if !may_pass(&error) => {
            Err(Failure::system(format_args!("cannot make the directory {}", path.display()), &error))
        }
        _ => Ok(()),
    }
}

/// What there is where the database should be.
enum Found {
    Nothing,
    Whole,
}

/// Looks at all of a database, without changing anything.
fn look_through(path: &Path) -> Result<Found, Obstacle> {
    if file::is_missing(path)? {
        return Ok(Found::Nothing);
    }
    file::draft(path, Scrutiny::Thorough).map(|_| Found::Whole)
}

fn open(path: &Path) -> Result<redb::Database, Obstacle> {
    path.parent().map_or(Ok(()), |directory| directory::create(directory, None))?;
    file::open(path)
}

fn failure(path: &Path, obstacle: Obstacle) -> Failure {
    let path = path.display();
    let message = match obstacle {
        Obstacle::InUse => format!(
            "the database {path} is in use: end the other daemon, or take another directory with --data"
        ),
        Obstacle::Damaged(why) => format!(
            "the database {path} is damaged, and was left as it is: {why}; put back a copy, or move it away to \
             begin with an empty one"
        ),
        Obstacle::Foreign(why) => format!("the database {path} cannot be read: {why}"),
        Obstacle::System(error) => {
            return Failure::system(format_args!("cannot open the database {path}"), &error);
        }
    };
    Failure { exit: Exit::Failed, message }
}

#[cfg(test)]
mod tests;
