//! A database of maps, which fails when it is told to, and outlives its clerk.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::chapp::store::{Order, Store, StoreError, Table, Tables, Visit, Work};

/// The database; its clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Maps(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    tables: Entries,
    fault: Fault,
    commits: usize,
}

pub(crate) type Entries = BTreeMap<Place, Vec<u8>>;
type Place = (Table, Vec<u8>);

/// What goes wrong next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The next commit.
    Commit,
    /// The change after so many others, and with it all of its transaction.
    Change(usize),
    /// Every change, until it is told otherwise.
    Writing,
    /// Everything, until it is told otherwise.
    Everything,
}

impl Maps {
    pub(crate) fn fail(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    /// What was to go wrong, and has not yet.
    pub(crate) fn fault(&self) -> Fault {
        self.0.lock().unwrap().fault
    }

    pub(crate) fn commits(&self) -> usize {
        self.0.lock().unwrap().commits
    }

    pub(crate) fn entries(&self) -> Entries {
        self.0.lock().unwrap().tables.clone()
    }

    pub(crate) fn count(&self, table: Table) -> usize {
        self.entries().keys().filter(|(of, _)| *of == table).count()
    }
}

impl Store for Maps {
    fn transact(&mut self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap();
        if inner.fault == Fault::Everything {
            return Err(StoreError("there is no database".to_owned()));
        }
        let mut draft = Draft { inner: &mut inner, undo: Vec::new(), is_doomed: false };
        let mut outcome = work(&mut draft);
        let is_changed = !draft.undo.is_empty();
        if draft.is_doomed || is_changed && draft.inner.fault == Fault::Commit {
            draft.inner.fault = Fault::None;
            outcome = Err(StoreError("the disk is full".to_owned()));
        }
        if outcome.is_err() {
            draft.undo();
        } else {
            inner.commits += usize::from(is_changed);
        }
        outcome
    }
}

struct Draft<'a> {
    inner: &'a mut Inner,
    undo: Vec<(Place, Option<Vec<u8>>)>,
    is_doomed: bool,
}

impl Draft<'_> {
    fn change(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        match self.inner.fault {
            Fault::Writing => return Err(StoreError("the disk cannot be written".to_owned())),
            Fault::Change(0) => {
                self.is_doomed = true;
                return Err(StoreError("the disk has failed".to_owned()));
            }
            Fault::Change(left) => self.inner.fault = Fault::Change(left - 1),
            _ => {}
        }
        let old = self.set((table, key.to_vec()), value.map(<[u8]>::to_vec));
        self.undo.push(((table, key.to_vec()), old));
        Ok(())
    }

    fn set(&mut self, at: Place, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match value {
            Some(value) => self.inner.tables.insert(at, value),
            None => self.inner.tables.remove(&at),
        }
    }

    fn undo(&mut self) {
        for (at, old) in mem::take(&mut self.undo).into_iter().rev() {
            self.set(at, old);
        }
    }
}

impl Tables for Draft<'_> {
    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.inner.tables.get(&(table, key.to_vec())).cloned())
    }

    fn range(
        &self,
        table: Table,
        keys: Range<&[u8]>,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let range = (table, keys.start.to_vec())..(table, keys.end.to_vec());
        let mut entries = self.inner.tables.range(range);
        let mut next = || match order {
            Order::Rising => entries.next(),
            Order::Falling => entries.next_back(),
        };
        while let Some(((_, key), value)) = next() {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.change(table, key, Some(value))
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.change(table, key, None)
    }
}
