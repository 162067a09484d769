//! A conversation with a server, on up to three connections, one after the other.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::words;
use super::{DEFAULT_CODE, Errands, nothing};
use crate::client::commands::probe::report::{Outcome, Report, Told};
use crate::client::error::{Error, plain};
use crate::client::net::{self, Came, Inflow};
use crate::client::server::unix_time;
use crate::residue::client::{Client, Event, Fault, LIMIT, Token, Unsent};
use crate::residue::reply::{Flags, LogReply, Terms};
use crate::residue::request::{Credential, LogItem};
use crate::wire::text::{Escaped, Printable, truncate};

const ADVICE: &str = "is a server running there? Start it, or name another SERVER";
/// So much is shown of what a server says that is no server's.
const EXCERPT: usize = 60;
/// The most bytes that are shown of a refusal.
const MOST: usize = 400;
/// How a log is marked: for information.
const INFO: u32 = 128;

pub(super) struct Dialogue<'a> {
    client: Client,
    report: &'a mut Report,
    /// `HOST:PORT` of the connect port.
    server: String,
    timeout: Duration,
    line: Option<Line>,
    /// Where we are,
    step: &'static str,
    /// and since when.
    began: Instant,
}

/// A connection.
struct Line {
    /// Where to: `HOST:PORT`.
    place: String,
    stream: TcpStream,
    inflow: Inflow,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(client: Client, report: &'a mut Report, server: String, timeout: Duration) -> Self {
        Self { client, report, server, timeout, line: None, step: "connect", began: Instant::now() }
    }

    /// Goes through all steps, or as many as succeed.
    pub(super) fn converse(&mut self, errands: &Errands) -> Result<(), Error> {
        self.begin("connect");
        let address = self.connect(self.server.clone())?;
        self.tell(Outcome::Done, Told::new(address.clone(), json!({"address": address})))?;
        self.hello()?;
        let mut terms = self.establish("acknowledge", Client::acknowledge)?;
        if errands.touch {
            terms = self.establish("touch", Client::touch)?;
        }
        let token = self.token(&terms, errands)?;
        if let Some(message) = &errands.message {
            self.log(&terms, errands, message, token.as_ref())?;
        }
        Ok(())
    }

    /// Tells of the step that it ended at.
    pub(super) fn failed(&mut self, error: &Error) -> Result<(), Error> {
        self.tell(Outcome::Failed, nothing(crate::client::commands::probe::reason(error)))
    }

    fn hello(&mut self) -> Result<(), Error> {
        self.begin("hello");
        match self.ask(Client::hello)? {
            Event::Greeted(terms) => {
                let told = words::greeted(&terms, self.client.key_size());
                self.tell(Outcome::Done, told)
            }
            event => Err(self.unexpected(event)),
        }
    }

    fn establish(&mut self, step: &'static str, ask: AskFor) -> Result<Box<Terms>, Error> {
        self.begin(step);
        match self.ask(ask)? {
            Event::Established(terms) => {
                self.tell(Outcome::Done, words::established(&terms))?;
                Ok(terms)
            }
            event => Err(self.unexpected(event)),
        }
    }

    /// A token, where one is needed, or an access code is to be tried out.
    fn token(&mut self, terms: &Terms, errands: &Errands) -> Result<Option<Token>, Error> {
        self.begin("token");
        let is_required = terms.flags.is_some_and(|flags| flags.has(Flags::REQUIRES_TOKEN));
        if !is_required && errands.access_code.is_none() {
            self.tell(Outcome::Skipped, nothing("not required"))?;
            return Ok(None);
        }
        let Some(port) = terms.token_port else {
            return Err(self.stuck("it names no token port"));
        };
        let address = self.connect(self.beside(port))?;
        let code = errands.access_code.as_ref().map_or(DEFAULT_CODE, |code| code.as_str());
        let logger = &errands.logger;
        let event =
            self.ask(|client, time, out| client.token(time, logger, Credential::AccessCode(code), out))?;
        let Event::Token(token) = event else { return Err(self.unexpected(event)) };
        self.tell(Outcome::Done, words::token(&token, logger, &address))?;
        Ok(Some(token))
    }

    fn log(
        &mut self,
        terms: &Terms,
        errands: &Errands,
        message: &str,
        token: Option<&Token>,
    ) -> Result<(), Error> {
        self.begin("log");
        let Some(port) = terms.logging_port else {
            return Err(self.stuck("it names no logging port"));
        };
        let address = self.connect(self.beside(port))?;
        let item = LogItem {
            datetime: jiff::Timestamp::now().as_millisecond(),
            logger: &errands.logger,
            message,
            level: INFO,
            application: "rollcall",
            token: token.map(|token| token.text.as_str()),
        };
        match self.ask(|client, time, out| client.log(time, &item, out))? {
            Event::Logged(LogReply::Taken) => {
                self.tell(Outcome::Done, words::logged(&errands.logger, &address))
            }
            Event::Logged(LogReply::NotTaken) => Err(self.rejected("the log was not taken (r 1)")),
            Event::Logged(LogReply::NoClient) => Err(self.rejected("it does not know us (r 2)")),
            event => Err(self.unexpected(event)),
        }
    }

