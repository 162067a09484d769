//! Which loggers clients may log to ("Log files").

use std::collections::HashSet;

use crate::residue::books::Codes;
use crate::residue::item::is_logger_name;

/// How many loggers come from clients at the most.
pub(super) const LOGGERS_LIMIT: usize = 1_024;
/// To whom an item goes that does not say; there is always room for it.
const DEFAULT: &str = "default";

/// The loggers that came from clients. Those that have a file from before count among them.
pub(super) struct Loggers {
    known: HashSet<Box<str>>,
}

impl Loggers {
    pub(super) fn new(known: Vec<Box<str>>) -> Self {
        Self { known: known.into_iter().collect() }
    }

    /// Whether this logger may have a file, which it has from now on.
    pub(super) fn admit(&mut self, codes: &Codes, name: &str) -> bool {
        if self.known.contains(name) || name == DEFAULT || codes.knows(name) {
            return true;
        }
        let has_room = self.known.len() < LOGGERS_LIMIT && is_logger_name(name);
        has_room && self.known.insert(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_make_only_so_many_loggers() {
        let codes = Codes::parse("configured code").unwrap();
        let before = (0..LOGGERS_LIMIT - 2).map(|number| format!("old-{number}").into()).collect();
        let mut loggers = Loggers::new(before);
        let table = [
            ("../etc", false),
            ("new-1", true),
            ("configured", true),
            ("default", true),
            ("new-2", true),
            ("new-3", false),
            ("new-1", true),
            ("old-7", true),
            ("configured", true),
            ("default", true),
        ];
        for (name, may) in table {
            assert_eq!(loggers.admit(&codes, name), may, "{name}");
        }
    }
}
