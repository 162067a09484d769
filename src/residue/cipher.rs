//! AES: how packets of clients that have a key are sealed and opened ("Envelopes").
//!
//! ```text
//!     JSON                     -> AES-CBC, PKCS #7                      all but logs
//!     JSON -> zlib -> base64   -> AES-CBC, PKCS #7                      logs, where the server says that it inflates
//! ```
//!
//! Nothing proves that what opens is what was sealed: there is no code that authenticates it. Whoever can change
//! packets on their way can change what they say, and, where he sees whether they are understood, guess at what is in
//! them; what a server does against that is to look at IDs, times and repetitions.

use std::fmt;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit,
};
use aes::{Aes128, Aes192, Aes256};
use zeroize::Zeroizing;

use super::envelope::{self, Base64Error, Sealed};
use super::random::{self, RandomError};

mod inflate;

pub use inflate::{Inflated, inflate, inflate_within};

const BLOCK: usize = 16;

/// How long a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySize {
    /// 16 bytes.
    Bits128,
    /// 24 bytes.
    Bits192,
    /// 32 bytes.
    Bits256,
}

impl KeySize {
    /// The size of so many bits, if there is one.
    pub fn from_bits(bits: i64) -> Option<Self> {
        match bits {
            128 => Some(Self::Bits128),
            192 => Some(Self::Bits192),
            256 => Some(Self::Bits256),
            _ => None,
        }
    }

    /// How many bits that are.
    pub fn bits(self) -> i64 {
        match self {
            Self::Bits128 => 128,
            Self::Bits192 => 192,
            Self::Bits256 => 256,
        }
    }
}

/// A client's key, which is wiped when it is dropped and does not show itself.
pub struct Key {
    bytes: Bytes,
}

enum Bytes {
    Bits128(Zeroizing<[u8; 16]>),
    Bits192(Zeroizing<[u8; 24]>),
    Bits256(Zeroizing<[u8; 32]>),
}

impl Key {
    /// A new key that nobody can guess.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn fresh(size: KeySize) -> Result<Self, RandomError> {
        let mut key = Self::blank(size);
        random::fill(key.as_mut_slice())?;
        Ok(key)
    }

    /// The key that these digits are, which may be of either case: 32, 48 or 64 of them.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let bits = i64::try_from(digits.len()).ok()?.checked_mul(4)?;
        let mut key = Self::blank(KeySize::from_bits(bits)?);
        envelope::from_hex(digits.as_bytes(), key.as_mut_slice())?;
        Some(key)
    }

    /// The key in upper-case digits, as it travels.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let bytes = self.as_slice();
        // All at once: what grows leaves copies behind.
        let mut digits = Zeroizing::new(String::with_capacity(2 * bytes.len()));
        for byte in bytes {
            let pair = [byte >> 4, byte & 15];
            digits.extend(pair.map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
        digits
    }

    /// How long the key is.
    pub fn size(&self) -> KeySize {
        match self.bytes {
            Bytes::Bits128(_) => KeySize::Bits128,
            Bytes::Bits192(_) => KeySize::Bits192,
            Bytes::Bits256(_) => KeySize::Bits256,
        }
    }

    /// The ciphertext of `plain`; `iv` has to be [fresh](random::iv).
    pub fn seal(&self, plain: &[u8], iv: [u8; BLOCK]) -> Vec<u8> {
        match &self.bytes {
            Bytes::Bits128(key) => seal::<Aes128>(&(**key).into(), iv, plain),
            Bytes::Bits192(key) => seal::<Aes192>(&(**key).into(), iv, plain),
            Bytes::Bits256(key) => seal::<Aes256>(&(**key).into(), iv, plain),
        }
    }

    /// What was sealed.
    ///
    /// All of it is decrypted before the padding is judged. What is right takes longer all the same, as it is read then.
    ///
    /// # Errors
    /// It is no base64, no whole number of blocks, or not padded as it should be: another key has sealed it, or none.
    pub fn open(&self, sealed: &Sealed<'_>) -> Result<Opened, CipherError> {
        let ciphertext = envelope::decode_base64(sealed.base64).map_err(CipherError::Base64)?;
        let length = CipherError::Length(ciphertext.len());
        let Some((_, last)) = ciphertext.split_last_chunk::<8>() else { return Err(length) };
        if !ciphertext.len().is_multiple_of(BLOCK) {
            return Err(length);
        }
        let mark = Mark(u64::from_be_bytes(*last));
        let plain = match &self.bytes {
            Bytes::Bits128(key) => open::<Aes128>(&(**key).into(), sealed.iv, ciphertext),
            Bytes::Bits192(key) => open::<Aes192>(&(**key).into(), sealed.iv, ciphertext),
            Bytes::Bits256(key) => open::<Aes256>(&(**key).into(), sealed.iv, ciphertext),
        };
        Ok(Opened { plain: plain?, mark })
    }

    fn blank(size: KeySize) -> Self {
        let bytes = match size {
            KeySize::Bits128 => Bytes::Bits128(Zeroizing::default()),
            KeySize::Bits192 => Bytes::Bits192(Zeroizing::default()),
            KeySize::Bits256 => Bytes::Bits256(Zeroizing::default()),
        };
        Self { bytes }
    }

    fn as_slice(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Bits128(bytes) => bytes.as_slice(),
            Bytes::Bits192(bytes) => bytes.as_slice(),
            Bytes::Bits256(bytes) => bytes.as_slice(),
        }
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.bytes {
            Bytes::Bits128(bytes) => bytes.as_mut_slice(),
            Bytes::Bits192(bytes) => bytes.as_mut_slice(),
            Bytes::Bits256(bytes) => bytes.as_mut_slice(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bits)", self.size().bits())
    }
}

