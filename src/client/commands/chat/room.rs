//! The chat itself: who is here, who calls, who is talked to, and what is shown of it.

mod act;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use crossbeam_channel::Sender;

use super::book::Book;
use super::talk::{self, FAREWELL, Happening, Id, Speaker, Threads, Words};
use super::terminal::Paper;
use super::typed::{HELP, Typed};
use crate::client::call::Call;
use crate::client::commands::names;
use crate::client::commands::screen::{Colours, Style};
use crate::client::error::Error;
use crate::client::hold::Hold;
use crate::client::presence::News;
use crate::client::ringing::Decider;
use crate::client::roll::Change;
use crate::wire::text::Printable;

/// Lines that are shown of one message.
const LINES_LIMIT: usize = 256;

/// What the other is told when we hang up before both have accepted.
const HUNG_UP: &str = "hung up";

/// What to do once something was seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    AskForALine,
    Leave,
}

/// A call, by what it waits for.
enum Stage {
    /// For the other to be reached.
    Dialing,
    /// For the other to answer.
    Calls(Decider),
    /// For our user to decide.
    Rings(Decider),
    /// For the other to accept, as we have.
    Accepted(Decider),
    Talking(Speaker),
}

struct Conversation {
    /// What it is called here: the nickname, with a number behind it if there are several.
    name: String,
    stage: Stage,
}

pub(super) struct Room {
    nickname: String,
    paper: Paper,
    colours: Colours,
    tell: Sender<Happening>,
    ids: Arc<AtomicU64>,
    hold: Hold,
    threads: Threads,
    book: Book,
    calls: BTreeMap<Id, Conversation>,
    current: Option<Id>,
    /// Without a terminal the line after `/call` and `/accept` waits until it is known what came of that.
    waits_for: Option<Id>,
}

impl Room {
    pub(super) fn new(
        nickname: String,
        paper: Paper,
        colours: Colours,
        tell: Sender<Happening>,
        ids: Arc<AtomicU64>,
        hold: Hold,
    ) -> Self {
        let (book, calls) = (Book::default(), BTreeMap::new());
        let (threads, current, waits_for): (Threads, _, _) = (talk::of_system, None, None);
        Self { nickname, paper, colours, tell, ids, hold, threads, book, calls, current, waits_for }
    }

    /// What stands before the line being typed. It cannot change while somebody types, and so says nothing of
    /// whom one talks to, which can.
    pub(super) fn prompt(&self) -> String {
        format!("{}> ", Printable(&self.nickname))
    }

