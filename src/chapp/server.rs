//! The server's side of a conversation with a client.
//!
//! ```text
//!     Idle --request--> Asking --verdict--> Leaving --off the roll--> Joining --on the roll--> Idle ... Ending
//! ```
//!
//! What the clerk says is told to the client when the roll agrees with it.

mod hearing;
mod outbox;
mod question;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::desk::{Notice, Verdict};
use super::name::Name;
use super::wire::Status;
use super::wire::request::{Complaint, Request};
use super::wire::told::{self, Outcome};
use crate::roll::{Applicant, Member};
use crate::session::{
    Answer, Ask, Door, Event, Excess, Fault, Output, Paper, Refusal, Session, Standing, View,
};
use hearing::{Heard, Hearing, Manner};
use outbox::{Kind, Outbox, Overfull, WAITING_LIMIT};
use question::Asker;

/// The time for the first request: others from the same address may be waiting for the place ("Messages").
const FIRST_LIMIT: Duration = Duration::from_secs(60);
/// So many complaints about what a client sends, and no more ("Statuses").
const COMPLAINT_LIMIT: u8 = 16;

/// The door through which chapp clients come.
pub struct ChappDoor;

impl ChappDoor {
    /// The name of this door.
    pub const NAME: &'static str = "chapp";
}

impl Door for ChappDoor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session> {
        Box::new(Server::new(now, peer))
    }

    fn refusal(&self, _why: Refusal) -> Vec<u8> {
        let mut farewell = Vec::new();
        told::put_reply(&mut farewell, 0, None, None, Outcome::Failed(Status::ServerError));
        farewell
    }
}

/// One client, as the server sees it.
pub struct Server {
    peer: SocketAddr,
    state: State,
    identity: Option<Identity>,
    hearing: Hearing,
    outbox: Outbox,
    complaints: u8,
    /// A connection that never made a request is not there to stay,
    standing: Standing,
    /// and by then it has to have made one.
    first_until: Instant,
    /// The ID of the next reply.
    next: u64,
}

/// As whom a connection is on the roll.
struct Identity {
    name: Name,
    member: Member,
}

enum State {
    /// Waits for a request.
    Idle,
    /// Waits for the clerk's verdict on the request with this ID.
    Asking { about: u64 },
    /// Waits to be taken off the roll, perhaps to join it under another name.
    Leaving { next: Option<Name> },
    /// Waits to be put on the roll.
    Joining { name: Name },
    /// Has said its last word, and waits until it is sent.
    Ending,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Asking { .. } => "asking",
            Self::Leaving { .. } => "leaving",
            Self::Joining { .. } => "joining",
            Self::Ending => "ending",
        }
    }
}

impl Session for Server {
    fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        _view: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        match self.state {
            State::Idle => {}
            State::Ending => return Ok(bytes.len()),
            _ => return Err(ours("bytes were judged while an ask was out")),
        }
        let manner = self.hearing.manner();
        let (request, length) = match self.hearing.hear(now, bytes) {
            Heard::Nothing => return Ok(0),
            Heard::EmptyLines(length) => return Ok(length),
            Heard::TooLong(complaint) => {
                self.complain(now, complaint, out)?;
                self.end("its request is too long", out);
                return Ok(bytes.len());
            }
            Heard::Request(request, length) => (request, length),
        };
        if manner != self.hearing.manner() && self.hearing.manner() == Manner::Quiet {
            self.outbox.space();
        }
        match request {
            Ok(request) => self.carry_out(now, request, out)?,
            Err(complaint) => self.complain(now, complaint, out)?,
        }
        Ok(length)
    }

    fn handle(&mut self, now: Instant, event: Event, view: &dyn View, out: &mut Output) -> Result<(), Fault> {
        match event {
            Event::Opened => {}
            Event::Answer(answer) => self.answered(now, answer, view, out)?,
            Event::Mail(paper) => self.notice(now, paper, out)?,
            Event::Tick if self.standing == Standing::Pending && self.first_until <= now => {
                return Err(self.farewell("it makes no request"));
            }
            Event::Tick => self.outbox.pump(now, out),
            Event::EndOfStream => {
                self.hearing.end();
                self.outbox.empty(out.bytes());
            }
            Event::Shutdown => return Err(self.farewell("the daemon ends")),
            Event::GiveWay => {
                return Err(self.farewell("others need the place of one that never asked for anything"));
            }
        }
        self.close_if_all_is_said(out);
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        let request = match self.state {
            State::Idle => self.hearing.deadline(),
            _ => None,
        };
        let is_awaited = self.standing == Standing::Pending && !matches!(self.state, State::Ending);
        let first = is_awaited.then_some(self.first_until);
        [request, first, self.outbox.deadline()].into_iter().flatten().min()
    }

    fn standing(&self) -> Standing {
        self.standing
    }
}

