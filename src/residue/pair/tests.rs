use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::residue::vectors;
use crate::wire::random::Random;

/// Any DER of less than 64 KiB.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let length = match (high, low) {
        (0, 0..=0x7f) => vec![low],
        (0, _) => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], length.as_slice(), contents].concat()
}

fn unsigned(digits: &[u8]) -> Vec<u8> {
    let is_zero_needed = digits.first().is_none_or(|&first| first >= 0x80);
    der(2, &[&vec![0; usize::from(is_zero_needed)], digits].concat())
}

fn pkcs1(modulus: &[u8], exponent: u64) -> Vec<u8> {
    let exponent = exponent.to_be_bytes();
    let start = exponent.iter().position(|&byte| byte > 0).unwrap_or(7);
    der(0x30, &[unsigned(modulus), unsigned(&exponent[start..])].concat())
}

const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der(0x30, &[algorithm, &der(3, &[&[0], key].concat())].concat())
}

/// An odd number of so many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut random = Random::new(bits as u64);
    let mut bytes: Vec<u8> = (0..bits.div_ceil(8)).map(|_| random.byte()).collect();
    let top = (bits - 1) % 8;
    bytes[0] = bytes[0] & ((1 << top) - 1) | 1 << top;
    *bytes.last_mut().unwrap() |= 1;
    bytes
}

fn read_pkcs1(der: &[u8]) -> Result<PublicKey, KeyError> {
    PublicKey::from_pem(pem::encode("RSA PUBLIC KEY", der).as_bytes())
}

fn read_spki(der: &[u8]) -> Result<PublicKey, KeyError> {
    PublicKey::from_pem(pem::encode("PUBLIC KEY", der).as_bytes())
}

#[test]
fn keys_are_read_however_clients_write_them() {
    for vector in vectors::all("pem_variants") {
        let expected = PublicKey::from_pem(vectors::public_pem(vectors::text(&vector, "key")).as_bytes());
        let expected = expected.unwrap();
        let key = PublicKey::parse(vectors::text(&vector, "base64_of_pem")).unwrap();
        assert_eq!(key, expected, "{}", vector["name"]);
        assert_eq!((key.bits(), key.room()), (2048, 245));
    }
    let server = PublicKey::from_pem(vectors::public_pem("server").as_bytes()).unwrap();
    assert_eq!((server.bits(), server.room()), (6144, 757));
}

#[test]
fn a_key_is_written_as_it_was() {
    for owner in ["client", "client_e17", "server"] {
        let text = vectors::public_pem(owner);
        let written = PublicKey::from_pem(text.as_bytes()).unwrap().to_pem().unwrap();
        assert_eq!(written.trim_end(), text.trim_end());
    }
}

#[test]
fn a_key_is_read_under_either_label() {
    let inner = pkcs1(&modulus(1024), 65_537);
    let outer = spki(RSA, &inner);
    let expected = read_spki(&outer).unwrap();
    assert_eq!(read_pkcs1(&inner).unwrap(), expected);
    assert_eq!(read_pkcs1(&outer).unwrap(), expected);
    // The parameters may be missing.
    let bare = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    assert_eq!(read_spki(&spki(bare, &inner)).unwrap(), expected);
    // But what PUBLIC KEY says is SPKI.
    assert!(matches!(read_spki(&inner), Err(KeyError::Der { .. })));
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "CERTIFICATE", "", "public key", "PUBLIC KEY "] {
        let error = PublicKey::from_pem(pem::encode(label, &outer).as_bytes()).unwrap_err();
        assert_eq!(error, KeyError::Label, "{label:?}");
    }
}

#[test]
fn a_modulus_has_1024_to_8192_bits() {
    for bits in [1024, 1025, 1031, 2048, 3072, 4096, 5000, 8191, 8192] {
        let key = read_pkcs1(&pkcs1(&modulus(bits), 65_537)).unwrap();
        assert_eq!((key.bits(), key.room()), (bits, bits.div_ceil(8) - 11));
        assert_eq!(key.encrypt(&vec![1; key.room()]).unwrap().len(), bits.div_ceil(8));
        assert_eq!(key.encrypt(&vec![1; key.room() + 1]), Err(KeyError::NoRoom { room: key.room() }));
    }
    for bits in [1, 8, 512, 1016, 1023, 8193, 8200, 16_384, 65_536] {
        let refused = read_pkcs1(&pkcs1(&modulus(bits), 65_537));
        assert_eq!(refused.unwrap_err(), KeyError::ModulusSize { bits }, "{bits}");
    }
    let zero = read_pkcs1(&der(0x30, &[der(2, &[0]), der(2, &[3])].concat()));
    assert_eq!(zero.unwrap_err(), KeyError::ModulusSize { bits: 0 });
}

#[test]
fn a_modulus_is_odd() {
    for bits in [1024, 8192] {
        let mut even = modulus(bits);
        *even.last_mut().unwrap() &= 0xfe;
        assert_eq!(read_pkcs1(&pkcs1(&even, 65_537)).unwrap_err(), KeyError::EvenModulus);
    }
}

#[test]
fn an_exponent_is_odd_and_has_up_to_32_bits() {
    let modulus = modulus(1024);
    for exponent in [3, 5, 17, 255, 257, 65_535, 65_537, (1 << 24) + 1, (1 << 32) - 3, (1 << 32) - 1] {
        let key = read_pkcs1(&pkcs1(&modulus, exponent)).unwrap();
        assert_eq!(key.encrypt(b"hello").unwrap().len(), 128, "{exponent}");
    }
    for exponent in
        [0, 1, 2, 4, 254, 256, 65_536, (1 << 32) - 2, 1 << 32, (1 << 32) + 1, (1 << 33) - 1, u64::MAX]
    {
        assert_eq!(read_pkcs1(&pkcs1(&modulus, exponent)).unwrap_err(), KeyError::Exponent, "{exponent}");
    }
    let huge = der(0x30, &[unsigned(&modulus), unsigned(&modulus)].concat());
    assert_eq!(read_pkcs1(&huge).unwrap_err(), KeyError::Exponent);
}

