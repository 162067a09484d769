//! The clients of a bench: any number of them on one thread, each from an address of its own.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::view::{Reading, View};
use super::{bytes, wrong};

/// How many clients join at the same time, at most.
const JOINING: usize = 64;
/// How long nothing may happen while something is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The client who only looks whether the server has noticed what the others did.
pub(crate) const WITNESS: u32 = 0;

/// Whether what the server says can be held against who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It keeps a roll.
    Kept,
    /// It says what was prepared.
    Prepared,
}

/// The clients of one server.
pub(crate) struct Crowd {
    server: SocketAddr,
    truth: Truth,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// By number.
    clients: Vec<Option<Client>>,
    /// Who is there.
    present: View,
    /// Who has what it waited for.
    done: Vec<u32>,
    /// All bytes that came so far.
    pub(crate) received: u64,
}

impl Crowd {
    /// No clients yet, of the server at `server`.
    pub(crate) fn new(server: SocketAddr, truth: Truth) -> io::Result<Self> {
        Ok(Self {
            server,
            truth,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            clients: Vec::new(),
            present: View::default(),
            done: Vec::new(),
            received: 0,
        })
    }

    /// Lets `numbers` join, and waits until all are on the roll.
    pub(crate) fn join(&mut self, numbers: Range<u32>) -> io::Result<()> {
        let mut left = numbers.len();
        let mut coming = numbers.clone();
        for number in coming.by_ref().take(JOINING) {
            self.connect(number, None)?;
        }
        while left > 0 {
            for _ in self.turn()? {
                left -= 1;
                if let Some(number) = coming.next() {
                    self.connect(number, None)?;
                }
            }
        }
        numbers.for_each(|number| self.present.add(number));
        Ok(())
    }

    /// Lets `numbers` leave. The server may notice later: see [`Crowd::settle`].
    pub(crate) fn leave(&mut self, numbers: Range<u32>) {
        for number in numbers {
            self.clients[number as usize] = None;
            self.present.remove(number);
        }
    }

    /// Lets the witness look until it sees who is there, and nobody else.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        loop {
            self.client(WITNESS)?.heartbeat(Goal::Look)?;
            while !self.turn()?.contains(&WITNESS) {}
            let seen = &self.clients[WITNESS as usize];
            if self.truth == Truth::Prepared
                || seen.as_ref().is_some_and(|seen| seen.view.is_all_but(WITNESS, &self.present))
            {
                return Ok(());
            }
        }
    }

    /// Lets each of `numbers` send a heartbeat, and waits until each has been told of `changes` changes.
    pub(crate) fn hear(&mut self, numbers: Range<u32>, changes: u64) -> io::Result<()> {
        let mut left = numbers.len();
        for number in numbers {
            let client = self.client(number)?;
            let told = client.view.told + changes;
            client.heartbeat(Goal::Told(told))?;
        }
        while left > 0 {
            left -= self.turn()?.len();
        }
        Ok(())
    }

    /// Lets each of `numbers` send `bursts` bursts of `deep` heartbeats while nothing changes, the next one
    /// when the one before it has been answered.
    pub(crate) fn pound(&mut self, numbers: Range<u32>, deep: usize, bursts: u32) -> io::Result<()> {
        let mut left = numbers.len();
        for number in numbers {
            self.client(number)?.pound(deep, bursts)?;
        }
        while left > 0 {
            left -= self.turn()?.len();
        }
        Ok(())
    }

    /// Lets `count` clients join, send one heartbeat, wait for the whole roll, on which `home` clients with
    /// numbers below `home` are at least, and leave, `together` at the same time. They take turns with the
    /// numbers from `home` on. Gives a checksum of what they were told about those at home.
    pub(crate) fn visit(&mut self, home: u32, count: u32, together: u32) -> io::Result<u64> {
        const TURNS: u32 = 1024;
        let mut coming = (0..count).map(|visit| home + visit % TURNS);
        for number in coming.by_ref().take(together as usize) {
            self.connect(number, Some(home))?;
        }
        let (mut left, mut checksum) = (count, 0_u64);
        while left > 0 {
            for number in self.turn()? {
                left -= 1;
                if let Some(client) = self.clients[number as usize].take() {
                    checksum = checksum.wrapping_add(u64::from(client.view.home));
                }
                if let Some(number) = coming.next() {
                    self.connect(number, Some(home))?;
                }
            }
        }
        Ok(checksum)
    }

    /// Holds what each of `numbers` has been told against who is there, and gives a checksum of it.
    pub(crate) fn check(&mut self, numbers: Range<u32>) -> io::Result<u64> {
        let mut checksum = 0_u64;
        for number in numbers {
            let Some(Some(client)) = self.clients.get(number as usize) else {
                return Err(wrong(format!("client {number} is gone")));
            };
            if self.truth == Truth::Kept && !client.view.is_all_but(number, &self.present) {
                return Err(wrong(format!("client {number} sees others than there are")));
            }
            checksum = checksum.wrapping_add(client.view.checksum());
        }
        Ok(checksum)
    }

    fn client(&mut self, number: u32) -> io::Result<&mut Client> {
        let client = self.clients.get_mut(number as usize).and_then(Option::as_mut);
        client.ok_or_else(|| wrong(format!("client {number} is gone")))
    }

    /// Connects client `number`; one that visits hears the roll as soon as it is there.
    fn connect(&mut self, number: u32, visits: Option<u32>) -> io::Result<()> {
        let mut client = Client::connect(self.server, number, visits)?;
        let interest = Interest::READABLE;
        self.poll.registry().register(&mut client.stream, Token(number as usize), interest)?;
        let slot = number as usize;
        if slot >= self.clients.len() {
            self.clients.resize_with(slot + 1, || None);
        }
        self.clients[slot] = Some(client);
        Ok(())
    }

    /// Waits until something comes, and says who has now what it waited for.
    fn turn(&mut self) -> io::Result<Vec<u32>> {
        self.done.clear();
        match self.poll.poll(&mut self.events, Some(PATIENCE)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Vec::new()),
            outcome => outcome?,
        }
        if self.events.is_empty() {
            return Err(wrong(format!("the server says nothing for {} s", PATIENCE.as_secs())));
        }
        for event in &self.events {
            let Some(Some(client)) = self.clients.get_mut(event.token().0) else { continue };
            let number = client.number;
            let reached = client.readable(&mut self.buffer, &mut self.received);
            if reached.map_err(|error| wrong(format!("client {number}: {error}")))? {
                self.done.push(number);
            }
        }
        Ok(std::mem::take(&mut self.done))
    }
}

/// What a client waits for.
enum Goal {
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

struct Client {
    number: u32,
    stream: TcpStream,
    goal: Goal,
    visits: bool,
    /// Bytes that did not make a whole yet.
    inbox: Vec<u8>,
    reading: Reading,
    view: View,
}

impl Client {
    fn connect(server: SocketAddr, number: u32, visits: Option<u32>) -> io::Result<Self> {
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

    fn heartbeat(&mut self, goal: Goal) -> io::Result<()> {
        self.goal = goal;
        self.send(bytes::HEARTBEAT)
    }

    fn pound(&mut self, deep: usize, bursts: u32) -> io::Result<()> {
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
    fn readable(&mut self, buffer: &mut [u8], received: &mut u64) -> io::Result<bool> {
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
