//! Where the clerk takes what must not be guessed.

use zeroize::Zeroizing;

use crate::residue::cipher::{Key, KeySize};
use crate::residue::random::{self, RandomError};

/// A source of IDs, keys and tokens: for those who play the same game twice there may be others than the system's.
pub trait Source: Send {
    /// 16 lower-case letters.
    fn id(&mut self) -> Result<String, RandomError>;

    /// A key.
    fn key(&mut self, size: KeySize) -> Result<Key, RandomError>;

    /// 16 characters.
    fn token(&mut self) -> Result<Zeroizing<String>, RandomError>;
}

/// The random source of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSource;

impl Source for SystemSource {
    fn id(&mut self) -> Result<String, RandomError> {
        random::id()
    }

    fn key(&mut self, size: KeySize) -> Result<Key, RandomError> {
        Key::fresh(size)
    }

    fn token(&mut self) -> Result<Zeroizing<String>, RandomError> {
        random::token()
    }
}
