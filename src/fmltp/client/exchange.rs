//! The client's part of a key exchange, in whatever group the server names ("Group", "Key exchange").

use std::fmt;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, U256};
use zeroize::{Zeroize, Zeroizing};

use crate::fmltp::asn1::{self, Asn1Error};
use crate::fmltp::key::{self, KeyError};
use crate::fmltp::pem::{self, PemError};
use crate::fmltp::{fernet, group};

/// The groups that are taken, by the bits of p: below, the key could be found; above, it would take too long.
pub const GROUP_BITS: std::ops::RangeInclusive<u32> = 512..=8192;

/// A group as a server names it. Whether p is a prime is not looked at: to trust a server with that is no more than
/// it takes to trust it with what is said.
pub(super) struct Group {
    /// As it was sent, to be repeated in our key.
    der: Vec<u8>,
    arithmetic: BoxedMontyParams,
    p: Vec<u8>,
    g: Vec<u8>,
    private_length: PrivateLength,
}

impl Group {
    /// Reads the PEM block of a group.
    pub(super) fn parse(block: &[u8]) -> Result<Self, GroupError> {
        let der = pem::decode(block, group::LABEL)?;
        let read = asn1::group(&der)?;
        let bits = bits(read.p);
        if !GROUP_BITS.contains(&bits) {
            return Err(GroupError::Size(bits));
        }
        let p = number(read.p, read.p);
        let is_generator = is_between_1_and_p_less_1(read.g, read.p, &p);
        let Some(odd) = Odd::new(p).into_option() else { return Err(GroupError::Even) };
        if !is_generator {
            return Err(GroupError::Generator);
        }
        let arithmetic = BoxedMontyParams::new_vartime(odd);
        let [p, g] = [read.p, read.g].map(<[u8]>::to_vec);
        let private_length = PrivateLength::of(read.private_length);
        Ok(Self { der, arithmetic, p, g, private_length })
    }

    /// What can be said of it.
    pub(super) fn info(&self) -> GroupInfo {
        let private_length = self.private_length;
        GroupInfo { bits: bits(&self.p), generator: small(&self.g), private_length }
    }

    /// The number in a server's public key, which has to be of this group.
    pub(super) fn read_key(&self, block: &[u8]) -> Result<TheirKey, KeyError> {
        let der = pem::decode(block, key::LABEL)?;
        let info = asn1::public_key(&der)?;
        if info.group.p != self.p || info.group.g != self.g {
            return Err(KeyError::Group);
        }
        let p = self.arithmetic.modulus().as_ref();
        if !is_between_1_and_p_less_1(info.y, &self.p, p) {
            return Err(KeyError::Range);
        }
        Ok(TheirKey(number(info.y, &self.p)))
    }

    /// The PEM block of the public key that belongs to `secret`.
    pub(super) fn public_key(&self, secret: &Zeroizing<U256>) -> String {
        let y = self.power(&number(&self.g, &self.p), secret);
        pem::encode(key::LABEL, &asn1::public_key_der(&self.der, &y))
    }

    /// What the owners of `secret` and of `theirs` have in common.
    pub(super) fn agree(&self, secret: &Zeroizing<U256>, theirs: &TheirKey) -> fernet::Key {
        key::session_key(&self.power(&theirs.0, secret))
    }

    /// `base` to the power of `secret`, as long as p is. The time that it takes does not depend on the secret.
    fn power(&self, base: &BoxedUint, secret: &Zeroizing<U256>) -> Zeroizing<Vec<u8>> {
        let secret = Zeroizing::new(BoxedUint::from(**secret));
        let mut power = BoxedMontyForm::new(base.clone(), &self.arithmetic).pow(&secret);
        let number = Zeroizing::new(power.retrieve());
        power.zeroize();
        let bytes = Zeroizing::new(number.to_be_bytes().into_vec());
        // The number has whole words, of which p may not need the first bytes.
        Zeroizing::new(bytes[bytes.len() - self.p.len()..].to_vec())
    }
}

/// What can be said of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupInfo {
    /// How many bits p has.
    pub bits: u32,
    /// The generator, if it is below 2^32.
    pub generator: Option<u32>,
    /// What the parameters say about the length of secret exponents.
    pub private_length: PrivateLength,
}

/// What parameters say about the length of secret exponents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateLength {
    /// Nothing, as a server of ours does.
    Absent,
    /// So many bits.
    Bits(u32),
    /// Something that is no such number.
    Odd,
}

impl PrivateLength {
    /// Of an INTEGER, which may be negative.
    fn of(number: Option<&[u8]>) -> Self {
        match number {
            None => Self::Absent,
            Some([first, ..]) if *first >= 0x80 => Self::Odd,
            Some(bytes) => small(bytes).map_or(Self::Odd, Self::Bits),
        }
    }
}

/// The number in a server's public key.
pub(super) struct TheirKey(BoxedUint);

/// Why a group is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupError {
    /// It is not in PEM.
    Pem(PemError),
    /// It is no group.
    Asn1(Asn1Error),
    /// p has so many bits, which are not among [`GROUP_BITS`].
    Size(u32),
    /// p is even.
    Even,
    /// The generator is not between 1 and p - 1.
    Generator,
}

impl From<PemError> for GroupError {
    fn from(error: PemError) -> Self {
        Self::Pem(error)
    }
}

impl From<Asn1Error> for GroupError {
    fn from(error: Asn1Error) -> Self {
        Self::Asn1(error)
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => error.fmt(f),
            Self::Asn1(error) => error.fmt(f),
            Self::Size(bits) => {
                let (low, high) = (GROUP_BITS.start(), GROUP_BITS.end());
                write!(f, "the group has {bits} bits, not {low} to {high}")
            }
            Self::Even => f.write_str("the modulus of the group is even"),
            Self::Generator => f.write_str("the generator is not between 1 and p - 1"),
        }
    }
}

impl std::error::Error for GroupError {}

/// The number that these bytes are, most significant first, with as many words as `p` needs.
fn number(bytes: &[u8], p: &[u8]) -> BoxedUint {
    let bits = u32::try_from(p.len() * 8).unwrap_or(u32::MAX);
    BoxedUint::from_be_slice_truncated(bytes, bits)
}

/// The second and the third argument are the same number.
fn is_between_1_and_p_less_1(bytes: &[u8], p: &[u8], modulus: &BoxedUint) -> bool {
    if bytes.len() > p.len() {
        return false;
    }
    let (number, one) = (number(bytes, p), number(&[1], p));
    number > one && number < modulus.wrapping_sub(&one)
}

/// How many bits a number has that begins with no zero.
fn bits(number: &[u8]) -> u32 {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(number.len() * 8).map_or(u32::MAX, |bits| bits - unused)
}

/// A number that is not too large to be shown.
fn small(bytes: &[u8]) -> Option<u32> {
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let is_small = digits.len() <= 4;
    is_small.then(|| digits.iter().fold(0, |number, &digit| number << 8 | u32::from(digit)))
}

#[cfg(test)]
mod tests;
