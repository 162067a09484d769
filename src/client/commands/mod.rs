//! The program `rollcall`: see rollcall(1). One file a command.

mod answer;
mod ask;
mod call;
#[cfg(feature = "chapp")]
mod chapp;
mod chat;
mod deliver;
mod demo;
mod files;
#[cfg(feature = "chapp")]
mod inbox;
#[cfg(feature = "chapp")]
mod introduce;
mod json;
#[cfg(feature = "residue")]
mod keygen;
mod line;
mod list;
mod names;
#[cfg(feature = "fmltp")]
mod passwd;
#[cfg(feature = "chapp")]
mod post;
#[cfg(any(feature = "chapp", feature = "fmltp", feature = "residue"))]
mod probe;
#[cfg(any(feature = "fmltp", feature = "residue"))]
mod prompt;
mod screen;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use super::error::Error;
use line::Asked;

/// How `rollcall` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what it was asked to; for a call: it was accepted.
    Done,
    /// Something failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The server or the peer does not want to.
    Rejected,
    /// Nobody is to be reached there.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Rejected => 3,
            Exit::Unreachable => 5,
        })
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            // Nobody reads what we would write: there is nothing left to do, and nothing went wrong.
            error if error.is_broken_pipe() => Self::Done,
            Error::Usage(_) => Self::Usage,
            Error::Rejected { .. } => Self::Rejected,
            Error::Unreachable { .. } => Self::Unreachable,
            _ => Self::Failed,
        }
    }
}

/// The commands that are there with the door chapp only.
#[cfg(feature = "chapp")]
macro_rules! chapp_commands {
    () => {
        "    introduce  get a name at the door chapp, and show how
    post       send the lines of standard input to a name at the door chapp
    inbox      show the messages that came, and those that come, at the door chapp\n"
    };
}
#[cfg(not(feature = "chapp"))]
macro_rules! chapp_commands {
    () => {
        ""
    };
}

/// The commands that are there with the door FmLTP only.
#[cfg(feature = "fmltp")]
macro_rules! fmltp_commands {
    () => {
        "    passwd     say who may log in at the door FmLTP\n"
    };
}
#[cfg(not(feature = "fmltp"))]
macro_rules! fmltp_commands {
    () => {
        ""
    };
}

/// The commands that are there with the door Residue only.
#[cfg(feature = "residue")]
macro_rules! residue_commands {
    () => {
        "    keygen     make the key pair of a server of the door Residue\n"
    };
}
#[cfg(not(feature = "residue"))]
macro_rules! residue_commands {
    () => {
        ""
    };
}

/// The commands that are there with any door that can be probed.
#[cfg(any(feature = "chapp", feature = "fmltp", feature = "residue"))]
macro_rules! probe_command {
    () => {
        "    probe      shake hands with a server, and tell how each step goes\n"
    };
}
#[cfg(not(any(feature = "chapp", feature = "fmltp", feature = "residue")))]
macro_rules! probe_command {
    () => {
        ""
    };
}

const HELP: &str = concat!(
    "\
Usage: rollcall COMMAND [OPTION]...
See who is there, and talk to them.

Commands:
    list       show who is on the roll of a server, once
    watch      tell who comes and goes, until interrupted
    answer     take calls, and write what comes to standard output or into files
    call       call somebody, and send standard input
    chat       join the roll, see who comes and goes, and talk
    demo       show the whole story in one terminal
",
    chapp_commands!(),
    fmltp_commands!(),
    residue_commands!(),
    probe_command!(),
    "    help       print this, or the help of a command

Options:
    -h, --help          print this and exit
    -V, --version       print the version and exit

SERVER is HOST or HOST:PORT, the port being 7890 if it is left out. Without one it is what the environment
variable ROLLCALL_SERVER says, or 127.0.0.1:7890. 'rollcall COMMAND --help' tells what a command takes."
);

/// Runs `rollcall` with these arguments, the program's name not among them.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    log_warnings();
    let error = match run(arguments.into_iter().collect()) {
        Ok(()) => return Exit::Done.into(),
        Err(error) => error,
    };
    let exit = Exit::from(&error);
    if exit != Exit::Done {
        screen::note(format_args!("rollcall: {error}"));
    }
    if exit == Exit::Usage {
        screen::note(format_args!("Try 'rollcall --help', or read rollcall(1)."));
    }
    exit.into()
}

fn run(mut arguments: Vec<OsString>) -> Result<(), Error> {
    if arguments.is_empty() {
        return Err(Error::Usage("no command is given".to_owned()));
    }
    let rest = arguments.split_off(1);
    let Some(command) = arguments[0].to_str() else {
        return Err(Error::Usage("the command is not UTF-8".to_owned()));
    };
    match command {
        "help" => return help(&rest),
        "-h" | "--help" => return screen::line(HELP),
        "-V" | "--version" => return screen::line(&format!("rollcall {}", env!("CARGO_PKG_VERSION"))),
        _ => {}
    }
    match find(command)?(rest)? {
        Asked::Done => Ok(()),
        Asked::Print(text) => screen::line(&text),
    }
}

/// Runs a command with what stands behind its name.
type Command = fn(Vec<OsString>) -> Result<Asked, Error>;

fn find(name: &str) -> Result<Command, Error> {
    Ok(match name {
        "list" => list::run,
        "watch" => watch::run,
        "answer" => answer::run,
        "call" => call::run,
        "chat" => chat::run,
        "demo" => demo::run,
        #[cfg(feature = "chapp")]
        "introduce" => introduce::run,
        #[cfg(feature = "chapp")]
        "post" => post::run,
        #[cfg(feature = "chapp")]
        "inbox" => inbox::run,
        #[cfg(feature = "fmltp")]
        "passwd" => passwd::run,
        #[cfg(feature = "residue")]
        "keygen" => keygen::run,
        #[cfg(any(feature = "chapp", feature = "fmltp", feature = "residue"))]
        "probe" => probe::run,
        other => {
            let other = crate::wire::text::Printable(other);
            return Err(Error::Usage(format!("there is no command \"{other}\"")));
        }
    })
}

fn help(about: &[OsString]) -> Result<(), Error> {
    let Some(name) = about.first().and_then(|name| name.to_str()) else {
        return screen::line(HELP);
    };
    if matches!(name, "-h" | "--help" | "help") {
        return screen::line(HELP);
    }
    match find(name)?(vec!["--help".into()])? {
        Asked::Print(text) => screen::line(&text),
        Asked::Done => Ok(()),
    }
}

/// `RUST_LOG` says what is logged; without it warnings are.
fn log_warnings() {
    let filter = env_logger::Env::default().default_filter_or("warn");
    let _ = env_logger::Builder::from_env(filter).format_timestamp(None).format_target(false).try_init();
}
