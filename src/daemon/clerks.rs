//! The clerks of the doors, and what they keep their books in.

#[cfg(feature = "clerks")]
use std::path::PathBuf;

use super::Failure;
#[cfg(feature = "chapp")]
use super::data::{self, Book};
#[cfg(feature = "clerks")]
use super::directory;
use super::files::Files;
#[cfg(feature = "residue")]
use super::logs::{self, Logs};
#[cfg(feature = "clerks")]
use super::options::Addresses;
use super::options::Doors;
#[cfg(feature = "residue")]
use super::residue;
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
    #[cfg(feature = "residue")]
    residue: Option<Residue>,
}

/// What becomes of the logs that the clerk of Residue is brought.
#[cfg(feature = "residue")]
enum Residue {
    /// Nobody can bring any.
    NoLogs,
    /// They are written.
    Logs(logs::Settings),
}

/// How many descriptors the clerks of these doors need, of so many that there may be.
pub(super) fn descriptors(open: &[Kind], limit: usize) -> usize {
    #[cfg(feature = "residue")]
    if open.contains(&Kind::ResidueLog) {
        // The directory besides.
        return logs::most_open(limit) + 1;
    }
    let _ = (open, limit);
    0
}

impl Clerks {
    /// Makes what they need that takes the rights with which the daemon was started. There may be so many descriptors.
    #[cfg_attr(
        not(feature = "clerks"),
        expect(clippy::unnecessary_wraps, reason = "there is nothing that could fail")
    )]
    pub(super) fn prepare(
        doors: &Doors,
        open: &[Kind],
        identity: Option<&Identity>,
        limit: usize,
    ) -> Result<Self, Failure> {
        let _ = (doors, open, identity, limit);
        Ok(Self {
            #[cfg(feature = "chapp")]
            chapp: if open.contains(&Kind::Chapp) { Some(prepare_chapp(doors, identity)?) } else { None },
            #[cfg(feature = "residue")]
            residue: prepare_residue(doors, open, identity, limit)?,
        })
    }

    /// Has them open their books. `files` are what else they go by.
    #[cfg_attr(
        not(feature = "clerks"),
        expect(clippy::unnecessary_wraps, reason = "there is nothing that could fail")
    )]
    pub(super) fn hire(self, doors: &Doors, files: &mut Files) -> Result<Hired, Failure> {
        let _ = (doors, &files);
        #[cfg_attr(not(feature = "clerks"), expect(unused_mut, reason = "there are none"))]
        let mut hired = Hired::new();
        #[cfg(feature = "chapp")]
        if let Some((directory, settings)) = self.chapp {
            let clerk = ChappClerk::new(settings, Book::open(&directory)?);
            hired.push((vec![Kind::Chapp.name()], Box::new(clerk)));
        }
        #[cfg(feature = "residue")]
        if let Some(residue) = self.residue {
            files.logs = match residue {
                Residue::NoLogs => None,
                Residue::Logs(settings) => Some(Logs::open(settings)?),
            };
            let names = RESIDUE.map(Kind::name).to_vec();
            hired.push((names, residue::clerk(&doors.residue, &files.residue, files.logs.clone())));
        }
        Ok(hired)
    }

    /// What there is to say about the books, by the names of the options where there is one. Nothing is changed.
    #[cfg(feature = "clerks")]
    pub(super) fn rows(doors: &Doors) -> Result<Vec<(&'static str, String)>, Failure> {
        let none = || "none".to_owned();
        let shown = |path: Option<PathBuf>| path.map_or_else(none, |path| path.display().to_string());
        let is_open = |kind| !doors.addresses.contains(&(kind, Addresses::Off));
        let (mut data, mut rows) = (None, Vec::new());
        #[cfg(feature = "chapp")]
        {
            let mut found = none();
            if is_open(Kind::Chapp) {
                let directory = find_data(doors)?;
                Book::examine(&directory)?.clone_into(&mut found);
                data = Some(directory);
            }
            rows.push(("database", found));
        }
        #[cfg(feature = "residue")]
        {
            let (mut directory, mut found) = (None, none());
            if is_open(Kind::ResidueLog) {
                let logs = find_logs(doors)?;
                found = logs::examine(&logs)?;
                if doors.residue.logs.directory.is_none() {
                    data = logs.parent().map(ToOwned::to_owned);
                }
                directory = Some(logs);
            }
            rows.extend([("residue-logs", shown(directory)), ("logs", found)]);
        }
        rows.insert(0, ("data", shown(data)));
        Ok(rows)
    }

    #[cfg(not(feature = "clerks"))]
    pub(super) fn rows(_: &Doors) -> Result<Vec<(&'static str, String)>, Failure> {
        Ok(Vec::new())
    }
}

#[cfg(feature = "chapp")]
fn prepare_chapp(doors: &Doors, identity: Option<&Identity>) -> Result<(PathBuf, Settings), Failure> {
    let directory = find_data(doors)?;
    data::make_directory(&directory, identity)?;
    let settings = Settings { name_days: doors.keeping.name_days, ..Settings::new(local_time) };
    Ok((directory, settings))
}

/// The doors that have the same clerk.
#[cfg(feature = "residue")]
const RESIDUE: [Kind; 3] = [Kind::Residue, Kind::ResidueToken, Kind::ResidueLog];

#[cfg(feature = "residue")]
fn prepare_residue(
    doors: &Doors,
    open: &[Kind],
    identity: Option<&Identity>,
    limit: usize,
) -> Result<Option<Residue>, Failure> {
    if !RESIDUE.iter().any(|kind| open.contains(kind)) {
        return Ok(None);
    }
    if !open.contains(&Kind::ResidueLog) {
        return Ok(Some(Residue::NoLogs));
    }
    let path = find_logs(doors)?;
    logs::make_directory(&path, identity)?;
    let sync = if doors.residue.logs.fsync { logs::Sync::Each } else { logs::Sync::Later };
    Ok(Some(Residue::Logs(logs::Settings { path, sync, most_open: logs::most_open(limit) })))
}

/// Where the books of the door chapp are.
#[cfg(feature = "chapp")]
fn find_data(doors: &Doors) -> Result<PathBuf, Failure> {
    directory::find(doors.data.as_deref(), "names and messages", "--chapp off")
}

/// Where the logs are that Residue clients bring.
#[cfg(feature = "residue")]
fn find_logs(doors: &Doors) -> Result<PathBuf, Failure> {
    match &doors.residue.logs.directory {
        Some(named) => Ok(named.clone()),
        None => {
            let data = directory::find(doors.data.as_deref(), "logs", "--residue-log off")?;
            Ok(data.join("logs"))
        }
    }
}

/// A Unix time as `YYYY-MM-DD hh:mm:ss`, where this machine is.
#[cfg(feature = "chapp")]
fn local_time(unix_time: i64) -> String {
    use jiff::{Timestamp, tz::TimeZone};
    let time = Timestamp::from_second(unix_time).unwrap_or_default();
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
