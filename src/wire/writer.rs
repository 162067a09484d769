//! Emitting: the mirror image of [`Reader`](super::Reader), appending to a vector of bytes.

use super::text;

/// Appends NULs up to the next multiple of four of `length`.
pub fn padding(out: &mut Vec<u8>, length: usize) {
    out.resize(out.len() + length.next_multiple_of(4) - length, 0);
}

/// Appends a string: its bytes, a NUL, and NULs up to the next multiple of four.
///
/// What no string may hold cannot be emitted: control characters become `?`, and beyond `limit` bytes it is
/// cut between two characters. Text that was parsed by [`Reader::string`](super::Reader::string) comes out
/// as it went in.
pub fn string(out: &mut Vec<u8>, said: &str, limit: usize) {
    let start = out.len();
    let said = text::truncate(said, limit);
    out.extend(said.bytes().map(|byte| if byte < 0x20 || byte == 0x7f { b'?' } else { byte }));
    out.push(0);
    padding(out, out.len() - start);
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    #[test]
    fn strings_come_back_as_they_went_in() {
        for said in ["", "bob", "alice", "\u{80}é", &"x".repeat(255)] {
            let mut out = Vec::new();
            string(&mut out, said, 255);
            assert_eq!(out.len() % 4, 0);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.string("name", 255), Ok(said));
            assert!(reader.rest().is_empty());
        }
    }

    #[test]
    fn what_no_string_may_hold_is_not_emitted() {
        let mut out = Vec::new();
        string(&mut out, &format!("a\nb\0{}é", "x".repeat(250)), 255);
        let text = Reader::new(&out).string("name", 255).unwrap().to_owned();
        assert_eq!(text, format!("a?b?{}", "x".repeat(250)));
    }
}
