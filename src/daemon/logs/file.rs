//! One log file: whole lines at its end, or none.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write as _};
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
    /// How much of what it was given it has taken, before it gave that back: less than all.
    pub(super) room: u64,
    /// How long it was with that.
    pub(super) reached: u64,
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

    /// How long the file is, in bytes.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Writes lines to the end, all of them or none, if possible by one call. A line that has lost its end, as when the
    /// machine has, is ended first.
    pub(super) fn append(&mut self, lines: &[&[u8]], sync: Sync) -> Result<Stretch, NotWritten> {
        let as_before = |error| NotWritten { error, left: None, room: 0, reached: 0 };
        let start = self.length().map_err(as_before)?;
        let is_ended = self.last_line == LastLine::Ended || self.ends_in_line(start).map_err(as_before)?;
        let end: &[&[u8]] = if is_ended { &[] } else { &[b"\n"] };
        let (count, written) = self.write(end.iter().chain(lines).map(|piece| IoSlice::new(piece)).collect());
        let stretch = Stretch { start, end: start.saturating_add(count) };
        // What does not get onto the disk may not get there if it is less, either.
        let room = written.as_ref().map_or_else(|_| count.saturating_sub(end.len() as u64), |()| 0);
        let outcome = written.and_then(|()| match sync {
            Sync::Each => self.file.sync_data(),
            Sync::Later => Ok(()),
        });
        match outcome {
            Ok(()) => {
                self.last_line = LastLine::Ended;
                Ok(stretch)
            }
            Err(error) => {
                Err(NotWritten { error, left: self.take_back(stretch).err(), room, reached: stretch.end })
            }
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
    fn write(&self, mut pieces: Vec<IoSlice<'_>>) -> (u64, io::Result<()>) {
        let mut done = 0;
        let mut rest = &mut pieces[..];
        // Without those at the beginning that are empty.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match (&self.file).write_vectored(rest) {
                Ok(0) => return (done, Err(ErrorKind::WriteZero.into())),
                Ok(count) => {
                    done += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
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
