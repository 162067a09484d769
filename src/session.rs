//! What a protocol is to an engine: one connection as a state machine over bytes.
//!
//! A [`Session`] has no socket, clock, thread, lock or channel. It is given bytes, events and the time, looks
//! at the roll through a [`View`], and fills an [`Output`]: bytes to send, perhaps an [`Ask`] for the workers,
//! perhaps the wish to close. It has at most one ask in flight, and gets neither bytes nor events but the
//! answer, or the end of everything, until that is back.

mod fault;

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use fault::{Excess, Fault};

use crate::roll::{Applicant, Member, PageSlice, Roll, Sequence};

/// One connection's protocol.
pub trait Session: Send {
    /// Takes at most one message from the front of `bytes`, and says how long it was; 0: it is not whole yet.
    ///
    /// After a fault the session is dropped.
    fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Fault>;

    /// Learns of all that happens but bytes. A tick before the deadline does nothing.
    fn handle(&mut self, now: Instant, event: Event, view: &dyn View, out: &mut Output) -> Result<(), Fault>;

    /// When the session wants a [`Event::Tick`] at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// Does what is slow, on a thread that may take its time: what [`Ask::Toil`] asks for. The session is
    /// nowhere else meanwhile.
    fn toil(&mut self) {}

    /// Whether an end, if it came now, would be held against the address that the client comes from: see
    /// [`Door::cooldown`].
    fn ends_badly(&self) -> bool {
        false
    }

    /// How firmly the client is in: who gives way when others are to be let in.
    fn standing(&self) -> Standing {
        Standing::Settled
    }
}

/// How firmly a client is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has yet to show that it speaks the protocol: its handshake is under way.
    Pending,
    /// It is there to stay.
    Settled,
    /// Nothing is lost if the connection is closed, which brought something sensible at this time for the last time.
    Loose(Instant),
}

/// A kind of session: what a listener lets in.
pub trait Door: Send + Sync {
    /// The name by which listeners, the roll and the log know it.
    fn name(&self) -> &'static str;

    /// The session of a client that connects from `peer`. An IPv4-mapped address has become an IPv4 one.
    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session>;

    /// What a client is told that cannot be let in, before the connection is closed.
    fn refusal(&self, why: Refusal) -> Vec<u8>;

    /// How long an address is refused after a session from there has ended badly.
    fn cooldown(&self) -> Cooldown {
        Cooldown::NONE
    }

    /// Whether sessions ask for [`Ask::Toil`] or [`Ask::Rationed`].
    fn toils(&self) -> bool {
        false
    }

    /// How much of [`Ask::Rationed`] an address may have done.
    fn ration(&self) -> Ration {
        Ration::NONE
    }
}

/// Who keeps the books of a door: what outlives a connection, and what goes from one to another.
///
/// All that is put to a clerk goes to the one thread that he has. He deals with whatever waits in one go, so that
/// many share what is slow about it, and what he answers is durable.
pub trait Clerk: Send {
    /// Deals with `cases`, in their order, and gives `office` what is to be said about them, in the order in which
    /// whoever it is for is to hear it. Without any cases it only is time again, which it is about once a second.
    fn deal(&mut self, moment: Moment, cases: Vec<Case>, office: &mut dyn Office);
}

/// When something is dealt with.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By the clock that never jumps.
    pub now: Instant,
    /// Unix time in seconds.
    pub unix_time: i64,
}

/// What a clerk has at hand.
pub trait Office {
    /// Sends a letter.
    fn send(&mut self, letter: Letter);

    /// Has all of `joins` put on the roll and `leaves` taken off it, and waits for that, which takes microseconds.
    /// Says as whom they are there, in order. For clients whose stay does not hang on a connection: whoever is put
    /// on the roll here stays until he is taken off here.
    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member>;
}

/// Something for a clerk.
pub struct Case {
    /// Whose.
    pub from: Caller,
    /// What.
    pub matter: Matter,
}

/// What a case is about.
pub enum Matter {
    /// What a session asked for. It hears exactly one [`Letter::answer`].
    Ask(Paper),
    /// The connection is no more; he hears of everyone who ever asked for something.
    Gone,
}

/// What a clerk has to say to a connection.
pub struct Letter {
    /// Whom to.
    pub to: Caller,
    /// What.
    pub paper: Paper,
    /// How many bytes it takes: who does not fetch his letters gets no more of them, and is closed.
    pub size: usize,
    /// Whether it is the answer to an ask, or comes unasked.
    pub asked_for: bool,
}

