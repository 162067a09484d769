//! Fernet tokens, in which all is said once there is a key ("Tokens").
//!
//! ```text
//!     base64url, with its padding, of:
//!
//!        0        1                9                25                  -32
//!     +------+---------------+----------------+-------------------------+----------------+
//!     | 0x80 | time (big e.) |       IV       | text, AES-128-CBC, PKCS | HMAC-SHA256 of |
//!     |      |               |                | #7 padding: 16 k bytes  | all before it  |
//!     +------+---------------+----------------+-------------------------+----------------+
//! ```
//!
//! The first half of the key signs, the second encrypts. Nothing marks the end of a token that stands in a stream: it
//! is the shortest prefix that verifies ("Framing").

use std::fmt;

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::random;

/// The bytes of a key.
pub const KEY: usize = 32;
/// The bytes without a whole token after which a server gives up on one. 703 bytes of text fit.
pub const TOKEN_LIMIT: usize = 1024;

const VERSION: u8 = 0x80;
const BLOCK: usize = 16;
const MAC: usize = 32;
/// The bytes of a token around its text: version, time, IV and HMAC.
const AROUND: usize = 1 + 8 + BLOCK + MAC;

/// What a token said, wiped once it is no longer needed: it may be a password.
pub type Text = Zeroizing<Vec<u8>>;

/// A key, which is wiped when it is dropped and does not show itself.
pub struct Key {
    signing: Zeroizing<[u8; BLOCK]>,
    encryption: Zeroizing<[u8; BLOCK]>,
}

impl Key {
    /// The key that these bytes are.
    pub fn new(bytes: [u8; KEY]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut key = Self { signing: Zeroizing::default(), encryption: Zeroizing::default() };
        key.signing.copy_from_slice(&bytes[..BLOCK]);
        key.encryption.copy_from_slice(&bytes[BLOCK..]);
        key
    }

    /// The token that says `text`, made at this Unix time in seconds; `iv` has to be [fresh](fresh_iv).
    pub fn seal(&self, text: &[u8], unix_time: u64, iv: [u8; BLOCK]) -> Vec<u8> {
        let padded = (text.len() / BLOCK + 1) * BLOCK;
        // All at once: what grows leaves copies of the text behind.
        let mut token = Vec::with_capacity(AROUND + padded);
        token.push(VERSION);
        token.extend_from_slice(&unix_time.to_be_bytes());
        token.extend_from_slice(&iv);
        let start = token.len();
        token.extend_from_slice(text);
        token.resize(start + padded, 0);
        let cipher = cbc::Encryptor::<Aes128>::new((&*self.encryption).into(), &iv.into());
        let is_room = cipher.encrypt_padded::<Pkcs7>(&mut token[start..], text.len()).is_ok();
        assert!(is_room, "the padding has been counted in");
        let mac = self.mac(&token).finalize().into_bytes();
        token.extend_from_slice(&mac);
        URL_SAFE.encode(token).into_bytes()
    }

    /// The token that `bytes` begin with: how long it is and what it says; none: more bytes are needed.
    ///
    /// `scan` belongs to the place where `bytes` begin and remembers what has been tried: as long as no token
    /// is found, only new bytes cost anything. Once one is, it is as new, for the token after it.
    ///
    /// # Errors
    /// No token can come of it.
    pub fn find(&self, bytes: &[u8], scan: &mut Scan) -> Result<Option<(usize, Text)>, TokenError> {
        self.find_within(TOKEN_LIMIT, bytes, scan)
    }

