//! What a question is answered, by the first of the rules that fits ("Connection errors", "Tokens", "Logs").

use std::net::SocketAddr;
use std::sync::Arc;

use super::client::{Client, Origin};
use super::health::Health;
use super::loggers::Loggers;
use super::logs::{Batch, Slip};
use super::marks::Fate;
use super::registry::Registry;
use super::source::Source;
use crate::residue::books::{Clients, Codes, DEFAULT_LIFE};
use crate::residue::cipher::{KeySize, Mark};
use crate::residue::desk::{Entry, Lines, Newcomer, Pass, Port, Question, Verdict};
use crate::residue::item::is_logger_name;
use crate::residue::pair::PublicKey;
use crate::residue::random::RandomError;
use crate::residue::reply::{ConnectError, TokenError};
use crate::residue::store::{Packet, Portion};
use crate::roll::Applicant;
use crate::session::{Caller, Moment};

/// The door through which clients come, as the roll knows it.
const DOOR: &str = "residue";
/// What counts as no access code at all.
const NO_CODE: &str = "default";
/// How many IDs are drawn for a client until one is free: there are 26 to the power of 16.
const DRAWS: usize = 8;

/// All that the clerk has at hand while he deals with the cases of one go.
pub(super) struct Hearing<'a> {
    pub(super) moment: Moment,
    pub(super) registry: &'a mut Registry,
    pub(super) loggers: &'a mut Loggers,
    pub(super) source: &'a mut dyn Source,
    pub(super) chance: &'a mut Health,
    pub(super) clients: &'a Clients,
    pub(super) codes: &'a Codes,
    /// The logs that are to be written.
    pub(super) batch: Batch,
}

/// What is known of a packet on the logging port.
enum Seen {
    /// What is to be said, whatever is in it.
    Before(Verdict),
    /// It is being written, and whoever has sent it will hear what comes of that.
    Waits,
    /// Nothing: it is new.
    Never,
}

