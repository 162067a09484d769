//! Who is there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;

use super::journal::Sequence;

/// The most bytes that a [`Listing`] may have: what fits beside its length in 20 bytes.
pub const LISTING_LIMIT: usize = 19;

/// A client's number, which no other client ever gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(super) NonZeroU64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What whoever is on the roll holds in his hand: it finds his entry, and goes stale when he leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Whose it is.
    pub id: ClientId,
    /// Where the entry lies.
    pub(super) slot: u32,
}

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

/// Somebody who asks to be put on the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// The name of the door through which he came.
    pub door: &'static str,
    /// Where he connects from; an IPv4-mapped address is an IPv4 one.
    pub address: SocketAddr,
    /// The name that he goes by, if his door knows names.
    pub name: Option<Box<str>>,
    /// How the others are told of him; none: they are not.
    pub listing: Option<Listing>,
    /// Unix time in seconds.
    pub since: i64,
}

/// Somebody on the roll. Small: there is one for every client.
#[derive(Debug)]
pub struct Entry {
    /// His number.
    pub id: ClientId,
    /// The name of the door through which he came.
    pub door: &'static str,
    /// The name that he goes by, if his door knows names.
    pub name: Option<Box<str>>,
    /// When he joined: Unix time in seconds.
    pub since: i64,
    pub(super) ip: IpAddr,
    pub(super) port: u16,
    /// Where his listing lies, and the change that told of him.
    pub(super) told: Option<Told>,
}

/// What the roll knows about an entry that others are told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) at: Sequence,
    pub(super) shelf: u8,
    pub(super) index: u32,
}

impl Entry {
    /// Where he connects from.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}
