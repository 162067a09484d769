//! The bytes of LEKT, written down once more and independently of the program that is measured.
//!
//! Clients are numbered from 0; a number decides the address that a client connects from and the port that it
//! tells, so that what a server says about it can be held against the number alone.

use std::net::Ipv4Addr;

/// Each packet that a client sends here is this long.
pub(crate) const PACKET: usize = 16;
/// An answer up to its list; an idle answer is no longer.
pub(crate) const BLOCK: usize = 20;
/// A client object that tells Direct TCP, its size field included.
pub(crate) const OBJECT: usize = 16;
/// An address in a removed block.
pub(crate) const ADDRESS: usize = 4;
/// The handshake of a client that knows method 1.
pub(crate) const HELLO: &[u8; PACKET] = b"LEKTH\0\0\0\0\0\0\x01\0\0\0\x01";
/// A heartbeat; its time is nobody's business.
pub(crate) const HEARTBEAT: &[u8; PACKET] = b"LEKTH\0\0\0\0\0\0\0\x65\x92\0\x80";
/// The handshake is accepted, and method 1 is asked for.
pub(crate) const ACCEPTED: &[u8; 20] = b"LEKTA\0\0\0LEKTT\0\0\0\0\0\0\x01";
/// Setup is over.
pub(crate) const LISTED: &[u8; 12] = b"LEKTT\0\0\0\0\0\0\0";
/// What the packet of an answer begins with.
pub(crate) const ANSWER: &[u8; 8] = b"LEKTH\0\0\0";
/// What a rejection begins with.
pub(crate) const REJECTED: &[u8; 5] = b"LEKTR";

/// The address of a client: 127.1.0.1 and up, none of which is a network's or a broadcast's.
pub(crate) fn address(number: u32) -> Ipv4Addr {
    let (rest, last) = (number / 250, number % 250 + 1);
    Ipv4Addr::from(0x7f00_0000 + ((rest / 250 + 1) << 16) + ((rest % 250) << 8) + last)
}

/// Whose address that is, if anybody's.
pub(crate) fn number(address: [u8; 4]) -> Option<u32> {
    let [first, high, low, last] = address.map(u32::from);
    let known = first == 127 && high >= 1 && low < 250 && (1..=250).contains(&last);
    known.then(|| ((high - 1) * 250 + low) * 250 + last - 1)
}

/// The port that a client tells.
pub(crate) fn port(number: u32) -> u32 {
    1 + number % 65_535
}

/// A client's answer when it is asked for method 1.
pub(crate) fn method(number: u32) -> [u8; PACKET] {
    let mut packet = *b"LEKTT\0\0\0\0\0\0\x01....";
    packet[12..].copy_from_slice(&port(number).to_be_bytes());
    packet
}

/// A packet that adds, or removes, the clients `from..from + count`: for floors, which prepare what they say.
pub(crate) fn answer(kind: u8, from: u32, count: u32) -> Vec<u8> {
    let mut packet = ANSWER.to_vec();
    packet.extend_from_slice(&HEARTBEAT[8..]);
    packet.extend_from_slice(&count.to_be_bytes());
    packet[16] = kind;
    for number in from..from + count {
        if kind == b'A' {
            packet.extend_from_slice(&12_u32.to_be_bytes());
        }
        packet.extend_from_slice(&address(number).octets());
        if kind == b'A' {
            packet.extend_from_slice(&1_u32.to_be_bytes());
            packet.extend_from_slice(&port(number).to_be_bytes());
        }
    }
    packet
}
