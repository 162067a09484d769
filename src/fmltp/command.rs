//! What a client can ask for once it is secured, and what it is answered ("Interpreter").

use std::fmt::{self, Write as _};

use super::space;

/// The answer to the right password.
pub const AUTHENTICATED: &str = "150 Authentication successful.\r\n";
/// The answer to any other.
pub const NOT_AUTHENTICATED: &str = "151 Authentication failed.\r\n";
/// The last answer.
pub const GOODBYE: &str = "200 Goodbye.\r\n";

/// Which commands there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For those who have still to say who they are.
    Lockdown,
    /// For everybody else.
    Normal,
}

/// A command with its arguments. Nothing of it is ever shown: there may be a password in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Somebody says who he is.
    Auth {
        /// As it was sent: perhaps nobody's name.
        name: &'a str,
        /// As it was sent.
        password: &'a str,
    },
    /// Which commands there are.
    Help,
    /// What this one is for.
    HelpOn(&'static Topic),
    /// The client is about to go.
    Quit,
    /// Who is on the roll.
    Who,
}

impl<'a> Command<'a> {
    /// Takes the text of a token: words between single spaces, so that two spaces in a row make an empty one. The
    /// first word decides before the others are counted.
    pub fn parse(mode: Mode, text: &'a [u8]) -> Result<Self, CommandError<'a>> {
        let text = std::str::from_utf8(space::trimmed(text)).map_err(|_| CommandError::Unknown)?;
        let mut words = text.split(' ');
        let topic = words.next().and_then(|word| mode.topic(word)).ok_or(CommandError::Unknown)?;
        match topic.name {
            Name::Auth => arguments(words).map(|[name, password]| Self::Auth { name, password }),
            Name::Help if words.clone().next().is_none() => Ok(Self::Help),
            Name::Help => {
                let [word] = arguments(words)?;
                mode.topic(word).map(Self::HelpOn).ok_or(CommandError::NotFound(word))
            }
            Name::Quit => arguments(words).map(|[]| Self::Quit),
            Name::Who => arguments(words).map(|[]| Self::Who),
        }
    }
}

/// Exactly as many arguments as are wanted.
fn arguments<'a, const WANTED: usize>(
    mut words: std::str::Split<'a, char>,
) -> Result<[&'a str; WANTED], CommandError<'a>> {
    let mut wanted = [""; WANTED];
    for argument in &mut wanted {
        *argument = words.next().ok_or(CommandError::TooFew)?;
    }
    match words.next() {
        None => Ok(wanted),
        Some(_) => Err(CommandError::TooMany),
    }
}

/// Why a text is no command; shown, it is the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CommandError<'a> {
    /// There is no such command in this mode.
    Unknown,
    /// More arguments than it takes.
    TooMany,
    /// Fewer arguments than it takes.
    TooFew,
    /// Help is wanted on what is no command of this mode. It is repeated as it was sent: to the sender alone.
    NotFound(&'a str),
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("400 Invalid command or operative.\r\n"),
            Self::TooMany => f.write_str("410 Too many arguments passed.\r\n"),
            Self::TooFew => f.write_str("411 Too few arguments passed.\r\n"),
            Self::NotFound(name) => write!(f, "420 Command {name} not found.\r\n"),
        }
    }
}

/// What there is to say about a command; shown, it is the answer to a `HELP` on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    name: Name,
    word: &'static str,
    arguments: &'static str,
    text: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Auth,
    Help,
    Quit,
    Who,
}

static AUTH: Topic = Topic {
    name: Name::Auth,
    word: "AUTH",
    arguments: " <username> <password>",
    text: "Authenticates with the server",
};
static HELP: Topic = Topic { name: Name::Help, word: "HELP", arguments: " <command>", text: "Displays help" };
static QUIT: Topic =
    Topic { name: Name::Quit, word: "QUIT", arguments: "", text: "Closes connection to server" };
static WHO: Topic =
    Topic { name: Name::Who, word: "WHO", arguments: "", text: "Lists the clients on the roll" };

static LOCKDOWN: [&Topic; 3] = [&AUTH, &HELP, &QUIT];
static NORMAL: [&Topic; 3] = [&HELP, &QUIT, &WHO];

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { word, arguments, text, .. } = self;
        write!(f, "200 Help for {word}:\r\nUsage: {word}{arguments}\r\n{text}\r\n")
    }
}

impl Mode {
    /// The answer to `HELP` alone: the commands of this mode.
    pub fn help(self) -> String {
        let mut help = "200 Available commands:\r\n".to_owned();
        for Topic { word, text, .. } in self.topics() {
            // Writing into a string cannot fail.
            let _ = write!(help, "{word} - {text}\r\n");
        }
        help + "Run HELP <command> for more information.\r\n"
    }

    fn topics(self) -> &'static [&'static Topic] {
        match self {
            Self::Lockdown => &LOCKDOWN,
            Self::Normal => &NORMAL,
        }
    }

    fn topic(self, word: &str) -> Option<&'static Topic> {
        self.topics().iter().find(|topic| topic.word == word).copied()
    }
}

#[cfg(test)]
mod tests;
