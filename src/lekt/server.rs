//! The server's side of a conversation with a client.
//!
//! ```text
//!     Greeting --H--> Setup --T, T ...--> Joining --on the roll--> Present --H, H, H ... until it ends
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::wire::{self, BLOCK_LIMIT, Block, BlockKind, Header, KnownMethods, Method, Object, Version, kind};
use crate::roll::{Applicant, Forgotten, Listing, Member, Roll, Sequence};
use crate::session::{Answer, Ask, Door, Event, Excess, Fault, Output, Refusal, Session, Standing, View};
use crate::wire::{Problem, Reader, WireError};

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client may take for handshake and setup together.
    pub handshake_timeout: Duration,
    /// How long a client stays on the roll without a complete heartbeat.
    pub heartbeat_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { handshake_timeout: Duration::from_secs(10), heartbeat_timeout: Duration::from_secs(30) }
    }
}

/// The door through which LEKT clients come.
pub struct LektDoor {
    settings: Arc<Settings>,
}

impl LektDoor {
    /// The name of this door.
    pub const NAME: &'static str = "lekt";

    /// A door whose sessions go by `settings`.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }
}

impl Door for LektDoor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session> {
        Box::new(Server::new(now, peer, Arc::clone(&self.settings)))
    }

    fn refusal(&self, why: Refusal) -> Vec<u8> {
        rejection(Version::OURS, &why.to_string())
    }
}

/// One client, as the server sees it.
pub struct Server {
    settings: Arc<Settings>,
    peer: SocketAddr,
    version: Version,
    state: State,
}

enum State {
    /// Waits for the handshake.
    Greeting { until: Instant },
    /// Has asked for the information of `method`, and waits for it.
    Setup { until: Instant, method: u32, known: Box<KnownMethods>, methods: Vec<Method> },
    /// Waits for the workers to put the client on the roll.
    Joining,
    /// Waits for heartbeats.
    Present { until: Instant, member: Member, told: Option<Sequence> },
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Greeting { .. } => "greeting",
            Self::Setup { .. } => "setup",
            Self::Joining => "joining",
            Self::Present { .. } => "present",
        }
    }
}

