//! Which loggers clients may log to ("Log files").

use std::collections::HashSet;

use crate::residue::books::Codes;
use crate::residue::item::{DEFAULT_LOGGER, is_logger_name};

/// How many loggers come from clients at the most.
pub(super) const LOGGERS_LIMIT: usize = 1_024;
/// How many of them one client makes at the most in its life: it takes many to use them up.
pub(super) const OWN_LIMIT: usize = 64;

/// The loggers that came from clients. Those that have a file from before count among them.
pub(super) struct Loggers {
    known: HashSet<Box<str>>,
}

impl Loggers {
    pub(super) fn new(known: Vec<Box<str>>) -> Self {
        Self { known: known.into_iter().collect() }
    }

    /// Whether this logger may have a file, which it has from now on, for a client that has made so many.
    pub(super) fn admit(&mut self, codes: &Codes, name: &str, made: &mut usize) -> bool {
        // There is always room for where an item goes that does not say.
        if self.known.contains(name) || name == DEFAULT_LOGGER || codes.knows(name) {
            return true;
        }
        let has_room = self.known.len() < LOGGERS_LIMIT && *made < OWN_LIMIT && is_logger_name(name);
        if has_room {
            self.known.insert(name.into());
            *made += 1;
        }
        has_room
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
            assert_eq!(loggers.admit(&codes, name, &mut 0), may, "{name}");
        }
    }

    #[test]
    fn one_client_makes_only_so_many_of_them() {
        let (codes, mut loggers, mut made) = (Codes::default(), Loggers::new(Vec::new()), 0);
        for number in 0..OWN_LIMIT {
            assert!(loggers.admit(&codes, &format!("new-{number}"), &mut made));
        }
        assert!(!loggers.admit(&codes, "one-more", &mut made));
        assert!(loggers.admit(&codes, "new-7", &mut made) && loggers.admit(&codes, "default", &mut made));
        assert!(loggers.admit(&codes, "one-more", &mut 0) && loggers.admit(&codes, "one-more", &mut made));
    }
}
