//! What clients and servers of the Residue project sent each other, from `tests/vectors/residue.json`.

use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::{BoxedUint, RsaPrivateKey};
use serde_json::Value;
use zeroize::Zeroizing;

use super::packet::DELIMITER;
use super::pair::PrivateKey;

/// All of one kind: `hello`, `aes`, `captured` and so on.
pub(super) fn all(kind: &str) -> Vec<Value> {
    file()[kind].as_array().unwrap().clone()
}

/// The one of that name.
pub(super) fn named(kind: &str, name: &str) -> Value {
    all(kind).into_iter().find(|vector| vector["name"] == name).unwrap()
}

/// What a field says.
pub(super) fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{} has no {field}", vector["name"]))
}

/// The packet without its delimiter.
pub(super) fn packet(vector: &Value) -> &[u8] {
    text(vector, "packet").as_bytes().strip_suffix(DELIMITER).unwrap()
}

/// The bytes that these digits are.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The PEM of the public key of `client`, `client_e17` or `server`.
pub(super) fn public_pem(owner: &str) -> String {
    text(&file()["keys"][owner], "public_pem").to_owned()
}

/// The PEM of the private key of `client`, `client_e17` or `server`, as PKCS #8.
pub(super) fn private_pem(owner: &str) -> Zeroizing<String> {
    let numbers = &file()["keys"][owner];
    let number = |name| {
        let digits = text(numbers, name).strip_prefix("0x").unwrap();
        let bytes = hex(&format!("{}{digits}", "0".repeat(digits.len() % 2)));
        BoxedUint::from_be_slice_vartime(&bytes)
    };
    let primes = vec![number("p"), number("q")];
    let exponent = BoxedUint::from(numbers["e"].as_u64().unwrap());
    let key = RsaPrivateKey::from_components(number("n"), exponent, number("d"), primes).unwrap();
    key.to_pkcs8_pem(LineEnding::LF).unwrap()
}

/// The key pair of `client`, `client_e17` or `server`.
pub(super) fn key_pair(owner: &str) -> PrivateKey {
    PrivateKey::from_pem(private_pem(owner).as_bytes(), None).unwrap()
}

fn file() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/residue.json")).unwrap()
}
