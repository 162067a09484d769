//! Two clients talking: sending from any number of threads, receiving in one.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::error::Error;
use super::hold::{Held, Hold, Sink, Whole};
use super::net::{self, Came, Inflow};
use crate::lekt::message::{Frame, Inbox, Outbox, Outgoing, Parcel};
use crate::lekt::part::{PART_HEADER, PART_LIMIT};

/// Payload bytes of one part.
const PART: usize = PART_LIMIT as usize;
/// Parts that are sent in one go, before other messages get their turn.
const BATCH: usize = 2;
/// Bytes read at once.
const READ_SIZE: usize = 256 * 1024;
/// What became of somebody who closed with bytes of ours before it.
const UNREAD: &str = "it closed before it had read everything";
const NULS: [u8; 3] = [0; 3];

/// The sending side of a conversation. Its clones send on the same connection, each from its own thread if
/// need be: a small message gets through between the parts of a big one.
///
/// ```no_run
/// # let mut ringing = rollcall::client::Ringing::call("127.0.0.1:4242", "alice")?;
/// # ringing.introduced()?;
/// # ringing.decider().accept()?;
/// let (call, mut incoming) = ringing.connected()?;
/// let big = call.clone();
/// std::thread::spawn(move || big.send_from(std::io::repeat(b'x')));
/// call.send(b"this does not wait for the end of that")?;
/// while let Some(message) = incoming.next_message()? {
///     println!("{}", String::from_utf8_lossy(&message));
/// }
/// # Ok::<(), rollcall::client::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Call(Arc<Talk>);

#[derive(Debug)]
struct Talk {
    stream: Arc<TcpStream>,
    remote: SocketAddr,
    nickname: String,
    /// Held while bytes are written, so that parts do not tear each other.
    outbox: Mutex<Outbox>,
    /// A message has ended: there is room for another one.
    room: Condvar,
    /// There is something that the other has to read before it closes.
    has_sent: AtomicBool,
}

impl Call {
    /// A conversation that has just come about, with what has been read of it already.
    pub(super) fn new(
        stream: Arc<TcpStream>,
        remote: SocketAddr,
        nickname: String,
        inbox: Inbox,
        outbox: Outbox,
        inflow: Inflow,
    ) -> (Self, Incoming) {
        let talk = Talk {
            stream,
            remote,
            nickname,
            outbox: Mutex::new(outbox),
            room: Condvar::new(),
            has_sent: AtomicBool::new(false),
        };
        let call = Self(Arc::new(talk));
        let incoming = Incoming { call: call.clone(), inbox, inflow: inflow.resized(READ_SIZE), held: None };
        (call, incoming)
    }

    /// What the other calls itself.
    pub fn nickname(&self) -> &str {
        &self.0.nickname
    }

    /// The other end of the connection.
    pub fn remote(&self) -> SocketAddr {
        self.0.remote
    }

    /// Sends one message. Blocks while the other does not read.
    ///
    /// # Errors
    /// The conversation is over.
    pub fn send(&self, message: &[u8]) -> Result<(), Error> {
        if message.len() > PART {
            return self.send_from(message).map(|_| ());
        }
        let mut outbox = self.0.outbox.lock();
        let Some((frame, end)) = outbox.whole(message.len()) else {
            return self.send_from(message).map(|_| ());
        };
        let (header, padding) =
            frame.as_ref().map_or((&[][..], 0), |frame| (&frame.header[..], frame.padding));
        let mut slices = [header, message, &NULS[..padding], &end].map(IoSlice::new);
        let sent = self.write(&mut slices);
        MutexGuard::unlock_fair(outbox);
        sent
    }

    /// Sends all that `reader` gives as one message, of any length, in constant memory. Returns how many bytes
    /// that were.
    ///
    /// # Errors
    /// The conversation is over; or the reader failed, in which case it is closed: what a message lacks cannot be
    /// told otherwise.
    pub fn send_from(&self, reader: impl Read) -> Result<u64, Error> {
        let mut message = self.begin();
        let sent = self.send_all(&mut message, reader);
        let mut outbox = self.0.outbox.lock();
        let end = outbox.end(message);
        let ended = match &sent {
            Ok(_) => self.write(&mut [IoSlice::new(&end)]),
            Err(_) => {
                self.close();
                Ok(())
            }
        };
        MutexGuard::unlock_fair(outbox);
        self.0.room.notify_one();
        ended.and(sent)
    }

    /// Says that nothing more will be sent. The other closes when it has read all that was, and what it had sent
    /// by then is still received.
    pub fn finish(&self) {
        let _outbox = self.0.outbox.lock();
        let _ = self.0.stream.shutdown(Shutdown::Write);
    }

    /// Ends the conversation at once, in both directions and in all threads.
    pub fn close(&self) {
        let _ = self.0.stream.shutdown(Shutdown::Both);
    }

    /// What tests tear at.
    #[cfg(test)]
    pub(super) fn socket(&self) -> &TcpStream {
        &self.0.stream
    }

    /// Waits until there is room for another message.
    fn begin(&self) -> Outgoing {
        let mut outbox = self.0.outbox.lock();
        loop {
            if let Some(message) = outbox.begin() {
                return message;
            }
            self.0.room.wait(&mut outbox);
        }
    }

