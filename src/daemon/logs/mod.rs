//! The log files of the door Residue: `LOGGER.log` in a directory of their own ("Log files").
//!
//! A directory that cannot be written is no reason to end: packets are refused until it can be. One that another daemon
//! writes to is told of at the start. Files are opened by their names again after a signal, so that they can be moved
//! away; a file that is copied and cut to nothing is simply written from its new end.

mod batch;
mod cabinet;
mod directory;
mod file;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::reread::counted;
use super::system::{self, Identity};
use super::{Exit, Failure, may_pass};
use crate::residue::item::BULK_LIMIT;
use crate::residue::store::{LogStore, Packet, StoreError};
use batch::Lines;
use cabinet::Cabinet;
pub(super) use cabinet::Settings;
use directory::{Directory, Obstacle};
pub(super) use file::Sync;

/// How long a signal may wait for a write that is going on: a disk can be very slow.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long something that has failed is left alone at least.
pub(super) const RESPITE: Duration = Duration::from_secs(1);

/// How many logs are open at a time, where there may be so many descriptors: if possible all that a packet can name.
pub(super) fn most_open(descriptors: usize) -> usize {
    (descriptors / 16).clamp(4, BULK_LIMIT)
}

/// The log files, for their clerk, and for whoever hears signals.
#[derive(Clone)]
pub(super) struct Logs {
    cabinet: Arc<Mutex<Cabinet>>,
    /// Whether they are to be opened by their names again.
    stale: Arc<AtomicBool>,
}

impl Logs {
    /// Opens their directory. Where it cannot be had, that is logged, and tried again.
    pub(super) fn open(settings: Settings) -> Result<Self, Failure> {
        system::endure_file_limit();
        let opened = directory::create(&settings.path, None)
            .map_err(Obstacle::from)
            .and_then(|()| Directory::open(&settings.path));
        let warn = |error: &io::Error| {
            log::warn!("logs cannot be stored in {}: {error}", settings.path.display());
        };
        let cabinet = match opened {
            Ok(directory) => {
                // Those that are there may be writable all the same.
                system::may_write(&settings.path).unwrap_or_else(|error| warn(&error));
                Cabinet::new(settings, directory)
            }
            Err(Obstacle::System(error)) if may_pass(&error) => {
                warn(&error);
                let why = format!("the directory {} cannot be opened: {error}", settings.path.display());
                Cabinet::wanting(settings, why)
            }
            Err(obstacle) => return Err(failure(&settings.path, obstacle)),
        };
        Ok(Self { cabinet: Arc::new(Mutex::new(cabinet)), stale: Arc::default() })
    }

    /// Has them opened by their names again, at once if nothing is being written.
    pub(super) fn open_again(&self) {
        self.stale.store(true, Ordering::Release);
        match self.cabinet.try_lock_for(PATIENCE) {
            Some(mut cabinet) => self.renew(&mut cabinet),
            None => log::warn!("a log file is still being written: it is opened again after that"),
        }
    }

    fn renew(&self, cabinet: &mut Cabinet) {
        if self.stale.swap(false, Ordering::Acquire) {
            cabinet.renew();
        }
    }

    /// Writes packets, each of them wholly or not at all.
    fn write(&self, packets: &[Vec<Lines<'_>>]) -> Vec<Result<(), String>> {
        let mut cabinet = self.cabinet.lock();
        self.renew(&mut cabinet);
        let results = batch::append(&mut cabinet, packets);
        // Who asked for it meanwhile may not have waited so long.
        self.renew(&mut cabinet);
        results
    }
}

/// None: nobody can bring any.
impl LogStore for Option<Logs> {
    fn loggers(&mut self) -> Vec<Box<str>> {
        self.as_ref().map_or_else(Vec::new, |logs| logs.cabinet.lock().loggers())
    }

    fn changed_loggers(&mut self) -> Option<Vec<Box<str>>> {
        self.as_ref().and_then(|logs| logs.cabinet.lock().changed_loggers())
    }

    fn append(&mut self, packets: &[Packet]) -> Vec<Result<(), StoreError>> {
        let Some(logs) = self else {
            let closed = StoreError("logs are not taken".to_owned());
            return vec![Err(closed); packets.len()];
        };
        let packets: Vec<Vec<_>> = packets.iter().map(lines).collect();
        logs.write(&packets).into_iter().map(|result| result.map_err(StoreError)).collect()
    }
}

fn lines(packet: &Packet) -> Vec<Lines<'_>> {
    packet.lines().map(|(logger, bytes)| Lines { logger, bytes }).collect()
}

/// Makes the directory of the log files, for whoever the daemon is to become. Where that is not possible, it is tried
/// again when it is opened.
pub(super) fn make_directory(path: &Path, identity: Option<&Identity>) -> Result<(), Failure> {
    match directory::create(path, identity) {
        Err(error) if !may_pass(&error) => Err(failure(path, error.into())),
        _ => Ok(()),
    }
}

/// Looks at the directory, changes nothing, and says what there is to say about it.
pub(super) fn examine(path: &Path) -> Result<String, Failure> {
    match Directory::open(path) {
        Ok(_) => match directory::loggers(path) {
            Ok(loggers) => Ok(counted(loggers.len(), "log")),
            Err(error) => Err(failure(path, error.into())),
        },
        Err(Obstacle::InUse) => Ok("in use by another daemon".to_owned()),
        Err(Obstacle::System(error)) if error.kind() == io::ErrorKind::NotFound => {
            Ok("not there yet".to_owned())
        }
        Err(obstacle) => Err(failure(path, obstacle)),
    }
}

fn failure(path: &Path, obstacle: Obstacle) -> Failure {
    let path = path.display();
    match obstacle {
        Obstacle::InUse => {
            let message = format!(
                "the directory {path} is in use for logs: end the other daemon, or take another directory with \
                 --residue-logs"
            );
            Failure { exit: Exit::Failed, message }
        }
        Obstacle::System(error) => {
            Failure::system(format_args!("cannot use the directory {path} for logs"), &error)
        }
    }
}

#[cfg(test)]
mod tests;
