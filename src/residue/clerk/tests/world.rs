//! A clerk with all that he needs, and the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::*;
use crate::residue::books::{Codes, DEFAULT_LIFE};
use crate::residue::cipher::Key;
use crate::residue::desk::Verdict;
use crate::residue::pair::PublicKey;
use crate::residue::random::RandomError;
use crate::residue::store::{Packet, StoreError};
use crate::roll::{Applicant, Member, Roll};
use crate::session::Caller;

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Key(Option<Known>),
    Hello(Known),
    Full,
    OtherKey(Option<u8>),
    Changed(Option<Known>),
    Established(i64, u64),
    Refused(ConnectError),
    Noted,
    Token(String, u64),
    TokenIsRight,
    TokenRefused(TokenError),
    Logged,
    NotLogged,
    NoClient,
    CloseNow,
}

/// A pass, as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) life: u64,
}

impl Known {
    pub(super) fn new(pass: &Pass) -> Self {
        Self { id: pass.id.to_string(), key: pass.key.to_hex().to_string(), life: pass.life }
    }

    pub(super) fn pass(&self) -> Pass {
        let key = Key::from_hex(&self.key).unwrap();
        Pass { id: self.id.as_str().into(), key: Arc::new(key), life: self.life }
    }
}

impl From<&Verdict> for Told {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Key(pass) => Self::Key(pass.as_ref().map(Known::new)),
            Verdict::Hello(pass) => Self::Hello(Known::new(pass)),
            Verdict::Full => Self::Full,
            Verdict::OtherKey(key) => Self::OtherKey(key.as_ref().map(|key| {
                let is_it = |number: &u8| public_key(*number) == **key;
                [1, 2].into_iter().find(is_it).unwrap()
            })),
            Verdict::Changed(pass) => Self::Changed(pass.as_ref().map(Known::new)),
            Verdict::Established { date_created, age } => Self::Established(*date_created, *age),
            Verdict::Refused(error) => Self::Refused(*error),
            Verdict::Noted => Self::Noted,
            Verdict::Token { token, life } => Self::Token(token.to_string(), *life),
            Verdict::TokenIsRight => Self::TokenIsRight,
            Verdict::TokenRefused(error) => Self::TokenRefused(*error),
            Verdict::Logged => Self::Logged,
            Verdict::NotLogged => Self::NotLogged,
            Verdict::NoClient => Self::NoClient,
        }
    }
}

pub(super) struct World {
    pub(super) clerk: ResidueClerk<Files>,
    pub(super) files: Files,
    pub(super) lot: Lot,
    pub(super) books: Books,
    pub(super) hall: Hall,
    pub(super) now: Instant,
    pub(super) unix_time: i64,
    marks: u64,
}

impl World {
    pub(super) fn with(settings: Settings) -> Self {
        let (files, lot, books) = (Files::default(), Lot::default(), Books::default());
        let desk = Desk {
            clients: Arc::new(books.clone()),
            codes: Arc::new(books.clone()),
            source: Box::new(lot.clone()),
        };
        Self {
            clerk: ResidueClerk::new(settings, desk, files.clone()),
            files,
            lot,
            books,
            hall: Hall { roll: Roll::new(16), letters: Vec::new(), changes: 0, there_when_told: 0 },
            now: Instant::now(),
            unix_time: 1_700_000_000,
            marks: 0,
        }
    }

    pub(super) fn open() -> Self {
        Self::with(settings())
    }

