//! Key exchanges in all kinds of groups.

use num_bigint::BigUint;

use super::*;
use crate::fmltp::fernet::Scan;
use crate::fmltp::vectors::{WITH_USERS, WITHOUT_USERS, hex};

/// An odd number of so many bits; nothing here needs it to be a prime.
fn odd(bits: u32) -> Vec<u8> {
    ((BigUint::from(1_u8) << bits) - 1_u8 - (BigUint::from(0xabcd_u32) << (bits / 2))).to_bytes_be()
}

fn group_of(p: &[u8], g: &[u8]) -> Result<Group, GroupError> {
    Group::parse(pem::encode(group::LABEL, &asn1::group_der(p, g)).as_bytes())
}

fn key_in(group: &Group, y: &[u8]) -> Result<TheirKey, KeyError> {
    group.read_key(pem::encode(key::LABEL, &asn1::public_key_der(&group.der, y)).as_bytes())
}

fn secret() -> Zeroizing<U256> {
    Zeroizing::new(U256::from_be_slice(&[0xc5; 32]))
}

#[test]
fn the_recorded_handshakes_come_out_the_same() {
    for recorded in [WITH_USERS, WITHOUT_USERS] {
        let group = Group::parse(recorded.parameters.as_bytes()).unwrap();
        let info = GroupInfo { bits: 1024, generator: Some(2), private_length: PrivateLength::Bits(175) };
        assert_eq!(group.info(), info);
        let mut bytes = [0; 32];
        let digits = hex(recorded.secret);
        bytes[32 - digits.len()..].copy_from_slice(&digits);
        let secret = Zeroizing::new(U256::from_be_slice(&bytes));
        assert_eq!(group.public_key(&secret), recorded.client_key);
        let theirs = group.read_key(recorded.server_key.as_bytes()).unwrap();
        let key = group.agree(&secret, &theirs);
        for (_, token, text) in recorded.tokens {
            let found = key.find(token.as_bytes(), &mut Scan::default()).unwrap().unwrap();
            assert_eq!(found.1.as_slice(), text.as_bytes());
        }
    }
}

#[test]
fn a_server_of_ours_agrees_with_us() {
    let group = Group::parse(group::parameters().as_bytes()).unwrap();
    let absent = PrivateLength::Absent;
    assert_eq!(group.info(), GroupInfo { bits: 2048, generator: Some(2), private_length: absent });
    let secret = key::fresh_secret();
    let ours = key::PublicKey::parse(group.public_key(&secret).as_bytes()).unwrap();
    let agreed = key::agree(&ours);
    let theirs = group.read_key(agreed.public.to_pem().as_bytes()).unwrap();
    let token = agreed.key.seal(b"hello", 0, fernet::fresh_iv());
    let found = group.agree(&secret, &theirs).find(&token, &mut Scan::default()).unwrap().unwrap();
    assert_eq!(found.1.as_slice(), b"hello");
}

#[test]
fn groups_of_any_length_give_the_powers_of_another_arithmetic() {
    for bits in [512, 513, 520, 1000, 1024, 1536, 2048, 3072, 4096, 8192] {
        let p = odd(bits);
        let group = group_of(&p, &[5]).unwrap();
        assert_eq!((group.info().bits, group.info().generator), (bits, Some(5)));
        let base = vec![0x7b; p.len() - 1];
        let power = group.power(&number(&base, &p), &secret());
        assert_eq!(power.len(), p.len(), "padded to the length of p");
        let secret = BigUint::from_bytes_be(&[0xc5; 32]);
        let expected = BigUint::from_bytes_be(&base).modpow(&secret, &BigUint::from_bytes_be(&p));
        assert_eq!(BigUint::from_bytes_be(&power), expected, "{bits} bits");
    }
}

