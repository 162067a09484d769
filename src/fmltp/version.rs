//! What both sides say first: a name and a version ("Version exchange").

use std::cmp::Ordering;
use std::fmt;

/// The longest packet of the version exchange in bytes, the line end included.
pub const GREETING_LIMIT: usize = 256;

/// Who can talk to whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version {
    /// The class x: those of different classes cannot talk to each other.
    pub class: u16,
    /// The stepping y.
    pub stepping: u16,
    /// The sub-stepping z.
    pub sub_stepping: u16,
}

impl Version {
    /// Takes `x.y.z`: decimal numbers of 16 bits without sign, leading zeros and white space.
    pub fn parse(text: &str) -> Result<Self, GreetingError> {
        Self::parse_at(0, text)
    }

    /// The code that says how far a client and its server agree: 100 to 102, 110 to 112 or 120 to 122, where the
    /// middle digit is about the stepping and the last one about the sub-stepping: 0 equal, 1 the client's is
    /// higher, 2 the server's is. None: they are of different classes.
    pub fn readiness(server: Self, client: Self) -> Option<u16> {
        let digit = |server: u16, client: u16| match client.cmp(&server) {
            Ordering::Equal => 0,
            Ordering::Greater => 1,
            Ordering::Less => 2,
        };
        let stepping = digit(server.stepping, client.stepping);
        let sub_stepping = digit(server.sub_stepping, client.sub_stepping);
        (server.class == client.class).then_some(100 + 10 * stepping + sub_stepping)
    }

    /// Takes a version that stands `start` bytes behind the beginning of a text.
    fn parse_at(start: usize, text: &str) -> Result<Self, GreetingError> {
        let mut at = start;
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for number in &mut numbers {
            let part = parts.next().ok_or(GreetingError { at, problem: GreetingProblem::Parts })?;
            *number = decimal(part).map_err(|problem| GreetingError { at, problem })?;
            at += part.len() + 1;
        }
        if parts.next().is_some() {
            return Err(GreetingError { at: at - 1, problem: GreetingProblem::Parts });
        }
        let [class, stepping, sub_stepping] = numbers;
        Ok(Self { class, stepping, sub_stepping })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.stepping, self.sub_stepping)
    }
}

/// A number of a version; there is one way only to write it.
fn decimal(part: &str) -> Result<u16, GreetingProblem> {
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(GreetingProblem::Number);
    }
    if part.len() > 1 && part.starts_with('0') {
        return Err(GreetingProblem::LeadingZero);
    }
    part.parse().map_err(|_| GreetingProblem::TooHigh)
}

/// What a program says of itself: `NAME,x.y.z`, shown without a line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The name: not empty, without comma and control characters.
    pub name: Box<str>,
    /// The version.
    pub version: Version,
}

impl Greeting {
    /// Takes a greeting without the white space around it. Whether the name is one of FlexMusic's is another
    /// question.
    pub fn parse(text: &str) -> Result<Self, GreetingError> {
        let fault = |at, problem| GreetingError { at, problem };
        if text.len() > GREETING_LIMIT {
            return Err(fault(GREETING_LIMIT, GreetingProblem::TooLong));
        }
        let Some((name, version)) = text.split_once(',') else {
            return Err(fault(text.len(), GreetingProblem::NoComma));
        };
        if name.is_empty() {
            return Err(fault(0, GreetingProblem::NoName));
        }
        if let Some(at) = name.find(char::is_control) {
            return Err(fault(at, GreetingProblem::Control));
        }
        let version = Version::parse_at(name.len() + 1, version)?;
        Ok(Self { name: name.into(), version })
    }

    /// Takes what we are to say of ourselves, in which the line end has to have room as well.
    pub fn parse_own(text: &str) -> Result<Self, GreetingError> {
        const LIMIT: usize = GREETING_LIMIT - "\r\n".len();
        if text.len() > LIMIT {
            return Err(GreetingError { at: LIMIT, problem: GreetingProblem::TooLong });
        }
        Self::parse(text)
    }

    /// Whether the name starts as the name of every valid program does.
    pub fn is_flexmusic(&self) -> bool {
        self.name.starts_with("FlexMusic")
    }
}

impl Default for Greeting {
    fn default() -> Self {
        Self { name: "FlexMusic".into(), version: Version::default() }
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.name, self.version)
    }
}

/// Why a text is no greeting. What is shown of it repeats nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GreetingError {
    /// How many bytes stand before the place in question.
    pub at: usize,
    /// What is wrong there.
    pub problem: GreetingProblem,
}

/// What can be wrong with a greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GreetingProblem {
    /// It is longer than [`GREETING_LIMIT`].
    TooLong,
    /// Nothing divides a name from a version.
    NoComma,
    /// The name is empty.
    NoName,
    /// There is a control character in the name.
    Control,
    /// The version has fewer or more than three parts.
    Parts,
    /// A part of the version is no decimal number.
    Number,
    /// A number starts with a zero that is not all of it.
    LeadingZero,
    /// A number is over 65535.
    TooHigh,
}

impl std::error::Error for GreetingError {}

impl fmt::Display for GreetingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.problem, self.at)
    }
}

impl fmt::Display for GreetingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "too long",
            Self::NoComma => "no comma behind a name",
            Self::NoName => "no name",
            Self::Control => "a control character in the name",
            Self::Parts => "the version has not three parts",
            Self::Number => "a part of the version is no number",
            Self::LeadingZero => "a leading zero in the version",
            Self::TooHigh => "a number of the version is over 65535",
        })
    }
}

#[cfg(test)]
mod tests;
