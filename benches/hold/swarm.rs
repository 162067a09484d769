//! Any number of connections on one thread: what they send, what comes, and how they end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::client::PATIENCE;
use crate::support::{bytes, wrong};

/// What is kept of what comes: more than any of these clients has to look at.
const KEPT: usize = 1 << 20;
/// How many join at the same time.
const JOINING: usize = 64;

/// One connection.
pub(super) struct Link {
    stream: TcpStream,
    /// What came.
    pub(super) inbox: Vec<u8>,
    /// When it ended, from either side.
    pub(super) ended: Option<Instant>,
}

/// All of them.
pub(super) struct Swarm {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    pub(super) links: Vec<Link>,
    /// How many have ended.
    pub(super) ended: usize,
    /// How many bytes came.
    pub(super) received: u64,
}

/// How a connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// As the system likes it.
    Usual,
    /// As narrow as it goes.
    Narrow,
}

impl Swarm {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 << 10],
            links: Vec::new(),
            ended: 0,
            received: 0,
        })
    }

    /// Connects from the address of client `number`; under which index.
    pub(super) fn connect(&mut self, server: SocketAddr, number: u32, window: Window) -> io::Result<usize> {
        let index = self.links.len();
        let stream = open(server, bytes::address(number), window)?;
        self.links.push(Link { stream, inbox: Vec::new(), ended: None });
        self.watch(index, window)?;
        Ok(index)
    }

    /// Connects once more, in the place of a connection that is closed.
    pub(super) fn reconnect(&mut self, index: usize, server: SocketAddr, number: u32) -> io::Result<()> {
        self.end(index);
        let stream = open(server, bytes::address(number), Window::Usual)?;
        self.links[index] = Link { stream, inbox: Vec::new(), ended: None };
        self.ended -= 1;
        self.watch(index, Window::Usual)
    }

    /// Whoever has a narrow window does not read.
    fn watch(&mut self, index: usize, window: Window) -> io::Result<()> {
        match window {
            Window::Narrow => Ok(()),
            Window::Usual => {
                let stream = &mut self.links[index].stream;
                self.poll.registry().register(stream, Token(index), Interest::READABLE)
            }
        }
    }

    /// Sends as much as the system takes; how much. An error is the end of the connection.
    pub(super) fn send(&mut self, index: usize, bytes: &[u8]) -> usize {
        let link = &mut self.links[index];
        if link.ended.is_some() {
            return 0;
        }
        match link.stream.write(bytes) {
            Ok(some) => some,
            Err(error) if is_not_yet(&error) => 0,
            Err(_) => {
                self.end(index);
                0
            }
        }
    }

    /// Sends all, which is so little that the system takes it.
    pub(super) fn send_all(&mut self, index: usize, bytes: &[u8]) -> io::Result<()> {
        let began = Instant::now();
        let mut at = 0;
        while at < bytes.len() && self.links[index].ended.is_none() {
            at += self.send(index, &bytes[at..]);
            if began.elapsed() > PATIENCE {
                return Err(wrong("the system takes nothing"));
            }
        }
        Ok(())
    }

    /// Closes a connection.
    pub(super) fn end(&mut self, index: usize) {
        let link = &mut self.links[index];
        if link.ended.is_none() {
            link.ended = Some(Instant::now());
            let _ = self.poll.registry().deregister(&mut link.stream);
            let _ = link.stream.shutdown(std::net::Shutdown::Both);
            self.ended += 1;
        }
    }

    /// Has a connection end by a reset when it is closed.
    pub(super) fn will_reset(&self, index: usize) -> io::Result<()> {
        SockRef::from(&self.links[index].stream).set_linger(Some(Duration::ZERO))
    }

    /// Takes what comes within `limit`, at the first of it; whose it is.
    pub(super) fn turn(&mut self, limit: Duration) -> io::Result<Vec<usize>> {
        match self.poll.poll(&mut self.events, Some(limit)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Vec::new()),
            outcome => outcome?,
        }
        let touched: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for &index in &touched {
            self.read(index);
        }
        Ok(touched)
    }

    fn read(&mut self, index: usize) {
        let link = &mut self.links[index];
        while link.ended.is_none() {
            match link.stream.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(some) => {
                    self.received += some as u64;
                    let room = KEPT.saturating_sub(link.inbox.len()).min(some);
                    link.inbox.extend_from_slice(&self.buffer[..room]);
                }
                Err(error) if is_not_yet(&error) => return,
                Err(_) => break,
            }
        }
        self.end(index);
    }

    /// Takes what comes until `is_done`, or until `limit` is over; whether it is done.
    pub(super) fn until(
        &mut self,
        limit: Duration,
        mut is_done: impl FnMut(&Self) -> bool,
    ) -> io::Result<bool> {
        let began = Instant::now();
        while !is_done(self) {
            let left = limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.turn(left.min(Duration::from_millis(50)))?;
        }
        Ok(true)
    }

    /// Has `numbers` join the roll by LEKT, and returns their indices.
    pub(super) fn join(&mut self, server: SocketAddr, numbers: Range<u32>) -> io::Result<Range<usize>> {
        let first = self.links.len();
        let mut coming = numbers.clone();
        let mut there = 0;
        while there < numbers.len() {
            while self.links.len() - first - there < JOINING
                && let Some(number) = coming.next()
            {
                let index = self.connect(server, number, Window::Usual)?;
                self.send_all(index, &greeting(number))?;
            }
            let before = self.links.iter().skip(first).filter(|link| link.has_joined()).count();
            if before == there && self.turn(PATIENCE)?.is_empty() {
                return Err(wrong(format!("{there} of {} could join", numbers.len())));
            }
            there = before;
        }
        Ok(first..self.links.len())
    }

    /// Has each of `indices` send a heartbeat; how many are answered within `limit`.
    pub(super) fn beat(&mut self, indices: Range<usize>, limit: Duration) -> io::Result<usize> {
        let (began, mut left) = (Instant::now(), 0);
        for index in indices.clone() {
            self.links[index].inbox.clear();
            self.send_all(index, bytes::HEARTBEAT)?;
            left += usize::from(self.links[index].ended.is_none());
        }
        let is_answered =
            |link: &Link| link.inbox.len() >= bytes::BLOCK && link.inbox.starts_with(bytes::ANSWER);
        let mut answered = vec![false; indices.len()];
        let mut count = 0;
        while count < left && began.elapsed() < limit {
            for index in self.turn(Duration::from_millis(50))? {
                let Some(place) = index.checked_sub(indices.start).filter(|at| *at < answered.len()) else {
                    continue;
                };
                if !answered[place] && is_answered(&self.links[index]) {
                    answered[place] = true;
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}

impl Link {
    /// Whether a client of LEKT is on the roll, as far as it knows.
    pub(super) fn has_joined(&self) -> bool {
        let (accepted, listed) = self.inbox.split_at_checked(bytes::ACCEPTED.len()).unwrap_or_default();
        accepted == bytes::ACCEPTED && listed.starts_with(bytes::LISTED)
    }

    /// Whether `text` stands in what came.
    pub(super) fn has_heard(&self, text: &[u8]) -> bool {
        self.inbox.windows(text.len()).any(|part| part == text)
    }
}

/// Handshake and setup of a client in one.
pub(super) fn greeting(number: u32) -> Vec<u8> {
    [&bytes::HELLO[..], &bytes::method(number)].concat()
}

fn open(server: SocketAddr, own: Ipv4Addr, window: Window) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    if window == Window::Narrow {
        socket.set_recv_buffer_size(4096)?;
    }
    socket.bind(&SocketAddr::from((own, 0)).into())?;
    socket.set_nonblocking(true)?;
    match socket.connect(&server.into()) {
        // EINPROGRESS: it is on its way. A refusal is told by the first read.
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
        outcome => outcome?,
    }
    Ok(TcpStream::from_std(socket.into()))
}

fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted)
}