    /// As [`find`](Self::find), with another limit than [`TOKEN_LIMIT`]: a server may have more to say.
    ///
    /// # Errors
    /// No token can come of it.
    pub fn find_within(
        &self,
        limit: usize,
        bytes: &[u8],
        scan: &mut Scan,
    ) -> Result<Option<(usize, Text)>, TokenError> {
        while scan.digits < limit {
            let at = scan.digits;
            let Some(&byte) = bytes.get(at) else { return Ok(None) };
            let error = |problem| TokenError { at, problem };
            let end = match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => at + 1,
                b'=' => padded_end(at).ok_or(error(TokenProblem::Unverified))?,
                _ => return Err(error(TokenProblem::NotBase64)),
            };
            let is_padded = byte == b'=';
            let Some(token) = bytes.get(..end) else { return Ok(None) };
            if (is_padded || is_length(end, 0))
                && let Some(text) = self.open(token)?
            {
                *scan = Scan::default();
                return Ok(Some((end, text)));
            }
            if is_padded {
                return Err(error(TokenProblem::Unverified));
            }
            scan.digits = end;
        }
        Err(TokenError { at: limit, problem: TokenProblem::TooLong })
    }

    /// What a token says; none if it does not verify.
    fn open(&self, token: &[u8]) -> Result<Option<Text>, TokenError> {
        let Ok(bytes) = URL_SAFE.decode(token) else { return Ok(None) };
        let Some((signed, mac)) = bytes.split_last_chunk::<MAC>() else { return Ok(None) };
        // The comparison takes the same time wherever the two differ.
        if self.mac(signed).verify(mac.into()).is_err() {
            return Ok(None);
        }
        let error = |problem| TokenError { at: 0, problem };
        let [VERSION, rest @ ..] = signed else { return Err(error(TokenProblem::Version)) };
        let text = rest.split_first_chunk::<8>().and_then(|(_time, rest)| rest.split_first_chunk::<BLOCK>());
        let Some((iv, text)) = text else { return Ok(None) };
        let mut text = Zeroizing::new(text.to_vec());
        let cipher = cbc::Decryptor::<Aes128>::new((&*self.encryption).into(), iv.into());
        let length = cipher.decrypt_padded::<Pkcs7>(&mut text).map(<[u8]>::len);
        text.truncate(length.map_err(|_| error(TokenProblem::Padding))?);
        Ok(Some(text))
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        // A key that is shorter than a block of the hash is the same as one with zeros up to that.
        let mut block = Zeroizing::new([0; 64]);
        block[..BLOCK].copy_from_slice(self.signing.as_slice());
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(signed);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// How far the search for a token has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// So many bytes at the front are base64url without padding, and no token ends among them.
    digits: usize,
}

/// An initialization vector that nobody can guess.
pub fn fresh_iv() -> [u8; BLOCK] {
    let mut iv = [0; BLOCK];
    random::fill(&mut iv);
    iv
}

/// Where a token ends whose padding begins at `at`; none if no token has it there.
fn padded_end(at: usize) -> Option<usize> {
    let end = at.next_multiple_of(4);
    is_length(end, end - at).then_some(end)
}

/// Whether a token may have so many bytes, the `=` among them.
fn is_length(bytes: usize, pads: usize) -> bool {
    if !bytes.is_multiple_of(4) || pads > 2 {
        return false;
    }
    let text = (bytes / 4 * 3).checked_sub(pads + AROUND);
    text.is_some_and(|text| text > 0 && text.is_multiple_of(BLOCK))
}

/// Why no token comes of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenError {
    /// The offset of the byte that shows it.
    pub at: usize,
    /// What is wrong.
    pub problem: TokenProblem,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenProblem {
    /// Something else than base64url.
    NotBase64,
    /// A `=` that does not end a token that verifies.
    Unverified,
    /// There is no token within the limit.
    TooLong,
    /// The token verifies, but is of another version.
    Version,
    /// The token verifies, but its text is not padded as it should be.
    Padding,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            TokenProblem::NotBase64 => "that is no base64url",
            TokenProblem::Unverified => "no token that verifies ends here",
            TokenProblem::TooLong => "there is no token so far",
            TokenProblem::Version => "the token is of another version",
            TokenProblem::Padding => "the text of the token is not padded as it should be",
        };
        write!(f, "{what} (byte {})", self.at)
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests;
