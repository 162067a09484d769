//! Where a packet ends ("Framing").
//!
//! ```text
//!     text CR LF CR LF text CR LF CR LF ...       both ways; nothing says how long the text is
//! ```

/// What follows each packet.
pub const DELIMITER: &[u8; 4] = b"\r\n\r\n";
/// The bytes that a packet on the connect port or the token port may have, with its delimiter.
pub const CONNECT_LIMIT: usize = 65_536;
/// The bytes that a packet on the logging port may have, with its delimiter; longer ones are skipped.
pub const LOG_LIMIT: usize = 1 << 20;
/// The bytes without a delimiter after which a connection on the logging port is given up.
pub const LOG_HARD_LIMIT: usize = 16 << 20;
/// The bytes that a packet may have once it is inflated.
pub const INFLATED_LIMIT: usize = 8 << 20;

/// Looks for the first delimiter in bytes that come bit by bit, and at none of them twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finder {
    /// No delimiter begins before this offset.
    looked: usize,
}

impl Finder {
    /// Where the first delimiter in `bytes` begins; none: it is not there yet.
    ///
    /// Until one is found, `bytes` have to be those of the last time, with more behind them; or
    /// [`begin_anew`](Self::begin_anew).
    pub fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes.get(self.looked..).unwrap_or_default();
        while let Some(carriage_return) = rest.iter().position(|&byte| byte == b'\r') {
            let found = rest.get(carriage_return..).unwrap_or_default();
            let at = bytes.len() - found.len();
            if found.starts_with(DELIMITER) {
                self.looked = at;
                return Some(at);
            }
            if DELIMITER.starts_with(found) {
                // The beginning of one, perhaps.
                self.looked = at;
                return None;
            }
            rest = found.get(1..).unwrap_or_default();
        }
        self.looked = self.looked.max(bytes.len());
        None
    }

    /// Forgets what it has looked at: other bytes stand at the front now.
    pub fn begin_anew(&mut self) {
        self.looked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::random::Random;

    #[test]
    fn the_first_delimiter_is_found() {
        let table: [(&[u8], Option<usize>); 14] = [
            (b"", None),
            (b"a", None),
            (b"\r\n\r\n", Some(0)),
            (b"a\r\n\r\n", Some(1)),
            (b"a\r\n\r\nb\r\n\r\n", Some(1)),
            (b"a\r\n\r", None),
            (b"a\r\n\rb\r\n\r\n", Some(5)),
            (b"\r\r\n\r\n", Some(1)),
            (b"\r\n\r\r\n\r\n", Some(3)),
            (b"\r\n\n\r\n\r\n", Some(3)),
            (b"\n\r\n\r\n\r\n", Some(1)),
            (b"\n\r\n\r", None),
            (b"\r\r\r\r\r", None),
            (b"\n\n", None),
        ];
        for (bytes, expected) in table {
            assert_eq!(Finder::default().find(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn bytes_may_come_in_any_pieces() {
        let mut random = Random::new(5);
        for _ in 0..20_000 {
            let length = random.below(24);
            let bytes: Vec<u8> = (0..length).map(|_| b"\r\n\r\nab"[random.below(6)]).collect();
            let expected = bytes.windows(4).position(|window| window == DELIMITER);
            let mut finder = Finder::default();
            let (mut end, mut found) = (0, None);
            while found.is_none() && end < length {
                end = (end + 1 + random.below(4)).min(length);
                found = finder.find(&bytes[..end]);
                // Asked again without anything new, it says the same.
                assert_eq!(finder.find(&bytes[..end]), found);
            }
            assert_eq!(found, expected, "{bytes:?}");
        }
    }

    #[test]
    fn no_byte_is_looked_at_twice() {
        // Would take a minute if each byte had all before it looked at again.
        let bytes = vec![b'x'; LOG_LIMIT];
        let mut finder = Finder::default();
        for end in 0..bytes.len() {
            assert_eq!(finder.find(&bytes[..end]), None);
            assert_eq!(finder.looked, end);
        }
        let returns = vec![b'\r'; LOG_LIMIT];
        let mut finder = Finder::default();
        for end in 0..returns.len() {
            assert_eq!(finder.find(&returns[..end]), None);
            assert_eq!(finder.looked, end.saturating_sub(1));
        }
    }

    #[test]
    fn the_next_packet_is_looked_for_anew() {
        let mut finder = Finder::default();
        assert_eq!(finder.find(b"abc\r\n\r\nd\r\n\r\n"), Some(3));
        finder.begin_anew();
        assert_eq!(finder.find(b"d\r\n\r\n"), Some(1));
        // Fewer bytes than it has seen are no reason to panic.
        assert_eq!(finder.find(b""), None);
    }
}
