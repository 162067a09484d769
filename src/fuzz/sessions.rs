//! Sessions: what comes whole, byte by byte, or in any pieces, is answered alike.

use std::net::SocketAddr;
use std::time::Instant;

use crate::chapp::desk::{Question, Verdict};
use crate::chapp::message;
use crate::chapp::server::ChappDoor;
use crate::fmltp::server::FmltpDoor;
use crate::lekt::server::{LektDoor, Settings};
use crate::roll::{Member, Roll, Sequence};
use crate::session::{Answer, Ask, Door, Event, Fault, Output, Paper, Session, View};

/// Answers what a session asks its clerk.
pub(super) type Friend = Box<dyn FnMut(Paper) -> Paper>;

fn nobody(_: Instant) -> Friend {
    Box::new(|_| panic!("this door has no clerk"))
}

pub(super) fn lekt(bytes: &[u8]) {
    compare(&LektDoor::new(Settings::default()), nobody, bytes, Transcript::exactly);
}

pub(super) fn chapp(bytes: &[u8]) {
    compare(&ChappDoor, |_| Box::new(verdict), bytes, Transcript::exactly);
}

/// What is said depends on chance here.
pub(super) fn fmltp(bytes: &[u8]) {
    compare(&FmltpDoor::new(crate::fmltp::server::Settings::default()), nobody, bytes, Transcript::roughly);
}

/// What a client sees of a session, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transcript {
    pub(super) said: Vec<u8>,
    why: Option<String>,
    asks: usize,
    is_on_roll: bool,
}

impl Transcript {
    fn exactly(self) -> Self {
        self
    }

    fn roughly(self) -> Self {
        Self { said: Vec::new(), ..self }
    }
}

pub(super) fn compare(
    door: &dyn Door,
    friend: fn(Instant) -> Friend,
    bytes: &[u8],
    of: fn(Transcript) -> Transcript,
) {
    let now = Instant::now();
    let converse = |cuts: Cuts| of(Conversation::new(door, friend(now), now).hear(bytes, cuts));
    let whole = converse(Cuts::None);
    assert_eq!(whole, converse(Cuts::Each), "whole, and byte by byte");
    let seed = bytes.iter().fold(1_u64, |seed, &byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    assert_eq!(whole, converse(Cuts::Any(seed)), "whole, and in pieces by {seed}");
}

#[derive(Clone, Copy)]
enum Cuts {
    None,
    Each,
    Any(u64),
}

impl Cuts {
    fn next(&mut self, left: usize) -> usize {
        match self {
            Self::None => left,
            Self::Each => 1,
            Self::Any(seed) => {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                1 + usize::try_from(*seed >> 33).unwrap_or(0) % left.min(100)
            }
        }
    }
}

/// A session, whose asks are answered at once.
struct Conversation {
    session: Box<dyn Session>,
    friend: Friend,
    now: Instant,
    world: World,
    out: Output,
    transcript: Transcript,
    member: Option<Member>,
    is_over: bool,
}

struct World(Roll);

impl View for World {
    fn unix_time(&self) -> i64 {
        7
    }

    fn sequence(&self) -> Sequence {
        self.0.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.0);
    }
}

impl Conversation {
    fn new(door: &dyn Door, friend: Friend, now: Instant) -> Self {
        let peer = SocketAddr::from(([10, 0, 0, 1], 4000));
        let transcript = Transcript { said: Vec::new(), why: None, asks: 0, is_on_roll: false };
        let mut conversation = Self {
            session: door.open(now, peer),
            friend,
            now,
            world: World(Roll::new(16)),
            out: Output::default(),
            transcript,
            member: None,
            is_over: false,
        };
        conversation.handle(Event::Opened);
        conversation
    }

    fn hear(mut self, bytes: &[u8], mut cuts: Cuts) -> Transcript {
        let (mut taken, mut there) = (0, 0);
        while there < bytes.len() && !self.is_over {
            there += cuts.next(bytes.len() - there);
            taken += self.judge(&bytes[taken..there]);
        }
        self.handle(Event::EndOfStream);
        self.judge(&bytes[taken..there]);
        self.transcript.is_on_roll = self.member.is_some();
        self.transcript
    }

    fn judge(&mut self, bytes: &[u8]) -> usize {
        let mut judged = 0;
        while judged < bytes.len() && !self.is_over {
            let received = self.session.receive(self.now, &bytes[judged..], &self.world, &mut self.out);
            let taken = received.as_ref().copied().unwrap_or_default();
            assert!(judged + taken <= bytes.len(), "it takes more than there is");
            judged += taken;
            self.follow(received.map(drop));
            if taken == 0 {
                break;
            }
        }
        judged
    }

    fn handle(&mut self, event: Event) {
        if !self.is_over {
            let handled = self.session.handle(self.now, event, &self.world, &mut self.out);
            self.follow(handled);
        }
    }

    fn follow(&mut self, outcome: Result<(), Fault>) {
        let pieces: Vec<u8> = self.out.pieces().flat_map(|piece| piece.as_slice().to_vec()).collect();
        self.transcript.said.extend(pieces);
        self.out.clear(0);
        if let Err(fault) = outcome {
            self.transcript.said.extend(fault.farewell);
            self.transcript.why = Some(fault.why.into_owned());
            self.is_over = true;
            assert!(!self.out.has_ask(), "it asks, and is at fault");
        }
        // Nobody has to wait here.
        self.out.take_rest();
        let ask = self.out.take_ask();
        self.is_over |= self.out.take_close();
        if let Some(ask) = ask {
            self.transcript.asks += 1;
            let answer = self.answer(ask);
            self.handle(Event::Answer(answer));
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Join(applicant) => {
                assert!(self.member.is_none(), "it joins twice");
                let member = self.world.0.join(applicant);
                self.member = Some(member);
                Answer::Joined(member)
            }
            Ask::Leave(member) => {
                assert!(self.member.take() == Some(member) && self.world.0.leave(member), "it was not there");
                Answer::Left
            }
            Ask::Toil(_) | Ask::Rationed { .. } => {
                self.session.toil();
                Answer::Toiled
            }
            Ask::Clerk(paper) => Answer::Clerk((self.friend)(paper)),
        }
    }
}

/// What a clerk says who lets everybody do anything.
fn verdict(paper: Paper) -> Paper {
    let Ok(question) = paper.downcast::<Question>() else { panic!("nobody else has a clerk") };
    let messages: Box<[u8]> = (*b"[]").into();
    Box::new(match *question {
        Question::Connect { username: None, .. } => Verdict::NotFound,
        Question::Connect { username: Some(name), .. } => Verdict::Connected { name, messages },
        Question::Introduce { name, .. } => Verdict::Introduced { name, messages },
        Question::Post { from, to, message, .. } => {
            Verdict::Posted { message: message::render("now", &message, &from, &to) }
        }
        Question::Goodbye { .. } => Verdict::Gone,
    })
}
