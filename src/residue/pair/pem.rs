//! PEM blocks, read as leniently as clients write them ("Keys").
//!
//! ```text
//!     text before it                      ignored, and text behind it
//!     -----BEGIN PUBLIC KEY-----
//!     MIIBIjANBgkqhkiG9w0BAQEFAAOC        base64, with white space of any kind anywhere, or none at all
//!     -----END PUBLIC KEY-----            the same label
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::KeyError;
use crate::residue::envelope;

/// The bytes that a PEM file may have. A private key of 8,192 bits takes 6,400.
pub const BLOCK_LIMIT: usize = 16_384;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// How long the lines are that we write.
const COLUMNS: usize = 64;

/// A PEM block as it stands in a text.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) label: &'a [u8],
    body: &'a [u8],
    /// Where the body begins in the text.
    at: usize,
}

/// The first block of a text.
pub(super) fn first(text: &[u8]) -> Result<Block<'_>, KeyError> {
    if text.len() > BLOCK_LIMIT {
        return Err(KeyError::TooLong);
    }
    let at = position(text, BEGIN).ok_or(KeyError::NoBlock)?;
    parse(text, at).ok_or(KeyError::NoEnd { at })
}

/// The block that begins at `begin`.
fn parse(text: &[u8], begin: usize) -> Option<Block<'_>> {
    let rest = text.get(begin + BEGIN.len()..)?;
    let (label, rest) = rest.split_at_checked(position(rest, DASHES)?)?;
    let rest = rest.get(DASHES.len()..)?;
    let (body, end) = rest.split_at_checked(position(rest, END)?)?;
    let is_same = end.strip_prefix(END)?.strip_prefix(label)?.starts_with(DASHES);
    let at = begin + BEGIN.len() + label.len() + DASHES.len();
    is_same.then_some(Block { label, body, at })
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

impl Block<'_> {
    /// What stands in the block.
    pub(super) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        // The way of old has headers that say how it is encrypted.
        if position(self.body, b"ENCRYPTED").is_some() && self.body.contains(&b':') {
            return Err(KeyError::LegacyEncryption);
        }
        let decoded = envelope::decode_base64(self.body).map_err(|mut error| {
            error.at += self.at;
            KeyError::Body(error)
        });
        decoded.map(Zeroizing::new)
    }
}

/// The block called `label` that says `contents`, in lines that end in LF, the last one too.
pub(super) fn encode(label: &str, contents: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(STANDARD.encode(contents));
    let lines = text.len().div_ceil(COLUMNS);
    // All at once: what grows leaves copies behind.
    let around = 2 * (END.len() + label.len() + DASHES.len()) + 4;
    let mut block = Zeroizing::new(String::with_capacity(text.len() + lines + around));
    block.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        block.extend([line, "\n"]);
        rest = after;
    }
    block.extend(["-----END ", label, "-----\n"]);
    block
}

#[cfg(test)]
mod tests;
