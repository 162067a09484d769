//! The packets of LEKT 0.0.0, each with its parser and its emitter side by side.
//!
//! ```text
//!         0        1        2        3
//!     +--------+--------+--------+--------+
//!   0 |  'L'   |  'E'   |  'K'   |  'T'   |   Every packet begins with this header, on a 4-byte boundary
//!     +--------+--------+--------+--------+   of its stream, and is a multiple of 4 bytes long. Numbers
//!   4 |  kind  | MAJOR  | MINOR  | EXTRA  |   are big endian.
//!     +--------+--------+--------+--------+
//!   8 |  body: what the kind means in the phase and direction at hand ...
//! ```
//!
//! Parsers take the bytes that are there and judge them from left to right: [`header`] first, whose magic,
//! version and kind are judged together at the eighth byte, then one of the bodies.

use std::fmt;
use std::net::Ipv4Addr;

use crate::wire::{Problem, Reader, WireError, writer};

/// The bytes of a header.
pub const HEADER: usize = 8;
/// The bytes of a heartbeat as the client sends it.
pub const HEARTBEAT: usize = HEADER + 8;
/// The bytes of an answer before its first client object or address: header, time, block kind and count.
pub const BLOCK: usize = HEARTBEAT + 4;
/// The bytes that a string may have before its NUL.
pub const STRING_LIMIT: usize = 255;
/// The highest method number that a client may claim to know.
pub const METHOD_LIMIT: u32 = 1024;
/// The most clients or addresses that the 24-bit count of one block can say.
pub const BLOCK_LIMIT: usize = 0xff_ffff;
/// The most bytes that this program takes as one client object; a server of 0.0.0 sends at most 12.
pub const OBJECT_LIMIT: u32 = 65_536;

/// `H` and its like: the fifth byte of a header.
pub mod kind {
    /// Handshake of a client; later, a heartbeat.
    pub const HELLO: u8 = b'H';
    /// A heartbeat, or its answer.
    pub const HEARTBEAT: u8 = b'H';
    /// The handshake is accepted.
    pub const ACCEPT: u8 = b'A';
    /// Rejected, with a reason.
    pub const REJECT: u8 = b'R';
    /// A connection method is asked for, or told.
    pub const SETUP: u8 = b'T';
}

/// A protocol version, compared as major, minor, extra.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Differs: the two cannot talk.
    pub major: u8,
    /// Differs: the lower one is spoken.
    pub minor: u8,
    /// As `minor`, less significant.
    pub extra: u8,
}

impl Version {
    /// What this program speaks.
    pub const OURS: Self = Self { major: 0, minor: 0, extra: 0 };

    /// The version that a session with somebody who speaks `theirs` will have: the lower of the two, or
    /// none where the majors differ ("Version").
    pub fn agreed(self, theirs: Self) -> Option<Self> {
        (self.major == theirs.major).then(|| self.min(theirs))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.extra)
    }
}

/// The first eight bytes of a packet, but for the magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`], or something else: whether it fits is for the phase to say.
    pub kind: u8,
    /// As the peer said it: whether it fits is for the phase to say.
    pub version: Version,
}

const MAGIC: [u8; 4] = *b"LEKT";

/// Reads a header. Nothing in it is judged before all eight bytes are there; then the magic is.
pub fn header(reader: &mut Reader<'_>) -> Result<Header, WireError> {
    let mut packet = reader.sub("header", HEADER)?;
    let magic = packet.word("magic")?;
    if magic != MAGIC {
        return Err(Reader::new(&magic).error("magic", Problem::Constant(magic)));
    }
    let kind = packet.u8("kind")?;
    let [major, minor, extra] = [packet.u8("major")?, packet.u8("minor")?, packet.u8("extra")?];
    Ok(Header { kind, version: Version { major, minor, extra } })
}

/// Appends a header.
pub fn put_header(out: &mut Vec<u8>, kind: u8, version: Version) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[kind, version.major, version.minor, version.extra]);
}