impl Letter {
    /// The answer to what `to` asked for.
    pub fn answer(to: Caller, paper: Paper) -> Self {
        Self { to, paper, size: 0, asked_for: true }
    }

    /// Something of `size` bytes that `to` did not ask for: [`Event::Mail`].
    pub fn unasked(to: Caller, paper: Paper, size: usize) -> Self {
        Self { to, paper, size, asked_for: false }
    }
}

/// A connection, as a clerk knows it. The number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(pub u64);

/// What sessions and their clerk write to each other: only they know what it is.
pub type Paper = Box<dyn Any + Send>;

/// Why a client cannot be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many connections as there may be.
    Full,
    /// There are as many connections from the client's address as there may be.
    Crowded,
    /// There are as many connections from the client's address as there may be that are [`Standing::Pending`].
    Pending,
    /// There were as many new connections from the client's address lately as there may be.
    Hasty,
    /// A session from the client's address has ended badly; it may try again after this time.
    CoolingDown(Duration),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the server is full"),
            Self::Crowded => f.write_str("too many connections from your address"),
            Self::Pending => f.write_str("too many handshakes under way from your address"),
            Self::Hasty => f.write_str("too many new connections from your address"),
            Self::CoolingDown(left) => write!(f, "try again in {} s", whole_seconds(*left)),
        }
    }
}

/// This time in seconds, rounded up, and at least 1: what a client is told to wait.
pub fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// For how long, and whom, a door refuses after a session has ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Counted from the last bad end; zero: nobody is refused.
    pub length: Duration,
    /// Whether it is for loopback addresses, too, behind which may be everybody.
    pub loopback: bool,
}

impl Cooldown {
    /// Nobody is ever refused.
    pub const NONE: Self = Self { length: Duration::ZERO, loopback: false };
}

/// How much slow work an address may have done at a door, by the units that [`Ask::Rationed`] counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ration {
    /// How long it takes until there is one unit more; zero: there is no limit.
    pub interval: Duration,
    /// How many units there are for who has not used any for long.
    pub burst: u32,
}

impl Ration {
    /// As much as anybody wants.
    pub const NONE: Self = Self { interval: Duration::ZERO, burst: 0 };
}

/// What a session sees of the world: the time of day, and the roll as the workers have published it.
pub trait View {
    /// Unix time in seconds.
    fn unix_time(&self) -> i64;

    /// The number of the newest change on the roll. Cheap: a heartbeat with nothing new needs no more.
    fn sequence(&self) -> Sequence;

    /// Shows the roll to `look`, which must not linger: the workers wait.
    fn read(&self, look: &mut dyn FnMut(&Roll));
}

/// All that happens but bytes.
#[derive(Debug)]
pub enum Event {
    /// The connection is there.
    Opened,
    /// What the workers say to the session's ask.
    Answer(Answer),
    /// The clerk has something to say, unasked. What he says while an ask is out comes before the answer to that,
    /// and so a session must not ask for anything because of it.
    Mail(Paper),
    /// Time has passed. What has not been taken yet is received once more after it.
    Tick,
    /// The peer sends no more. What it sent is received once more, should the session make of it now what it
    /// did not before; then it ends.
    EndOfStream,
    /// The daemon is about to end, and so is this, whatever the session makes of it.
    Shutdown,
    /// Others need the place of a session that is not [`Standing::Settled`]: this is its end, whatever it makes of it.
    GiveWay,
}

/// What a session cannot do itself: what changes the roll, and what is slow.
#[derive(Debug)]
pub enum Ask {
    /// Put me on the roll.
    Join(Applicant),
    /// Take this member off the roll. Sessions need not ask for it: the engine does, on every way out.
    Leave(Member),
    /// Have [`Session::toil`] called.
    Toil(Effort),
    /// Have it called as soon as the client's address has so many units of the door's [`Ration`] left. It counts like
    /// others that are behind the same IPv6 /64, and on this machine like everybody.
    Rationed {
        /// How slow it is.
        effort: Effort,
        /// How many units it takes.
        cost: u32,
    },
    /// Have the door's clerk deal with this.
    Clerk(Paper),
}

/// How slow something is. Whatever takes longer than microseconds is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Milliseconds, such as a key exchange.
    Brief,
    /// Tenths of a second, such as a password.
    Long,
}

/// What comes of an ask.
#[derive(Debug)]
pub enum Answer {
    /// He is on the roll.
    Joined(Member),
    /// He is off the roll.
    Left,
    /// The slow part is done.
    Toiled,
    /// The clerk's answer.
    Clerk(Paper),
}

