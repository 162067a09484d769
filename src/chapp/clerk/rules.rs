//! The rules: what is said to whom, with the book open and in view of who is there.

use std::net::IpAddr;

use super::book::{Book, Person};
use super::keys::Day;
use super::live::Live;
use super::{Affair, Settings};
use crate::chapp::desk::{Notice, Question, Verdict};
use crate::chapp::message;
use crate::chapp::name::Name;
use crate::chapp::store::{StoreError, Tables};
use crate::session::{Caller, Letter};

/// The most names that an address may have ("Names").
const NAMES_LIMIT: usize = 64;
/// What a delivery has around what it delivers, and a notice without anything to deliver in all, in bytes: a bit more
/// than there is.
const FRAME: usize = 128;
const SECONDS_A_DAY: i64 = 86_400;

/// The day on which things happen, and what that means.
pub(super) struct Today {
    /// Today.
    pub(super) day: Day,
    /// Names that were not seen since this day are freed.
    pub(super) seen_before: Day,
    /// Messages to names that nobody has are gone if they are from before this day.
    pub(super) posted_before: Day,
    timestamp: String,
}

impl Today {
    pub(super) fn new(unix_time: i64, settings: &Settings) -> Self {
        // Before 1970 nothing happened.
        let day = Day::try_from(unix_time.div_euclid(SECONDS_A_DAY)).unwrap_or_default();
        // A name that was seen at the end of a day is free that many whole days after it.
        let seen_before = if settings.name_days == 0 { 0 } else { day.saturating_sub(settings.name_days) };
        let posted_before = day.saturating_sub(settings.message_days);
        Self { day, seen_before, posted_before, timestamp: (settings.local_time)(unix_time) }
    }
}

