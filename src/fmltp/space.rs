//! White space, which is skipped before packets and ignored around texts ("Framing").

/// Whether this is space, TAB, LF, VT, FF or CR: what the clients' own language strips.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// How many bytes of white space stand at the front.
pub fn leading(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| is_blank(byte)).count()
}

/// What is left without the white space at both ends.
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| !is_blank(byte)).map_or(0, |last| last + 1);
    let start = leading(&bytes[..end]);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_characters_are_white_space_and_no_other() {
        for byte in 0..=u8::MAX {
            let expected = b" \t\n\x0b\x0c\r".contains(&byte);
            assert_eq!(leading(&[byte, b'x']) == 1, expected, "{byte:#04x}");
            assert_eq!(trimmed(&[byte]).is_empty(), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn only_the_ends_are_trimmed() {
        let table: [(&[u8], &[u8]); 5] =
            [(b"", b""), (b" \r\n", b""), (b"a", b"a"), (b"\x0b a b\r\n", b"a b"), (b"a\0 ", b"a\0")];
        for (text, expected) in table {
            assert_eq!(trimmed(text), expected);
        }
    }
}
