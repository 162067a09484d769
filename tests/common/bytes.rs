//! The packets, written by hand from the page: no line here may lean on the product's own wire code.

/// The first handshake that everybody tries: one method known, number 1.
pub const HELLO: &[u8] = b"LEKTH\0\0\0\0\0\0\x01\0\0\0\x01";
/// A handshake of a client that knows no method.
pub const HELLO_WITHOUT_METHODS: &[u8] = b"LEKTH\0\0\0\0\0\0\0";
/// The handshake is accepted, in the only version there is.
pub const ACCEPT: &[u8] = b"LEKTA\0\0\0";
/// The server asks for method 1.
pub const ASK_1: &[u8] = b"LEKTT\0\0\0\0\0\0\x01";
/// Setup is over.
pub const ASK_0: &[u8] = b"LEKTT\0\0\0\0\0\0\0";
/// Direct TCP on port 5000.
pub const PORT_5000: &[u8] = b"LEKTT\0\0\0\0\0\0\x01\0\0\x13\x88";
/// A heartbeat at second 1,700,000,000.
pub const BEAT: &[u8] = b"LEKTH\0\0\0\0\0\0\0\x65\x53\xf1\x00";
/// Eight bytes that no phase allows: the magic is wrong.
pub const GARBAGE: &[u8] = b"NOPE\0\0\0\0";

/// A header with the kind and version given.
pub fn header(kind: u8, version: [u8; 3]) -> Vec<u8> {
    [b"LEKT", &[kind][..], &version].concat()
}

/// A handshake: `count` methods known, and the words of the bitfield as they are.
pub fn hello(version: [u8; 3], count: u32, words: &[u32]) -> Vec<u8> {
    let mut packet = header(b'H', version);
    packet.extend(count.to_be_bytes());
    packet.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    packet
}

/// A client's answer in the setup: the information of Direct TCP under any index.
pub fn method(index: u32, port: u32) -> Vec<u8> {
    let mut packet = header(b'T', [0; 3]);
    packet.extend(index.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet
}

/// A heartbeat with a time of its own.
pub fn beat(time: i64) -> Vec<u8> {
    let mut packet = header(b'H', [0; 3]);
    packet.extend(time.to_be_bytes());
    packet
}
