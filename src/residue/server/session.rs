//! One conversation, from the first packet to the last.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Settings;
use super::doors::name;
use super::hello::{Form, Judgement, Rules};
use super::sealed::{Opening, Pains, Reader, Reading, Sealed, Trust};
use super::state::{Encrypting, Fate, Learning, State, Subject, Weighing};
use crate::residue::desk::{Notice, Pass, Port, Question};
use crate::residue::envelope::{self, Envelope};
use crate::residue::packet::{CONNECT_LIMIT, DELIMITER, Finder, LOG_HARD_LIMIT, LOG_LIMIT};
use crate::residue::pair::{PrivateKey, PublicKey};
use crate::residue::reply::ConnectError;
use crate::residue::request::Request;
use crate::residue::request::is_client_id;
use crate::session::{Ask, Effort, Event, Fault, Output, Paper, Session, Standing, View};

/// What decrypting a hello takes of the ration, and what a plain one does: its reply has to be encrypted.
const RSA_COST: u32 = 10;
const PLAIN_COST: u32 = 1;
/// The bytes of a modulus beyond which decrypting takes tens of milliseconds.
const LONG_KEY: usize = 3072 / 8;

/// One connection, as the server sees it. Small: most of them say something once a day.
pub(super) struct Server {
    pub(super) settings: Arc<Settings>,
    pub(super) peer: SocketAddr,
    pub(super) port: Port,
    pub(super) finder: Finder,
    pub(super) state: State,
    /// Whose packet came last, and is likely to come next.
    pub(super) pass: Option<Pass>,
    /// When something sensible came for the last time.
    pub(super) heard: Instant,
    /// How many packets came that no client on record has sealed.
    pub(super) junk: u8,
    pub(super) fate: Fate,
}

/// What a session is called with.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) unix_time: i64,
    pub(super) out: &'a mut Output,
}

