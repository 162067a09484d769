//! The tokens of a client ("Tokens").

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::residue::books::is_same;

/// How many live ones a client has at the most.
pub(super) const TOKENS_LIMIT: usize = 64;

/// The tokens of a client, the newest last.
#[derive(Default)]
pub(super) struct Tokens {
    list: Vec<Token>,
}

struct Token {
    text: Zeroizing<String>,
    logger: Box<str>,
    /// None: as long as the client lives.
    until: Option<Instant>,
}

impl Token {
    fn is_live(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

impl Tokens {
    /// Adds one that is good for `life` seconds, 0 being for ever. If there are too many then, the oldest goes.
    pub(super) fn add(&mut self, now: Instant, logger: Box<str>, text: Zeroizing<String>, life: u64) {
        self.list.retain(|token| token.is_live(now));
        if self.list.len() >= TOKENS_LIMIT {
            self.list.remove(0);
        }
        // What ends beyond all time does not end.
        let until = if life == 0 { None } else { now.checked_add(Duration::from_secs(life)) };
        self.list.push(Token { text, logger, until });
    }

    /// Whether a token is good for this logger. It takes as long wherever it is wrong.
    pub(super) fn is_good(&self, now: Instant, logger: &str, text: &str) -> bool {
        let own = self.list.iter().filter(|token| token.is_live(now) && *token.logger == *logger);
        own.fold(false, |good, token| good | is_same(token.text.as_bytes(), text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_live_as_long_as_they_should_and_the_oldest_goes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let text = |number: u64| Zeroizing::new(format!("token {number}"));
        let mut tokens = Tokens::default();
        let end_of_time = u64::MAX;
        for (number, life) in [(0, 0), (1, 10), (2, end_of_time)] {
            tokens.add(start, "a".into(), text(number), life);
        }
        let good = |tokens: &Tokens, seconds, number| tokens.is_good(at(seconds), "a", &text(number));
        assert!([0, 1, 2].iter().all(|&number| good(&tokens, 10, number)));
        assert!(!good(&tokens, 11, 1) && !good(&tokens, 0, 3) && !tokens.is_good(start, "b", "token 0"));
        assert!(good(&tokens, 1 << 30, 0) && good(&tokens, 1 << 30, 2));

        for number in 3..=64 {
            tokens.add(at(5), "a".into(), text(number), 0);
        }
        assert_eq!(tokens.list.len(), TOKENS_LIMIT);
        assert!(!good(&tokens, 5, 0) && good(&tokens, 5, 1));
        // One is over, and so none has to go.
        tokens.add(at(11), "a".into(), text(65), 0);
        assert_eq!(tokens.list.len(), TOKENS_LIMIT);
        assert!(good(&tokens, 11, 2) && good(&tokens, 11, 65));
    }
}
