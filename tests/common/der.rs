//! DER and PEM, written by hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;

/// A tag, the length of the contents, and these: as DER wants it.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let head = match length {
        0..=127 => vec![tag, u8::try_from(length).unwrap()],
        128..=255 => vec![tag, 0x81, u8::try_from(length).unwrap()],
        _ => [&[tag, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    [head, contents.to_vec()].concat()
}

/// A number as DER wants it: with a zero in front where its first bit would be a sign.
pub fn integer(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes[0] >= 0x80 {
        bytes.insert(0, 0);
    }
    tlv(0x02, &bytes)
}

/// A PEM block in lines of 64 columns, each with LF.
pub fn pem(label: &str, der: &[u8]) -> String {
    pem_in_lines(label, der, 64, "\n")
}

/// A PEM block in lines of `columns`, each with `end`.
pub fn pem_in_lines(label: &str, der: &[u8], columns: usize, end: &str) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap());
    let body: String = lines.map(|line| format!("{line}{end}")).collect();
    format!("-----BEGIN {label}-----{end}{body}-----END {label}-----{end}")
}
