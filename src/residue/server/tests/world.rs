//! The server's side of the world, and those who come to it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::residue::books::{CodeBook, Codes};
use crate::residue::clerk::{self, Desk, ResidueClerk, Source, SystemSource};
use crate::residue::store::{LogStore, Packet, StoreError};
use crate::roll::{Applicant, Member, Roll, Sequence};
use crate::session::{Caller, Case, Clerk, Letter, Matter, Moment, Office, Paper, View};

/// When each world begins, as Unix time.
pub(super) const BEGIN: i64 = 1_700_000_000;

/// One server, all that it knows, and the time.
pub(super) struct World {
    pub(super) settings: Arc<Settings>,
    pub(super) files: Files,
    books: Arc<Books>,
    clerk: ResidueClerk<Files>,
    hall: Hall,
    pub(super) begin: Instant,
    pub(super) now: Instant,
    /// What connections will hear unasked.
    pub(super) mail: Vec<Letter>,
    pub(super) callers: u64,
}

impl View for World {
    fn unix_time(&self) -> i64 {
        BEGIN + i64::try_from((self.now - self.begin).as_secs()).unwrap()
    }

    fn sequence(&self) -> Sequence {
        self.hall.roll.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.hall.roll);
    }
}

impl World {
    /// A world with its own key, in which `manny` is managed, `small` and `small-ten1` are, with a key that has hardly
    /// room for their replies, and `network` has the access code `secret`.
    pub(super) fn new() -> Self {
        Self::with(|_| {}, |_| {})
    }

    /// One in which other flags are set.
    pub(super) fn flagged(flags: u32) -> Self {
        Self::with(
            |settings| settings.flags = Flags(flags),
            |clerk| {
                clerk.require_token = Flags(flags).has(Flags::REQUIRES_TOKEN);
                clerk.default_code = Flags(flags).has(Flags::DEFAULT_CODE);
            },
        )
    }

    /// One in which something else is set.
    pub(super) fn with(set: impl FnOnce(&mut Settings), arrange: impl FnOnce(&mut clerk::Settings)) -> Self {
        Self::drawing(set, arrange, Box::new(SystemSource))
    }

    /// One in which IDs, keys and tokens come from elsewhere.
    pub(super) fn drawing(
        set: impl FnOnce(&mut Settings),
        arrange: impl FnOnce(&mut clerk::Settings),
        source: Box<dyn Source>,
    ) -> Self {
        let (files, now, books) = (Files::default(), Instant::now(), Arc::new(Books::new()));
        let mut settings = Settings {
            key: Some(Arc::clone(&SERVER)),
            clients: Arc::clone(&books) as Arc<dyn ClientBook>,
            licensee: "Muflihun Labs".into(),
            version: "1.2.3".into(),
            logging_port: 8779,
            token_port: 8778,
            ..Settings::default()
        };
        set(&mut settings);
        let mut for_clerk = clerk::Settings::default();
        arrange(&mut for_clerk);
        let desk = Desk {
            clients: Arc::clone(&books) as Arc<dyn ClientBook>,
            codes: Arc::clone(&books) as Arc<dyn CodeBook>,
            source,
        };
        Self {
            settings: Arc::new(settings),
            clerk: ResidueClerk::new(for_clerk, desk, files.clone()),
            files,
            books,
            hall: Hall { roll: Roll::new(16), letters: Vec::new() },
            begin: now,
            now,
            mail: Vec::new(),
            callers: 0,
        }
    }

    /// Time passes, and the clerk notices.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.deal(Vec::new());
    }

    /// From now on only these are managed, each with this key.
    pub(super) fn manage(&self, clients: &[(&str, &PrivateKey)]) {
        let mut book = Clients::default();
        clients.iter().for_each(|(id, key)| book.add(id, key.public()).unwrap());
        *self.books.clients.lock().unwrap() = Arc::new(book);
    }

    /// Who is on the roll.
    pub(super) fn names(&self) -> Vec<&str> {
        self.hall.roll.entries().map(|entry| entry.name.as_deref().unwrap()).collect()
    }

    fn deal(&mut self, cases: Vec<Case>) -> Vec<Letter> {
        let moment = Moment { now: self.now, unix_time: self.unix_time() };
        self.clerk.deal(moment, cases, &mut self.hall);
        std::mem::take(&mut self.hall.letters)
    }

    /// What the clerk says to a question; what he says to others, they hear when they look.
    pub(super) fn ask(&mut self, from: Caller, paper: Paper) -> Paper {
        let letters = self.deal(vec![Case { from, matter: Matter::Ask(paper) }]);
        let (mut answers, others): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|letter| letter.asked_for);
        self.mail.extend(others);
        assert!(answers.len() == 1 && answers[0].to == from, "there is one answer to each question");
        answers.remove(0).paper
    }
}

struct Hall {
    roll: Roll,
    letters: Vec<Letter>,
}

impl Office for Hall {
    fn send(&mut self, letter: Letter) {
        self.letters.push(letter);
    }

    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member> {
        let members = joins.into_iter().map(|applicant| self.roll.join(applicant)).collect();
        leaves.into_iter().for_each(|member| assert!(self.roll.leave(member)));
        members
    }
}

/// Log files.
#[derive(Clone, Default)]
pub(super) struct Files {
    drawer: Arc<Mutex<(BTreeMap<String, String>, bool)>>,
}

impl Files {
    /// What stands in the file of a logger.
    pub(super) fn text(&self, logger: &str) -> String {
        self.drawer.lock().unwrap().0.get(logger).cloned().unwrap_or_default()
    }

    /// The loggers that have a file.
    pub(super) fn loggers(&self) -> Vec<String> {
        self.drawer.lock().unwrap().0.keys().cloned().collect()
    }

    /// From now on there is no room, or there is again.
    pub(super) fn fill(&self, is_full: bool) {
        self.drawer.lock().unwrap().1 = is_full;
    }
}

impl LogStore for Files {
    fn loggers(&mut self) -> Vec<Box<str>> {
        Vec::new()
    }

    fn append(&mut self, packets: &[Packet]) -> Vec<Result<(), StoreError>> {
        let mut drawer = self.drawer.lock().unwrap();
        if drawer.1 {
            return packets.iter().map(|_| Err(StoreError("full".to_owned()))).collect();
        }
        for (logger, line) in packets.iter().flat_map(Packet::lines) {
            let text = drawer.0.entry(logger.to_owned()).or_default();
            text.push_str(std::str::from_utf8(line).unwrap());
        }
        packets.iter().map(|_| Ok(())).collect()
    }
}

struct Books {
    clients: Mutex<Arc<Clients>>,
    codes: Arc<Codes>,
}

impl Books {
    fn new() -> Self {
        let mut clients = Clients::default();
        clients.add("manny", CLIENT.public()).unwrap();
        clients.add(&"m".repeat(64), CLIENT.public()).unwrap();
        clients.add("known01", CLIENT.public()).unwrap();
        clients.add("small", SMALL.public()).unwrap();
        clients.add("small-ten1", SMALL.public()).unwrap();
        let codes = Codes::parse("network secret 60\ndisk default 7\nsample-app a2dcb 60").unwrap();
        Self { clients: Mutex::new(Arc::new(clients)), codes: Arc::new(codes) }
    }
}

impl ClientBook for Books {
    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.lock().unwrap())
    }
}

impl CodeBook for Books {
    fn codes(&self) -> Arc<Codes> {
        Arc::clone(&self.codes)
    }
}
