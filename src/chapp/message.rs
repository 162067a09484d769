//! A message as it is kept, listed and delivered ("Messages"): a JSON object and a Python literal at once.
//!
//! ```text
//!     {"timestamp": "[YYYY-MM-DD hh:mm:ss]", "message": "...", "from_user": "...", "to_user": "..."}
//! ```
//!
//! Nothing in it can end a field: a line feed is always escaped.

use std::fmt;

use super::name::{Name, NameError};

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

/// Appends text as it stands between the quotes of a string: control characters are escaped, which JSON
/// wants, and so are quotes and backslashes; all else is raw.
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

/// A message, as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it was kept, in the server's local time: `YYYY-MM-DD hh:mm:ss`, or whatever the server says.
    pub timestamp: Box<str>,
    /// What it says.
    pub text: Box<str>,
    /// Who posted it.
    pub from: Name,
    /// Whom it is for.
    pub to: Name,
}

impl Message {
    /// Reads M, in exactly the form in which it is rendered.
    pub fn parse(value: &str) -> Result<Self, MessageError> {
        let mut cursor = Cursor { whole: value, rest: value };
        let message = cursor.message()?;
        cursor.end()?;
        Ok(message)
    }

    /// Reads `[M, M]`.
    pub fn parse_list(value: &str) -> Result<Vec<Self>, MessageError> {
        let mut cursor = Cursor { whole: value, rest: value };
        let mut messages = Vec::new();
        cursor.expect("[")?;
        if cursor.rest.starts_with('{') {
            messages.push(cursor.message()?);
            while !cursor.rest.starts_with(']') {
                cursor.expect(", ")?;
                messages.push(cursor.message()?);
            }
        }
        cursor.expect("]")?;
        cursor.end()?;
        Ok(messages)
    }
}

/// Why a text is no message, and at which offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageError {
    /// Offset of what is wrong.
    pub at: usize,
    /// What is wrong.
    pub problem: MessageProblem,
}

/// What can be wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageProblem {
    /// This has to stand here.
    Expected(&'static str),
    /// A backslash with something behind it that it must not have.
    Escape,
    /// A control character that is not escaped.
    Control,
    /// Something stands behind the end.
    Excess,
    /// A name is not valid.
    Name(NameError),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            MessageProblem::Expected(what) => write!(f, "a message lacks {what:?}"),
            MessageProblem::Escape => f.write_str("a message holds an unknown escape"),
            MessageProblem::Control => f.write_str("a message holds a bare control character"),
            MessageProblem::Excess => f.write_str("something stands behind a message"),
            MessageProblem::Name(error) => error.fmt(f),
        }?;
        write!(f, " (byte {} of it)", self.at)
    }
}

impl std::error::Error for MessageError {}

/// Reads a text from left to right.
struct Cursor<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl Cursor<'_> {
    fn message(&mut self) -> Result<Message, MessageError> {
        self.expect("{\"timestamp\": \"[")?;
        let mut timestamp = self.string()?;
        if timestamp.pop() != Some(']') {
            return Err(self.error(MessageProblem::Expected("]")));
        }
        self.expect(", \"message\": \"")?;
        let text = self.string()?.into();
        self.expect(", \"from_user\": \"")?;
        let from = self.name()?;
        self.expect(", \"to_user\": \"")?;
        let to = self.name()?;
        self.expect("}")?;
        Ok(Message { timestamp: timestamp.into(), text, from, to })
    }

    fn name(&mut self) -> Result<Name, MessageError> {
        let at = self.at();
        let name = self.string()?;
        Name::parse(name).map_err(|error| MessageError { at, problem: MessageProblem::Name(error) })
    }

    /// What stands up to the next quote, which is taken along.
    fn string(&mut self) -> Result<String, MessageError> {
        let mut string = String::new();
        loop {
            let special = |c: char| c == '"' || c == '\\' || c < ' ';
            let Some(end) = self.rest.find(special) else {
                self.rest = "";
                return Err(self.error(MessageProblem::Expected("\"")));
            };
            let (raw, rest) = self.rest.split_at(end);
            string.push_str(raw);
            self.rest = rest;
            if let Some(rest) = rest.strip_prefix('"') {
                self.rest = rest;
                return Ok(string);
            }
            let (character, length) = unescape(rest).map_err(|problem| self.error(problem))?;
            string.push(character);
            self.rest = &rest[length..];
        }
    }

    fn expect(&mut self, what: &'static str) -> Result<(), MessageError> {
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.ok_or_else(|| self.error(MessageProblem::Expected(what)))?;
        Ok(())
    }

    fn end(&self) -> Result<(), MessageError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(MessageProblem::Excess)) }
    }

    fn at(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    fn error(&self, problem: MessageProblem) -> MessageError {
        MessageError { at: self.at(), problem }
    }
}

/// The character that the escape at the front of `text` stands for, and how many bytes the escape has.
fn unescape(text: &str) -> Result<(char, usize), MessageProblem> {
    let Some(escape) = text.strip_prefix('\\') else { return Err(MessageProblem::Control) };
    let character = match escape.as_bytes().first() {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        _ => {
            let digits = escape.strip_prefix("u00").and_then(|rest| rest.get(..2));
            let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            return code.map(|code| (char::from(code), 6)).ok_or(MessageProblem::Escape);
        }
    };
    Ok((character, 2))
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

    #[test]
    fn a_message_comes_back_as_it_went_in() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain(['\u{2028}', '\u{1f600}']).collect();
        for text in ["", "hi", "ends in \\", "\"}", "]", all.as_str()] {
            let message = Message::parse(&rendered(text)).unwrap();
            assert_eq!((&*message.timestamp, &*message.text), ("2026-11-21 06:59:13", text));
            assert_eq!((message.from.as_str(), message.to.as_str()), ("ann", "b\"ob"));
        }
    }

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let (one, other) = (rendered("one"), rendered("other"));
        let length = |list: &str| Message::parse_list(list).map(|messages| messages.len());
        let list = format!("[{one}, {other}]");
        assert_eq!((length("[]"), length(&format!("[{one}]")), length(&list)), (Ok(0), Ok(1), Ok(2)));
        for cut in 0..list.len() {
            assert!(length(&list[..cut]).is_err(), "{cut}");
        }
        for wrong in ["[,]", "[ ]", "[]]", &format!("[{one},{other}]"), &format!("[{one}, ]")] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_as_it_is_rendered_is_refused() {
        let table = [
            ("hi", "h'i\u{1}", MessageProblem::Control),
            ("hi", r"\u0100", MessageProblem::Escape),
            ("hi", r"\u00é", MessageProblem::Escape),
            ("hi", r"\u00+1", MessageProblem::Escape),
            ("hi", r"\x41", MessageProblem::Escape),
            ("\"ann\"", "\"a\\\\nn\"", MessageProblem::Name(NameError::Mark(1))),
            ("]\"", "\"", MessageProblem::Expected("]")),
        ];
        for (part, instead, problem) in table {
            let text = rendered("hi").replacen(part, instead, 1);
            assert_eq!(Message::parse(&text).unwrap_err().problem, problem, "{text}");
        }
        assert_eq!(Message::parse(&(rendered("") + " ")).unwrap_err().problem, MessageProblem::Excess);
    }
}