    /// A mark that there was not before.
    pub(super) fn mark(&mut self) -> Mark {
        self.marks += 1;
        Mark(self.marks.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Time passes on both clocks; the clerk has something to do only then.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.unix_time += i64::try_from(seconds).unwrap();
    }

    /// A moment passes, and the clerk, who has nothing to do, tells nobody anything.
    pub(super) fn tick(&mut self) {
        self.now += Duration::from_nanos(1);
        assert_eq!(self.deal(Vec::new()), []);
    }

    /// Deals with all of it in one go.
    pub(super) fn deal(&mut self, asked: Vec<(u64, Question)>) -> Vec<(u64, Told)> {
        let case = |(from, question): (u64, Question)| {
            let matter = Matter::Ask(Box::new(question));
            Case { from: Caller(from), matter }
        };
        let moment = Moment { now: self.now, unix_time: self.unix_time };
        self.clerk.deal(moment, asked.into_iter().map(case).collect(), &mut self.hall);
        std::mem::take(&mut self.hall.letters)
    }

    /// Asks one thing, of which nobody else hears.
    #[track_caller]
    pub(super) fn ask(&mut self, question: Question) -> Told {
        let told = self.deal(vec![(1, question)]);
        match &told[..] {
            [(1, told)] if *told != Told::CloseNow => told.clone(),
            _ => panic!("{told:?}"),
        }
    }

    #[track_caller]
    pub(super) fn hello(&mut self, question: Question) -> Pass {
        match self.ask(question) {
            Told::Hello(known) => known.pass(),
            told => panic!("{told:?}"),
        }
    }

    #[track_caller]
    pub(super) fn acknowledge(&mut self, pass: &Pass) {
        let mark = self.mark();
        let told = self.ask(acknowledge(pass, mark));
        assert!(matches!(told, Told::Established(..)), "{told:?}");
    }

    /// A client that has acknowledged.
    #[track_caller]
    pub(super) fn acknowledged(&mut self, hello: Question) -> Pass {
        let pass = self.hello(hello);
        self.acknowledge(&pass);
        pass
    }

    /// What it hears who asks this under a mark of its own.
    #[track_caller]
    pub(super) fn try_with(&mut self, question: impl FnOnce(Mark) -> Question) -> Told {
        let mark = self.mark();
        self.ask(question(mark))
    }

    #[track_caller]
    pub(super) fn token(&mut self, pass: &Pass, logger: &str, code: &str) -> String {
        match self.try_with(|mark| ask_token(pass, mark, logger, Some(code))) {
            Told::Token(token, _) => token,
            told => panic!("{told:?}"),
        }
    }

    pub(super) fn is_on_record(&mut self, id: &str) -> bool {
        self.ask(Question::Key { id: id.into() }) != Told::Key(None)
    }
}

/// The roll, and all letters.
pub(super) struct Hall {
    pub(super) roll: Roll,
    pub(super) letters: Vec<(u64, Told)>,
    pub(super) changes: usize,
    /// How many were there when somebody was told last that he is established.
    pub(super) there_when_told: usize,
}

impl Hall {
    /// Who is on the roll, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.roll.entries().map(|entry| entry.name.as_deref().unwrap()).collect();
        names.sort_unstable();
        names
    }
}

impl Office for Hall {
    fn send(&mut self, letter: Letter) {
        let told = match letter.asked_for {
            true => Told::from(&*letter.paper.downcast::<Verdict>().unwrap()),
            false => match *letter.paper.downcast::<Notice>().unwrap() {
                Notice::CloseNow => Told::CloseNow,
            },
        };
        if matches!(told, Told::Established(..)) {
            self.there_when_told = self.roll.len();
        }
        self.letters.push((letter.to.0, told));
    }

    fn change(&mut self, joins: Vec<Applicant>, leaves: Vec<Member>) -> Vec<Member> {
        assert!(!joins.is_empty() || !leaves.is_empty());
        self.changes += 1;
        let members = joins.into_iter().map(|applicant| {
            assert_eq!((applicant.door, &applicant.listing), ("residue", &None));
            self.roll.join(applicant)
        });
        let members = members.collect();
        for member in leaves {
            assert!(self.roll.leave(member), "who leaves was there");
        }
        members
    }
}

/// Log files.
#[derive(Clone, Default)]
pub(super) struct Files {
    drawer: Arc<Mutex<Drawer>>,
}

#[derive(Default)]
pub(super) struct Drawer {
    /// What stands in the file of each logger.
    pub(super) texts: BTreeMap<String, String>,
    /// What comes of the next packets; of all later ones, good.
    pub(super) faults: VecDeque<bool>,
    /// The loggers that have a file, if that has changed.
    pub(super) changed: Option<Vec<Box<str>>>,
    /// How many packets came in each go.
    pub(super) goes: Vec<usize>,
}

impl Files {
    pub(super) fn look(&self) -> MutexGuard<'_, Drawer> {
        self.drawer.lock().unwrap()
    }

    /// What stands in a file.
    pub(super) fn text(&self, logger: &str) -> String {
        self.look().texts.get(logger).cloned().unwrap_or_default()
    }
}

impl LogStore for Files {
    fn loggers(&mut self) -> Vec<Box<str>> {
        Vec::new()
    }

    fn changed_loggers(&mut self) -> Option<Vec<Box<str>>> {
        self.look().changed.take()
    }

