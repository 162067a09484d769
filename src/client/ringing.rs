//! From a connection to a conversation: saying who one is, and deciding.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::call::{Call, Incoming};
use super::error::Error;
use super::net::{self, Came, Inflow};
use crate::lekt::peer::{Event, Fault, NotNow, Peer};

/// How long a packet of the handshake may take to be sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether another thread has decided.
const TICK: Duration = Duration::from_millis(100);
/// What is held of what the other sends ahead of our decision. It waits in the system beyond that.
const AHEAD: usize = 4096;

const ADVICE: &str = "is `rollcall answer` or `rollcall chat` running there?";

/// A call that has not come about yet, seen from either side.
///
/// Wait until the other has [`introduced`](Self::introduced) itself, decide with a [`Decider`], and wait until both
/// are [`connected`](Self::connected). Dropped, it hangs up.
///
/// ```no_run
/// use rollcall::client::Ringing;
///
/// let mut ringing = Ringing::call("127.0.0.1:4242", "alice")?;
/// println!("{} answers", ringing.introduced()?);
/// ringing.decider().accept()?;
/// let (call, incoming) = ringing.connected()?;
/// call.send(b"hello")?;
/// # Ok::<(), rollcall::client::Error>(())
/// ```
#[derive(Debug)]
pub struct Ringing {
    line: Arc<Line>,
    inflow: Inflow,
    who: String,
    /// The connection is somebody else's now.
    is_over: bool,
}

/// What the one who waits and the one who decides share.
#[derive(Debug)]
struct Line {
    stream: Arc<TcpStream>,
    remote: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    peer: Peer,
    /// We have said no: what the line still brings is not wanted.
    declined: bool,
}

/// Accepts or rejects, from any thread, while the other waits for that.
#[derive(Debug, Clone)]
pub struct Decider(Arc<Line>);

impl Decider {
    /// Accepts the one who has introduced itself.
    ///
    /// # Errors
    /// It is too late: the other has given up, or the decision was made.
    pub fn accept(&self) -> Result<(), Error> {
        self.decide(|state, out| state.peer.accept(Instant::now(), out))
    }

    /// Rejects it, or hangs up before it has said anything. The reason is cut to what fits, 255 bytes.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn reject(&self, reason: &str) -> Result<(), Error> {
        self.decide(|state, out| {
            state.peer.reject(reason, out)?;
            state.declined = true;
            Ok(())
        })
    }

    /// True if there is nothing left to decide.
    pub fn is_over(&self) -> bool {
        self.0.state.lock().peer.has_ended()
    }

    fn decide(&self, act: impl FnOnce(&mut State, &mut Vec<u8>) -> Result<(), NotNow>) -> Result<(), Error> {
        let mut state = self.0.state.lock();
        let mut out = Vec::new();
        act(&mut state, &mut out)
            .map_err(|NotNow| Error::lost(&self.0.remote.to_string(), "nobody waits for that"))?;
        self.0.send(&out)?;
        if state.declined {
            // Wakes the one who waits as soon as the other closes, too.
            let _ = self.0.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }
}

impl Line {
    fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        (&*self.stream).write_all(bytes).map_err(|error| Error::lost(&self.remote.to_string(), error))
    }
}

impl Ringing {
    /// Calls whoever listens at `place`, which is `HOST:PORT`.
    ///
    /// # Errors
    /// Nobody is to be reached there.
    pub fn call(place: &str, nickname: &str) -> Result<Self, Error> {
        let place = net::place(place, None)?;
        let stream = net::connect(&place, ADVICE)?;
        let mut out = Vec::new();
        let peer = Peer::call(nickname, Instant::now(), &mut out);
        let ringing = Self::new(stream, peer).map_err(|error| Error::lost(&place, error))?;
        ringing.line.send(&out)?;
        Ok(ringing)
    }