impl Hearing<'_> {
    /// What is to be said; none: it will be said when the logs are written.
    pub(super) fn judge(&mut self, from: Caller, question: Question) -> Option<Verdict> {
        Some(match question {
            Question::Key { id } => Verdict::Key(self.registry.pass(&id)),
            Question::Hello { who, size } => self.hello(who, size),
            Question::Acknowledge { pass, mark, address } => {
                self.once(from, &pass, mark, Port::Connect, |this| this.acknowledge(&pass, address))
            }
            Question::Touch { pass, mark } => {
                self.once(from, &pass, mark, Port::Connect, |this| this.touch(&pass))
            }
            Question::Invalid { pass, mark, port } => return self.invalid(from, &pass, mark, port),
            Question::Unreadable { pass } => self.unreadable(&pass),
            Question::AskToken { pass, mark, logger, access_code } => {
                let code = access_code.unwrap_or_default();
                self.once(from, &pass, mark, Port::Token, |this| this.give_token(&pass, logger, &code))
            }
            Question::CheckToken { pass, mark, logger, token } => {
                self.once(from, &pass, mark, Port::Token, |this| this.check_token(&pass, &logger, &token))
            }
            Question::Log { pass, mark, lines } => return self.log(from, pass, mark, lines),
            Question::NoRoom { pass, mark } => match self.seen(from, &pass, mark) {
                Seen::Before(verdict) => verdict,
                Seen::Waits => return None,
                Seen::Never => Verdict::NotLogged,
            },
        })
    }

    /// Serves a packet that is no log, unless it was seen before; whatever comes of it, it is seen now
    /// ("Repeated packets").
    fn once(
        &mut self,
        from: Caller,
        pass: &Pass,
        mark: Mark,
        port: Port,
        serve: impl FnOnce(&mut Self) -> Verdict,
    ) -> Verdict {
        if self.registry.owner(pass).is_none() {
            return Verdict::Changed(self.registry.pass(&pass.id));
        }
        if self.registry.fate(pass, mark).is_some() {
            return match port {
                Port::Connect => Verdict::Refused(ConnectError::Invalid),
                Port::Token => Verdict::TokenRefused(TokenError::NoLogger),
                Port::Log => Verdict::NotLogged,
            };
        }
        self.hear(from, pass, port);
        let verdict = serve(self);
        self.registry.remember(self.moment.now, pass, mark, Fate::Unwritten);
        verdict
    }

    /// What the session refuses is seen now, and no more; a log may have been written when it came before.
    fn invalid(&mut self, from: Caller, pass: &Pass, mark: Mark, port: Port) -> Option<Verdict> {
        let may_log = |client: &mut Client| client.is_acknowledged();
        if port == Port::Log && self.registry.owner(pass).is_some_and(may_log) {
            return match self.seen(from, pass, mark) {
                Seen::Waits => None,
                Seen::Before(Verdict::NotLogged) => Some(Verdict::Noted),
                Seen::Before(verdict) => Some(verdict),
                Seen::Never => {
                    self.hear(from, pass, port);
                    self.registry.remember(self.moment.now, pass, mark, Fate::Unwritten);
                    Some(Verdict::Noted)
                }
            };
        }
        let note = || if port == Port::Log { Verdict::NoClient } else { Verdict::Noted };
        Some(match self.once(from, pass, mark, port, |_| note()) {
            changed @ Verdict::Changed(_) => changed,
            _ => note(),
        })
    }

    /// A client that may not log hears of that, whatever it sends ("Logs").
    fn unreadable(&mut self, pass: &Pass) -> Verdict {
        match self.registry.owner(pass) {
            None => Verdict::Changed(self.registry.pass(&pass.id)),
            Some(client) if client.is_acknowledged() => Verdict::Noted,
            Some(_) => Verdict::NoClient,
        }
    }

    /// Notes that a client was heard, and by which connection. Only a packet that is new shows that: what is repeated may come
    /// from anybody, who would be closed in the client's place.
    fn hear(&mut self, from: Caller, pass: &Pass, port: Port) {
        let now = self.moment.now;
        if let Some(client) = self.registry.owner(pass) {
            client.heard_by(now, port, from);
        }
    }

    /// "Hello", "Managed clients".
    fn hello(&mut self, who: Newcomer, size: KeySize) -> Verdict {
        let begun = match who {
            Newcomer::Unknown => self.begin_unknown(size),
            Newcomer::Managed { id, key } => match self.clients.key(&id) {
                Some(own) if *own == key => self.begin_managed(&id, key, size),
                other => return Verdict::OtherKey(other.cloned()),
            },
        };
        match begun {
            Ok(pass) => pass.map_or(Verdict::Full, Verdict::Hello),
            Err(error) => {
                self.chance.fails(self.moment.now, &error);
                Verdict::Full
            }
        }
    }

    fn begin_unknown(&mut self, size: KeySize) -> Result<Option<Pass>, RandomError> {
        for _ in 0..DRAWS {
            let id = self.source.id()?;
            if self.registry.client(&id).is_none() && self.clients.key(&id).is_none() {
                let key = self.source.key(size)?;
                self.chance.works();
                return Ok(self.registry.begin(self.moment.now, &id.into(), key, Origin::Unknown));
            }
        }
        Ok(None)
    }

    fn begin_managed(
        &mut self,
        id: &str,
        public_key: Arc<PublicKey>,
        size: KeySize,
    ) -> Result<Option<Pass>, RandomError> {
        if self.registry.client(id).is_some_and(|client| client.is_alive() && client.is_managed()) {
            return Ok(self.registry.pass(id));
        }
        let key = self.source.key(size)?;
        self.chance.works();
        Ok(self.registry.begin(self.moment.now, &id.into(), key, Origin::Managed(public_key)))
    }

    /// Type 2 ("Connection errors").
    fn acknowledge(&mut self, pass: &Pass, address: SocketAddr) -> Verdict {
        let Some(client) = self.registry.owner(pass).filter(|client| client.is_alive()) else {
            return Verdict::Refused(ConnectError::NotConnected);
        };
        if client.is_acknowledged() && !client.is_managed() {
            return Verdict::Refused(ConnectError::AlreadyAcknowledged);
        }
        self.establish(pass, Some(address))
    }

    /// Type 3 ("Connection errors").
    fn touch(&mut self, pass: &Pass) -> Verdict {
        match self.registry.owner(pass) {
            Some(client) if client.is_acknowledged() => self.establish(pass, None),
            Some(client) if client.is_alive() => Verdict::Refused(ConnectError::NotAcknowledged),
            _ => Verdict::Refused(ConnectError::Dead),
        }
    }

    /// "Established". Who comes from an address is put on the roll, if he is not there.
    fn establish(&mut self, pass: &Pass, address: Option<SocketAddr>) -> Verdict {
        let since = self.moment.unix_time;
        let name = || Some(Box::from(&*pass.id));
        let applicant =
            address.map(|address| Applicant { door: DOOR, address, name: name(), listing: None, since });
        self.registry.establish(self.moment.now, pass, applicant);
        Verdict::Established { date_created: since, age: self.registry.settings().age }
    }

    /// "Tokens".
    fn give_token(&mut self, pass: &Pass, logger: Box<str>, code: &str) -> Verdict {
        let settings = self.registry.settings();
        let is_default = settings.default_code && (code.is_empty() || code == NO_CODE);
        let life = if is_default { Some(DEFAULT_LIFE) } else { self.codes.life(&logger, code) };
        let Some(client) = self.registry.owner(pass).filter(|client| client.is_acknowledged()) else {
            return Verdict::TokenRefused(TokenError::Dead);
        };
        // Nobody can log to what is no name.
        if !is_logger_name(&logger) {
            return Verdict::TokenRefused(TokenError::NoLogger);
        }
        let Some(life) = life else { return Verdict::TokenRefused(TokenError::AccessCode) };
        match self.source.token() {
            Ok(token) => {
                self.chance.works();
                client.tokens.add(self.moment.now, logger, token.clone(), life);
                Verdict::Token { token, life }
            }
            Err(error) => {
                self.chance.fails(self.moment.now, &error);
                Verdict::TokenRefused(TokenError::AccessCode)
            }
        }
    }

    /// "Tokens".
    fn check_token(&mut self, pass: &Pass, logger: &str, token: &str) -> Verdict {
        match self.registry.owner(pass).filter(|client| client.is_acknowledged()) {
            None => Verdict::TokenRefused(TokenError::Dead),
            Some(client) if client.tokens.is_good(self.moment.now, logger, token) => Verdict::TokenIsRight,
            Some(_) => Verdict::TokenRefused(TokenError::Token),
        }
    }

    /// "Logs".
    fn log(&mut self, from: Caller, pass: Pass, mark: Mark, lines: Lines) -> Option<Verdict> {
        let Lines { text, entries, share } = lines;
        match self.seen(from, &pass, mark) {
            Seen::Before(verdict) => return Some(verdict),
            Seen::Waits => return None,
            Seen::Never => self.hear(from, &pass, Port::Log),
        }
        let portions = self.portions(&pass, entries);
        if portions.is_empty() {
            self.registry.remember(self.moment.now, &pass, mark, Fate::Unwritten);
            return Some(Verdict::NotLogged);
        }
        self.batch.add(Slip::new(pass, mark, from, share), Packet { text, portions });
        None
    }

    /// What is known of a packet on the logging port before it is looked into.
    fn seen(&mut self, from: Caller, pass: &Pass, mark: Mark) -> Seen {
        match self.registry.owner(pass) {
            None => return Seen::Before(Verdict::Changed(self.registry.pass(&pass.id))),
            Some(client) if !client.is_acknowledged() => return Seen::Before(Verdict::NoClient),
            Some(_) => {}
        }
        match self.registry.fate(pass, mark) {
            Some(Fate::Written) => Seen::Before(Verdict::Logged),
            Some(Fate::Unwritten) => Seen::Before(Verdict::NotLogged),
            None if self.batch.wait_for(pass, mark, from) => Seen::Waits,
            None => Seen::Never,
        }
    }

    /// What may be written: the others are items that are not valid.
    fn portions(&mut self, pass: &Pass, entries: Vec<Entry>) -> Vec<Portion> {
        let (now, must_have) = (self.moment.now, self.registry.settings().require_token);
        let Some(client) = self.registry.owner(pass) else { return Vec::new() };
        let (loggers, codes) = (&mut *self.loggers, self.codes);
        let (tokens, made) = (&client.tokens, &mut client.loggers);
        let has_token = |entry: &Entry| {
            let token = entry.token.as_ref();
            !must_have || token.is_some_and(|token| tokens.is_good(now, &entry.logger, token))
        };
        let may_log = |entry: &Entry| has_token(entry) && loggers.admit(codes, &entry.logger, made);
        let admitted = entries.into_iter().filter(may_log);
        admitted.map(|Entry { logger, line, .. }| Portion { logger, line }).collect()
    }
}
