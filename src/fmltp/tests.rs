//! Our client against our server, on a fake wire.

use std::sync::Arc;
use std::time::Instant;

use super::client::{Answer, Authentication, Client, Event, Flow, Input, Phase};
use super::server::{FmltpDoor, Settings};
use super::users::{UserBook, Users};
use super::version::Greeting;
use crate::roll::{Roll, Sequence};
use crate::session::{self, Ask, Door, Output, Session, View};

/// The server's side, with a roll of its own, and what is on its way to either side.
struct World {
    roll: Roll,
    session: Box<dyn Session>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    has_closed: bool,
}

impl View for Roll {
    fn unix_time(&self) -> i64 {
        7
    }

    fn sequence(&self) -> Sequence {
        Roll::sequence(self)
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(self);
    }
}

impl World {
    fn new(settings: Settings) -> Self {
        let (to_server, to_client) = (Vec::new(), Vec::new());
        let session = FmltpDoor::new(settings).open(Instant::now(), "10.0.0.1:4000".parse().unwrap());
        let mut world = Self { roll: Roll::new(16), session, to_server, to_client, has_closed: false };
        world.handle(session::Event::Opened);
        world
    }

    fn handle(&mut self, event: session::Event) {
        let mut out = Output::default();
        let handled = self.session.handle(Instant::now(), event, &self.roll, &mut out);
        self.follow(handled.map(|()| 0), out);
    }

    /// Has the server judge what the client sent, as far as it takes anything.
    fn serve(&mut self) {
        let mut taken = usize::MAX;
        while taken > 0 && !self.to_server.is_empty() && !self.has_closed {
            let mut out = Output::default();
            let received = self.session.receive(Instant::now(), &self.to_server, &self.roll, &mut out);
            taken = received.as_ref().copied().unwrap_or_default();
            self.to_server.drain(..taken);
            self.follow(received, out);
        }
    }

    fn follow(&mut self, outcome: Result<usize, session::Fault>, mut out: Output) {
        self.to_client.extend_from_slice(out.plain().unwrap());
        self.has_closed |= out.take_close();
        if let Err(fault) = outcome {
            self.to_client.extend(fault.farewell);
            self.has_closed = true;
        }
        match out.take_ask() {
            Some(Ask::Toil(_)) => {
                self.session.toil();
                self.handle(session::Event::Answer(session::Answer::Toiled));
            }
            Some(Ask::Join(applicant)) => {
                let member = self.roll.join(applicant);
                self.handle(session::Event::Answer(session::Answer::Joined(member)));
            }
            Some(Ask::Leave(_) | Ask::Clerk(_) | Ask::Rationed { .. }) | None => {}
        }
    }

    /// Lets both talk, `step` bytes at a time, until nobody has anything to say; what the client was told.
    fn talk(&mut self, client: &mut Client, step: usize) -> Vec<Event> {
        let (mut events, mut waiting) = (Vec::new(), Vec::new());
        loop {
            let count = self.to_client.len().min(step);
            waiting.extend(self.to_client.drain(..count));
            let mut out = Vec::new();
            let input = Input { bytes: &waiting, flow: Flow::Running, unix_time: 7 };
            let (taken, event) = client.receive(input, &mut out).unwrap();
            waiting.drain(..taken);
            let is_idle = count == 0 && taken == 0 && event.is_none();
            events.extend(event);
            for piece in out.chunks(step) {
                self.to_server.extend_from_slice(piece);
                self.serve();
            }
            if is_idle && self.to_client.is_empty() {
                assert!(waiting.is_empty(), "the server says whole packets");
                return events;
            }
        }
    }

    fn ask(&mut self, client: &mut Client, command: &str, step: usize) -> (u16, String) {
        let mut out = Vec::new();
        assert!(client.command(command.as_bytes(), 7, &mut out));
        self.to_server.extend(out);
        self.serve();
        match self.talk(client, step).as_slice() {
            [Event::Answered(Answer { code, text })] => (*code, text.clone()),
            other => panic!("{command}: {other:?}"),
        }
    }
}

struct Book(Arc<Users>);

impl UserBook for Book {
    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.0)
    }
}

#[test]
fn they_shake_hands_log_in_and_talk() {
    let line = format!("alice:{}", bcrypt::hash("correct-horse", 12).unwrap());
    let users = Arc::new(Users::parse(&line).unwrap());
    for step in [1, 50, usize::MAX] {
        let book: Arc<dyn UserBook> = Arc::new(Book(Arc::clone(&users)));
        let mut world = World::new(Settings { users: Some(book), ..Settings::default() });
        let mut client = Client::new(Greeting::default());
        let events = world.talk(&mut client, step);
        let [
            Event::Greeted(greeting),
            Event::GroupNamed(_),
            Event::KeySent,
            Event::KeyCame,
            Event::ChallengeSent,
            Event::Ready(ready),
        ] = events.as_slice()
        else {
            panic!("step {step}: {events:?}")
        };
        assert_eq!((greeting, ready.code), (&Greeting::default(), 100));
        assert_eq!(ready.authentication, Authentication::Required);
        assert_eq!(world.ask(&mut client, "WHO\r\n", step).0, 400);
        assert_eq!(world.ask(&mut client, "AUTH alice wrong-horse\r\n", step).0, 151);
        assert_eq!(world.ask(&mut client, "AUTH alice correct-horse\r\n", step).0, 150);
        let (code, text) = world.ask(&mut client, "WHO", step);
        assert_eq!((code, text.contains(" fmltp 10.0.0.1:4000 alice")), (200, true), "{text}");
        assert_eq!(world.ask(&mut client, "HELP\r\n", step).0, 200);
        assert!(!world.has_closed);
        assert_eq!(world.ask(&mut client, "QUIT\r\n", step).0, 200);
        assert!(world.has_closed && client.phase() == Phase::Open);
    }
}

#[test]
fn a_client_of_another_class_is_told_so() {
    let mut world = World::new(Settings::default());
    let mut client = Client::new(Greeting::parse("FlexMusic,1.0.0").unwrap());
    let events = world.talk(&mut client, usize::MAX);
    let [Event::Greeted(_), Event::Refused(reason)] = events.as_slice() else { panic!("{events:?}") };
    assert!(reason.starts_with("400 ") && world.has_closed, "{reason}");
    assert_eq!(client.phase(), Phase::Over);
}
