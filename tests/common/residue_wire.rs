//! A connection to one of the ports of Residue: text that ends in a delimiter, both ways.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::raw::Raw;

/// What ends a packet.
pub const END: &str = "\r\n\r\n";
/// A reply is shorter than that: clients read it at once.
const REPLY_LIMIT: usize = 1_400;

/// One connection.
pub struct Wire {
    raw: Raw,
    came: Vec<u8>,
}

impl Wire {
    /// Connects from 127.0.0.1.
    #[track_caller]
    pub fn connect(server: SocketAddr) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, server)
    }

    /// Connects from an address of this machine.
    #[track_caller]
    pub fn connect_from(address: impl Into<IpAddr>, server: SocketAddr) -> Self {
        Self { raw: Raw::connect_from(address, server), came: Vec::new() }
    }

    /// The connection itself, of which nothing was read but what has been looked at.
    #[track_caller]
    pub fn raw(&mut self) -> &mut Raw {
        assert!(self.came.is_empty(), "{:?} has come", String::from_utf8_lossy(&self.came));
        &mut self.raw
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.raw.send(bytes.as_ref());
    }

    /// Sends a packet, whose delimiter is added.
    #[track_caller]
    pub fn says(&mut self, packet: impl AsRef<[u8]>) {
        self.send([packet.as_ref(), END.as_bytes()].concat());
    }

    /// The next reply, without its delimiter.
    #[track_caller]
    pub fn take(&mut self) -> String {
        let end = loop {
            match self.came.windows(END.len()).position(|four| four == END.as_bytes()) {
                Some(end) => break end,
                None => self.read(),
            }
        };
        assert!(end + END.len() < REPLY_LIMIT, "a reply of {end} bytes");
        let reply = self.came.drain(..end + END.len()).take(end).collect();
        String::from_utf8(reply).expect("the server speaks UTF-8")
    }

    /// Reads what is there, which is whole replies: each is written at once.
    #[track_caller]
    fn read(&mut self) {
        let mut bytes = [0; 64 * 1024];
        let count = loop {
            match self.raw.stream().read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => panic!("{error} instead of a reply"),
                Ok(count) => break count,
            }
        };
        let came = &bytes[..count];
        assert!(came.ends_with(END.as_bytes()), "no whole reply: {:?}", String::from_utf8_lossy(came));
        self.came.extend_from_slice(came);
    }

    /// The next reply is this.
    #[track_caller]
    pub fn expect(&mut self, wanted: &str) {
        assert_eq!(self.take(), wanted);
    }

    /// A packet is answered by this.
    #[track_caller]
    pub fn asks(&mut self, packet: impl AsRef<[u8]>, wanted: &str) {
        self.says(packet);
        self.expect(wanted);
    }

    /// Nothing comes.
    #[track_caller]
    pub fn expect_silence(&mut self) {
        self.raw().expect_silence();
    }

    /// The stream ends without another byte.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.raw().expect_end();
    }

    /// The server closes, be it by a reset, without another byte.
    #[track_caller]
    pub fn expect_gone(&mut self) {
        self.raw().expect_gone();
    }
}
