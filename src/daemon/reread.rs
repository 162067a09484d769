//! What people write into files for the daemon: read at the start, and again whenever it is told to.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use zeroize::Zeroizing;

use super::{Exit, Failure};

/// In the mode of a file with an access control list, what stands for the group's right to read is the most that
/// anybody has by the list.
const READ_BY_LIST: u32 = 0o040;

/// What can be read from a file, or from a directory of files.
pub(super) trait Content: Sized {
    /// What messages call where it is: "the NAME PATH is not right".
    const NAME: &'static str;
    /// What becomes of what is there when it cannot be read again.
    const STAYS: &'static str;

    /// Reads it.
    fn load(path: &Path) -> Result<Self, Failure>;

    /// What there is, in words: "3 users".
    fn told(&self) -> String;

    /// Whether it could be read again.
    fn look(path: &Path) -> io::Result<()> {
        File::open(path).map(drop)
    }
}

/// What was read, as it was when it was last found right.
pub(super) struct Kept<T> {
    path: PathBuf,
    content: RwLock<Arc<T>>,
}

impl<T: Content> Kept<T> {
    /// Reads what is at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let content = T::load(path)?;
        log::info!("{} in {}", content.told(), path.display());
        Ok(Self { path: path.to_owned(), content: RwLock::new(Arc::new(content)) })
    }

    /// Warns if it was read by rights that have been given up since.
    pub(super) fn look_ahead(&self) {
        if let Err(error) = T::look(&self.path) {
            let (name, path) = (T::NAME, self.path.display());
            log::warn!("the {name} {path} cannot be read again as it is now: {error}");
        }
    }

    /// Reads it again. If it is not right, all stays as it was.
    pub(super) fn read_again(&self) {
        match T::load(&self.path) {
            Ok(content) => {
                log::info!("read again: {} in {}", content.told(), self.path.display());
                *self.content.write() = Arc::new(content);
            }
            Err(Failure { message, .. }) => log::error!("{message}; {}", T::STAYS),
        }
    }

    /// What was read last.
    pub(super) fn content(&self) -> Arc<T> {
        Arc::clone(&self.content.read())
    }
}

/// What others than its owner have no business to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Anything.
    Secret,
    /// To write to it.
    #[cfg(feature = "residue")]
    Public,
}

impl Care {
    fn forbidden(self) -> u32 {
        match self {
            Self::Secret => 0o077,
            #[cfg(feature = "residue")]
            Self::Public => 0o022,
        }
    }

    fn advised(self) -> &'static str {
        match self {
            Self::Secret => "0600",
            #[cfg(feature = "residue")]
            Self::Public => "0644",
        }
    }
}

/// Reads a file of at most `limit` bytes, which messages call `name`. That others may do too much with it is warned of.
pub(super) fn read(name: &str, path: &Path, limit: usize, care: Care) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let unread =
        |error: io::Error| Failure::system(format_args!("cannot read the {name} {}", path.display()), &error);
    // Asked before it is opened: to open a pipe could take for ever.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err(unfit(name, path, "is no regular file"));
    }
    let file = File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    let mode = metadata.permissions().mode() & 0o7777;
    let allowed = if is_credential(path) { READ_BY_LIST } else { 0 };
    if mode & care.forbidden() & !allowed != 0 {
        let (path, advised) = (path.display(), care.advised());
        log::warn!("the {name} {path} is open to others: its mode is {mode:04o}, not {advised}");
    }
    // With room for all of it, so that no copy is left where it had less.
    let room = usize::try_from(metadata.len()).unwrap_or(limit).min(limit);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room.saturating_add(1)));
    file.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > limit {
        return Err(unfit(name, path, &format!("is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// What is in a file cannot be used.
pub(super) fn unfit(name: &str, path: &Path, what: &str) -> Failure {
    Failure { exit: Exit::Failed, message: format!("the {name} {} {what}", path.display()) }
}

/// So many of something.
pub(super) fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// Whether a supervisor has put the file where we alone can read it, which it does by an access control list.
fn is_credential(path: &Path) -> bool {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
    directory.is_some_and(|directory| path.starts_with(directory))
}