    /// Shows something that nobody said.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Error> {
        self.styled(Style::Dim, text)
    }

    fn styled(&mut self, style: Style, text: &str) -> Result<(), Error> {
        let line = self.colours.paint(style, format_args!("* {text}"));
        self.paper.line(&line)
    }

    /// Shows what the server told.
    pub(super) fn hear(&mut self, news: &News) -> Result<Next, Error> {
        match news {
            News::Roll(Change::Present(client)) => {
                self.book.arrived(client);
                self.tell(&format!("{} is here", self.book.name(client)))?;
            }
            News::Roll(Change::Arrived(client)) => {
                self.book.arrived(client);
                self.styled(Style::Good, &format!("{} arrived", self.book.name(client)))?;
            }
            News::Roll(Change::Departed(client)) => {
                let name = self.book.name(client);
                self.book.departed(client);
                self.styled(Style::Bad, &format!("{name} left"))?;
            }
            News::Lost(error) => self.styled(Style::Bad, &error.to_string())?,
            News::Retrying(wait) => self.tell(&format!("trying again in {:.1} s", wait.as_secs_f64()))?,
            News::Rejoined => self.styled(Style::Good, "on the roll again")?,
            News::Complete if self.book.present().is_empty() => self.tell("nobody else is here yet")?,
            News::Complete => {}
        }
        Ok(Next::GoOn)
    }

    /// Sees to what happened.
    pub(super) fn happen(&mut self, happening: Happening) -> Result<Next, Error> {
        match happening {
            Happening::Typed(line) => self.typed(Typed::parse(&line)),
            Happening::EndOfInput => Ok(Next::Leave),
            Happening::Dialed { id, decider } => {
                match self.calls.get_mut(&id) {
                    Some(conversation) => conversation.stage = Stage::Calls(decider),
                    // Hung up in the meantime.
                    None => drop(decider.reject(HUNG_UP)),
                }
                Ok(Next::GoOn)
            }
            Happening::Rings { id, nickname, remote, decider } => {
                self.book.learn_caller(remote.ip(), &nickname);
                let name = self.unique(&nickname);
                self.calls.insert(id, Conversation { name: name.clone(), stage: Stage::Rings(decider) });
                let text = format!("{name} calls from {remote}: /accept {name} or /reject {name}");
                self.styled(Style::Name, &text)?;
                Ok(Next::GoOn)
            }
            Happening::Said { id, words } => {
                self.said(id, &words)?;
                Ok(Next::GoOn)
            }
            Happening::Connected { id, call } => {
                self.connected(id, call)?;
                Ok(self.no_longer_waits_for(id))
            }
            Happening::Ended { id, why } => {
                self.ended(id, why)?;
                Ok(self.no_longer_waits_for(id))
            }
        }
    }

    fn no_longer_waits_for(&mut self, id: Id) -> Next {
        if self.waits_for != Some(id) {
            return Next::GoOn;
        }
        self.waits_for = None;
        Next::AskForALine
    }

    fn typed(&mut self, typed: Typed) -> Result<Next, Error> {
        match typed {
            Typed::Nothing => {}
            Typed::Wrong(advice) => self.tell(&Printable(&advice).to_string())?,
            Typed::Help => HELP.iter().try_for_each(|line| self.tell(line))?,
            Typed::Who => self.who()?,
            Typed::Quit => return Ok(Next::Leave),
            Typed::Text(text) => self.say(self.current, text)?,
            Typed::Message(whom, text) => self.message(&whom, text)?,
            Typed::Call(whom) => return self.call(&whom),
            Typed::Accept(whom) => return self.accept(whom.as_deref()),
            Typed::Reject(whom, why) => self.reject(whom.as_deref(), &why)?,
            Typed::Hangup(whom) => self.hangup(whom.as_deref())?,
        }
        Ok(Next::AskForALine)
    }

    fn connected(&mut self, id: Id, call: Call) -> Result<(), Error> {
        // Taken out, so that its own name is free for it.
        let Some(Conversation { mut name, stage }) = self.calls.remove(&id) else {
            // Hung up in the meantime.
            call.close();
            return Ok(());
        };
        if let Stage::Dialing | Stage::Calls(_) = stage {
            self.book.learn(call.remote(), call.nickname());
            name = self.unique(call.nickname());
        }
        let stage = match Speaker::start(self.threads, call) {
            Ok(speaker) => Stage::Talking(speaker),
            Err(error) => return self.styled(Style::Bad, &error.to_string()),
        };
        self.calls.insert(id, Conversation { name: name.clone(), stage });
        self.current = Some(id);
        self.styled(Style::Good, &format!("you are talking to {name}"))
    }

    fn said(&mut self, id: Id, words: &Words) -> Result<(), Error> {
        let Some(conversation) = self.calls.get(&id) else {
            return Ok(());
        };
        let name = self.colours.paint(Style::Name, format_args!("{}:", conversation.name));
        // Each line has the name before it: nobody can make one up that seems to be somebody else's.
        let said = names::beginning(&words.shown, words.length);
        let lines: Vec<_> = said.iter().take(LINES_LIMIT).map(|line| format!("{name} {line}")).collect();
        self.paper.line(&lines.join("\n"))?;
        if said.len() > lines.len() {
            self.tell(&format!("and {} lines more", said.len() - lines.len()))?;
        }
        let more = words.length - words.shown.len();
        if more == 0 || names::is_binary(&words.shown) {
            return Ok(());
        }
        self.tell(&format!("and {more} bytes more"))
    }

    fn ended(&mut self, id: Id, why: Option<Error>) -> Result<(), Error> {
        let Some(conversation) = self.calls.remove(&id) else {
            // We have hung up ourselves.
            return Ok(());
        };
        let name = conversation.name;
        let told = match (why, conversation.stage) {
            (Some(Error::Declined), _) => self.tell(&format!("{name} was rejected")),
            (Some(Error::Rejected { reason, .. }), Stage::Rings(_) | Stage::Accepted(_)) => {
                self.tell(&format!("{name} has given up: {}", Printable(&reason)))
            }
            (Some(error @ Error::Rejected { .. }), _) => self.styled(Style::Bad, &error.to_string()),
            (Some(Error::Lost { .. }), Stage::Rings(_) | Stage::Accepted(_)) => {
                self.tell(&format!("{name} has given up"))
            }
            (Some(error), _) => self.styled(Style::Bad, &error.to_string()),
            (None, _) => self.styled(Style::Bad, &format!("{name} has hung up")),
        };
        told?;
        self.turn_from(id)
    }

    /// What a call with `nickname` is called here: the name in `/who`, with a number behind it where there
    /// are several.
    fn unique(&self, nickname: &str) -> String {
        self.apart(names::word(nickname))
    }

    /// That name, told apart from those of the other calls.
    fn apart(&self, plain: String) -> String {
        let taken = |name: &str| self.calls.values().any(|conversation| conversation.name == name);
        if !taken(&plain) {
            return plain;
        }
        (2..).map(|number| format!("{plain}-{number}")).find(|name| !taken(name)).unwrap_or(plain)
    }

    /// Hangs up all, once what was said has been sent, but does not wait for that for long.
    pub(super) fn leave(&mut self) {
        for conversation in self.calls.values_mut() {
            match &mut conversation.stage {
                Stage::Rings(decider) | Stage::Calls(decider) | Stage::Accepted(decider) => {
                    let _ = decider.reject("the other is leaving");
                }
                Stage::Talking(speaker) => speaker.finish(),
                Stage::Dialing => {}
            }
        }
        let until = Instant::now() + FAREWELL;
        for conversation in self.calls.values() {
            if let Stage::Talking(speaker) = &conversation.stage {
                let _ = speaker.done().recv_deadline(until);
                speaker.close();
            }
        }
    }
}

#[cfg(test)]
mod tests;