    /// Answers somebody who has just connected.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn answer(stream: TcpStream, nickname: &str) -> Result<Self, Error> {
        let peer = Peer::answer(nickname, Instant::now());
        Self::new(stream, peer).map_err(|cause| Error::local("answer a call", cause))
    }

    fn new(stream: TcpStream, peer: Peer) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(SEND_TIMEOUT))?;
        let remote = stream.peer_addr()?;
        let state = Mutex::new(State { peer, declined: false });
        let line = Arc::new(Line { stream: Arc::new(stream), remote, state });
        Ok(Self { line, inflow: Inflow::of(AHEAD), who: remote.to_string(), is_over: false })
    }

    /// From where the other called, or where it listens.
    pub fn remote(&self) -> SocketAddr {
        self.line.remote
    }

    /// A handle with which any thread can decide.
    pub fn decider(&self) -> Decider {
        Decider(Arc::clone(&self.line))
    }

    /// Waits until the other has said who it is, and returns its nickname: then it is for us to decide.
    ///
    /// # Errors
    /// It rejects us, hangs up, breaks the protocol, or takes too long.
    pub fn introduced(&mut self) -> Result<String, Error> {
        let nickname = self.wait(|event| match event {
            Some(Event::Introduced { nickname }) => Some(nickname.to_owned()),
            _ => None,
        })?;
        self.who.clone_from(&nickname);
        Ok(nickname)
    }

    /// Waits until both have accepted.
    ///
    /// # Errors
    /// As [`introduced`](Self::introduced); also if we have rejected, or nobody decided here in time.
    pub fn connected(mut self) -> Result<(Call, Incoming), Error> {
        let line = Arc::clone(&self.line);
        // The caller accepts last and may talk at once, whatever comes.
        self.wait(|_| line.state.lock().peer.is_talking().then_some(()))?;
        let halves = line.state.lock().peer.split();
        let (inbox, outbox) = halves.ok_or_else(|| Error::lost(&self.who, "nobody waits for that"))?;
        let local = |cause| Error::local("use the connection", cause);
        line.stream.set_write_timeout(None).map_err(local)?;
        line.stream.set_read_timeout(None).map_err(local)?;
        net::keep_alive(&line.stream).map_err(local)?;
        let inflow = std::mem::replace(&mut self.inflow, Inflow::of(0));
        let nickname = std::mem::take(&mut self.who);
        self.is_over = true;
        Ok(Call::new(Arc::clone(&line.stream), line.remote, nickname, inbox, outbox, inflow))
    }

    /// Reads until `found` says that what was waited for is there. It is asked before the first read, and after
    /// each event.
    fn wait<T>(&mut self, mut found: impl FnMut(Option<Event<'_>>) -> Option<T>) -> Result<T, Error> {
        loop {
            if let Some(found) = found(None) {
                return Ok(found);
            }
            if let Some(found) = self.take(&mut found)? {
                return Ok(found);
            }
            if self.inflow.is_full() {
                std::thread::sleep(TICK);
                continue;
            }
            match self.inflow.fill(&self.line.stream, Some(TICK)).map_err(|error| self.lost(error))? {
                Came::Bytes | Came::Nothing => {}
                Came::EndOfStream if self.line.state.lock().declined => return Err(Error::Declined),
                Came::EndOfStream => {
                    // What came before the end may have been a rejection.
                    return self.take(&mut found)?.ok_or_else(|| self.lost("it hung up"));
                }
            }
        }
    }

    /// Takes what is there until `found`, and looks at the clock.
    fn take<T>(
        &mut self,
        found: &mut impl FnMut(Option<Event<'_>>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        loop {
            let mut state = self.line.state.lock();
            if state.declined {
                drop(state);
                net::linger(&self.line.stream);
                return Err(Error::Declined);
            }
            if state.peer.is_talking() {
                // Another thread has accepted. What comes now is messages, and not ours to read.
                drop(state);
                return Ok(found(None));
            }
            let (now, mut out) = (Instant::now(), Vec::new());
            let ticked = state.peer.tick(now, &mut out);
            let received = ticked.and_then(|()| state.peer.receive(now, self.inflow.rest(), &mut out));
            drop(state);
            if !out.is_empty() {
                // If it cannot be told, the end of the stream will show that.
                let _ = self.line.send(&out);
            }
            let (count, event) = received.map_err(|fault| self.fault(fault))?;
            if let Some(Event::Rejected { reason }) = event {
                return Err(Error::Rejected { who: self.who.clone(), reason: reason.to_owned() });
            }
            let known = event.and_then(|event| found(Some(event)));
            let nothing = count == 0 && event.is_none();
            self.inflow.consume(count);
            if known.is_some() || nothing {
                return Ok(known);
            }
        }
    }

    fn fault(&self, fault: Fault) -> Error {
        net::linger(&self.line.stream);
        Error::Fault { who: self.who.clone(), fault }
    }

    fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::lost(&self.who, why)
    }
}

impl Drop for Ringing {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.line.stream.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_came_about_is_watched_for_a_machine_that_is_gone() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        caller.write_all(b"LEKTH\0\0\0eve\0LEKTA\0\0\0").unwrap();
        let mut ringing = Ringing::answer(listener.accept().unwrap().0, "bob").unwrap();
        ringing.introduced().unwrap();
        ringing.decider().accept().unwrap();
        let (call, _incoming) = ringing.connected().unwrap();
        let socket = socket2::SockRef::from(call.socket());
        assert!(socket.keepalive().unwrap());
        let times = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        assert_eq!(times, (Duration::from_secs(60), Duration::from_secs(10)));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
    }
}
