//! Being on a server's roll, and hearing who comes and goes.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

use super::backoff::Backoff;
use super::error::Error;
use super::roll::{Change, Roll};
use super::server::{Conversation, Heard};
use crate::lekt::wire::{Method, Object};

/// How often a client tells the server that it is alive, unless it says otherwise.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
/// How much news may wait to be heard. Beyond it the server is read no further.
pub const NEWS_LIMIT: usize = 1024;
/// A server that has said nothing for this long is lost, unless the user says otherwise.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// When nothing more has come for this long, an answer is taken to be over.
const SETTLE_AFTER: Duration = Duration::from_millis(50);

/// What to do when the server is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLost {
    /// Tell, and be done.
    GiveUp,
    /// Tell, and try again and again, with longer and longer waits in between.
    Reconnect,
}

/// How to be present.
#[derive(Debug, Clone)]
pub struct PresenceOptions {
    /// How others can reach us; none to look only.
    pub methods: Vec<Method>,
    /// How often to send heartbeats, which is also how soon news is heard.
    pub heartbeat: Duration,
    /// A server that has said nothing for this long, or for three heartbeats if that is longer, is lost.
    pub patience: Duration,
    /// What to do when the server is lost.
    pub when_lost: WhenLost,
}

impl Default for PresenceOptions {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            heartbeat: HEARTBEAT_INTERVAL,
            patience: SILENCE_LIMIT,
            when_lost: WhenLost::GiveUp,
        }
    }
}

/// What there is to hear from a server.
#[derive(Debug)]
pub enum News {
    /// Somebody is there, came or left.
    Roll(Change),
    /// All who were there when we joined have been told.
    Complete,
    /// The server is lost. Nothing follows unless we are to reconnect.
    Lost(Error),
    /// The next try will be after this long.
    Retrying(Duration),
    /// We are on the roll again. Who came and left in between follows.
    Rejoined,
}

/// A place on a server's roll, kept by a thread of its own until this is dropped.
///
/// ```no_run
/// use rollcall::client::{Change, News, Presence, PresenceOptions};
///
/// let presence = Presence::join("127.0.0.1:7890", PresenceOptions::default())?;
/// for news in presence.news() {
///     match news {
///         News::Roll(Change::Arrived(client)) => println!("{} came", client.address),
///         News::Roll(Change::Departed(client)) => println!("{} left", client.address),
///         _ => {}
///     }
/// }
/// # Ok::<(), rollcall::client::Error>(())
/// ```
#[derive(Debug)]
pub struct Presence {
    news: Receiver<News>,
    leaving: Arc<Leaving>,
    /// Dropping it wakes the thread where it waits for its next try.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How the thread learns that it has to go.
#[derive(Debug, Default)]
struct Leaving {
    asked: AtomicBool,
    line: Mutex<Line>,
}

/// What the thread is at, and so how to end that.
#[derive(Debug, Default)]
enum Line {
    /// Between two tries.
    #[default]
    None,
    /// Looking up a name or connecting, out of which nothing wakes it. It goes by itself after that.
    Connecting,
    /// Shutting this down wakes it.
    Open(TcpStream),
}

impl Leaving {
    /// We are about to connect.
    fn connect(&self) -> Result<(), Left> {
        self.enter(Line::Connecting)
    }

    /// Lets the owner wake us out of what we do with this socket.
    fn watch(&self, stream: &TcpStream) -> Result<(), Error> {
        let watched = stream.try_clone().map_err(|cause| Error::local("watch a connection", cause))?;
        self.enter(Line::Open(watched)).map_err(|Left| Error::Declined)
    }

    /// Whoever asks us to leave does so before looking at the line: either they see it, or we see them.
    fn enter(&self, next: Line) -> Result<(), Left> {
        let mut line = self.line.lock();
        if self.asked.load(Ordering::SeqCst) {
            return Err(Left);
        }
        *line = next;
        Ok(())
    }

