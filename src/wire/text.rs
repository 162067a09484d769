//! What is safe to show of what a peer sent.

use std::fmt::{self, Write as _};

/// Bytes of a peer, shown so that nothing in them can act on a terminal or end a line: printable ASCII as it
/// is, all else as `\xNN`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            match byte {
                b'\\' | b'"' => write!(f, "\\{}", char::from(byte))?,
                0x20..=0x7e => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

/// Text of a peer, shown as it is but for its control characters, which become `\u{XX}`: whoever writes to us
/// does not get to move our cursor.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if acts(character) {
                write!(f, "\\u{{{:02X}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Whether a character that is shown can act on a terminal, or on the text around it.
pub fn acts(character: char) -> bool {
    character.is_control() || is_direction(character)
}

/// The characters that turn the direction of the text around them, and line and paragraph separators.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest prefix of `text` of at most `limit` bytes that ends between two characters.
pub fn truncate(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// The text of `bytes`, or the offset at which they stop being UTF-8. Unless they are `whole`, a character
/// that is cut short at the end is no error: what is there of it is left out.
pub(super) fn utf8_prefix(bytes: &[u8], whole: bool) -> Result<&str, usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if error.error_len().is_none() && !whole => {
            Ok(std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default())
        }
        Err(error) => Err(error.valid_up_to()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_can_act_on_a_terminal() {
        assert_eq!(Escaped(b"a\"\\\x1b[2J\n\xc3\xa9").to_string(), r#"a\"\\\x1b[2J\x0a\xc3\xa9"#);
        assert_eq!(Printable("é\u{1b}[2J\u{9b}\u{202e}").to_string(), r"é\u{1B}[2J\u{9B}\u{202E}");
    }

    #[test]
    fn truncation_never_cuts_a_character() {
        assert_eq!(truncate("aé", 2), "a");
        assert_eq!(truncate("aé", 3), "aé");
        assert_eq!(truncate("aé", 9), "aé");
    }
}
