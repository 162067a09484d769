//! Who is there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;

use super::journal::Sequence;
use super::listing::Listing;

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