impl Server {
    fn new(now: Instant, peer: SocketAddr) -> Self {
        Self {
            peer,
            state: State::Idle,
            identity: None,
            hearing: Hearing::new(),
            outbox: Outbox::new(),
            complaints: 0,
            standing: Standing::Pending,
            first_until: now + FIRST_LIMIT,
            next: 0,
        }
    }

    /// Answers a request that needs no clerk, and puts the others to him.
    fn carry_out(&mut self, now: Instant, request: Request<'_>, out: &mut Output) -> Result<(), Fault> {
        self.standing = Standing::Settled;
        let asker = Asker { address: self.peer.ip().to_canonical(), name: self.name() };
        let Some((about, question)) = asker.put(request) else { return Ok(()) };
        match question {
            Ok(question) => {
                out.ask(Ask::Clerk(Box::new(question)));
                self.enter(State::Asking { about }, "the clerk is to say");
                Ok(())
            }
            Err(status) => self.reply(now, Some(about), Outcome::Failed(status), out),
        }
    }

    /// The name of the connection.
    fn name(&self) -> Option<&Name> {
        match &self.state {
            State::Joining { name } | State::Leaving { next: Some(name) } => Some(name),
            _ => self.identity.as_ref().map(|identity| &identity.name),
        }
    }

    /// Tells the client what is wrong with its request. After some of these nothing more is said.
    fn complain(&mut self, now: Instant, complaint: Complaint, out: &mut Output) -> Result<(), Fault> {
        log::debug!("{} {}: {complaint}", ChappDoor::NAME, self.peer);
        self.reply(now, complaint.about, Outcome::Failed(complaint.status), out)?;
        self.complaints += 1;
        if self.complaints == COMPLAINT_LIMIT {
            self.end("too much is wrong with what it sends", out);
        }
        Ok(())
    }

