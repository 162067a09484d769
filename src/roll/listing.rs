//! How somebody is told to others.

use std::fmt;

/// The most bytes that a [`Listing`] may have: what fits beside its length in 20 bytes.
pub const LISTING_LIMIT: usize = 19;

/// How an entry is told to others: the bytes of its client object, as its door encodes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    length: u8,
    bytes: [u8; LISTING_LIMIT],
}

impl Listing {
    /// A listing of `bytes`, or none if they are more than [`LISTING_LIMIT`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut listing = Self { length: u8::try_from(bytes.len()).ok()?, bytes: [0; LISTING_LIMIT] };
        listing.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(listing)
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listing({:02x?})", self.as_slice())
    }
}