    /// The connection, if there was one, is over.
    fn close(&self) {
        *self.line.lock() = Line::None;
    }
}

impl Presence {
    /// Joins the roll of `server`, which is `HOST` or `HOST:PORT`. Returns once we are on it.
    ///
    /// # Errors
    /// The server cannot be reached, rejects us, or does not speak LEKT.
    pub fn join(server: &str, options: PresenceOptions) -> Result<Self, Error> {
        let leaving = Arc::new(Leaving::default());
        let conversation = Conversation::join(server, &options.methods, |stream| leaving.watch(stream))?;
        let (telling, news) = bounded(NEWS_LIMIT);
        let (stop, stopped) = bounded(0);
        let keeper = Keeper {
            server: server.to_owned(),
            options,
            roll: Roll::default(),
            backoff: Backoff::default(),
            telling,
            stopped,
            leaving: Arc::clone(&leaving),
        };
        let thread = thread::Builder::new()
            .name("presence".to_owned())
            .spawn(move || keeper.keep(conversation))
            .map_err(|cause| Error::local("start a thread", cause))?;
        Ok(Self { news, leaving, stop: Some(stop), thread: Some(thread) })
    }

    /// What there is to hear, in order. It ends when the server is lost for good.
    pub fn news(&self) -> &Receiver<News> {
        &self.news
    }
}

impl Drop for Presence {
    /// Leaves the roll, at once: a thread that is just connecting is left to itself, and goes when that is over.
    fn drop(&mut self) {
        self.leaving.asked.store(true, Ordering::SeqCst);
        self.stop = None;
        // The thread may wait for somebody to hear its news: nobody will.
        self.news = crossbeam_channel::never();
        match std::mem::take(&mut *self.leaving.line.lock()) {
            Line::Open(socket) => drop(socket.shutdown(Shutdown::Both)),
            Line::Connecting => return,
            Line::None => {}
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks `server` once who is there.
///
/// ```no_run
/// for client in rollcall::client::roster("localhost")? {
///     println!("{}", client.address);
/// }
/// # Ok::<(), rollcall::client::Error>(())
/// ```
///
/// # Errors
/// As [`Presence::join`]; also if the connection ends before all of the answer has come.
pub fn roster(server: &str) -> Result<Vec<Object>, Error> {
    let mut conversation = Conversation::join(server, &[], |_| Ok(()))?;
    conversation.heartbeats(1)?;
    // What has come completely is answered before the server closes: the end of the stream shows the end
    // of the answer.
    conversation.finish()?;
    let mut roll = Roll::default();
    let mut answered = false;
    loop {
        match conversation.hear(SILENCE_LIMIT)? {
            Heard::Event(event) => {
                answered |= matches!(event, crate::lekt::client::Event::BlockEnded(_));
                roll.apply(event, |_| {})?;
            }
            Heard::Nothing => return Err(conversation.lost("it does not answer")),
            Heard::End if answered => return Ok(roll.clients().cloned().collect()),
            Heard::End => return Err(conversation.lost("it closed the connection without an answer")),
        }
    }
}

/// What the thread of a [`Presence`] works with.
struct Keeper {
    server: String,
    options: PresenceOptions,
    roll: Roll,
    backoff: Backoff,
    telling: Sender<News>,
    stopped: Receiver<()>,
    leaving: Arc<Leaving>,
}

/// Nobody listens any more, or we were asked to leave.
struct Left;

impl Keeper {
    fn keep(mut self, mut conversation: Conversation) {
        loop {
            let joined = Instant::now();
            let lost = match self.follow(conversation) {
                Ok(Left) => return,
                Err(error) => error,
            };
            self.backoff.lasted(joined.elapsed());
            // The last handle on the old socket: now the server sees it closed.
            self.leaving.close();
            let is_crowded = matches!(lost, Error::Crowded(_));
            if self.has_left() || self.tell(News::Lost(lost)).is_err() {
                return;
            }
            if self.options.when_lost == WhenLost::GiveUp {
                return;
            }
            if is_crowded && self.forget().is_err() {
                return;
            }
            conversation = match self.reconnect() {
                Ok(conversation) => conversation,
                Err(Left) => return,
            };
            self.roll.reconnect();
            if self.tell(News::Rejoined).is_err() {
                return;
            }
        }
    }

    /// Sends heartbeats and tells what is heard until the server is lost.
    fn follow(&mut self, mut conversation: Conversation) -> Result<Left, Error> {
        // The answer to the second one shows where the first answer ends.
        conversation.heartbeats(2)?;
        let patience = self.options.patience.max(self.options.heartbeat * 3);
        let mut heard = Instant::now();
        let mut next_beat = heard + self.options.heartbeat;
        loop {
            let mut wait = next_beat.saturating_duration_since(Instant::now());
            if self.roll.is_unsettled() {
                wait = wait.min(SETTLE_AFTER);
            }
            match conversation.hear(wait)? {
                Heard::Event(event) => {
                    if self.take(event)?.is_err() {
                        return Ok(Left);
                    }
                    // Not before: while nobody hears our news we do not hear the server either.
                    heard = Instant::now();
                }
                Heard::Nothing => {
                    let nothing_since = heard.elapsed();
                    if self.settle().is_err() {
                        return Ok(Left);
                    }
                    heard = Instant::now() - nothing_since;
                }
                Heard::End => return Err(conversation.lost("it closed the connection")),
            }
            let now = Instant::now();
            if now.duration_since(heard) > patience {
                return Err(conversation.lost("it does not answer"));
            }
            if now >= next_beat {
                conversation.heartbeats(1)?;
                next_beat = now + self.options.heartbeat;
            }
        }
    }

    fn take(&mut self, event: crate::lekt::client::Event) -> Result<Result<(), Left>, Error> {
        let was_complete = self.roll.is_complete();
        let mut told = Ok(());
        self.roll.apply(event, |change| tell_change(&self.telling, change, &mut told))?;
        if !was_complete && self.roll.is_complete() && told.is_ok() {
            told = self.tell(News::Complete);
        }
        Ok(told)
    }

    fn settle(&mut self) -> Result<(), Left> {
        let mut told = Ok(());
        self.roll.settle(|change| tell_change(&self.telling, change, &mut told));
        told
    }

    fn forget(&mut self) -> Result<(), Left> {
        let mut told = Ok(());
        self.roll.forget(|change| tell_change(&self.telling, change, &mut told));
        told
    }

    /// Tries until the server is there again.
    fn reconnect(&mut self) -> Result<Conversation, Left> {
        loop {
            let wait = self.backoff.next_wait();
            self.tell(News::Retrying(wait))?;
            if self.stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) || self.has_left() {
                return Err(Left);
            }
            self.leaving.connect()?;
            let watch = |stream: &TcpStream| self.leaving.watch(stream);
            let joined = Conversation::join(&self.server, &self.options.methods, watch);
            if self.has_left() {
                return Err(Left);
            }
            match joined {
                Ok(conversation) => return Ok(conversation),
                Err(error) => {
                    self.leaving.close();
                    self.tell(News::Lost(error))?;
                }
            }
        }
    }

    fn tell(&self, news: News) -> Result<(), Left> {
        self.telling.send(news).map_err(|_| Left)
    }

    fn has_left(&self) -> bool {
        self.leaving.asked.load(Ordering::SeqCst)
    }
}

fn tell_change(telling: &Sender<News>, change: Change, told: &mut Result<(), Left>) {
    if told.is_ok() && telling.send(News::Roll(change)).is_err() {
        *told = Err(Left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_connecting_is_not_waited_for() {
        let (_open, gate) = bounded::<()>(0);
        let (told, gone) = bounded::<()>(0);
        let leaving = Arc::new(Leaving::default());
        assert!(leaving.connect().is_ok());
        let thread = thread::spawn(move || {
            let _ = gate.recv();
        });
        let presence = Presence {
            news: crossbeam_channel::never(),
            leaving: Arc::clone(&leaving),
            stop: None,
            thread: Some(thread),
        };
        thread::spawn(move || {
            drop(presence);
            drop(told);
        });
        assert_eq!(gone.recv_timeout(SILENCE_LIMIT), Err(RecvTimeoutError::Disconnected));
        assert!(leaving.connect().is_err(), "the thread goes when it looks the next time");
    }
}
