//! Sessions of Residue, with the real clerk, to whom some of those are known whose packets were recorded.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use zeroize::Zeroizing;

use super::sessions::{Friend, Transcript, compare};
use crate::residue::books::{ClientBook, Clients, CodeBook, Codes};
use crate::residue::cipher::{Key, KeySize, Mark, Opened};
use crate::residue::clerk::{self, Desk, ResidueClerk, Source};
use crate::residue::desk::{Newcomer, Pass, Question, Verdict};
use crate::residue::envelope;
use crate::residue::packet::DELIMITER;
use crate::residue::pair::PrivateKey;
use crate::residue::random::RandomError;
use crate::residue::server::{ConnectDoor, LogDoor, Settings, TokenDoor};
use crate::residue::store::{LogStore, Packet, StoreError};
use crate::roll::{Applicant, Member, Roll};
use crate::session::{Caller, Case, Clerk, Letter, Matter, Moment, Office, Paper};

/// What clients of that time have sent, and what was made for them.
const RECORDED: &str = include_str!("../../tests/vectors/residue.json");
/// Who they were to the server, and by which keys.
const CLIENTS: [(&str, &str); 3] = [
    ("abcdefghijklmnop", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"),
    ("maskesyecwysgemw", "44B75057A3F0F2EBACCFA7F7935B20A8C69D66C03330E4846D16829169309895"),
    ("cvqopybfuyrwoccz", "550128CC91C7A95EC4A030130168022AD6F55F9870E251224AC2C82FDF2BAB08"),
];
const MANAGED: &str = "known01";
/// A hello of the managed client, encrypted to the key below.
const ENCRYPTED: &str = "ofqb5NoKFOD0BZp1BFE+SmjwHzgXqvKnEw30nr1PJvjHn3BrmhDeBGb/13G88Dm9QPXG+sV9t/33zLZa5308SeQh5uWMImakE+/R3ZZrKm3453u2ZMo4NvYuirSB1qmU5ropLgyAJVwu7PFqV1M/hAKJWvcBNFZE/5g3es4iH/M=";

static PAIR: LazyLock<Arc<PrivateKey>> = LazyLock::new(|| {
    let key = PrivateKey::from_pem(include_bytes!("../../tests/vectors/rsa1024.pem"), None);
    Arc::new(key.unwrap_or_else(|error| panic!("{error}")))
});

pub(super) fn connect(bytes: &[u8]) {
    compare(&ConnectDoor::new(settings()), Clerks::friend, bytes, opened);
}

pub(super) fn token(bytes: &[u8]) {
    compare(&TokenDoor::new(settings()), Clerks::friend, bytes, opened);
}

pub(super) fn log(bytes: &[u8]) {
    compare(&LogDoor::new(settings()), Clerks::friend, bytes, opened);
}

fn settings() -> Arc<Settings> {
    let (key, clients) = (Some(Arc::clone(&PAIR)), Arc::new(Shelf) as Arc<dyn ClientBook>);
    // All that was recorded is fresh.
    Arc::new(Settings { key, clients, tolerance: u64::MAX, ..Settings::default() })
}

/// What is said depends on chance where it is sealed, but not what is in it, and where it is encrypted, but not its length.
fn opened(mut transcript: Transcript) -> Transcript {
    let mut said = Vec::new();
    let mut rest = &*transcript.said;
    while let Some(end) = rest.windows(DELIMITER.len()).position(|window| window == DELIMITER) {
        let packet = &rest[..end];
        assert!(end < 1400, "a reply of {end} bytes");
        let keys = CLIENTS.iter().filter_map(|(_, digits)| Key::from_hex(digits));
        match envelope::read_reply(packet) {
            // One packet in 256 opens by any key, and one in 256 of those begins as an object does.
            Some(sealed) => match keys.filter_map(|key| key.open(&sealed).ok()).find(is_object) {
                Some(opened) => said.extend_from_slice(&opened.plain),
                None => said.extend_from_slice(end.to_string().as_bytes()),
            },
            None if packet.starts_with(b"{") => said.extend_from_slice(packet),
            None => said.extend_from_slice(end.to_string().as_bytes()),
        }
        said.push(b'\n');
        rest = &rest[end + DELIMITER.len()..];
    }
    assert!(rest.is_empty(), "a reply without an end");
    transcript.said = said;
    transcript
}

fn is_object(opened: &Opened) -> bool {
    opened.plain.starts_with(b"{") && opened.plain.is_ascii()
}

/// The clerk, and the roll that he keeps.
struct Clerks {
    clerk: ResidueClerk<Files>,
    hall: Hall,
    now: Instant,
}

impl Clerks {
    /// Answers what a session asks.
    fn friend(now: Instant) -> Friend {
        let desk =
            Desk { clients: Arc::new(Shelf), codes: Arc::new(Shelf), source: Box::new(Preset { count: 0 }) };
        let clerk = ResidueClerk::new(clerk::Settings::default(), desk, Files);
        let mut clerks = Self { clerk, hall: Hall { roll: Roll::new(16), letters: Vec::new() }, now };
        for mark in 0..CLIENTS.len() as u64 {
            let hello = Question::Hello { who: Newcomer::Unknown, size: KeySize::Bits256 };
            if let Ok(verdict) = clerks.ask(Box::new(hello)).downcast::<Verdict>()
                && let Verdict::Hello(pass) = *verdict
            {
                clerks.acknowledge(pass, Mark(mark));
            }
        }
        Box::new(move |paper| clerks.ask(paper))
    }

    fn acknowledge(&mut self, pass: Pass, mark: Mark) {
        let address = SocketAddr::from(([10, 0, 0, 2], 4000));
        self.ask(Box::new(Question::Acknowledge { pass, mark, address }));
    }

    fn ask(&mut self, paper: Paper) -> Paper {
        let case = Case { from: Caller(1), matter: Matter::Ask(paper) };
        let moment = Moment { now: self.now, unix_time: 1_504_663_925 };
        self.clerk.deal(moment, vec![case], &mut self.hall);
        let mut letters = std::mem::take(&mut self.hall.letters);
        assert_eq!(letters.len(), 1, "one question, one answer");
        letters.remove(0).paper
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
        leaves.into_iter().for_each(|member| assert!(self.roll.leave(member), "he was on the roll"));
        joins.into_iter().map(|applicant| self.roll.join(applicant)).collect()
    }
}

/// Files of which only is looked at that lines are lines.
struct Files;

impl LogStore for Files {
    fn loggers(&mut self) -> Vec<Box<str>> {
        Vec::new()
    }

    fn append(&mut self, packets: &[Packet]) -> Vec<Result<(), StoreError>> {
        let is_line = |line: &[u8]| line.iter().position(|&byte| byte == b'\n') == line.len().checked_sub(1);
        let check = |packet: &Packet| {
            assert!(packet.lines().all(|(_, line)| is_line(line)), "one item is one line");
            Ok(())
        };
        packets.iter().map(check).collect()
    }
}

/// The books that people write.
struct Shelf;

impl ClientBook for Shelf {
    fn clients(&self) -> Arc<Clients> {
        static BOOK: LazyLock<Arc<Clients>> = LazyLock::new(|| {
            let mut clients = Clients::default();
            assert!(clients.add(MANAGED, PAIR.public()).is_ok());
            Arc::new(clients)
        });
        Arc::clone(&BOOK)
    }
}

impl CodeBook for Shelf {
    fn codes(&self) -> Arc<Codes> {
        Arc::new(Codes::parse("sample-app a2dcb 60").unwrap_or_default())
    }
}

/// Draws what was drawn before, and then what everybody can guess.
struct Preset {
    count: usize,
}

impl Source for Preset {
    fn id(&mut self) -> Result<String, RandomError> {
        let name = || {
            let letter = |place: u32| char::from(b'a' + (self.count >> (4 * place) & 15) as u8);
            (0..16).map(letter).collect()
        };
        Ok(CLIENTS.get(self.count).map_or_else(name, |(id, _)| (*id).to_owned()))
    }

    fn key(&mut self, size: KeySize) -> Result<Key, RandomError> {
        let digits = CLIENTS.get(self.count).map_or("F", |(_, digits)| *digits);
        let length = usize::try_from(size.bits() / 4).unwrap_or_default();
        self.count += 1;
        Key::from_hex(&format!("{digits:0>length$}")[..length]).ok_or(RandomError)
    }

    fn token(&mut self) -> Result<Zeroizing<String>, RandomError> {
        Ok(Zeroizing::new("0123456789abcdef".to_owned()))
    }
}

/// What was recorded under this name.
fn recorded(name: &str) -> Vec<u8> {
    let after = |text: &'static str, mark: &str| text.split_once(mark).map(|(_, after)| after);
    let entry = after(RECORDED, &format!("\"name\": \"{name}"));
    let Some(text) = entry.and_then(|entry| after(entry, "\"packet\": \"")) else {
        panic!("{name} is not recorded")
    };
    let (mut packet, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next().filter(|&byte| byte != b'"') {
        packet.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                other => other.unwrap_or_default(),
            },
            byte => byte,
        });
    }
    packet
}

fn conversation(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| recorded(name)).collect()
}

pub(super) fn connect_said() -> Vec<Vec<u8>> {
    vec![
        conversation(&["plain known client", "ack", "touch", "touch"]),
        conversation(&["acknowledgement of the Node", "android/java", "uppercase IV", "unknown client"]),
        recorded("plain unknown client"),
        [ENCRYPTED.as_bytes(), DELIMITER].concat(),
    ]
}

pub(super) fn token_said() -> Vec<Vec<u8>> {
    vec![conversation(&["token request\"", "token request of the Node", "unknown client"])]
}

pub(super) fn log_said() -> Vec<Vec<u8>> {
    vec![
        conversation(&["log, uncompressed", "log, compressed", "log, uncompressed"]),
        conversation(&["log of the Node", "bulk of 3", "unknown client"]),
    ]
}
