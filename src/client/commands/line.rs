//! Command lines: what all commands read alike.

use std::env::VarError;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

use getopts::{Fail, Matches, Options};

use crate::client::error::Error;
use crate::client::net::{self, SERVER_PORT};
use crate::lekt::wire::STRING_LIMIT;
use crate::wire::text::{Escaped, Printable};

/// Where the server is unless anything says otherwise.
const DEFAULT_SERVER: &str = "127.0.0.1:7890";

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It has run.
    Done,
    /// It was asked for its help, which is this.
    Print(String),
}

/// What the command line says, or the help that it asks for.
pub(super) enum Parsed {
    Run(Matches),
    Help(String),
}

/// Parses what stands behind the name of a command; at most `operands` of it are no options.
pub(super) fn parse(
    mut options: Options,
    arguments: Vec<OsString>,
    operands: usize,
    brief: &str,
) -> Result<Parsed, Error> {
    options.optflag("h", "help", "print this and exit");
    if let Some(odd) = arguments.iter().find(|argument| argument.to_str().is_none()) {
        let odd = Escaped(odd.as_encoded_bytes());
        return Err(Error::Usage(format!("the argument \"{odd}\" is not UTF-8; only that is taken")));
    }
    let matches = options.parse(arguments).map_err(|fail| Error::Usage(told(&fail)))?;
    if matches.opt_present("help") {
        return Ok(Parsed::Help(options.usage(brief).trim_end().to_owned()));
    }
    match matches.free.get(operands) {
        Some(extra) => Err(Error::Usage(format!("\"{}\" is one argument too many", Printable(extra)))),
        None => Ok(Parsed::Run(matches)),
    }
}

/// What is wrong with the command line as such.
fn told(fail: &Fail) -> String {
    let dashed = |name: &str| if name.len() == 1 { format!("-{name}") } else { format!("--{name}") };
    match fail {
        Fail::ArgumentMissing(name) => format!("{} needs a value", dashed(name)),
        Fail::UnrecognizedOption(name) => {
            format!("there is no option {}", dashed(&Printable(name).to_string()))
        }
        Fail::OptionMissing(name) => format!("{} has to be given", dashed(name)),
        Fail::OptionDuplicated(name) => format!("{} is given more than once", dashed(name)),
        Fail::UnexpectedArgument(name) => format!("{} takes no value", dashed(name)),
    }
}

/// The server that is meant: what was said, what the environment says, or the one of this machine.
pub(super) fn server(said: Option<&String>) -> Result<String, Error> {
    let server = match (said, std::env::var("ROLLCALL_SERVER")) {
        (Some(said), _) => said.clone(),
        (None, Ok(server)) if !server.is_empty() => server,
        (None, Err(VarError::NotUnicode(_))) => {
            return Err(Error::Usage("ROLLCALL_SERVER is not UTF-8; only that is taken".to_owned()));
        }
        (None, _) => DEFAULT_SERVER.to_owned(),
    };
    net::place(&server, Some(SERVER_PORT))
}

/// The nickname, which has to be given and to fit into a packet.
pub(super) fn nickname(matches: &Matches) -> Result<String, Error> {
    let Some(nickname) = matches.opt_str("nick") else {
        return Err(Error::Usage("--nick has to be given: the name that others see".to_owned()));
    };
    let fits =
        (1..=STRING_LIMIT).contains(&nickname.len()) && !nickname.chars().any(|c| c.is_ascii_control());
    if fits {
        return Ok(nickname);
    }
    Err(Error::Usage("--nick takes 1 to 255 bytes without control characters".to_owned()))
}

/// A number within `range`, or `default`.
pub(super) fn number(
    matches: &Matches,
    name: &str,
    range: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, Error> {
    let Some(said) = matches.opt_str(name) else {
        return Ok(default);
    };
    said.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = range.into_inner();
        let high = if high == usize::MAX { "more".to_owned() } else { high.to_string() };
        Error::Usage(format!("--{name} takes a number from {low} to {high}, not \"{}\"", Printable(&said)))
    })
}

/// How often to send heartbeats.
pub(super) fn interval(matches: &Matches, default: Duration) -> Result<Duration, Error> {
    seconds(matches, "interval", default)
}

/// A time in seconds, which may have a fraction, or `default`.
pub(super) fn seconds(matches: &Matches, name: &str, default: Duration) -> Result<Duration, Error> {
    let Some(said) = matches.opt_str(name) else {
        return Ok(default);
    };
    let seconds = said.parse::<f64>().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        Error::Usage(format!("--{name} takes seconds from 0.1 to 3600, not \"{}\"", Printable(&said)))
    })
}

/// Adds the option that [`interval`] reads.
pub(super) fn interval_option(options: &mut Options, default: &str) {
    let text = format!("ask the server for news so often, 0.1 to 3600 (default {default})");
    options.optopt("", "interval", &text, "SECS");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(arguments: &[&str]) -> Matches {
        let mut options = Options::new();
        for name in ["nick", "number", "interval"] {
            options.optopt("", name, "", "");
        }
        options.parse(arguments).unwrap()
    }

    #[test]
    fn nicknames_have_1_to_255_bytes_without_control_characters() {
        for (nick, fits) in [
            ("alice", true),
            ("", false),
            ("a\nb", false),
            ("\u{80}é", true),
            (&"x".repeat(255), true),
            (&"x".repeat(256), false),
        ] {
            assert_eq!(nickname(&matches(&["--nick", nick])).is_ok(), fits, "{nick:?}");
        }
        assert!(nickname(&matches(&[])).is_err());
    }

    #[test]
    fn arguments_that_are_not_utf_8_are_told_as_they_are() {
        use std::os::unix::ffi::OsStringExt;
        for before in [&[][..], &["--nick".into()]] {
            let arguments = [before, &[OsString::from_vec(b"b\xff".to_vec())]].concat();
            let Err(error) = parse(Options::new(), arguments, 1, "") else { panic!("that was taken") };
            assert_eq!(error.to_string(), r#"the argument "b\xff" is not UTF-8; only that is taken"#);
        }
    }

    #[test]
    fn numbers_are_held_against_their_range() {
        let number = |said| {
            number(&matches(&["--number", said]), "number", 1..=64, 7).map_err(|error| error.to_string())
        };
        assert_eq!((number("1"), number("64")), (Ok(1), Ok(64)));
        assert_eq!(number("65").unwrap_err(), "--number takes a number from 1 to 64, not \"65\"");
        assert!(number("-1").is_err() && number("many").is_err());
        let interval = |said| interval(&matches(&["--interval", said]), Duration::ZERO).ok();
        assert_eq!(interval("0.5"), Some(Duration::from_millis(500)));
        assert!(["0", "nan", "3601", "x"].into_iter().all(|said| interval(said).is_none()));
    }
}
