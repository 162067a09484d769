use num_bigint::BigUint;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::traits::PrivateKeyParts;

use super::*;
use crate::residue::envelope::{self, Envelope};
use crate::residue::vectors;
use crate::wire::random::Random;

/// A small key, which is quick.
const SMALL: &str = include_str!("../../../../tests/vectors/rsa1024.pem");
/// The same, encrypted by OpenSSL with the passphrase `correct horse`: by PBKDF2, and by scrypt.
const ENCRYPTED: &str = include_str!("../../../../tests/vectors/rsa1024-pbkdf2.pem");
const BY_SCRYPT: &str = include_str!("../../../../tests/vectors/rsa1024-scrypt.pem");
/// In the way of old, and by DES.
const LEGACY: &str = include_str!("../../../../tests/vectors/rsa1024-legacy.pem");
const BY_DES: &str = include_str!("../../../../tests/vectors/rsa1024-des.pem");

fn small() -> PrivateKey {
    PrivateKey::from_pem(SMALL.as_bytes(), None).unwrap()
}

fn refused(text: &str, passphrase: Option<&[u8]>) -> KeyError {
    PrivateKey::from_pem(text.as_bytes(), passphrase).unwrap_err()
}

#[test]
fn recorded_hellos_and_replies_decrypt() {
    let server = vectors::key_pair("server");
    let client = vectors::key_pair("client");
    let mut count = 0;
    for (kind, key) in [("hello", &server), ("hello_reply", &client)] {
        for vector in vectors::all(kind) {
            let Envelope::Other(packet) = envelope::read(vectors::packet(&vector)) else { panic!() };
            let Ok(ciphertext) = envelope::decode_base64(packet) else { continue };
            assert_eq!(ciphertext.len(), key.length());
            assert_eq!(key.decrypt(&ciphertext).as_slice(), vectors::text(&vector, "plain").as_bytes());
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

#[test]
fn a_key_comes_in_several_forms() {
    let expected = small();
    let pkcs1 = expected.key.to_pkcs1_der().unwrap();
    let encrypted = expected.to_encrypted_pem(b"correct horse").unwrap();
    let forms = [
        (expected.to_pem().unwrap(), None),
        (pem::encode("RSA PRIVATE KEY", pkcs1.as_bytes()), None),
        (expected.to_pem().unwrap(), Some("not needed")),
        (encrypted, Some("correct horse")),
        (ENCRYPTED.to_owned().into(), Some("correct horse")),
        (BY_SCRYPT.to_owned().into(), Some("correct horse")),
        (SMALL.replace('\n', "\r\n").into(), None),
        (SMALL.replace('\n', "").into(), None),
        (format!("Bag Attributes\n{SMALL}\n{LEGACY}").into(), None),
    ];
    for (text, passphrase) in forms {
        let key = PrivateKey::from_pem(text.as_bytes(), passphrase.map(str::as_bytes)).unwrap();
        assert_eq!(key.key, expected.key, "{}", text.lines().next().unwrap());
    }
    assert_eq!((expected.bits(), expected.length()), (1024, 128));
    assert_eq!(expected.public(), PublicKey::from_pem(expected.public_pem().unwrap().as_bytes()).unwrap());
}

#[test]
fn a_passphrase_has_to_be_there_and_right() {
    assert_eq!(refused(ENCRYPTED, None), KeyError::Passphrase);
    for wrong in [&b""[..], b"correct hors", b"Correct horse", b"correct horse\n", b"\xff", &[b'x'; 10_000]] {
        assert_eq!(refused(ENCRYPTED, Some(wrong)), KeyError::WrongPassphrase, "{}", wrong.escape_ascii());
    }
    // One in 256 wrong ones leaves what looks like padding.
    for number in 0..600 {
        let wrong = number.to_string();
        assert_eq!(refused(ENCRYPTED, Some(wrong.as_bytes())), KeyError::WrongPassphrase, "{wrong}");
    }
}

#[test]
fn other_ways_to_encrypt_are_refused_with_what_to_do() {
    for (text, expected) in [(LEGACY, KeyError::LegacyEncryption), (BY_DES, KeyError::UnknownEncryption)] {
        for passphrase in [None, Some(&b"correct horse"[..])] {
            let error = refused(text, passphrase);
            assert_eq!(error, expected);
            assert!(error.to_string().contains("openssl pkcs8 -topk8"), "{error}");
        }
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    assert_eq!(refused("", None), KeyError::NoBlock);
    assert_eq!(refused(&vectors::public_pem("client"), None), KeyError::Label);
    assert_eq!(refused(&SMALL.replace("PRIVATE", "EC PRIVATE"), None), KeyError::Label);
    assert!(matches!(refused(&SMALL.replace("PRIVATE", "RSA PRIVATE"), None), KeyError::Der { .. }));
    assert!(matches!(
        refused(&SMALL.replace("PRIVATE", "ENCRYPTED PRIVATE"), Some(b"")),
        KeyError::Der { .. }
    ));
    let truncated: String = SMALL.lines().filter(|line| line.len() != 64).collect();
    assert!(matches!(refused(&truncated, None), KeyError::Der { .. } | KeyError::Body(_)));
}

#[test]
fn numbers_that_do_not_belong_together_are_refused() {
    let key = small().key.clone();
    let (n, e, d) = (key.n().to_be_bytes(), [1, 0, 1], key.d().to_be_bytes());
    let (p, q) = (key.primes()[0].to_be_bytes(), key.primes()[1].to_be_bytes());
    let last = |bytes: &[u8], change: u8| {
        let mut bytes = bytes.to_vec();
        *bytes.last_mut().unwrap() ^= change;
        bytes
    };
    let table: [(&str, [&[u8]; 5]); 10] = [
        ("another private exponent", [&n, &e, &last(&d, 2), &p, &q]),
        ("no private exponent", [&n, &e, &[0], &p, &q]),
        ("a private exponent as large as the modulus", [&n, &e, &n, &p, &q]),
        ("another prime", [&n, &e, &d, &last(&p, 2), &q]),
        ("an even prime", [&n, &e, &d, &last(&p, 1), &q]),
        ("a prime of 0", [&n, &e, &d, &[0], &q]),
        ("a prime of 1", [&n, &e, &d, &[1], &n]),
        ("the same prime twice", [&n, &e, &d, &p, &p]),
        ("another modulus", [&last(&n, 2), &e, &d, &p, &q]),
        ("another exponent", [&n, &[3], &d, &p, &q]),
    ];
    let one = [&n[..], &e, &d, &p, &q];
    assert!(PrivateKey::from_pkcs1(&pkcs1(one)).is_ok());
    for (what, numbers) in table {
        assert_eq!(PrivateKey::from_pkcs1(&pkcs1(numbers)).unwrap_err(), KeyError::Inconsistent, "{what}");
    }
    let even = last(&n, 1);
    assert_eq!(PrivateKey::from_pkcs1(&pkcs1([&even, &e, &d, &p, &q])).unwrap_err(), KeyError::EvenModulus);
    let refused = PrivateKey::from_pkcs1(&pkcs1([&n[..64], &e, &d, &p, &q])).unwrap_err();
    assert_eq!(refused, KeyError::ModulusSize { bits: 512 });
    let huge = vec![0xff; 2000];
    let refused = PrivateKey::from_pkcs1(&pkcs1([&huge, &e, &d, &p, &q])).unwrap_err();
    assert_eq!(refused, KeyError::ModulusSize { bits: 16_000 });
    assert_eq!(PrivateKey::from_pkcs1(&pkcs1([&n, &n, &d, &p, &q])).unwrap_err(), KeyError::Exponent);
    assert_eq!(PrivateKey::from_pkcs1(&pkcs1([&n, &[1], &d, &p, &q])).unwrap_err(), KeyError::Exponent);
    // Longer than the modulus, in every place.
    for place in 2..5 {
        let mut numbers = [&n[..], &e, &d, &p, &q];
        numbers[place] = &huge;
        assert_eq!(PrivateKey::from_pkcs1(&pkcs1(numbers)).unwrap_err(), KeyError::Inconsistent, "{place}");
    }
}

/// The DER of a private key with these numbers; those that can be computed from them are not looked at.
fn pkcs1(numbers: [&[u8]; 5]) -> Vec<u8> {
    let uint = |bytes| rsa::pkcs1::UintRef::new(bytes).unwrap();
    let [modulus, public_exponent, private_exponent, prime1, prime2] = numbers.map(uint);
    let document = rsa::pkcs1::RsaPrivateKey {
        modulus,
        public_exponent,
        private_exponent,
        prime1,
        prime2,
        exponent1: uint(&[1]),
        exponent2: uint(&[1]),
        coefficient: uint(&[1]),
        other_prime_infos: None,
    };
    SecretDocument::encode_msg(&document).unwrap().as_bytes().to_vec()
}

/// What RSA itself makes of a block, however it is padded, with the arithmetic of another library.
fn raw(key: &PrivateKey, block: &[u8]) -> Vec<u8> {
    power(key, block, &key.key.e().to_be_bytes())
}

fn power(key: &PrivateKey, block: &[u8], exponent: &[u8]) -> Vec<u8> {
    assert_eq!(block.len(), key.length());
    let number = BigUint::from_bytes_be;
    let power = number(block).modpow(&number(exponent), &number(&key.key.n().to_be_bytes()));
    let bytes = power.to_bytes_be();
    [vec![0; key.length() - bytes.len()], bytes].concat()
}

#[test]
fn a_text_is_padded_at_random_and_comes_back() {
    for key in [small(), vectors::key_pair("client_e17")] {
        let (public, length) = (key.public(), key.length());
        for plain in [&b""[..], b"x", &vec![0; length - 11], &vec![0xff; length - 11]] {
            let (one, other) = (public.encrypt(plain).unwrap(), public.encrypt(plain).unwrap());
            assert_ne!(one, other);
            assert_eq!(key.decrypt(&one).as_slice(), plain);
            assert_eq!(key.decrypt(&other).as_slice(), plain);
            let block = power(&key, &one, &key.key.d().to_be_bytes());
            let padding = block.strip_prefix(&[0, 2]).and_then(|rest| rest.strip_suffix(plain)).unwrap();
            let (zero, random) = padding.split_last().unwrap();
            assert!(*zero == 0 && random.len() >= 8 && !random.contains(&0));
        }
    }
}

#[test]
fn bad_padding_gives_junk_and_no_error() {
    let key = small();
    let good = [&[0, 2][..], &[7; 100], &[0], &[b'x'; 25]].concat();
    assert_eq!(key.decrypt(&raw(&key, &good)).as_slice(), [b'x'; 25]);
    let mut lengths = std::collections::HashSet::new();
    for (at, byte) in [(0, 1), (1, 1), (1, 0), (1, 3), (2, 0), (5, 0), (9, 0), (102, 7)] {
        let mut block = good.clone();
        block[at] = byte;
        let ciphertext = raw(&key, &block);
        let junk = key.decrypt(&ciphertext);
        assert!(junk.len() <= 117 && !block.ends_with(&junk) || junk.is_empty(), "{at}");
        assert_eq!(key.decrypt(&ciphertext), junk, "the same each time, blinded or not: {at}");
        lengths.insert(junk.len());
    }
    assert!(lengths.len() > 4, "{lengths:?}");
    // Eight bytes of padding are enough.
    let least = [&[0, 2][..], &[7; 8], &[0], &[b'x'; 117]].concat();
    assert_eq!(key.decrypt(&raw(&key, &least)).as_slice(), [b'x'; 117]);
}

#[test]
fn junk_of_the_right_length_decrypts_to_junk() {
    let (key, mut random) = (small(), Random::new(31));
    let mut empty = 0;
    for _ in 0..50 {
        let mut ciphertext: Vec<u8> = (0..128).map(|_| random.byte()).collect();
        // Below the modulus, whose first bit is set.
        ciphertext[0] &= 0x7f;
        empty += usize::from(key.decrypt(&ciphertext).is_empty());
    }
    assert!(empty < 10, "{empty}");
}

#[test]
fn what_cannot_be_a_ciphertext_says_nothing() {
    let key = small();
    for length in [0, 1, 11, 127, 129, 256, 100_000] {
        assert!(key.decrypt(&vec![1; length]).is_empty(), "{length}");
    }
    let modulus = key.key.n().to_be_bytes();
    assert!(key.decrypt(&modulus).is_empty());
    assert!(key.decrypt(&[0xff; 128]).is_empty());
    // 0, 1 and n - 1 are what they are whatever the exponent, and padded badly.
    let mut least = vec![0; 128];
    let _ = key.decrypt(&least);
    least[127] = 1;
    let _ = key.decrypt(&least);
    let mut most = modulus.to_vec();
    most[127] -= 1;
    assert!(key.decrypt(&most).len() <= 117);
}

#[test]
fn a_key_can_be_made() {
    let key = PrivateKey::generate(1024).unwrap();
    assert_eq!((key.bits(), key.length(), key.public().room()), (1024, 128, 117));
    assert_eq!(key.decrypt(&key.public().encrypt(b"hello").unwrap()).as_slice(), b"hello");
    let again = PrivateKey::from_pem(key.to_pem().unwrap().as_bytes(), None).unwrap();
    assert_eq!(again.key, key.key);
    assert_ne!(PrivateKey::generate(1024).unwrap().public(), key.public());
    for bits in [0, 1, 512, 1023, 8193, usize::MAX] {
        assert_eq!(PrivateKey::generate(bits).unwrap_err(), KeyError::ModulusSize { bits });
    }
}

#[test]
fn damaged_keys_are_no_reason_to_panic() {
    let mut random = Random::new(37);
    for end in 0..SMALL.trim_end().len() {
        assert!(PrivateKey::from_pem(&SMALL.as_bytes()[..end], None).is_err(), "{end}");
    }
    let key = small();
    let der = key.key.to_pkcs1_der().unwrap();
    for _ in 0..1_000 {
        let _ = PrivateKey::from_pem(&random.mutate(SMALL.as_bytes()), None);
        if let Ok(damaged) = PrivateKey::from_pkcs1(&random.mutate(der.as_bytes())) {
            assert_eq!(damaged.public(), key.public());
        }
    }
    for _ in 0..1_000 {
        let damaged = random.mutate(ENCRYPTED.as_bytes());
        // How often the passphrase is stirred stands there too, and should not be a hundred million times.
        let block = pem::first(&damaged).and_then(|block| block.decode());
        let Ok(der) = block else { continue };
        if let Ok(info) = EncryptedPrivateKeyInfoRef::from_der(&der)
            && let Some(parameters) = info.encryption_algorithm.pbes2()
            && parameters.kdf.pbkdf2().is_some_and(|kdf| kdf.iteration_count < 1_000)
        {
            let _ = PrivateKey::from_pem(&damaged, Some(b"correct horse"));
        }
    }
}
