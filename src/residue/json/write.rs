//! JSON is written compactly, and so that it stays on one line and does nothing to a terminal.

/// An object that is being written, member by member.
#[must_use = "it has to be ended"]
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    /// What goes before the next member.
    mark: u8,
}

impl<'o> ObjectWriter<'o> {
    /// An object without members yet, behind what `out` holds.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        Self { out, mark: b'{' }
    }

    /// A member that is a string.
    pub fn text(mut self, key: &'static str, text: &str) -> Self {
        self.key(key);
        self.out.push(b'"');
        put_escaped(self.out, text);
        self.out.push(b'"');
        self
    }

    /// A member that is a number.
    pub fn integer(mut self, key: &'static str, number: impl Into<i128>) -> Self {
        self.key(key);
        put_integer(self.out, number);
        self
    }

    /// A member that is an object.
    pub fn object(
        mut self,
        key: &'static str,
        members: impl FnOnce(ObjectWriter<'_>) -> ObjectWriter<'_>,
    ) -> Self {
        self.key(key);
        members(ObjectWriter::begin(self.out)).end();
        self
    }

    /// That was all.
    pub fn end(self) {
        if self.mark == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }

    /// Whoever fills in a value by himself does so behind this.
    pub(in crate::residue) fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(&[self.mark, b'"']);
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.mark = b',';
    }
}

/// Appends text as it stands between the quotes of a string. Control characters are escaped, those beyond ASCII as
/// well, and what ends lines.
pub fn put_escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut start = 0;
    for (at, character) in text.char_indices() {
        let Some(short) = escape(character) else { continue };
        out.extend_from_slice(&text.as_bytes()[start..at]);
        out.extend([b'\\', short]);
        if short == b'u' {
            let code = u32::from(character);
            out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift & 15) as usize]));
        }
        start = at + character.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[start..]);
}

/// How long text is where it is escaped so.
pub fn escaped_length(text: &str) -> usize {
    let more = |character: char| match escape(character) {
        Some(b'u') => 6 - character.len_utf8(),
        Some(_) => 2 - character.len_utf8(),
        None => 0,
    };
    text.len() + text.chars().map(more).sum::<usize>()
}

/// What stands behind the backslash for a character that is escaped.
fn escape(character: char) -> Option<u8> {
    Some(match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\0'..' ' | '\u{7f}'..'\u{a0}' | '\u{2028}' | '\u{2029}' => b'u',
        _ => return None,
    })
}

/// Appends a number in decimal; its amount has to fit into 64 bits.
pub fn put_integer(out: &mut Vec<u8>, number: impl Into<i128>) {
    let number = number.into();
    if number < 0 {
        out.push(b'-');
    }
    let mut digits = [0; 20];
    let (mut rest, mut start) = (u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX), digits.len());
    for digit in digits.iter_mut().rev() {
        // It is less than ten.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_member_by_member() {
        let mut out = b"x".to_vec();
        ObjectWriter::begin(&mut out).end();
        ObjectWriter::begin(&mut out)
            .integer("n", i64::MIN)
            .text("t", "a\"\\\n\u{7f}\u{2028}é")
            .object("o", |object| object.integer("z", 0))
            .object("e", |object| object)
            .integer("m", u64::MAX)
            .end();
        let expected = concat!(
            r#"x{}{"n":-9223372036854775808,"t":"a\"\\\n\u007f\u2028é","#,
            r#""o":{"z":0},"e":{},"m":18446744073709551615}"#
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, -1, 1_000_000, i128::from(u64::MAX), -i128::from(u64::MAX)] {
            let mut out = Vec::new();
            put_integer(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
