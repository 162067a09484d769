//! A cursor over borrowed bytes: every read advances or fails, and a failure moves nothing.

use std::fmt;

use byteorder::{BigEndian, ByteOrder};

use super::text;

/// Strings and padded payloads end on a multiple of this many bytes.
const ALIGNMENT: usize = 4;

/// Why bytes did not parse, and at which offset from where the reader began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireError {
    /// Offset of the first byte of what is wrong.
    pub at: usize,
    /// The field's name, as the protocol page calls it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The bytes end inside it. Framing turns this into "not whole yet"; anywhere else it is an error.
    Short,
    /// The counted part that it belongs to ends before it.
    Missing,
    /// A number that this field does not take.
    Value(u32),
    /// One byte that means nothing here.
    Byte(u8),
    /// Bytes that have to be exactly something else.
    Constant([u8; 4]),
    /// A control character in a string.
    Control(u8),
    /// A string that is not UTF-8.
    NotUtf8,
    /// A string without its NUL within this many bytes.
    Unterminated(usize),
    /// A string of no bytes where one has to say something.
    Empty,
    /// Padding that is not NUL.
    Padding(u8),
}

impl WireError {
    /// True if more bytes could still make this parse.
    pub fn is_short(&self) -> bool {
        self.problem == Problem::Short
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, field, problem } = self;
        match problem {
            Problem::Short => write!(f, "{field} is cut short"),
            Problem::Missing => write!(f, "{field} is missing"),
            Problem::Value(value) => write!(f, "{field} {value} is not allowed"),
            Problem::Byte(found) => {
                write!(f, "{field} \"{}\" is not expected here", text::Escaped(&[*found]))
            }
            Problem::Constant(found) => write!(f, "{field} is \"{}\"", text::Escaped(found)),
            Problem::Control(byte) => write!(f, "{field} holds the control character 0x{byte:02x}"),
            Problem::NotUtf8 => write!(f, "{field} is not UTF-8"),
            Problem::Unterminated(limit) => write!(f, "{field} has no NUL within {limit} bytes"),
            Problem::Empty => write!(f, "{field} is empty"),
            Problem::Padding(byte) => write!(f, "{field} has padding 0x{byte:02x} in place of NUL"),
        }?;
        write!(f, " (byte {at})")
    }
}

impl std::error::Error for WireError {}

