//! Floors: what a server cannot be faster than.
//!
//! A floor runs as a child process of the bench, on one thread, over an edge-triggered mio poll. It knows that
//! each packet of a client is 16 bytes long, counts them, and answers from bytes prepared before the first
//! client came: one read and one write a turn, which is what the least of servers needs.
//!
//! - Packet 0 is the handshake: accepted, method 1 asked for. Packet 1 tells it: setup is over.
//! - Packet 2 is the first heartbeat: answered with `first` clients added.
//! - All others are answered in turn with what `cycle` says, `A200,R200` for example.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::{bytes, wrong};

/// The most packets that are answered by one write.
const DEEP: usize = 64;
const LISTENER: Token = Token(usize::MAX);

/// Runs a floor if that is what the arguments ask for.
pub(crate) fn main(arguments: &[String]) -> Option<io::Result<()>> {
    match arguments {
        [flag, first, cycle] if flag == "--floor" => Some(serve(first, cycle)),
        _ => None,
    }
}

/// What is said, in the order in which a client is told it.
struct Script {
    opening: [Vec<u8>; 3],
    cycle: Vec<Vec<u8>>,
    /// The one answer of a cycle of one, many times, for packets that come together.
    repeated: Option<(usize, Vec<u8>)>,
}

impl Script {
    fn parse(first: &str, cycle: &str) -> Option<Self> {
        let opening =
            [bytes::ACCEPTED.to_vec(), bytes::LISTED.to_vec(), bytes::answer(b'A', 0, first.parse().ok()?)];
        let step = |step: &str| match step.split_at_checked(1)? {
            ("A", count) => Some(bytes::answer(b'A', 0, count.parse().ok()?)),
            ("R", count) => Some(bytes::answer(b'R', 0, count.parse().ok()?)),
            _ => None,
        };
        let cycle: Vec<_> = cycle.split(',').map(step).collect::<Option<_>>()?;
        let repeated = match cycle.as_slice() {
            [only] => Some((only.len(), only.repeat(DEEP))),
            _ => None,
        };
        Some(Self { opening, cycle, repeated })
    }

    fn answer(&self, packet: usize) -> &[u8] {
        match self.opening.get(packet) {
            Some(opening) => opening,
            None => &self.cycle[(packet - self.opening.len()) % self.cycle.len()],
        }
    }

    /// The bytes that answer as many as possible of `count` packets from `packet` on, and how many those are.
    fn answers(&self, packet: usize, count: usize) -> (&[u8], usize) {
        match &self.repeated {
            Some((each, all)) if packet >= self.opening.len() => {
                let count = count.min(DEEP);
                (&all[..each * count], count)
            }
            _ => (self.answer(packet), 1),
        }
    }
}

struct Client {
    stream: TcpStream,
    /// Bytes received so far.
    received: usize,
    /// Packets answered so far, but for the bytes of `unsent`.
    answered: usize,
    /// How many bytes of the last answers have not found room yet.
    unsent: Option<(usize, usize, usize)>,
}

/// Whether a client is still there.
#[derive(PartialEq, Eq)]
enum Fate {
    Stays,
    Gone,
}

impl Client {
    /// One turn: what did not fit, then one read, then what answers it.
    fn turn(&mut self, script: &Script, buffer: &mut [u8]) -> io::Result<Fate> {
        if let Some((packet, count, from)) = self.unsent.take()
            && !self.send(script, packet, count, from)?
        {
            return Ok(Fate::Stays);
        }
        loop {
            let room = buffer.len();
            match self.stream.read(buffer) {
                Ok(0) => return Ok(Fate::Gone),
                Ok(some) => {
                    self.received += some;
                    if !self.answer_all(script)? || some < room {
                        return Ok(Fate::Stays);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Fate::Stays),
                Err(error) => return Err(error),
            }
        }
    }

    fn answer_all(&mut self, script: &Script) -> io::Result<bool> {
        while self.answered < self.received / bytes::PACKET {
            let count = self.received / bytes::PACKET - self.answered;
            let packet = self.answered;
            let (_, count) = script.answers(packet, count);
            self.answered += count;
            if !self.send(script, packet, count, 0)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the answers of `count` packets from byte `from` on; false if they did not all fit.
    fn send(&mut self, script: &Script, packet: usize, count: usize, mut from: usize) -> io::Result<bool> {
        let (answers, _) = script.answers(packet, count);
        while from < answers.len() {
            match self.stream.write(&answers[from..]) {
                Ok(some) => from += some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some((packet, count, from));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn serve(first: &str, cycle: &str) -> io::Result<()> {
    let script = Script::parse(first, cycle).ok_or_else(|| wrong("usage: --floor FIRST CYCLE"))?;
    end_with_input();
    let mut poll = Poll::new()?;
    let mut listener = listen()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("floor listening on {}", listener.local_addr()?);
    let mut events = Events::with_capacity(1024);
    let mut clients = Clients { slots: Vec::new(), free: Vec::new() };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        for event in &events {
            match event.token() {
                LISTENER => clients.accept(&listener, &poll)?,
                Token(slot) => clients.turn(slot, event, &script, &mut buffer),
            }
        }
    }
}

struct Clients {
    slots: Vec<Option<Client>>,
    free: Vec<usize>,
}

impl Clients {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let slot = self.free.pop().unwrap_or(self.slots.len());
            poll.registry().register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
            let client = Some(Client { stream, received: 0, answered: 0, unsent: None });
            match self.slots.get_mut(slot) {
                Some(free) => *free = client,
                None => self.slots.push(client),
            }
        }
    }

    fn turn(&mut self, slot: usize, event: &Event, script: &Script, buffer: &mut [u8]) {
        let Some(Some(client)) = self.slots.get_mut(slot) else { return };
        // The event that says no more than that there is room is nobody's business unless somebody waits.
        if !event.is_readable() && client.unsent.is_none() {
            return;
        }
        // A client that ends badly is gone like any other.
        if client.turn(script, buffer).unwrap_or(Fate::Gone) == Fate::Gone {
            self.slots[slot] = None;
            self.free.push(slot);
        }
    }
}

/// The listener, whose clients inherit that nothing is held back.
fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Ends this process when the bench does, however that ends. The thread sleeps until then.
fn end_with_input() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}