impl Session for Server {
    #[inline]
    fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let mut reader = Reader::new(bytes);
        match self.message(now, &mut reader, view, out) {
            Ok(()) => Ok(reader.position()),
            Err(Complaint::Malformed(error)) if error.is_short() => Ok(0),
            Err(Complaint::Malformed(error)) => Err(self.malformed(&error)),
            Err(Complaint::Fault(fault)) => Err(fault),
        }
    }

    fn handle(
        &mut self,
        now: Instant,
        event: Event,
        _view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Fault> {
        match event {
            Event::Opened
            | Event::Mail(_)
            | Event::Answer(Answer::Left | Answer::Toiled | Answer::Clerk(_)) => Ok(()),
            Event::Answer(Answer::Joined(member)) => {
                self.joined(now, member, out);
                Ok(())
            }
            Event::Tick => self.tick(now),
            Event::EndOfStream => {
                out.close();
                Ok(())
            }
            Event::Shutdown => Err(self.rejected("the server is shutting down".into())),
            Event::GiveWay => {
                Err(self.rejected("others need the place: your handshake takes too long".into()))
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Greeting { until } | State::Setup { until, .. } | State::Present { until, .. } => {
                Some(until)
            }
            State::Joining => None,
        }
    }

    fn standing(&self) -> Standing {
        match self.state {
            State::Greeting { .. } | State::Setup { .. } | State::Joining => Standing::Pending,
            State::Present { .. } => Standing::Settled,
        }
    }
}

/// Why a message was not taken: framing sorts out whether it only is not whole yet.
enum Complaint {
    Malformed(WireError),
    Fault(Fault),
}

impl From<WireError> for Complaint {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl Server {
    fn new(now: Instant, peer: SocketAddr, settings: Arc<Settings>) -> Self {
        let until = now + settings.handshake_timeout;
        Self { settings, peer, version: Version::OURS, state: State::Greeting { until } }
    }

    fn message(
        &mut self,
        now: Instant,
        reader: &mut Reader<'_>,
        view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Complaint> {
        let header = wire::header(reader)?;
        let greets = matches!(self.state, State::Greeting { .. });
        if header.version != self.version && !greets {
            let reason = format!("malformed: version {} in a session of {}", header.version, self.version);
            return Err(Complaint::Fault(self.rejected(reason)));
        }
        match &mut self.state {
            State::Present { until, member, told } => {
                expect(header, kind::HEARTBEAT)?;
                // The client's own time is not checked ("Heartbeat").
                reader.i64("time")?;
                *until = now + self.settings.heartbeat_timeout;
                answer(self.version, *member, told, view, out).map_err(Complaint::Fault)
            }
            State::Greeting { until } => {
                let until = *until;
                self.greeting(header, until, reader, view, out)
            }
            State::Setup { method, methods, .. } => {
                expect(header, kind::SETUP)?;
                reader.u32_in("index of method", *method..=*method)?;
                methods.extend(Method::read(*method, reader)?);
                self.ask_or_join(view, out);
                Ok(())
            }
            State::Joining => Err(Complaint::Fault(Fault::silent("bytes were judged while an ask was out"))),
        }
    }

    /// The handshake ("Version", "Bitfield", "IPv6").
    fn greeting(
        &mut self,
        header: Header,
        until: Instant,
        reader: &mut Reader<'_>,
        view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Complaint> {
        let Some(version) = Version::OURS.agreed(header.version) else {
            let (ours, theirs) = (Version::OURS, header.version);
            let reason = format!("this server speaks version {ours}, which cannot talk to version {theirs}");
            return Err(Complaint::Fault(self.rejected(reason)));
        };
        expect(header, kind::HELLO)?;
        let known = KnownMethods::read(reader)?;
        if self.peer.is_ipv6() {
            let reason = format!("{} has no room for IPv6 addresses: connect by IPv4", Version::OURS);
            return Err(Complaint::Fault(self.rejected(reason)));
        }
        self.version = version;
        wire::put_accept(out.bytes(), version);
        self.enter(
            State::Setup { until, method: 0, known: Box::new(known), methods: Vec::new() },
            "it has said which methods it knows",
        );
        self.ask_or_join(view, out);
        Ok(())
    }

    /// Asks for the next method that both sides know, or, when there is none, to be put on the roll ("Setup").
    fn ask_or_join(&mut self, view: &dyn View, out: &mut Output) {
        let State::Setup { method, known, methods, .. } = &mut self.state else { return };
        if let Some(next) = Method::KNOWN.into_iter().find(|&next| next > *method && known.knows(next)) {
            *method = next;
            wire::put_request(out.bytes(), self.version, next);
            return;
        }
        let mut object = Vec::new();
        Object::put(&mut object, ipv4(self.peer), methods);
        out.ask(Ask::Join(Applicant {
            door: LektDoor::NAME,
            address: self.peer,
            name: None,
            listing: Listing::new(&object),
            since: view.unix_time(),
        }));
        self.enter(State::Joining, "all is told that there is to tell");
    }

    /// The client is on the roll before the first byte of index 0 is sent ("Joining").
    fn joined(&mut self, now: Instant, member: Member, out: &mut Output) {
        wire::put_request(out.bytes(), self.version, 0);
        let until = now + self.settings.heartbeat_timeout;
        self.enter(State::Present { until, member, told: None }, "it is on the roll");
    }

    fn tick(&self, now: Instant) -> Result<(), Fault> {
        if self.deadline().is_none_or(|until| now < until) {
            return Ok(());
        }
        if let State::Present { .. } = self.state {
            let seconds = self.settings.heartbeat_timeout.as_secs();
            return Err(Fault::silent(format!("no heartbeat for {seconds} s")));
        }
        let seconds = self.settings.handshake_timeout.as_secs();
        Err(self.rejected(format!("handshake and setup were not finished within {seconds} s")))
    }

    fn malformed(&self, error: &WireError) -> Fault {
        self.rejected(format!("malformed: {error}"))
    }

    /// A fault that the client is told of ("Rejecting").
    fn rejected(&self, reason: String) -> Fault {
        let farewell = rejection(self.version, &reason);
        Fault::told(reason, farewell)
    }

    fn enter(&mut self, state: State, why: &str) {
        log::trace!("lekt {}: {} -> {}: {why}", self.peer, self.state.name(), state.name());
        self.state = state;
    }
}

fn rejection(version: Version, reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_reject(&mut out, version, reason);
    out
}

/// Judges the kind of a packet against the one that this phase takes.
#[inline]
fn expect(header: Header, kind: u8) -> Result<(), WireError> {
    if header.kind == kind {
        return Ok(());
    }
    Err(WireError { at: 4, field: "kind", problem: Problem::Byte(header.kind) })
}

/// The answer to a heartbeat: what changed since `told`, net ("Answer").
#[inline]
fn answer(
    version: Version,
    member: Member,
    told: &mut Option<Sequence>,
    view: &dyn View,
    out: &mut Output,
) -> Result<(), Fault> {
    if *told == Some(view.sequence()) {
        let nothing = Block { time: view.unix_time(), kind: BlockKind::Added, count: 0 };
        out.bytes().extend_from_slice(&nothing.packet(version));
        return Ok(());
    }
    let mut teller = Teller { version, time: view.unix_time(), out };
    let mut outcome = Ok(());
    view.read(&mut |roll| {
        outcome = match *told {
            None => {
                teller.everyone(roll, member);
                Ok(())
            }
            Some(since) => teller.changes(roll, since, member),
        };
        *told = Some(roll.sequence());
    });
    outcome.map_err(|Forgotten| {
        let why = "more has changed since its last heartbeat than the journal remembers";
        Fault::excess(Excess::Changes, why)
    })
}

/// Writes one answer.
struct Teller<'a> {
    version: Version,
    time: i64,
    out: &'a mut Output,
}

impl Teller<'_> {
    /// The first answer: everyone who is there already, from bytes that exist already.
    fn everyone(&mut self, roll: &Roll, member: Member) {
        let (count, slices) = roll.everyone_but(member);
        debug_assert!(count <= BLOCK_LIMIT, "the daemon takes fewer clients than a count can say");
        self.block(BlockKind::Added, count);
        slices.for_each(|slice| self.out.share(slice));
    }

    /// At most one run of removed blocks, then at most one run of added blocks; never nothing at all.
    fn changes(&mut self, roll: &Roll, since: Sequence, member: Member) -> Result<(), Forgotten> {
        let difference = roll.since(since, member)?;
        let start = self.out.bytes().len();
        self.block(BlockKind::Removed, 0);
        let mut removed = 0;
        for address in difference.removed() {
            self.out.bytes().extend_from_slice(&address.octets());
            removed += 1;
        }
        self.settle(start, removed);
        let start = self.out.bytes().len();
        self.block(BlockKind::Added, 0);
        let mut added = 0;
        for listing in difference.added() {
            self.out.bytes().extend_from_slice(listing);
            added += 1;
        }
        if removed == 0 || added > 0 {
            self.settle_even_empty(start, added);
        } else {
            self.out.bytes().truncate(start);
        }
        Ok(())
    }

    /// Appends a block's beginning.
    fn block(&mut self, kind: BlockKind, count: usize) {
        // The count of a block is fewer than there are clients and journalled changes, which 24 bits hold.
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let packet = Block { time: self.time, kind, count }.packet(self.version);
        self.out.bytes().extend_from_slice(&packet);
    }

    /// Sets the count of the block that begins at `start`, or takes it back if there is nothing in it.
    fn settle(&mut self, start: usize, count: u32) {
        if count == 0 {
            self.out.bytes().truncate(start);
        } else {
            self.settle_even_empty(start, count);
        }
    }

    fn settle_even_empty(&mut self, start: usize, count: u32) {
        let at = start + wire::BLOCK - 3;
        self.out.bytes()[at..at + 3].copy_from_slice(&count.to_be_bytes()[1..]);
    }
}

fn ipv4(peer: SocketAddr) -> Ipv4Addr {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => address,
        // Such a client was rejected in its handshake.
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests;
