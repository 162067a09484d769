//! The file that says which process is the daemon.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Exit, Failure, system};

/// The file, for as long as the daemon runs.
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes this process's number to `path`, whole or not at all.
    pub(super) fn write(path: &Path) -> Result<Self, Failure> {
        examine(path)?;
        let temporary = path.with_added_extension(std::process::id().to_string());
        let written = write_new(&temporary).and_then(|()| fs::rename(&temporary, path));
        written.map_err(|error| {
            // What could not be finished is not left behind.
            let _ = fs::remove_file(&temporary);
            cannot_write(path, &error)
        })?;
        Ok(Self { path: path.to_owned() })
    }
}

impl PidFile {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another daemon may have put its own number there since.
        let is_ours = fs::read_to_string(&self.path).is_ok_and(|there| there == content());
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            log::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn content() -> String {
    format!("{}\n", std::process::id())
}

/// Writes a file that was not there: whatever lies in its place is taken away first, and never followed.
fn write_new(path: &Path) -> io::Result<()> {
    let create = || File::options().write(true).create_new(true).mode(0o644).open(path);
    let mut file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()?
        }
        created => created?,
    };
    file.write_all(content().as_bytes())
}

/// Sees whether `path` can be such a file: what is there now and is no regular file is left alone.
pub(super) fn examine(path: &Path) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let may_write = || system::may_write(directory).map_err(|error| cannot_write(path, &error));
    let no_place = || cannot_write(path, &io::Error::from(io::ErrorKind::NotFound));
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => may_write(),
        Ok(_) => {
            let message =
                format!("--pid-file cannot be written to {}, which is no regular file", path.display());
            Err(Failure { exit: Exit::Failed, message })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => may_write(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_place()),
        Err(error) => Err(cannot_write(path, &error)),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::system(format_args!("--pid-file cannot be written to {}", path.display()), error)
}
