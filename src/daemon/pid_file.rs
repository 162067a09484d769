//! The file that says which process is the daemon.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file, for as long as the daemon runs.
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes this process's number to `path`, whole or not at all.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}", std::process::id()));
        let temporary = path.with_file_name(name);
        let written = fs::write(&temporary, format!("{}\n", std::process::id()))
            .and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            // What could not be finished is not left behind.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("cannot remove {}: {error}", self.path.display());
        }
    }
}
