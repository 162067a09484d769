//! Reading what a heartbeat is answered, strictly by the page.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Somebody as an added block shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// The address that is the client's name.
    pub address: Ipv4Addr,
    /// The port of Direct TCP; none for a client that has no method.
    pub port: Option<u16>,
}

/// The loopback address 127.0.0.`last`.
pub fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// A client at 127.0.0.`last` that listens on `port`.
pub fn who(last: u8, port: u16) -> Seen {
    Seen { address: ip(last), port: Some(port) }
}

/// One packet of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The server's time.
    pub time: i64,
    /// What it lists.
    pub block: Block,
}

/// What one packet of an answer lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Those who came.
    Added(Vec<Seen>),
    /// The addresses that went.
    Removed(Vec<Ipv4Addr>),
}

impl Packet {
    /// Whether it is the one packet that says that nothing changed.
    pub fn says_nothing(&self) -> bool {
        self.block == Block::Added(Vec::new())
    }

    /// Reads one packet; `take` gives the next so many bytes of the stream.
    pub fn read(mut take: impl FnMut(usize) -> Vec<u8>) -> Self {
        let head = take(20);
        assert_eq!(&head[..8], b"LEKTH\0\0\0", "an answer begins otherwise: {head:02x?}");
        let time = i64::from_be_bytes(head[8..16].try_into().unwrap());
        let count = u32::from_be_bytes([0, head[17], head[18], head[19]]);
        let block = match head[16] {
            b'A' => Block::Added((0..count).map(|_| object(&mut take)).collect()),
            b'R' => Block::Removed((0..count).map(|_| address(&take(4))).collect()),
            other => panic!("a block that is neither added nor removed: {other:#04x}"),
        };
        Self { time, block }
    }
}

fn address(bytes: &[u8]) -> Ipv4Addr {
    let octets: [u8; 4] = bytes.try_into().unwrap();
    octets.into()
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

fn object(take: &mut impl FnMut(usize) -> Vec<u8>) -> Seen {
    let size = number(&take(4));
    assert!(size == 4 || size == 12, "an object of {size} bytes: there is one method, of 8 bytes");
    let body = take(size as usize);
    let port = body.get(4..12).map(|method| {
        assert_eq!(number(&method[..4]), 1, "a method that does not exist");
        let port = u16::try_from(number(&method[4..])).unwrap();
        assert_ne!(port, 0, "port 0 was told");
        port
    });
    Seen { address: address(&body[..4]), port }
}

/// The whole of an answer, its lists sorted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Addresses that went; each at most once.
    pub removed: Vec<Ipv4Addr>,
    /// Those who came.
    pub added: Vec<Seen>,
}

impl Answer {
    /// The answer that says so.
    pub fn of(removed: &[Ipv4Addr], added: &[Seen]) -> Self {
        let mut answer = Self { removed: removed.to_vec(), added: added.to_vec() };
        answer.sort();
        answer
    }

    /// Puts packets together that are one answer, and checks the rules of its shape.
    pub fn from_packets(packets: &[Packet]) -> Self {
        let mut answer = Self::default();
        for packet in packets {
            assert_eq!(packet.time, packets[0].time, "two times in one answer: {packets:?}");
            assert!(packets.len() == 1 || !packet.says_nothing(), "nothing, among something: {packets:?}");
            match &packet.block {
                Block::Added(who) => answer.added.extend(who),
                Block::Removed(which) => {
                    assert!(!which.is_empty(), "an empty removed block: {packets:?}");
                    assert!(answer.added.is_empty(), "removed after added: {packets:?}");
                    answer.removed.extend(which);
                }
            }
        }
        let once: BTreeSet<_> = answer.removed.iter().collect();
        assert_eq!(once.len(), answer.removed.len(), "an address is removed twice: {packets:?}");
        answer.sort();
        answer
    }

    fn sort(&mut self) {
        self.removed.sort_unstable();
        self.added.sort_unstable();
    }
}
