//! Messages as files: each under a temporary name until it is complete.
//!
//! A process that is killed leaves its temporary files behind. Each is locked as long as somebody writes it, so
//! that the next process can tell which are nobody's, and removes those.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::screen;
use crate::client::error::Error;
use crate::client::hold::Sink;

/// What temporary names begin with, and what they end in.
const TEMPORARY: (&str, &str) = (".rollcall-", ".part");
/// Bytes of a nickname that become part of a file name.
const NICKNAME_LIMIT: usize = 40;

/// A directory that messages go to.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Numbers of temporary files.
    temporary: AtomicU64,
    /// Numbers of messages; those of earlier runs are stepped over.
    complete: AtomicU64,
}

impl Directory {
    /// The directory at `path`, which has to exist and to take files.
    pub(super) fn open(path: &str) -> Result<Self, Error> {
        let path = PathBuf::from(path);
        let directory = Self { path, temporary: AtomicU64::new(0), complete: AtomicU64::new(1) };
        // Found out now rather than when somebody calls.
        let probe = directory.create()?;
        directory.remove(&probe);
        if let Err(error) = directory.sweep() {
            log::warn!("cannot look for what was left in {}: {error}", directory.path.display());
        }
        Ok(directory)
    }

    /// Removes the temporary files that nobody writes any more.
    fn sweep(&self) -> io::Result<()> {
        let (begin, end) = TEMPORARY;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_ours = entry.file_name().to_str().is_some_and(|name| {
                name.strip_prefix(begin).is_some_and(|name| name.strip_suffix(end).is_some())
            });
            // A file that cannot be looked at is somebody else's to remove.
            if !is_ours || !entry.file_type()?.is_file() {
                continue;
            }
            let Ok(file) = File::options().write(true).open(entry.path()) else { continue };
            if file.try_lock().is_ok() {
                // It may have got its name, and lost this one, in this very moment.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// A new file under a temporary name, which begins with a dot and ends in `.part`.
    fn create(&self) -> Result<Unfinished, Error> {
        loop {
            let number = self.temporary.fetch_add(1, Ordering::Relaxed);
            let (begin, end) = TEMPORARY;
            let path = self.path.join(format!("{begin}{}-{number}{end}", std::process::id()));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) if is_kept(&file, &path) => return Ok(Unfinished { path, file }),
                // Somebody who swept up took it for left behind, between the two.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(self.error("create a file in", cause)),
            }
        }
    }

    /// Gives a complete file its final name, which nobody else has: the next number, and who sent it.
    fn complete(&self, file: &Unfinished, nickname: &str) -> Result<PathBuf, Error> {
        loop {
            let number = self.complete.fetch_add(1, Ordering::Relaxed);
            let path = self.path.join(format!("{number:06}-{nickname}"));
            match give_name(&file.path, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(self.error("name a file in", cause)),
            }
        }
    }

    fn remove(&self, file: &Unfinished) {
        if let Err(error) = fs::remove_file(&file.path) {
            log::warn!("{} stays: {error}", file.path.display());
        }
    }

    fn error(&self, doing: &str, cause: io::Error) -> Error {
        Error::local(format!("{doing} {}", self.path.display()), cause)
    }
}

/// Locks the file that was just made at `path`; false if it is being removed, or has been.
fn is_kept(file: &File, path: &Path) -> bool {
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return false;
    }
    // Where there are no locks, nobody sweeps.
    let Ok(ours) = file.metadata() else { return true };
    fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
}

/// Renames, but never over a file that is there.
fn give_name(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without links: whoever makes the same name in this very moment loses.
        Err(_) if to.try_exists()? => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

/// A file that is not complete.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    file: File,
}

/// The messages of one call, each on its way into a file.
#[derive(Debug)]
pub(super) struct FileSink {
    directory: Arc<Directory>,
    nickname: String,
    unfinished: HashMap<u32, Unfinished>,
}

