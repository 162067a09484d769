//! One log file: whole lines at its end, or none.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;

/// When what is written is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum Sync {
    /// When the system thinks fit.
    Later,
    /// Before it counts as written.
    Each,
}

/// A log file that is open.
pub(super) struct Log {
    file: File,
    last_line: LastLine,
}

/// How the last line of a file ends, as far as we know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLine {
    /// By a line feed.
    Ended,
    /// Perhaps by none: what comes next must not be taken for its rest.
    Unknown,
}

/// What was written to the end of a file, for taking it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    start: u64,
    end: u64,
}

/// Why lines are not in a file.
#[derive(Debug)]
pub(super) struct NotWritten {
    /// What the system says.
    pub(super) error: io::Error,
    /// What it has taken before that and could not be made to give back; none if it is all as before.
    pub(super) left: Option<io::Error>,
}

impl Log {
    /// A log in this file, which is read to see whether its last line has ended.
    ///
    /// # Errors
    /// When it is no regular file.
    pub(super) fn new(file: File) -> io::Result<Self> {
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(Self { file, last_line: LastLine::Unknown })
    }

    /// Writes lines to the end, all of them or none, if possible by one call. A line that has lost its end, as when the
    /// machine has, is ended first.
    pub(super) fn append(&mut self, lines: &[u8], sync: Sync) -> Result<Stretch, NotWritten> {
        let as_before = |error| NotWritten { error, left: None };
        let start = self.file.metadata().map_err(as_before)?.len();
        let written =
            if self.last_line == LastLine::Unknown && !self.ends_in_line(start).map_err(as_before)? {
                self.write(&[b"\n", lines].concat())
            } else {
                self.write(lines)
            };
        let (count, outcome) = written;
        let stretch = Stretch { start, end: start.saturating_add(count as u64) };
        let outcome = outcome.and_then(|()| match sync {
            Sync::Each => self.file.sync_data(),
            Sync::Later => Ok(()),
        });
        match outcome {
            Ok(()) => {
                self.last_line = LastLine::Ended;
                Ok(stretch)
            }
            Err(error) => Err(NotWritten { error, left: self.take_back(stretch).err() }),
        }
    }

    /// Cuts off what was written last.
    ///
    /// # Errors
    /// When the file cannot be cut, or does not end where the stretch does: then somebody else has cut it, or written to it,
    /// and it is left alone.
    pub(super) fn take_back(&mut self, stretch: Stretch) -> io::Result<()> {
        if stretch.start == stretch.end {
            return Ok(());
        }
        self.last_line = LastLine::Unknown;
        if self.file.metadata()?.len() != stretch.end {
            return Err(io::Error::other("somebody else has changed it meanwhile"));
        }
        self.file.set_len(stretch.start)
    }

    /// Writes, and says how much of it was taken.
    fn write(&self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut done = 0;
        while done < bytes.len() {
            match (&self.file).write(&bytes[done..]) {
                Ok(0) => return (done, Err(ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }

    /// Whether a file of this length is empty, or its last byte a line feed.
    fn ends_in_line(&self, length: u64) -> io::Result<bool> {
        let Some(last) = length.checked_sub(1) else { return Ok(true) };
        let mut byte = [0];
        // It may have been cut meanwhile.
        let count = self.file.read_at(&mut byte, last)?;
        Ok(count == 0 || byte == *b"\n")
    }
}