/// Appends a packet that is nothing but a header.
pub fn put_accept(out: &mut Vec<u8>, version: Version) {
    put_header(out, kind::ACCEPT, version);
}

/// Reads a string that says something: a nickname, or the reason of a rejection.
pub fn said<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a str, WireError> {
    reader.filled_string(field, STRING_LIMIT)
}

/// Appends a packet whose body is one string: `R` with its reason, or a nickname between clients.
pub fn put_said(out: &mut Vec<u8>, kind: u8, version: Version, said: &str) {
    put_header(out, kind, version);
    writer::string(out, said, STRING_LIMIT);
}

/// Appends a rejection ("Rejecting").
pub fn put_reject(out: &mut Vec<u8>, version: Version, reason: &str) {
    put_said(out, kind::REJECT, version, if reason.is_empty() { "rejected" } else { reason });
}

/// Which connection methods a client knows: the body of its handshake ("Bitfield").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownMethods {
    highest: u32,
    words: [u32; (METHOD_LIMIT / 32) as usize],
}

impl KnownMethods {
    /// The set of `methods`; those of 0 and beyond [`METHOD_LIMIT`] do not exist and are left out.
    pub fn of(methods: impl IntoIterator<Item = u32>) -> Self {
        let mut known = Self { highest: 0, words: [0; 32] };
        for method in methods.into_iter().filter(|method| (1..=METHOD_LIMIT).contains(method)) {
            known.highest = known.highest.max(method);
            known.words[(method - 1) as usize / 32] |= 1 << ((method - 1) % 32);
        }
        known
    }

    /// Whether `method` is among them.
    pub fn knows(&self, method: u32) -> bool {
        (1..=self.highest).contains(&method)
            && self.words[(method - 1) as usize / 32] & 1 << ((method - 1) % 32) != 0
    }

    /// Reads the number of known methods and the words of the bitfield.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let highest = reader.u32_in("number of methods", 0..=METHOD_LIMIT)?;
        let mut known = Self { highest, words: [0; 32] };
        for (index, word) in (0..highest.div_ceil(32)).zip(&mut known.words) {
            let used = highest - index * 32;
            let allowed = if used >= 32 { u32::MAX } else { (1 << used) - 1 };
            let start = reader.clone();
            *word = reader.u32("methods")?;
            if *word & !allowed != 0 {
                return Err(start.error("methods", Problem::Value(*word)));
            }
        }
        Ok(known)
    }

    /// Appends the whole handshake of a client.
    pub fn put(&self, out: &mut Vec<u8>, version: Version) {
        put_header(out, kind::HELLO, version);
        out.extend_from_slice(&self.highest.to_be_bytes());
        for word in &self.words[..self.highest.div_ceil(32) as usize] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
}

/// A way to reach a client, with what one has to know for it ("Connection methods").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// The client listens for TCP connections on `port`, 1 to 65535.
    DirectTcp {
        /// Where it listens.
        port: u16,
    },
}

impl Method {
    /// The index of [`Method::DirectTcp`].
    pub const DIRECT_TCP: u32 = 1;
    /// The indexes of all methods that this program knows, ascending.
    pub const KNOWN: [u32; 1] = [Self::DIRECT_TCP];

    /// The method's number.
    pub fn index(self) -> u32 {
        match self {
            Self::DirectTcp { .. } => Self::DIRECT_TCP,
        }
    }

    /// Reads the information of method `index`, which is one of [`Method::KNOWN`]; none for any other.
    pub fn read(index: u32, reader: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        match index {
            Self::DIRECT_TCP => {
                let port = reader.u32_in("port", 1..=65_535)?;
                Ok(Some(Self::DirectTcp { port: u16::try_from(port).unwrap_or(u16::MAX) }))
            }
            _ => Ok(None),
        }
    }

    /// Appends index and information.
    pub fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.index().to_be_bytes());
        match self {
            Self::DirectTcp { port } => out.extend_from_slice(&u32::from(port).to_be_bytes()),
        }
    }
}

