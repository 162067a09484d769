//! The threads of a chat: each call has one that listens, and one that speaks once it is connected.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::client::call::Call;
use crate::client::error::Error;
use crate::client::hold::{Hold, Whole};
use crate::client::net::LINGER;
use crate::client::ringing::{Decider, Ringing};

/// How many lines may wait for somebody who does not read.
const UNSAID_LIMIT: usize = 64;
/// What is shown of one message, in bytes.
const SHOWN_LIMIT: usize = 16_384;
/// How long hanging up may take, for what has been said and not been read yet.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// A call, from its beginning to its end.
pub(super) type Id = u64;

/// What happens in a chat but for what the server tells.
#[derive(Debug)]
pub(super) enum Happening {
    /// A line was typed.
    Typed(String),
    /// Nothing more will be.
    EndOfInput,
    /// Somebody whom we called is reached, and has not answered yet.
    Dialed { id: Id, decider: Decider },
    /// Somebody calls, and waits for us to decide.
    Rings { id: Id, nickname: String, remote: SocketAddr, decider: Decider },
    /// Messages may be exchanged.
    Connected { id: Id, call: Call },
    /// Somebody said something.
    Said { id: Id, words: Words },
    /// The call is over, or came to nothing.
    Ended { id: Id, why: Option<Error> },
}

/// What is shown of a message. The rest of it is only counted, and not kept until its turn comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// The first [`SHOWN_LIMIT`] bytes.
    pub(super) shown: Vec<u8>,
    /// The bytes of the whole message.
    pub(super) length: usize,
}

impl Words {
    pub(super) fn of(mut message: Vec<u8>) -> Self {
        let length = message.len();
        message.truncate(SHOWN_LIMIT);
        // The room that the whole of it took goes back.
        message.shrink_to_fit();
        Self { shown: message, length }
    }
}

/// Calls somebody, and accepts if they do.
///
/// # Errors
/// There is no thread to be had.
pub(super) fn dial(
    threads: Threads,
    id: Id,
    place: String,
    nickname: String,
    tell: Sender<Happening>,
    hold: Hold,
) -> Result<(), Error> {
    spawn(threads, "call", move || {
        let connected = Ringing::call(&place, &nickname).and_then(|mut ringing| {
            // So that our user can hang up before anybody has answered.
            let dialed = Happening::Dialed { id, decider: ringing.decider() };
            tell.send(dialed).map_err(|_| Error::Declined)?;
            ringing.introduced()?;
            ringing.decider().accept()?;
            ringing.connected()
        });
        listen(id, connected, &tell, hold);
    })
}

/// Sees to somebody who calls.
pub(super) fn answer(id: Id, mut ringing: Ringing, tell: &Sender<Happening>, hold: Hold) {
    // Whoever connects and does not say who it is, is not worth a line.
    let Ok(nickname) = ringing.introduced() else { return };
    let (remote, decider) = (ringing.remote(), ringing.decider());
    if tell.send(Happening::Rings { id, nickname, remote, decider }).is_ok() {
        listen(id, ringing.connected(), tell, hold);
    }
}

/// Tells what is said until the call is over. If nobody listens to us, neither do we.
fn listen(
    id: Id,
    connected: Result<(Call, crate::client::call::Incoming), Error>,
    tell: &Sender<Happening>,
    hold: Hold,
) {
    let ended = connected.and_then(|(call, mut incoming)| {
        let over = || Error::Declined;
        tell.send(Happening::Connected { id, call }).map_err(|_| over())?;
        let deliver = |message| {
            let words = Words::of(message);
            tell.send(Happening::Said { id, words }).map_err(|_| over())
        };
        incoming.stream_to(&mut Whole::new(hold, deliver))
    });
    let _ = tell.send(Happening::Ended { id, why: ended.err() });
}

/// Somebody who is being talked to: what is said waits here for them to read it.
#[derive(Debug)]
pub(super) struct Speaker {
    threads: Threads,
    call: Call,
    unsaid: Option<Sender<Vec<u8>>>,
    done: Receiver<()>,
}

impl Speaker {
    /// Somebody with whom we have just been connected.
    ///
    /// # Errors
    /// There is no thread to be had; the conversation is over then.
    pub(super) fn start(threads: Threads, call: Call) -> Result<Self, Error> {
        let (unsaid, to_say) = bounded::<Vec<u8>>(UNSAID_LIMIT);
        let (finished, done) = bounded(0);
        let speaking = call.clone();
        let speaks = spawn(threads, "speak", move || {
            // If something cannot be said, the listener tells why.
            if to_say.iter().all(|message| speaking.send(&message).is_ok()) {
                speaking.finish();
                drop::<Sender<()>>(finished);
                // Now it is for the other to close, but not for ever.
                thread::sleep(LINGER);
                speaking.close();
            }
        });
        speaks.inspect_err(|_| call.close())?;
        Ok(Self { threads, call, unsaid: Some(unsaid), done })
    }

    /// Says something; false if too much waits to be read already.
    pub(super) fn say(&self, message: Vec<u8>) -> bool {
        self.unsaid.as_ref().is_some_and(|unsaid| unsaid.try_send(message).is_ok())
    }

    /// Ends the conversation as soon as all has been said, or when that takes too long: somebody who does not
    /// read holds neither a thread nor a connection of ours.
    pub(super) fn hang_up(mut self) {
        self.finish();
        let (call, done) = (self.call.clone(), self.done);
        let waiting = spawn(self.threads, "farewell", move || {
            if done.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
                call.close();
            }
        });
        if waiting.is_err() {
            self.call.close();
        }
    }

    /// Ends the conversation as soon as all has been said.
    pub(super) fn finish(&mut self) {
        self.unsaid = None;
    }

    /// Told by its end that all has been said.
    pub(super) fn done(&self) -> &Receiver<()> {
        &self.done
    }

    /// Ends the conversation whatever has not been said.
    pub(super) fn close(&self) {
        self.call.close();
    }
}

/// From where threads come: they may run out.
pub(super) type Threads = fn(thread::Builder, Work) -> io::Result<()>;
/// What a thread is for.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The threads of the system.
pub(super) fn of_system(builder: thread::Builder, work: Work) -> io::Result<()> {
    builder.spawn(work).map(drop)
}

fn spawn(threads: Threads, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let spawned = threads(thread::Builder::new().name(name.to_owned()), Box::new(work));
    spawned.map_err(|cause| Error::local("start a thread", cause))
}
