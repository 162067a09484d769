//! Sockets and time for a client of chapp: see [`crate::chapp::client`].

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvError, Sender, at, bounded, never, select};

use super::error::{Error, plain};
use super::net;
use crate::chapp::client::{Client, Event, Settings, Verdict, Why};
use crate::chapp::name::Name;
use crate::chapp::wire::request::Unsendable;
use crate::wire::text::Printable;

const ADVICE: &str = "is a server running there? Start it, or name another SERVER";
/// How much is read at once.
const PIECE: usize = 65_536;
/// How many pieces may wait.
const PIECES: usize = 4;

/// A client of a server, with whatever connection it has just now.
pub(super) struct Chat {
    server: String,
    patience: Duration,
    client: Client,
    link: Option<Link>,
    /// What came, of which `taken` bytes are done with.
    waiting: Vec<u8>,
    taken: usize,
    /// What became of the last connection, if it was not just silence.
    trouble: Option<io::Error>,
    /// What the server had to say on it that was no reply.
    complaint: Option<Verdict>,
}

/// What there is to see to.
pub(super) enum Next<T> {
    /// Something in the chat.
    Event(Event),
    /// Something else.
    Other(T),
    /// Nothing else will come.
    EndOfOther,
}

impl Chat {
    /// A client of the server at this place, `HOST:PORT`. Nothing happens before it is [asked](Self::event) what does.
    pub(super) fn new(server: String, settings: Settings, name: Option<Name>) -> Self {
        Self {
            server,
            patience: settings.patience,
            client: Client::new(settings, name),
            link: None,
            waiting: Vec::new(),
            taken: 0,
            trouble: None,
            complaint: None,
        }
    }

    /// Where the server is.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Who we want to be, or are.
    pub(super) fn name(&self) -> Option<&Name> {
        self.client.name()
    }

    /// What became of the last connection, in words.
    pub(super) fn trouble(&self) -> String {
        let trouble = self.trouble.as_ref().map_or_else(|| "no reply came".to_owned(), plain);
        match &self.complaint {
            Some(verdict) => format!("{trouble}; it said {}", Printable(&verdict.to_string())),
            None => trouble,
        }
    }

    /// Waits until something happens.
    ///
    /// # Errors
    /// It is over, and why.
    pub(super) fn event(&mut self) -> Result<Event, Error> {
        loop {
            if let Next::Event(event) = self.next(&never::<()>())? {
                return Ok(event);
            }
        }
    }

    /// Waits until something happens, or something else comes.
    ///
    /// # Errors
    /// It is over, and why.
    pub(super) fn next<T>(&mut self, other: &Receiver<T>) -> Result<Next<T>, Error> {
        loop {
            match self.client.next_event() {
                Some(Event::GaveUp(why)) => return Err(self.error(why)),
                Some(event) => {
                    if let Event::Complaint(verdict) = &event {
                        self.complaint = Some(verdict.clone());
                    }
                    return Ok(Next::Event(event));
                }
                None => {}
            }
            let now = Instant::now();
            if self.client.dial(now) {
                self.connect()?;
            } else if !self.take(now)? && !self.tick(now) {
                let nothing = never();
                let came = self.link.as_ref().map_or(&nothing, |link| &link.came);
                let timer = self.client.deadline().map_or_else(never, at);
                select! {
                    recv(came) -> piece => self.came(piece),
                    recv(other) -> thing => return Ok(thing.map_or(Next::EndOfOther, Next::Other)),
                    recv(timer) -> _ => {}
                }
            }
        }
    }

