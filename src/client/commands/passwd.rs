//! `rollcall passwd`: who may log in at the door FmLTP.

mod file;

use std::ffi::OsString;

use getopts::{Matches, Options};

use super::line::{self, Asked, Parsed};
use super::{prompt, screen};
use crate::client::error::Error;
use crate::fmltp::users::{Name, Outcome, Password};
use crate::wire::text::Printable;
use file::UsersFile;

const BRIEF: &str = "Usage: rollcall passwd FILE USER [OPTION]\n       rollcall passwd FILE --list\n\
    Add USER to the users FILE of the door FmLTP, or give USER another password. It is asked for twice on a \
    terminal;\nwithout one it is a line of standard input. A running rollcalld reads FILE again on the signal HUP.";

/// What to do with the file.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Set(Name),
    Delete(Name),
    List,
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    options.optflag("", "delete", "take USER out of the file");
    options.optflag("", "list", "print the names that are in the file, a line each");
    let matches = match line::parse(options, arguments, 2, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let Some(path) = matches.free.first() else {
        return Err(Error::Usage("FILE has to be given: the users file".to_owned()));
    };
    let task = task(&matches)?;
    let file = UsersFile::at(path)?;
    match task {
        Task::Set(name) => set(&file, &name)?,
        Task::Delete(name) => delete(&file, &name)?,
        Task::List => file.read()?.names().try_for_each(|name| screen::line(name.as_str()))?,
    }
    Ok(Asked::Done)
}

fn task(matches: &Matches) -> Result<Task, Error> {
    let usage = |what: &str| Err(Error::Usage(what.to_owned()));
    let name = matches.free.get(1).map(|name| {
        Name::parse(name).map_err(|error| Error::Usage(format!("{error}, not \"{}\"", Printable(name))))
    });
    match (name.transpose()?, matches.opt_present("delete"), matches.opt_present("list")) {
        (_, true, true) => usage("--delete and --list exclude each other"),
        (Some(_), _, true) => usage("--list takes no USER"),
        (None, _, true) => Ok(Task::List),
        (Some(name), true, _) => Ok(Task::Delete(name)),
        (Some(name), false, _) => Ok(Task::Set(name)),
        (None, ..) => usage("USER has to be given, or --list"),
    }
}

fn set(file: &UsersFile, name: &Name) -> Result<(), Error> {
    // What is wrong with the file is told before anybody types a password.
    file.read_or_begin()?;
    let password = prompt::new(&format!("New password of {name}: "), "password", |typed| {
        Password::parse(typed).map_err(|error| Error::Unfit(error.to_string()))
    })?;
    let hash = password.hash().map_err(|error| Error::Unfit(format!("cannot make a hash: {error}")))?;
    drop(password);
    let outcome = file.edit(|draft| Ok(draft.set(name, &hash)))?;
    let what = match outcome {
        Outcome::Added => "is new",
        Outcome::Changed => "has a new password",
    };
    screen::note(format_args!("{name} {what} in {file}"));
    Ok(())
}

fn delete(file: &UsersFile, name: &Name) -> Result<(), Error> {
    // The file is not made just to find that nobody is in it.
    file.read()?;
    file.edit(|draft| match draft.remove(name) {
        true => Ok(()),
        false => Err(Error::Unfit(format!("there is no user {name} in {file}"))),
    })?;
    screen::note(format_args!("{name} is no longer in {file}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Task, String> {
        let mut options = Options::new();
        options.optflag("", "delete", "").optflag("", "list", "");
        task(&options.parse(arguments).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_thing_is_asked_for_at_a_time() {
        let alice = || Name::parse("alice").unwrap();
        assert_eq!(asked(&["file", "alice"]), Ok(Task::Set(alice())));
        assert_eq!(asked(&["file", "alice", "--delete"]), Ok(Task::Delete(alice())));
        assert_eq!(asked(&["--list", "file"]), Ok(Task::List));
        let table: [(&[&str], &str); 6] = [
            (&["file"], "USER has to be given, or --list"),
            (&["file", "--delete"], "USER has to be given, or --list"),
            (&["file", "alice", "--list"], "--list takes no USER"),
            (&["file", "alice", "--list", "--delete"], "--delete and --list exclude each other"),
            (&["file", "a"], "a name is 2 to 32 ASCII letters and digits, not \"a\""),
            (&["file", "a\u{1b}b"], "a name is 2 to 32 ASCII letters and digits, not \"a\\u{1B}b\""),
        ];
        for (arguments, expected) in table {
            assert_eq!(asked(arguments).unwrap_err(), expected);
        }
    }
}
