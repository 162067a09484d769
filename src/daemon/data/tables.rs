//! The tables of a database, in the midst of a transaction.

use std::cell::RefCell;
use std::ops::Range;

use redb::{
    Database, ReadTransaction, ReadableTable as _, StorageError, TableDefinition, TransactionError,
    WriteTransaction,
};

use crate::chapp::store::{Order, StoreError, Table, Tables, Visit, Work};

/// Whether a database can be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access<'a> {
    /// It can.
    Full,
    /// It cannot, for this reason.
    Reading(&'a StoreError),
}

/// Why a transaction came to nothing.
pub(super) enum Setback {
    /// The database: it cannot be used as it is any more.
    Database(redb::Error),
    /// What was to be done.
    Work(StoreError),
}

/// Carries out `work` in a transaction of its own. One that has changed nothing writes nothing.
pub(super) fn transact(database: &Database, access: Access<'_>, work: &mut Work<'_>) -> Result<(), Setback> {
    let transaction = begin(database).map_err(|error| Setback::Database(error.into()))?;
    let mut open = Open::all(&transaction, access).map_err(|error| Setback::Database(error.into()))?;
    let outcome = work(&mut open);
    let (trouble, is_changed) = (open.trouble.take(), open.is_changed);
    drop(open);
    let setback = match (outcome, trouble) {
        (_, Some(error)) => Some(Setback::Database(error.into())),
        (Err(error), None) => Some(Setback::Work(error)),
        (Ok(()), None) => None,
    };
    if setback.is_none() && is_changed {
        return transaction.commit().map_err(|error| Setback::Database(error.into()));
    }
    let aborted = transaction.abort().map_err(|error| Setback::Database(error.into()));
    setback.map_or(aborted, Err)
}

/// Begins a transaction whose changes are on the disk before the database says that they count, which takes a sync more.
/// Otherwise a commit that could not be synced would be there when the database is opened again, for the system still
/// shows it, though it may never reach the disk; and one that was damaged later could not be told from one that never
/// became whole. Only where the second sync fails, after the first did not, what was refused may be there.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, TransactionError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Makes all tables, where they are not there yet.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), redb::TableError> {
    Table::ALL.iter().try_for_each(|table| transaction.open_table(definition(*table)).map(drop))
}

/// Sees whether all tables are there, and are what they should be.
pub(super) fn examine(transaction: &ReadTransaction) -> Result<(), redb::TableError> {
    Table::ALL.iter().try_for_each(|table| transaction.open_table(definition(*table)).map(drop))
}

type Bytes = &'static [u8];

fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

/// All tables, open.
struct Open<'a> {
    /// In the order of [`Table::ALL`].
    tables: Vec<redb::Table<'a, Bytes, Bytes>>,
    access: Access<'a>,
    is_changed: bool,
    /// What went wrong with the database: then nothing of all this may become durable.
    trouble: RefCell<Option<StorageError>>,
}

impl<'a> Open<'a> {
    fn all(transaction: &'a WriteTransaction, access: Access<'a>) -> Result<Self, redb::TableError> {
        let tables = Table::ALL.iter().map(|table| transaction.open_table(definition(*table)));
        let tables = tables.collect::<Result<_, _>>()?;
        Ok(Self { tables, access, is_changed: false, trouble: RefCell::new(None) })
    }

    fn noted(&self, error: StorageError) -> StoreError {
        let told = StoreError(error.to_string());
        self.trouble.borrow_mut().get_or_insert(error);
        told
    }

    /// Notes that something is to be changed.
    fn change(&mut self) -> Result<(), StoreError> {
        if let Access::Reading(why) = self.access {
            return Err(why.clone());
        }
        self.is_changed = true;
        Ok(())
    }
}

impl Tables for Open<'_> {
    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.tables[table as usize].get(key).map_err(|error| self.noted(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn range(
        &self,
        table: Table,
        keys: Range<&[u8]>,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let mut range =
            self.tables[table as usize].range::<&[u8]>(keys).map_err(|error| self.noted(error))?;
        let mut next = || match order {
            Order::Rising => range.next(),
            Order::Falling => range.next_back(),
        };
        while let Some(entry) = next() {
            let (key, value) = entry.map_err(|error| self.noted(error))?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.change()?;
        let put = self.tables[table as usize].insert(key, value).map(drop);
        put.map_err(|error| self.noted(error))
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.change()?;
        let removed = self.tables[table as usize].remove(key).map(drop);
        removed.map_err(|error| self.noted(error))
    }
}
