//! What a user logs in with: a name, a password, and the hash that is kept of that.

use std::borrow::Borrow;
use std::fmt;
use std::ops::RangeInclusive;

use bcrypt::{BcryptResult, HashParts};
use zeroize::Zeroizing;

use super::{COST, PASSWORD_LIMIT, Problem};

const NAME_LENGTH: RangeInclusive<usize> = 2..=32;
/// The shortest password that is made, in bytes.
const PASSWORD_LEAST: usize = 8;
/// How the hashes begin that are taken. `$2x$` is the mark of a mistake that was made long ago.
const PREFIXES: [&str; 3] = ["$2a$", "$2b$", "$2y$"];

/// The name of a user: 2 to 32 ASCII letters and digits, case counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Takes `text` if it is one.
    ///
    /// # Errors
    /// When it cannot be a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fits = NAME_LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits { Ok(Self(text.into())) } else { Err(NameError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = NAME_LENGTH.into_inner();
        write!(f, "a name is {least} to {most} ASCII letters and digits")
    }
}

impl std::error::Error for NameError {}

/// A password that is fit to be set: 8 to 72 bytes of UTF-8 without white space and control characters, so that
/// it comes through an `AUTH` as it is. Forgotten when it is dropped.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes `bytes` if they are one.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PasswordError> {
        match bytes.len() {
            ..PASSWORD_LEAST => return Err(PasswordError::Short),
            PASSWORD_LEAST..=PASSWORD_LIMIT => {}
            _ => return Err(PasswordError::Long),
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| PasswordError::Utf8)?;
        if text.contains(char::is_whitespace) {
            return Err(PasswordError::WhiteSpace);
        }
        if text.contains(char::is_control) {
            return Err(PasswordError::Control);
        }
        Ok(Self(bytes))
    }

    /// Makes a hash of it, with fresh salt: tenths of a second.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn hash(&self) -> BcryptResult<Hash> {
        // Not the form that never cuts: that one refuses 72 bytes, of which nothing is cut.
        bcrypt::hash(self.0.as_slice(), COST).map(|hash| Hash(hash.into()))
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Tells nothing.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Why a password cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// It is too short.
    Short,
    /// It is too long: bcrypt would cut it.
    Long,
    /// It is not text, which an `AUTH` has to be.
    Utf8,
    /// It has white space in it, at which `AUTH` would split it.
    WhiteSpace,
    /// It has control characters in it.
    Control,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "a password has at least {PASSWORD_LEAST} bytes"),
            Self::Long => write!(f, "a password has at most {PASSWORD_LIMIT} bytes"),
            Self::Utf8 => f.write_str("a password is UTF-8"),
            Self::WhiteSpace => f.write_str("a password has no white space in it"),
            Self::Control => f.write_str("a password has no control characters in it"),
        }
    }
}

impl std::error::Error for PasswordError {}

/// What is kept of a password: 60 characters by bcrypt, at the one cost.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(Box<str>);

impl Hash {
    /// Takes `text` if it is one.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if !PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return Err(Problem::Hash);
        }
        match text.parse::<HashParts>() {
            Ok(parts) if parts.get_cost() == COST => Ok(Self(text.into())),
            Ok(_) => Err(Problem::Cost),
            Err(_) => Err(Problem::Hash),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells nothing.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}
