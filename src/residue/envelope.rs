//! What a packet is wrapped in ("Envelopes").
//!
//! ```text
//!     {"_t":...}                      plain       JSON as it is
//!     kWtL...==                       RSA         base64, nothing else
//!     IVHEX:CLIENT_ID:BASE64          AES, from a client
//!     IVHEX:BASE64                    AES, from the server
//! ```
//!
//! IVHEX are 32 hexadecimal digits of either case. White space at the front of a packet is no part of it, and that
//! in base64 is ignored: some clients wrap their lines, and end the last one too.

use std::fmt;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use zeroize::Zeroizing;

use super::packet::DELIMITER;

/// The bytes of an initialization vector.
const IV: usize = 16;

/// What a client's packet is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// It has the shape of one that is sealed by a client's key.
    Aes(Sealed<'a>),
    /// Anything else: plain JSON, RSA, or junk.
    Other(&'a [u8]),
}

/// What is sealed by a key, and whose key that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// The initialization vector.
    pub iv: [u8; IV],
    /// The client's ID as it came, of any bytes but `:`; nothing where the server speaks.
    pub id: &'a [u8],
    /// The rest, which should be the base64 of the ciphertext.
    pub base64: &'a [u8],
}

/// Looks at what a client sent, without its delimiter.
pub fn read(packet: &[u8]) -> Envelope<'_> {
    let packet = packet.trim_ascii_start();
    sealed_by_client(packet).map_or(Envelope::Other(packet), Envelope::Aes)
}

/// Looks at what the server sent, without its delimiter; none: that is not sealed.
pub fn read_reply(packet: &[u8]) -> Option<Sealed<'_>> {
    let (iv, base64) = initialization_vector(packet.trim_ascii_start())?;
    Some(Sealed { iv, id: b"", base64 })
}

fn sealed_by_client(packet: &[u8]) -> Option<Sealed<'_>> {
    let (iv, rest) = initialization_vector(packet)?;
    let colon = rest.iter().position(|&byte| byte == b':').filter(|&colon| colon > 0)?;
    let (id, base64) = rest.split_at_checked(colon)?;
    Some(Sealed { iv, id, base64: base64.get(1..)? })
}

/// The 32 digits at the front, and what follows the colon after them.
fn initialization_vector(packet: &[u8]) -> Option<([u8; IV], &[u8])> {
    let (digits, rest) = packet.split_first_chunk::<{ 2 * IV }>()?;
    let rest = rest.strip_prefix(b":")?;
    let mut iv = [0; IV];
    from_hex(digits, &mut iv)?;
    Some((iv, rest))
}

/// Reads hexadecimal digits of either case; none: something else is among them, or there are not two for each byte.
pub(super) fn from_hex(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(())
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes a sealed packet and its delimiter. Clients name themselves by `id`, the server does not.
pub fn put(out: &mut Vec<u8>, iv: &[u8; IV], id: Option<&str>, ciphertext: &[u8]) {
    for byte in iv {
        out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    out.push(b':');
    if let Some(id) = id {
        out.extend_from_slice(id.as_bytes());
        out.push(b':');
    }
    put_base64(out, ciphertext);
}

/// Writes what is encrypted by RSA, and the delimiter.
pub fn put_base64(out: &mut Vec<u8>, ciphertext: &[u8]) {
    out.extend_from_slice(STANDARD.encode(ciphertext).as_bytes());
    out.extend_from_slice(DELIMITER);
}

/// What stands in base64: the standard alphabet, with padding; white space is ignored wherever it stands.
///
/// # Errors
/// It is something else, or not the only way to write what it says.
pub fn decode_base64(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    if !text.iter().any(u8::is_ascii_whitespace) {
        return STANDARD.decode(text).map_err(|error| Base64Error::at(&error, text));
    }
    // It may say a secret.
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    packed.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    STANDARD.decode(packed.as_slice()).map_err(|error| Base64Error::at(&error, text))
}

/// Why something is no base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base64Error {
    /// The offset of the byte that shows it.
    pub at: usize,
    /// What is wrong.
    pub problem: Base64Problem,
}

/// What is wrong with base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base64Problem {
    /// A byte that does not belong there.
    Character,
    /// It is cut short, or its padding is missing.
    Length,
    /// The unused bits at its end are not 0.
    UnusedBits,
}

impl Base64Error {
    /// What the decoder found, whose offsets do not count the white space in `text`.
    fn at(error: &DecodeError, text: &[u8]) -> Self {
        let (nth, problem) = match *error {
            DecodeError::InvalidByte(at, _) => (at, Base64Problem::Character),
            DecodeError::InvalidLastSymbol { offset: at, .. } => (at, Base64Problem::UnusedBits),
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
                (usize::MAX, Base64Problem::Length)
            }
        };
        let mut counted = text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace());
        Self { at: counted.nth(nth).map_or(text.len(), |(at, _)| at), problem }
    }
}

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            Base64Problem::Character => "that is no base64",
            Base64Problem::Length => "the base64 is cut short",
            Base64Problem::UnusedBits => "the unused bits of the base64 are not 0",
        };
        write!(f, "{what} (byte {})", self.at)
    }
}

impl std::error::Error for Base64Error {}

#[cfg(test)]
mod tests;
