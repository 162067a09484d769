//! RSA keys ("Keys").
//!
//! ```text
//!     client's public key      what the reply to its hello is encrypted to, so that nobody else learns its AES key
//!     server's key pair        what a client may encrypt its hello to; needed by nobody else
//! ```
//!
//! Keys come in PEM: public ones as SPKI or PKCS #1, private ones as PKCS #8, also encrypted, or PKCS #1.
//! Encryption is that of PKCS #1 v1.5, by which whoever learns why a decryption failed can decrypt: so none ever
//! fails ([`PrivateKey::decrypt`]).

use std::fmt;

use getrandom::SysRng;
use rsa::pkcs1::{ALGORITHM_OID, RsaPublicKeyRef};
use rsa::pkcs8::der::asn1::AnyRef;
use rsa::pkcs8::der::{self, Decode};
use rsa::pkcs8::spki::AlgorithmIdentifierRef;
use rsa::pkcs8::{EncodePublicKey, SubjectPublicKeyInfoRef};
use rsa::traits::{PaddingScheme, PublicKeyParts};
use rsa::{BoxedUint, Pkcs1v15Encrypt, RsaPublicKey};

use super::envelope::{self, Base64Error};

mod pem;
mod private;

pub use pem::BLOCK_LIMIT;
pub use private::PrivateKey;

/// The least bits of a modulus.
pub const LEAST_BITS: usize = 1024;
/// The most bits of a modulus.
pub const MOST_BITS: usize = 8192;

/// The bytes of a block that padding takes away.
const PADDING: usize = 11;

/// What can be encrypted to.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: RsaPublicKey,
}

impl PublicKey {
    /// Reads a key as a hello has it: the base64 of a PEM block.
    ///
    /// # Errors
    /// It is not a key that we take. Finding that out costs next to nothing.
    pub fn parse(base64_of_pem: &str) -> Result<Self, KeyError> {
        // A third more than the block, and as much again for white space.
        if base64_of_pem.len() > 2 * BLOCK_LIMIT {
            return Err(KeyError::TooLong);
        }
        Self::from_pem(&envelope::decode_base64(base64_of_pem.as_bytes()).map_err(KeyError::Base64)?)
    }

    /// Reads the first PEM block: SPKI under `PUBLIC KEY`, SPKI or PKCS #1 under `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// It is not a key that we take. Finding that out costs next to nothing.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let block = pem::first(text)?;
        match block.label {
            b"PUBLIC KEY" => Self::from_spki(&block.decode()?),
            b"RSA PUBLIC KEY" => {
                let der = block.decode()?;
                Self::from_spki(&der).or_else(|error| Self::from_pkcs1(&der).map_err(|other| other.or(error)))
            }
            _ => Err(KeyError::Label),
        }
    }

    /// The key in PEM, as SPKI.
    ///
    /// # Errors
    /// None is expected: a key that was read can be written.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der = self.key.to_public_key_der().map_err(|_| KeyError::Unwritable)?;
        Ok(pem::encode("PUBLIC KEY", der.as_bytes()).to_string())
    }

    /// How many bytes can be encrypted at once.
    pub fn room(&self) -> usize {
        self.key.size() - PADDING
    }

    /// How many bits the modulus has.
    pub fn bits(&self) -> usize {
        bits_of(&self.key)
    }

    /// Encrypts a text, so that only the owner of the private key can read it; the same text never looks the same
    /// twice.
    ///
    /// # Errors
    /// The text is longer than there is [`room`](Self::room), or the system has no random bytes.
    pub fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        if plain.len() > self.room() {
            return Err(KeyError::NoRoom { room: self.room() });
        }
        Pkcs1v15Encrypt.encrypt(&mut SysRng, &self.key, plain).map_err(|_| KeyError::Random)
    }

    fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der)?;
        check_algorithm(&info.algorithm)?;
        Self::from_pkcs1(info.subject_public_key.as_bytes().ok_or(KeyError::Der { at: 0 })?)
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let numbers = RsaPublicKeyRef::from_der(der)?;
        let (modulus, exponent) = (numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes());
        check_numbers(modulus, exponent)?;
        let key = RsaPublicKey::new(number(modulus)?, number(exponent)?);
        Ok(Self { key: key.map_err(|_| KeyError::Inconsistent)? })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.bits())
    }
}

fn bits_of(key: &impl PublicKeyParts) -> usize {
    usize::try_from(key.n().bits_vartime()).unwrap_or(usize::MAX)
}