/// A cursor over the bytes of a peer.
///
/// Fields are judged from left to right, each as soon as the bytes that show it are there, so that parsing
/// a prefix of a packet gives either [`Problem::Short`] or the very error that the whole packet gives.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        // `at` never passes the end: only `bytes` below moves it, after it has looked.
        &self.bytes[self.at..]
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], WireError> {
        let taken = self.rest().get(..count).ok_or_else(|| self.error(field, Problem::Short))?;
        self.at += count;
        Ok(taken)
    }

    /// A reader over the next `count` bytes alone: a counted part cannot reach beyond its count.
    pub fn sub(&mut self, field: &'static str, count: usize) -> Result<Reader<'a>, WireError> {
        self.bytes(field, count).map(Reader::new)
    }

    /// The next four bytes, as they stand.
    pub fn word(&mut self, field: &'static str) -> Result<[u8; 4], WireError> {
        let mut word = [0; 4];
        word.copy_from_slice(self.bytes(field, 4)?);
        Ok(word)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(self.bytes(field, 1)?[0])
    }

    /// A 24-bit number, most significant byte first.
    pub fn u24(&mut self, field: &'static str) -> Result<u32, WireError> {
        Ok(BigEndian::read_u24(self.bytes(field, 3)?))
    }

    /// A 32-bit number, most significant byte first.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        Ok(BigEndian::read_u32(self.bytes(field, 4)?))
    }

    /// A 32-bit number that has to lie within `allowed`.
    pub fn u32_in(
        &mut self,
        field: &'static str,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, WireError> {
        let start = self.clone();
        let value = self.u32(field)?;
        if allowed.contains(&value) { Ok(value) } else { Err(start.error(field, Problem::Value(value))) }
    }

    /// A signed 64-bit number, most significant byte first.
    pub fn i64(&mut self, field: &'static str) -> Result<i64, WireError> {
        Ok(BigEndian::read_i64(self.bytes(field, 8)?))
    }

    /// A string: UTF-8 of at most `limit` bytes without control characters, a NUL, and NULs up to the next
    /// multiple of four bytes.
    pub fn string(&mut self, field: &'static str, limit: usize) -> Result<&'a str, WireError> {
        let window = &self.rest()[..self.rest().len().min(limit + 1)];
        let end = window.iter().position(|&byte| byte < 0x20 || byte == 0x7f);
        let said = &window[..end.unwrap_or(window.len())];
        let text = text::utf8_prefix(said, end.is_some())
            .map_err(|offset| self.error_ahead(field, offset, Problem::NotUtf8))?;
        match end.map(|end| window[end]) {
            Some(0) => {}
            Some(control) => return Err(self.error_ahead(field, said.len(), Problem::Control(control))),
            None if window.len() > limit => return Err(self.error(field, Problem::Unterminated(limit + 1))),
            None => return Err(self.error(field, Problem::Short)),
        }
        let mut after = self.clone();
        after.at += said.len() + 1;
        after.padding(field, said.len() + 1)?;
        *self = after;
        Ok(text)
    }

    /// A string that says something.
    pub fn filled_string(&mut self, field: &'static str, limit: usize) -> Result<&'a str, WireError> {
        let start = self.clone();
        if self.rest().first() == Some(&0) {
            return Err(start.error(field, Problem::Empty));
        }
        self.string(field, limit)
    }

    /// The NULs that follow `length` bytes up to the next multiple of four.
    pub fn padding(&mut self, field: &'static str, length: usize) -> Result<(), WireError> {
        for _ in 0..length.next_multiple_of(ALIGNMENT) - length {
            let start = self.clone();
            match self.u8(field)? {
                0 => {}
                other => return Err(start.error(field, Problem::Padding(other))),
            }
        }
        Ok(())
    }

    /// An error about the byte that comes next.
    pub fn error(&self, field: &'static str, problem: Problem) -> WireError {
        self.error_ahead(field, 0, problem)
    }

    fn error_ahead(&self, field: &'static str, offset: usize, problem: Problem) -> WireError {
        WireError { at: self.at + offset, field, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_most_significant_byte_first() {
        let mut reader =
            Reader::new(&[1, 0, 0, 2, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(reader.u8("byte"), Ok(1));
        assert_eq!(reader.u24("three"), Ok(2));
        assert_eq!(reader.u32("four"), Ok(3));
        assert_eq!(reader.i64("eight"), Ok(-2));
        assert_eq!(reader.u8("beyond").map_err(|error| error.problem), Err(Problem::Short));
        assert_eq!(reader.position(), 16, "a failed read moves nothing");
    }

    #[test]
    fn a_counted_part_is_fenced() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5]);
        let mut part = reader.sub("part", 2).unwrap();
        assert_eq!(part.bytes("in", 2), Ok(&[1, 2][..]));
        assert!(part.u8("over the fence").unwrap_err().is_short());
        assert_eq!(reader.u8("behind"), Ok(3));
    }

    #[test]
    fn strings_are_judged_as_soon_as_the_bytes_show_it() {
        use Problem::*;
        let long = [b'a'; 256];
        type Judged<'a> = Result<&'a str, (usize, Problem)>;
        let table: &[(&[u8], Judged<'_>)] = &[
            (b"bob\0", Ok("bob")),
            (b"\0\0\0\0", Ok("")),
            (b"alice\0\0\0", Ok("alice")),
            (b"bo", Err((0, Short))),
            (b"alice\0\0", Err((7, Short))),
            ("\u{80}\u{9f}é\0\0".as_bytes(), Ok("\u{80}\u{9f}é")),
            ("é".as_bytes(), Err((0, Short))),
            (b"\xc3", Err((0, Short))),
            (b"\xc3\0\0\0", Err((0, NotUtf8))),
            (b"a\xff", Err((1, NotUtf8))),
            (b"a\n", Err((1, Control(b'\n')))),
            (b"a\x7f", Err((1, Control(0x7f)))),
            (b"alice\0\0x", Err((7, Padding(b'x')))),
            (b"alice\0x", Err((6, Padding(b'x')))),
            (&long, Err((0, Unterminated(256)))),
            (&long[..255], Err((0, Short))),
        ];
        for (bytes, expected) in table {
            let found = Reader::new(bytes).string("name", 255).map_err(|error| (error.at, error.problem));
            assert_eq!(&found, expected, "{}", text::Escaped(bytes));
        }
        assert_eq!(Reader::new(&[0; 4]).filled_string("name", 255).unwrap_err().problem, Empty);
    }

    #[test]
    fn errors_say_what_is_wrong_and_where() {
        let error = Reader::new(b"GET ").error("magic", Problem::Constant(*b"GE\0\xff"));
        assert_eq!(error.to_string(), "magic is \"GE\\x00\\xff\" (byte 0)");
    }
}
