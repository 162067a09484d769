//! The clerks of the doors, and what they keep their books in.

use std::path::PathBuf;

use super::Failure;
#[cfg(feature = "chapp")]
use super::data::{self, Book};
#[cfg(feature = "chapp")]
use super::options::Addresses;
use super::options::Doors;
use super::system::Identity;
#[cfg(feature = "chapp")]
use crate::chapp::clerk::{ChappClerk, Settings};
use crate::door::Kind;
use crate::session::Clerk;

/// Each with the doors that he is the clerk of.
type Hired = Vec<(Vec<&'static str>, Box<dyn Clerk>)>;

/// The clerks of the doors that are open.
pub(super) struct Clerks {
    /// Where the books of the door chapp are, and how they are to be kept.
    #[cfg(feature = "chapp")]
    chapp: Option<(PathBuf, Settings)>,
}

#[cfg(feature = "chapp")]
impl Clerks {
    /// Makes what they need that takes the rights with which the daemon was started.
    pub(super) fn prepare(
        doors: &Doors,
        open: &[Kind],
        identity: Option<&Identity>,
    ) -> Result<Self, Failure> {
        if !open.contains(&Kind::Chapp) {
            return Ok(Self { chapp: None });
        }
        let keeping = &doors.keeping;
        let directory = data::directory::find(keeping.data.as_deref())?;
        data::make_directory(&directory, identity)?;
        let settings = Settings { name_days: keeping.name_days, ..Settings::new(local_time) };
        Ok(Self { chapp: Some((directory, settings)) })
    }

    /// The directories that the books are in.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.chapp.iter().map(|(directory, _)| directory.clone()).collect()
    }

    /// Has them open their books.
    pub(super) fn hire(self) -> Result<Hired, Failure> {
        let Some((directory, settings)) = self.chapp else { return Ok(Vec::new()) };
        let clerk = ChappClerk::new(settings, Book::open(&directory)?);
        Ok(vec![(vec![Kind::Chapp.name()], Box::new(clerk))])
    }

    /// What there is to say about the books, by the names of the options where there is one. Nothing is changed.
    pub(super) fn rows(doors: &Doors) -> Result<Vec<(&'static str, String)>, Failure> {
        let none = || "none".to_owned();
        if doors.addresses.contains(&(Kind::Chapp, Addresses::Off)) {
            return Ok(vec![("data", none()), ("database", none())]);
        }
        let directory = data::directory::find(doors.keeping.data.as_deref())?;
        let found = Book::examine(&directory)?;
        Ok(vec![("data", directory.display().to_string()), ("database", found.to_owned())])
    }
}

#[cfg(not(feature = "chapp"))]
impl Clerks {
    pub(super) fn prepare(_: &Doors, _: &[Kind], _: Option<&Identity>) -> Result<Self, Failure> {
        Ok(Self {})
    }

    pub(super) fn directories(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    pub(super) fn hire(self) -> Result<Hired, Failure> {
        Ok(Vec::new())
    }

    pub(super) fn rows(_: &Doors) -> Result<Vec<(&'static str, String)>, Failure> {
        Ok(Vec::new())
    }
}

/// A Unix time as `YYYY-MM-DD hh:mm:ss`, where this machine is.
#[cfg(feature = "chapp")]
fn local_time(unix_time: i64) -> String {
    use jiff::{Timestamp, tz::TimeZone};
    let time = Timestamp::from_second(unix_time).unwrap_or_default();
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