/// Whether this names RSA, and no restriction to one of its uses.
fn check_algorithm(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyError> {
    let is_plain = algorithm.parameters.is_none_or(|parameters| parameters == AnyRef::NULL);
    if algorithm.oid == ALGORITHM_OID && is_plain { Ok(()) } else { Err(KeyError::Algorithm) }
}

/// Looks at the numbers of a key, which have no zeros before them, before anything is computed from them.
fn check_numbers(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyError> {
    let zeros = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = modulus.len().saturating_mul(8).saturating_sub(zeros);
    if !(LEAST_BITS..=MOST_BITS).contains(&bits) {
        return Err(KeyError::ModulusSize { bits });
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err(KeyError::EvenModulus);
    }
    // Up to 2^32 - 1.
    let is_taken = match exponent {
        [only] => *only >= 3 && only % 2 == 1,
        [_, .., last] => exponent.len() <= 4 && last % 2 == 1,
        [] => false,
    };
    if is_taken { Ok(()) } else { Err(KeyError::Exponent) }
}

fn number(bytes: &[u8]) -> Result<BoxedUint, KeyError> {
    let bits = u32::try_from(bytes.len().saturating_mul(8)).map_err(|_| KeyError::Inconsistent)?;
    BoxedUint::from_be_slice(bytes, bits).map_err(|_| KeyError::Inconsistent)
}

/// Why a key is not taken, or what it cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// What should be the base64 of a PEM block is none; offsets count from its first byte.
    Base64(Base64Error),
    /// It is longer than any key.
    TooLong,
    /// There is no PEM block.
    NoBlock,
    /// A PEM block is not whole: its END line is missing, or another one's.
    NoEnd {
        /// Where it begins.
        at: usize,
    },
    /// The PEM block is called something else.
    Label,
    /// What stands in the PEM block is no base64; offsets count from the first byte of the PEM.
    Body(Base64Error),
    /// The DER in the PEM block is not that of a key.
    Der {
        /// About where: an offset in the DER, or in a part of it.
        at: usize,
    },
    /// The key is not one for RSA.
    Algorithm,
    /// The modulus has less than [`LEAST_BITS`] or more than [`MOST_BITS`].
    ModulusSize {
        /// So many.
        bits: usize,
    },
    /// The modulus is even.
    EvenModulus,
    /// The exponent is even, less than 3, or more than 2^32 - 1.
    Exponent,
    /// The numbers do not belong together.
    Inconsistent,
    /// The private key is encrypted, and there is no passphrase.
    Passphrase,
    /// The passphrase is not the one it was encrypted with.
    WrongPassphrase,
    /// The private key is encrypted in the way of old, which is no good.
    LegacyEncryption,
    /// The private key is encrypted in a way that we do not know.
    UnknownEncryption,
    /// The text is too long for the key.
    NoRoom {
        /// So many bytes are not.
        room: usize,
    },
    /// The system has no random bytes.
    Random,
    /// The key cannot be written.
    Unwritable,
}

impl KeyError {
    /// Of two attempts to read a key in two forms, the error of the one that came further.
    fn or(self, other: Self) -> Self {
        if matches!(self, Self::Der { .. }) { other } else { self }
    }
}

impl From<der::Error> for KeyError {
    fn from(error: der::Error) -> Self {
        let at = error.position().and_then(|position| usize::try_from(position).ok());
        Self::Der { at: at.unwrap_or_default() }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let convert = "convert it by `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`";
        match self {
            Self::Base64(error) => write!(f, "around the PEM block: {error}"),
            Self::TooLong => f.write_str("it is longer than any key"),
            Self::NoBlock => f.write_str("there is no PEM block"),
            Self::NoEnd { at } => write!(f, "the PEM block has no end (begins at byte {at})"),
            Self::Label => f.write_str("the PEM block is of another kind"),
            Self::Body(error) => write!(f, "in the PEM block: {error}"),
            Self::Der { at } => write!(f, "the PEM block holds no key (about byte {at} of its DER)"),
            Self::Algorithm => f.write_str("the key is for another algorithm"),
            Self::ModulusSize { bits } => {
                write!(f, "the key has {bits} bits, and not {LEAST_BITS} to {MOST_BITS}")
            }
            Self::EvenModulus => f.write_str("the modulus is even"),
            Self::Exponent => f.write_str("the exponent is not an odd number from 3 to 2^32 - 1"),
            Self::Inconsistent => f.write_str("the numbers of the key do not belong together"),
            Self::Passphrase => f.write_str("the key is encrypted: it needs a passphrase"),
            Self::WrongPassphrase => f.write_str("the passphrase is not that of the key"),
            Self::LegacyEncryption => write!(f, "the key is encrypted in the way of old: {convert}"),
            Self::UnknownEncryption => write!(f, "the key is encrypted in an unknown way: {convert}"),
            Self::NoRoom { room } => write!(f, "the key has room for {room} bytes only"),
            Self::Random => f.write_str("the system has no random bytes"),
            Self::Unwritable => f.write_str("the key cannot be written"),
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests;
