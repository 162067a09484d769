//! What Residue's packets are sealed with, written by hand from the page.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits of either case say.
#[track_caller]
pub fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{digits}"))).collect()
}

/// An IV that was not used before.
pub fn fresh_iv() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut iv = [0x5a; 16];
    iv[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    iv
}

/// PKCS #7.
pub fn pad(plain: &[u8]) -> Vec<u8> {
    let more = 16 - plain.len() % 16;
    [plain, &vec![u8::try_from(more).unwrap(); more]].concat()
}

/// AES-CBC of whole blocks.
#[track_caller]
pub fn encrypt(key: &[u8], iv: &[u8; 16], blocks: &[u8]) -> Vec<u8> {
    let iv = iv.into();
    match key.len() {
        16 => {
            cbc::Encryptor::<Aes128>::new(key.try_into().unwrap(), iv).encrypt_padded_vec::<NoPadding>(blocks)
        }
        24 => {
            cbc::Encryptor::<Aes192>::new(key.try_into().unwrap(), iv).encrypt_padded_vec::<NoPadding>(blocks)
        }
        32 => {
            cbc::Encryptor::<Aes256>::new(key.try_into().unwrap(), iv).encrypt_padded_vec::<NoPadding>(blocks)
        }
        other => panic!("a key of {other} bytes"),
    }
}

/// What AES-CBC and PKCS #7 have made these blocks of.
#[track_caller]
pub fn decrypt(key: &[u8], iv: &[u8; 16], blocks: &[u8]) -> Vec<u8> {
    let iv = iv.into();
    let plain =
        match key.len() {
            16 => cbc::Decryptor::<Aes128>::new(key.try_into().unwrap(), iv)
                .decrypt_padded_vec::<NoPadding>(blocks),
            24 => cbc::Decryptor::<Aes192>::new(key.try_into().unwrap(), iv)
                .decrypt_padded_vec::<NoPadding>(blocks),
            32 => cbc::Decryptor::<Aes256>::new(key.try_into().unwrap(), iv)
                .decrypt_padded_vec::<NoPadding>(blocks),
            other => panic!("a key of {other} bytes"),
        };
    let mut plain = plain.expect("whole blocks");
    let more = usize::from(*plain.last().expect("not empty"));
    assert!((1..=16).contains(&more), "no padding: {plain:02x?}");
    let padding = plain.split_off(plain.len() - more);
    assert!(padding.iter().all(|&byte| usize::from(byte) == more), "no padding: {padding:02x?}");
    plain
}

/// What a client sends, part by part, so that a test can change one.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What the first block is mixed with.
    pub iv: [u8; 16],
    /// Whose key it is.
    pub id: String,
    /// Whole blocks.
    pub ciphertext: Vec<u8>,
}

impl Sealed {
    /// All of it, with the delimiter.
    pub fn packet(&self) -> Vec<u8> {
        format!("{}:{}:{}\r\n\r\n", hex(&self.iv), self.id, STANDARD.encode(&self.ciphertext)).into_bytes()
    }
}

/// zlib and base64, as a log is compressed.
pub fn compress(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(zlib(text.as_ref()))
}

/// zlib alone.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
