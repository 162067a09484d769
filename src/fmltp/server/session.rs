//! One conversation, from the first byte to the last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::super::command::{self, Command, Mode};
use super::super::key::PublicKey;
use super::super::version::{GREETING_LIMIT, Greeting, Version};
use super::super::{group, pem, space};
use super::channel::Channel;
use super::reason::{self, Packet, Reason};
use super::state::{Attempt, Exchange, Quiet, State, Welcome};
use super::{FmltpDoor, Settings, who};
use crate::roll::Applicant;
use crate::session::{Answer, Ask, Effort, Event, Fault, Output, Session, Standing, View};

/// How long a client may take to prove who he is.
pub(super) const AUTH_LIMIT: Duration = Duration::from_secs(60);
/// How often a client may fail to.
const ATTEMPTS: u8 = 3;
/// How long nothing has to come behind a version reply without line end, until it is taken as it is.
const QUIET: Duration = Duration::from_millis(100);

/// One client, as the server sees it.
pub struct Server {
    settings: Arc<Settings>,
    peer: SocketAddr,
    input: Input,
    state: State,
}

/// How far the client's stream has come: one that ends before it began is no failed handshake ("Cooldown").
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Awaited,
    /// Or it has not, for too long.
    Begun,
    Ended,
}

impl Session for Server {
    fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.input == Input::Awaited {
            self.input = Input::Begun;
        }
        let blank = space::leading(bytes);
        if blank > 0 {
            return Ok(blank);
        }
        let taken = match &self.state {
            State::Greeting { .. } => self.reply(now, bytes, out),
            State::AwaitKey { .. } => self.public_key(bytes, out),
            State::AwaitChallenge { .. } | State::Lockdown { .. } | State::Ready { .. } => {
                self.token(now, bytes, view, out)
            }
            State::Agreeing { .. } | State::Checking { .. } | State::Joining { .. } => {
                return Err(Fault::silent("bytes were judged while an ask was out"));
            }
            State::Over => Ok(0),
        };
        if !out.is_empty() {
            // Each packet is one write ("Phases").
            out.apart();
        }
        taken.map_err(|reason| self.refused(reason, view))
    }

    fn handle(&mut self, now: Instant, event: Event, view: &dyn View, out: &mut Output) -> Result<(), Fault> {
        match event {
            Event::Opened => {
                out.bytes().extend_from_slice(format!("{}\r\n", self.settings.greeting).as_bytes());
            }
            Event::Answer(Answer::Toiled) => self.toiled(now, view, out),
            Event::Answer(Answer::Joined(_)) => self.joined(view, out),
            Event::Answer(Answer::Left | Answer::Clerk(_)) | Event::Mail(_) => (),
            Event::Tick => {
                if let Err(reason) = self.tick(now) {
                    self.input = Input::Begun;
                    return Err(self.refused(reason, view));
                }
            }
            Event::EndOfStream if self.input == Input::Begun => self.input = Input::Ended,
            Event::EndOfStream => (),
            Event::Shutdown | Event::GiveWay if matches!(self.state, State::Over) => (),
            Event::Shutdown => {
                let fault = self.refused(Reason::ShuttingDown, view);
                self.enter(State::Over, "the daemon is about to end");
                return Err(fault);
            }
            Event::GiveWay => return Err(self.refused(Reason::InTheWay, view)),
        }
        if !out.is_empty() {
            out.apart();
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Greeting { until, quiet } => {
                Some(quiet.map_or(*until, |quiet: Quiet| quiet.until.min(*until)))
            }
            State::AwaitKey { until, .. } | State::AwaitChallenge { until, .. } => Some(*until),
            State::Lockdown { until, channel, .. } => {
                Some(channel.until().map_or(*until, |token| token.min(*until)))
            }
            State::Ready { channel } => channel.until(),
            State::Agreeing { .. } | State::Checking { .. } | State::Joining { .. } | State::Over => None,
        }
    }

    fn toil(&mut self) {
        match &mut self.state {
            State::Agreeing { exchange, .. } => exchange.agree(),
            State::Checking { attempt, .. } => {
                let users = self.settings.users.as_ref().map(|book| book.users());
                attempt.judge(|name, password| users.is_some_and(|users| users.is_right(name, password)));
            }
            _ => (),
        }
    }

    fn ends_badly(&self) -> bool {
        // Who looks and hangs up may do so by a reset, because he has not even read what he was sent.
        self.state.is_handshake() && self.input != Input::Awaited
    }

    fn standing(&self) -> Standing {
        match self.state {
            State::Ready { .. } | State::Over => Standing::Settled,
            _ => Standing::Pending,
        }
    }
}

impl Server {
    pub(super) fn new(now: Instant, peer: SocketAddr, settings: Arc<Settings>) -> Self {
        let until = now + settings.step_limit;
        Self { settings, peer, input: Input::Awaited, state: State::Greeting { until, quiet: None } }
    }

