//! What both sides say to each other once they share a key ("Tokens", "Framing").

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::fernet::{self, Key, Scan, Text, TokenError};
use crate::session::View;

/// One connection's tokens. Small: there is one for every idle client.
pub(super) struct Channel {
    key: Arc<Key>,
    partial: Option<Box<Partial>>,
}

/// A token of which only the beginning is there.
struct Partial {
    until: Instant,
    scan: Scan,
}

impl Channel {
    pub(super) fn new(key: Key) -> Self {
        Self { key: Arc::new(key), partial: None }
    }

    /// The same key, for the state that comes next: a state ends with a whole token.
    pub(super) fn again(&self) -> Self {
        Self { key: Arc::clone(&self.key), partial: None }
    }

    /// Takes the token at the front of `bytes`, which has to be whole `limit` after its first byte was seen.
    pub(super) fn find(
        &mut self,
        now: Instant,
        bytes: &[u8],
        limit: Duration,
    ) -> Result<Option<(usize, Text)>, TokenError> {
        let fresh = || Box::new(Partial { until: now + limit, scan: Scan::default() });
        let partial = self.partial.get_or_insert_with(fresh);
        let found = self.key.find(bytes, &mut partial.scan)?;
        if found.is_some() {
            self.partial = None;
        }
        Ok(found)
    }

    /// When the token that has begun to come has to be whole.
    pub(super) fn until(&self) -> Option<Instant> {
        self.partial.as_ref().map(|partial| partial.until)
    }

    /// The token of this text.
    pub(super) fn seal(&self, text: &str, view: &dyn View) -> Vec<u8> {
        let time = u64::try_from(view.unix_time()).unwrap_or_default();
        self.key.seal(text.as_bytes(), time, fernet::fresh_iv())
    }
}
