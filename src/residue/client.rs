//! The client's side of all three ports ("Client").
//!
//! ```text
//!     Apart    -> hello -> Present, who has a key
//!     Present  -> acknowledge, touch -> Present, who may have another key
//!     Present  -> token, log -> Present
//!     any of them -> refused: as before
//! ```
//!
//! One request is out at a time, whichever connection it went over, and one packet is the reply to it. It takes what the
//! public servers say as well as what one of ours does: replies in other orders and with less in them, refusals in
//! plain, sealed, or encrypted to our key.

mod fault;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress, Status};
use log::trace;
use zeroize::Zeroizing;

use super::cipher::{Key, KeySize};
use super::envelope;
use super::packet::{CONNECT_LIMIT, DELIMITER, Finder};
use super::pair::{KeyError, PrivateKey, PublicKey};
use super::random;
use super::reply::{ConnectReply, Flags, LogReply, Terms, TokenReply, log_reply};
use super::request::{self, Credential, Introduction, LogItem};
pub use fault::{Fault, Unsent};

/// The bytes that are ever waited for.
pub const LIMIT: usize = CONNECT_LIMIT;

/// Who says hello, and how.
pub struct Settings {
    /// What the server encrypts our key to.
    pub pair: PrivateKey,
    /// Who we are, if we are managed; the server knows our public key then, and otherwise we send it.
    pub client_id: Option<Box<str>>,
    /// What the hello is encrypted to; none: it goes in plain.
    pub server_key: Option<PublicKey>,
    /// How long our key should be; none: as the server likes.
    pub key_size: Option<KeySize>,
}

/// What has come of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has given us a key.
    Greeted(Box<Terms>),
    /// We are alive, from now on.
    Established(Box<Terms>),
    /// We may log.
    Token(Token),
    /// The token that we have is good.
    TokenValid,
    /// What became of a log.
    Logged(LogReply),
    /// The server does not want to, in its own words.
    Refused(String),
}

/// What lets us log. It does not show itself.
#[derive(PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub text: Zeroizing<String>,
    /// For how many seconds it is good; 0: for ever.
    pub life: u64,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("life", &self.life).finish_non_exhaustive()
    }
}

/// The client's role against a server: requests and bytes in, [`Event`]s and bytes out.
pub struct Client {
    settings: Settings,
    state: State,
    finder: Finder,
}

/// Named for what we are to the server.
enum State {
    /// Nobody.
    Apart,
    /// Somebody who has said hello.
    Greeting,
    /// Somebody with a key.
    Present(Member),
    /// Somebody with a key who has asked for something.
    Asking(Member, Errand),
}

/// Who we are.
struct Member {
    id: Box<str>,
    key: Key,
    /// What the server does, as far as it has said so.
    flags: Flags,
}

/// What a request with a key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    Acknowledge,
    Touch,
    Token,
    Log,
}

