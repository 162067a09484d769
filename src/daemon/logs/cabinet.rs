//! The log files that are open, and the directory that they are in.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::directory::{self, Directory, Obstacle};
use super::file::{Log, NotWritten, Stretch, Sync};
use crate::residue::item::is_logger_name;

/// How long it is at least until a directory that could not be had is tried again.
const RESPITE: Duration = Duration::from_secs(1);

/// How log files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::daemon) struct Settings {
    /// The directory that they are in.
    pub(in crate::daemon) path: PathBuf,
    /// When what is written is on the disk.
    pub(in crate::daemon) sync: Sync,
    /// How many of them are open at a time; at least one is.
    pub(in crate::daemon) most_open: usize,
}

/// All of them.
pub(super) struct Cabinet {
    settings: Settings,
    place: Place,
    open: HashMap<Box<str>, Drawer>,
    /// How many times a log was looked for.
    turn: u64,
}

/// The directory.
enum Place {
    Open(Directory),
    /// It could not be had.
    Wanting {
        why: String,
        /// When it is tried again.
        again: Instant,
    },
}

/// A log, and when it was last looked for.
struct Drawer {
    log: Log,
    turn: u64,
}

/// Why lines are not in a log: with the name of the file, for the log of the daemon.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What to say.
    pub(super) why: String,
    /// Whether the file may have kept some of it.
    pub(super) remains: Remains,
}

/// What a write that failed has left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remains {
    /// Nothing.
    Nothing,
    /// Lines that could not be taken back.
    Some,
}

impl Cabinet {
    /// One whose directory is open.
    pub(super) fn new(settings: Settings, directory: Directory) -> Self {
        Self { settings, place: Place::Open(directory), open: HashMap::new(), turn: 0 }
    }

    /// One whose directory cannot be had yet, for this reason.
    pub(super) fn wanting(settings: Settings, why: String) -> Self {
        Self { settings, place: Place::wanting(why), open: HashMap::new(), turn: 0 }
    }

    /// Closes all logs, so that they are opened by their names the next time, and looks for the directory by its own.
    pub(super) fn renew(&mut self) {
        self.open.clear();
        let path = &self.settings.path;
        match &mut self.place {
            Place::Open(directory) if directory.is_at(path) => {}
            Place::Open(_) => match reach(path) {
                Ok(directory) => self.place = Place::Open(directory),
                Err(why) => log::error!("{why}; logs go to the directory that was there before"),
            },
            Place::Wanting { again, .. } => *again = Instant::now(),
        }
    }

    /// The loggers that have a log.
    pub(super) fn loggers(&self) -> Vec<Box<str>> {
        // Where the directory cannot be read, there are none that could be written to.
        directory::loggers(&self.settings.path).unwrap_or_default()
    }

    /// Sees to it that a log is open.
    pub(super) fn reach(&mut self, name: &str) -> Result<(), String> {
        self.log(name).map(|_| ())
    }

    /// Writes lines to the end of a log, all of them or none.
    pub(super) fn append(&mut self, name: &str, lines: &[u8]) -> Result<Stretch, Trouble> {
        let sync = self.settings.sync;
        let log = self.log(name).map_err(|why| Trouble { why, remains: Remains::Nothing })?;
        log.append(lines, sync).map_err(|NotWritten { error, left }| {
            let mut why = format!("{name}.log cannot be written: {error}");
            if let Some(left) = &left {
                why += &format!("; nor can what was written of it be taken back: {left}");
            }
            Trouble { why, remains: left.map_or(Remains::Nothing, |_| Remains::Some) }
        })
    }

    /// Cuts off what was written last to a log.
    pub(super) fn take_back(&mut self, name: &str, stretch: Stretch) -> Result<(), String> {
        let taken = self.log(name)?.take_back(stretch);
        taken.map_err(|error| format!("what was written to {name}.log cannot be taken back: {error}"))
    }

    /// A log, open; whichever was not looked for the longest is closed for it.
    fn log(&mut self, name: &str) -> Result<&mut Log, String> {
        self.turn += 1;
        let turn = self.turn;
        if !self.open.contains_key(name) {
            let log = self.find(name)?;
            self.make_room();
            self.open.insert(name.into(), Drawer { log, turn });
        }
        // It is there, or was put there just now.
        let drawer = self.open.get_mut(name).ok_or_else(|| format!("{name}.log is not open"))?;
        drawer.turn = turn;
        Ok(&mut drawer.log)
    }

    fn find(&mut self, name: &str) -> Result<Log, String> {
        if !is_logger_name(name) {
            return Err("a log cannot have that name".to_owned());
        }
        if let Place::Wanting { again, .. } = &self.place
            && *again <= Instant::now()
        {
            self.place = match reach(&self.settings.path) {
                Ok(directory) => Place::Open(directory),
                Err(why) => Place::wanting(why),
            };
        }
        match &self.place {
            Place::Open(directory) => {
                let found = directory.log(name, self.settings.sync);
                found.map_err(|error| format!("{name}.log cannot be opened: {error}"))
            }
            Place::Wanting { why, .. } => Err(why.clone()),
        }
    }

    fn make_room(&mut self) {
        while self.open.len() >= self.settings.most_open.max(1) {
            let oldest = self.open.iter().min_by_key(|(_, drawer)| drawer.turn);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { return };
            self.open.remove(&name);
        }
    }

    /// How many logs are open.
    #[cfg(test)]
    pub(super) fn open_logs(&self) -> usize {
        self.open.len()
    }
}

impl Place {
    fn wanting(why: String) -> Self {
        Self::Wanting { why, again: Instant::now() + RESPITE }
    }
}

/// Makes the directory if it is not there, and opens it.
fn reach(path: &std::path::Path) -> Result<Directory, String> {
    let opened = directory::create(path, None).map_err(Obstacle::from).and_then(|()| Directory::open(path));
    opened.map_err(|obstacle| match obstacle {
        Obstacle::InUse => format!("the directory {} is in use by another daemon", path.display()),
        Obstacle::System(error) => format!("the directory {} cannot be opened: {error}", path.display()),
    })
}
