//! Public keys, and what two of them agree on ("Key exchange", "Session key").

use std::fmt;

use crypto_bigint::modular::FixedMontyForm;
use crypto_bigint::{U256, U2048};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::asn1::{self, Asn1Error};
use super::pem::{self, PemError};
use super::{fernet, group, random};

/// The label of a public key's PEM block.
pub const LABEL: &str = "PUBLIC KEY";

/// A public key of our [`group`]: a number y with 1 < y < p - 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    y: U2048,
}

impl PublicKey {
    /// Reads the PEM block of a key, which may be followed by the end of its last line.
    ///
    /// # Errors
    /// It is not a key of our group, or one that would let others guess what is agreed on.
    pub fn parse(block: &[u8]) -> Result<Self, KeyError> {
        let der = pem::decode(block, LABEL)?;
        let info = asn1::public_key(&der)?;
        if info.group.p != group::P.to_be_bytes().as_ref() || info.group.g != [group::G] {
            return Err(KeyError::Group);
        }
        let y = number(info.y).ok_or(KeyError::Range)?;
        let is_within = y > U2048::ONE && y < group::P.wrapping_sub(&U2048::ONE);
        if is_within { Ok(Self { y }) } else { Err(KeyError::Range) }
    }

    /// The PEM block of the key.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &asn1::public_key_der(group::der(), self.y.to_be_bytes().as_ref()))
    }
}

/// What comes of a key exchange.
pub struct Agreed {
    /// Our public key, for the other side.
    pub public: PublicKey,
    /// What only the two sides know.
    pub key: fernet::Key,
}

/// Agrees with the owner of `theirs` on a key, by a secret of our own that is made for this one time and forgotten.
///
/// That is slow: about a millisecond. How long it takes does not depend on any secret.
pub fn agree(theirs: &PublicKey) -> Agreed {
    let secret = fresh_secret();
    let public = PublicKey { y: power(U2048::from_u8(group::G), &secret) };
    let shared = Zeroizing::new(power(theirs.y, &secret));
    let shared = Zeroizing::new(shared.to_be_bytes());
    Agreed { public, key: session_key(shared.as_slice()) }
}

/// The key that follows from a shared number, which is as long as p is ("Session key").
pub(super) fn session_key(shared: &[u8]) -> fernet::Key {
    let mut key = Zeroizing::new([0; fernet::KEY]);
    let expanded = Hkdf::<Sha256>::new(None, shared).expand(&[], key.as_mut_slice());
    assert!(expanded.is_ok(), "HKDF gives up to 8,160 bytes");
    fernet::Key::new(*key)
}

/// A secret exponent: 256 bits, of which the first is set.
///
/// Finding one takes 2^127 steps, and there is no shorter way but to solve the group, which takes about 2^112; RFC 7919 asks
/// for 225 bits. The first bit makes sure that the public key is neither 1 nor p - 1.
pub(super) fn fresh_secret() -> Zeroizing<U256> {
    let mut bytes = Zeroizing::new([0; U256::BYTES]);
    random::fill(bytes.as_mut_slice());
    bytes[0] |= 0x80;
    Zeroizing::new(U256::from_be_slice(bytes.as_slice()))
}

/// `base` to the power of `secret`, in a time that does not depend on either.
fn power(base: U2048, secret: &U256) -> U2048 {
    let mut power = FixedMontyForm::new(&base, &group::ARITHMETIC).pow(secret);
    let number = power.retrieve();
    power.zeroize();
    number
}

/// The number that these bytes are, most significant first; none if it is longer than p.
fn number(bytes: &[u8]) -> Option<U2048> {
    let mut padded = [0; group::BYTES];
    let start = padded.len().checked_sub(bytes.len())?;
    padded[start..].copy_from_slice(bytes);
    Some(U2048::from_be_slice(&padded))
}

/// Why a public key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// It is not in PEM.
    Pem(PemError),
    /// It is not a key for Diffie-Hellman.
    Asn1(Asn1Error),
    /// It is a key of another group.
    Group,
    /// Its number is not between 1 and p - 1.
    Range,
}

impl From<PemError> for KeyError {
    fn from(error: PemError) -> Self {
        Self::Pem(error)
    }
}

impl From<Asn1Error> for KeyError {
    fn from(error: Asn1Error) -> Self {
        Self::Asn1(error)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => error.fmt(f),
            Self::Asn1(error) => error.fmt(f),
            Self::Group => f.write_str("the key is of another group"),
            Self::Range => f.write_str("the key is not between 1 and p - 1"),
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests;