#[test]
fn a_power_that_is_short_is_padded() {
    // With 1 as its last digit, p leaves 2 to the power of 256 as it is.
    let p = odd(520);
    let group = group_of(&p, &[2]).unwrap();
    let power = group.power(&number(&[2], &p), &Zeroizing::new(U256::from_u16(256)));
    let expected = [&[0; 32][..], &[1], &[0; 32]].concat();
    assert_eq!((power.len(), power.as_slice()), (65, expected.as_slice()));
}

#[test]
fn groups_that_cannot_be_computed_in_are_refused() {
    let fits = odd(1024);
    let [even, less, more] = [(&fits, 1_u8), (&fits, 2), (&fits, 0)].map(|(p, by)| {
        let p = BigUint::from_bytes_be(p);
        if by == 0 { p + 1_u8 } else { p - by }.to_bytes_be()
    });
    let table: [(&[u8], &[u8], GroupError); 11] = [
        (&odd(511), &[2], GroupError::Size(511)),
        (&odd(8193), &[2], GroupError::Size(8193)),
        (&[0xf1], &[2], GroupError::Size(8)),
        (&[], &[2], GroupError::Size(0)),
        (&even, &[2], GroupError::Even),
        (&fits, &[], GroupError::Generator),
        (&fits, &[1], GroupError::Generator),
        (&fits, &even, GroupError::Generator),
        (&fits, &fits, GroupError::Generator),
        (&fits, &more, GroupError::Generator),
        (&fits, &[1; 129], GroupError::Generator),
    ];
    for (p, g, expected) in table {
        assert_eq!(group_of(p, g).err(), Some(expected), "{} and {} bytes", p.len(), g.len());
    }
    assert!(group_of(&fits, &less).is_ok(), "p - 2 is a generator");
    assert!(matches!(Group::parse(b"-----BEGIN DH"), Err(GroupError::Pem(_))));
    assert!(matches!(
        Group::parse(pem::encode(group::LABEL, b"\x30\x01").as_bytes()),
        Err(GroupError::Asn1(_))
    ));
}

#[test]
fn a_private_value_length_is_told_as_it_is() {
    for (third, expected) in [
        (&b""[..], PrivateLength::Absent),
        (b"\x02\x01\x00", PrivateLength::Bits(0)),
        (b"\x02\x02\x00\xe1", PrivateLength::Bits(225)),
        (b"\x02\x05\x00\xff\xff\xff\xff", PrivateLength::Bits(u32::MAX)),
        (b"\x02\x05\x01\x00\x00\x00\x00", PrivateLength::Odd),
        (b"\x02\x01\xff", PrivateLength::Odd),
    ] {
        let mut der = asn1::group_der(&odd(512), &[2]);
        der.extend_from_slice(third);
        der[1] += u8::try_from(third.len()).unwrap();
        let group = Group::parse(pem::encode(group::LABEL, &der).as_bytes()).unwrap();
        assert_eq!(group.info().private_length, expected, "{third:?}");
        let theirs = group.public_key(&secret());
        assert!(group.read_key(theirs.as_bytes()).is_ok(), "our key repeats it");
    }
}

#[test]
fn keys_that_would_give_the_secret_away_are_refused() {
    let p = odd(1024);
    let number = BigUint::from_bytes_be(&p);
    let group = group_of(&p, &[2]).unwrap();
    for good in [vec![2], (&number - 2_u8).to_bytes_be()] {
        assert!(key_in(&group, &good).is_ok());
    }
    for bad in [
        vec![],
        vec![1],
        (&number - 1_u8).to_bytes_be(),
        p.clone(),
        (&number + 1_u8).to_bytes_be(),
        vec![0xff; 129],
        vec![0xff; 4000],
    ] {
        assert_eq!(key_in(&group, &bad).err(), Some(KeyError::Range), "{} bytes", bad.len());
    }
    for (p, g) in [(odd(1025), 2), (p, 3)] {
        let other = group_of(&p, &[g]).unwrap();
        let theirs = other.public_key(&secret());
        assert_eq!(group.read_key(theirs.as_bytes()).err(), Some(KeyError::Group));
    }
}
