//! What a program asks for by its client, one thing after the other, and what it may be answered.

use std::time::{Duration, Instant};

use super::record::{Item, Life, Term};
use super::{CONNECT, LOG, Program, TOKEN, Token, Who};
use crate::residue::books::DEFAULT_LIFE;
use crate::residue::client::Event;
use crate::residue::reply::Terms;
use crate::residue::request::{Credential, LogItem};
use crate::simulation::play::Stage;

/// Something that a program waits for.
pub(super) struct Errand {
    pub(super) what: What,
    pub(super) unix_time: i64,
    pub(super) sent: Instant,
    /// When it was sent, as scenes count.
    pub(super) moment: usize,
    /// How often the daemon had been killed.
    pub(super) generation: usize,
    pub(super) packet: Vec<u8>,
}

#[derive(Clone, Copy)]
pub(super) enum What {
    Hello,
    Acknowledge,
    Touch,
    /// With how long the token is to be good, in seconds, if there is to be one.
    Token(&'static str, Option<u64>),
    /// With when the token is good.
    Check(Option<Term>),
    Log(usize),
}

impl What {
    pub(super) fn port(self) -> usize {
        match self {
            Self::Hello | Self::Acknowledge | Self::Touch => CONNECT,
            Self::Token(..) | Self::Check(_) => TOKEN,
            Self::Log(_) => LOG,
        }
    }

    pub(super) fn is_hello(self) -> bool {
        matches!(self, Self::Hello)
    }

    /// Whether it makes a client live longer.
    pub(super) fn is_vital(self) -> bool {
        matches!(self, Self::Acknowledge | Self::Touch)
    }
}

/// What a server may say no for.
struct Excuses {
    /// It may have taken the packet for an old one.
    is_stale: bool,
    may_be_dead: bool,
    is_acknowledged: bool,
    may_be_acknowledged: bool,
}

impl Program {
    /// Decides what to ask for, and asks for it.
    pub(super) fn set_out(&mut self, stage: &mut Stage<'_>) -> Errand {
        let (unix_time, mut packet) = (self.clock(stage), Vec::new());
        let what = match self.choose(stage) {
            What::Hello => {
                self.client.hello(unix_time, &mut packet).unwrap();
                What::Hello
            }
            What::Acknowledge => {
                self.client.acknowledge(unix_time, &mut packet).unwrap();
                What::Acknowledge
            }
            What::Touch => {
                self.client.touch(unix_time, &mut packet).unwrap();
                What::Touch
            }
            What::Token(..) => self.ask_for_token(stage, unix_time, &mut packet),
            What::Check(_) => self.ask_about_token(stage, unix_time, &mut packet),
            What::Log(_) => self.log_one(stage, unix_time, &mut packet),
        };
        let (sent, moment, generation) = (stage.now(), stage.scene.moment(), self.record.lock().generation);
        Errand { what, unix_time, sent, moment, generation, packet }
    }

    fn choose(&self, stage: &mut Stage<'_>) -> What {
        let Some(who) = &self.who else { return What::Hello };
        let is_acknowledged = self.record.lock().life(&who.id).is_none_or(Life::is_acknowledged);
        match stage.random.below(12) {
            0 => What::Touch,
            1 => What::Log(0),
            2 if self.is_managed() => What::Hello,
            _ if !is_acknowledged => What::Acknowledge,
            3 => What::Acknowledge,
            4 | 5 => What::Touch,
            6 | 7 => What::Token("", None),
            8 if !self.tokens.is_empty() => What::Check(None),
            _ => What::Log(0),
        }
    }

    fn ask_for_token(&mut self, stage: &mut Stage<'_>, unix_time: i64, packet: &mut Vec<u8>) -> What {
        let default = self.record.lock().rules.default_code.then_some(DEFAULT_LIFE);
        let short = self.record.lock().rules.short_life;
        let (logger, code, life) = [
            ("network", "secret", Some(DEFAULT_LIFE)),
            ("disk", "code", Some(short)),
            ("disk", "secret", None),
            ("default", "default", default),
            ("network", "", default),
        ][stage.random.below(5)];
        self.client.token(unix_time, logger, Credential::AccessCode(code), packet).unwrap();
        What::Token(logger, life)
    }

