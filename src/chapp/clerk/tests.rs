mod failures;
pub(crate) mod maps;
mod messages;
mod model;
mod names;

use std::net::IpAddr;
use std::time::Instant;

use super::*;
use crate::chapp::desk::{Notice, Verdict};
use crate::chapp::name::Name;
use crate::roll::{Applicant, Member};
use maps::Maps;

const DAY: i64 = 86_400;
/// Some morning.
const START: i64 = 20_000 * DAY + 8 * 3600;

const HOME: [u8; 4] = [192, 0, 2, 1];
const AWAY: [u8; 4] = [192, 0, 2, 2];

/// A clerk, his books, and the time.
struct Office {
    clerk: ChappClerk<Maps>,
    maps: Maps,
    now: i64,
}

/// What the clerk has sent.
struct Outgoing(Letters);

impl crate::session::Office for Outgoing {
    fn send(&mut self, letter: Letter) {
        let Letter { to, paper, asked_for, .. } = letter;
        let told = match asked_for {
            true => Told::Answer(*paper.downcast().unwrap()),
            false => Told::Notice(*paper.downcast().unwrap()),
        };
        self.0.push((to.0, told));
    }

    fn change(&mut self, _: Vec<Applicant>, _: Vec<Member>) -> Vec<Member> {
        unreachable!("connections put themselves on the roll at this door")
    }
}

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Answer(Verdict),
    Notice(Notice),
}

type Letters = Vec<(u64, Told)>;

impl Office {
    fn open() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        let maps = Maps::default();
        Self { clerk: ChappClerk::new(settings, maps.clone()), maps, now: START }
    }

    /// The daemon begins anew, with the same books.
    fn restart(&mut self) {
        self.clerk = ChappClerk::new(self.clerk.settings.clone(), self.maps.clone());
    }

    /// Deals with all of them at once; who asks for nothing is gone.
    fn deal(&mut self, asked: &[(u64, Option<Question>)]) -> Letters {
        let case = |(from, question): &(u64, Option<Question>)| {
            let matter = question.clone().map_or(Matter::Gone, |question| Matter::Ask(Box::new(question)));
            Case { from: Caller(*from), matter }
        };
        let mut told = Outgoing(Vec::new());
        let moment = Moment { now: Instant::now(), unix_time: self.now };
        self.clerk.deal(moment, asked.iter().map(case).collect(), &mut told);
        told.0
    }

    /// Deals with one, of which nobody else hears.
    #[track_caller]
    fn ask(&mut self, from: u64, question: Question) -> Verdict {
        let told = self.deal(&[(from, Some(question))]);
        match &told[..] {
            [(to, Told::Answer(verdict))] if *to == from => verdict.clone(),
            _ => panic!("{told:?}"),
        }
    }

    #[track_caller]
    fn introduce(&mut self, from: u64, address: [u8; 4], own: &str) {
        let verdict = self.ask(from, introduce(address, own));
        assert!(
            matches!(&verdict, Verdict::Introduced { name: had, .. } if *had == name(own)),
            "{verdict:?}"
        );
    }

    /// Posts a message to somebody who is not there.
    #[track_caller]
    fn post(&mut self, from: u64, address: [u8; 4], names: [&str; 2], message: &str) {
        let verdict = self.ask(from, post(address, names, 7, message));
        assert!(matches!(verdict, Verdict::Posted { .. }), "{verdict:?}");
    }

    fn leave(&mut self, from: u64) {
        assert_eq!(self.deal(&[(from, None)]), []);
    }

    /// Time passes, and the clerk has nothing else to do.
    fn idle(&mut self, seconds: i64) {
        self.now += seconds;
        for _ in 0..20 {
            assert_eq!(self.deal(&[]), []);
        }
    }

    fn lives(&self, own: &str) -> Option<u64> {
        self.clerk.live.caller(&name(own)).map(|caller| caller.0)
    }
}

fn settings() -> Settings {
    Settings::new(|unix_time| format!("at {unix_time}"))
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn connect(address: [u8; 4], username: Option<&str>) -> Question {
    Question::Connect { address: IpAddr::from(address), username: username.map(name) }
}

fn introduce(address: [u8; 4], own: &str) -> Question {
    Question::Introduce { address: IpAddr::from(address), name: name(own) }
}

fn post(address: [u8; 4], [from, to]: [&str; 2], id: u64, message: &str) -> Question {
    let (from, to) = (name(from), name(to));
    Question::Post { address: IpAddr::from(address), from, to, id, message: message.into() }
}

fn goodbye(own: &str) -> Question {
    Question::Goodbye { name: name(own) }
}

/// A message as it is kept.
fn kept(at: i64, [from, to]: [&str; 2], message: &str) -> Box<[u8]> {
    crate::chapp::message::render(&format!("at {at}"), message, &name(from), &name(to))
}

fn list(messages: &[Box<[u8]>]) -> Box<[u8]> {
    let inner = messages.join(&b", "[..]);
    [b"[", inner.as_slice(), b"]"].concat().into()
}

fn connected(own: &str, messages: &[Box<[u8]>]) -> Verdict {
    Verdict::Connected { name: name(own), messages: list(messages) }
}

fn introduced(own: &str, messages: &[Box<[u8]>]) -> Verdict {
    Verdict::Introduced { name: name(own), messages: list(messages) }
}

fn answer(to: u64, verdict: Verdict) -> (u64, Told) {
    (to, Told::Answer(verdict))
}

fn delivery(to: u64, at: i64, names: [&str; 2], id: u64, message: &str) -> (u64, Told) {
    let (from, own) = (name(names[0]), name(names[1]));
    (to, Told::Notice(Notice::Delivered { from, to: own, id, message: kept(at, names, message) }))
}
