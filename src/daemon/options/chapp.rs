//! The options of the door chapp.

use getopts::{Matches, Options as Getopts};

use super::read::number;
use crate::daemon::Failure;

/// For how many days a name is kept that is not seen, unless it is said.
const NAME_DAYS: u32 = 30;

/// What is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// For how many days a name is kept that is not seen; 0: for ever.
    pub name_days: u32,
}

pub(super) fn declare(all: &mut Getopts) {
    all.optmulti("", "chapp", "listen for chapp clients there; may be given more than once, port 0 takes any free port, \"off\" closes the door (default 127.0.0.1:6969)", "ADDR:PORT");
    all.optopt(
        "",
        "chapp-name-days",
        "days for which a chapp name is kept that is not seen, 0 to 3650, 0 is for ever (default 30)",
        "DAYS",
    );
}

pub(super) fn read(matches: &Matches) -> Result<Keeping, Failure> {
    let days = number(matches, "chapp-name-days", 0..=3650)?;
    let name_days = days.and_then(|days| u32::try_from(days).ok()).unwrap_or(NAME_DAYS);
    Ok(Keeping { name_days })
}

pub(super) fn rows(keeping: &Keeping) -> [(&'static str, String); 1] {
    [("chapp-name-days", keeping.name_days.to_string())]
}