/// Appends the server's request for the information of method `index`; 0 ends the setup.
pub fn put_request(out: &mut Vec<u8>, version: Version, index: u32) {
    put_header(out, kind::SETUP, version);
    out.extend_from_slice(&index.to_be_bytes());
}

/// Appends the client's answer to such a request.
pub fn put_method(out: &mut Vec<u8>, version: Version, method: Method) {
    put_header(out, kind::SETUP, version);
    method.put(out);
}

/// Appends a heartbeat as the client sends it; `time` is Unix time in seconds.
pub fn put_heartbeat(out: &mut Vec<u8>, version: Version, time: i64) {
    put_header(out, kind::HEARTBEAT, version);
    out.extend_from_slice(&time.to_be_bytes());
}

/// What a block of an answer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Client objects.
    Added,
    /// Addresses.
    Removed,
}

/// The part of an answer that stands before the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Unix time in seconds, the same in all packets of one answer.
    pub time: i64,
    /// What is listed.
    pub kind: BlockKind,
    /// How many of it follow, at most [`BLOCK_LIMIT`].
    pub count: u32,
}

impl Block {
    /// Reads what follows the header of an answer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let time = reader.i64("time")?;
        let start = reader.clone();
        let mut word = reader.sub("block", 4)?;
        let kind = match word.u8("block")? {
            b'A' => BlockKind::Added,
            b'R' => BlockKind::Removed,
            other => return Err(start.error("block", Problem::Byte(other))),
        };
        Ok(Self { time, kind, count: word.u24("count")? })
    }

    /// The whole packet up to its list. `count` is at most [`BLOCK_LIMIT`].
    pub fn packet(&self, version: Version) -> [u8; BLOCK] {
        let mut packet = [0; BLOCK];
        packet[..4].copy_from_slice(&MAGIC);
        packet[4..8].copy_from_slice(&[kind::HEARTBEAT, version.major, version.minor, version.extra]);
        packet[8..16].copy_from_slice(&self.time.to_be_bytes());
        packet[16..].copy_from_slice(&self.count.to_be_bytes());
        packet[16] = match self.kind {
            BlockKind::Added => b'A',
            BlockKind::Removed => b'R',
        };
        packet
    }
}

/// Somebody on the roll, as an added block tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// The client's address, which in 0.0.0 is its name.
    pub address: Ipv4Addr,
    /// How it can be reached, ascending, as far as this program knows the methods.
    pub methods: Vec<Method>,
}

impl Object {
    /// Reads one client object; what follows a method that this program does not know is skipped.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let start = reader.clone();
        let size = reader.u32_in("size of client object", 4..=OBJECT_LIMIT)?;
        if !size.is_multiple_of(4) {
            return Err(start.error("size of client object", Problem::Value(size)));
        }
        let mut object = reader.sub("client object", size as usize)?;
        let address = Ipv4Addr::from(object.word("address")?);
        let mut methods = Vec::new();
        while !object.rest().is_empty() {
            let index = object.u32("method").map_err(|error| within(error, &start))?;
            match Method::read(index, &mut object).map_err(|error| within(error, &start))? {
                Some(method) => methods.push(method),
                None => break,
            }
        }
        Ok(Self { address, methods })
    }

    /// Appends the object of a client at `address`.
    pub fn put(out: &mut Vec<u8>, address: Ipv4Addr, methods: &[Method]) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&address.octets());
        methods.iter().for_each(|method| method.put(out));
        // An object is a few bytes: as many as this program knows methods, times eight, plus four.
        let size = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }
}

/// Inside a counted part running short is an error, not a reason to wait for more; and what is wrong there is
/// told by its offset in the packet.
fn within(error: WireError, object: &Reader<'_>) -> WireError {
    let problem = match error.problem {
        Problem::Short => Problem::Missing,
        other => other,
    };
    WireError { at: object.position() + 4 + error.at, problem, ..error }
}

#[cfg(test)]
mod tests;
