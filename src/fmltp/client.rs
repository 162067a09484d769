//! The client's side of the conversation with a server.
//!
//! ```text
//!     Greeting -> Group -> (our key) -> Key -> (the challenge) -> Ready -> Open
//!                      any of them -> Over: refused
//! ```
//!
//! It takes what a server of the FlexMusic project says as well as what one of ours does: any group, any name, texts
//! with and without line ends. A step is one packet of the server, or one piece of our own slow work.

mod exchange;

use std::fmt;

use crypto_bigint::U256;
use log::trace;
use zeroize::Zeroizing;

use super::fernet::{self, Scan, TokenError};
use super::key::{self, KeyError};
use super::pem;
use super::version::{GREETING_LIMIT, Greeting, GreetingError};
use super::{group, space};
pub use exchange::{GROUP_BITS, GroupError, GroupInfo, PrivateLength};
use exchange::{Group, TheirKey};

/// The bytes that a token of a server may have: as many as the longest answer takes.
pub const TOKEN_LIMIT: usize = 64 * 1024;
/// The bytes that are ever waited for.
pub const LIMIT: usize = TOKEN_LIMIT;

/// The bytes that a plain refusal may have, the line end included.
const REFUSAL_LIMIT: usize = 1024;
/// What every refusal begins with.
const REFUSAL: &[u8] = b"400 ";
/// The second line of a server that wants to know who we are.
const WANTS_PASSWORD: &str = "Authentication required.";

/// What has come from the server and was not taken yet.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether there may be more.
    pub flow: Flow,
    /// The time, in seconds, that our tokens say.
    pub unix_time: u64,
}

/// Whether a text without line end is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More may be on its way.
    Running,
    /// Nothing more has come for [a while](QUIET), or nothing more will.
    Still,
}

/// After this time without a byte a text without line end is whole.
pub const QUIET: std::time::Duration = std::time::Duration::from_millis(100);

/// What was done, by the server or by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server has said its name and version; ours are sent.
    Greeted(Greeting),
    /// The server has named the group.
    GroupNamed(GroupInfo),
    /// We have made a key pair; the public key is sent.
    KeySent,
    /// The server has sent its public key.
    KeyCame,
    /// We have computed the key of the session; the challenge is sent.
    ChallengeSent,
    /// The server is ready for commands.
    Ready(Ready),
    /// The server has answered a command.
    Answered(Answer),
    /// The server does not want to, in its own words. Nothing follows.
    Refused(String),
}

/// What a server says when the handshake is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// How far the two versions agree: see [`Version::readiness`](super::version::Version::readiness).
    pub code: u16,
    /// Whether the server wants to know who we are before it takes commands.
    pub authentication: Authentication,
    /// All of it.
    pub text: String,
}

/// Whether a server has users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// It takes commands from anybody.
    None,
    /// It takes them once somebody has said his name and password.
    Required,
}

/// What a server says to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The number at its front.
    pub code: u16,
    /// All of it, without the white space around it.
    pub text: String,
}

/// What a conversation waits for, or that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The server's name and version.
    Greeting,
    /// The group.
    Group,
    /// The server's public key.
    Key,
    /// The word that the server is ready.
    Ready,
    /// Commands of ours, and answers to them.
    Open,
    /// Nothing: the server has refused.
    Over,
}

/// The client's role against a server: bytes in, [`Event`]s and bytes out.
pub struct Client {
    greeting: Greeting,
    state: State,
}

/// Named for what is waited for, or is to be done.
enum State {
    Greeting,
    Group { challenge: Vec<u8> },
    MakeKey { challenge: Vec<u8>, group: Group },
    Key { challenge: Vec<u8>, group: Group, secret: Zeroizing<U256> },
    Agree { challenge: Vec<u8>, group: Group, secret: Zeroizing<U256>, theirs: TheirKey },
    Ready { key: fernet::Key, scan: Scan },
    Open { key: fernet::Key, scan: Scan },
    Over,
}

/// How many bytes were taken, what they told, and what is waited for then.
type Step = (usize, Option<Event>, State);

impl Client {
    /// A client that calls itself `greeting`. The server speaks first.
    pub fn new(greeting: Greeting) -> Self {
        Self { greeting, state: State::Greeting }
    }

