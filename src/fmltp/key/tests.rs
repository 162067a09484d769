//! Public keys, good and bad, and what two sides agree on.

use num_bigint::BigUint;

use super::*;
use crate::fmltp::fernet::Scan;
use crate::fmltp::vectors::{WITH_USERS, WITHOUT_USERS, hex};

fn p() -> Vec<u8> {
    group::P.to_be_bytes().as_ref().to_vec()
}

/// p, less so much.
fn p_less(by: u8) -> Vec<u8> {
    let mut number = p();
    // The last 64 bits of p are all set: nothing is carried.
    number[group::BYTES - 1] -= by;
    number
}

/// The PEM block of a key in our group.
fn block(y: &[u8]) -> String {
    pem::encode(LABEL, &asn1::public_key_der(group::der(), y))
}

fn parsed(y: &[u8]) -> Result<Vec<u8>, KeyError> {
    PublicKey::parse(block(y).as_bytes()).map(|key| key.y.to_be_bytes().as_ref().to_vec())
}

/// The text of a token that one side seals and the other opens.
fn passed(from: &fernet::Key, to: &fernet::Key) -> Option<Vec<u8>> {
    let token = from.seal(b"hello", 7, fernet::fresh_iv());
    let found = to.find(&token, &mut Scan::default()).ok()??;
    Some(found.1.to_vec())
}

#[test]
fn a_key_lies_between_1_and_p_less_1() {
    for good in [vec![2], vec![3], p_less(2), [&[1][..], &[0; 255]].concat()] {
        let read = parsed(&good).unwrap();
        assert_eq!(BigUint::from_bytes_be(&read), BigUint::from_bytes_be(&good));
    }
    let larger = [&[1][..], &[0; 256]].concat();
    let huge = vec![0xff; 4096];
    for bad in [vec![], vec![0], vec![1], p_less(1), p(), vec![0xff; 256], larger, huge] {
        assert_eq!(parsed(&bad), Err(KeyError::Range), "{} bytes", bad.len());
    }
}

#[test]
fn a_negative_key_is_malformed() {
    // An INTEGER of 1 byte whose first bit is set.
    let mut der = asn1::public_key_der(group::der(), &[0x71]);
    let last = der.len() - 1;
    der[last] = 0xf1;
    let found = PublicKey::parse(pem::encode(LABEL, &der).as_bytes());
    assert!(matches!(found, Err(KeyError::Asn1(Asn1Error::Malformed { field: "y", .. }))), "{found:?}");
}

#[test]
fn a_key_of_another_group_is_refused() {
    let mut next = p();
    next[group::BYTES - 1] -= 8;
    let another = |p: &[u8], g: &[u8]| {
        let der = asn1::public_key_der(&asn1::group_der(p, g), &[7]);
        PublicKey::parse(pem::encode(LABEL, &der).as_bytes())
    };
    assert!(another(&p(), &[2]).is_ok());
    for (p, g) in
        [(&p(), &[3][..]), (&next, &[2]), (&vec![0xf1], &[2]), (&vec![0xff; 512], &[2]), (&p(), &[])]
    {
        assert_eq!(another(p, g), Err(KeyError::Group));
    }
    for recorded in [WITH_USERS, WITHOUT_USERS] {
        assert_eq!(PublicKey::parse(recorded.client_key.as_bytes()), Err(KeyError::Group));
    }
}

#[test]
fn a_third_number_in_the_group_is_ignored() {
    let mut group = group::der().to_vec();
    group.extend_from_slice(b"\x02\x02\x00\xaf");
    // SEQUENCE, and a length of two bytes.
    assert_eq!(group[..2], [0x30, 0x82]);
    group[3] += 4;
    let der = asn1::public_key_der(&group, &[7]);
    let key = PublicKey::parse(pem::encode(LABEL, &der).as_bytes()).unwrap();
    assert_eq!(key, PublicKey { y: U2048::from_u8(7) });
}

