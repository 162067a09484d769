//! JSON, as strictly as clients need it ("JSON").
//!
//! The grammar is that of `serde_json`. What a value is worth is decided here, for there it would be decided less
//! strictly: a number is an integer or nothing, and a text is looked at where it stands, so that no copy of a secret
//! is left behind in anybody's buffer.

mod write;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

pub use write::{ObjectWriter, escaped_length, put_escaped, put_integer};

/// How deep objects and arrays may stand in each other.
pub const DEPTH_LIMIT: usize = 32;

/// What is read of an object. Whatever is put last counts: a key may be repeated.
pub trait Fields<'a>: Default {
    /// Takes the value of a key, or ignores it.
    fn put(&mut self, key: &[u8], value: Value<'a>);
}

/// Reads one object.
///
/// # Errors
/// The text is not JSON, or no object.
pub fn object<'a, F: Fields<'a>>(text: &'a [u8]) -> Result<F, JsonError> {
    match read(text, 0)? {
        Some(Document::One(fields)) => Ok(fields),
        Some(Document::Many { .. }) | None => Err(JsonError { at: 0, problem: JsonProblem::NoObject }),
    }
}

/// Reads one object, or an array of at most `limit` of them.
///
/// # Errors
/// The text is not JSON, or neither; or the array is longer.
pub fn objects<'a, F: Fields<'a>>(text: &'a [u8], limit: usize) -> Result<Document<F>, JsonError> {
    read(text, limit)?.ok_or(JsonError { at: 0, problem: JsonProblem::NoObject })
}

/// What a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document<F> {
    /// An object.
    One(F),
    /// An array.
    Many {
        /// The objects in it.
        objects: Vec<F>,
        /// How much else is in it.
        others: usize,
    },
}

/// A value as it stands in its text.
#[derive(Clone, Copy)]
pub struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// Whether it is `null`, which is as good as nothing.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// An integer. Whatever has a fraction or an exponent is none, and neither is what 64 bits do not hold.
    pub fn integer(self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// A string.
    pub fn text(self) -> Option<Text<'a>> {
        self.0.strip_prefix('"')?.strip_suffix('"').map(Text)
    }

    /// An object.
    pub fn object<F: Fields<'a>>(self) -> Option<F> {
        object(self.0.as_bytes()).ok()
    }
}

/// A string as it stands in its text, between the quotes.
#[derive(Clone, Copy, Default)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Whether it says nothing.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it takes in the document.
    pub fn written_length(self) -> usize {
        self.0.len()
    }

    /// What it says.
    pub fn decode(self) -> Cow<'a, str> {
        if self.0.contains('\\') { Cow::Owned(self.unescaped()) } else { Cow::Borrowed(self.0) }
    }

    /// What it says, for whoever keeps it.
    pub fn boxed(self) -> Box<str> {
        self.decode().into()
    }

    /// What it says, if that is a secret.
    pub fn secret(self) -> Zeroizing<String> {
        Zeroizing::new(self.unescaped())
    }

    /// What it says, piece by piece. Half of a pair of surrogates, which clients send where they cut a text in two,
    /// becomes U+FFFD.
    #[inline]
    pub fn pieces(self, mut take: impl FnMut(&str)) {
        let mut rest = self.0;
        while let Some(at) = rest.find('\\') {
            let (plain, escape) = rest.split_at(at);
            if !plain.is_empty() {
                take(plain);
            }
            let (character, length) = unescape(escape.as_bytes());
            take(character.encode_utf8(&mut [0; 4]));
            rest = escape.get(length..).unwrap_or_default();
        }
        if !rest.is_empty() {
            take(rest);
        }
    }

    fn unescaped(self) -> String {
        // Nothing is longer without its escapes: it never grows, which would leave parts of a secret behind.
        let mut text = String::with_capacity(self.0.len());
        self.pieces(|piece| text.push_str(piece));
        text
    }
}

/// The character that the escape at the front stands for, and how many bytes the escape has. That it is one is
/// known: the grammar has been checked.
fn unescape(escape: &[u8]) -> (char, usize) {
    let character = match escape.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unescape_unit(escape),
        Some(&other) => char::from(other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, 2)
}

fn unescape_unit(escape: &[u8]) -> (char, usize) {
    let Some(first) = unit(escape) else { return (char::REPLACEMENT_CHARACTER, 6) };
    if let Some(character) = char::from_u32(first.into()) {
        return (character, 6);
    }
    let second = escape.get(6..).and_then(unit);
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    pair.map_or((char::REPLACEMENT_CHARACTER, 6), |character| (character, 12))
}