    /// The client's name and version ("Version exchange").
    fn reply(&mut self, now: Instant, bytes: &[u8], out: &mut Output) -> Result<usize, Reason> {
        let line_end = bytes.iter().take(GREETING_LIMIT).position(|&byte| byte == b'\n');
        let length = match line_end {
            Some(end) => end + 1,
            None if bytes.len() > GREETING_LIMIT => return Err(Reason::LongReply),
            None if self.is_all(now, bytes) => bytes.len(),
            None => return Ok(0),
        };
        let client = greeting(&bytes[..length])?;
        let server = self.settings.greeting.version;
        if !client.is_flexmusic() {
            return Err(Reason::Stranger);
        }
        let code = Version::readiness(server, client.version).ok_or(Reason::Incompatible(server.class))?;
        out.bytes().extend_from_slice(group::parameters().as_bytes());
        let until = now + self.settings.step_limit;
        self.enter(State::AwaitKey { until, code }, "it is compatible");
        Ok(length)
    }

    /// Whether a reply without line end is whole: it has the form, and nothing comes behind it ("Framing").
    fn is_all(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let State::Greeting { quiet, .. } = &mut self.state else { return false };
        if greeting(bytes).is_err() {
            *quiet = None;
            return false;
        }
        let length = bytes.len();
        let since = quiet.filter(|quiet| quiet.length == length);
        let until = since.map_or(now + QUIET, |quiet| quiet.until);
        *quiet = Some(Quiet { length, until });
        self.input == Input::Ended || until <= now
    }

    /// The client's public key ("Key exchange").
    fn public_key(&mut self, bytes: &[u8], out: &mut Output) -> Result<usize, Reason> {
        let State::AwaitKey { code, .. } = self.state else { return Ok(0) };
        let Some(length) = pem::frame(bytes, "PUBLIC KEY").map_err(Reason::Pem)? else { return Ok(0) };
        let theirs = PublicKey::parse(&bytes[..length]).map_err(Reason::Key)?;
        out.ask(Ask::Toil(Effort::Brief));
        let exchange = Exchange::Theirs(Box::new(theirs));
        self.enter(State::Agreeing { code, exchange }, "its public key is valid");
        Ok(length)
    }