#[test]
fn every_prefix_of_a_key_is_an_error() {
    let text = agree(&PublicKey { y: U2048::from_u8(7) }).public.to_pem();
    let whole = text.trim_end().len();
    for cut in 0..whole {
        assert!(PublicKey::parse(&text.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
    assert!(PublicKey::parse(&text.as_bytes()[..whole]).is_ok() && PublicKey::parse(text.as_bytes()).is_ok());
}

#[test]
fn a_flipped_bit_never_panics_and_never_gives_the_same_key() {
    let key = agree(&PublicKey { y: U2048::from_u8(7) }).public;
    let text = key.to_pem();
    for at in 0..(text.len() - 1) * 8 {
        let mut flipped = text.clone().into_bytes();
        flipped[at / 8] ^= 1 << (at % 8);
        if let Ok(other) = PublicKey::parse(&flipped) {
            assert_ne!(other, key, "bit {at}");
        }
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let public = agree(&PublicKey { y: U2048::from_u8(7) }).public;
    assert_eq!(PublicKey::parse(public.to_pem().as_bytes()), Ok(public.clone()));
    assert!(public.to_pem().starts_with("-----BEGIN PUBLIC KEY-----\nMII"));
    assert!(public.to_pem().ends_with("\n-----END PUBLIC KEY-----\n"));
}

#[test]
fn two_sides_agree_on_a_key_and_a_third_does_not_have_it() {
    let secret = fresh_secret();
    let theirs = PublicKey { y: power(U2048::from_u8(group::G), &secret) };
    let agreed = agree(&theirs);
    let shared = power(agreed.public.y, &secret).to_be_bytes();
    let key = session_key(shared.as_slice());
    assert_eq!(passed(&key, &agreed.key).as_deref(), Some(&b"hello"[..]));
    assert_eq!(passed(&agreed.key, &key).as_deref(), Some(&b"hello"[..]));
    let again = agree(&theirs);
    assert_ne!(again.public, agreed.public, "each exchange has a secret of its own");
    assert_eq!(passed(&again.key, &agreed.key), None);
}

#[test]
fn powers_are_those_of_another_arithmetic() {
    let [base, secret] = [p_less(200), vec![0xa7; 32]];
    let other = BigUint::from_bytes_be(&base)
        .modpow(&BigUint::from_bytes_be(&secret), &BigUint::from_bytes_be(&p()))
        .to_bytes_be();
    let ours = power(number(&base).unwrap(), &U256::from_be_slice(&secret));
    assert_eq!(ours, number(&other).unwrap());
}

#[test]
fn a_shared_number_is_padded_to_the_length_of_p() {
    // Both sides have to do so: 2 to the power of 8 is a single byte.
    let shared = power(U2048::from_u8(2), &U256::from_u8(8)).to_be_bytes();
    assert_eq!(shared.as_slice().len(), group::BYTES);
    assert_eq!(shared.as_slice()[254..], [1, 0]);
    let padded = session_key(shared.as_slice());
    assert_eq!(passed(&padded, &session_key(&[1, 0])), None, "that would be another key");
}

#[test]
fn the_recorded_shared_numbers_follow_from_the_recorded_keys() {
    for recorded in [WITH_USERS, WITHOUT_USERS] {
        let der = pem::decode(recorded.parameters.as_bytes(), group::LABEL).unwrap();
        let group = asn1::group(&der).unwrap();
        assert_eq!(
            (group.p, group.g, group.private_length),
            (&*hex(recorded.p), &[2][..], Some(&[0, 175][..]))
        );
        let [p, secret] = [recorded.p, recorded.secret].map(|digits| BigUint::from_bytes_be(&hex(digits)));
        let power = |base: &[u8]| BigUint::from_bytes_be(base).modpow(&secret, &p).to_bytes_be();
        let [ours, theirs] = [recorded.client_key, recorded.server_key].map(|block| {
            let written = pem::decode(block.as_bytes(), LABEL).unwrap();
            let info = asn1::public_key(&written).unwrap();
            assert_eq!(info.group, group);
            assert_eq!(asn1::public_key_der(&der, info.y), written);
            info.y.to_vec()
        });
        assert_eq!(power(group.g), ours);
        assert_eq!(power(&theirs), hex(recorded.shared));
    }
}

#[test]
fn the_recorded_keys_follow_from_the_recorded_shared_numbers() {
    for recorded in [WITH_USERS, WITHOUT_USERS] {
        let key = fernet::Key::new(hex(recorded.key).try_into().unwrap());
        let followed = session_key(&hex(recorded.shared));
        assert_eq!(passed(&key, &followed).as_deref(), Some(&b"hello"[..]));
    }
}

#[test]
fn secrets_have_their_first_bit_set_and_are_no_two_alike() {
    let secrets: Vec<_> = (0..50).map(|_| fresh_secret()).collect();
    for (index, secret) in secrets.iter().enumerate() {
        assert_eq!(secret.bits(), 256);
        assert!(!secrets[..index].contains(secret));
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let garbage = PublicKey::parse(b"-----BEGIN PUBLIC KEY-----\n????").unwrap_err();
    assert_eq!(garbage.to_string(), "that is no base64 (byte 27)");
    assert_eq!(parsed(&[1]).unwrap_err().to_string(), "the key is not between 1 and p - 1");
    let short = PublicKey::parse(pem::encode(LABEL, &[0x30, 5, 0x30]).as_bytes()).unwrap_err();
    assert_eq!(short.to_string(), "the structure is malformed (byte 3 of the DER)");
}