    /// Goes on where an ask was put.
    fn answered(
        &mut self,
        now: Instant,
        answer: Answer,
        view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Fault> {
        match (std::mem::replace(&mut self.state, State::Idle), answer) {
            (State::Asking { about }, Answer::Clerk(paper)) => {
                let verdict = paper.downcast().map_err(|_| ours("what the clerk says is no verdict"))?;
                self.judged(now, about, *verdict, view, out)
            }
            (State::Leaving { next: None }, Answer::Left) => {
                self.outbox.open(now, out);
                Ok(())
            }
            (State::Leaving { next: Some(name) }, Answer::Left) => {
                self.join(name, view, out);
                Ok(())
            }
            (State::Joining { name }, Answer::Joined(member)) => {
                self.identity = Some(Identity { name, member });
                self.outbox.open(now, out);
                Ok(())
            }
            (State::Ending, _) => {
                self.state = State::Ending;
                Ok(())
            }
            _ => Err(ours("there is an answer to what was not asked")),
        }
    }

    /// Tells the client what the clerk says, when the roll agrees with it ("Replies").
    fn judged(
        &mut self,
        now: Instant,
        about: u64,
        verdict: Verdict,
        view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let about = Some(about);
        let status = match verdict {
            Verdict::Connected { name, messages } | Verdict::Introduced { name, messages } => {
                return self.named(now, about, name, &messages, view, out);
            }
            Verdict::Posted { message } => {
                return self.reply(now, about, Outcome::Kept { message: &message }, out);
            }
            Verdict::Gone => return self.gone(now, about, out),
            Verdict::NotFound => Status::ClientNotFound,
            Verdict::Refused => Status::InvalidUsername,
            Verdict::Failed => Status::ServerError,
        };
        self.reply(now, about, Outcome::Failed(status), out)
    }

    /// The connection has this name now. What is delivered to it from now on goes behind the reply.
    fn named(
        &mut self,
        now: Instant,
        about: Option<u64>,
        name: Name,
        messages: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let renamed = self.identity.take_if(|identity| identity.name != name);
        let stays = self.identity.is_some();
        if !stays {
            self.outbox.shut();
        }
        self.reply_to(now, Some(&name), about, Outcome::Named { username: &name, messages }, out)?;
        match renamed {
            _ if stays => {}
            None => self.join(name, view, out),
            Some(Identity { member, .. }) => {
                out.ask(Ask::Leave(member));
                self.enter(State::Leaving { next: Some(name) }, "it has another name now");
            }
        }
        Ok(())
    }

    fn join(&mut self, name: Name, view: &dyn View, out: &mut Output) {
        out.ask(Ask::Join(Applicant {
            door: ChappDoor::NAME,
            address: self.peer,
            name: Some(name.as_str().into()),
            listing: None,
            since: view.unix_time(),
        }));
        self.enter(State::Joining { name }, "it has a name");
    }

    /// The connection has no name any more ("Goodbye").
    fn gone(&mut self, now: Instant, about: Option<u64>, out: &mut Output) -> Result<(), Fault> {
        let Some(Identity { name, member }) = self.identity.take() else {
            return self.reply(now, about, Outcome::Done, out);
        };
        self.outbox.shut();
        self.reply_to(now, Some(&name), about, Outcome::Done, out)?;
        out.ask(Ask::Leave(member));
        self.enter(State::Leaving { next: None }, "it says goodbye");
        Ok(())
    }

    /// Takes what the clerk has to say unasked ("Deliveries").
    fn notice(&mut self, now: Instant, paper: Paper, out: &mut Output) -> Result<(), Fault> {
        let notice = paper.downcast().map_err(|_| ours("what the clerk says is no notice"))?;
        match *notice {
            _ if matches!(self.state, State::Ending) => Ok(()),
            Notice::Delivered { from, to, id, message } => {
                let write = |bytes: &mut Vec<u8>| told::put_delivery(bytes, &from, &to, id, &message);
                self.outbox.put(now, out, Kind::Delivery, write).map_err(|Overfull| overfull())
            }
            Notice::Replaced => {
                self.outbox.forget_deliveries();
                self.outbox.open(now, out);
                // Its name is another connection's: it is not to stay on the roll until all else is said.
                self.outbox.forget();
                self.reply(now, None, Outcome::Failed(Status::Replaced), out)?;
                self.end("another connection has taken its place", out);
                Ok(())
            }
        }
    }

    fn reply(
        &mut self,
        now: Instant,
        about: Option<u64>,
        outcome: Outcome<'_>,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let name = self.name().cloned();
        self.reply_to(now, name.as_ref(), about, outcome, out)
    }

    fn reply_to(
        &mut self,
        now: Instant,
        to: Option<&Name>,
        about: Option<u64>,
        outcome: Outcome<'_>,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let id = self.next;
        self.next += 1;
        let write = |bytes: &mut Vec<u8>| told::put_reply(bytes, id, to, about, outcome);
        self.outbox.put(now, out, Kind::Reply, write).map_err(|Overfull| overfull())
    }

    /// Hears no more, and closes when everything is said that was to be said.
    fn end(&mut self, why: &str, out: &mut Output) {
        log::debug!("{} {}: {why}", ChappDoor::NAME, self.peer);
        self.outbox.forget_deliveries();
        self.enter(State::Ending, why);
        self.close_if_all_is_said(out);
    }

    fn close_if_all_is_said(&self, out: &mut Output) {
        if matches!(self.state, State::Ending) && self.outbox.is_empty() {
            out.close();
        }
    }

    /// There is no time to say one thing after the other. Who is not told 306 is told that it is the server's
    /// doing.
    fn farewell(&mut self, why: &'static str) -> Fault {
        let mut farewell = Vec::new();
        self.outbox.empty(&mut farewell);
        if !matches!(self.state, State::Ending) {
            told::put_reply(
                &mut farewell,
                self.next,
                self.name(),
                None,
                Outcome::Failed(Status::ServerError),
            );
        }
        Fault::told(why, farewell)
    }

    fn enter(&mut self, state: State, why: &str) {
        let (door, peer) = (ChappDoor::NAME, self.peer);
        log::trace!("{door} {peer}: {} -> {}: {why}", self.state.name(), state.name());
        self.state = state;
    }
}

/// What only a mistake of ours makes happen.
fn ours(why: &'static str) -> Fault {
    Fault { level: log::Level::Error, ..Fault::silent(why) }
}

fn overfull() -> Fault {
    let why = format!("more than {WAITING_LIMIT} bytes wait to be said to it");
    Fault::excess(Excess::Letters, why)
}

#[cfg(test)]
mod tests;