    /// Takes what came, up to the end of one packet, or does one piece of our own work, which may take some tenths of a
    /// second; what has to be sent is appended to `out`.
    ///
    /// Returns how many bytes were taken and what was done. Call it again with the rest until it gives neither: then
    /// more bytes are needed, and at most [`LIMIT`] are ever waited for.
    ///
    /// # Errors
    /// The server broke a rule of fmltp(7): the connection has to be closed. Nothing is sent then.
    pub fn receive(&mut self, input: Input<'_>, out: &mut Vec<u8>) -> Result<(usize, Option<Event>), Fault> {
        let before = self.phase();
        let state = std::mem::replace(&mut self.state, State::Over);
        let (taken, event, state) = self.step(state, input, out)?;
        self.state = state;
        if self.phase() != before {
            trace!("{before:?} -> {:?}", self.phase());
        }
        Ok((taken, event))
    }

    /// Appends a command; false, and nothing, as long as the server takes none.
    pub fn command(&self, text: &[u8], unix_time: u64, out: &mut Vec<u8>) -> bool {
        let State::Open { key, .. } = &self.state else { return false };
        out.extend(key.seal(text, unix_time, fernet::fresh_iv()));
        true
    }

    /// What is waited for.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Greeting => Phase::Greeting,
            State::Group { .. } => Phase::Group,
            State::MakeKey { .. } | State::Key { .. } => Phase::Key,
            State::Agree { .. } | State::Ready { .. } => Phase::Ready,
            State::Open { .. } => Phase::Open,
            State::Over => Phase::Over,
        }
    }

    fn step(&self, state: State, input: Input<'_>, out: &mut Vec<u8>) -> Result<Step, Fault> {
        let work = matches!(state, State::MakeKey { .. } | State::Agree { .. });
        let blank = if work { 0 } else { space::leading(input.bytes) };
        if blank > 0 {
            return Ok((blank, None, state));
        }
        if !work {
            match refusal(input)? {
                Plain::None => {}
                Plain::Unfinished => return Ok((0, None, state)),
                Plain::Refusal(end, text) => return Ok((end, Some(Event::Refused(text)), State::Over)),
            }
        }
        match state {
            State::Greeting => self.greet(input, out),
            State::Group { challenge } => take_group(challenge, input),
            State::MakeKey { challenge, group } => {
                let secret = key::fresh_secret();
                out.extend_from_slice(group.public_key(&secret).as_bytes());
                Ok((0, Some(Event::KeySent), State::Key { challenge, group, secret }))
            }
            State::Key { challenge, group, secret } => take_key(challenge, group, secret, input),
            State::Agree { challenge, group, secret, theirs } => {
                let key = group.agree(&secret, &theirs);
                out.extend(key.seal(&challenge, input.unix_time, fernet::fresh_iv()));
                Ok((0, Some(Event::ChallengeSent), State::Ready { key, scan: Scan::default() }))
            }
            State::Ready { key, scan } => take_ready(key, scan, input),
            State::Open { key, scan } => take_answer(key, scan, input),
            State::Over => Ok((input.bytes.len(), None, State::Over)),
        }
    }

    fn greet(&self, input: Input<'_>, out: &mut Vec<u8>) -> Result<Step, Fault> {
        let Some(line) = line(input, GREETING_LIMIT) else {
            let is_long = input.bytes.len() >= GREETING_LIMIT;
            return if is_long { Err(Fault::LongGreeting) } else { Ok((0, None, State::Greeting)) };
        };
        let challenge = space::trimmed(line);
        let text = std::str::from_utf8(challenge).map_err(|_| Fault::NotText)?;
        let greeting = Greeting::parse(text).map_err(Fault::Greeting)?;
        out.extend_from_slice(format!("{}\r\n", self.greeting).as_bytes());
        let state = State::Group { challenge: challenge.to_vec() };
        Ok((line.len(), Some(Event::Greeted(greeting)), state))
    }
}

fn take_group(challenge: Vec<u8>, input: Input<'_>) -> Result<Step, Fault> {
    let end = pem::frame(input.bytes, group::LABEL).map_err(|error| Fault::Group(error.into()))?;
    let Some(end) = end else { return Ok((0, None, State::Group { challenge })) };
    let group = Group::parse(&input.bytes[..end]).map_err(Fault::Group)?;
    Ok((end, Some(Event::GroupNamed(group.info())), State::MakeKey { challenge, group }))
}

fn take_key(
    challenge: Vec<u8>,
    group: Group,
    secret: Zeroizing<U256>,
    input: Input<'_>,
) -> Result<Step, Fault> {
    let end = pem::frame(input.bytes, key::LABEL).map_err(|error| Fault::Key(error.into()))?;
    let Some(end) = end else { return Ok((0, None, State::Key { challenge, group, secret })) };
    let theirs = group.read_key(&input.bytes[..end]).map_err(Fault::Key)?;
    Ok((end, Some(Event::KeyCame), State::Agree { challenge, group, secret, theirs }))
}