/// A packet that has been opened.
pub struct Opened {
    /// What it says, which is wiped when it is dropped.
    pub plain: Zeroizing<Vec<u8>>,
    /// What it is recognized by when it comes again.
    pub mark: Mark,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.plain.len())
    }
}

/// The last 8 bytes of a ciphertext, by which a repeated packet is recognized ("Repeated packets").
///
/// The initialization vector, and the blocks at the front, can be changed without a key so that another text opens,
/// but not the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

/// Why a packet does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CipherError {
    /// It is not in base64; offsets count from the first byte of that.
    Base64(Base64Error),
    /// So many bytes are no whole number of blocks, or none.
    Length(usize),
    /// Its padding is wrong.
    Padding,
}

impl fmt::Display for CipherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64(error) => error.fmt(f),
            Self::Length(bytes) => write!(f, "{bytes} bytes are no whole number of blocks"),
            Self::Padding => f.write_str("the key does not open it"),
        }
    }
}

impl std::error::Error for CipherError {}

/// A key, for the block cipher `C`.
type KeyOf<C> = aes::cipher::Key<C>;

fn seal<C>(key: &KeyOf<C>, iv: [u8; BLOCK], plain: &[u8]) -> Vec<u8>
where
    C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16> + KeyInit,
{
    let padded = (plain.len() / BLOCK + 1) * BLOCK;
    // All at once: what grows leaves copies of the text behind.
    let mut sealed = Vec::with_capacity(padded);
    sealed.extend_from_slice(plain);
    sealed.resize(padded, 0);
    let cipher = cbc::Encryptor::<C>::new(key, &iv.into());
    let is_room = cipher.encrypt_padded::<Pkcs7>(&mut sealed, plain.len()).is_ok();
    assert!(is_room, "the padding has been counted in");
    sealed
}

/// Decrypts whole blocks, of which there is at least one.
fn open<C>(key: &KeyOf<C>, iv: [u8; BLOCK], ciphertext: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, CipherError>
where
    C: BlockCipherDecrypt<BlockSize = aes::cipher::consts::U16> + KeyInit,
{
    // All of it is decrypted before its padding is looked at, so that this step takes as long for junk.
    let mut plain = Zeroizing::new(ciphertext);
    let cipher = cbc::Decryptor::<C>::new(key, &iv.into());
    let length = cipher.decrypt_padded::<Pkcs7>(&mut plain).map(<[u8]>::len);
    plain.truncate(length.map_err(|_| CipherError::Padding)?);
    Ok(plain)
}

#[cfg(test)]
mod tests;
