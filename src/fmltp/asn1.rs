//! Groups and public keys of Diffie-Hellman in DER ("Group", "Key exchange").
//!
//! ```text
//!     DHParameter ::= SEQUENCE { p INTEGER, g INTEGER, privateValueLength INTEGER OPTIONAL }      PKCS #3
//!
//!     SubjectPublicKeyInfo ::= SEQUENCE {
//!         algorithm SEQUENCE { dhKeyAgreement OBJECT IDENTIFIER, DHParameter },
//!         subjectPublicKey BIT STRING that holds y INTEGER }
//! ```

use std::fmt;

use der::asn1::{BitStringRef, IntRef, ObjectIdentifier, UintRef};
use der::{Decode, Reader, SliceReader};

/// `dhKeyAgreement` of PKCS #3, 1.2.840.113549.1.3.1.
const ALGORITHM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1");
/// The same, as it stands in DER.
const ALGORITHM_DER: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// A group, as numbers with the most significant byte first and no zeros before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group<'a> {
    pub(super) p: &'a [u8],
    pub(super) g: &'a [u8],
    /// The `privateValueLength`, of which nothing is asked but that it is an INTEGER.
    pub(super) private_length: Option<&'a [u8]>,
}

/// A public key, and the group that it says it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyInfo<'a> {
    pub(super) group: Group<'a>,
    pub(super) y: &'a [u8],
}

/// Why bytes are no group or no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asn1Error {
    /// They are not DER of what is expected.
    Malformed {
        /// What should stand there.
        field: &'static str,
        /// About where: an offset in the DER.
        at: usize,
    },
    /// The key is one for another algorithm than Diffie-Hellman as PKCS #3 has it.
    Algorithm,
}

impl fmt::Display for Asn1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { field, at } => write!(f, "{field} is malformed (byte {at} of the DER)"),
            Self::Algorithm => f.write_str("the key is for another algorithm"),
        }
    }
}

impl std::error::Error for Asn1Error {}

impl From<der::Error> for Asn1Error {
    fn from(error: der::Error) -> Self {
        malformed("the structure", 0, error)
    }
}

/// Reads a `DHParameter`, and nothing after it.
pub(super) fn group(der: &[u8]) -> Result<Group<'_>, Asn1Error> {
    let mut reader = SliceReader::new(der)?;
    let group = parameters(&mut reader)?;
    reader.finish()?;
    Ok(group)
}

/// Reads a `SubjectPublicKeyInfo`, and nothing after it.
pub(super) fn public_key(der: &[u8]) -> Result<KeyInfo<'_>, Asn1Error> {
    let mut reader = SliceReader::new(der)?;
    let (group, key) = reader.sequence(|info| {
        let group = info.sequence(|algorithm| {
            let identifier: ObjectIdentifier = field(algorithm, "the algorithm")?;
            if identifier == ALGORITHM { parameters(algorithm) } else { Err(Asn1Error::Algorithm) }
        })?;
        Ok::<_, Asn1Error>((group, field::<BitStringRef<'_>>(info, "the key")?))
    })?;
    reader.finish()?;
    // The key comes last, so it begins as long before the end as it is long.
    let start = der.len() - key.raw_bytes().len();
    let error = |error| malformed("y", start, error);
    let key = key.as_bytes().ok_or(Asn1Error::Malformed { field: "the key", at: start })?;
    let mut inner = SliceReader::new(key).map_err(error)?;
    let y = UintRef::decode(&mut inner).map_err(error)?.as_bytes();
    inner.finish().map_err(error)?;
    Ok(KeyInfo { group, y })
}

/// The DER of a `DHParameter` without `privateValueLength`.
pub(super) fn group_der(p: &[u8], g: &[u8]) -> Vec<u8> {
    tagged(SEQUENCE, &[unsigned(p), unsigned(g)].concat())
}

/// The DER of a `SubjectPublicKeyInfo`; the group is a `DHParameter` in DER.
pub(super) fn public_key_der(group: &[u8], y: &[u8]) -> Vec<u8> {
    let algorithm = tagged(SEQUENCE, &[ALGORITHM_DER, group].concat());
    // No bit of the last byte is unused.
    let key = tagged(BIT_STRING, &[&[0], unsigned(y).as_slice()].concat());
    tagged(SEQUENCE, &[algorithm, key].concat())
}

fn parameters<'a>(reader: &mut SliceReader<'a>) -> Result<Group<'a>, Asn1Error> {
    reader.sequence(|inner| {
        let p = field::<UintRef<'_>>(inner, "p")?.as_bytes();
        let g = field::<UintRef<'_>>(inner, "g")?.as_bytes();
        let private_length = if inner.is_finished() {
            None
        } else {
            Some(field::<IntRef<'_>>(inner, "the private value length")?.as_bytes())
        };
        Ok(Group { p, g, private_length })
    })
}

fn field<'a, T: Decode<'a, Error = der::Error>>(
    reader: &mut SliceReader<'a>,
    name: &'static str,
) -> Result<T, Asn1Error> {
    T::decode(reader).map_err(|error| malformed(name, 0, error))
}

/// What the reader has found, as an error about `field`; the reader began at offset `start`.
fn malformed(field: &'static str, start: usize, error: der::Error) -> Asn1Error {
    let at = error.position().and_then(|position| usize::try_from(position).ok());
    Asn1Error::Malformed { field, at: start + at.unwrap_or_default() }
}

/// An INTEGER that is not negative, however many zeros `number` begins with.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    let digits = number.get(start..).unwrap_or_default();
    let is_zero_needed = digits.first().is_none_or(|&first| first >= 0x80);
    let mut contents = vec![0; usize::from(is_zero_needed)];
    contents.extend_from_slice(digits);
    tagged(INTEGER, &contents)
}

fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut value = vec![tag];
    let length = contents.len().to_be_bytes();
    let start = length.iter().position(|&byte| byte != 0).unwrap_or(length.len() - 1);
    match &length[start..] {
        [short] if *short < 0x80 => value.push(*short),
        long => {
            // At most eight bytes of length.
            value.extend(u8::try_from(long.len()).map(|count| 0x80 | count));
            value.extend_from_slice(long);
        }
    }
    value.extend_from_slice(contents);
    value
}

#[cfg(test)]
mod tests;
