use super::*;
use crate::residue::envelope::{Base64Problem, Envelope};
use crate::residue::vectors;
use crate::wire::random::Random;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SIZES: [KeySize; 3] = [KeySize::Bits128, KeySize::Bits192, KeySize::Bits256];
const HEX: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

/// A key that is always the same.
fn key(size: KeySize) -> Key {
    let digits = usize::try_from(size.bits() / 4).unwrap();
    Key::from_hex(&HEX[..digits]).unwrap()
}

fn open(key: &Key, iv: [u8; 16], ciphertext: &[u8]) -> Result<Opened, CipherError> {
    let base64 = STANDARD.encode(ciphertext);
    key.open(&Sealed { iv, id: b"a", base64: base64.as_bytes() })
}

/// What a recorded packet is wrapped in, whoever sent it.
fn sealed(packet: &[u8]) -> Sealed<'_> {
    match envelope::read(packet) {
        Envelope::Aes(sealed) => sealed,
        Envelope::Other(_) => envelope::read_reply(packet).unwrap(),
    }
}

#[test]
fn recorded_packets_open_and_are_sealed_the_same() {
    for vector in vectors::all("aes") {
        let key = Key::from_hex(vectors::text(&vector, "key_hex")).unwrap();
        let plain = vectors::text(&vector, "plain").as_bytes();
        let sealed = sealed(vectors::packet(&vector));
        let opened = key.open(&sealed).unwrap();
        assert_eq!(opened.plain.as_slice(), plain, "{}", vector["name"]);
        let ciphertext = vectors::hex(vectors::text(&vector, "cipher_hex"));
        assert_eq!(key.seal(plain, sealed.iv), ciphertext, "{}", vector["name"]);
        let last = ciphertext.last_chunk::<8>().unwrap();
        assert_eq!(opened.mark, Mark(u64::from_be_bytes(*last)));
    }
    for vector in vectors::all("captured") {
        let key = Key::from_hex(vectors::text(&vector, "key_hex")).unwrap();
        let opened = key.open(&sealed(vectors::packet(&vector))).unwrap();
        assert_eq!(opened.plain.as_slice(), vectors::text(&vector, "plain").as_bytes(), "{}", vector["name"]);
    }
}

#[test]
fn recorded_variants_of_a_packet_say_the_same() {
    for vector in vectors::all("tolerated") {
        let original = vectors::named("aes", vectors::text(&vector, "same_as"));
        let key = Key::from_hex(vectors::text(&original, "key_hex")).unwrap();
        let opened = key.open(&sealed(vectors::packet(&vector))).unwrap();
        let expected = key.open(&sealed(vectors::packet(&original))).unwrap();
        assert_eq!(opened.plain, expected.plain, "{}", vector["name"]);
        assert_eq!(opened.mark, expected.mark, "{}", vector["name"]);
    }
}

#[test]
fn recorded_bad_packets_do_not_open() {
    let key = key(KeySize::Bits256);
    let table = [
        ("ciphertext last byte flipped (padding check fails with this key/iv)", CipherError::Padding),
        ("ciphertext not multiple of 16", CipherError::Length(65)),
    ];
    for (name, expected) in table {
        let vector = vectors::named("invalid", name);
        let sealed = sealed(vectors::packet(&vector));
        let error = key.open(&sealed).unwrap_err();
        assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&expected), "{name}: {error}");
    }
    // The key of another would open it: whose it is, is not for the cipher to say.
    let unknown = vectors::named("invalid", "unknown client");
    let sealed = sealed(vectors::packet(&unknown));
    assert_eq!(sealed.id, b"zzzzzzzzzzzzzzzz");
    assert!(key.open(&sealed).is_ok());
}

#[test]
fn texts_of_every_length_come_back() {
    let mut random = Random::new(7);
    for size in SIZES {
        let key = key(size);
        for length in 0..300 {
            let plain: Vec<u8> = (0..length).map(|_| random.byte()).collect();
            let iv = std::array::from_fn(|_| random.byte());
            let ciphertext = key.seal(&plain, iv);
            assert_eq!(ciphertext.len(), (length / 16 + 1) * 16);
            assert_eq!(open(&key, iv, &ciphertext).unwrap().plain.as_slice(), plain);
        }
    }
}

#[test]
fn a_megabyte_comes_back() {
    let plain = vec![b'x'; 1 << 20];
    let key = key(KeySize::Bits256);
    let ciphertext = key.seal(&plain, [9; 16]);
    assert_eq!(open(&key, [9; 16], &ciphertext).unwrap().plain.as_slice(), plain);
    let mut junk = ciphertext;
    let last = junk.len() - 1;
    junk[last] ^= 1;
    assert_eq!(open(&key, [9; 16], &junk).unwrap_err(), CipherError::Padding);
}