/// One transaction's worth of the clerk's work.
pub(super) struct Hearing<'a> {
    book: Book<'a>,
    live: &'a mut Live,
    today: &'a Today,
    settings: &'a Settings,
    letters: Vec<Letter>,
    trouble: Option<StoreError>,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        tables: &'a mut dyn Tables,
        live: &'a mut Live,
        today: &'a Today,
        settings: &'a Settings,
    ) -> Self {
        Self { book: Book::new(tables), live, today, settings, letters: Vec::new(), trouble: None }
    }

    pub(super) fn book(&mut self) -> &mut Book<'a> {
        &mut self.book
    }

    pub(super) fn live(&self) -> &Live {
        self.live
    }

    pub(super) fn today(&self) -> &'a Today {
        self.today
    }

    /// How many entries of the book were changed.
    pub(super) fn changes(&self) -> usize {
        self.book.changes()
    }

    /// What is to be told, and what has failed without being a reason for all of it to fail.
    pub(super) fn end(self) -> (Vec<Letter>, Option<StoreError>) {
        (self.letters, self.trouble)
    }

    /// Deals with a case. As long as nothing was changed, what fails fails alone: where nothing can be written, the
    /// book can still be read.
    pub(super) fn deal_with(&mut self, affair: &Affair) -> Result<(), StoreError> {
        let (mark, told) = (self.live.mark(), self.letters.len());
        let outcome = match affair {
            Affair::Ask(from, question) => self.judge(*from, question).map(|verdict| {
                self.letters.push(Letter::answer(*from, Box::new(verdict)));
            }),
            Affair::Gone(from) => self.dismiss(*from),
        };
        match outcome {
            Err(error) if self.book.changes() == 0 => {
                self.live.undo_to(mark);
                self.letters.truncate(told);
                self.letters.extend(failed(affair, self.live));
                self.trouble.get_or_insert(error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn judge(&mut self, from: Caller, question: &Question) -> Result<Verdict, StoreError> {
        match question {
            Question::Connect { address, username } => {
                self.connect(from, address.to_canonical(), username.as_ref())
            }
            Question::Introduce { address, name } => self.introduce(from, address.to_canonical(), name),
            Question::Post { address, from: sender, to, id, message } => {
                // Somebody else may have become that client, of which this connection has yet to hear.
                if self.live.name(from) != Some(sender) || !self.spend(*address, message.len())? {
                    return Ok(Verdict::Failed);
                }
                let message = message::render(&self.today.timestamp, message, sender, to);
                self.post(sender, to, *id, &message)?;
                Ok(Verdict::Posted { message })
            }
            Question::Goodbye { .. } => self.dismiss(from).map(|()| Verdict::Gone),
        }
    }

    /// "Connect".
    fn connect(
        &mut self,
        from: Caller,
        address: IpAddr,
        username: Option<&Name>,
    ) -> Result<Verdict, StoreError> {
        let found = match username {
            Some(name) => self.person(name)?.map(|person| (name.clone(), person)),
            None => self.last_introduced(address)?,
        };
        let own = found.filter(|(_, person)| person.address == address);
        let Some((name, person)) = own else { return Ok(Verdict::NotFound) };
        let seen = self.book.see(&name, person, self.today.day);
        self.excuse(seen)?;
        self.give(from, &name)?;
        Ok(Verdict::Connected { messages: self.book.messages(&name)?, name })
    }

    /// "Introduce".
    fn introduce(&mut self, from: Caller, address: IpAddr, name: &Name) -> Result<Verdict, StoreError> {
        if self.live.caller(name).is_some_and(|caller| caller != from) {
            return Ok(Verdict::Refused);
        }
        let person = self.person(name)?;
        match person {
            Some(person) if person.address != address => return Ok(Verdict::Refused),
            None if !self.has_room(address)? => return Ok(Verdict::Refused),
            // What has waited too long for somebody to have this name is not for whoever has it now.
            None => self.book.drop_messages(name, self.today.posted_before)?,
            Some(_) => {}
        }
        self.book.introduce(name, address, self.today.day, person)?;
        self.give(from, name)?;
        Ok(Verdict::Introduced { messages: self.book.messages(name)?, name: name.clone() })
    }

    /// "Post".
    fn post(&mut self, sender: &Name, to: &Name, id: u64, message: &[u8]) -> Result<(), StoreError> {
        let live = self.live.caller(to);
        if live.is_none() && self.person(to)?.is_none() {
            self.book.note_stray(to, self.today.day)?;
        }
        self.book.keep(to, self.today.day, message)?;
        if let Some(caller) = live {
            let size = FRAME + sender.as_bytes().len() + to.as_bytes().len() + message.len();
            let (from, to, message) = (sender.clone(), to.clone(), message.into());
            let notice = Notice::Delivered { from, to, id, message };
            self.letters.push(Letter::unasked(caller, Box::new(notice), size));
        }
        Ok(())
    }

    /// Takes its name from a connection, which was there until now. It stays on file.
    fn dismiss(&mut self, from: Caller) -> Result<(), StoreError> {
        let Some(name) = self.live.name(from).cloned() else { return Ok(()) };
        self.live.unbind(from);
        let seen = self.see(&name);
        self.excuse(seen)
    }

    /// Passes over it if it could not be noted that a name is there: nobody has asked for that, and so nobody who comes
    /// or goes is refused for it where nothing else is to be stored.
    fn excuse(&mut self, seen: Result<(), StoreError>) -> Result<(), StoreError> {
        match seen {
            Err(error) if self.book.changes() == 0 => {
                self.trouble.get_or_insert(error);
                Ok(())
            }
            seen => seen,
        }
    }

    /// Gives a name to a connection. Another one that has it is told that it was replaced.
    fn give(&mut self, from: Caller, name: &Name) -> Result<(), StoreError> {
        if self.live.name(from) == Some(name) {
            return Ok(());
        }
        self.dismiss(from)?;
        if let Some(other) = self.live.caller(name) {
            self.letters.push(Letter::unasked(other, Box::new(Notice::Replaced), FRAME));
        }
        self.live.bind(from, name);
        Ok(())
    }

    /// Notes that a name is there today.
    pub(super) fn see(&mut self, name: &Name) -> Result<(), StoreError> {
        match self.book.person(name)? {
            Some(person) => self.book.see(name, person, self.today.day),
            None => Ok(()),
        }
    }

    /// Whose `name` is. One that was not seen for too long is freed now ("Expiry").
    pub(super) fn person(&mut self, name: &Name) -> Result<Option<Person>, StoreError> {
        match self.book.person(name)? {
            Some(person) if person.seen < self.today.seen_before && self.live.caller(name).is_none() => {
                self.book.free(name, person)?;
                Ok(None)
            }
            person => Ok(person),
        }
    }

    /// The name that was introduced last from this address, of those that it still has.
    fn last_introduced(&mut self, address: IpAddr) -> Result<Option<(Name, Person)>, StoreError> {
        for name in self.book.names(address)? {
            if let Some(person) = self.person(&name)? {
                return Ok(Some((name, person)));
            }
        }
        Ok(None)
    }

    /// Whether an address may have one more name.
    fn has_room(&mut self, address: IpAddr) -> Result<bool, StoreError> {
        let names = self.book.names(address)?;
        if names.len() < NAMES_LIMIT {
            return Ok(true);
        }
        let mut left = 0;
        for name in names {
            left += usize::from(self.person(&name)?.is_some());
        }
        Ok(left < NAMES_LIMIT)
    }

    /// Counts a message of so many bytes against what its address may post today ("Quotas"). True if it is within.
    fn spend(&mut self, address: IpAddr, bytes: usize) -> Result<bool, StoreError> {
        let mut spent = self.book.spent(address, self.today.day)?;
        spent.messages += 1;
        spent.bytes = spent.bytes.saturating_add(bytes as u64);
        if spent.messages > self.settings.daily_messages || spent.bytes > self.settings.daily_bytes {
            return Ok(false);
        }
        self.book.note_spent(address, self.today.day, spent)?;
        Ok(true)
    }
}

/// What is told when a case could not be dealt with. Who is gone is gone all the same.
pub(super) fn failed(affair: &Affair, live: &mut Live) -> Option<Letter> {
    match affair {
        Affair::Ask(from, _) => Some(Letter::answer(*from, Box::new(Verdict::Failed))),
        Affair::Gone(from) => {
            live.unbind(*from);
            None
        }
    }
}
