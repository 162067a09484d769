//! The clerk: who has which key and for how long, and what becomes of logs.
//!
//! All that he knows of clients is in memory, and lives by the clock that never jumps: whoever comes after the daemon
//! has begun anew begins anew as well. He deals with all that comes in one go: those who acknowledge are put on the roll
//! together, and the logs are written together, before anybody hears of it.

mod client;
mod health;
mod loggers;
mod logs;
mod marks;
mod quiet;
mod registry;
mod rules;
mod source;
mod tokens;

use std::sync::Arc;
use std::time::Instant;

use super::books::{ClientBook, Clients, CodeBook};
use super::desk::{Notice, Question};
use super::request::TOLERANCE;
use super::store::LogStore;
use crate::session::{Case, Clerk, Letter, Matter, Moment, Office};
use health::Health;
use loggers::Loggers;
use logs::Batch;
use registry::Registry;
use rules::Hearing;
pub use source::{Source, SystemSource};

/// For how long a client lives without a touch, in seconds, unless it is told otherwise ("Age").
pub const AGE: u64 = 259_200;
/// How many clients there may be on record, unless it is told otherwise ("Age").
pub const CLIENTS_LIMIT: usize = 65_536;
/// How many of them may come from one address, unless it is told otherwise ("Age").
pub const CLIENTS_PER_ADDRESS: usize = 1_024;
/// How many packets of a client are remembered at the least ("Repeated packets").
pub const CLIENT_MEMORY: usize = 1 << 20;
/// How many packets of all clients are remembered, unless it is told otherwise ("Repeated packets").
pub const MEMORY_LIMIT: usize = 32 * CLIENT_MEMORY;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client lives without a touch, in seconds; 0: for ever ("Age").
    pub age: u64,
    /// How much longer it is alive, in seconds: as far as its clock may be off ("Age").
    pub tolerance: u64,
    /// Whether nothing is logged without a token (flag 2, "Tokens").
    pub require_token: bool,
    /// Whether tokens are given for every logger to those who have no access code (flag 4, "Tokens").
    pub default_code: bool,
    /// How many clients there may be on record. One more makes one give way that has not acknowledged, or has died, or
    /// of which nothing was heard for some time; where there is none, it is not let in ("Age").
    pub clients_limit: usize,
    /// How many clients with generated IDs may have acknowledged from one address; 0: any number. One more makes that of
    /// them die of which nothing was heard for longest ("Age").
    pub clients_per_address: usize,
    /// How many packets a client may send in one life: the packet that reaches it is served, then the client dies, and
    /// begins anew ("Repeated packets").
    pub client_memory: usize,
    /// How many packets are remembered of all clients together, at 9 bytes each. Beyond it, the client of which most
    /// are remembered has to begin anew, or, where it is dead, only forgets ("Repeated packets").
    pub memory_limit: usize,
}

impl Default for Settings {
    /// The defaults of the manual.
    fn default() -> Self {
        Self {
            age: AGE,
            tolerance: TOLERANCE,
            require_token: false,
            default_code: true,
            clients_limit: CLIENTS_LIMIT,
            clients_per_address: CLIENTS_PER_ADDRESS,
            client_memory: CLIENT_MEMORY,
            memory_limit: MEMORY_LIMIT,
        }
    }
}

/// Where the clerk finds what people have written, and what nobody can guess.
pub struct Desk {
    /// The managed clients. Who is taken out of the book, or is given another key there, is dead from then on.
    pub clients: Arc<dyn ClientBook>,
    /// The access codes. Tokens that they have given are good as long as it was said.
    pub codes: Arc<dyn CodeBook>,
    /// IDs, keys and tokens.
    pub source: Box<dyn Source>,
}

/// Keeps the books of all three ports.
pub struct ResidueClerk<S> {
    desk: Desk,
    /// The book of managed clients as it was when it was looked at last.
    clients: Arc<Clients>,
    store: S,
    registry: Registry,
    loggers: Loggers,
    /// Whether logs can be written.
    writing: Health,
    /// Whether there are random bytes.
    chance: Health,
}

impl<S: LogStore> ResidueClerk<S> {
    /// A clerk who writes logs here. Nobody is there yet.
    pub fn new(settings: Settings, desk: Desk, mut store: S) -> Self {
        Self {
            clients: desk.clients.clients(),
            desk,
            loggers: Loggers::new(store.loggers()),
            store,
            registry: Registry::new(settings),
            writing: Health::new("logs cannot be written", "logs can be written again"),
            chance: Health::new("nobody can be given keys or tokens", "keys and tokens can be given again"),
        }
    }

    /// Looks whether the book of managed clients was read again.
    fn follow_book(&mut self, now: Instant) {
        let clients = self.desk.clients.clients();
        if !Arc::ptr_eq(&clients, &self.clients) {
            self.registry.follow(now, &clients);
            self.clients = clients;
        }
    }

    /// Says what can be said before the logs are written, and which logs are to be.
    fn hear(&mut self, moment: Moment, cases: Vec<Case>) -> (Vec<Letter>, Batch) {
        let codes = self.desk.codes.codes();
        let mut hearing = Hearing {
            moment,
            registry: &mut self.registry,
            loggers: &mut self.loggers,
            source: &mut *self.desk.source,
            chance: &mut self.chance,
            clients: &self.clients,
            codes: &codes,
            batch: Batch::default(),
        };
        let mut letters = Vec::new();
        for case in cases {
            let Some(question) = open(case.matter) else { continue };
            let verdict = hearing.judge(case.from, question);
            letters.extend(verdict.map(|verdict| Letter::answer(case.from, Box::new(verdict))));
        }
        (letters, hearing.batch)
    }
}

impl<S: LogStore> Clerk for ResidueClerk<S> {
    fn deal(&mut self, moment: Moment, cases: Vec<Case>, office: &mut dyn Office) {
        self.registry.pass_time(moment.now);
        self.follow_book(moment.now);
        if let Some(loggers) = self.store.changed_loggers() {
            self.loggers = Loggers::new(loggers);
        }
        let (letters, batch) = self.hear(moment, cases);
        // Whoever hears that he is there is on the roll.
        self.registry.settle(office);
        letters.into_iter().for_each(|letter| office.send(letter));
        let letters = batch.write(moment.now, &mut self.store, &mut self.registry, &mut self.writing);
        letters.into_iter().for_each(|letter| office.send(letter));
        self.registry.press(moment.now);
        self.registry.settle(office);
        // At the very end, so that nobody is closed before he has heard what he is to hear.
        for caller in self.registry.take_closes() {
            office.send(Letter::unasked(caller, Box::new(Notice::CloseNow), 0));
        }
    }
}

/// The question of a case. Who is gone is not missed: a client does not hang on its connections.
fn open(matter: Matter) -> Option<Question> {
    match matter {
        Matter::Ask(paper) => match paper.downcast() {
            Ok(question) => Some(*question),
            Err(_) => unreachable!("the sessions of these doors ask nothing else"),
        },
        Matter::Gone => None,
    }
}

#[cfg(test)]
mod tests;
