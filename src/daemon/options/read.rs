//! What the values of options have in common.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
#[cfg(feature = "clerks")]
use std::path::PathBuf;
use std::time::Duration;

use getopts::{Fail, Matches};

use crate::daemon::Failure;

/// What is wrong with the command line as such.
pub(super) fn told(fail: &Fail) -> String {
    let dashed = |name: &str| if name.len() == 1 { format!("-{name}") } else { format!("--{name}") };
    match fail {
        Fail::ArgumentMissing(name) => format!("{} needs a value", dashed(name)),
        Fail::UnrecognizedOption(name) => format!("there is no option {}", dashed(name)),
        Fail::OptionMissing(name) => format!("{} has to be given", dashed(name)),
        Fail::OptionDuplicated(name) => format!("{} is given more than once", dashed(name)),
        Fail::UnexpectedArgument(name) => format!("{} takes no value", dashed(name)),
    }
}

/// A whole number within `range`.
pub(super) fn number(
    matches: &Matches,
    name: &str,
    range: RangeInclusive<usize>,
) -> Result<Option<usize>, Failure> {
    let Some(text) = matches.opt_str(name) else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && range.contains(&number) => Ok(Some(number)),
        _ => {
            let (least, most) = range.into_inner();
            Err(Failure::usage(format!(
                "--{name} takes a whole number from {least} to {most}, not \"{text}\""
            )))
        }
    }
}

/// So many seconds.
pub(super) fn seconds(
    matches: &Matches,
    name: &str,
    range: RangeInclusive<usize>,
) -> Result<Option<Duration>, Failure> {
    Ok(number(matches, name, range)?.map(|number| Duration::from_secs(number as u64)))
}

/// The path of something, which the message calls `what`.
#[cfg(feature = "clerks")]
pub(super) fn path(matches: &Matches, name: &str, what: &str) -> Result<Option<PathBuf>, Failure> {
    match matches.opt_str(name) {
        Some(path) if path.is_empty() => Err(Failure::usage(format!("--{name} takes {what}, not \"\""))),
        path => Ok(path.map(PathBuf::from)),
    }
}

/// A setting that there is or is not, to be shown.
#[cfg(feature = "toil")]
pub(super) fn yes_or_no(there: bool) -> String {
    if there { "yes" } else { "no" }.to_owned()
}

/// How many threads of a kind.
pub(super) fn count(matches: &Matches, name: &str) -> Result<Option<NonZeroUsize>, Failure> {
    Ok(number(matches, name, 1..=256)?.and_then(NonZeroUsize::new))
}

/// One for each core.
pub(super) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