    /// A token: the challenge first, then commands ("Tokens").
    fn token(
        &mut self,
        now: Instant,
        bytes: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Reason> {
        let Some(channel) = self.state.channel_mut() else { return Ok(0) };
        let found = channel.find(now, bytes, self.settings.step_limit).map_err(Reason::Token)?;
        let Some((length, text)) = found else { return Ok(0) };
        match &self.state {
            State::AwaitChallenge { .. } => self.challenge(now, &text, view, out)?,
            State::Lockdown { .. } => self.command(Mode::Lockdown, &text, view, out),
            _ => self.command(Mode::Normal, &text, view, out),
        }
        Ok(length)
    }

    /// Whoever can say with the key what the server has said first is secured ("Session key").
    fn challenge(
        &mut self,
        now: Instant,
        text: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<(), Reason> {
        let State::AwaitChallenge { code, channel, .. } = &self.state else { return Ok(()) };
        if space::trimmed(text) != self.settings.greeting.to_string().as_bytes() {
            return Err(Reason::Challenge);
        }
        let (code, channel) = (*code, channel.again());
        if self.settings.users.is_none() {
            self.join(None, channel, Welcome::Ready(code), view, out);
            return Ok(());
        }
        let ready = format!("{}Authentication required.\r\n", ready(code));
        out.bytes().extend(channel.seal(&ready, view));
        let until = now + AUTH_LIMIT;
        self.enter(State::Lockdown { until, failed: 0, channel }, "its challenge is right");
        Ok(())
    }

    /// One command ("Interpreter").
    fn command(&mut self, mode: Mode, text: &[u8], view: &dyn View, out: &mut Output) {
        match Command::parse(mode, text) {
            Ok(Command::Auth { name, password }) => self.claim(name, password, out),
            Ok(Command::Help) => self.say(&mode.help(), view, out),
            Ok(Command::HelpOn(topic)) => self.say(&topic.to_string(), view, out),
            Ok(Command::Who) => self.say(&who::who(view), view, out),
            Ok(Command::Quit) => {
                self.say(command::GOODBYE, view, out);
                out.close();
                self.enter(State::Over, "it says goodbye");
            }
            Err(error) => self.say(&Zeroizing::new(error.to_string()), view, out),
        }
    }

    fn claim(&mut self, name: &str, password: &str, out: &mut Output) {
        let State::Lockdown { until, failed, channel } = &self.state else { return };
        let (until, failed, channel) = (*until, *failed, channel.again());
        out.ask(Ask::Toil(Effort::Long));
        let attempt = Box::new(Attempt::claimed(name, password));
        self.enter(State::Checking { until, failed, channel, attempt }, "it says who it is");
    }

    /// What is slow is done.
    fn toiled(&mut self, now: Instant, view: &dyn View, out: &mut Output) {
        match &self.state {
            State::Agreeing { code, exchange } => {
                let Exchange::Agreed { ours, channel } = exchange else { return };
                out.bytes().extend_from_slice(ours.as_bytes());
                let until = now + self.settings.step_limit;
                let (code, channel) = (*code, channel.again());
                self.enter(State::AwaitChallenge { until, code, channel }, "there is a key");
            }
            State::Checking { until, failed, channel, attempt } => {
                let channel = channel.again();
                if let Attempt::Right { name } = attempt.as_ref() {
                    // The users file has this name, too: it is letters and digits.
                    log::debug!("fmltp {}: {name} is authenticated", self.peer);
                    self.join(Some(name.clone()), channel, Welcome::Authenticated, view, out);
                } else {
                    let (until, failed) = (*until, *failed + 1);
                    self.say(command::NOT_AUTHENTICATED, view, out);
                    self.failed(State::Lockdown { until, failed, channel }, failed, out);
                }
            }
            _ => (),
        }
    }

    /// A name and a password that do not fit have been answered; the last one was one too many.
    fn failed(&mut self, again: State, failed: u8, out: &mut Output) {
        // Who he says he is, is not told: people mistake the field for the password's.
        log::info!("fmltp {}: authentication failed ({failed} of {ATTEMPTS})", self.peer);
        if failed < ATTEMPTS {
            self.enter(again, "the password is wrong");
            return;
        }
        out.close();
        self.enter(State::Over, "the password is wrong once more");
    }

    /// The client is on the roll before it hears of it.
    fn join(
        &mut self,
        name: Option<Box<str>>,
        channel: Channel,
        welcome: Welcome,
        view: &dyn View,
        out: &mut Output,
    ) {
        out.ask(Ask::Join(Applicant {
            door: FmltpDoor::NAME,
            address: self.peer,
            name,
            listing: None,
            since: view.unix_time(),
        }));
        self.enter(State::Joining { channel, welcome }, "it may come in");
    }

    fn joined(&mut self, view: &dyn View, out: &mut Output) {
        let State::Joining { channel, welcome } = &self.state else { return };
        let channel = channel.again();
        match welcome {
            Welcome::Ready(code) => self.say(&ready(*code), view, out),
            Welcome::Authenticated => self.say(command::AUTHENTICATED, view, out),
        }
        self.enter(State::Ready { channel }, "it is on the roll");
    }

    fn tick(&self, now: Instant) -> Result<(), Reason> {
        let late = |packet| Err(Reason::Late(packet, self.settings.step_limit));
        let is_over = |until: &Instant| *until <= now;
        match &self.state {
            State::Greeting { until, .. } if is_over(until) => late(Packet::Reply),
            State::AwaitKey { until, .. } if is_over(until) => late(Packet::Key),
            State::AwaitChallenge { until, .. } if is_over(until) => late(Packet::Challenge),
            State::Lockdown { until, .. } if is_over(until) => Err(Reason::NotAuthenticated),
            State::Lockdown { channel, .. } | State::Ready { channel }
                if channel.until().as_ref().is_some_and(is_over) =>
            {
                late(Packet::Token)
            }
            _ => Ok(()),
        }
    }

    /// Sends a token, where there is a key.
    fn say(&self, text: &str, view: &dyn View, out: &mut Output) {
        if let Some(channel) = self.state.channel() {
            out.bytes().extend(channel.seal(text, view));
        }
    }

    /// A fault that the client is told of: as a token where there is a key, else plain ("Refusals").
    fn refused(&self, reason: Reason, view: &dyn View) -> Fault {
        let line = reason::line(&reason);
        let farewell = match self.state.channel() {
            Some(channel) => channel.seal(&line, view),
            None => line.into_bytes(),
        };
        Fault::told(reason.to_string(), farewell)
    }

    fn enter(&mut self, state: State, why: &str) {
        log::trace!("fmltp {}: {} -> {}: {why}", self.peer, self.state.name(), state.name());
        self.state = state;
    }
}

/// The greeting in a packet, if that is one.
fn greeting(packet: &[u8]) -> Result<Greeting, Reason> {
    let text = std::str::from_utf8(space::trimmed(packet)).map_err(|_| Reason::NotUtf8)?;
    Greeting::parse(text).map_err(Reason::Reply)
}

/// What a client is told first that is secured.
fn ready(code: u16) -> String {
    format!("{code} FmLTP/1.0 Interpreter Ready.\r\n")
}

#[cfg(test)]
mod tests;
