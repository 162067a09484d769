//! PEM blocks, in which parameters and keys travel ("Key exchange").
//!
//! ```text
//!     -----BEGIN PUBLIC KEY-----
//!     MIIBIzCBmQYJKoZIhvcNAQMBMIGLAoGBALPKCSXpa4hpTklkXpYa634q3mMzDH7p    base64, in lines of any length but 0;
//!     2tS0rA==                                                            each ends in LF or CRLF
//!     -----END PUBLIC KEY-----                                            here the block ends, with the last dash
//! ```
//!
//! The three parts and nothing else: no headers, no text around them, no space anywhere.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes that a block may have, from its first dash to its last.
pub const BLOCK_LIMIT: usize = 8192;

/// How long the lines are that we write.
const COLUMNS: usize = 64;

/// How long the block is that `bytes` begins with, to the last dash of its END line; none: it is not whole yet.
///
/// # Errors
/// It does not become a block called `label`, or one that is too long. That is said at the first byte that shows it.
pub fn frame(bytes: &[u8], label: &str) -> Result<Option<usize>, PemError> {
    match walk(bytes, label, |_| ()) {
        Ok(end) => Ok(Some(end)),
        Err(Stop::Short) => Ok(None),
        Err(Stop::Wrong(error)) => Err(error),
    }
}

/// What stands in the block called `label`, which may be followed by the end of its last line.
///
/// # Errors
/// It is not one whole block, or its base64 is not the only way to write what it says.
pub fn decode(block: &[u8], label: &str) -> Result<Vec<u8>, PemError> {
    let mut text = Vec::with_capacity(block.len().min(BLOCK_LIMIT));
    let end = walk(block, label, |character| text.push(character)).map_err(|stop| match stop {
        Stop::Short => PemError { at: block.len(), problem: PemProblem::Short },
        Stop::Wrong(error) => error,
    })?;
    if !matches!(block.get(end..), Some(b"" | b"\n" | b"\r\n")) {
        return Err(PemError { at: end, problem: PemProblem::Trailing });
    }
    STANDARD.decode(&text).map_err(|_| PemError { at: end, problem: PemProblem::UnusedBits })
}

/// The block called `label` that says `contents`, in lines that end in LF, the last one too.
pub fn encode(label: &str, contents: &[u8]) -> String {
    let text = STANDARD.encode(contents);
    let mut block = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        block.push_str(line);
        block.push('\n');
        rest = after;
    }
    block.push_str("-----END ");
    block.push_str(label);
    block.push_str("-----\n");
    block
}

/// Why bytes are no PEM block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PemError {
    /// The offset of the byte that shows it.
    pub at: usize,
    /// What is wrong.
    pub problem: PemProblem,
}

/// What is wrong with a PEM block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemProblem {
    /// The BEGIN line is not the one that is expected.
    Begin,
    /// The END line is not the one that is expected.
    End,
    /// A line does not end in LF or CRLF.
    LineEnd,
    /// Something else than base64, such as an empty line, or a `=` that is not at its end.
    NotBase64,
    /// The base64 ends within a group of four.
    Padding,
    /// The base64 has bits left over that are not 0.
    UnusedBits,
    /// There is nothing between the two lines.
    Empty,
    /// It is longer than [`BLOCK_LIMIT`].
    TooLong,
    /// It is not whole.
    Short,
    /// Something follows the END line.
    Trailing,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            PemProblem::Begin => "another BEGIN line is expected",
            PemProblem::End => "another END line is expected",
            PemProblem::LineEnd => "a line has to end here",
            PemProblem::NotBase64 => "that is no base64",
            PemProblem::Padding => "the base64 is cut short",
            PemProblem::UnusedBits => "the unused bits of the base64 are not 0",
            PemProblem::Empty => "the block is empty",
            PemProblem::TooLong => "the block is too long",
            PemProblem::Short => "the block is cut short",
            PemProblem::Trailing => "something follows the block",
        };
        write!(f, "{what} (byte {})", self.at)
    }
}

impl std::error::Error for PemError {}

/// Why a walk did not come to the end.
enum Stop {
    /// More bytes are needed.
    Short,
    Wrong(PemError),
}

/// Walks through the block that `bytes` begins with, shows the base64 to `see`, and says where the block ends.
fn walk(bytes: &[u8], label: &str, mut see: impl FnMut(u8)) -> Result<usize, Stop> {
    let mut walker = Walker { bytes, at: 0 };
    walker.literal(["-----BEGIN ", label, "-----"], PemProblem::Begin)?;
    walker.line_end()?;
    let (mut digits, mut pads, mut in_line) = (0_usize, 0_usize, false);
    loop {
        let byte = walker.peek()?;
        match byte {
            b'-' if !in_line => break,
            b'\r' | b'\n' if in_line => {
                walker.line_end()?;
                in_line = false;
                continue;
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if pads == 0 => digits += 1,
            b'=' if digits % 4 + pads >= 2 && (digits + pads) % 4 != 0 => pads += 1,
            _ => return Err(walker.wrong(PemProblem::NotBase64)),
        }
        see(byte);
        in_line = true;
        walker.at += 1;
    }
    if digits == 0 {
        return Err(walker.wrong(PemProblem::Empty));
    }
    if (digits + pads) % 4 != 0 {
        return Err(walker.wrong(PemProblem::Padding));
    }
    walker.literal(["-----END ", label, "-----"], PemProblem::End)?;
    Ok(walker.at)
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walker<'_> {
    /// The byte at hand, which is not passed yet.
    fn peek(&self) -> Result<u8, Stop> {
        if self.at >= BLOCK_LIMIT {
            return Err(self.wrong(PemProblem::TooLong));
        }
        self.bytes.get(self.at).copied().ok_or(Stop::Short)
    }

    fn literal(&mut self, parts: [&str; 3], problem: PemProblem) -> Result<(), Stop> {
        for expected in parts.into_iter().flat_map(str::bytes) {
            if self.peek()? != expected {
                return Err(self.wrong(problem));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// LF or CRLF.
    fn line_end(&mut self) -> Result<(), Stop> {
        if self.peek()? == b'\r' {
            self.at += 1;
        }
        if self.peek()? != b'\n' {
            return Err(self.wrong(PemProblem::LineEnd));
        }
        self.at += 1;
        Ok(())
    }

    fn wrong(&self, problem: PemProblem) -> Stop {
        Stop::Wrong(PemError { at: self.at, problem })
    }
}

#[cfg(test)]
mod tests;
