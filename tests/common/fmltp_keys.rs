//! The numbers of FmLTP's key exchange and its tokens, made by hand from the page.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aes::Aes128;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use num_bigint::BigUint;
use sha2::Sha256;

pub use super::der::*;

/// PKCS #3 `dhKeyAgreement`: what the protocol's keys are.
pub const DH_KEY_AGREEMENT: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01";
/// X9.42 `dhpublicnumber`: what some clients make of a prime that OpenSSL knows by name.
pub const X9_42: &[u8] = b"\x2a\x86\x48\xce\x3e\x02\x01";

/// The prime of the group: 2^2048 - 2^1984 - 1 + 2^64 * (floor(2^1919 * sqrt 2) + 3215507).
pub static PRIME: LazyLock<BigUint> = LazyLock::new(|| {
    let two = |exponent: u32| BigUint::from(2_u8).pow(exponent);
    // floor(2^1919 * sqrt 2) = floor(sqrt(2^3839)).
    let middle = two(3839).sqrt() + 3_215_507_u32;
    two(2048) - two(1984) - 1_u8 + two(64) * middle
});

/// A small number.
pub fn small(number: u32) -> BigUint {
    number.into()
}

/// What stands in a PEM block of the server, which has exactly one form.
#[track_caller]
pub fn unpem(label: &str, text: &str) -> Vec<u8> {
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(&body).expect("base64");
    assert_eq!(text, pem(label, &der));
    der
}

/// SERVER_KEX_INIT.
pub fn group() -> String {
    pem("DH PARAMETERS", &tlv(0x30, &[integer(&PRIME), integer(&small(2))].concat()))
}

/// A public key as a client sends it, part by part, so that a test can change one.
#[derive(Clone)]
pub struct PublicKey {
    /// The contents of the object identifier.
    pub oid: Vec<u8>,
    /// The contents of the parameters.
    pub parameters: Vec<u8>,
    /// The contents of the bit string, the number of unused bits first.
    pub bits: Vec<u8>,
    /// What stands behind all of it.
    pub rest: Vec<u8>,
}

impl PublicKey {
    /// The key of this number, in the group of the page.
    pub fn of(number: &BigUint) -> Self {
        Self::with_number(&integer(number))
    }

    /// The key of a number in a form of its own.
    pub fn with_number(number: &[u8]) -> Self {
        let parameters = [integer(&PRIME), integer(&small(2))].concat();
        let bits = [&[0], number].concat();
        Self { oid: DH_KEY_AGREEMENT.to_vec(), parameters, bits, rest: Vec::new() }
    }

    /// The key that belongs to a secret.
    pub fn of_secret(secret: &BigUint) -> Self {
        Self::of(&small(2).modpow(secret, &PRIME))
    }

    /// Its bytes.
    pub fn der(&self) -> Vec<u8> {
        let algorithm = tlv(0x30, &[tlv(0x06, &self.oid), tlv(0x30, &self.parameters)].concat());
        [tlv(0x30, &[algorithm, tlv(0x03, &self.bits)].concat()), self.rest.clone()].concat()
    }

    /// CLIENT_KEX_ID.
    pub fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.der())
    }
}

/// The number of the server's key, which is held against the page.
#[track_caller]
pub fn server_number(text: &str) -> BigUint {
    let der = unpem("PUBLIC KEY", text);
    let (whole, _) = contents(&der);
    let (_, behind_algorithm) = contents(whole);
    let (bits, _) = contents(behind_algorithm);
    let number = BigUint::from_bytes_be(contents(&bits[1..]).0);
    assert_eq!(der, PublicKey::of(&number).der(), "not the one form that a key has");
    assert!(number > small(1) && number < &*PRIME - 1_u8, "a public key out of range");
    number
}

/// The contents of the first element, and what stands behind it.
fn contents(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = match der[1] {
        0x81 => (usize::from(der[2]), &der[3..]),
        0x82 => (usize::from(u16::from_be_bytes([der[2], der[3]])), &der[4..]),
        length => (usize::from(length), &der[2..]),
    };
    rest.split_at(length)
}

/// A session key: the first half signs, the second encrypts.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// The key that both sides have in the end.
    pub fn agreed(secret: &BigUint, theirs: &BigUint) -> Self {
        Self::from_shared(&shared(secret, theirs))
    }

    /// HKDF-SHA256 of the padded shared secret, without salt and info, for a key of 32 bytes.
    pub fn from_shared(shared: &[u8]) -> Self {
        let extracted = signature(&[0; 32], shared);
        Self(signature(&extracted, &[1]))
    }

    /// This key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A token of this text, made now.
    pub fn seal(&self, text: impl AsRef<[u8]>) -> Vec<u8> {
        self.seal_with_iv(text, *b"sixteen bytes iv")
    }

    /// A token of this text whose bytes the test has a hand in.
    pub fn seal_with_iv(&self, text: impl AsRef<[u8]>, iv: [u8; 16]) -> Vec<u8> {
        let text = text.as_ref();
        let padding = 16 - text.len() % 16;
        let blocks = [text, &vec![u8::try_from(padding).unwrap(); padding]].concat();
        self.seal_blocks(0x80, now(), iv, &blocks)
    }

    /// A signed token of whole blocks, whatever they hold, of any version.
    pub fn seal_blocks(&self, version: u8, time: u64, iv: [u8; 16], blocks: &[u8]) -> Vec<u8> {
        let encryptor = cbc::Encryptor::<Aes128>::new_from_slices(&self.0[16..], &iv).unwrap();
        let hidden = encryptor.encrypt_padded_vec::<NoPadding>(blocks);
        let mut token = [&[version], &time.to_be_bytes()[..], &iv, &hidden].concat();
        token.extend(signature(&self.0[..16], &token));
        URL_SAFE.encode(token).into_bytes()
    }

    /// The text of a token that is good in every respect, and when it was made.
    pub fn open(&self, token: &[u8]) -> Option<(Vec<u8>, u64)> {
        let bytes = URL_SAFE.decode(token).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        if signature(&self.0[..16], signed) != mac {
            return None;
        }
        let (head, hidden) = signed.split_at(25);
        let decryptor = cbc::Decryptor::<Aes128>::new_from_slices(&self.0[16..], &head[9..]).unwrap();
        let mut text = decryptor.decrypt_padded_vec::<NoPadding>(hidden).unwrap();
        let padding = usize::from(*text.last()?);
        let end = text.len().checked_sub(padding)?;
        let good =
            (1..=16).contains(&padding) && text[end..].iter().all(|&byte| usize::from(byte) == padding);
        text.truncate(end);
        let time = u64::from_be_bytes(head[1..9].try_into().unwrap());
        (head[0] == 0x80 && good).then_some((text, time))
    }
}

/// The shared secret, padded to the length of the prime.
pub fn shared(secret: &BigUint, theirs: &BigUint) -> Vec<u8> {
    let number = theirs.modpow(secret, &PRIME).to_bytes_be();
    [vec![0; 256 - number.len()], number].concat()
}

/// How many characters a token has whose text takes so many blocks.
pub fn token_length(blocks: usize) -> usize {
    (57 + 16 * blocks).div_ceil(3) * 4
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signature(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}
