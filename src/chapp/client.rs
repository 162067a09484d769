//! The client's side of the conversation with a server ("Client").
//!
//! ```text
//!     Apart, Dialing -> CONNECT    100: Present    305, or another name than the wanted one: INTRODUCE
//!     INTRODUCE      -> 100: CONNECT    100 with another name: start over, CONNECT    301: Nameless
//!     Nameless       -> another name: INTRODUCE
//!     Present        -> POST: Posting, Present    GOODBYE: Over
//!     any of them    -> Over: refused, replaced, or the patience is used up
//! ```
//!
//! What is not answered in time is asked again under a new ID, and a reply to an ID that is not the one in progress
//! came too late and changes nothing. A connection that is refused or lost is one attempt as well. Only a message is
//! never sent twice: whether it has arrived is not known then, and that is what is told.

mod event;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use log::trace;

use super::message::Message;
use super::name::Name;
use super::wire::request::{self, Unsendable};
use super::wire::told::{self, Heard, Malformed, Problem, Reply, TOLD_LIMIT, Told};
use super::wire::{Action, SEPARATOR, Status};
pub use event::{Errand, Event, Fault, Verdict, Why};

/// How often at the most it is asked for one name before there is one.
pub const ROUNDS: u32 = 5;
/// The bytes that are ever waited for.
pub const LIMIT: usize = TOLD_LIMIT;

/// How patient a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long to wait for a reply before asking again, and how far apart attempts to connect begin.
    pub patience: Duration,
    /// How often to ask in all, or to connect.
    pub attempts: u32,
    /// How long to wait for the reply to a message.
    pub post_patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { patience: Duration::from_secs(2), attempts: 5, post_patience: Duration::from_secs(10) }
    }
}

/// The client's role against a server: connections, bytes and time in, [`Event`]s and bytes out.
pub struct Client {
    settings: Settings,
    /// Who we want to be, and are once we are in the chat; none: whoever the server knows us as.
    name: Option<Name>,
    state: State,
    /// In the first so many bytes that wait there is no end.
    searched: usize,
    next_id: u64,
    rounds: u32,
    /// When the next connection may be made at the earliest.
    not_before: Option<Instant>,
    events: VecDeque<Event>,
}

/// Named for what we are in relation to the chat, or what we do.
#[derive(Debug)]
enum State {
    /// There is no connection; one is to be made at that time, or at once.
    Apart { attempt: u32, at: Option<Instant> },
    /// Somebody makes one.
    Dialing { attempt: u32 },
    /// A request is out.
    Asking { errand: Errand, id: u64, attempt: u32, until: Instant },
    /// We need another name.
    Nameless(Line),
    /// We are in the chat.
    Present,
    /// A message is out.
    Posting { id: u64, until: Instant },
    /// That was all.
    Over,
}

/// Whether there is a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Up,
    Down,
}

impl Client {
    /// A client that wants to be `name`, or whoever the server knows it as.
    pub fn new(settings: Settings, name: Option<Name>) -> Self {
        Self {
            settings,
            name,
            state: State::Apart { attempt: 1, at: None },
            searched: 0,
            next_id: 1,
            rounds: 0,
            not_before: None,
            events: VecDeque::new(),
        }
    }

