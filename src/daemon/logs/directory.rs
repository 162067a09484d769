//! The directory of the log files: one daemon's at a time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use super::file::{Log, Sync};
use crate::daemon::directory;
use crate::daemon::system::{self, Identity, Missing};
use crate::residue::item::is_logger_name;

/// For who keeps it, and a group that may read it.
const MODE: u32 = 0o750;
/// How the names of log files end.
const ENDING: &str = ".log";

/// The directory, open and locked.
pub(super) struct Directory {
    handle: File,
}

/// Why it cannot be had.
pub(super) enum Obstacle {
    /// Another daemon has it.
    InUse,
    /// The system does not let us.
    System(io::Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Makes the directory where it is not there, and the ones that it is in, for whoever the daemon is to become.
pub(super) fn create(path: &Path, identity: Option<&Identity>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        directory::create(parent, identity)?;
    }
    match DirBuilder::new().mode(MODE).create(path) {
        // Another daemon may have made it just now.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            identity.map_or(Ok(()), |identity| identity.own(path))?;
            directory::sync_parent(path)
        }
    }
}

impl Directory {
    /// Opens it, and keeps other daemons from it.
    pub(super) fn open(path: &Path) -> Result<Self, Obstacle> {
        let handle = File::open(path)?;
        if !handle.metadata()?.is_dir() {
            return Err(Obstacle::System(ErrorKind::NotADirectory.into()));
        }
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Obstacle::InUse),
            Err(TryLockError::Error(error)) => {
                log::warn!("other daemons cannot be kept from {}: {error}", path.display());
            }
        }
        Ok(Self { handle })
    }

    /// Whether this is what is to be found under `path` now.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(there)) = (self.handle.metadata(), fs::metadata(path)) else { return false };
        (ours.dev(), ours.ino()) == (there.dev(), there.ino())
    }

    /// Opens the log of this name, or makes it.
    pub(super) fn log(&self, name: &str, sync: Sync) -> io::Result<Log> {
        let file_name = format!("{name}{ENDING}");
        match system::open_log(&self.handle, &file_name, Missing::Fail) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return Log::new(opened?),
        }
        let log = Log::new(system::open_log(&self.handle, &file_name, Missing::Create)?)?;
        if sync == Sync::Each {
            // What becomes durable in the file is of no use without the way to it.
            self.handle.sync_all()?;
        }
        Ok(log)
    }
}

/// The loggers that have a log in a directory.
pub(super) fn loggers(path: &Path) -> io::Result<Vec<Box<str>>> {
    let mut loggers = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        loggers.extend(name.filter(|name| is_logger_name(name)).map(Box::from));
    }
    Ok(loggers)
}
