//! The users file, read at the start and whenever the daemon is told to.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Exit, Failure};
use crate::fmltp::users::{self, FILE_LIMIT, UserBook, Users, UsersError};

/// What others than the file's owner may do with it. They have no business with it.
const OTHERS: u32 = 0o077;
/// In the mode of a file with an access control list, what stands for the group's right to read is the most that
/// anybody has by the list.
const READ_BY_LIST: u32 = 0o040;

/// The users, as they were when their file was last found right.
pub(super) struct Book {
    path: PathBuf,
    users: RwLock<Arc<Users>>,
}

impl Book {
    /// Reads the file at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let users = load(path)?;
        log::info!("{} in {}", counted(&users), path.display());
        Ok(Self { path: path.to_owned(), users: RwLock::new(Arc::new(users)) })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Warns if the file was read by rights that have been given up since.
    pub(super) fn look_ahead(&self) {
        if let Err(error) = File::open(&self.path) {
            log::warn!("the users file {} cannot be read again as it is now: {error}", self.path.display());
        }
    }

    /// Reads the file again. If it is not right, the users stay who they were.
    pub(super) fn read_again(&self) {
        match load(&self.path) {
            Ok(users) => {
                log::info!("read again: {} in {}", counted(&users), self.path.display());
                *self.users.write() = Arc::new(users);
            }
            Err(Failure { message, .. }) => log::error!("{message}; the users stay who they were"),
        }
    }
}

impl UserBook for Book {
    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read())
    }
}

fn load(path: &Path) -> Result<Users, Failure> {
    let unread = |error: io::Error| {
        Failure::system(format_args!("cannot read the users file {}", path.display()), &error)
    };
    let unfit = |what: String| Failure {
        exit: Exit::Failed,
        message: format!("the users file {} {what}", path.display()),
    };
    // Asked before it is opened: to open a pipe could take for ever.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err(unfit("is no regular file".to_owned()));
    }
    let file = File::open(path).map_err(unread)?;
    let mode = file.metadata().map_err(unread)?.permissions().mode() & 0o7777;
    let allowed = if is_credential(path) { READ_BY_LIST } else { 0 };
    if mode & OTHERS & !allowed != 0 {
        log::warn!("the users file {} is open to others: its mode is {mode:04o}, not 0600", path.display());
    }
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > FILE_LIMIT {
        return Err(unfit(format!("is longer than {FILE_LIMIT} bytes")));
    }
    let invalid = |error: UsersError| unfit(format!("is not right: {error}"));
    Users::parse(&users::text(bytes).map_err(invalid)?).map_err(invalid)
}

/// Whether a supervisor has put the file where we alone can read it, which it does by an access control list.
fn is_credential(path: &Path) -> bool {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
    directory.is_some_and(|directory| path.starts_with(directory))
}

/// How many users there are, in words.
fn counted(users: &Users) -> String {
    match users.len() {
        1 => "1 user".to_owned(),
        count => format!("{count} users"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bcrypt 5.0.0 for Python makes of "correct horse", and of "old-style-1".
    const ALICE: &str = "alice:$2b$12$DEgbyzR24rCjF1HpHaOjC.Y4zYvu6yAiFBZN/ODKNUbRhdTJGncha\n";
    const BOB: &str = "bob:$2a$12$wjVvI.alkOm0fuHvgmoGjuvVF/pRsT7hvIWTlCZbyir0VqYheO4au\n";

    #[test]
    fn a_file_that_is_not_right_leaves_the_users_who_they_were() {
        let path = std::env::temp_dir().join(format!("rollcall-book-{}", std::process::id()));
        fs::write(&path, ALICE).unwrap();
        let book = Book::open(&path).unwrap();
        let before = book.users();
        let bad = [
            [BOB, "nobody\n"].concat().into_bytes(),
            b"\xff".to_vec(),
            "#".repeat(FILE_LIMIT + 1).into_bytes(),
        ];
        for bytes in bad {
            fs::write(&path, bytes).unwrap();
            book.read_again();
            assert!(Arc::ptr_eq(&book.users(), &before));
        }
        fs::remove_file(&path).unwrap();
        book.read_again();
        assert!(book.users().is_right("alice", b"correct horse"));

        fs::write(&path, BOB).unwrap();
        book.read_again();
        assert!(book.users().is_right("bob", b"old-style-1"));
        assert!(!book.users().is_right("alice", b"correct horse"));
        assert!(before.is_right("alice", b"correct horse"), "who still has the old table goes by it");
        fs::remove_file(&path).unwrap();
    }
}