    /// Connects, before anything else happens; tells where to.
    ///
    /// # Errors
    /// That fails. There is no second attempt.
    pub(super) fn open(&mut self) -> Result<Option<SocketAddr>, Error> {
        if self.client.dial(Instant::now()) {
            self.link = Some(Link::open(&self.server, self.patience)?);
            self.connected();
        }
        Ok(self.link.as_ref().and_then(|link| link.stream.peer_addr().ok()))
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Takes another name in place of one that was refused.
    pub(super) fn rename(&mut self, name: Name) {
        self.with(|client, now, out| client.rename(now, name, out));
    }

    /// Sends a message, and tells its ID; none if we are not in the chat, or another message is out.
    ///
    /// # Errors
    /// It cannot be sent.
    pub(super) fn post(&mut self, to: &Name, message: &str) -> Result<Option<u64>, Unsendable> {
        self.with(|client, now, out| client.post(now, to, message, out))
    }

    /// Leaves the chat.
    pub(super) fn goodbye(&mut self) {
        self.with(Client::goodbye);
    }

    /// Has the client do something, and sends what it has to say.
    fn with<T>(&mut self, act: impl FnOnce(&mut Client, Instant, &mut Vec<u8>) -> T) -> T {
        let mut out = Vec::new();
        let done = act(&mut self.client, Instant::now(), &mut out);
        if let Some(link) = &self.link {
            link.send(&out);
        }
        done
    }

    fn connect(&mut self) -> Result<(), Error> {
        match Link::open(&self.server, self.patience) {
            Ok(link) => {
                self.link = Some(link);
                self.connected();
                Ok(())
            }
            Err(Error::Unreachable { cause, .. }) => {
                self.lost(cause);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn connected(&mut self) {
        (self.trouble, self.complaint) = (None, None);
        self.waiting.clear();
        self.taken = 0;
        self.with(Client::connected);
    }

    fn lost(&mut self, why: io::Error) {
        self.link = None;
        self.trouble = Some(why);
        self.client.lost(Instant::now());
    }

    /// Takes the next message of what is there; false if there is none.
    fn take(&mut self, now: Instant) -> Result<bool, Error> {
        let rest = self.waiting.get(self.taken..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(false);
        }
        let mut out = Vec::new();
        let taken = self.client.receive(now, rest, &mut out).map_err(|fault| Error::Garbled {
            who: self.server.clone(),
            protocol: "chapp",
            why: fault.to_string(),
        })?;
        self.taken += taken;
        if let Some(link) = &self.link {
            link.send(&out);
        }
        Ok(taken > 0)
    }

    /// Does what is due; false if nothing is.
    fn tick(&mut self, now: Instant) -> bool {
        let is_due = self.client.deadline().is_some_and(|due| due <= now);
        if is_due {
            self.with(Client::tick);
        }
        is_due
    }

    fn came(&mut self, piece: Result<io::Result<Vec<u8>>, RecvError>) {
        match piece {
            Ok(Ok(bytes)) => {
                self.waiting.drain(..self.taken);
                self.taken = 0;
                self.waiting.extend_from_slice(&bytes);
            }
            Ok(Err(error)) => {
                let was_reset = error.kind() == io::ErrorKind::ConnectionReset;
                self.lost(if was_reset { io::Error::other("it reset the connection") } else { error });
            }
            Err(_) => self.lost(io::Error::other("it closed the connection")),
        }
    }

    /// Why it is over.
    fn error(&self, why: Why) -> Error {
        let who = self.server.clone();
        match why {
            Why::Unreachable => {
                Error::Unreachable { who, cause: io::Error::other(self.trouble()), advice: ADVICE }
            }
            Why::Unsettled => Error::Garbled {
                who,
                protocol: "chapp",
                why: "it agrees to a name again and again, and does not stay with it".to_owned(),
            },
            Why::Refused(_, verdict) => Error::Rejected { who, reason: verdict.to_string() },
            Why::Replaced => Error::Rejected {
                who,
                reason: "another connection has come in our place (306 REPLACED)".to_owned(),
            },
        }
    }
}

/// A connection, which is closed when this is dropped.
struct Link {
    stream: TcpStream,
    /// What comes, and in the end perhaps why it ended.
    came: Receiver<io::Result<Vec<u8>>>,
}

impl Link {
    fn open(server: &str, patience: Duration) -> Result<Self, Error> {
        let stream = net::connect_within(patience, server, ADVICE)?;
        let lost = |error| Error::lost(server, error);
        stream.set_write_timeout(Some(patience)).map_err(lost)?;
        net::keep_alive(&stream).map_err(lost)?;
        let incoming = stream.try_clone().map_err(lost)?;
        let (tell, came) = bounded(PIECES);
        let spawned = thread::Builder::new().name("chat".to_owned()).spawn(move || read(incoming, &tell));
        spawned.map_err(|cause| Error::local("start a thread", cause))?;
        Ok(Self { stream, came })
    }

    /// Sends. Where that fails, the server may have said why: what is there of that is read, and then it is over.
    fn send(&self, bytes: &[u8]) {
        if let Err(error) = (&self.stream).write_all(bytes) {
            log::debug!("cannot send: {error}");
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Reads until the end, or until nobody wants to know any more.
fn read(mut stream: TcpStream, tell: &Sender<io::Result<Vec<u8>>>) {
    let mut piece = vec![0; PIECE];
    loop {
        let came = match stream.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => Ok(piece[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = came.is_err();
        if tell.send(came).is_err() || is_last {
            return;
        }
    }
}
