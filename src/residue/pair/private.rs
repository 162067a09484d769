//! The server's key pair ("Keys").

use std::fmt;

use getrandom::SysRng;
use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::pkcs8::der::{self, Decode, SecretDocument};
use rsa::pkcs8::pkcs5::{self, pbes2};
use rsa::pkcs8::{self, EncodePrivateKey, EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rsa::rand_core::UnwrapErr;
use rsa::traits::{PaddingScheme, PublicKeyParts};
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use zeroize::Zeroizing;

use super::{KeyError, LEAST_BITS, MOST_BITS, PublicKey, check_algorithm, check_numbers, pem};
use crate::residue::random;

/// A private key and the public one that belongs to it. It is wiped when it is dropped and does not show itself.
#[cfg_attr(test, derive(Clone))]
pub struct PrivateKey {
    key: RsaPrivateKey,
}

impl PrivateKey {
    /// Reads the first PEM block: PKCS #8 under `PRIVATE KEY`, or under `ENCRYPTED PRIVATE KEY` with the passphrase
    /// that it needs, or PKCS #1 under `RSA PRIVATE KEY`. A passphrase that is not needed is not looked at.
    ///
    /// This is slow: up to a second for an encrypted key.
    ///
    /// # Errors
    /// It is not a key that we take, or the passphrase is missing or wrong.
    pub fn from_pem(text: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        let block = pem::first(text)?;
        match block.label {
            b"PRIVATE KEY" => Self::from_pkcs8(&block.decode()?),
            b"RSA PRIVATE KEY" => Self::from_pkcs1(&block.decode()?),
            b"ENCRYPTED PRIVATE KEY" => {
                let der = block.decode()?;
                let info = EncryptedPrivateKeyInfoRef::from_der(&der).map_err(not_read)?;
                let decrypted = info.decrypt(passphrase.ok_or(KeyError::Passphrase)?);
                Self::from_pkcs8(decrypted.map_err(not_decrypted)?.as_bytes())
            }
            _ => Err(KeyError::Label),
        }
    }

    /// A new key with a modulus of so many bits. That is slow: a second for 2,048 bits, and many for 4,096.
    ///
    /// # Errors
    /// So many bits are too few or too many, or the system has no random bytes.
    ///
    /// # Panics
    /// The system had random bytes, and suddenly has none: there is no way to hear of that from within.
    pub fn generate(bits: usize) -> Result<Self, KeyError> {
        if !(LEAST_BITS..=MOST_BITS).contains(&bits) {
            return Err(KeyError::ModulusSize { bits });
        }
        random::iv().map_err(|_| KeyError::Random)?;
        let key = RsaPrivateKey::new(&mut UnwrapErr(SysRng), bits).map_err(|_| KeyError::Inconsistent)?;
        Ok(Self { key })
    }

    /// The key in PEM, as PKCS #8, for a file that nobody else can read.
    ///
    /// # Errors
    /// None is expected: a key that was read can be written.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(pem::encode("PRIVATE KEY", self.to_pkcs8()?.as_bytes()))
    }

    /// The key in PEM, as PKCS #8 that is encrypted with a passphrase, by PBKDF2 and AES-256-CBC. That is slow
    /// on purpose: some tenths of a second.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<Zeroizing<String>, KeyError> {
        let document = self.to_pkcs8()?;
        let parameters = pbes2::Parameters::generate_pbkdf2(&mut SysRng).map_err(|_| KeyError::Random)?;
        let info = PrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|_| KeyError::Unwritable)?;
        let encrypted = info.encrypt_with_params(parameters, passphrase).map_err(|_| KeyError::Unwritable)?;
        Ok(pem::encode("ENCRYPTED PRIVATE KEY", encrypted.as_bytes()))
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        PublicKey { key: self.key.to_public_key() }
    }

    /// The public key in PEM, as SPKI.
    ///
    /// # Errors
    /// None is expected: a key that was read can be written.
    pub fn public_pem(&self) -> Result<String, KeyError> {
        self.public().to_pem()
    }

    /// How long the modulus is, and what is encrypted to it, in bytes.
    pub fn length(&self) -> usize {
        self.key.size()
    }

    /// How many bits the modulus has.
    pub fn bits(&self) -> usize {
        super::bits_of(&self.key)
    }

    /// What was encrypted.
    ///
    /// That is always something: what was not padded as it should be gives a text of random length that is junk,
    /// but the same again for the same ciphertext, in the same time. So nobody can learn from us which ciphertexts
    /// are padded well, and decrypt others by that. Only of what cannot be a ciphertext at all, and everybody knows
    /// it, comes an empty text: what is not as [long](Self::length) as the modulus, or a number that is not below
    /// it.
    ///
    /// The time depends on no secret as far as the arithmetic has it in its hands, and is blinded beyond that. It
    /// is slow: 1.3 ms for 2,048 bits, 8 for 4,096, 60 for 8,192.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Zeroizing<Vec<u8>> {
        let plain = Pkcs1v15Encrypt.decrypt(Some(&mut SysRng), &self.key, ciphertext);
        Zeroizing::new(plain.unwrap_or_default())
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(der)?;
        check_algorithm(&info.algorithm)?;
        Self::from_pkcs1(info.private_key.as_bytes())
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let numbers = RsaPrivateKeyRef::from_der(der)?;
        check_numbers(numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes())?;
        let key = RsaPrivateKey::try_from(numbers).map_err(|_| KeyError::Inconsistent)?;
        Ok(Self { key })
    }

    fn to_pkcs8(&self) -> Result<SecretDocument, KeyError> {
        self.key.to_pkcs8_der().map_err(|_| KeyError::Unwritable)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} bits)", self.bits())
    }
}

/// Why it is not to be seen how a private key is encrypted.
fn not_read(error: der::Error) -> KeyError {
    match error.kind() {
        der::ErrorKind::OidUnknown { .. } => KeyError::UnknownEncryption,
        _ => error.into(),
    }
}

/// Why a private key did not decrypt. Most wrong passphrases show in the padding, the others in the DER.
fn not_decrypted(error: pkcs8::Error) -> KeyError {
    match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            KeyError::WrongPassphrase
        }
        _ => KeyError::UnknownEncryption,
    }
}

#[cfg(test)]
mod tests;
