//! The log files that are open, and the directory that they are in.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::directory::{self, Directory, Obstacle};
use super::file::{Log, NotWritten, Stretch, Sync};
use crate::residue::item::is_logger_name;

/// How log files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::daemon) struct Settings {
    /// The directory that they are in.
    pub(in crate::daemon) path: PathBuf,
    /// When what is written is on the disk.
    pub(in crate::daemon) sync: Sync,
    /// How many of them are open at a time; at least one is, and all that one packet has to do with.
    pub(in crate::daemon) most_open: usize,
    /// How long it is at least until a directory that could not be had is tried again, or a log that could not be
    /// written.
    pub(in crate::daemon) respite: Duration,
}

/// All of them.
pub(super) struct Cabinet {
    settings: Settings,
    place: Place,
    open: HashMap<Box<str>, Drawer>,
    /// How many times a log was looked for.
    turn: u64,
    /// What that was when no log was held. Those that were looked for since are not closed.
    released: u64,
    /// The logs that have failed not long ago.
    ailing: HashMap<Box<str>, Ailment>,
    /// Whether there may be others in the directory than when it was looked at last.
    renewed: bool,
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

/// What is known of a log that has failed.
struct Ailment {
    why: String,
    /// How long the file can be at the most.
    reaches: u64,
    /// Until when that is believed.
    until: Instant,
}

/// Why lines are not in a log: with the name of the file, for the log of the daemon.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What to say.
    pub(super) why: String,
    /// How many bytes it would have taken, as far as is known: less than it was given.
    pub(super) room: u64,
}

impl Cabinet {
    /// One whose directory is open.
    pub(super) fn new(settings: Settings, directory: Directory) -> Self {
        Self::at(settings, Place::Open(directory))
    }

    /// One whose directory cannot be had yet, for this reason.
    pub(super) fn wanting(settings: Settings, why: String) -> Self {
        let place = Place::wanting(why, &settings);
        Self::at(settings, place)
    }

    fn at(settings: Settings, place: Place) -> Self {
        Self {
            settings,
            place,
            open: HashMap::new(),
            turn: 0,
            released: 0,
            ailing: HashMap::new(),
            renewed: false,
        }
    }

    /// Closes all logs, so that they are opened by their names the next time, and looks for the directory by its own.
    pub(super) fn renew(&mut self) {
        self.open.clear();
        self.ailing.clear();
        self.renewed = true;
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

    /// The same, if somebody may have changed that since.
    pub(super) fn changed_loggers(&mut self) -> Option<Vec<Box<str>>> {
        if !self.renewed {
            return None;
        }
        // Where the directory cannot be read, it is tried again the next time.
        let found = directory::loggers(&self.settings.path).ok()?;
        self.renewed = false;
        Some(found)
    }

    /// How many logs are open at a time where nothing needs more.
    pub(super) fn most_open(&self) -> usize {
        self.settings.most_open.max(1)
    }

    /// Sees to it that a log is open, and stays open until all are released; whichever was not looked for the longest is
    /// closed for it.
    pub(super) fn hold(&mut self, name: &str) -> Result<(), Trouble> {
        self.turn += 1;
        if let Some(drawer) = self.open.get_mut(name) {
            drawer.turn = self.turn;
            return Ok(());
        }
        let log = self.find(name).map_err(|why| Trouble { why, room: 0 })?;
        self.make_room(self.most_open() - 1);
        self.open.insert(name.into(), Drawer { log, turn: self.turn });
        Ok(())
    }

    /// Has those closed again that are too many.
    pub(super) fn release(&mut self) {
        self.released = self.turn;
        self.make_room(self.most_open());
    }

    /// What speaks against writing to a log that is held: it has failed just now.
    pub(super) fn known_trouble(&mut self, name: &str) -> Option<Trouble> {
        let ailment = self.ailing.get(name)?;
        if ailment.until <= Instant::now() {
            self.ailing.remove(name);
            return None;
        }
        let length = self.open.get(name).and_then(|drawer| drawer.log.length().ok()).unwrap_or(u64::MAX);
        let room = ailment.reaches.saturating_sub(length);
        Some(Trouble { why: ailment.why.clone(), room })
    }

    /// Writes to the end of a log that is held, all of it or nothing.
    pub(super) fn append(&mut self, name: &str, lines: &[&[u8]]) -> Result<Stretch, Trouble> {
        let sync = self.settings.sync;
        let log = self.held(name).map_err(|why| Trouble { why, room: 0 })?;
        log.append(lines, sync).map_err(|not_written| self.note(name, not_written))
    }

    /// Remembers that a log has failed, so that it is not tried time and again with all that others have in the same
    /// packets.
    fn note(&mut self, name: &str, NotWritten { error, left, room, reached }: NotWritten) -> Trouble {
        let mut why = format!("{name}.log cannot be written: {error}");
        // Where it takes some, less may fit. Who has failed with less than was thought to fit does not get another try.
        let room = if self.ailing.contains_key(name) { 0 } else { room };
        let reaches = if room == 0 { 0 } else { reached };
        let now = Instant::now();
        self.ailing.retain(|_, ailment| ailment.until > now);
        self.ailing
            .insert(name.into(), Ailment { why: why.clone(), reaches, until: now + self.settings.respite });
        let Some(left) = left else { return Trouble { why, room } };
        why += &format!("; nor can what was written of it be taken back: {left}");
        Trouble { why, room: 0 }
    }

    /// Cuts off what was written last to a log that has been held ever since.
    pub(super) fn take_back(&mut self, name: &str, stretch: Stretch) -> Result<(), String> {
        let taken = self.held(name)?.take_back(stretch);
        taken.map_err(|error| format!("what was written to {name}.log cannot be taken back: {error}"))
    }

    /// A log that is held. It is never looked for by its name, which may be another file's by now.
    fn held(&mut self, name: &str) -> Result<&mut Log, String> {
        let drawer = self.open.get_mut(name).ok_or_else(|| format!("{name}.log is not open"))?;
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
                Ok(directory) => {
                    self.renewed = true;
                    Place::Open(directory)
                }
                Err(why) => Place::wanting(why, &self.settings),
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

    /// Closes what is not held until only so many are open.
    fn make_room(&mut self, most: usize) {
        while self.open.len() > most {
            let free = self.open.iter().filter(|(_, drawer)| drawer.turn <= self.released);
            let oldest = free.min_by_key(|(_, drawer)| drawer.turn);
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
    fn wanting(why: String, settings: &Settings) -> Self {
        Self::Wanting { why, again: Instant::now() + settings.respite }
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