fn take_ready(key: fernet::Key, mut scan: Scan, input: Input<'_>) -> Result<Step, Fault> {
    let found = key.find_within(TOKEN_LIMIT, input.bytes, &mut scan).map_err(Fault::Token)?;
    let Some((end, text)) = found else { return Ok((0, None, State::Ready { key, scan })) };
    let Answer { code, text } = answer(&text)?;
    if !(100..200).contains(&code) {
        return Ok((end, Some(Event::Refused(text)), State::Over));
    }
    let is_wanted = text.lines().any(|line| line.trim() == WANTS_PASSWORD);
    let authentication = if is_wanted { Authentication::Required } else { Authentication::None };
    Ok((end, Some(Event::Ready(Ready { code, authentication, text })), State::Open { key, scan }))
}

fn take_answer(key: fernet::Key, mut scan: Scan, input: Input<'_>) -> Result<Step, Fault> {
    let found = key.find_within(TOKEN_LIMIT, input.bytes, &mut scan).map_err(Fault::Token)?;
    let Some((end, text)) = found else { return Ok((0, None, State::Open { key, scan })) };
    let answer = answer(&text)?;
    Ok((end, Some(Event::Answered(answer)), State::Open { key, scan }))
}

/// The text of a token that begins with a number of three digits.
fn answer(text: &[u8]) -> Result<Answer, Fault> {
    let text = std::str::from_utf8(space::trimmed(text)).map_err(|_| Fault::NotText)?;
    let is_number = |word: &&str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.split_ascii_whitespace().next().filter(is_number);
    let code = number.and_then(|word| word.parse().ok()).ok_or(Fault::NoCode)?;
    Ok(Answer { code, text: text.to_owned() })
}

/// Whether the server refuses in the clear.
enum Plain {
    None,
    /// It may become a refusal.
    Unfinished,
    /// So long, with these words.
    Refusal(usize, String),
}

/// A refusal stands in place of any packet of the server, and none of those begins like it.
fn refusal(input: Input<'_>) -> Result<Plain, Fault> {
    let start = &input.bytes[..input.bytes.len().min(REFUSAL.len())];
    if start.is_empty() || !REFUSAL.starts_with(start) {
        return Ok(Plain::None);
    }
    match line(input, REFUSAL_LIMIT) {
        Some(line) if start == REFUSAL => {
            let text = String::from_utf8_lossy(space::trimmed(line));
            Ok(Plain::Refusal(line.len(), text.into_owned()))
        }
        Some(_) => Ok(Plain::None),
        None if input.bytes.len() >= REFUSAL_LIMIT => Err(Fault::LongRefusal),
        None => Ok(Plain::Unfinished),
    }
}

/// A line of at most `limit` bytes with its LF, which may be missing where nothing more comes.
fn line(input: Input<'_>, limit: usize) -> Option<&[u8]> {
    let window = &input.bytes[..input.bytes.len().min(limit)];
    match window.iter().position(|&byte| byte == b'\n') {
        Some(end) => Some(&window[..=end]),
        None if input.flow == Flow::Still && !window.is_empty() && window.len() < limit => Some(window),
        None => None,
    }
}

/// What a server did that fmltp(7) does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What it says first goes on for too long.
    LongGreeting,
    /// It refuses without an end.
    LongRefusal,
    /// What it says first is not a name and a version.
    Greeting(GreetingError),
    /// It names no group that can be taken.
    Group(GroupError),
    /// It sends no public key that can be taken.
    Key(KeyError),
    /// It sends no token, or one that another key has sealed.
    Token(TokenError),
    /// It says something that is not UTF-8.
    NotText,
    /// It says something that does not begin with a number of three digits.
    NoCode,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongGreeting => write!(f, "no name and version within {GREETING_LIMIT} bytes"),
            Self::LongRefusal => write!(f, "no end of its refusal within {REFUSAL_LIMIT} bytes"),
            Self::Greeting(error) => write!(f, "no name and version: {error}"),
            Self::Group(error) => write!(f, "no group: {error}"),
            Self::Key(error) => write!(f, "no public key: {error}"),
            Self::Token(error) => write!(f, "no token of ours: {error}"),
            Self::NotText => f.write_str("what it says is not UTF-8"),
            Self::NoCode => f.write_str("what it says does not begin with a number of three digits"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests;