#[test]
fn what_holds_no_key_is_refused() {
    let modulus = modulus(1024);
    let good = pkcs1(&modulus, 3);
    let three = der(2, &[3]);
    let numbers = [unsigned(&modulus), three.clone()].concat();
    let table: [(&str, Vec<u8>); 10] = [
        ("nothing", Vec::new()),
        ("a byte behind it", [&good[..], &[0]].concat()),
        ("a byte too few", good[..good.len() - 1].to_vec()),
        ("a third number", der(0x30, &[&numbers[..], &three].concat())),
        ("one number", der(0x30, &unsigned(&modulus))),
        (
            "a negative modulus",
            der(0x30, &[der(2, &[&[0x81], &modulus[1..]].concat()), three.clone()].concat()),
        ),
        ("a negative exponent", der(0x30, &[unsigned(&modulus), der(2, &[0x83])].concat())),
        (
            "a zero too many",
            der(0x30, &[der(2, &[&[0, 0x01], &modulus[1..]].concat()), three.clone()].concat()),
        ),
        ("an empty number", der(0x30, &[der(2, &[]), three.clone()].concat())),
        ("a set", der(0x31, &numbers)),
    ];
    for (what, der) in table {
        assert!(matches!(read_pkcs1(&der), Err(KeyError::Der { .. })), "{what}");
        // Within SPKI it is no better.
        assert!(matches!(read_spki(&spki(RSA, &der)), Err(KeyError::Der { .. })), "{what}");
    }
    let indefinite = [&[0x30, 0x80], &numbers[..], &[0, 0]].concat();
    assert!(matches!(read_pkcs1(&indefinite), Err(KeyError::Der { .. })));
    let long_length = [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &numbers[..]].concat();
    assert!(matches!(read_pkcs1(&long_length), Err(KeyError::Der { .. })));
    let unused_bit = der(0x30, &[RSA, &der(3, &[&[1], &good[..good.len() - 1], &[0]].concat())].concat());
    assert!(matches!(read_spki(&unused_bit), Err(KeyError::Der { .. })));
}

#[test]
fn a_key_is_for_rsa() {
    let inner = pkcs1(&modulus(1024), 3);
    let table: [(&str, &[u8]); 4] = [
        (
            "an elliptic curve",
            b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        ),
        ("Ed25519", b"\x30\x05\x06\x03\x2b\x65\x70"),
        ("RSASSA-PSS", b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
        ("parameters", b"\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x02\x01\x01"),
    ];
    for (what, algorithm) in table {
        assert_eq!(read_spki(&spki(algorithm, &inner)).unwrap_err(), KeyError::Algorithm, "{what}");
        assert_eq!(read_pkcs1(&spki(algorithm, &inner)).unwrap_err(), KeyError::Algorithm, "{what}");
    }
}

#[test]
fn errors_of_a_hello_say_where() {
    let pem = pem::encode("PUBLIC KEY", b"\0\x01");
    assert!(matches!(PublicKey::parse(&STANDARD.encode(&*pem)), Err(KeyError::Der { .. })));
    assert_eq!(PublicKey::parse(""), Err(KeyError::NoBlock));
    let Err(KeyError::Base64(error)) = PublicKey::parse(&pem) else { panic!() };
    assert_eq!(error.at, 0);
    assert_eq!(PublicKey::parse(&"A".repeat(2 * BLOCK_LIMIT + 1)), Err(KeyError::TooLong));
    assert_eq!(PublicKey::parse(&"A".repeat(2 * BLOCK_LIMIT)), Err(KeyError::TooLong));
    assert_eq!(PublicKey::parse(&"A".repeat(BLOCK_LIMIT)), Err(KeyError::NoBlock));
    assert_eq!(
        PublicKey::parse(&STANDARD.encode("-----BEGIN PUBLIC KEY-----")),
        Err(KeyError::NoEnd { at: 0 })
    );
}

#[test]
fn damaged_keys_are_no_reason_to_panic() {
    let text = vectors::public_pem("client");
    for end in 0..text.trim_end().len() {
        assert!(PublicKey::from_pem(&text.as_bytes()[..end]).is_err(), "{end}");
    }
    let mut random = Random::new(29);
    let whole = STANDARD.encode(&text);
    for _ in 0..1_000 {
        let damaged = random.mutate(text.as_bytes());
        if let Ok(key) = PublicKey::from_pem(&damaged) {
            assert!(key.encrypt(b"hello").is_ok());
        }
        if let Ok(damaged) = String::from_utf8(random.mutate(whole.as_bytes())) {
            let _ = PublicKey::parse(&damaged);
        }
    }
    // The outer layers removed, so that the numbers are hit.
    let inner = spki(RSA, &pkcs1(&modulus(1024), 65_537));
    for _ in 0..3_000 {
        if let Ok(key) = read_spki(&random.mutate(&inner)) {
            assert!((1024..=8192).contains(&key.bits()) && key.encrypt(b"hello").is_ok());
        }
    }
}

#[test]
fn keys_show_no_more_than_their_size() {
    let key = read_pkcs1(&pkcs1(&modulus(1024), 3)).unwrap();
    assert_eq!(
        format!("{key:?} {:?}", vectors::key_pair("client")),
        "PublicKey(1024 bits) PrivateKey(2048 bits)"
    );
}
