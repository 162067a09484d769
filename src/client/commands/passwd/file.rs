//! The users file: read whole, and replaced whole or not at all.

use std::fmt;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::client::commands::screen;
use crate::client::error::Error;
use crate::fmltp::users::{self, Draft, FILE_LIMIT, UsersError};

/// Nobody but its owner reads or writes it.
const MODE: u32 = 0o600;

/// Where users are kept.
#[derive(Debug)]
pub(super) struct UsersFile {
    /// The file itself: where the path that was given is a link, what the link leads to.
    path: PathBuf,
}

impl UsersFile {
    /// The file at `path`, which need not be there.
    pub(super) fn at(path: &str) -> Result<Self, Error> {
        let is_link = fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink());
        let led = if is_link { fs::canonicalize(path) } else { Ok(path.into()) };
        led.map(|path| Self { path })
            .map_err(|cause| Error::local(format!("find the file that the link {path} leads to"), cause))
    }

    /// What is in the file.
    pub(super) fn read(&self) -> Result<Draft, Error> {
        match self.open()? {
            Some(file) => self.draft(&file),
            None => Err(self.error("read", io::Error::from_raw_os_error(libc::ENOENT))),
        }
    }

    /// What is in the file, or nothing if there is none.
    pub(super) fn read_or_begin(&self) -> Result<Draft, Error> {
        self.open()?.map_or_else(|| Ok(Draft::default()), |file| self.draft(&file))
    }

    /// Changes what is in the file. Somebody else who does so waits until we are done, and then sees it.
    pub(super) fn edit<T>(&self, change: impl Fn(&mut Draft) -> Result<T, Error>) -> Result<T, Error> {
        loop {
            let there = self.open()?;
            if there.as_ref().is_some_and(|file| !self.is_kept(file)) {
                continue;
            }
            let mut draft = there.as_ref().map_or_else(|| Ok(Draft::default()), |file| self.draft(file))?;
            let outcome = change(&mut draft)?;
            let text = draft.text();
            if text.len() > FILE_LIMIT {
                return Err(self.too_long());
            }
            match self.replace(there.as_ref(), &text) {
                Ok(()) => return Ok(outcome),
                Err(error) if there.is_none() && error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.error("write", error)),
            }
        }
    }

    /// None if there is no file.
    fn open(&self) -> Result<Option<File>, Error> {
        match fs::metadata(&self.path) {
            Ok(there) if !there.is_file() => Err(Error::Unfit(format!("{self} is no regular file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => File::open(&self.path).map(Some).map_err(|error| self.error("read", error)),
        }
    }

    /// Locks the file that was just opened; false if another one has taken its place meanwhile.
    fn is_kept(&self, file: &File) -> bool {
        // Where there are no locks, the last one wins.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            screen::note(format_args!("waiting for another program that has locked {self}"));
            let _ = file.lock();
        }
        let Ok(ours) = file.metadata() else { return true };
        fs::metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }

    fn draft(&self, file: &File) -> Result<Draft, Error> {
        let mut bytes = Vec::new();
        file.take(FILE_LIMIT as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.error("read", error))?;
        if bytes.len() > FILE_LIMIT {
            return Err(self.too_long());
        }
        let invalid = |error: UsersError| Error::Unfit(format!("{self}: {error}"));
        Draft::parse(&users::text(bytes).map_err(invalid)?).map_err(invalid)
    }

    /// Puts a file with this text in the place of the one that is there, or where none is. What is there stays
    /// whole until the new one is whole on disk.
    fn replace(&self, there: Option<&File>, text: &str) -> io::Result<()> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let opened = File::open(directory)?;
        let mut new = NamedTempFile::with_prefix_in(".rollcall-users-", directory)?;
        new.write_all(text.as_bytes())?;
        if let Some(there) = there {
            keep_owner(there, new.as_file())?;
        }
        // Made for its owner alone as well, but less what the umask takes.
        new.as_file().set_permissions(Permissions::from_mode(MODE))?;
        new.as_file().sync_all()?;
        match there {
            Some(_) => new.persist(&self.path)?,
            None => new.persist_noclobber(&self.path)?,
        };
        // It is there: to say that it is not written would be wrong.
        if let Err(error) = opened.sync_all() {
            log::warn!(
                "{self} is new, but may be the old one again if the machine ends all at once: {error}"
            );
        }
        Ok(())
    }

    fn too_long(&self) -> Error {
        Error::Unfit(format!("more than {FILE_LIMIT} bytes are not read, and {self} would be longer"))
    }

    fn error(&self, doing: &str, cause: io::Error) -> Error {
        Error::local(format!("{doing} {self}"), cause)
    }
}

impl fmt::Display for UsersFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// A daemon that has given up root reads the file again as somebody else, whose it has to stay.
fn keep_owner(old: &File, new: &File) -> io::Result<()> {
    let (old, ours) = (old.metadata()?, new.metadata()?);
    if old.uid() == ours.uid() {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}
