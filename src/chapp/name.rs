//! What clients call themselves, and each other ("Names").

use std::fmt;
use std::str;
use std::sync::Arc;

/// The most bytes that a name may have.
pub const NAME_LIMIT: usize = 64;

/// Names that nobody may have, in any ASCII case: replies come from and go to them.
const RESERVED: [&str; 2] = ["server", "unknown"];

/// A valid name ("Names"). Names are compared byte for byte.
///
/// It may hold characters that a terminal should not be shown: whoever shows it says how.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The name of these bytes, if it is valid: 1 to [`NAME_LIMIT`] bytes of UTF-8 without control
    /// characters, `->`, backslash, or white space at the ends, and not reserved.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, NameError> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() || bytes.len() > NAME_LIMIT {
            return Err(NameError::Length(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|error| NameError::NotUtf8(error.valid_up_to()))?;
        if let Some(at) = text.find(char::is_control) {
            return Err(NameError::Control(at));
        }
        if let Some(at) = text.find("->").or_else(|| text.find('\\')) {
            return Err(NameError::Mark(at));
        }
        if text.trim() != text {
            return Err(NameError::Blank);
        }
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(text)) {
            return Err(NameError::Reserved);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Why bytes are no valid name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// They are this many, and may be 1 to [`NAME_LIMIT`].
    Length(usize),
    /// They stop being UTF-8 at this offset.
    NotUtf8(usize),
    /// There is a control character at this offset.
    Control(usize),
    /// There is a `->` or a backslash at this offset, which messages are made of.
    Mark(usize),
    /// There is white space at an end.
    Blank,
    /// The server itself goes by this name.
    Reserved,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "a name has 1 to {NAME_LIMIT} bytes, not {length}"),
            Self::NotUtf8(at) => write!(f, "a name is UTF-8, which this stops being at byte {at}"),
            Self::Control(at) => write!(f, "a name has no control character, which there is at byte {at}"),
            Self::Mark(at) => write!(f, "a name has no \"->\" and no backslash, which there is at byte {at}"),
            Self::Blank => f.write_str("a name has no white space at its ends"),
            Self::Reserved => f.write_str("the names \"server\" and \"unknown\" are the server's own"),
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_page_says() {
        let longest = "x".repeat(64);
        for good in ["a", "ann", "Ann B.", "a-b>c", "é", "\u{1f600}", "a:b", "servers", "\"", &longest] {
            assert_eq!(Name::parse(good).map(|name| name.as_str().to_owned()), Ok(good.to_owned()));
        }
        let accented = "é".repeat(33);
        let table: [(&[u8], NameError); 18] = [
            (b"", NameError::Length(0)),
            (&[b'x'; 65], NameError::Length(65)),
            (accented.as_bytes(), NameError::Length(66)),
            (b"a\xff", NameError::NotUtf8(1)),
            (b"a\xc3", NameError::NotUtf8(1)),
            (b"a\tb", NameError::Control(1)),
            (b"a\n", NameError::Control(1)),
            (b"\0", NameError::Control(0)),
            (b"\x7f", NameError::Control(0)),
            ("a\u{85}".as_bytes(), NameError::Control(1)),
            (b"a->b", NameError::Mark(1)),
            (b"ab\\", NameError::Mark(2)),
            (b" a", NameError::Blank),
            ("a\u{a0}".as_bytes(), NameError::Blank),
            ("\u{3000}".as_bytes(), NameError::Blank),
            (b"server", NameError::Reserved),
            (b"SerVer", NameError::Reserved),
            (b"UNKNOWN", NameError::Reserved),
        ];
        for (bad, expected) in table {
            assert_eq!(Name::parse(bad), Err(expected), "{bad:?}");
        }
    }

    #[test]
    fn names_are_compared_byte_for_byte() {
        assert_ne!(Name::parse("ann"), Name::parse("Ann"));
        assert_ne!(Name::parse("\u{e9}"), Name::parse("e\u{301}"));
        assert_eq!(Name::parse("ann"), Name::parse(b"ann"));
    }
}
