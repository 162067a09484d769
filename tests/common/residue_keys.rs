//! The RSA keys of Residue's tests, and what is done with them: school arithmetic, and padding by hand.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;
use serde_json::Value;

use super::der::{integer, pem, tlv};

/// `rsaEncryption`, and parameters that are NULL.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The packets that were written down, with the keys that belong to them.
pub static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/residue.json")).unwrap());

/// The key of most clients: 2,048 bits.
pub static ANNS: LazyLock<Pair> = LazyLock::new(|| Pair::written_down("client"));
/// Another one of 2,048 bits, whose exponent is 17.
pub static BOBS: LazyLock<Pair> = LazyLock::new(|| Pair::written_down("client_e17"));
/// The server's key, if it has one: 6,144 bits, so that a public key fits into what is encrypted to it.
pub static SERVERS: LazyLock<Pair> = LazyLock::new(|| Pair::written_down("server"));

/// A private key of 1,024 bits, as a file.
pub const SHORT_PRIVATE: &str = include_str!("../vectors/rsa1024.pem");

/// A number of the vectors or of JSON in general.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// An RSA key, all of it.
pub struct Pair {
    modulus: BigUint,
    exponent: BigUint,
    secret: BigUint,
    primes: [BigUint; 2],
}

impl Pair {
    fn written_down(name: &str) -> Self {
        let key = &VECTORS["keys"][name];
        let number = |name| {
            let hex = text(key, name).strip_prefix("0x").unwrap();
            BigUint::parse_bytes(hex.as_bytes(), 16).unwrap()
        };
        let exponent = BigUint::from(key["e"].as_u64().unwrap());
        let primes = ["p", "q"].map(number);
        Self { modulus: number("n"), exponent, secret: number("d"), primes }
    }

    /// How many bytes the modulus has.
    pub fn length(&self) -> usize {
        usize::try_from(self.modulus.bits().div_ceil(8)).unwrap()
    }

    /// The public half, as a file.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &spki(&self.modulus, &self.exponent))
    }

    /// The public half, as a hello carries it.
    pub fn as_sent(&self) -> String {
        STANDARD.encode(self.public_pem())
    }

    /// All of it, as a file (PKCS #8).
    pub fn private_pem(&self) -> String {
        let one = BigUint::from(1_u8);
        let [p, q] = &self.primes;
        let rest = [p, q].map(|prime| &self.secret % (prime - &one));
        let inverse = q.modpow(&(p - 2_u8), p);
        let numbers = [&self.modulus, &self.exponent, &self.secret, p, q, &rest[0], &rest[1], &inverse];
        let zero = integer(&BigUint::ZERO);
        let key = tlv(0x30, &[zero.clone(), numbers.map(integer).concat()].concat());
        pem("PRIVATE KEY", &tlv(0x30, &[zero, tlv(0x30, RSA), tlv(0x04, &key)].concat()))
    }

    /// Encrypts to the public half.
    pub fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let length = self.length();
        // What is random in earnest only must not be zero.
        let filling: Vec<u8> = (1..=255).cycle().take(length - 3 - plain.len()).collect();
        assert!(filling.len() >= 8, "{} bytes do not fit", plain.len());
        self.encrypt_block(&[&[0, 2], &filling[..], &[0], plain].concat())
    }

    /// Encrypts a block as it is.
    pub fn encrypt_block(&self, block: &[u8]) -> Vec<u8> {
        in_full(&BigUint::from_bytes_be(block).modpow(&self.exponent, &self.modulus), self.length())
    }

    /// Decrypts what was encrypted to the public half, which must have been done right.
    #[track_caller]
    pub fn decrypt(&self, ciphertext: &[u8]) -> Vec<u8> {
        assert_eq!(ciphertext.len(), self.length());
        let [p, q] = &self.primes;
        let number = BigUint::from_bytes_be(ciphertext);
        let [by_p, by_q] = [p, q].map(|prime| number.modpow(&(&self.secret % (prime - 1_u8)), prime));
        // The number is by_q modulo q, and so many q more that it is by_p modulo p.
        let times = (by_p + p - &by_q % p) * q.modpow(&(p - 2_u8), p) % p;
        let block = in_full(&(by_q + times * q), self.length());
        assert_eq!(block[..2], [0, 2], "it was padded otherwise");
        let end = 2 + block[2..].iter().position(|&byte| byte == 0).expect("the padding ends");
        assert!(end >= 10, "the padding has {} bytes", end - 2);
        block[end + 1..].to_vec()
    }
}

/// A public key that nobody has the other half of, as a hello carries it.
pub fn made_up_key(bits: u32, exponent: u64) -> String {
    let modulus = (BigUint::from(1_u8) << (bits - 1)) + 0xab_cdef_u32;
    STANDARD.encode(pem("PUBLIC KEY", &spki(&modulus, &exponent.into())))
}

fn spki(modulus: &BigUint, exponent: &BigUint) -> Vec<u8> {
    let key = tlv(0x30, &[integer(modulus), integer(exponent)].concat());
    tlv(0x30, &[tlv(0x30, RSA), tlv(0x03, &[&[0], &key[..]].concat())].concat())
}

fn in_full(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; length - bytes.len()], bytes].concat()
}