    fn append(&mut self, packets: &[Packet]) -> Vec<Result<(), StoreError>> {
        let mut drawer = self.look();
        drawer.goes.push(packets.len());
        let mut append = |packet: &Packet| {
            if drawer.faults.pop_front() == Some(false) {
                return Err(StoreError("no space".to_owned()));
            }
            for (logger, line) in packet.lines() {
                let line = std::str::from_utf8(line).unwrap();
                assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
                drawer.texts.entry(logger.to_owned()).or_default().push_str(line);
            }
            Ok(())
        };
        packets.iter().map(&mut append).collect()
    }
}

/// A source of what can be guessed.
#[derive(Clone, Default)]
pub(super) struct Lot {
    state: Arc<Mutex<Drawn>>,
}

#[derive(Default)]
pub(super) struct Drawn {
    pub(super) count: u64,
    pub(super) is_dry: bool,
    /// IDs that come before all others.
    pub(super) ids: VecDeque<String>,
}

impl Lot {
    pub(super) fn look(&self) -> MutexGuard<'_, Drawn> {
        self.state.lock().unwrap()
    }

    fn draw(&self) -> Result<u64, RandomError> {
        let mut drawn = self.look();
        drawn.count += 1;
        if drawn.is_dry { Err(RandomError) } else { Ok(drawn.count) }
    }
}

impl Source for Lot {
    fn id(&mut self) -> Result<String, RandomError> {
        let number = self.draw()?;
        let letter = |place: u32| char::from(b'a' + u8::try_from(number / 26_u64.pow(place) % 26).unwrap());
        let preset = self.look().ids.pop_front();
        Ok(preset
            .unwrap_or_else(|| (0..16).map(|place| if place < 10 { letter(place) } else { 'x' }).collect()))
    }

    fn key(&mut self, size: KeySize) -> Result<Key, RandomError> {
        let number = self.draw()?;
        let digits = usize::try_from(size.bits()).unwrap() / 4;
        Ok(Key::from_hex(&format!("{number:0digits$X}")).unwrap())
    }

    fn token(&mut self) -> Result<Zeroizing<String>, RandomError> {
        Ok(secret(&format!("{:016}", self.draw()?)))
    }
}

/// The books of managed clients and of access codes.
#[derive(Clone)]
pub(super) struct Books {
    shelf: Arc<Mutex<(Arc<Clients>, Arc<Codes>)>>,
}

impl Default for Books {
    fn default() -> Self {
        let codes = Codes::parse("network secret\nnetwork for-ever 0\ndisk default 60").unwrap();
        Self { shelf: Arc::new(Mutex::new((Arc::new(book(&[("manny", 1), ("molly", 2)])), Arc::new(codes)))) }
    }
}

impl Books {
    /// From now on these are managed, each with one of two keys.
    pub(super) fn manage(&self, clients: &[(&str, u8)]) {
        self.shelf.lock().unwrap().0 = Arc::new(book(clients));
    }
}

impl ClientBook for Books {
    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.shelf.lock().unwrap().0)
    }
}

impl CodeBook for Books {
    fn codes(&self) -> Arc<Codes> {
        Arc::clone(&self.shelf.lock().unwrap().1)
    }
}

fn book(clients: &[(&str, u8)]) -> Clients {
    let mut book = Clients::default();
    for (id, key) in clients {
        book.add(id, public_key(*key)).unwrap();
    }
    book
}

#[test]
fn the_defaults_of_codes_are_those_of_the_manual() {
    assert_eq!(Books::default().codes().life("network", "secret"), Some(DEFAULT_LIFE));
}

/// One of two keys.
pub(super) fn public_key(number: u8) -> PublicKey {
    PublicKey::from_pem(PUBLIC_KEYS[usize::from(number) - 1].as_bytes()).unwrap()
}

const PUBLIC_KEYS: [&str; 2] = [
    "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDD1UQ/nYubGzyP3hsCqCFR7khV
ODLdRIKjPVI62zOCt7uOipGgv5WGra87X1yotUD0JEKXoo5ZwlhHigqtlC5h1GLs
cmb7dJfEmnd453DoG7Y06Y9WCpj2ZEoPctkLZbMAt9KacSp1l+DGf9ma8nMMH47E
6EJRCRUNBnIgubPfiwIDAQAB
-----END PUBLIC KEY-----",
    "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCw/yQjJYWgMu61EbDthYKsuTeC
UKeKhVqDyPtLuFhJuQ4f8CuPFcDiDKIkyUlv4Pfjr9DxZyOwdnKwK2JJwr9cPzHo
cb4DwajNQpEEJ5D7ZanH1HgfcTro+3asgQCpFeuK9rtBBn6QCBRBiK1AkojymbFn
AVAothMHWlfuLszuCQIDAQAB
-----END PUBLIC KEY-----",
];