impl Session for Server {
    fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        view: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let turn = &mut Turn { now, unix_time: view.unix_time(), out };
        match self.state {
            State::Idle => {}
            State::Skipping { gone } => return self.skip(gone, bytes, turn),
            State::Ending => return Ok(bytes.len()),
            _ => return Err(ours("bytes were judged while an ask was out")),
        }
        match self.finder.find(bytes) {
            Some(end) if end + DELIMITER.len() <= self.limit() => {
                self.finder.begin_anew();
                self.take(&bytes[..end], turn)?;
                Ok(end + DELIMITER.len())
            }
            None if bytes.len() < self.limit() => Ok(0),
            _ => self.too_long(bytes, turn),
        }
    }

    fn handle(&mut self, now: Instant, event: Event, view: &dyn View, out: &mut Output) -> Result<(), Fault> {
        let turn = &mut Turn { now, unix_time: view.unix_time(), out };
        match event {
            Event::Answer(answer) => self.answered(answer, turn),
            Event::Mail(paper) => self.notice(paper, turn),
            Event::Opened | Event::Tick | Event::EndOfStream | Event::Shutdown => Ok(()),
            Event::GiveWay => Err(Fault::silent("others need the place")),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn toil(&mut self) {
        match &mut self.state {
            State::Opening(opening) => {
                let unix_time = opening.unix_time;
                let (settings, port, peer) = (&*self.settings, self.port, self.peer);
                let reader = Reader { settings, port, peer, unix_time };
                opening.reading = Some(reader.read(&opening.packet, &opening.pass, opening.pains));
            }
            State::Weighing(weighing) => weighing.weigh(),
            State::Encrypting(encrypting) => encrypting.encrypt(),
            _ => (),
        }
    }

    fn standing(&self) -> Standing {
        match self.state {
            State::Idle | State::Skipping { .. } | State::Ending => Standing::Loose(self.heard),
            // Whoever has sent a packet is to get its answer.
            _ => Standing::Settled,
        }
    }
}

impl Server {
    pub(super) fn new(now: Instant, peer: SocketAddr, port: Port, settings: Arc<Settings>) -> Self {
        Self {
            settings,
            peer,
            port,
            finder: Finder::default(),
            state: State::Idle,
            pass: None,
            heard: now,
            junk: 0,
            fate: Fate::Stays,
        }
    }

    fn limit(&self) -> usize {
        match self.port {
            Port::Connect | Port::Token => CONNECT_LIMIT,
            Port::Log => LOG_LIMIT,
        }
    }

    /// A packet that is longer than it may be, whole or not ("Framing").
    fn too_long(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Result<usize, Fault> {
        self.note(&"its packet is too long");
        if self.port == Port::Log {
            self.finder.begin_anew();
            self.enter(State::Skipping { gone: 0 }, "a packet is too long");
            return self.skip(0, bytes, turn);
        }
        self.fate = Fate::Ends;
        self.tell_unreadable(turn);
        Ok(bytes.len())
    }

    /// Looks for the end of a packet that is too long, and keeps nothing of it.
    fn skip(&mut self, gone: usize, bytes: &[u8], turn: &mut Turn<'_>) -> Result<usize, Fault> {
        let found = self.finder.find(bytes);
        let length = gone + found.map_or(bytes.len() + 1, |end| end + DELIMITER.len());
        if length > LOG_HARD_LIMIT {
            return Err(Fault::silent(format!("its packet has no end within {LOG_HARD_LIMIT} bytes")));
        }
        self.finder.begin_anew();
        let Some(end) = found else {
            // The last of them may belong to the delimiter.
            let taken = bytes.len().saturating_sub(DELIMITER.len() - 1);
            self.state = State::Skipping { gone: gone + taken };
            return Ok(taken);
        };
        self.tell_unreadable(turn);
        Ok(end + DELIMITER.len())
    }

    /// One packet, without its delimiter ("Envelopes").
    fn take(&mut self, packet: &[u8], turn: &mut Turn<'_>) -> Result<(), Fault> {
        let unix_time = turn.unix_time;
        match envelope::read(packet) {
            Envelope::Aes(sealed) => {
                let id = std::str::from_utf8(sealed.id).ok().filter(|id| is_client_id(id));
                match (id, self.pass.take_if(|pass| pass.id.as_bytes() == sealed.id)) {
                    (None, _) => self.tell_stranger(turn),
                    (Some(_), Some(pass)) => self.open(packet.into(), pass, Trust::Kept, unix_time, turn)?,
                    (Some(id), None) => {
                        let learning = Learning { packet: packet.into(), unix_time, tried: None };
                        self.learn(id, learning, turn);
                    }
                }
            }
            Envelope::Other(text) if self.port == Port::Connect => self.take_unsealed(text, turn),
            Envelope::Other(_) => self.tell_junk(turn),
        }
        Ok(())
    }

    /// Asks by what the packets of this client are opened.
    fn learn(&mut self, id: &str, learning: Learning, turn: &mut Turn<'_>) {
        turn.out.ask(Ask::Clerk(Box::new(Question::Key { id: id.into() })));
        self.enter(State::Learning(Box::new(learning)), "whose key opens it?");
    }

    /// Opens a packet, here if that is quickly done.
    pub(super) fn open(
        &mut self,
        packet: Cow<'_, [u8]>,
        pass: Pass,
        trust: Trust,
        unix_time: i64,
        turn: &mut Turn<'_>,
    ) -> Result<(), Fault> {
        let reader = Reader { settings: &self.settings, port: self.port, peer: self.peer, unix_time };
        let pains = Pains::AtOnce;
        let reading = reader.read(&packet, &pass, pains);
        self.opened(Sealed { packet, pass, trust, unix_time, pains }, reading, turn)
    }

    /// Goes on with what a packet says.
    pub(super) fn opened(
        &mut self,
        sealed: Sealed<'_>,
        reading: Reading,
        turn: &mut Turn<'_>,
    ) -> Result<(), Fault> {
        let Sealed { packet, pass, trust, unix_time, pains } = sealed;
        match reading {
            Reading::Junk(_) if trust == Trust::Kept => {
                let id = Arc::clone(&pass.id);
                let learning = Learning { packet: packet.into_owned().into(), unix_time, tried: Some(pass) };
                self.learn(&id, learning, turn);
                return Ok(());
            }
            Reading::Junk(flaw) => {
                self.note(&flaw);
                return self.take_junk(pass, turn);
            }
            Reading::Invalid(mark) => {
                let question = Question::Invalid { pass: pass.clone(), mark, port: self.port };
                self.put(question, None, turn);
            }
            Reading::Question { question, logger } => self.put(question, logger, turn),
            Reading::TooMuch => {
                let effort =
                    pains.more(packet.len()).ok_or_else(|| ours("there is nothing that is still more"))?;
                turn.out.ask(Ask::Toil(effort));
                let packet = packet.into_owned().into();
                let opening = Opening { packet, pass, trust, unix_time, pains: effort.into(), reading: None };
                self.enter(State::Opening(Box::new(opening)), "it is long");
                return Ok(());
            }
        }
        self.pass = Some(pass);
        Ok(())
    }

    /// Puts a question about a packet that was opened.
    fn put(&mut self, question: Question, logger: Option<Box<str>>, turn: &mut Turn<'_>) {
        turn.out.ask(Ask::Clerk(Box::new(question)));
        self.enter(State::Asking { logger }, "the clerk is to say");
    }

    /// A packet that carries the ID of this client, and that its key has not sealed.
    pub(super) fn take_junk(&mut self, pass: Pass, turn: &mut Turn<'_>) -> Result<(), Fault> {
        self.count_junk();
        self.pass = Some(pass.clone());
        match self.port {
            Port::Connect | Port::Token => self.tell_invalid(turn),
            // Whoever is dead is to hear of it whatever it sends.
            Port::Log => {
                self.put(Question::Unreadable { pass }, None, turn);
                Ok(())
            }
        }
    }

    /// A packet on the connect port that no client's key seals: plain, or encrypted to the server's own.
    fn take_unsealed(&mut self, text: &[u8], turn: &mut Turn<'_>) {
        let rules = |form| Rules {
            form,
            flags: self.settings.flags,
            freshness: self.settings.freshness(turn.unix_time),
            clients: self.settings.clients.clients(),
        };
        if !text.starts_with(b"{") {
            let Some((key, ciphertext)) = self.encrypted(text) else {
                return self.judged(Judgement::Refused(ConnectError::Invalid), turn);
            };
            let effort = if key.length() > LONG_KEY { Effort::Long } else { Effort::Brief };
            turn.out.ask(Ask::Rationed { effort, cost: RSA_COST });
            let weighing = Weighing { rules: rules(Form::Rsa), subject: Subject::Encrypted(key, ciphertext) };
            return self.enter(State::Weighing(Box::new(weighing)), "it is encrypted");
        }
        let rules = rules(Form::Plain);
        let judgement = match Request::parse(text) {
            Ok(request) => rules.judge(request),
            Err(error) => {
                self.note(&error);
                Judgement::Refused(ConnectError::Invalid)
            }
        };
        match judgement {
            Judgement::Refused(_) | Judgement::Misplaced(_) => self.judged(judgement, turn),
            Judgement::Unread(_) | Judgement::Welcome(_) => {
                turn.out.ask(Ask::Rationed { effort: Effort::Brief, cost: PLAIN_COST });
                let weighing = Weighing { rules, subject: Subject::Judged(judgement) };
                self.enter(State::Weighing(Box::new(weighing)), "it says hello");
            }
        }
    }

    /// What may be encrypted to the server's own key, and that key.
    fn encrypted(&self, text: &[u8]) -> Option<(Arc<PrivateKey>, Box<[u8]>)> {
        let key = self.settings.key.as_ref()?;
        let ciphertext = envelope::decode_base64(text).ok().filter(|bytes| bytes.len() == key.length())?;
        Some((Arc::clone(key), ciphertext.into()))
    }

    /// Goes on with what an unsealed packet amounts to.
    pub(super) fn judged(&mut self, judgement: Judgement, turn: &mut Turn<'_>) {
        match judgement {
            Judgement::Refused(error) => self.refuse(error, turn),
            Judgement::Misplaced(id) if is_client_id(&id) => {
                turn.out.ask(Ask::Clerk(Box::new(Question::Key { id })));
                self.enter(State::Misplaced, "it comes without its key");
            }
            Judgement::Misplaced(_) => self.refuse(ConnectError::NoSuchClient, turn),
            Judgement::Welcome(welcome) => {
                let question = Question::Hello { who: welcome.who.clone(), size: welcome.size };
                turn.out.ask(Ask::Clerk(Box::new(question)));
                self.enter(State::Greeting(Box::new(welcome)), "it is welcome");
            }
            // Whoever has toiled has read it.
            Judgement::Unread(_) => self.refuse(ConnectError::Invalid, turn),
        }
    }

    /// Takes what the clerk has to say unasked ("Repeated packets").
    fn notice(&mut self, paper: Paper, turn: &mut Turn<'_>) -> Result<(), Fault> {
        let notice = paper.downcast().map_err(|_| ours("what the clerk says is no notice"))?;
        match (*notice, &self.state) {
            (Notice::CloseNow, State::Idle | State::Skipping { .. } | State::Ending) => {
                self.enter(State::Ending, "its client has to begin anew");
                turn.out.close();
            }
            // It comes before the answer to what the session has asked for, which the client is to hear.
            (Notice::CloseNow, _) => self.fate = Fate::Ends,
        }
        Ok(())
    }

    /// The clerk has given an ID and a key: the reply goes to whoever can read it.
    pub(super) fn greet(&mut self, key: Arc<PublicKey>, pass: Pass, turn: &mut Turn<'_>) {
        turn.out.ask(Ask::Toil(Effort::Brief));
        self.pass = Some(pass.clone());
        let encrypting = Encrypting { key, pass, packet: None };
        self.enter(State::Encrypting(Box::new(encrypting)), "it has an ID");
    }

    pub(super) fn enter(&mut self, state: State, why: &str) {
        let door = name(self.port);
        log::trace!("{door} {}: {} -> {}: {why}", self.peer, self.state.name(), state.name());
        self.state = state;
    }

    /// Notes what is wrong with a packet, in which nothing of the packet is repeated.
    pub(super) fn note(&self, what: &dyn fmt::Display) {
        log::debug!("{} {}: {what}", name(self.port), self.peer);
    }
}

/// What only a mistake of ours makes happen.
pub(super) fn ours(why: &'static str) -> Fault {
    Fault { level: log::Level::Error, ..Fault::silent(why) }
}