impl Client {
    /// A client that nobody knows yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, state: State::Apart, finder: Finder::default() }
    }

    /// Appends a hello to what goes to the connect port. Whoever we were, that is over.
    ///
    /// # Errors
    /// It cannot be encrypted to the server's key.
    pub fn hello(&mut self, unix_time: i64, out: &mut Vec<u8>) -> Result<(), Unsent> {
        let Settings { pair, client_id, server_key, key_size } = &self.settings;
        let mut hello = Vec::new();
        match client_id {
            Some(id) => request::put_hello(&mut hello, unix_time, Introduction::ClientId(id), *key_size),
            None => {
                let key = STANDARD.encode(pair.public_pem().map_err(Unsent::Key)?);
                request::put_hello(&mut hello, unix_time, Introduction::PublicKey(&key), *key_size);
            }
        }
        match server_key {
            Some(key) => {
                let ciphertext = key.encrypt(&hello).map_err(|error| no_room(error, hello.len()))?;
                envelope::put_base64(out, &ciphertext);
            }
            None => {
                out.extend_from_slice(&hello);
                out.extend_from_slice(DELIMITER);
            }
        }
        self.state = State::Greeting;
        Ok(())
    }

    /// Appends that we have the key to what goes to the connect port.
    ///
    /// # Errors
    /// We have none, or it cannot be sealed.
    pub fn acknowledge(&mut self, unix_time: i64, out: &mut Vec<u8>) -> Result<(), Unsent> {
        self.ask(Errand::Acknowledge, out, |member, plain| {
            request::put_acknowledge(plain, unix_time, &member.id);
        })
    }

    /// Appends that we are still there to what goes to the connect port.
    ///
    /// # Errors
    /// We have no key, or it cannot be sealed.
    pub fn touch(&mut self, unix_time: i64, out: &mut Vec<u8>) -> Result<(), Unsent> {
        self.ask(Errand::Touch, out, |member, plain| request::put_touch(plain, unix_time, &member.id))
    }

    /// Appends a question for a token, or about one, to what goes to the token port.
    ///
    /// # Errors
    /// We have no key, or it cannot be sealed.
    pub fn token(
        &mut self,
        unix_time: i64,
        logger: &str,
        credential: Credential<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unsent> {
        self.ask(Errand::Token, out, |_, plain| request::put_token(plain, unix_time, logger, credential))
    }

    /// Appends a log to what goes to the logging port, compressed if the server inflates.
    ///
    /// # Errors
    /// We have no key, or it cannot be sealed.
    pub fn log(&mut self, unix_time: i64, item: &LogItem<'_>, out: &mut Vec<u8>) -> Result<(), Unsent> {
        self.ask(Errand::Log, out, |member, plain| {
            request::put_item(plain, unix_time, item);
            if member.flags.has(Flags::COMPRESSION)
                && let Some(small) = compressed(plain)
            {
                *plain = small;
            }
        })
    }

    /// How long the key is that the server has given us.
    pub fn key_size(&self) -> Option<KeySize> {
        match &self.state {
            State::Present(member) | State::Asking(member, _) => Some(member.key.size()),
            State::Apart | State::Greeting => None,
        }
    }

    /// Another connection is used from now on.
    pub fn begin_anew(&mut self) {
        self.finder.begin_anew();
    }

    /// Takes what came, up to the end of one packet. After a hello, that decrypts by our private key, which takes
    /// milliseconds.
    ///
    /// Returns how many bytes were taken and what was done. If it gives neither, more bytes are needed, and at most
    /// [`LIMIT`] are ever waited for.
    ///
    /// # Errors
    /// The server broke a rule of residue(7): the connection has to be closed.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), Fault> {
        let Some(end) = self.finder.find(bytes) else {
            return if bytes.len() < LIMIT { Ok((0, None)) } else { Err(Fault::TooLong) };
        };
        let taken = end + DELIMITER.len();
        if taken > LIMIT {
            return Err(Fault::TooLong);
        }
        self.finder.begin_anew();
        let packet = bytes.get(..end).unwrap_or_default();
        let (event, state) = match std::mem::replace(&mut self.state, State::Apart) {
            State::Apart | State::Present(_) => return Err(Fault::Unasked),
            State::Greeting => self.greeted(packet)?,
            State::Asking(member, errand) => self.answered(packet, member, errand)?,
        };
        self.state = state;
        Ok((taken, Some(event)))
    }

    fn ask(
        &mut self,
        errand: Errand,
        out: &mut Vec<u8>,
        put: impl FnOnce(&Member, &mut Zeroizing<Vec<u8>>),
    ) -> Result<(), Unsent> {
        let member = match std::mem::replace(&mut self.state, State::Apart) {
            State::Present(member) | State::Asking(member, _) => member,
            keyless @ (State::Apart | State::Greeting) => {
                self.state = keyless;
                return Err(Unsent::NoKey);
            }
        };
        let mut plain = Zeroizing::new(Vec::new());
        put(&member, &mut plain);
        let sealed =
            random::iv().map(|iv| envelope::put(out, &iv, Some(&member.id), &member.key.seal(&plain, iv)));
        trace!("asks: {errand:?}");
        self.state = match sealed {
            Ok(()) => State::Asking(member, errand),
            Err(_) => State::Present(member),
        };
        sealed.map_err(|_| Unsent::Random)
    }

    /// What the reply to a hello says.
    fn greeted(&self, packet: &[u8]) -> Result<(Event, State), Fault> {
        if is_plain(packet) {
            return match ConnectReply::parse(packet).map_err(Fault::Reply)? {
                ConnectReply::Refused(why) => Ok((Event::Refused(why), State::Apart)),
                // Everybody on the way knows it now.
                ConnectReply::Accepted { .. } => Err(Fault::BareKey),
            };
        }
        let plain = self.decrypted(packet)?;
        match ConnectReply::parse(&plain).map_err(|_| Fault::NotDecrypted)? {
            ConnectReply::Refused(why) => Ok((Event::Refused(why), State::Apart)),
            ConnectReply::Accepted { key, terms } => {
                let ours = self.settings.client_id.as_ref();
                if ours.is_some_and(|ours| *ours != terms.client_id) {
                    return Err(Fault::OtherClient);
                }
                let member = Member::new(&terms, key, Flags(0))?;
                Ok((Event::Greeted(terms), State::Present(member)))
            }
        }
    }

    /// What the reply to a request with a key says.
    fn answered(&self, packet: &[u8], member: Member, errand: Errand) -> Result<(Event, State), Fault> {
        let plain = match envelope::read_reply(packet) {
            Some(sealed) => member.key.open(&sealed).map_err(Fault::NotOpened)?.plain,
            None if is_plain(packet) => Zeroizing::new(packet.to_vec()),
            // Some refusals of the public servers.
            None => self.decrypted(packet)?,
        };
        let event = match errand {
            Errand::Log => log_reply(&plain).map(Event::Logged).ok_or(Fault::NoLogReply)?,
            Errand::Token => match TokenReply::parse(&plain).map_err(Fault::Reply)? {
                TokenReply::Given { token, life } => Event::Token(Token { text: token, life }),
                TokenReply::Valid => Event::TokenValid,
                TokenReply::Refused(why) => Event::Refused(why),
            },
            Errand::Acknowledge | Errand::Touch => {
                return established(ConnectReply::parse(&plain).map_err(Fault::Reply)?, member);
            }
        };
        Ok((event, State::Present(member)))
    }

    /// What was encrypted to our key; anything, if it was not.
    fn decrypted(&self, packet: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let ciphertext = envelope::decode_base64(packet).map_err(Fault::NoEnvelope)?;
        let expected = self.settings.pair.length();
        if ciphertext.len() != expected {
            return Err(Fault::Length { found: ciphertext.len(), expected });
        }
        Ok(self.settings.pair.decrypt(&ciphertext))
    }
}

