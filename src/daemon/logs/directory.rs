//! The directory of the log files: one daemon's at a time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use super::file::{Log, Sync};
use crate::daemon::directory;
use crate::daemon::system::{self, Identity, Missing};

/// For who keeps it, and a group that may read it.
const MODE: u32 = 0o750;
/// How many logs there may be before clients get no more by new names.
pub(super) const MOST_NAMES: usize = 1024;
/// How the names of log files end.
const ENDING: &str = ".log";

/// The directory, open and locked.
pub(super) struct Directory {
    handle: File,
    /// How many logs there are in it.
    names: usize,
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
        let names = count(path)?;
        Ok(Self { handle, names })
    }

    /// Whether this is what is to be found under `path` now.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let (Ok(ours), Ok(there)) = (self.handle.metadata(), fs::metadata(path)) else { return false };
        (ours.dev(), ours.ino()) == (there.dev(), there.ino())
    }

    /// How many logs are in it.
    pub(super) fn names(&self) -> usize {
        self.names
    }

    /// Counts anew what is in it.
    pub(super) fn count_again(&mut self, path: &Path) {
        if let Ok(names) = count(path) {
            self.names = names;
        }
    }

    /// Opens the log of this name, or makes it where there are not too many.
    pub(super) fn log(&mut self, name: &str, sync: Sync) -> io::Result<Log> {
        let file_name = format!("{name}{ENDING}");
        match system::open_log(&self.handle, &file_name, Missing::Fail) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return Log::new(opened?),
        }
        if self.names >= MOST_NAMES {
            return Err(io::Error::other(format!("there are {} logs already", self.names)));
        }
        let log = Log::new(system::open_log(&self.handle, &file_name, Missing::Create)?)?;
        self.names += 1;
        if sync == Sync::Each {
            // What becomes durable in the file is of no use without the way to it.
            self.handle.sync_all()?;
        }
        Ok(log)
    }
}

/// How many logs there are in a directory.
fn count(path: &Path) -> io::Result<usize> {
    let mut names = 0;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        names += usize::from(name.is_some_and(is_logger));
    }
    Ok(names)
}

/// Whether a log may have this name: it is a file name of its own kind, and nothing else.
pub(super) fn is_logger(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fits)
}
