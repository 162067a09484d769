//! The file that a database is in: opening it, making it, looking at it.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase as _, TableDefinition};

use super::draft::Draft;
use super::tables;
use crate::daemon::directory;

/// For nobody but who keeps it.
const MODE: u32 = 0o600;
/// What of a database is kept in memory, in bytes. The system keeps what it has room for, too.
const CACHE: usize = 4 << 20;
/// How what is in a database is written. Another number is for whoever can read that.
const FORMAT: u64 = 1;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const FORMAT_KEY: &str = "format";

/// Why a database cannot be opened.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// Somebody else has it open.
    InUse,
    /// What is there makes no sense, for this reason.
    Damaged(String),
    /// It is whole, but for another program, or for another version of this one.
    Foreign(String),
    /// The system does not let us.
    System(io::Error),
}

/// How well a database is looked at when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scrutiny {
    /// What is read is looked at when it is read.
    Casual,
    /// All of it is looked at.
    Thorough,
}

/// Opens the database in this file, or makes a new one.
pub(super) fn open(path: &Path) -> Result<Database, Obstacle> {
    if is_missing(path)? {
        return create(path);
    }
    let file = File::options().read(true).write(true).open(path)?;
    let database = builder(Scrutiny::Casual).create_with_backend(backend(file)?)?;
    examine(&database)?;
    Ok(database)
}

/// Opens the database in this file for reading: whatever is written to it stays in memory.
pub(super) fn draft(path: &Path, scrutiny: Scrutiny) -> Result<Database, Obstacle> {
    let draft = Draft::new(backend(File::open(path)?)?)?;
    let database = builder(scrutiny).create_with_backend(draft)?;
    examine(&database)?;
    Ok(database)
}

/// Whether there is no database yet.
pub(super) fn is_missing(path: &Path) -> Result<bool, Obstacle> {
    match fs::metadata(path) {
        Ok(there) => Ok(there.len() == 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Makes a database under another name first: under its own it is whole or not there.
fn create(path: &Path) -> Result<Database, Obstacle> {
    let unfinished = path.with_added_extension("new");
    let file =
        File::options().read(true).write(true).create(true).truncate(false).mode(MODE).open(&unfinished)?;
    // Another daemon may be about to do the same.
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Obstacle::InUse,
        TryLockError::Error(error) => Obstacle::System(error),
    })?;
    if !is_missing(path)? {
        // It has done so in the meantime.
        fs::remove_file(&unfinished)?;
        return open(path);
    }
    let made = fill(file).and_then(|database| {
        fs::rename(&unfinished, path)?;
        directory::sync_parent(path)?;
        Ok(database)
    });
    if made.is_err() {
        // It may be gone already; and what is left is begun anew the next time.
        let _ = fs::remove_file(&unfinished);
    }
    made
}

fn fill(file: File) -> Result<Database, Obstacle> {
    file.set_len(0)?;
    let database = builder(Scrutiny::Casual).create_with_backend(backend(file)?)?;
    let transaction = tables::begin(&database)?;
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    tables::create(&transaction)?;
    transaction.commit()?;
    Ok(database)
}

/// Sees whether it is a database of ours.
fn examine(database: &Database) -> Result<(), Obstacle> {
    let transaction = database.begin_read()?;
    let format = transaction.open_table(META)?.get(FORMAT_KEY)?.map(|format| format.value());
    match format {
        Some(FORMAT) => tables::examine(&transaction).map_err(Obstacle::from),
        Some(other) => {
            let why = format!("it has the format {other}, and this program knows the format {FORMAT} only");
            Err(Obstacle::Foreign(why))
        }
        None => Err(Obstacle::Foreign("it does not say which format it has".to_owned())),
    }
}

fn builder(scrutiny: Scrutiny) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(scrutiny == Scrutiny::Thorough);
    builder
}

fn backend(file: File) -> Result<FileBackend, Obstacle> {
    Ok(FileBackend::new(file)?)
}

impl Obstacle {
    fn new(error: redb::Error) -> Self {
        use redb::Error;
        match error {
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => Self::InUse,
            Error::Io(error) => Self::from(error),
            Error::UpgradeRequired(_)
            | Error::TableDoesNotExist(_)
            | Error::TableTypeMismatch { .. }
            | Error::TableIsMultimap(_)
            | Error::TypeDefinitionChanged { .. } => {
                Self::Foreign("it is not one of this program's".to_owned())
            }
            Error::Corrupted(why) => Self::Damaged(why),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("somebody else has the database open"),
            Self::Damaged(why) => write!(f, "the database is damaged: {why}"),
            Self::Foreign(why) => write!(f, "the database cannot be read: {why}"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            ErrorKind::UnexpectedEof => Self::Damaged("it is too short".to_owned()),
            _ => Self::System(error),
        }
    }
}

macro_rules! obstacles {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Obstacle {
            fn from(error: redb::$error) -> Self {
                Self::new(error.into())
            }
        })*
    };
}

obstacles!(CommitError, DatabaseError, StorageError, TableError, TransactionError);
