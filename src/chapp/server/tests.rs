//! Sessions on a fake clock, with a fake roll, and a stand-in for the clerk, without a socket.

mod conversations;
mod ends;
mod manners;
mod statuses;

use std::time::Duration;

use super::*;
use crate::chapp::desk::Question;
use crate::chapp::message;
use crate::roll::{Roll, Sequence};

/// The world of one test.
struct World {
    roll: Roll,
    start: Instant,
    now: Instant,
}

impl View for World {
    fn unix_time(&self) -> i64 {
        77
    }

    fn sequence(&self) -> Sequence {
        self.roll.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.roll);
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self { roll: Roll::new(16), start: now, now }
    }

    /// How many milliseconds have passed.
    fn time(&self) -> u128 {
        (self.now - self.start).as_millis()
    }

    /// The names on the roll.
    fn names(&self) -> Vec<&str> {
        self.roll.entries().map(|entry| entry.name.as_deref().unwrap_or("")).collect()
    }
}

/// A client that has been let in: its session, and all that went to and fro.
struct Guest {
    session: Server,
    unread: Vec<u8>,
    /// What was said to it, and after how many milliseconds.
    said: Vec<(u128, String)>,
    questions: Vec<Question>,
    /// What the clerk says before he says anything else.
    notices: Vec<Notice>,
    closed: bool,
    why: Option<String>,
    member: Option<Member>,
}

impl Guest {
    fn new(world: &World) -> Self {
        Self {
            session: Server::new(world.now, "[::ffff:10.0.0.1]:5".parse().unwrap()),
            unread: Vec::new(),
            said: Vec::new(),
            questions: Vec::new(),
            notices: Vec::new(),
            closed: false,
            why: None,
            member: None,
        }
    }

    /// One who ends its requests by empty lines, and has this name.
    fn named(world: &mut World, name: &str) -> Self {
        let mut guest = Self::new(world);
        guest.sends(world, &format!("INTRODUCE\t{name}->server|ID:0||"));
        guest.said.clear();
        guest.questions.clear();
        guest
    }

    /// One who ends its requests by falling silent, and has this name.
    fn quiet(world: &mut World, name: &str) -> Self {
        let mut guest = Self::new(world);
        guest.sends(world, &format!("INTRODUCE\t{name}->server|ID:0"));
        guest.waits(world, 100);
        guest.said.clear();
        guest.questions.clear();
        guest
    }

    /// Sends a text in which `|` stands for a separator.
    fn sends(&mut self, world: &mut World, pattern: &str) {
        self.sends_bytes(world, pattern.replace('|', "\\\n").as_bytes());
    }

    fn sends_bytes(&mut self, world: &mut World, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        self.judge(world);
    }

    /// Lets time pass as an engine does: up to each deadline, and then on.
    fn waits(&mut self, world: &mut World, milliseconds: u64) {
        let end = world.now + Duration::from_millis(milliseconds);
        while let Some(deadline) = self.session.deadline().filter(|&deadline| deadline <= end && !self.closed)
        {
            assert!(deadline > world.now, "a deadline that has passed must not stay");
            world.now = deadline;
            self.happens(world, Event::Tick);
            self.judge(world);
        }
        world.now = end;
    }

    /// Sends no more.
    fn ends(&mut self, world: &mut World) {
        self.happens(world, Event::EndOfStream);
        self.judge(world);
        self.closed = true;
    }

    fn hears(&mut self, world: &mut World, notice: Notice) {
        self.happens(world, Event::Mail(Box::new(notice)));
    }

    fn judge(&mut self, world: &mut World) {
        while !self.closed && !self.unread.is_empty() {
            let mut out = Output::default();
            let unread = std::mem::take(&mut self.unread);
            let outcome = self.session.receive(world.now, &unread, world, &mut out);
            let taken = self.follow(world, outcome, out).unwrap_or(unread.len());
            assert!(taken <= unread.len(), "it takes no more than there is");
            self.unread = unread[taken..].to_vec();
            if taken == 0 {
                break;
            }
        }
    }

