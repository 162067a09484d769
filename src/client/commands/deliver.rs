//! What becomes of messages: lines on standard output, bytes on standard output, or files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::{Directory, FileSink};
use super::{names, screen};
use crate::client::error::Error;
use crate::client::hold::{Held, Hold, Sink, Whole};

/// Where the messages of all calls go.
#[derive(Debug, Clone)]
pub(super) enum Delivery {
    /// Each message, when it is complete, and a newline.
    Lines(Hold),
    /// Bytes only; one message at a time is written as it comes.
    Binary(Hold, Stdout),
    /// A file each.
    Files(Arc<Directory>),
}

impl Delivery {
    /// A sink for the messages of one call with `nickname`.
    pub(super) fn sink(&self, nickname: &str) -> Box<dyn Sink> {
        match self {
            Self::Lines(hold) => Box::new(Whole::new(hold.clone(), print)),
            Self::Binary(hold, stdout) => Box::new(Stream::new(hold.clone(), stdout.clone())),
            Self::Files(directory) => Box::new(FileSink::new(Arc::clone(directory), nickname)),
        }
    }
}

/// Writes a message as text: on a terminal so that it cannot act on it, elsewhere as it is.
fn print(mut message: Vec<u8>) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        drop(stdout);
        return screen::line(&names::shown(&message).join("\n"));
    }
    message.push(b'\n');
    stdout.write_all(&message).and_then(|()| stdout.flush()).map_err(screen::unwritten)
}

/// Standard output for bytes: no buffer, no look for newlines, and for one message at a time.
#[derive(Debug, Clone)]
pub(super) struct Stdout {
    file: Arc<File>,
    /// Whose turn it is: whoever has taken the one token gives it back.
    take: Receiver<()>,
    give_back: Sender<()>,
}

impl Stdout {
    /// The standard output of this process.
    pub(super) fn open() -> Result<Self, Error> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned().map_err(screen::unwritten)?;
        Ok(Self::of(File::from(descriptor)))
    }

    fn of(file: File) -> Self {
        let (give_back, take) = bounded(1);
        let _ = give_back.send(());
        Self { file: Arc::new(file), take, give_back }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        (&*self.file).write_all(bytes).map_err(screen::unwritten)
    }

    fn release(&self) {
        let _ = self.give_back.try_send(());
    }
}

/// Writes the message that came first as it comes, in constant memory, and holds those that interleave with it
/// until they are complete and standard output is free.
struct Stream {
    stdout: Stdout,
    /// The message that is written as it comes: then the token is ours.
    streaming: Option<u32>,
    /// Messages of which something is held.
    begun: HashSet<u32>,
    held: Held,
    /// Messages that are complete, and wait for the one that is streaming.
    complete: Vec<Vec<u8>>,
}

impl Stream {
    fn new(hold: Hold, stdout: Stdout) -> Self {
        let (begun, complete) = (HashSet::new(), Vec::new());
        Self { stdout, streaming: None, begun, held: Held::new(hold), complete }
    }

    /// The message that was streaming is over: those that waited for it go out.
    fn end_stream(&mut self) -> Result<(), Error> {
        self.streaming = None;
        let complete = std::mem::take(&mut self.complete);
        let written = complete.iter().try_for_each(|message| self.stdout.write(message));
        complete.into_iter().for_each(|message| self.held.give_back(&message));
        self.stdout.release();
        written
    }
}

impl Sink for Stream {
    fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        let is_new = !self.begun.contains(&id);
        if self.streaming.is_none() && is_new && self.stdout.take.try_recv().is_ok() {
            self.streaming = Some(id);
        }
        if self.streaming == Some(id) {
            return self.stdout.write(bytes);
        }
        self.begun.insert(id);
        self.held.add(id, bytes)
    }

    fn ended(&mut self, id: u32) -> Result<(), Error> {
        if self.streaming == Some(id) {
            return self.end_stream();
        }
        self.begun.remove(&id);
        if self.streaming.is_some() {
            self.complete.push(self.held.take_in_hand(id));
            return Ok(());
        }
        let message = self.held.take(id);
        if self.stdout.take.recv().is_err() {
            return Ok(());
        }
        let written = self.stdout.write(&message);
        self.stdout.release();
        written
    }

    fn dropped(&mut self, id: u32) {
        if self.streaming == Some(id) {
            // What was written of it cannot be taken back; what waited for it is complete.
            let _ = self.end_stream();
        }
        self.begun.remove(&id);
        self.held.take(id);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.streaming.is_some() {
            let _ = self.end_stream();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn read(mut file: File) -> String {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    /// A file that is gone when it is closed.
    fn scratch(name: &str) -> File {
        let path = std::env::temp_dir().join(format!("rollcall-deliver-{}-{name}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    #[test]
    fn the_first_message_streams_and_the_others_wait_for_it() {
        let file = scratch("stream");
        let (hold, stdout) = (Hold::default(), Stdout::of(file.try_clone().unwrap()));
        let mut one = Stream::new(hold.clone(), stdout.clone());
        one.part(1, b"big").unwrap();
        one.part(2, b"small").unwrap();
        one.part(3, b"dropped").unwrap();
        one.ended(2).unwrap();
        one.ended(9).unwrap();
        assert_eq!((read(file.try_clone().unwrap()), hold.held()), ("big".to_owned(), 12));
        one.part(1, b", bigger").unwrap();
        one.ended(1).unwrap();
        one.dropped(3);
        assert_eq!((read(file), hold.held()), ("big, biggersmall".to_owned(), 0));
    }

    #[test]
    fn two_calls_take_turns() {
        let file = scratch("turns");
        let (hold, stdout) = (Hold::default(), Stdout::of(file.try_clone().unwrap()));
        let mut one = Stream::new(hold.clone(), stdout.clone());
        let mut other = Stream::new(hold.clone(), stdout);
        one.part(1, b"one ").unwrap();
        other.part(1, b"other ").unwrap();
        one.dropped(1);
        other.part(1, b"goes on").unwrap();
        other.ended(1).unwrap();
        drop(one);
        other.part(2, b" and streams").unwrap();
        assert_eq!((read(file), hold.held()), ("one other goes on and streams".to_owned(), 0));
    }
}
