//! A message as it is kept, listed and delivered ("Messages"): a JSON object and a Python literal at once.
//!
//! ```text
//!     {"timestamp": "[YYYY-MM-DD hh:mm:ss]", "message": "...", "from_user": "...", "to_user": "..."}
//! ```
//!
//! Nothing in it can end a field: a line feed is always escaped.

use super::name::Name;

/// M: what is kept of a message. `timestamp` is `YYYY-MM-DD hh:mm:ss`.
pub fn render(timestamp: &str, message: &str, from: &Name, to: &Name) -> Box<[u8]> {
    let mut out = Vec::with_capacity(90 + message.len() + from.as_bytes().len() + to.as_bytes().len());
    out.extend_from_slice(b"{\"timestamp\": \"[");
    escape(&mut out, timestamp);
    out.extend_from_slice(b"]\", \"message\": \"");
    escape(&mut out, message);
    out.extend_from_slice(b"\", \"from_user\": \"");
    escape(&mut out, from.as_str());
    out.extend_from_slice(b"\", \"to_user\": \"");
    escape(&mut out, to.as_str());
    out.extend_from_slice(b"\"}");
    out.into()
}

/// Appends text as it stands between the quotes of a string: control characters are escaped, which JSON wants,
/// and so are quotes and backslashes; all else is raw.
fn escape(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in text.bytes() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend([b'\\', short]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(message: &str) -> String {
        let (ann, bob) = (Name::parse("ann").unwrap(), Name::parse("b\"ob").unwrap());
        String::from_utf8(render("2026-11-21 06:59:13", message, &ann, &bob).into()).unwrap()
    }

    #[test]
    fn a_message_has_golden_bytes() {
        assert_eq!(
            rendered("hi bob"),
            r#"{"timestamp": "[2026-11-21 06:59:13]", "message": "hi bob", "from_user": "ann", "to_user": "b\"ob"}"#
        );
    }

    #[test]
    fn only_the_escapes_of_the_page_occur() {
        let message = "\0\u{1}\u{1f}\u{8}\t\n\u{c}\r\"\\'/\u{7f}\u{85}é\u{2028}\u{1f600}";
        let expected = "\\u0000\\u0001\\u001f\\b\\t\\n\\f\\r\\\"\\\\'/\u{7f}\u{85}é\u{2028}\u{1f600}";
        assert!(rendered(message).contains(&format!("\"message\": \"{expected}\", ")));
    }
}
