//! The files that the command line names for reading, at the start and whenever a signal asks for it.

#[cfg(feature = "toil")]
use std::sync::Arc;

use super::Failure;
#[cfg(feature = "residue")]
use super::logs::Logs;
use super::options::Doors;
#[cfg(feature = "fmltp")]
use super::options::Login;
#[cfg(feature = "fmltp")]
use super::reread::Kept;
#[cfg(feature = "residue")]
use super::residue::{self, Books};
#[cfg(feature = "fmltp")]
use crate::fmltp::users::Users;

/// All of them.
pub(super) struct Files {
    #[cfg(feature = "fmltp")]
    users: Option<Arc<Kept<Users>>>,
    /// What is there for the doors of Residue.
    #[cfg(feature = "residue")]
    pub(super) residue: Books,
    /// The files that logs are written to, if any are.
    #[cfg(feature = "residue")]
    pub(super) logs: Option<Logs>,
}

impl Files {
    /// Reads them, and has the doors go by what is in them.
    #[cfg_attr(
        not(any(feature = "fmltp", feature = "residue")),
        expect(clippy::unnecessary_wraps, reason = "there is nothing that could fail")
    )]
    pub(super) fn read(doors: &mut Doors) -> Result<Self, Failure> {
        let files = Self {
            #[cfg(feature = "fmltp")]
            users: match &doors.login {
                Login::Users(path) => Some(Arc::new(Kept::open(path)?)),
                Login::OnThisMachine | Login::Open => None,
            },
            #[cfg(feature = "residue")]
            residue: Books::read(&doors.residue)?,
            #[cfg(feature = "residue")]
            logs: None,
        };
        files.tell(doors);
        Ok(files)
    }

    fn tell(&self, doors: &mut Doors) {
        #[cfg(feature = "fmltp")]
        if let Some(users) = &self.users {
            doors.settings.fmltp.users = Some(users.clone());
        }
        #[cfg(feature = "residue")]
        {
            doors.settings.residue = Arc::new(residue::settings(&doors.residue, &self.residue));
        }
        let _ = doors;
    }

    /// Warns if it is known now that they cannot be read again.
    pub(super) fn look_ahead(&self) {
        #[cfg(feature = "fmltp")]
        if let Some(users) = &self.users {
            users.look_ahead();
        }
        #[cfg(feature = "residue")]
        self.residue.look_ahead();
    }

    /// Reads them again, and opens those again that are written to.
    pub(super) fn read_again(&self) {
        if self.is_empty() {
            log::info!("nothing to read again: all settings are on the command line");
        }
        #[cfg(feature = "fmltp")]
        if let Some(users) = &self.users {
            users.read_again();
        }
        #[cfg(feature = "residue")]
        {
            self.residue.read_again();
            if let Some(logs) = &self.logs {
                logs.open_again();
            }
        }
    }

    /// Whether there is nothing to read again.
    fn is_empty(&self) -> bool {
        #[cfg(feature = "fmltp")]
        if self.users.is_some() {
            return false;
        }
        #[cfg(feature = "residue")]
        if !self.residue.is_empty() {
            return false;
        }
        true
    }
}
