//! Messages as files: each under a temporary name until it is complete.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::screen;
use crate::client::error::Error;
use crate::client::hold::Sink;

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
        Ok(directory)
    }

    /// A new file under a temporary name, which begins with a dot and ends in `.part`.
    fn create(&self) -> Result<Unfinished, Error> {
        loop {
            let number = self.temporary.fetch_add(1, Ordering::Relaxed);
            let path = self.path.join(format!(".rollcall-{}-{number}.part", std::process::id()));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Unfinished { path, file }),
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
    fn a_directory_that_takes_no_files_is_refused_at_once() {
        let error = Directory::open("/nonexistent/rollcall").unwrap_err().to_string();
        assert_eq!(error, "cannot create a file in /nonexistent/rollcall: no such file or directory");
    }
}
