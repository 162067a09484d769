//! What a server of chapp says, read strictly by the page.

/// A message as it is delivered and kept: what the page calls M.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// The server's local time, in brackets.
    pub timestamp: String,
    /// The text.
    pub message: String,
    /// Who sent it.
    pub from: String,
    /// Whom to.
    pub to: String,
}

impl Kept {
    /// Reads an M that is all of `text`.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut rest = text;
        let kept = Self::take(&mut rest);
        assert_eq!(rest, "", "something behind a message: {text:?}");
        kept
    }

    /// Reads `[M, M]`.
    #[track_caller]
    pub fn parse_list(text: &str) -> Vec<Self> {
        let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let mut rest = inside.unwrap_or_else(|| panic!("no list: {text:?}"));
        let mut all = Vec::new();
        while !rest.is_empty() {
            if !all.is_empty() {
                skip(&mut rest, ", ");
            }
            all.push(Self::take(&mut rest));
        }
        all
    }

    #[track_caller]
    fn take(rest: &mut &str) -> Self {
        let mut field = |before: &str| {
            skip(rest, before);
            take_string(rest)
        };
        let timestamp = field("{\"timestamp\": \"");
        let message = field(", \"message\": \"");
        let from = field(", \"from_user\": \"");
        let to = field(", \"to_user\": \"");
        skip(rest, "}");
        let is_digit_or = |(byte, form): (u8, u8)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == form,
        };
        let form = "[0000-00-00 00:00:00]";
        let fits = timestamp.len() == form.len() && timestamp.bytes().zip(form.bytes()).all(is_digit_or);
        assert!(fits, "no time: {timestamp:?}");
        Self { timestamp, message, from, to }
    }
}

/// The texts of messages.
pub fn texts(kept: &[Kept]) -> Vec<&str> {
    kept.iter().map(|kept| kept.message.as_str()).collect()
}

#[track_caller]
fn skip(rest: &mut &str, wanted: &str) {
    let (there, _) = rest.split_at(rest.floor_char_boundary(80));
    *rest = rest.strip_prefix(wanted).unwrap_or_else(|| panic!("no {wanted:?} at {there:?}"));
}

/// The rest of a string up to its closing quote. Nothing but what the page allows stands behind a backslash.
#[track_caller]
fn take_string(rest: &mut &str) -> String {
    let mut text = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next().expect("a string ends") {
            '"' => break,
            '\\' => text.push(take_escaped(&mut chars)),
            control @ '\0'..='\x1f' => panic!("a control character as it is: {control:?}"),
            other => text.push(other),
        }
    }
    *rest = chars.as_str();
    text
}

#[track_caller]
fn take_escaped(chars: &mut std::str::Chars<'_>) -> char {
    match chars.next() {
        Some(same @ ('"' | '\\')) => same,
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('b') => '\x08',
        Some('f') => '\x0c',
        Some('u') => {
            let digits = chars.as_str().get(..4).expect("four digits");
            *chars = chars.as_str()[4..].chars();
            let number = u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("\\u{digits}"));
            assert!(digits.starts_with("00"), "\\u{digits}");
            number.into()
        }
        other => panic!("{other:?} behind a backslash"),
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What the connection is called, as the server has it.
    pub to: String,
    /// The ID of the request; -1: of none.
    pub about: i64,
    /// What came of it.
    pub status: u16,
    /// The fields behind those, where all went well.
    pub fields: Vec<String>,
}

impl Reply {
    /// The list of messages that stands behind the name.
    #[track_caller]
    pub fn messages(&self) -> Vec<Kept> {
        Kept::parse_list(&self.fields[1])
    }
}

/// A message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The ID that its sender gave it.
    pub id: u64,
    /// What it says.
    pub kept: Kept,
}

/// What a status is called.
#[track_caller]
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "UNPARSABLE_ACTION",
        201 => "INVALID_ACTION",
        202 => "UNPARSABLE_FIELD",
        203 => "DUPLICATE_FIELD",
        204 => "MISSING_REQUIRED_FIELD",
        205 => "MALFORMED_ID_LINE",
        301 => "INVALID_USERNAME",
        302 => "INVALID_TO_USER",
        303 => "INVALID_FROM_USER",
        304 => "NOT_INTRODUCED",
        305 => "CLIENT_NOT_FOUND",
        306 => "REPLACED",
        400 => "SERVER_ERROR",
        other => panic!("no status of the page: {other}"),
    }
}

/// Whose name it is, and the message, of a text such as `ann->bob`.
#[track_caller]
pub fn way(text: &str) -> (&str, &str) {
    text.split_once("->").unwrap_or_else(|| panic!("no way from one to another: {text:?}"))
}