    fn ask_about_token(&mut self, stage: &mut Stage<'_>, unix_time: i64, packet: &mut Vec<u8>) -> What {
        let token = &self.tokens[stage.random.below(self.tokens.len())];
        let is_other = stage.chance(4);
        let logger = if is_other { "elsewhere" } else { token.logger };
        self.client.token(unix_time, logger, Credential::Token(&token.text), packet).unwrap();
        What::Check(Some(token.term).filter(|_| !is_other))
    }

    fn log_one(&mut self, stage: &mut Stage<'_>, unix_time: i64, packet: &mut Vec<u8>) -> What {
        let line = self.log_line(stage);
        let (message, written) = self.message(stage);
        let (logger, token, term) = self.choose_logger(stage);
        let (message, token) = (&*message, token.as_deref());
        let item = LogItem { datetime: 1, logger, message, level: 4, application: "", token };
        self.client.log(unix_time, &item, packet).unwrap();
        let id = self.who.as_ref().map_or("", |who| &who.id);
        What::Log(self.record.lock().post(id, line, vec![Item { logger, message: written, term }]))
    }

    /// The server has said what becomes of it.
    pub(super) fn come_back(&mut self, errand: &Errand, packet: &[u8], stage: &mut Stage<'_>) {
        let key = self.client.key_hex();
        let heard = self.client.receive(packet);
        let (taken, event) =
            heard.unwrap_or_else(|fault| panic!("the server says what it may not say: {fault}"));
        assert_eq!(taken, packet.len());
        let event = event.expect("a packet is a reply");
        let is_of_now = errand.generation == self.record.lock().generation;
        if !is_of_now || stage.scene.has_crashed && self.is_lost() {
            self.who = None;
            self.name.iter().for_each(|name| self.record.lock().doubt(name, errand.sent));
            return;
        }
        let excuses = self.excuses(errand, stage);
        let Errand { moment, unix_time, .. } = *errand;
        let is_stale = stage.scene.was_always_off(moment, unix_time, self.record.lock().rules.tolerance);
        assert!(!is_stale || matches!(event, Event::Refused(_)), "what is too old is served");
        match (errand.what, event) {
            (What::Hello, Event::Greeted(terms)) => self.greeted(errand, &terms, stage.now()),
            (What::Hello, Event::Refused(why)) => {
                assert!(excuses.is_stale && why == "Invalid connection request", "{why}");
                // Whoever it was, it has no key any more.
                self.forget();
            }
            (What::Acknowledge | What::Touch, Event::Established(terms)) => {
                assert_eq!(key, self.client.key_hex(), "the key is not that of the hello");
                self.established(errand, &terms, &excuses, stage);
            }
            (What::Token(logger, Some(life)), Event::Token(given)) => {
                assert_eq!((given.life, given.text.len()), (life, 16));
                let length = Some(life).filter(|life| *life > 0).map(Duration::from_secs);
                let term = Term::new((errand.sent, stage.now()), length);
                self.tokens.push(Token { text: given.text.to_string(), logger, term });
            }
            (What::Check(term), Event::TokenValid) => {
                assert!(term.is_some_and(|Term(_, most)| errand.sent <= most), "a token is good again");
            }
            (_, Event::Refused(why)) => self.refused(errand, &why, &excuses, stage),
            (_, event) => panic!("{event:?} is no answer"),
        }
        self.serve(errand, stage.now());
    }

    fn excuses(&self, errand: &Errand, stage: &Stage<'_>) -> Excuses {
        let record = self.record.lock();
        let life = self.who.as_ref().and_then(|who| record.life(&who.id));
        Excuses {
            is_stale: stage.scene.was_off(errand.moment, errand.unix_time, record.rules.tolerance),
            may_be_dead: life.is_none_or(|life| life.may_be_dead(stage.now())),
            is_acknowledged: life.is_some_and(Life::is_acknowledged),
            may_be_acknowledged: life.is_some_and(Life::may_be_acknowledged),
        }
    }

