//! The clients of a bench: any number of them on one thread, each from an address of its own.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::client::{Client, Goal, PATIENCE};
use super::view::View;
use super::wrong;

/// How many clients join at the same time, at most.
const JOINING: usize = 64;
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

    /// Lets client `number` leave without a goodbye: its connection is reset.
    pub(crate) fn leave_by_reset(&mut self, number: u32) -> io::Result<()> {
        SockRef::from(&self.client(number)?.stream).set_linger(Some(Duration::ZERO))?;
        self.leave(number..number + 1);
        Ok(())
    }

    /// Lets the witness look until it sees who is there, and nobody else.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let began = Instant::now();
        loop {
            self.client(WITNESS)?.heartbeat(Goal::Look)?;
            while !self.turn()?.contains(&WITNESS) {}
            let seen = &self.clients[WITNESS as usize];
            if self.truth == Truth::Prepared
                || seen.as_ref().is_some_and(|seen| seen.view.is_all_but(WITNESS, &self.present))
            {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(wrong("the witness sees others than there are"));
            }
        }
    }

    /// Lets those of `numbers` who are there send a heartbeat, as clients do to stay, and waits until each is answered.
    pub(crate) fn look(&mut self, numbers: Range<u32>) -> io::Result<()> {
        let mut waiting = Vec::new();
        for number in numbers {
            if let Some(Some(client)) = self.clients.get_mut(number as usize) {
                client.heartbeat(Goal::Look)?;
                waiting.push(number);
            }
        }
        while !waiting.is_empty() {
            let done = self.turn()?;
            waiting.retain(|number| !done.contains(number));
        }
        Ok(())
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
