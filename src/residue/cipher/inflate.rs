//! What clients make smaller before they seal it ("Envelopes").

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};
use zeroize::Zeroizing;

use crate::residue::envelope;
use crate::residue::packet::INFLATED_LIMIT;

/// The first guess, how many times as long a text is once it is inflated. Logs are about five times.
const GUESS: usize = 8;
/// How many times as much room there is after a guess that was too low.
const GROWTH: usize = 4;
/// The least room there is at first.
const LEAST: usize = 4096;

/// What comes of a text that may have been compressed.
pub enum Inflated {
    /// It is not: it is to be taken as it is.
    Plain,
    /// What it says.
    Text(Zeroizing<Vec<u8>>),
    /// It would be longer than the limit.
    TooLong,
}

impl fmt::Debug for Inflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("Plain"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::TooLong => f.write_str("TooLong"),
        }
    }
}

/// Inflates the base64 of a zlib stream, up to [`INFLATED_LIMIT`].
///
/// Base64, stream, checksum, and nothing behind them: whatever is not that whole is taken as it is, and no JSON
/// begins like it.
pub fn inflate(plain: &[u8]) -> Inflated {
    inflate_within(plain, INFLATED_LIMIT)
}

/// As [`inflate`], with another limit in bytes: work that has to be over soon takes a lower one, and is done again
/// elsewhere where that is too low.
///
/// However much a stream promises, no more memory is taken than the limit and a quarter of it.
pub fn inflate_within(plain: &[u8], limit: usize) -> Inflated {
    // All zlib streams with a window of 32 KiB begin with 0x78; those with smaller ones, with less.
    let begins_like_base64 = plain.trim_ascii_start().first().is_some_and(u8::is_ascii_alphanumeric);
    let stream = if begins_like_base64 { envelope::decode_base64(plain).ok() } else { None };
    let Some(stream) = stream.map(Zeroizing::new) else { return Inflated::Plain };
    let mut inflater = Decompress::new(true);
    // One byte more than the limit shows that there is more.
    let most = limit.saturating_add(1);
    let first = stream.len().saturating_mul(GUESS).max(LEAST).min(most);
    let mut text = Zeroizing::new(Vec::with_capacity(first));
    loop {
        let taken = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        let rest = stream.get(taken..).unwrap_or_default();
        let before = (inflater.total_in(), inflater.total_out());
        match inflater.decompress_vec(rest, &mut text, FlushDecompress::None) {
            Err(_) => return Inflated::Plain,
            Ok(_) if text.len() > limit => return Inflated::TooLong,
            Ok(Status::StreamEnd) if inflater.total_in() == stream.len() as u64 => {
                return Inflated::Text(text);
            }
            Ok(Status::StreamEnd) => return Inflated::Plain,
            Ok(Status::Ok | Status::BufError) => {}
        }
        if text.len() == text.capacity() {
            text = grown(&text, most);
        } else if before == (inflater.total_in(), inflater.total_out()) {
            // There is room, and no more comes: the stream is cut short.
            return Inflated::Plain;
        }
    }
}

/// The same text with more room behind it; the old one is wiped.
fn grown(text: &[u8], most: usize) -> Zeroizing<Vec<u8>> {
    let room = text.len().saturating_mul(GROWTH).clamp(LEAST.min(most), most);
    let mut larger = Zeroizing::new(Vec::with_capacity(room));
    larger.extend_from_slice(text);
    larger
}

#[cfg(test)]
mod tests;