    /// Uses another connection from now on, and says where it leads.
    fn connect(&mut self, place: String) -> Result<String, Error> {
        let lost = |error| Error::lost(&place, error);
        let stream = net::connect_within(self.timeout, &place, ADVICE)?;
        stream.set_write_timeout(Some(self.timeout)).map_err(lost)?;
        let address = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
        self.client.begin_anew();
        self.line = Some(Line { place, stream, inflow: Inflow::of(LIMIT) });
        Ok(address)
    }

    /// Another port of the same server.
    fn beside(&self, port: u16) -> String {
        let host = self.server.rsplit_once(':').map_or(self.server.as_str(), |(host, _)| host);
        format!("{host}:{port}")
    }

    fn begin(&mut self, step: &'static str) {
        (self.step, self.began) = (step, Instant::now());
    }

    fn tell(&mut self, outcome: Outcome, told: Told) -> Result<(), Error> {
        self.report.step(self.step, outcome, self.began.elapsed(), told)
    }

    /// Asks for something and waits for what comes of it.
    fn ask(
        &mut self,
        ask: impl FnOnce(&mut Client, i64, &mut Vec<u8>) -> Result<(), Unsent>,
    ) -> Result<Event, Error> {
        let mut out = Vec::new();
        ask(&mut self.client, unix_time(), &mut out).map_err(|unsent| match unsent {
            Unsent::NoRoom { .. } => Error::Unfit(format!(
                "{unsent}: only a managed client fits into it, which --client-id and --client-key name"
            )),
            other => Error::Unfit(other.to_string()),
        })?;
        if let Some(line) = &self.line
            && let Err(error) = (&line.stream).write_all(&out)
        {
            // The server has closed, and may have said why: it is read what is there.
            log::debug!("cannot send: {error}");
        }
        self.next()
    }

    /// What the server says next.
    fn next(&mut self) -> Result<Event, Error> {
        let until = self.began + self.timeout;
        let mut has_ended = false;
        loop {
            let Some(line) = &mut self.line else { return Err(self.stuck("there is no connection")) };
            match self.client.receive(line.inflow.rest()) {
                Ok((taken, Some(event))) => {
                    line.inflow.consume(taken);
                    return Ok(event);
                }
                Ok((_, None)) => {}
                Err(fault) => {
                    let why = explained(&fault, line.inflow.rest());
                    return Err(self.stuck(why));
                }
            }
            if has_ended {
                let how = ended(&line.inflow);
                return Err(self.stuck(how));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = if line.inflow.rest().is_empty() { "nothing" } else { "nothing whole" };
                return Err(self.stuck(format!("{what} came within {} s", self.timeout.as_secs_f64())));
            }
            match line.inflow.fill(&line.stream, Some(left)) {
                Ok(came) => has_ended = came == Came::EndOfStream,
                Err(error) => return Err(self.stuck(plain(&error))),
            }
        }
    }

    /// What an event that should not come here means.
    fn unexpected(&self, event: Event) -> Error {
        match event {
            Event::Refused(reason) => self.rejected(&reason),
            _ => self.stuck("it answers something else"),
        }
    }

    fn rejected(&self, reason: &str) -> Error {
        let end = if reason.len() > MOST { "..." } else { "" };
        Error::Rejected { who: self.place(), reason: format!("{}{end}", truncate(reason, MOST)) }
    }

    fn stuck(&self, why: impl Into<String>) -> Error {
        Error::Stuck { who: self.place(), step: self.step, why: why.into() }
    }

    fn place(&self) -> String {
        self.line.as_ref().map_or(&self.server, |line| &line.place).clone()
    }
}

/// A request that takes nothing but the time.
type AskFor = fn(&mut Client, i64, &mut Vec<u8>) -> Result<(), Unsent>;

/// What the server did wrong, and, where nothing of ours can be in it, what it said.
fn explained(fault: &Fault, said: &[u8]) -> String {
    if !matches!(fault, Fault::NoEnvelope(_)) {
        return fault.to_string();
    }
    let end = if said.len() > EXCERPT { "..." } else { "" };
    format!("{fault}; it said \"{}{end}\"", Escaped(&said[..said.len().min(EXCERPT)]))
}

fn ended(inflow: &Inflow) -> String {
    let how = if inflow.was_reset() { "it reset the connection" } else { "it closed the connection" };
    let when = if inflow.rest().is_empty() { "" } else { " in mid-sentence" };
    format!("{how}{when}")
}

/// What a server said, in one line and not too long.
pub(super) fn shown(text: &str) -> String {
    Printable(truncate(text, MOST)).to_string()
}