/// The UTF-16 unit that a `\uXXXX` at the front is.
fn unit(escape: &[u8]) -> Option<u16> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0_u16, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Why a text is not what it should be, and at which offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Offset of what is wrong.
    pub at: usize,
    /// What is wrong.
    pub problem: JsonProblem,
}

/// What can be wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonProblem {
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON.
    Malformed,
    /// It ends too early.
    CutShort,
    /// Objects and arrays stand too deep in each other.
    TooDeep,
    /// It is JSON, but not an object.
    NoObject,
    /// There is more in an array than there may be.
    TooMany,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            JsonProblem::NotUtf8 => "is not UTF-8",
            JsonProblem::Malformed => "is not JSON",
            JsonProblem::CutShort => "ends too early",
            JsonProblem::TooDeep => "is nested too deep",
            JsonProblem::NoObject => "is no JSON object",
            JsonProblem::TooMany => "has too many items",
        };
        write!(f, "it {what} (byte {})", self.at)
    }
}

impl std::error::Error for JsonError {}

/// Reads a document; none: it is something else than an object or an array.
fn read<'a, F: Fields<'a>>(text: &'a [u8], limit: usize) -> Result<Option<Document<F>>, JsonError> {
    let text = std::str::from_utf8(text)
        .map_err(|error| JsonError { at: error.valid_up_to(), problem: JsonProblem::NotUtf8 })?;
    let context = Context { text, limit, found: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Node { context: &context, depth: 0, fields: PhantomData }.deserialize(&mut deserializer);
    let read = read.and_then(|read| deserializer.end().map(|()| read));
    read.map_err(|error| context.found.get().unwrap_or_else(|| translated(&error, text)))
}

/// What went wrong, in our words: those of others may hold what a peer has sent.
fn translated(error: &serde_json::Error, text: &str) -> JsonError {
    let problem = match error.classify() {
        Category::Eof => JsonProblem::CutShort,
        Category::Io | Category::Syntax | Category::Data => JsonProblem::Malformed,
    };
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    JsonError { at: (before + error.column().saturating_sub(1)).min(text.len()), problem }
}

/// What is the same throughout a text.
struct Context<'a> {
    text: &'a str,
    limit: usize,
    /// What we found wrong ourselves.
    found: Cell<Option<JsonError>>,
}

impl Context<'_> {
    /// Where a part of the text stands in it.
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    fn fail<E: serde::de::Error>(&self, at: usize, problem: JsonProblem) -> E {
        self.found.set(Some(JsonError { at, problem }));
        E::custom("")
    }

    /// A value that stands in `depth` objects and arrays.
    fn value<'de, E: serde::de::Error>(&self, raw: &'de RawValue, depth: usize) -> Result<Value<'de>, E> {
        let text = raw.get();
        match too_deep(text.as_bytes(), depth) {
            None => Ok(Value(text)),
            Some(at) => Err(self.fail(self.offset(text) + at, JsonProblem::TooDeep)),
        }
    }
}

/// A document, or an element of the array that it is. Whatever is neither an object nor an array is nothing.
struct Node<'c, F> {
    context: &'c Context<'c>,
    /// In how many objects and arrays it stands.
    depth: usize,
    fields: PhantomData<F>,
}

impl<'de, F: Fields<'de>> DeserializeSeed<'de> for Node<'_, F> {
    type Value = Option<Document<F>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fields<'de>> Visitor<'de> for Node<'_, F> {
    type Value = Option<Document<F>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = F::default();
        while let Some(key) = map.next_key_seed(Key)? {
            let value = self.context.value(map.next_value()?, self.depth + 1)?;
            fields.put(&key, value);
        }
        Ok(Some(Document::One(fields)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if self.depth > 0 {
            while let Some(value) = seq.next_element()? {
                self.context.value::<A::Error>(value, self.depth + 1)?;
            }
            return Ok(None);
        }
        let (mut objects, mut others) = (Vec::new(), 0);
        while let Some(element) = seq.next_element_seed(Node { depth: 1, ..self })? {
            if objects.len() + others == self.context.limit {
                return Err(self.context.fail(0, JsonProblem::TooMany));
            }
            match element {
                Some(Document::One(fields)) => objects.push(fields),
                Some(Document::Many { .. }) | None => others += 1,
            }
        }
        Ok(Some(Document::Many { objects, others }))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A key, as bytes: half a pair of surrogates in it is no error.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_bytes<E>(self, key: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_vec()))
    }
}

/// Where a value that stands in `depth` objects and arrays is nested too deep.
fn too_deep(value: &[u8], mut depth: usize) -> Option<usize> {
    if !matches!(value.first(), Some(b'[' | b'{')) {
        return None;
    }
    let (mut is_text, mut is_escaped) = (false, false);
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return Some(at);
                }
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
