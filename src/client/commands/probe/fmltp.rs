//! The probe of the door FmLTP: see fmltp(7).

mod words;

use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use getopts::Matches;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::report::{Outcome, Report, Told};
use crate::client::commands::prompt;
use crate::client::error::Error;
use crate::client::net::{self, Came, Inflow};
use crate::client::server::unix_time;
use crate::fmltp::client::{self, Answer, Authentication, Client, Event, Flow, Input, Phase};
use crate::fmltp::users::{Name, PASSWORD_LIMIT};
use crate::fmltp::version::{Greeting, Version};
use crate::wire::text::{Escaped, Printable};
use words::{commands, cut, greeted, is_ready, misfit, named, said};

/// Where a server listens unless it is told otherwise.
pub(super) const PORT: u16 = 8900;
const ADVICE: &str = "is a server running there? Start it, or name another SERVER";
/// What the handshake goes through, in order.
const HANDSHAKE: [&str; 6] = ["greeting", "group", "our key", "server key", "challenge", "ready"];
/// So much is shown of what a server says that is no server's.
const EXCERPT: usize = 60;

/// What to do.
#[derive(Debug)]
struct Plan {
    /// `HOST:PORT`.
    server: String,
    /// Who to log in as.
    user: Option<Name>,
    /// What we say of ourselves.
    greeting: Greeting,
    /// How long each step may take.
    timeout: Duration,
}

pub(super) fn run(matches: &Matches, plan: super::Plan) -> Result<(), Error> {
    let user = matches.opt_str("user").map(|user| {
        Name::parse(&user).map_err(|error| Error::Usage(format!("{error}, not \"{}\"", Printable(&user))))
    });
    let greeting = matches.opt_str("name").map(|name| {
        Greeting::parse_own(&name).map_err(|error| {
            Error::Usage(format!("--name takes NAME,x.y.z, not \"{}\": {error}", Printable(&name)))
        })
    });
    let (user, greeting) = (user.transpose()?, greeting.transpose()?.unwrap_or_default());
    let mut report = Report::new(plan.format, "fmltp", &plan.server);
    let plan = Plan { server: plan.server, user, greeting, timeout: plan.timeout };
    let ended = probe(&plan, &mut report);
    report.end(ended.as_ref().err())?;
    ended
}

/// Goes through all steps, or as many as succeed.
fn probe(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let login = plan.user.as_ref().map_or(Ok(None), given)?;
    let began = Instant::now();
    let stream = net::connect_within(plan.timeout, &plan.server, ADVICE);
    let stream = stream.and_then(|stream| {
        let bounded = stream.set_write_timeout(Some(plan.timeout));
        bounded.map(|()| stream).map_err(|error| Error::lost(&plan.server, error))
    });
    let mut dialogue = match stream {
        Ok(stream) => Dialogue {
            plan,
            report,
            stream,
            login,
            client: Client::new(plan.greeting.clone()),
            inflow: Inflow::of(client::LIMIT),
            step: "connect",
            began,
        },
        Err(error) => {
            report.step(
                "connect",
                Outcome::Failed,
                began.elapsed(),
                Told::new(error.to_string(), Value::Null),
            )?;
            return Err(error);
        }
    };
    let ended = dialogue.connected().and_then(|()| dialogue.converse());
    if let Err(error) = &ended
        && !error.is_broken_pipe()
    {
        dialogue.tell(Outcome::Failed, Told::new(super::reason(error), Value::Null))?;
    }
    ended
}

/// A conversation with a server.
struct Dialogue<'a> {
    plan: &'a Plan,
    report: &'a mut Report,
    stream: TcpStream,
    /// The command that logs in, where it is known.
    login: Option<Zeroizing<Vec<u8>>>,
    client: Client,
    inflow: Inflow,
    /// Where we are,
    step: &'static str,
    /// and since when.
    began: Instant,
}