fn established(reply: ConnectReply, member: Member) -> Result<(Event, State), Fault> {
    let (key, terms) = match reply {
        ConnectReply::Refused(why) => return Ok((Event::Refused(why), State::Present(member))),
        ConnectReply::Accepted { key, terms } => (key, terms),
    };
    if terms.client_id != member.id {
        return Err(Fault::OtherClient);
    }
    // It may be another key than came with the hello: this one is final.
    let member = Member::new(&terms, key, member.flags)?;
    Ok((Event::Established(terms), State::Present(member)))
}

impl Member {
    /// Who we are by what the server says, and by what it said before.
    fn new(terms: &Terms, key: Key, flags: Flags) -> Result<Self, Fault> {
        // An envelope, or a packet, would end there.
        if terms.client_id.contains([':', '\r', '\n']) {
            return Err(Fault::ClientId);
        }
        Ok(Self { id: terms.client_id.clone(), key, flags: terms.flags.unwrap_or(flags) })
    }
}

/// Whether it is JSON, or meant to be: no envelope begins like that.
fn is_plain(packet: &[u8]) -> bool {
    packet.trim_ascii_start().first() == Some(&b'{')
}

fn no_room(error: KeyError, length: usize) -> Unsent {
    match error {
        KeyError::NoRoom { room } => Unsent::NoRoom { length, room },
        other => Unsent::Key(other),
    }
}

/// JSON -> zlib -> base64; none: it does not get smaller.
fn compressed(plain: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut stream = Zeroizing::new(Vec::with_capacity(plain.len()));
    let status =
        Compress::new(Compression::default(), true).compress_vec(plain, &mut stream, FlushCompress::Finish);
    if !matches!(status, Ok(Status::StreamEnd)) {
        return None;
    }
    Some(Zeroizing::new(STANDARD.encode(stream.as_slice()).into_bytes()))
}

/// For those who want to say and know what only they do.
#[cfg(test)]
impl Client {
    /// Appends a log of any text.
    pub(crate) fn say(&self, text: &[u8], out: &mut Vec<u8>) {
        let member = self.member().unwrap();
        let small = member.flags.has(Flags::COMPRESSION).then(|| compressed(text)).flatten();
        let plain = small.as_ref().map_or(text, |small| small.as_slice());
        let iv = random::iv().unwrap();
        envelope::put(out, &iv, Some(&member.id), &member.key.seal(plain, iv));
    }

    /// What a packet says, if it is in plain or under our key.
    pub(crate) fn open(&self, packet: &[u8]) -> Option<String> {
        let packet = packet.strip_suffix(DELIMITER)?;
        let plain = match envelope::read_reply(packet) {
            Some(sealed) => self.member()?.key.open(&sealed).ok()?.plain.to_vec(),
            None => packet.to_vec(),
        };
        String::from_utf8(plain).ok()
    }

    pub(crate) fn key_hex(&self) -> String {
        self.member().map_or_else(String::new, |member| member.key.to_hex().to_string())
    }

    fn member(&self) -> Option<&Member> {
        match &self.state {
            State::Present(member) | State::Asking(member, _) => Some(member),
            State::Apart | State::Greeting => None,
        }
    }
}

#[cfg(test)]
mod tests;