    fn happens(&mut self, world: &mut World, event: Event) {
        if self.closed {
            return;
        }
        let mut out = Output::default();
        let outcome = self.session.handle(world.now, event, world, &mut out);
        self.follow(world, outcome, out);
    }

    /// Does what the session wants, as an engine and its workers do.
    fn follow<T>(&mut self, world: &mut World, outcome: Result<T, Fault>, mut out: Output) -> Option<T> {
        let mut bytes = out.plain().unwrap().to_vec();
        let outcome = outcome.map_err(|fault| {
            bytes.extend(fault.farewell);
            self.why = Some(fault.why.into_owned());
        });
        if !bytes.is_empty() {
            self.said.push((world.time(), String::from_utf8(bytes).unwrap().replace("\\\n", "|")));
        }
        if outcome.is_err() || out.take_close() {
            assert!(!out.has_ask());
            self.closed = true;
            self.member.take().map(|member| world.roll.leave(member));
        }
        if let Some(ask) = out.take_ask() {
            self.answer(world, ask);
        }
        outcome.ok()
    }

    fn answer(&mut self, world: &mut World, ask: Ask) {
        let answer = match ask {
            Ask::Join(applicant) => {
                self.member = Some(world.roll.join(applicant));
                Answer::Joined(self.member.unwrap())
            }
            Ask::Leave(member) => {
                assert_eq!(self.member.take(), Some(member));
                world.roll.leave(member);
                Answer::Left
            }
            Ask::Clerk(paper) => {
                let question = *paper.downcast::<Question>().unwrap();
                let verdict = stand_in(&question);
                self.questions.push(question);
                Answer::Clerk(Box::new(verdict))
            }
            Ask::Toil(_) | Ask::Rationed { .. } => panic!("nothing is slow"),
        };
        for notice in std::mem::take(&mut self.notices) {
            self.hears(world, notice);
        }
        self.happens(world, Event::Answer(answer));
    }

    /// All that was said, without the times.
    fn all(&self) -> String {
        self.said.iter().map(|(_, said)| said.as_str()).collect()
    }

    /// The status and the `for` of each reply.
    fn statuses(&self) -> Vec<(u16, i64)> {
        let all = self.all();
        let value = |line: &str, name: &str| line.strip_prefix(name).and_then(|value| value.parse().ok());
        let about = all.split('|').filter_map(|line| value(line, "for: "));
        let status = all.split('|').filter_map(|line| value(line, "status: "));
        status.map(|status| u16::try_from(status).unwrap()).zip(about).collect()
    }
}

/// The clerk of these tests: everybody is known as `ann`, `bob` is on file, too; `taken` is somebody else's,
/// and nothing of `broken` can be stored.
fn stand_in(question: &Question) -> Verdict {
    let messages = || b"[]"[..].into();
    match question {
        Question::Connect { username: None, .. } => {
            Verdict::Connected { name: name("ann"), messages: messages() }
        }
        Question::Connect { username: Some(name), .. } => match name.as_str() {
            "ann" | "bob" => Verdict::Connected { name: name.clone(), messages: messages() },
            _ => Verdict::NotFound,
        },
        Question::Introduce { name, .. } => match name.as_str() {
            "taken" => Verdict::Refused,
            "broken" => Verdict::Failed,
            _ => Verdict::Introduced { name: name.clone(), messages: messages() },
        },
        Question::Post { to, .. } if to.as_str() == "broken" => Verdict::Failed,
        Question::Post { from, to, message, .. } => {
            Verdict::Posted { message: message::render("now", message, from, to) }
        }
        Question::Goodbye { .. } => Verdict::Gone,
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A delivery to bob.
fn delivery(id: u64, text: &str) -> Notice {
    let (from, to) = (name("ann"), name("bob"));
    let message = message::render("now", text, &from, &to);
    Notice::Delivered { from, to, id, message }
}

/// How a delivery to bob is said.
fn delivered(id: u64, text: &str) -> String {
    format!("POST\tann->bob|ID:{id}|id: {id}|message: {}|", kept("ann", "bob", text))
}

fn kept(from: &str, to: &str, text: &str) -> String {
    format!(r#"{{"timestamp": "[now]", "message": "{text}", "from_user": "{from}", "to_user": "{to}"}}"#)
}
