//! What the user of a chat does.

use std::sync::atomic::Ordering;

use super::{Conversation, HUNG_UP, Next, Room, Stage};
use crate::client::commands::chat::talk::{self, Id};
use crate::client::commands::chat::terminal::Paper;
use crate::client::commands::names;
use crate::client::error::Error;
use crate::wire::text::Printable;

/// Calls of our own that may be on their way or going on at once.
const DIALED_LIMIT: usize = 64;

impl Room {
    pub(super) fn who(&mut self) -> Result<(), Error> {
        let present = self.book.present();
        if present.is_empty() {
            self.tell("nobody else is on the roll")?;
        }
        for (number, client) in (1..).zip(&present) {
            let (name, place) = (self.book.name(client), names::place(client));
            let place = if name == place { String::new() } else { format!("  {place}") };
            self.tell(&format!("{number:>3}  {name}{place}"))?;
        }
        let calls: Vec<String> = self.calls.iter().map(|(id, call)| self.told(*id, call)).collect();
        calls.iter().try_for_each(|line| self.tell(line))
    }

    fn told(&self, id: Id, conversation: &Conversation) -> String {
        let name = &conversation.name;
        match conversation.stage {
            Stage::Dialing | Stage::Calls(_) => format!("calling {name}"),
            Stage::Rings(_) => format!("{name} calls: /accept {name} or /reject {name}"),
            Stage::Accepted(_) => format!("{name} is about to be connected"),
            Stage::Talking(_) if self.current == Some(id) => format!("talking to {name}"),
            Stage::Talking(_) => format!("also talking to {name}: /msg {name}"),
        }
    }

    pub(super) fn call(&mut self, whom: &str) -> Result<Next, Error> {
        let place = match self.book.find(whom) {
            Ok(place) => place,
            Err(advice) => {
                self.tell(&advice)?;
                return Ok(Next::AskForALine);
            }
        };
        if self.calls.len() >= DIALED_LIMIT {
            self.tell("there are too many calls already; /hangup one first")?;
            return Ok(Next::AskForALine);
        }
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let name = self.apart(self.book.name_at(&place));
        self.tell(&format!("calling {name}"))?;
        let (nickname, tell, hold) = (self.nickname.clone(), self.tell.clone(), self.hold.clone());
        if let Err(error) = talk::dial(self.threads, id, place, nickname, tell, hold) {
            self.tell(&error.to_string())?;
            return Ok(Next::AskForALine);
        }
        self.calls.insert(id, Conversation { name, stage: Stage::Dialing });
        Ok(self.wait_for(id))
    }

    pub(super) fn accept(&mut self, whom: Option<&str>) -> Result<Next, Error> {
        let found = self.find(whom, Stage::rings).and_then(|id| Some((id, self.calls.get_mut(&id)?)));
        let Some((id, conversation)) = found else {
            self.tell(&not_ringing(whom))?;
            return Ok(Next::AskForALine);
        };
        if let Stage::Rings(decider) = &conversation.stage
            && decider.accept().is_ok()
        {
            conversation.stage = Stage::Accepted(decider.clone());
        }
        // If it was too late, the end of the call tells why.
        Ok(self.wait_for(id))
    }

    /// On a terminal somebody sees what comes of it; a script gets as far as its next line when it is known.
    fn wait_for(&mut self, id: Id) -> Next {
        if let Paper::Terminal(_) = self.paper {
            return Next::AskForALine;
        }
        self.waits_for = Some(id);
        Next::GoOn
    }

    pub(super) fn reject(&mut self, whom: Option<&str>, why: &str) -> Result<(), Error> {
        let Some(id) = self.find(whom, Stage::rings) else {
            return self.tell(&not_ringing(whom));
        };
        let why = if why.is_empty() { "the call was declined" } else { why };
        if let Some(Conversation { stage: Stage::Rings(decider), .. }) = self.calls.get(&id) {
            let _ = decider.reject(why);
        }
        Ok(())
    }

    pub(super) fn message(&mut self, whom: &str, text: Option<String>) -> Result<(), Error> {
        let Some(id) = self.find(Some(whom), Stage::talks) else {
            return self.tell(&not_talking(whom));
        };
        match text {
            Some(text) => self.say(Some(id), text),
            None => {
                self.current = Some(id);
                self.tell(&format!("you are talking to {}", Printable(whom)))
            }
        }
    }

    pub(super) fn say(&mut self, to: Option<Id>, text: String) -> Result<(), Error> {
        match to.and_then(|id| self.calls.get(&id)) {
            Some(Conversation { name, stage: Stage::Talking(speaker) }) => {
                if speaker.say(text.into_bytes()) {
                    return Ok(());
                }
                let name = name.clone();
                self.tell(&format!("{name} does not read; this was not said"))
            }
            _ => self.tell("you are talking to nobody; /call somebody, or /help"),
        }
    }

    pub(super) fn hangup(&mut self, whom: Option<&str>) -> Result<(), Error> {
        let current = if whom.is_none() { self.current } else { None };
        let found = current.or_else(|| self.find(whom, |stage| !stage.rings()));
        let Some((id, conversation)) = found.and_then(|id| self.calls.remove_entry(&id)) else {
            return self.tell(&whom.map_or_else(|| "there is nothing to hang up".to_owned(), not_talking));
        };
        match conversation.stage {
            Stage::Talking(speaker) => speaker.hang_up(),
            // If it is too late for that, the call that comes of it is closed.
            Stage::Calls(decider) | Stage::Accepted(decider) | Stage::Rings(decider) => {
                let _ = decider.reject(HUNG_UP);
            }
            // It ends as soon as the other is reached.
            Stage::Dialing => {}
        }
        self.tell(&format!("you have hung up on {}", conversation.name))?;
        self.turn_from(id)
    }

    /// A conversation is over. If it was the one that is talked to, another one is from now on, which has to be told:
    /// what is typed next goes there.
    pub(super) fn turn_from(&mut self, id: Id) -> Result<(), Error> {
        if self.current != Some(id) {
            return Ok(());
        }
        self.current = self.find(None, Stage::talks);
        match self.current.and_then(|id| self.calls.get(&id)).map(|other| other.name.clone()) {
            Some(name) => self.tell(&format!("you are talking to {name} again")),
            None => Ok(()),
        }
    }

    /// The first call of that name, or of any name, at such a stage.
    fn find(&self, whom: Option<&str>, stage: impl Fn(&Stage) -> bool) -> Option<Id> {
        let fits = |call: &Conversation| stage(&call.stage) && whom.is_none_or(|whom| call.name == whom);
        self.calls.iter().find(|(_, call)| fits(call)).map(|(&id, _)| id)
    }
}

fn not_ringing(whom: Option<&str>) -> String {
    match whom {
        Some(whom) => format!("nobody who is called {} calls; /who shows who does", Printable(whom)),
        None => "nobody calls".to_owned(),
    }
}

fn not_talking(whom: &str) -> String {
    format!("you are not talking to {}; /who shows to whom you are", Printable(whom))
}

impl Stage {
    fn rings(&self) -> bool {
        matches!(self, Self::Rings(_))
    }

    fn talks(&self) -> bool {
        matches!(self, Self::Talking(_))
    }
}
