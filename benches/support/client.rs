//! One client of a bench: what it waits for, and what it makes of what comes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use super::view::{Reading, View};
use super::{bytes, wrong};

/// How long nothing may happen while something is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a client waits for.
pub(crate) enum Goal {
    /// Nothing: a byte that comes now is one too many.
    Rest,
    /// The handshake is accepted.
    Accepted,
    /// Setup is over.
    Listed,
    /// So many changes have been told in all, and nothing is left of the packet that told the last.
    Told(u64),
    /// Everybody at home has been told.
    Roll,
    /// A packet is complete. Whatever comes behind it is welcome.
    Look,
    /// So many idle answers of this burst, and so many bursts after it.
    Pound { answers: usize, deep: usize, bursts: u32 },
}

/// One client, from an address of its own.
pub(crate) struct Client {
    pub(crate) number: u32,
    pub(crate) stream: TcpStream,
    goal: Goal,
    visits: bool,
    /// Bytes that did not make a whole yet.
    inbox: Vec<u8>,
    reading: Reading,
    pub(crate) view: View,
}

impl Client {
    /// Connects and says hello; one who visits those below a number hears the roll as soon as it is there.
    pub(crate) fn connect(server: SocketAddr, number: u32, visits: Option<u32>) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::from((bytes::address(number), 0)).into())?;
        // On loopback the system connects without the server: this takes no time to speak of.
        socket.connect_timeout(&server.into(), PATIENCE)?;
        socket.set_nonblocking(true)?;
        let mut client = Self {
            number,
            stream: TcpStream::from_std(socket.into()),
            goal: Goal::Accepted,
            visits: visits.is_some(),
            inbox: Vec::new(),
            reading: Reading::default(),
            view: View::counting(visits.unwrap_or(0)),
        };
        client.send(bytes::HELLO)?;
        Ok(client)
    }

    /// Sends a heartbeat, whose answer is to reach `goal`.
    pub(crate) fn heartbeat(&mut self, goal: Goal) -> io::Result<()> {
        self.goal = goal;
        self.send(bytes::HEARTBEAT)
    }

    /// Begins with the first of `bursts` bursts of `deep` heartbeats.
    pub(crate) fn pound(&mut self, deep: usize, bursts: u32) -> io::Result<()> {
        self.goal = Goal::Pound { answers: deep, deep, bursts: bursts - 1 };
        self.burst(deep)
    }

    fn burst(&mut self, deep: usize) -> io::Result<()> {
        static BURST: [[u8; bytes::PACKET]; 64] = [*bytes::HEARTBEAT; 64];
        self.send(BURST[..deep].as_flattened())
    }

    /// What a client sends is so little that the system always takes it.
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self.stream.write(packet)? {
            all if all == packet.len() => Ok(()),
            some => Err(wrong(format!("{some} of {} bytes could be sent", packet.len()))),
        }
    }

    /// Reads what is there. True if the goal has been reached.
    pub(crate) fn readable(&mut self, buffer: &mut [u8], received: &mut u64) -> io::Result<bool> {
        let mut reached = false;
        loop {
            let room = buffer.len();
            let some = match self.stream.read(buffer) {
                Ok(0) => return Err(wrong("the server closes")),
                Ok(some) => some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(reached),
                Err(error) => return Err(error),
            };
            *received += some as u64;
            reached |= self.take(&buffer[..some])?;
            if some < room {
                return Ok(reached);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.inbox.is_empty() {
            let (used, reached) = self.consume(bytes)?;
            self.inbox.extend_from_slice(&bytes[used..]);
            return Ok(reached);
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.extend_from_slice(bytes);
        let (used, reached) = self.consume(&inbox)?;
        inbox.drain(..used);
        self.inbox = inbox;
        Ok(reached)
    }

    /// Takes all that is whole: how many bytes, and whether the goal has been reached.
    fn consume(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        let (mut at, mut reached) = (0, false);
        while at < bytes.len() {
            let (used, now) = self.step(&bytes[at..])?;
            reached |= now;
            at += used;
            if used == 0 {
                break;
            }
        }
        Ok((at, reached))
    }

    fn step(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        if bytes.len() > 4 && self.reading.at_boundary() && bytes.starts_with(bytes::REJECTED) {
            return Err(wrong(format!("rejected: {}", bytes[8.min(bytes.len())..].escape_ascii())));
        }
        match self.goal {
            Goal::Rest => Err(wrong(format!("unasked: {}", bytes.escape_ascii()))),
            Goal::Accepted if expect(bytes, bytes::ACCEPTED)? => {
                self.goal = Goal::Listed;
                self.send(&bytes::method(self.number))?;
                Ok((bytes::ACCEPTED.len(), false))
            }
            Goal::Listed if expect(bytes, bytes::LISTED)? => {
                let reached = !self.visits;
                match reached {
                    true => self.goal = Goal::Rest,
                    false => self.heartbeat(Goal::Roll)?,
                }
                Ok((bytes::LISTED.len(), reached))
            }
            Goal::Accepted | Goal::Listed => Ok((0, false)),
            Goal::Pound { answers, deep, bursts } => self.pounded(bytes, answers, deep, bursts),
            Goal::Told(_) | Goal::Roll | Goal::Look => self.told(bytes),
        }
    }

    fn told(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        let used = self.reading.read(bytes, &mut self.view)?;
        let reached = used > 0
            && self.reading.at_boundary()
            && match self.goal {
                Goal::Told(all) => self.view.told >= all,
                Goal::Roll => self.view.home >= self.view.home_below,
                _ => true,
            };
        if let Goal::Told(all) = self.goal
            && reached
        {
            self.goal = Goal::Rest;
            if self.view.told > all {
                return Err(wrong(format!("told of {} changes, not of {all}", self.view.told)));
            }
        }
        Ok((used, reached))
    }

    fn pounded(
        &mut self,
        bytes: &[u8],
        mut answers: usize,
        deep: usize,
        bursts: u32,
    ) -> io::Result<(usize, bool)> {
        let mut used = 0;
        for answer in bytes.as_chunks::<{ bytes::BLOCK }>().0.iter().take(answers) {
            if !answer.starts_with(bytes::ANSWER) || !answer.ends_with(b"A\0\0\0") {
                return Err(wrong(format!("not an idle answer: {}", answer.escape_ascii())));
            }
            answers -= 1;
            used += bytes::BLOCK;
        }
        if answers > 0 {
            self.goal = Goal::Pound { answers, deep, bursts };
            return Ok((used, false));
        }
        if bursts == 0 {
            self.goal = Goal::Rest;
            return Ok((used, true));
        }
        self.pound(deep, bursts)?;
        Ok((used, false))
    }
}

/// Whether all of `packet` is there; an error as soon as something else is.
fn expect(bytes: &[u8], packet: &[u8]) -> io::Result<bool> {
    let there = bytes.len().min(packet.len());
    match bytes[..there] == packet[..there] {
        true => Ok(there == packet.len()),
        false => Err(wrong(format!("{} in place of {}", bytes.escape_ascii(), packet.escape_ascii()))),
    }
}
