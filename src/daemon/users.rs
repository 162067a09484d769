//! The users file.

use std::path::Path;
use std::sync::Arc;

use super::Failure;
use super::reread::{self, Care, Content, Kept, counted, unfit};
use crate::fmltp::users::{self, FILE_LIMIT, UserBook, Users, UsersError};

impl Content for Users {
    const NAME: &'static str = "users file";
    const STAYS: &'static str = "the users stay who they were";

    fn load(path: &Path) -> Result<Self, Failure> {
        let mut bytes = reread::read(Self::NAME, path, FILE_LIMIT, Care::Secret)?;
        let invalid = |error: UsersError| unfit(Self::NAME, path, &format!("is not right: {error}"));
        Self::parse(&users::text(std::mem::take(&mut *bytes)).map_err(invalid)?).map_err(invalid)
    }

    fn told(&self) -> String {
        counted(self.len(), "user")
    }
}

impl UserBook for Kept<Users> {
    fn users(&self) -> Arc<Users> {
        self.content()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What bcrypt 5.0.0 for Python makes of "correct horse", and of "old-style-1".
    const ALICE: &str = "alice:$2b$12$DEgbyzR24rCjF1HpHaOjC.Y4zYvu6yAiFBZN/ODKNUbRhdTJGncha\n";
    const BOB: &str = "bob:$2a$12$wjVvI.alkOm0fuHvgmoGjuvVF/pRsT7hvIWTlCZbyir0VqYheO4au\n";

    #[test]
    fn a_file_that_is_not_right_leaves_the_users_who_they_were() {
        let path = std::env::temp_dir().join(format!("rollcall-book-{}", std::process::id()));
        fs::write(&path, ALICE).unwrap();
        let book = Kept::<Users>::open(&path).unwrap();
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
