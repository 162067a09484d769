//! One connection to a server: the socket under a [`Client`].

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use super::error::Error;
use super::net::{self, Came, Inflow, SERVER_PORT};
use crate::lekt::client::{Client, Event};
use crate::lekt::wire::Method;

/// How long handshake and setup may take.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a heartbeat may take to be sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes read at once; more than the largest client object.
const READ_SIZE: usize = 128 * 1024;

const ADVICE: &str = "is rollcalld running there? Start it, or name another SERVER";

/// What came of listening for a while.
#[derive(Debug)]
pub(super) enum Heard {
    Event(Event),
    /// Nothing within the time given.
    Nothing,
    /// The server closed the connection, between two packets.
    End,
}

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Conversation {
    server: String,
    stream: TcpStream,
    client: Client,
    /// Handshake and setup are over.
    is_joined: bool,
    inflow: Inflow,
    out: Vec<u8>,
}

impl Conversation {
    /// Connects, shakes hands and answers the setup; returns once we are on the roll. As soon as there is a socket,
    /// `watch` gets to see it, and may call the whole thing off.
    pub(super) fn join(
        server: &str,
        methods: &[Method],
        watch: impl FnOnce(&TcpStream) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let place = net::place(server, Some(SERVER_PORT))?;
        let stream = net::connect(&place, ADVICE)?;
        watch(&stream)?;
        stream.set_write_timeout(Some(SEND_TIMEOUT)).map_err(|error| Error::lost(&place, error))?;
        let mut out = Vec::new();
        let client = Client::new(methods.iter().copied(), &mut out);
        let inflow = Inflow::of(READ_SIZE);
        let mut joining = Self { server: place, stream, client, is_joined: false, inflow, out };
        joining.send()?;
        let until = Instant::now() + JOIN_TIMEOUT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match joining.hear(left)? {
                Heard::Event(Event::Joined) => {
                    joining.is_joined = true;
                    return Ok(joining);
                }
                Heard::Event(_) => {}
                Heard::Nothing if left.is_zero() => {
                    return Err(joining.lost("it does not answer; is it a LEKT server?"));
                }
                Heard::Nothing => {}
                Heard::End => return Err(joining.lost("it closed the connection before we were on the roll")),
            }
        }
    }

    /// Sends heartbeats, in one go.
    pub(super) fn heartbeats(&mut self, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            self.client.heartbeat(unix_time(), &mut self.out);
        }
        self.send()
    }

    /// Says that nothing more will be sent.
    pub(super) fn finish(&self) -> Result<(), Error> {
        self.stream.shutdown(Shutdown::Write).map_err(|error| self.lost(error))
    }

    /// The next thing that the server tells, within `wait`.
    pub(super) fn hear(&mut self, wait: Duration) -> Result<Heard, Error> {
        let until = Instant::now() + wait;
        loop {
            let taken = self.client.receive(self.inflow.rest(), &mut self.out);
            let (count, event) = taken.map_err(|error| Error::malformed(&self.server, error))?;
            self.inflow.consume(count);
            self.send()?;
            match event {
                Some(Event::Rejected(reason)) => {
                    return Err(Error::Rejected { who: self.server.clone(), reason });
                }
                Some(event) => return Ok(Heard::Event(event)),
                None if count > 0 => continue,
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.inflow.fill(&self.stream, Some(left)).map_err(|error| self.lost(error))? {
                Came::Bytes => {}
                Came::Nothing => return Ok(Heard::Nothing),
                // Before we have joined there are no blocks that the end could cut short.
                Came::EndOfStream
                    if self.inflow.rest().is_empty() && (self.client.may_end() || !self.is_joined) =>
                {
                    return Ok(Heard::End);
                }
                Came::EndOfStream => return Err(self.lost("it closed the connection in mid-sentence")),
            }
        }
    }

    /// The error of a conversation that ended in this way.
    pub(super) fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::lost(&self.server, why)
    }

    fn send(&mut self) -> Result<(), Error> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = (&self.stream).write_all(&self.out);
        self.out.clear();
        sent.map_err(|error| self.lost(error))
    }
}

/// Unix time in seconds.
pub(super) fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