    /// Who we want to be, and are once we are in the chat; none: whoever the server knows us as.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// What has happened and was not told yet.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`tick`](Self::tick) and [`dial`](Self::dial) have to be called, whatever comes.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Apart { at, .. } => at,
            State::Asking { until, .. } | State::Posting { until, .. } => Some(until),
            State::Dialing { .. } | State::Nameless(_) | State::Present | State::Over => None,
        }
    }

    /// True if a connection is to be made now. An attempt begins with that; what comes of it has to be told by
    /// [`connected`](Self::connected) or [`lost`](Self::lost).
    pub fn dial(&mut self, now: Instant) -> bool {
        let State::Apart { attempt, at } = self.state else { return false };
        if at.is_some_and(|at| now < at) {
            return false;
        }
        self.not_before = Some(now + self.settings.patience);
        self.enter(State::Dialing { attempt });
        true
    }

    /// There is a connection. No bytes of one before it are to be received from now on.
    pub fn connected(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.searched = 0;
        if let State::Dialing { attempt } = self.state {
            self.ask(now, Errand::Connect, attempt, out);
        }
    }

    /// There is no connection any more, or none came about.
    pub fn lost(&mut self, now: Instant) {
        match self.state {
            State::Asking { errand: Errand::Goodbye, .. } => {
                // That is how the server sees it, too.
                self.events.push_back(Event::Left);
                self.enter(State::Over);
            }
            State::Dialing { attempt } | State::Asking { attempt, .. } => self.apart(now, attempt),
            State::Posting { id, .. } => {
                self.events.push_back(Event::PostUnknown { id });
                self.apart(now, 0);
            }
            State::Present => self.apart(now, 0),
            State::Nameless(_) => self.enter(State::Nameless(Line::Down)),
            State::Apart { .. } | State::Over => {}
        }
    }

    /// Takes the first message of what came, which has to begin with what was not taken before; what has to be sent
    /// is appended to `out`.
    ///
    /// Returns how many bytes were taken. Call it again with the rest until it takes none: then more bytes are
    /// needed, and at most [`LIMIT`] are ever waited for.
    ///
    /// # Errors
    /// The server broke a rule of chapp(7): the connection has to be closed.
    pub fn receive(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        let taken = self.take(now, bytes, out);
        if taken.is_err() {
            self.enter(State::Over);
        }
        taken
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<u8>) {
        match self.state {
            State::Asking { until, .. } | State::Posting { until, .. } if now < until => {}
            State::Asking { attempt, .. } if attempt >= self.settings.attempts => {
                self.give_up(Why::Unreachable);
            }
            State::Asking { errand, attempt, .. } => self.ask(now, errand, attempt + 1, out),
            State::Posting { id, .. } => {
                self.events.push_back(Event::PostUnknown { id });
                self.enter(State::Present);
            }
            _ => {}
        }
    }

    /// Takes another name after the last one was refused, or there was none; false, and nothing, at any other time.
    pub fn rename(&mut self, now: Instant, name: Name, out: &mut Vec<u8>) -> bool {
        let State::Nameless(line) = self.state else { return false };
        self.name = Some(name);
        self.rounds = 0;
        match line {
            Line::Up => self.introduce(now, out),
            Line::Down => self.enter(State::Apart { attempt: 1, at: self.not_before }),
        }
        true
    }

    /// Sends a message, of which the white space at the front gets lost on the way. Returns the ID of the request;
    /// none, and nothing is sent, as long as we are not in the chat or another message is out.
    ///
    /// # Errors
    /// The message cannot be sent, and nothing is.
    pub fn post(
        &mut self,
        now: Instant,
        to: &Name,
        message: &str,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>, Unsendable> {
        let (State::Present, Some(from)) = (&self.state, &self.name) else { return Ok(None) };
        let id = self.next_id;
        request::put_post(out, id, from, to, message)?;
        self.next_id += 1;
        self.enter(State::Posting { id, until: now + self.settings.post_patience });
        Ok(Some(id))
    }

    /// Leaves the chat; false, and nothing, as long as we are not in it or a message is out.
    pub fn goodbye(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let is_present = matches!(self.state, State::Present);
        if is_present {
            self.ask(now, Errand::Goodbye, 1, out);
        }
        is_present
    }

    fn take(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        if matches!(self.state, State::Over) {
            return Ok(bytes.len());
        }
        let Some(length) = self.first_message(bytes)? else { return Ok(0) };
        self.searched = 0;
        match Told::parse(&bytes[..length]).map_err(Fault::Malformed)? {
            // What comes before we are in the chat is in the list with which we enter it.
            Told::Delivery(delivery) => {
                if matches!(self.state, State::Present | State::Posting { .. })
                    || matches!(self.state, State::Asking { errand: Errand::Goodbye, .. })
                {
                    self.events.push_back(Event::Delivered(delivery.message));
                }
            }
            Told::Reply(reply) => self.hear(now, reply, out)?,
        }
        Ok(length)
    }

    /// How many bytes the first message has, if it is whole.
    fn first_message(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        if !may_begin(bytes) {
            return Err(Fault::Malformed(Malformed { at: 0, problem: Problem::ActionLine }));
        }
        match told::hear(bytes, self.searched) {
            Heard::Whole(length) => return Ok(Some(length)),
            Heard::Perhaps(length) if self.is_farewell(&bytes[..length]) => return Ok(Some(length)),
            Heard::Perhaps(length) => self.searched = length - SEPARATOR.len(),
            Heard::Open(searched) => self.searched = searched,
            Heard::TooLong => return Err(Fault::TooLong),
        }
        Ok(None)
    }

    /// True if this is the one reply of which nothing more follows though it could: that we may go.
    fn is_farewell(&self, bytes: &[u8]) -> bool {
        let State::Asking { errand: Errand::Goodbye, id, .. } = self.state else { return false };
        let Ok(Told::Reply(reply)) = Told::parse(bytes) else { return false };
        (reply.about, reply.status) == (Some(id), Status::Success.code())
    }

    fn hear(&mut self, now: Instant, reply: Reply, out: &mut Vec<u8>) -> Result<(), Fault> {
        match (reply.about, &self.state) {
            (None, _) if reply.status == Status::Replaced.code() => self.give_up(Why::Replaced),
            (None, _) => self.events.push_back(Event::Complaint(Verdict::of(reply))),
            (Some(about), &State::Asking { errand, id, .. }) if about == id => {
                self.answered(now, errand, reply, out)?;
            }
            (Some(about), &State::Posting { id, .. }) if about == id => {
                let event = posted(id, reply)?;
                self.events.push_back(event);
                self.enter(State::Present);
            }
            (Some(about), _) => self.events.push_back(Event::Late { about }),
        }
        Ok(())
    }

    fn answered(
        &mut self,
        now: Instant,
        errand: Errand,
        reply: Reply,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match (errand, Status::of(reply.status)) {
            (Errand::Connect | Errand::Introduce, Some(Status::Success)) => {
                let name = reply.username.ok_or(Fault::Lacking("username"))?;
                let messages = reply.messages.ok_or(Fault::Lacking("messages"))?;
                self.named(now, errand, name, messages, out);
            }
            (Errand::Connect, Some(Status::ClientNotFound)) => {
                self.events.push_back(Event::NotKnown);
                match self.name {
                    Some(_) => self.introduce(now, out),
                    None => self.enter(State::Nameless(Line::Up)),
                }
            }
            (Errand::Introduce, Some(Status::InvalidUsername)) => {
                self.events.extend(self.name.clone().map(Event::NameRefused));
                self.enter(State::Nameless(Line::Up));
            }
            // The server has heard it before, and it was its reply that got lost.
            (Errand::Goodbye, Some(Status::Success | Status::NotIntroduced)) => {
                self.events.push_back(Event::Left);
                self.enter(State::Over);
            }
            _ => self.give_up(Why::Refused(errand, Verdict::of(reply))),
        }
        Ok(())
    }

    /// The server calls us by this name.
    fn named(&mut self, now: Instant, errand: Errand, name: Name, messages: Vec<Message>, out: &mut Vec<u8>) {
        let is_wanted = self.name.as_ref().is_none_or(|wanted| *wanted == name);
        match errand {
            Errand::Introduce if is_wanted => {
                self.events.push_back(Event::Introduced(name));
                self.ask(now, Errand::Connect, 1, out);
            }
            _ if is_wanted => {
                self.rounds = 0;
                self.name = Some(name.clone());
                self.events.push_back(Event::Entered { name, messages });
                self.enter(State::Present);
            }
            Errand::Introduce => {
                self.events.push_back(Event::OtherName { errand, name });
                self.ask(now, Errand::Connect, 1, out);
            }
            _ => {
                self.events.push_back(Event::OtherName { errand, name });
                self.introduce(now, out);
            }
        }
    }

    fn introduce(&mut self, now: Instant, out: &mut Vec<u8>) {
        if self.rounds >= ROUNDS {
            return self.give_up(Why::Unsettled);
        }
        self.rounds += 1;
        self.ask(now, Errand::Introduce, 1, out);
    }

    fn ask(&mut self, now: Instant, errand: Errand, attempt: u32, out: &mut Vec<u8>) {
        let id = self.next_id;
        self.next_id += 1;
        match (errand, &self.name) {
            (Errand::Introduce, Some(name)) => request::put_introduce(out, id, name),
            (Errand::Goodbye, Some(name)) => request::put_goodbye(out, id, name),
            (_, name) => request::put_connect(out, id, name.as_ref()),
        }
        let until = now + self.settings.patience;
        self.not_before = Some(until);
        self.events.push_back(Event::Asked { errand, id, attempt });
        self.enter(State::Asking { errand, id, attempt, until });
    }

    /// There is no connection, and that many attempts have led to nothing.
    fn apart(&mut self, now: Instant, attempts: u32) {
        if attempts >= self.settings.attempts {
            return self.give_up(Why::Unreachable);
        }
        let at = self.not_before.map_or(now, |earliest| earliest.max(now));
        let attempt = attempts + 1;
        self.events.push_back(Event::Lost { attempt, at });
        self.enter(State::Apart { attempt, at: Some(at) });
    }

    fn give_up(&mut self, why: Why) {
        self.events.push_back(Event::GaveUp(why));
        self.enter(State::Over);
    }

    fn enter(&mut self, state: State) {
        trace!("{:?} -> {state:?}", self.state);
        self.state = state;
    }
}

/// True if these bytes are the beginning of what a server says, as far as they go.
fn may_begin(bytes: &[u8]) -> bool {
    [Action::Response, Action::Post].into_iter().any(|action| {
        let start = bytes.iter().zip(action.word().bytes().chain([b'\t']));
        start.into_iter().all(|(byte, expected)| byte.eq_ignore_ascii_case(&expected))
    })
}

/// What the reply to a message tells.
fn posted(id: u64, reply: Reply) -> Result<Event, Fault> {
    if reply.status != Status::Success.code() {
        return Ok(Event::NotPosted { id, verdict: Verdict::of(reply) });
    }
    let message = reply.message.ok_or(Fault::Lacking("message"))?;
    Ok(Event::Posted { id, message })
}

#[cfg(test)]
mod tests;