    fn send_all(&self, message: &mut Outgoing, mut reader: impl Read) -> Result<u64, Error> {
        let mut buffer = vec![0; BATCH * PART];
        let mut sent = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(sent),
                Ok(count) => {
                    self.send_parts(message, &buffer[..count])?;
                    sent += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::local("read what is to be sent", cause)),
            }
        }
    }

    /// Sends `bytes`, at most [`BATCH`] parts, in one go and lets the others have their turn.
    fn send_parts(&self, message: &mut Outgoing, bytes: &[u8]) -> Result<(), Error> {
        let outbox = self.0.outbox.lock();
        let mut frames = [Frame { header: [0; PART_HEADER], padding: 0 }; BATCH];
        let mut count = 0;
        for (frame, part) in frames.iter_mut().zip(bytes.chunks(PART)) {
            *frame = outbox
                .part(message, part.len())
                .ok_or_else(|| self.lost("the message has more parts than can be numbered"))?;
            count += 1;
        }
        let mut slices = [IoSlice::new(&[]); 3 * BATCH];
        for ((frame, part), slices) in frames.iter().zip(bytes.chunks(PART)).zip(slices.chunks_mut(3)) {
            slices[0] = IoSlice::new(&frame.header);
            slices[1] = IoSlice::new(part);
            slices[2] = IoSlice::new(&NULS[..frame.padding]);
        }
        let sent = self.write(&mut slices[..3 * count]);
        MutexGuard::unlock_fair(outbox);
        sent
    }

    /// Writes what is a stretch of messages; the outbox has to be locked.
    fn write(&self, slices: &mut [IoSlice<'_>]) -> Result<(), Error> {
        self.0.has_sent.store(true, Ordering::Relaxed);
        net::write_all_vectored(&self.0.stream, slices).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.lost(UNREAD),
            _ => self.lost(error),
        })
    }

    fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::lost(&self.0.nickname, why)
    }
}

/// The receiving side of a conversation.
///
/// Dropped, it closes the conversation: nobody reads any more what the other sends.
#[derive(Debug)]
pub struct Incoming {
    call: Call,
    inbox: Inbox,
    inflow: Inflow,
    /// What [`next_message`](Self::next_message) holds.
    held: Option<Held>,
}

/// Whether to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Until the end of the stream.
    AtTheEnd,
    /// When a message has ended.
    AfterMessage,
}

impl Incoming {
    /// Replaces the bound on what [`next_message`](Self::next_message) holds unfinished, 128 MiB by default.
    pub fn set_hold(&mut self, hold: Hold) {
        self.held = Some(Held::new(hold));
    }

    /// The next message, as soon as it is complete; none when the other has closed.
    ///
    /// # Errors
    /// The other breaks the protocol, or begins more than we hold; the conversation is closed then.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut delivered = None;
        let held = self.held.take().unwrap_or_default();
        let mut sink = Whole::with(held, |message| {
            delivered = Some(message);
            Ok(())
        });
        let received = self.receive(&mut sink, Stop::AfterMessage);
        self.held = Some(sink.into_held());
        if !matches!(received, Ok(true)) {
            self.call.close();
        }
        received.map(|_| delivered)
    }

    /// Hands all that comes to `sink` as it comes, in constant memory, until the other closes. Returns how many
    /// messages were cut short by that.
    ///
    /// # Errors
    /// The sink fails, or the other breaks the protocol; the conversation is closed then. Messages that are
    /// unfinished have been [`dropped`](Sink::dropped) in any case.
    pub fn stream_to(&mut self, sink: &mut dyn Sink) -> Result<usize, Error> {
        let result = self.receive(sink, Stop::AtTheEnd);
        self.inbox.unfinished().for_each(|id| sink.dropped(id));
        self.call.close();
        result.map(|_| self.inbox.unfinished().count())
    }

    fn receive(&mut self, sink: &mut dyn Sink, stop: Stop) -> Result<bool, Error> {
        loop {
            if self.hand_over(sink, stop)? {
                return Ok(true);
            }
            match self.inflow.fill(&self.call.0.stream, None).map_err(|error| self.call.lost(error))? {
                Came::Bytes | Came::Nothing => {}
                // A reset destroys what the other has not read; to one who has said nothing it is an end.
                Came::EndOfStream
                    if self.inflow.was_reset() && self.call.0.has_sent.load(Ordering::Relaxed) =>
                {
                    return Err(self.call.lost(UNREAD));
                }
                Came::EndOfStream => return Ok(false),
            }
        }
    }

    /// Hands over what is there; true if a message has ended and that was to be told.
    fn hand_over(&mut self, sink: &mut dyn Sink, stop: Stop) -> Result<bool, Error> {
        loop {
            let received = self.inbox.receive(self.inflow.rest());
            let (count, parcel) = received.map_err(|error| Error::malformed(&self.call.0.nickname, error))?;
            match parcel {
                Some(Parcel::Part { id, bytes }) => sink.part(id, bytes)?,
                Some(Parcel::Ended { id }) => {
                    sink.ended(id)?;
                    self.inflow.consume(count);
                    if stop == Stop::AfterMessage {
                        return Ok(true);
                    }
                    continue;
                }
                Some(Parcel::Rejected { reason }) => {
                    let who = self.call.0.nickname.clone();
                    return Err(Error::Rejected { who, reason: reason.to_owned() });
                }
                None if count == 0 => return Ok(false),
                None => {}
            }
            self.inflow.consume(count);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.call.close();
    }
}