#[test]
fn only_whole_blocks_open() {
    let key = key(KeySize::Bits256);
    let ciphertext = key.seal(&[b'x'; 70], [0; 16]);
    for end in 0..ciphertext.len() {
        let error = open(&key, [0; 16], &ciphertext[..end]).unwrap_err();
        let is_whole = end > 0 && end % 16 == 0;
        // A cut at a block leaves a text in the place of the padding.
        let expected = if is_whole { CipherError::Padding } else { CipherError::Length(end) };
        assert_eq!(error, expected, "{end}");
    }
}

#[test]
fn every_wrong_padding_is_refused_and_every_right_one_taken() {
    let key = key(KeySize::Bits128);
    for blocks in [1, 2, 5] {
        for padding in 0..=255_u8 {
            let mut plain = vec![b'x'; blocks * 16];
            let end = plain.len();
            for byte in &mut plain[end.saturating_sub(usize::from(padding).min(16))..] {
                *byte = padding;
            }
            plain[end - 1] = padding;
            // Sealed with one more block of padding, which is cut off.
            let mut ciphertext = key.seal(&plain, [3; 16]);
            ciphertext.truncate(end);
            let opened = open(&key, [3; 16], &ciphertext);
            match padding {
                1..=16 => assert_eq!(opened.unwrap().plain.len(), end - usize::from(padding)),
                _ => assert_eq!(opened.unwrap_err(), CipherError::Padding, "{padding}"),
            }
            if (2..=16).contains(&padding) {
                plain[end - usize::from(padding)] ^= 0x40;
                let mut ciphertext = key.seal(&plain, [3; 16]);
                ciphertext.truncate(end);
                assert_eq!(open(&key, [3; 16], &ciphertext).unwrap_err(), CipherError::Padding);
            }
        }
    }
}

#[test]
fn what_is_no_base64_does_not_open() {
    let key = key(KeySize::Bits256);
    for (base64, at) in [("", None), ("*", Some(0)), ("QUJD*", Some(4)), ("QUJ", Some(3))] {
        let error = key.open(&Sealed { iv: [0; 16], id: b"a", base64: base64.as_bytes() }).unwrap_err();
        match (error, at) {
            (CipherError::Base64(error), Some(at)) => {
                assert_eq!(error.at, at);
                assert_ne!(error.problem, Base64Problem::UnusedBits);
            }
            (CipherError::Length(0), None) => {}
            other => panic!("{base64}: {other:?}"),
        }
    }
}

#[test]
fn a_mark_stays_when_the_front_is_changed() {
    let key = key(KeySize::Bits256);
    let ciphertext = key.seal(&[b'x'; 64], [0; 16]);
    let mark = open(&key, [0; 16], &ciphertext).unwrap().mark;
    assert_eq!(open(&key, [1; 16], &ciphertext).unwrap().mark, mark);
    assert_eq!(open(&key, [0; 16], &ciphertext[32..]).unwrap().mark, mark);
    assert_ne!(open(&key, [1; 16], &key.seal(&[b'x'; 64], [1; 16])).unwrap().mark, mark);
}

#[test]
fn damaged_packets_open_or_not_but_never_panic() {
    let mut random = Random::new(13);
    let key = key(KeySize::Bits192);
    let base64 = STANDARD.encode(key.seal(b"{\"_t\":1504663925,\"type\":3}", [7; 16]));
    for _ in 0..5_000 {
        let base64 = random.mutate(base64.as_bytes());
        if let Ok(opened) = key.open(&Sealed { iv: [7; 16], id: b"a", base64: &base64 }) {
            assert!(opened.plain.len() < base64.len());
        }
    }
}

#[test]
fn keys_travel_in_upper_case_and_are_read_in_either() {
    for size in SIZES {
        let key = key(size);
        assert_eq!(key.size(), size);
        let digits = key.to_hex();
        assert_eq!(digits.as_str(), &HEX[..digits.len()]);
        assert_eq!(KeySize::from_bits(size.bits()), Some(size));
        let again = Key::from_hex(&digits.to_ascii_lowercase()).unwrap();
        assert_eq!(again.to_hex(), digits);
        let fresh = Key::fresh(size).unwrap();
        assert_eq!(fresh.size(), size);
        assert_ne!(fresh.to_hex(), Key::fresh(size).unwrap().to_hex());
    }
    for end in (0..64).filter(|end| ![32, 48].contains(end)) {
        assert!(Key::from_hex(&HEX[..end]).is_none(), "{end}");
    }
    for digits in [format!("{HEX}0"), format!("{HEX}00"), HEX.replace('A', "G"), HEX.replace("00", "\u{e9}")]
    {
        assert!(Key::from_hex(&digits).is_none(), "{digits}");
    }
    for bits in [i64::MIN, -256, 0, 64, 127, 129, 257, 512, i64::MAX] {
        assert_eq!(KeySize::from_bits(bits), None, "{bits}");
    }
}

#[test]
fn secrets_do_not_show_themselves() {
    let key = key(KeySize::Bits256);
    let opened = open(&key, [0; 16], &key.seal(b"secret", [0; 16])).unwrap();
    assert_eq!(format!("{key:?} {opened:?}"), "Key(256 bits) Opened(6 bytes)");
}