    fn greeted(&mut self, errand: &Errand, terms: &Terms, now: Instant) {
        let (id, key) = (terms.client_id.to_string(), self.client.key_hex());
        let mut record = self.record.lock();
        if record.greet(&id, &key, (errand.sent, now)) {
            self.tokens.clear();
            self.kept.clear();
        }
        self.who = Some(Who { id, generation: record.generation });
    }

    fn established(&mut self, errand: &Errand, terms: &Terms, excuses: &Excuses, stage: &Stage<'_>) {
        let Some(who) = &self.who else { return };
        let mut record = self.record.lock();
        assert_eq!((&*terms.client_id, terms.age), (&*who.id, Some(record.rules.age)));
        let since = terms.date_created.expect("it says since when");
        assert!(stage.scene.clock_since(errand.moment).any(|time| time == since), "{since} was never now");
        match errand.what {
            What::Touch => assert!(excuses.may_be_acknowledged, "a touch is no acknowledgement"),
            _ => assert!(
                self.is_managed() || excuses.may_be_dead || !excuses.is_acknowledged,
                "it acknowledges twice"
            ),
        }
        record.establish(&who.id, Some((errand.sent, stage.now())));
    }

    fn refused(&mut self, errand: &Errand, why: &str, excuses: &Excuses, stage: &mut Stage<'_>) {
        let is_token = errand.what.port() == TOKEN;
        let is_excused = match (errand.what, why) {
            (_, "Invalid connection request") if !is_token => excuses.is_stale,
            (_, "No logger ID provided (Malformed JSON?)") if is_token => excuses.is_stale,
            (_, "Client not connected yet") => excuses.may_be_dead,
            (What::Acknowledge, "Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.") => {
                excuses.may_be_acknowledged && !self.is_managed()
            }
            (What::Touch, "Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first") => {
                !excuses.is_acknowledged
            }
            (What::Touch, "Cannot touch dead client. Please reset the connection") => excuses.may_be_dead,
            (What::Token(..) | What::Check(_), "Client is dead") => {
                excuses.may_be_dead || !excuses.is_acknowledged
            }
            (What::Token(_, life), "Invalid access code") => life.is_none(),
            (What::Check(term), "Invalid token") => term.is_none_or(|Term(least, _)| stage.now() > least),
            _ => false,
        };
        assert!(is_excused, "it is told: {why}");
        self.settle_pending(errand);
        // Some go on though they are dead.
        if excuses.may_be_dead && !stage.chance(3) {
            self.forget();
        }
    }

    /// A request that was to make it live longer has not.
    fn settle_pending(&self, errand: &Errand) {
        if let Some(who) = self.who.as_ref().filter(|_| errand.what.is_vital()) {
            self.record.lock().establish(&who.id, None);
        }
    }

    /// The server remembers the packet from now on.
    fn serve(&mut self, errand: &Errand, now: Instant) {
        if errand.what.is_hello() {
            return;
        }
        self.keep(errand.what.port(), &errand.packet, None);
        if let Some(who) = &self.who {
            self.record.lock().serve(&who.id, now);
        }
    }

    /// Nobody will ever know what has become of it; by that time it is over.
    pub(super) fn give_up_errand(&mut self, by: Instant) {
        let Some(errand) = self.errand.take() else { return };
        self.client.begin_anew();
        let mut record = self.record.lock();
        if errand.what.is_hello() {
            self.who = None;
            self.name.iter().for_each(|name| record.doubt(name, errand.sent));
        } else if let Some(who) = self.who.as_ref()
            && errand.what.is_vital()
            && errand.generation == record.generation
        {
            record.lose(&who.id, (errand.sent, by));
        }
    }

    /// Whether the server cannot know it any more.
    fn is_lost(&self) -> bool {
        self.who.as_ref().is_none_or(|who| who.generation != self.record.lock().generation)
    }
}
