//! What the clerk needs of a database: tables of bytes under bytes, in the order of their keys.

use std::fmt;
use std::ops::{ControlFlow, Range};

/// A database.
pub trait Store: Send {
    /// Has `work` read and change the tables. All that it changed is durable when this returns `Ok`, and none of it
    /// is to be seen otherwise. Where it changes nothing, nothing is written: a disk that is full or cannot be
    /// written is enough for that.
    fn transact(&mut self, work: &mut Work<'_>) -> Result<(), StoreError>;
}

/// Reads and changes tables; an error takes all of it back.
pub type Work<'a> = dyn FnMut(&mut dyn Tables) -> Result<(), StoreError> + 'a;

/// The tables. What is read shows what was changed before.
pub trait Tables {
    /// The value of `key`.
    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Shows `visit` what is there within `keys`, until it has seen enough.
    fn range(
        &self,
        table: Table,
        keys: Range<&[u8]>,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;

    /// Sets the value of `key`. A change that fails has changed nothing, or the whole work fails in the end.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Takes `key` away; it need not be there. It fails as [`Tables::put`] does.
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError>;
}

/// Is shown a key and its value, and says whether it wants to see more.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// From which end a range is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The lowest key comes first.
    Rising,
    /// The highest key comes first.
    Falling,
}

/// Which tables there are. What stands in them is the clerk's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Whose each name is.
    Names,
    /// The names of each address.
    Addresses,
    /// When each name was seen last.
    Seen,
    /// The messages to each name.
    Messages,
    /// To which names that nobody had there were messages, and when.
    Strays,
    /// What each address has posted, day by day.
    Quotas,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Names, Self::Addresses, Self::Seen, Self::Messages, Self::Strays, Self::Quotas];

    /// The name by which a database knows it, which is never changed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Addresses => "addresses",
            Self::Seen => "seen",
            Self::Messages => "messages",
            Self::Strays => "strays",
            Self::Quotas => "quotas",
        }
    }
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
