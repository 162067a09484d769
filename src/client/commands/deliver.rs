//! What becomes of messages: lines on standard output, bytes on standard output, or files.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::{Directory, FileSink};
use super::{names, screen};
use crate::client::error::Error;
use crate::client::hold::{Held, Hold, Sink, Whole};

/// How long a complete message waits for the one that is being written as it comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// A message of more bytes than these is long: on standard output, memory for all of it would cost more time than
/// to send it does.
const LONG: usize = 32 << 20;

/// Where the messages of all calls go.
#[derive(Debug, Clone)]
pub(super) enum Delivery {
    /// Each message, when it is complete, and a newline.
    Lines(Hold),
    /// Bytes only, each message when it is complete; a long one is written as it comes.
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

/// Holds messages until they are complete; one that is [`LONG`], or cannot be held, is written as it comes, in
/// constant memory, and the others wait for it.
struct Stream {
    stdout: Stdout,
    /// The message that is written as it comes: then the token is ours.
    streaming: Option<u32>,
    held: Held,
}

impl Stream {
    fn new(hold: Hold, stdout: Stdout) -> Self {
        Self { stdout, streaming: None, held: Held::new(hold) }
    }

    /// Writes what is held of message `id`, and has the rest of it follow as it comes. False if standard output
    /// is taken.
    fn begin_stream(&mut self, id: u32) -> Result<bool, Error> {
        if self.streaming.is_some() || self.stdout.take.try_recv().is_err() {
            return Ok(false);
        }
        self.streaming = Some(id);
        let (begun, grant) = self.held.take(id)?;
        let _grant = grant.delivering();
        self.stdout.write(&begun)?;
        Ok(true)
    }

    /// The message that was streaming is over: those that waited for it go out.
    fn end_stream(&mut self) -> Result<(), Error> {
        self.streaming = None;
        let written = self.held.take_complete().and_then(|(messages, grant)| {
            let _grant = grant.delivering();
            self.stdout.write(&messages)
        });
        self.stdout.release();
        written
    }
}

impl Sink for Stream {
    fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        if self.streaming == Some(id) {
            return self.stdout.write(bytes);
        }
        let is_short = self.held.size(id) + bytes.len() <= LONG;
        if is_short && self.held.try_add(id, bytes)? {
            return Ok(());
        }
        if self.begin_stream(id)? { self.stdout.write(bytes) } else { self.held.add(id, bytes) }
    }

    fn ended(&mut self, id: u32) -> Result<(), Error> {
        if self.streaming == Some(id) {
            return self.end_stream();
        }
        if self.streaming.is_some() {
            return self.held.complete(id);
        }
        let (message, grant) = self.held.take(id)?;
        // Whoever has it may be silent: then this call ends, and does not keep its place for ever.
        let taken = self.stdout.take.recv_timeout(PATIENCE);
        taken.map_err(|_| screen::unwritten(io::ErrorKind::TimedOut.into()))?;
        // Not before: who has standard output may be waiting for room.
        let _grant = grant.delivering();
        let written = self.stdout.write(&message);
        self.stdout.release();
        written
    }

    fn dropped(&mut self, id: u32) {
        if self.streaming == Some(id) {
            // What was written of it cannot be taken back; what waited for it is complete.
            let _ = self.end_stream();
        }
        drop(self.held.take(id));
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
    fn a_message_is_written_when_it_is_complete() {
        let file = scratch("whole");
        let (hold, stdout) = (Hold::default(), Stdout::of(file.try_clone().unwrap()));
        let mut one = Stream::new(hold.clone(), stdout);
        one.part(1, b"big").unwrap();
        one.part(2, b"small").unwrap();
        one.part(3, b"dropped").unwrap();
        assert_eq!(read(file.try_clone().unwrap()), "");
        one.ended(2).unwrap();
        one.ended(9).unwrap();
        one.part(1, b", bigger").unwrap();
        one.ended(1).unwrap();
        one.dropped(3);
        assert_eq!((read(file), hold.held()), ("smallbig, bigger".to_owned(), 0));
    }

    #[test]
    fn a_long_message_is_written_as_it_comes_if_standard_output_is_free() {
        let file = scratch("long");
        let (hold, stdout) = (Hold::default(), Stdout::of(file.try_clone().unwrap()));
        let mut one = Stream::new(hold.clone(), stdout.clone());
        let mut other = Stream::new(hold.clone(), stdout);
        let long = vec![b'x'; LONG];
        one.part(1, &long).unwrap();
        assert_eq!((file.metadata().unwrap().len(), hold.held()), (0, LONG), "so long is not long");
        one.part(1, b"!").unwrap();
        assert_eq!((file.metadata().unwrap().len(), hold.held()), (LONG as u64 + 1, 0));
        other.part(1, &long).unwrap();
        other.part(1, b"?").unwrap();
        assert_eq!(hold.held(), LONG + 1, "the other has standard output");
        one.ended(1).unwrap();
        other.ended(1).unwrap();
        assert_eq!((file.metadata().unwrap().len(), hold.held()), (2 * LONG as u64 + 2, 0));
    }

    #[test]
    fn what_cannot_be_held_is_written_as_it_comes() {
        let file = scratch("stream");
        let (hold, stdout) = (Hold::of(12), Stdout::of(file.try_clone().unwrap()));
        let mut one = Stream::new(hold.clone(), stdout.clone());
        let mut other = Stream::new(hold.clone(), stdout);
        one.part(1, b"twelve bytes").unwrap();
        one.part(1, b" and more").unwrap();
        assert_eq!((read(file.try_clone().unwrap()), hold.held()), ("twelve bytes and more".to_owned(), 0));
        one.part(2, b"waits").unwrap();
        one.ended(2).unwrap();
        other.part(1, b"other").unwrap();
        let refused = other.part(1, b" goes beyond").unwrap_err();
        assert!(matches!(refused, Error::Held(12)), "standard output is taken");
        assert!(other.ended(1).is_err(), "half of it is not delivered");
        one.ended(1).unwrap();
        other = Stream::new(hold.clone(), one.stdout.clone());
        other.part(1, b"other").unwrap();
        other.ended(1).unwrap();
        drop((one, other));
        assert_eq!((read(file), hold.held()), ("twelve bytes and morewaitsother".to_owned(), 0));
    }

    #[test]
    fn what_is_being_written_still_counts_as_held() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (hold, stdout) = (Hold::default(), Stdout::of(File::from(std::os::fd::OwnedFd::from(writer))));
        let message = vec![b'x'; 1 << 20];
        let mut sink = Stream::new(hold.clone(), stdout);
        sink.part(1, &message).unwrap();
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || sink.ended(1).map(|()| sink));
            reader.read_exact(&mut [0]).unwrap();
            // The pipe takes less than what is left.
            assert_eq!(hold.held(), message.len());
            reader.read_exact(&mut vec![0; message.len() - 1]).unwrap();
            writing.join().unwrap().unwrap();
        });
        assert_eq!(hold.held(), 0);
    }
}