impl FileSink {
    pub(super) fn new(directory: Arc<Directory>, nickname: &str) -> Self {
        Self { directory, nickname: file_name(nickname), unfinished: HashMap::new() }
    }

    fn file(&mut self, id: u32) -> Result<&mut Unfinished, Error> {
        match self.unfinished.entry(id) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => Ok(entry.insert(self.directory.create()?)),
        }
    }
}

impl Sink for FileSink {
    fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file(id)?.file.write_all(bytes);
        written.map_err(|cause| self.directory.error("write to a file in", cause))
    }

    fn ended(&mut self, id: u32) -> Result<(), Error> {
        // The empty message has no file before its end.
        self.file(id)?;
        let Some(file) = self.unfinished.remove(&id) else {
            return Ok(());
        };
        let path =
            self.directory.complete(&file, &self.nickname).inspect_err(|_| self.directory.remove(&file))?;
        screen::line(&path.display().to_string())
    }

    fn dropped(&mut self, id: u32) {
        if let Some(file) = self.unfinished.remove(&id) {
            self.directory.remove(&file);
        }
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        self.unfinished.values().for_each(|file| self.directory.remove(file));
    }
}

/// What of a nickname is harmless in the name of a file.
fn file_name(nickname: &str) -> String {
    let harmless = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    crate::wire::text::truncate(nickname, NICKNAME_LIMIT).chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("rollcall-files-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn directory(&self) -> Arc<Directory> {
            Arc::new(Directory::open(self.0.to_str().unwrap()).unwrap())
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete_and_not_before() {
        let scratch = Scratch::new("complete");
        let mut sink = FileSink::new(scratch.directory(), "../alice");
        sink.part(7, b"hel").unwrap();
        assert!(scratch.files()[0].starts_with(".rollcall-") && scratch.files()[0].ends_with(".part"));
        sink.part(7, b"lo").unwrap();
        sink.ended(7).unwrap();
        sink.ended(8).unwrap();
        assert_eq!(scratch.files(), ["000001-___alice", "000002-___alice"]);
        assert_eq!(fs::read(scratch.0.join("000001-___alice")).unwrap(), b"hello");
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_done_stays() {
        let scratch = Scratch::new("overwrite");
        fs::write(scratch.0.join("000001-bob"), "precious").unwrap();
        let mut sink = FileSink::new(scratch.directory(), "bob");
        sink.part(1, b"new").unwrap();
        sink.part(2, b"half").unwrap();
        sink.part(3, b"half").unwrap();
        sink.ended(1).unwrap();
        sink.dropped(2);
        drop(sink);
        assert_eq!(scratch.files(), ["000001-bob", "000002-bob"]);
        assert_eq!(fs::read(scratch.0.join("000001-bob")).unwrap(), b"precious");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_being_written_is_not() {
        let scratch = Scratch::new("sweep");
        let theirs = ["precious.part", ".rollcall-1.txt", ".rollcall-dir.part"];
        theirs[..2].iter().for_each(|name| fs::write(scratch.0.join(name), "precious").unwrap());
        fs::create_dir(scratch.0.join(theirs[2])).unwrap();
        let mut sink = FileSink::new(scratch.directory(), "bob");
        sink.part(1, b"begun").unwrap();
        fs::write(scratch.0.join(".rollcall-1-0.part"), "left").unwrap();
        assert_eq!(scratch.files().len(), 5);
        scratch.directory();
        let files = scratch.files();
        assert_eq!(files.len(), 4, "{files:?}");
        assert!(theirs.iter().all(|name| files.iter().any(|file| file == name)), "{files:?}");
        sink.ended(1).unwrap();
        assert_eq!(fs::read(scratch.0.join("000001-bob")).unwrap(), b"begun");
    }

    #[test]
    fn a_directory_that_takes_no_files_is_refused_at_once() {
        let error = Directory::open("/nonexistent/rollcall").unwrap_err().to_string();
        assert_eq!(error, "cannot create a file in /nonexistent/rollcall: no such file or directory");
    }
}
