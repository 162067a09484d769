//! What the clerk needs of a database: tables of bytes under bytes, in the order of their keys.

use std::fmt;
use std::ops::ControlFlow;

/// A database.
pub trait Store: Send {
    /// Has `work` see the tables as they are. It needs no disk that can be written.
    fn look(&mut self, work: &mut dyn FnMut(&dyn View) -> Result<(), StoreError>) -> Result<(), StoreError>;

    /// Has `work` change the tables: all of it is durable when this returns `Ok`, and nothing of it otherwise.
    fn transact(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Tables) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

/// Tables that can be read.
pub trait View {
    /// The value of `key` in `table`.
    fn value(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Shows `visit` the keys from `first` up to, but without, `end`, and their values, until it has seen enough.
    fn range(
        &self,
        table: &'static str,
        first: &[u8],
        end: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;
}

/// Is shown a key and its value, and says whether it wants to see more.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Tables that can be changed. What is read shows what was changed before.
pub trait Tables: View {
    /// Sets the value of `key`.
    fn put(&mut self, table: &'static str, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Takes `key` away; it need not be there.
    fn remove(&mut self, table: &'static str, key: &[u8]) -> Result<(), StoreError>;
}

/// Why the database did not do what it was asked, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}
