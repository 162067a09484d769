//! The clerk's book: the tables of a database as what they are about. Who may do what is no affair of it.

use std::net::IpAddr;
use std::ops::{ControlFlow, Range};

use super::keys::{self, Day, Entry, key};
use crate::chapp::name::Name;
use crate::chapp::store::{Order, StoreError, Table, Tables};

/// How many messages to a name are kept, and listed at the most ("Post").
const KEPT_LIMIT: u64 = 1000;
/// How many bytes a list of messages may take ("Replies").
const LIST_LIMIT: usize = 1 << 20;

/// The book, open in the midst of a transaction.
pub(super) struct Book<'a> {
    tables: &'a mut dyn Tables,
    changes: usize,
}

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Person {
    /// When it was seen last.
    pub(super) seen: Day,
    /// Where it stands among the names of its address.
    place: u64,
    /// Where it comes from.
    pub(super) address: IpAddr,
}

/// What an address has posted on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spent {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl<'a> Book<'a> {
    pub(super) fn new(tables: &'a mut dyn Tables) -> Self {
        Self { tables, changes: 0 }
    }

    /// How many entries were changed.
    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    /// Whose `name` is; nobody's if it is not on file.
    pub(super) fn person(&self, name: &Name) -> Result<Option<Person>, StoreError> {
        let Some(value) = self.tables.value(Table::Names, name.as_bytes())? else { return Ok(None) };
        let mut entry = Entry::new(Table::Names, &value);
        Ok(Some(Person { seen: entry.day()?, place: entry.number()?, address: entry.address()? }))
    }

    /// The names of an address, the one that was introduced last in front.
    pub(super) fn names(&self, address: IpAddr) -> Result<Vec<Name>, StoreError> {
        let mut names = Vec::new();
        self.collect(Table::Addresses, keys::addresses(address), Order::Falling, |_, value| {
            names.push(Entry::new(Table::Addresses, value).name()?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(names)
    }

    /// Puts `name` in front of the names of an address; `person` is whose it was.
    pub(super) fn introduce(
        &mut self,
        name: &Name,
        address: IpAddr,
        today: Day,
        person: Option<Person>,
    ) -> Result<(), StoreError> {
        let mut last = None;
        self.collect(Table::Addresses, keys::addresses(address), Order::Falling, |key, _| {
            let place = key.len().saturating_sub(size_of::<u64>());
            last = Some(Entry::new(Table::Addresses, key).skip(place)?.number()?);
            Ok(ControlFlow::Break(()))
        })?;
        if let Some(person) = person {
            if Some(person.place) == last {
                return self.see(name, person, today);
            }
            self.strike_out(name, person)?;
        }
        let seen = person.map_or(today, |person| person.seen.max(today));
        let place = last.map_or(0, |last| last + 1);
        let new = Person { seen, place, address };
        self.put(Table::Addresses, &new.place_key(), name.as_bytes())?;
        self.write(name, new)
    }

    /// Notes that a name is there today.
    pub(super) fn see(&mut self, name: &Name, person: Person, today: Day) -> Result<(), StoreError> {
        if person.seen >= today {
            return Ok(());
        }
        self.remove(Table::Seen, &person.seen_key(name))?;
        self.write(name, Person { seen: today, ..person })
    }

    /// Frees a name: nobody has it any more, and the messages to it are gone.
    pub(super) fn free(&mut self, name: &Name, person: Person) -> Result<(), StoreError> {
        self.strike_out(name, person)?;
        self.remove(Table::Names, name.as_bytes())?;
        self.drop_messages(name, Day::MAX)
    }

    /// Keeps a message to a name, and lets go of the oldest ones that are too many.
    pub(super) fn keep(&mut self, to: &Name, today: Day, message: &[u8]) -> Result<(), StoreError> {
        let numbers = self.numbers(to)?;
        let number = numbers.end;
        for old in numbers.start..(number + 1).saturating_sub(KEPT_LIMIT) {
            self.remove(Table::Messages, &message_key(to, old))?;
        }
        let value = key(&[&today.to_be_bytes(), message]);
        self.put(Table::Messages, &message_key(to, number), &value)
    }

    /// The messages to a name: `[M, M]`, the newest that fit, the oldest of them in front.
    pub(super) fn messages(&self, name: &Name) -> Result<Box<[u8]>, StoreError> {
        let (mut newest, mut length) = (Vec::new(), "[]".len());
        self.collect(Table::Messages, keys::messages(name), Order::Falling, |_, value| {
            let message = value.get(size_of::<Day>()..).unwrap_or_default();
            length += message.len() + if newest.is_empty() { 0 } else { ", ".len() };
            if length > LIST_LIMIT {
                return Ok(ControlFlow::Break(()));
            }
            newest.push(message.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        newest.reverse();
        Ok([b"[", newest.join(&b", "[..]).as_slice(), b"]"].concat().into())
    }

    /// Lets go of the messages to a name that were posted before a day.
    pub(super) fn drop_messages(&mut self, name: &Name, before: Day) -> Result<(), StoreError> {
        let mut old = Vec::new();
        self.collect(Table::Messages, keys::messages(name), Order::Rising, |key, value| {
            if Entry::new(Table::Messages, value).day()? >= before {
                return Ok(ControlFlow::Break(()));
            }
            old.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        old.iter().try_for_each(|key| self.remove(Table::Messages, key))
    }

    /// Notes that there is a message of today to a name that nobody has.
    pub(super) fn note_stray(&mut self, to: &Name, today: Day) -> Result<(), StoreError> {
        let key = day_key(today, to);
        match self.tables.value(Table::Strays, &key)? {
            Some(_) => Ok(()),
            None => self.put(Table::Strays, &key, &[]),
        }
    }

    /// Forgets what [`Book::due`] has told of.
    pub(super) fn forget(&mut self, table: Table, day: Day, name: &Name) -> Result<(), StoreError> {
        self.remove(table, &day_key(day, name))
    }

    /// What an address has posted on this day.
    pub(super) fn spent(&self, address: IpAddr, today: Day) -> Result<Spent, StoreError> {
        let key = key(&[&today.to_be_bytes(), &keys::address(address)]);
        let Some(value) = self.tables.value(Table::Quotas, &key)? else { return Ok(Spent::default()) };
        let mut entry = Entry::new(Table::Quotas, &value);
        Ok(Spent { messages: entry.number()?, bytes: entry.number()? })
    }

    /// Notes what an address has posted on this day.
    pub(super) fn note_spent(&mut self, address: IpAddr, today: Day, spent: Spent) -> Result<(), StoreError> {
        let at = key(&[&today.to_be_bytes(), &keys::address(address)]);
        self.put(Table::Quotas, &at, &key(&[&spent.messages.to_be_bytes(), &spent.bytes.to_be_bytes()]))
    }

    /// Forgets what was posted before a day, so many entries at the most.
    pub(super) fn forget_spent(&mut self, before: Day, most: usize) -> Result<(), StoreError> {
        let mut old = Vec::new();
        self.collect(Table::Quotas, keys::before(before), Order::Rising, |key, _| {
            old.push(key.to_vec());
            Ok(if old.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        old.iter().try_for_each(|key| self.remove(Table::Quotas, key))
    }

    /// What `table`, which goes by days and names, holds from before a day; so much at the most, the oldest first.
    pub(super) fn due(&self, table: Table, before: Day, most: usize) -> Result<Vec<(Day, Name)>, StoreError> {
        let mut due = Vec::new();
        self.collect(table, keys::before(before), Order::Rising, |key, _| {
            let mut entry = Entry::new(table, key);
            due.push((entry.day()?, entry.name()?));
            Ok(if due.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(due)
    }

    /// The numbers that the messages to a name have; the end is the next one's.
    fn numbers(&self, name: &Name) -> Result<Range<u64>, StoreError> {
        let range = keys::messages(name);
        let end_of = |order| {
            let mut found = None;
            self.collect(Table::Messages, range.clone(), order, |key, _| {
                found = Some(Entry::new(Table::Messages, key).skip(range.start.len())?.number()?);
                Ok(ControlFlow::Break(()))
            })?;
            Ok(found)
        };
        let Some(last) = end_of(Order::Falling)? else { return Ok(0..0) };
        Ok(end_of(Order::Rising)?.unwrap_or(last)..last + 1)
    }

    /// Takes a name from where it stands among others.
    fn strike_out(&mut self, name: &Name, person: Person) -> Result<(), StoreError> {
        self.remove(Table::Addresses, &person.place_key())?;
        self.remove(Table::Seen, &person.seen_key(name))
    }

    fn write(&mut self, name: &Name, person: Person) -> Result<(), StoreError> {
        self.put(Table::Seen, &person.seen_key(name), &[])?;
        let Person { seen, place, address } = person;
        let value = key(&[&seen.to_be_bytes(), &place.to_be_bytes(), &keys::address(address)]);
        self.put(Table::Names, name.as_bytes(), &value)
    }

    /// Shows `visit` a range, until it has seen enough or cannot make sense of it.
    fn collect<K: AsRef<[u8]>>(
        &self,
        table: Table,
        range: Range<K>,
        order: Order,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        self.tables.range(table, range.start.as_ref()..range.end.as_ref(), order, &mut |key, value| {
            visit(key, value).unwrap_or_else(|error| {
                outcome = Err(error);
                ControlFlow::Break(())
            })
        })?;
        outcome
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.tables.put(table, key, value)?;
        self.changes += 1;
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.tables.remove(table, key)?;
        self.changes += 1;
        Ok(())
    }
}

impl Person {
    fn place_key(&self) -> Vec<u8> {
        key(&[&keys::address(self.address), &self.place.to_be_bytes()])
    }

    fn seen_key(&self, name: &Name) -> Vec<u8> {
        day_key(self.seen, name)
    }
}

fn day_key(day: Day, name: &Name) -> Vec<u8> {
    key(&[&day.to_be_bytes(), name.as_bytes()])
}

fn message_key(name: &Name, number: u64) -> Vec<u8> {
    key(&[name.as_bytes(), &[0], &number.to_be_bytes()])
}
