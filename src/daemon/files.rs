//! The files that the command line names for reading, at the start and whenever a signal asks for it.

#[cfg(feature = "fmltp")]
use std::sync::Arc;

use std::path::PathBuf;

use super::Failure;
use super::options::Doors;
#[cfg(feature = "fmltp")]
use super::options::Login;
#[cfg(feature = "fmltp")]
use super::users::Book;

/// All of them.
pub(super) struct Files {
    #[cfg(feature = "fmltp")]
    users: Option<Arc<Book>>,
}

impl Files {
    /// Reads them, and has the doors go by what is in them.
    #[cfg(feature = "fmltp")]
    pub(super) fn read(doors: &mut Doors) -> Result<Self, Failure> {
        let Login::Users(path) = &doors.login else { return Ok(Self { users: None }) };
        let book = Arc::new(Book::open(path)?);
        doors.settings.fmltp.users = Some(book.clone());
        Ok(Self { users: Some(book) })
    }

    /// There is none to read.
    #[cfg(not(feature = "fmltp"))]
    pub(super) fn read(_: &mut Doors) -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Where they are.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        #[cfg(feature = "fmltp")]
        return self.users.iter().map(|users| users.path().to_owned()).collect();
        #[cfg(not(feature = "fmltp"))]
        Vec::new()
    }

    /// Warns if it is known now that they cannot be read again.
    pub(super) fn look_ahead(&self) {
        #[cfg(feature = "fmltp")]
        if let Some(users) = &self.users {
            users.look_ahead();
        }
    }

    /// Reads them again.
    pub(super) fn read_again(&self) {
        #[cfg(feature = "fmltp")]
        if let Some(users) = &self.users {
            users.read_again();
            return;
        }
        log::info!("nothing to read again: all settings are on the command line");
    }
}
