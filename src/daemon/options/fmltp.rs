//! The options of the door FmLTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use getopts::{Matches, Options as Getopts};

use super::read::{seconds, yes_or_no};
use crate::daemon::Failure;
use crate::fmltp::server::Settings;
use crate::fmltp::version::Greeting;

/// Who has to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Nobody; and so only this machine is let in.
    OnThisMachine,
    /// Nobody, wherever they come from.
    Open,
    /// Everybody: the users of this file.
    Users(PathBuf),
}

impl Login {
    /// Whether clients may be listened for at an address that others than this machine can reach.
    pub(super) fn allows_others(&self, address: SocketAddr) -> Result<(), Failure> {
        if *self != Self::OnThisMachine {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "at {address} the door fmltp would let in whoever can reach it: give --fmltp-users FILE to have \
             them log in, or --fmltp-open if that is what you want"
        )))
    }

    /// What has to be said as well, before others can be let in.
    pub(super) fn missing(&self) -> &'static str {
        match self {
            Self::OnThisMachine => " --fmltp-users FILE",
            Self::Open | Self::Users(_) => "",
        }
    }
}

pub(super) fn declare(all: &mut Getopts) {
    all.optmulti("", "fmltp", "listen for FmLTP clients there; may be given more than once, port 0 takes any free port, \"off\" closes the door (default 127.0.0.1:8900)", "ADDR:PORT");
    all.optopt(
        "",
        "fmltp-users",
        "have FmLTP clients log in as one of the users in this file, which \"rollcall passwd\" writes (default nobody has to log in, but only this machine is let in)",
        "FILE",
    );
    all.optflag("", "fmltp-open", "let FmLTP clients in from everywhere, though nobody has to log in");
    all.optopt(
        "",
        "fmltp-name",
        "what the server says it is, and its version (default FlexMusic,0.0.0)",
        "NAME,x.y.z",
    );
    all.optopt(
        "",
        "fmltp-timeout",
        "time for each step of an FmLTP handshake, 1 to 3600 (default 5)",
        "SECS",
    );
    all.optopt(
        "",
        "fmltp-cooldown",
        "time for which an address is refused after an FmLTP handshake that failed, 0 to 86400, 0 is none (default 300)",
        "SECS",
    );
    all.optflag("", "fmltp-cooldown-loopback", "refuse this machine's own addresses as well");
}

pub(super) fn login(matches: &Matches) -> Result<Login, Failure> {
    match (matches.opt_str("fmltp-users"), matches.opt_present("fmltp-open")) {
        (Some(_), true) => {
            let message =
                "--fmltp-users and --fmltp-open exclude each other: with users everybody has to log in";
            Err(Failure::usage(message))
        }
        (Some(path), false) => Ok(Login::Users(path.into())),
        (None, true) => Ok(Login::Open),
        (None, false) => Ok(Login::OnThisMachine),
    }
}

pub(super) fn read(matches: &Matches, settings: &mut Settings) -> Result<(), Failure> {
    if let Some(name) = matches.opt_str("fmltp-name") {
        settings.greeting = greeting(&name)?;
    }
    if let Some(limit) = seconds(matches, "fmltp-timeout", 1..=3600)? {
        settings.step_limit = limit;
    }
    if let Some(length) = seconds(matches, "fmltp-cooldown", 0..=86_400)? {
        settings.cooldown.length = length;
    }
    settings.cooldown.loopback = matches.opt_present("fmltp-cooldown-loopback");
    Ok(())
}

fn greeting(text: &str) -> Result<Greeting, Failure> {
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::usage(format!("--fmltp-name takes a name and a version like FlexMusic,0.0.0: {what}"))
    };
    let greeting = Greeting::parse_own(text).map_err(|error| wrong(&error))?;
    // Clients say it back, and white space around what they say does not count.
    match text.starts_with(char::is_whitespace) {
        true => Err(wrong(&"white space at the beginning")),
        false => Ok(greeting),
    }
}

pub(super) fn rows(settings: &Settings, login: &Login) -> [(&'static str, String); 6] {
    let users = match login {
        Login::Users(path) => path.display().to_string(),
        Login::OnThisMachine | Login::Open => "none".to_owned(),
    };
    [
        ("fmltp-users", users),
        ("fmltp-open", yes_or_no(*login == Login::Open)),
        ("fmltp-name", settings.greeting.to_string()),
        ("fmltp-timeout", settings.step_limit.as_secs().to_string()),
        ("fmltp-cooldown", settings.cooldown.length.as_secs().to_string()),
        ("fmltp-cooldown-loopback", yes_or_no(settings.cooldown.loopback)),
    ]
}