/// What a session has to say: bytes of its own, and between them pages that exist already.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Pages, each with the number of own bytes that go before it.
    pages: Vec<(usize, PageSlice)>,
    ask: Option<Ask>,
    rest: Option<Instant>,
    close: bool,
    apart: bool,
}

/// A piece of an output.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Bytes of the session's own.
    Bytes(&'a [u8]),
    /// Bytes that others are sent as well.
    Page(&'a PageSlice),
}

impl Piece<'_> {
    /// What is to be sent.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Page(page) => page.as_slice(),
        }
    }
}

impl Output {
    /// Where the session's own bytes are appended.
    #[inline]
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Sends a page without copying it, behind all that was appended before.
    pub fn share(&mut self, page: PageSlice) {
        self.pages.push((self.bytes.len(), page));
    }

    /// Puts something to the workers. There is at most one ask at a time.
    pub fn ask(&mut self, ask: Ask) {
        debug_assert!(self.ask.is_none(), "a session has at most one ask in flight");
        self.ask = Some(ask);
    }

    /// Has what was said until now sent by a write of its own, before anything more is judged.
    pub fn apart(&mut self) {
        self.apart = true;
    }

    /// Has nothing more judged, nor read, until then.
    pub fn rest(&mut self, until: Instant) {
        self.rest = Some(until);
    }

    /// Closes the connection once everything is sent.
    pub fn close(&mut self) {
        self.close = true;
    }

    /// The ask, for whoever passes it on.
    #[inline]
    pub fn take_ask(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    /// Whether an ask is waiting to be passed on.
    #[inline]
    pub fn has_ask(&self) -> bool {
        self.ask.is_some()
    }

    /// How long the session wants to rest; asking forgets it.
    #[inline]
    pub fn take_rest(&mut self) -> Option<Instant> {
        self.rest.take()
    }

    /// Whether the session wants to close; asking forgets it.
    #[inline]
    pub fn take_close(&mut self) -> bool {
        std::mem::take(&mut self.close)
    }

    /// Whether what was said is to be sent before anything more is judged; asking forgets it.
    #[inline]
    pub fn take_apart(&mut self) -> bool {
        std::mem::take(&mut self.apart)
    }

    /// The own bytes, if there is nothing else.
    #[inline]
    pub fn plain(&self) -> Option<&[u8]> {
        self.pages.is_empty().then_some(&self.bytes)
    }

    /// How many bytes are to be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.pages.iter().map(|(_, page)| page.as_slice().len()).sum::<usize>()
    }

    /// True if nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that is to be sent, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let ends = self.pages.iter().map(|(end, _)| *end).chain([self.bytes.len()]);
        let mut start = 0;
        let pages = self.pages.iter().map(|(_, page)| Some(page)).chain([None]);
        ends.zip(pages).flat_map(move |(end, page)| {
            let bytes = &self.bytes[start..end];
            start = end;
            let bytes = (!bytes.is_empty()).then_some(Piece::Bytes(bytes));
            bytes.into_iter().chain(page.map(Piece::Page))
        })
    }

    /// Forgets what was to be sent, and what memory a burst has taken beyond `keep` bytes.
    #[inline]
    pub fn clear(&mut self, keep: usize) {
        self.apart = false;
        self.bytes.clear();
        if self.bytes.capacity() > keep {
            self.bytes.shrink_to(keep);
        }
        if !self.pages.is_empty() {
            self.pages = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::Listing;

    #[test]
    fn pages_stand_where_they_were_shared() {
        let mut roll = Roll::new(10);
        let join = |roll: &mut Roll, host: u8| {
            let address = SocketAddr::from(([10, 0, 0, host], 1));
            let listing = Listing::new(&[host; 4]);
            roll.join(Applicant { door: "test", address, name: None, listing, since: 0 })
        };
        join(&mut roll, 1);
        let reader = join(&mut roll, 2);
        join(&mut roll, 3);
        let mut out = Output::default();
        out.bytes().extend_from_slice(b"before");
        roll.everyone_but(reader).1.for_each(|page| out.share(page));
        assert!(out.plain().is_none());
        out.bytes().extend_from_slice(b"after");
        let sent: Vec<u8> = out.pieces().flat_map(|piece| piece.as_slice().to_vec()).collect();
        assert_eq!(sent, b"before\x01\x01\x01\x01\x03\x03\x03\x03after");
        out.clear(64);
        assert_eq!(out.plain(), Some(&[][..]));
    }
}