impl Dialogue<'_> {
    fn connected(&mut self) -> Result<(), Error> {
        let address = self.stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
        self.tell(Outcome::Done, Told::new(address.clone(), json!({"address": address})))
    }

    fn converse(&mut self) -> Result<(), Error> {
        let authentication = self.shake_hands()?;
        self.log_in(authentication)?;
        self.begin("help");
        let answer = self.command(b"HELP\r\n")?;
        let answer = self.expect(200, answer)?;
        let names = commands(&answer.text);
        self.tell(
            Outcome::Done,
            Told::new(Printable(&cut(&names.join(", "))).to_string(), json!({"commands": names})),
        )?;
        self.begin("quit");
        let answer = self.command(b"QUIT\r\n")?;
        let answer = self.expect(200, answer)?;
        self.tell(Outcome::Done, said(&answer))?;
        self.begin("close");
        self.closed()?;
        self.tell(Outcome::Done, Told::default())
    }

    fn shake_hands(&mut self) -> Result<Authentication, Error> {
        let mut authentication = Authentication::None;
        let mut expected = None;
        for step in HANDSHAKE {
            self.begin(step);
            let told = match self.next()? {
                Event::Greeted(theirs) => {
                    expected = Version::readiness(theirs.version, self.plan.greeting.version);
                    greeted(&theirs, &self.plan.greeting, expected)
                }
                Event::GroupNamed(group) => named(group),
                Event::Ready(ready) => {
                    if let Some(why) = misfit(ready.code, expected) {
                        return Err(self.stuck(why));
                    }
                    authentication = ready.authentication;
                    is_ready(&ready, expected)
                }
                Event::KeyCame => Told::new("of the same group", Value::Null),
                Event::KeySent | Event::ChallengeSent => Told::new("sent", Value::Null),
                // They do not come here.
                Event::Answered(_) | Event::Refused(_) => Told::default(),
            };
            self.tell(Outcome::Done, told)?;
        }
        Ok(authentication)
    }

    fn log_in(&mut self, authentication: Authentication) -> Result<(), Error> {
        self.begin("login");
        let user = match (authentication, &self.plan.user) {
            (Authentication::Required, Some(user)) => user,
            (Authentication::Required, None) => {
                return self
                    .tell(Outcome::Skipped, Told::new("required, but there is no --user", Value::Null));
            }
            (Authentication::None, _) => {
                return self.tell(Outcome::Skipped, Told::new("not required", Value::Null));
            }
        };
        let text = match self.login.take() {
            Some(text) => text,
            None => login(user, &prompt::given(&format!("Password of {user} at {}: ", self.plan.server))?)?,
        };
        // Whoever types takes his own time.
        self.begin("login");
        let answer = self.command(&text)?;
        let answer = self.expect(150, answer)?;
        self.tell(Outcome::Done, said(&answer))
    }

    fn begin(&mut self, step: &'static str) {
        (self.step, self.began) = (step, Instant::now());
    }

    fn tell(&mut self, outcome: Outcome, told: Told) -> Result<(), Error> {
        self.report.step(self.step, outcome, self.began.elapsed(), told)
    }

    /// Gives a command and waits for its answer.
    fn command(&mut self, text: &[u8]) -> Result<Answer, Error> {
        let mut out = Vec::new();
        self.client.command(text, now(), &mut out);
        self.send(&out);
        match self.next()? {
            Event::Answered(answer) => Ok(answer),
            _ => Err(self.stuck("it does not answer the command")),
        }
    }

    /// The answer, if it begins with this code.
    fn expect(&self, code: u16, answer: Answer) -> Result<Answer, Error> {
        match answer.code {
            found if found == code => Ok(answer),
            151 | 400..500 => Err(self.rejected(&answer.text)),
            _ => Err(self.stuck(format!("it answers \"{}\"", Printable(&cut(&answer.text))))),
        }
    }

    /// What happens next, by the server or by us.
    fn next(&mut self) -> Result<Event, Error> {
        let until = self.began + self.plan.timeout;
        let (mut flow, mut has_ended) = (Flow::Running, false);
        loop {
            let phase = self.client.phase();
            let mut out = Vec::new();
            let input = Input { bytes: self.inflow.rest(), flow, unix_time: now() };
            let received = self.client.receive(input, &mut out);
            let (taken, event) = received.map_err(|fault| self.stuck(self.explained(phase, &fault)))?;
            self.inflow.consume(taken);
            self.send(&out);
            match event {
                Some(Event::Refused(reason)) => return Err(self.rejected(&reason)),
                Some(event) => return Ok(event),
                None if taken > 0 => continue,
                None if has_ended => return Err(self.stuck(self.ended())),
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.stuck(self.overdue()));
            }
            // Where something is there that is not whole, it may be all there is.
            let wait = if self.inflow.rest().is_empty() { left } else { left.min(client::QUIET) };
            let came =
                self.inflow.fill(&self.stream, Some(wait)).map_err(|error| self.stuck(plain(&error)))?;
            has_ended = came == Came::EndOfStream;
            flow = if came == Came::Bytes { Flow::Running } else { Flow::Still };
        }
    }

    /// Waits until the server closes, which is all that it has still to do.
    fn closed(&mut self) -> Result<(), Error> {
        let until = self.began + self.plan.timeout;
        loop {
            if !self.inflow.rest().is_empty() {
                return Err(self.stuck("it goes on after its last answer"));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.stuck("it keeps the connection open"));
            }
            let came =
                self.inflow.fill(&self.stream, Some(left)).map_err(|error| self.stuck(plain(&error)))?;
            if came == Came::EndOfStream {
                return Ok(());
            }
        }
    }

    /// Sends. Where that fails, the server has closed, and may have said why: it is read what is there.
    fn send(&self, bytes: &[u8]) {
        if let Err(error) = (&self.stream).write_all(bytes) {
            log::debug!("cannot send: {error}");
        }
    }

    fn rejected(&self, reason: &str) -> Error {
        Error::Rejected { who: self.plan.server.clone(), reason: cut(reason) }
    }

    fn stuck(&self, why: impl Into<String>) -> Error {
        Error::Stuck { who: self.plan.server.clone(), step: self.step, why: why.into() }
    }

    /// What the server did wrong, and, if it is in the clear, what it said.
    fn explained(&self, phase: Phase, fault: &client::Fault) -> String {
        let said = self.inflow.rest();
        if said.is_empty() || !matches!(phase, Phase::Greeting | Phase::Group | Phase::Key) {
            return fault.to_string();
        }
        let end = if said.len() > EXCERPT { "..." } else { "" };
        format!("{fault}; it said \"{}{end}\"", Escaped(&said[..said.len().min(EXCERPT)]))
    }

    fn ended(&self) -> String {
        let how =
            if self.inflow.was_reset() { "it reset the connection" } else { "it closed the connection" };
        let when = match self.client.phase() {
            _ if self.inflow.rest().is_empty() => "",
            // A token says neither how long it is nor whose.
            Phase::Ready | Phase::Open => " in mid-sentence, or what it said was sealed with another key",
            Phase::Greeting | Phase::Group | Phase::Key | Phase::Over => " in mid-sentence",
        };
        format!("{how}{when}")
    }

    fn overdue(&self) -> String {
        let what = if self.inflow.rest().is_empty() { "nothing" } else { "nothing whole" };
        format!("{what} came within {} s", self.plan.timeout.as_secs_f64())
    }
}

/// What the system said, without its number.
fn plain(error: &std::io::Error) -> String {
    let said = error.to_string();
    said.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn now() -> u64 {
    u64::try_from(unix_time()).unwrap_or_default()
}

/// The command that logs in, where nobody has to be asked for the password; one that is not fit is told before anything
/// is tried.
fn given(user: &Name) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    if io::stdin().is_terminal() {
        return Ok(None);
    }
    login(user, &prompt::given("")?).map(Some)
}

/// The command that logs in.
fn login(user: &Name, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    if password.len() > PASSWORD_LIMIT {
        return Err(Error::Unfit(format!("a password has at most {PASSWORD_LIMIT} bytes")));
    }
    let is_word = !password.is_empty() && !password.iter().any(u8::is_ascii_whitespace);
    if !is_word || std::str::from_utf8(password).is_err() {
        return Err(Error::Unfit("a password is UTF-8 without white space, and not empty".to_owned()));
    }
    let parts = [b"AUTH ", user.as_str().as_bytes(), b" ", password, b"\r\n"];
    // All at once: what grows leaves copies of the password behind.
    let mut text = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.into_iter().for_each(|part| text.extend_from_slice(part));
    Ok(text)
}
