//! DER, as it is written and as it has to be.

use super::*;

/// p = 0xf1, g = 2.
const GROUP: &[u8] = b"\x30\x07\x02\x02\x00\xf1\x02\x01\x02";
/// The same with a private value length of 175.
const LONG_GROUP: &[u8] = b"\x30\x0b\x02\x02\x00\xf1\x02\x01\x02\x02\x02\x00\xaf";
/// y = 7 in the first group.
const KEY: &[u8] =
    b"\x30\x1c\x30\x14\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01\x30\x07\x02\x02\x00\xf1\x02\x01\x02\x03\x04\x00\x02\x01\x07";

#[test]
fn groups_and_keys_have_golden_bytes() {
    let small = Group { p: &[0xf1], g: &[2], private_length: None };
    assert_eq!(group_der(&[0, 0, 0xf1], &[2]), GROUP);
    assert_eq!(group(GROUP), Ok(small));
    assert_eq!(group(LONG_GROUP), Ok(Group { private_length: Some(&[0, 0xaf]), ..small }));
    assert_eq!(public_key_der(GROUP, &[7]), KEY);
    assert_eq!(public_key(KEY), Ok(KeyInfo { group: small, y: &[7] }));
}

#[test]
fn numbers_of_any_length_are_written_so_that_they_can_be_read() {
    for length in [0, 1, 2, 127, 128, 129, 255, 256, 257, 1024] {
        for first in [0x01, 0x7f, 0x80, 0xff] {
            let mut number = vec![0x55; length];
            if let Some(byte) = number.first_mut() {
                *byte = first;
            }
            let der = group_der(&number, &[2]);
            let expected = if number.is_empty() { &[0][..] } else { &number };
            assert_eq!(group(&der).map(|group| group.p), Ok(expected), "{length} bytes, {first:#x}");
        }
    }
}

#[test]
fn every_prefix_and_every_tail_is_an_error() {
    for der in [GROUP, LONG_GROUP] {
        assert!((0..der.len()).all(|cut| group(&der[..cut]).is_err()));
        assert!(group(&[der, b"\0"].concat()).is_err());
    }
    assert!((0..KEY.len()).all(|cut| public_key(&KEY[..cut]).is_err()));
    assert!(public_key(&[KEY, b"\0"].concat()).is_err());
}

#[test]
fn a_flipped_bit_changes_what_a_key_says_or_makes_it_none() {
    for at in 0..KEY.len() * 8 {
        let mut flipped = KEY.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        if let Ok(info) = public_key(&flipped) {
            assert_ne!(Ok(info), public_key(KEY), "bit {at}");
        }
    }
}

#[test]
fn only_der_is_taken() {
    let malformed = |field, at| Err(Asn1Error::Malformed { field, at });
    let table: [(&str, &[u8], Result<(), Asn1Error>); 8] = [
        ("negative p", b"\x30\x06\x02\x01\xf1\x02\x01\x02", malformed("p", 4)),
        ("p with a zero too many", b"\x30\x08\x02\x03\x00\x00\x71\x02\x01\x02", malformed("p", 4)),
        ("a length of two bytes", b"\x30\x81\x07\x02\x02\x00\xf1\x02\x01\x02", malformed("the structure", 0)),
        ("an empty number", b"\x30\x05\x02\x00\x02\x01\x02", malformed("p", 4)),
        ("an indefinite length", b"\x30\x80\x02\x01\x71\x02\x01\x02\x00\x00", malformed("the structure", 0)),
        ("a string for g", b"\x30\x07\x02\x02\x00\xf1\x04\x01\x02", malformed("g", 6)),
        ("no g", b"\x30\x04\x02\x02\x00\xf1", malformed("g", 6)),
        (
            "a fourth number",
            b"\x30\x0d\x02\x02\x00\xf1\x02\x01\x02\x02\x01\x03\x02\x01\x04",
            malformed("the structure", 0),
        ),
    ];
    for (what, der, expected) in table {
        let found = group(der).map(|_| ());
        let (Err(Asn1Error::Malformed { field, .. }), Err(Asn1Error::Malformed { field: wanted, .. })) =
            (found, expected)
        else {
            panic!("{what}: {found:?}");
        };
        assert_eq!(field, wanted, "{what}: {found:?}");
    }
}

#[test]
fn a_key_of_another_kind_is_told_from_a_broken_one() {
    let mut other = KEY.to_vec();
    // 1.2.840.113549.1.3.2
    other[14] = 2;
    assert_eq!(public_key(&other), Err(Asn1Error::Algorithm));
    // RSA has a NULL where the group would be.
    let rsa = b"\x30\x13\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x02\x00\x00";
    assert_eq!(public_key(rsa), Err(Asn1Error::Algorithm));
    let mut unused = KEY.to_vec();
    unused[26] = 1;
    assert!(matches!(public_key(&unused), Err(Asn1Error::Malformed { .. })), "bits of the key are unused");
}

#[test]
fn the_third_number_of_a_group_is_not_looked_at() {
    for third in [&b"\x02\x01\x00"[..], b"\x02\x01\xff", b"\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00"] {
        let mut der = GROUP.to_vec();
        der[1] += u8::try_from(third.len()).unwrap();
        der.extend_from_slice(third);
        assert_eq!(group(&der).map(|group| group.private_length), Ok(Some(&third[2..])));
    }
    let overlong = b"\x30\x0b\x02\x02\x00\xf1\x02\x01\x02\x02\x02\x00\x01";
    assert!(group(overlong).is_err(), "but it is DER");
}
