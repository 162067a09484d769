//! chapp clients of a bench, on one thread: each posts to the next one, waits for the reply, and posts again, while
//! what the one before it posts is delivered to it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::client::PATIENCE;
use super::{bytes, wrong};

const SEP: &[u8] = b"\\\n";
/// How long a message is.
const MESSAGE: usize = 100;

/// The clients of one server.
pub(crate) struct Posters {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Poster>,
    /// What was delivered so far.
    pub(crate) delivered: Sum,
}

/// A sum over messages in whatever order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Sum {
    /// Counts a message, by what it is made of.
    fn add(&mut self, parts: [&[u8]; 2]) {
        // FNV-1a.
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, step);
        self.sum = self.sum.wrapping_add(hash);
        self.count += 1;
    }

    fn merge(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.count += other.count;
    }
}

/// One client.
struct Poster {
    number: usize,
    stream: TcpStream,
    name: String,
    /// Whom it posts to.
    to: String,
    inbox: Vec<u8>,
    /// Of what the line that comes next is a part.
    part: Part,
    /// How many messages it has sent, ever.
    sent: u64,
    /// How many it is still to send.
    left: u64,
    is_waiting: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Reply,
    Delivery,
}

impl Posters {
    /// So many clients, each of which has introduced itself.
    pub(crate) fn introduce(server: SocketAddr, count: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for number in 0..count {
            let mut client = Poster::connect(server, number, (number + 1) % count)?;
            let interests = Interest::READABLE;
            poll.registry().register(&mut client.stream, Token(number), interests)?;
            clients.push(client);
        }
        let delivered = Sum::default();
        let mut all =
            Self { poll, events: Events::with_capacity(1024), buffer: vec![0; 64 << 10], clients, delivered };
        for client in &mut all.clients {
            client.send(&format!("INTRODUCE\t{}->server\\\nID:0\\\n\\\n", client.name))?;
        }
        all.wait(0)?;
        Ok(all)
    }

    /// Lets each client post so many messages, one after the other; what all of them come to.
    pub(crate) fn post(&mut self, each: u64) -> io::Result<Sum> {
        let mut sum = Sum::default();
        for client in &mut self.clients {
            for number in client.sent..client.sent + each {
                sum.add([client.to.as_bytes(), message(client.number, number).as_bytes()]);
            }
            client.left = each;
            client.post()?;
        }
        let wanted = self.delivered.count + sum.count;
        self.wait(wanted)?;
        Ok(sum)
    }

    /// Waits until nobody waits any more, and so many messages have been delivered.
    fn wait(&mut self, delivered: u64) -> io::Result<()> {
        while self.delivered.count < delivered || self.clients.iter().any(|client| client.is_waiting) {
            self.poll.poll(&mut self.events, Some(PATIENCE))?;
            if self.events.is_empty() {
                return Err(wrong("nothing comes any more"));
            }
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                self.delivered.merge(client.readable(&mut self.buffer)?);
            }
        }
        Ok(())
    }
}

/// What a client posts.
fn message(client: usize, number: u64) -> String {
    format!("{:-<MESSAGE$}", format!("{client} says {number} "))
}

fn name(number: usize) -> String {
    format!("poster-{number}")
}

impl Poster {
    fn connect(server: SocketAddr, number: usize, next: usize) -> io::Result<Self> {
        let address = bytes::address(u32::try_from(number).map_err(io::Error::other)?);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::from((address, 0)).into())?;
        socket.connect_timeout(&server.into(), PATIENCE)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            number,
            stream: TcpStream::from_std(socket.into()),
            name: name(number),
            to: name(next),
            inbox: Vec::new(),
            part: Part::Reply,
            sent: 0,
            left: 0,
            is_waiting: false,
        })
    }

    /// What a client sends is so little that the system always takes it.
    fn send(&mut self, request: &str) -> io::Result<()> {
        self.is_waiting = true;
        match self.stream.write(request.as_bytes())? {
            all if all == request.len() => Ok(()),
            some => Err(wrong(format!("{some} of {} bytes could be sent", request.len()))),
        }
    }

    /// Posts the next message, if it is to.
    fn post(&mut self) -> io::Result<()> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(()) };
        let Self { name, to, sent, number, .. } = self;
        let text = message(*number, *sent);
        let request = format!("POST\t{name}->{to}\\\nID:{sent}\\\nmessage: {text}\\\n\\\n");
        self.left = left;
        self.sent += 1;
        self.send(&request)
    }

    /// Takes what is there; the messages that were delivered.
    fn readable(&mut self, buffer: &mut [u8]) -> io::Result<Sum> {
        let mut delivered = Sum::default();
        loop {
            let some = match self.stream.read(buffer) {
                Ok(0) => return Err(wrong("the server closes")),
                Ok(some) => some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(delivered),
                Err(error) => return Err(error),
            };
            self.inbox.extend_from_slice(&buffer[..some]);
            let inbox = std::mem::take(&mut self.inbox);
            let mut rest = &inbox[..];
            while let Some(end) = rest.windows(SEP.len()).position(|two| two == SEP) {
                self.line(&rest[..end], &mut delivered)?;
                rest = &rest[end + SEP.len()..];
            }
            self.inbox = rest.to_vec();
            if some < buffer.len() {
                return Ok(delivered);
            }
        }
    }

    fn line(&mut self, line: &[u8], delivered: &mut Sum) -> io::Result<()> {
        if line.starts_with(b"POST\t") {
            self.part = Part::Delivery;
        } else if line.starts_with(b"RESPONSE\t") {
            self.part = Part::Reply;
        } else if line.starts_with(b"status: ") && line != b"status: 100" {
            return Err(wrong(format!("refused: {}", line.escape_ascii())));
        } else if line.starts_with(b"message: ") || line.starts_with(b"messages: ") {
            match self.part {
                Part::Reply => {
                    self.is_waiting = false;
                    return self.post();
                }
                Part::Delivery => delivered.add([self.name.as_bytes(), text(line)?]),
            }
        }
        Ok(())
    }
}

/// The text of a message that is delivered, none of which has anything in it that would be escaped.
fn text(line: &[u8]) -> io::Result<&[u8]> {
    const BEFORE: &[u8] = b"\"message\": \"";
    let at = line.windows(BEFORE.len()).position(|part| part == BEFORE);
    let text = at.and_then(|at| line.get(at + BEFORE.len()..at + BEFORE.len() + MESSAGE));
    text.ok_or_else(|| wrong(format!("no message: {}", line.escape_ascii())))
}

/// A message as the server keeps it.
pub(crate) fn kept(client: usize, number: u64, next: usize) -> String {
    let (text, from, to) = (message(client, number), name(client), name(next));
    format!(
        r#"{{"timestamp": "[2000-01-01 00:00:00]", "message": "{text}", "from_user": "{from}", "to_user": "{to}"}}"#
    )
}
