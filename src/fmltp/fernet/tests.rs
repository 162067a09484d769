//! Tokens: those of the public specification, those of a recorded session, and those that are none.

use super::TokenProblem::*;
use super::*;
use crate::fmltp::vectors::{Side, WITH_USERS, WITHOUT_USERS, hex};

/// The token of the specification's generate.json and verify.json.
const HELLO: &str =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
const IV: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn key() -> Key {
    let bytes = URL_SAFE.decode("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
    Key::new(bytes.try_into().unwrap())
}

/// A token that says `length` bytes.
fn token(length: usize) -> Vec<u8> {
    key().seal(&vec![b'x'; length], 499_162_800, IV)
}

/// A token around bytes that need be no token, but for the HMAC.
fn signed(bytes: &[u8]) -> Vec<u8> {
    let mac = key().mac(bytes).finalize().into_bytes();
    URL_SAFE.encode([bytes, mac.as_slice()].concat()).into_bytes()
}

type Found = Result<Option<(usize, Vec<u8>)>, (usize, TokenProblem)>;

fn find(bytes: &[u8]) -> Found {
    find_from(bytes, &mut Scan::default())
}

fn find_from(bytes: &[u8], scan: &mut Scan) -> Found {
    let found = key().find(bytes, scan);
    found
        .map(|found| found.map(|(end, text)| (end, text.to_vec())))
        .map_err(|error| (error.at, error.problem))
}

#[test]
fn the_token_of_the_specification_is_made_and_read() {
    // 1985-10-26T01:20:00-07:00
    assert_eq!(key().seal(b"hello", 499_162_800, IV), HELLO.as_bytes());
    assert_eq!(find(HELLO.as_bytes()), Ok(Some((HELLO.len(), b"hello".to_vec()))));
}

#[test]
fn the_invalid_tokens_of_the_specification_are_refused() {
    let table: [(&str, &str, (usize, TokenProblem)); 5] = [
        (
            "incorrect mac",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            (98, Unverified),
        ),
        ("too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", (54, Unverified)),
        (
            "invalid base64",
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            (0, NotBase64),
        ),
        (
            "payload padding error",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            (0, Padding),
        ),
        (
            "incorrect IV (causes padding error)",
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
            (0, Padding),
        ),
    ];
    for (what, token, expected) in table {
        assert_eq!(find(token.as_bytes()), Err(expected), "{what}");
    }
    // Its HMAC is right, but no token has that length: it may still become a longer one.
    let odd =
        b"gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm";
    assert_eq!(find(odd), Ok(None), "payload size not multiple of block size");
}

#[test]
fn the_age_of_a_token_is_not_looked_at() {
    for (what, token) in [
        (
            "far-future TS (unacceptable clock skew)",
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
        ),
        (
            "expired TTL",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        ),
    ] {
        assert_eq!(find(token.as_bytes()), Ok(Some((100, Vec::new()))), "{what}");
    }
    let late = key().seal(b"x", u64::MAX, IV);
    assert_eq!(find(&late), Ok(Some((100, b"x".to_vec()))));
}

#[test]
fn every_recorded_token_says_what_it_said() {
    for recorded in [WITH_USERS, WITHOUT_USERS] {
        let key = Key::new(hex(recorded.key).try_into().unwrap());
        let mut count = 0;
        for (token, text) in recorded.tokens_of(Side::Client).chain(recorded.tokens_of(Side::Server)) {
            let found = key.find(token.as_bytes(), &mut Scan::default()).unwrap().unwrap();
            assert_eq!((found.0, found.1.as_slice()), (token.len(), text.as_bytes()));
            let bytes = URL_SAFE.decode(token).unwrap();
            let time = u64::from_be_bytes(bytes[1..9].try_into().unwrap());
            let iv = bytes[9..25].try_into().unwrap();
            assert_eq!(key.seal(text.as_bytes(), time, iv), token.as_bytes(), "and is made just so");
            count += 1;
        }
        assert_eq!(count, recorded.tokens.len());
        let challenge = recorded.tokens_of(Side::Client).next().unwrap().1;
        assert_eq!(format!("{challenge}\r\n"), recorded.greeting);
    }
}

#[test]
fn texts_of_any_length_survive() {
    for length in (0..100).chain([700, 703]) {
        let token = token(length);
        assert!(token.len() <= TOKEN_LIMIT && token.len().is_multiple_of(4));
        assert_eq!(find(&token), Ok(Some((token.len(), vec![b'x'; length]))), "{length} bytes");
    }
    let long = token(704);
    assert!(long.len() > TOKEN_LIMIT);
    assert_eq!(find(&long), Err((TOKEN_LIMIT, TooLong)), "703 bytes are the most");
    let found = key().find_within(1 << 16, &long, &mut Scan::default()).unwrap().unwrap();
    assert_eq!(found.1.len(), 704, "but not where the limit is higher");
}

#[test]
fn tokens_come_byte_by_byte() {
    for length in [5, 20, 40, 60, 300] {
        let token = token(length);
        let mut scan = Scan::default();
        for end in 0..token.len() {
            assert_eq!(find_from(&token[..end], &mut scan), Ok(None), "{end} bytes of {}", token.len());
        }
        assert_eq!(find_from(&token, &mut scan), Ok(Some((token.len(), vec![b'x'; length]))));
        assert_eq!(scan, Scan::default(), "the next token begins afresh");
    }
}

#[test]
fn merged_tokens_are_found_one_after_the_other() {
    let lengths = [0, 40, 41, 300, 16, 47, 48, 5];
    let stream: Vec<u8> = lengths.iter().flat_map(|&length| token(length)).collect();
    for step in [1, 7, 100, stream.len()] {
        let (mut scan, mut start, mut found) = (Scan::default(), 0, Vec::new());
        for end in (0..stream.len()).step_by(step).chain([stream.len()]) {
            while let Some((length, text)) = find_from(&stream[start..end], &mut scan).unwrap() {
                start += length;
                found.push(text.len());
            }
        }
        assert_eq!((found.as_slice(), start), (&lengths[..], stream.len()), "step {step}");
    }
}

#[test]
fn a_token_is_the_shortest_prefix_that_verifies() {
    // Without padding, the bytes of a token may go on to be those of a longer one.
    let short = token(40);
    assert_eq!(short.len(), 140);
    assert!(!short.contains(&b'='));
    let bytes = URL_SAFE.decode(&short).unwrap();
    let long = signed(&[&bytes[..], &[0; 16]].concat());
    assert_eq!(long[..138], short[..138]);
    assert_eq!(find(&long), Ok(Some((140, vec![b'x'; 40]))));
}

#[test]
fn what_could_be_a_token_and_is_none_is_waited_for_to_the_limit() {
    let none = vec![b'A'; TOKEN_LIMIT];
    for end in [0, 1, 99, 100, 140, 204, TOKEN_LIMIT - 1] {
        assert_eq!(find(&none[..end]), Ok(None), "{end} bytes");
    }
    assert_eq!(find(&none), Err((TOKEN_LIMIT, TooLong)));
    let mut long = vec![b'A'; 5000];
    long[1023] = b'=';
    assert_eq!(find(&long), Err((1023, Unverified)));
    long[1023] = b'A';
    long[1024] = b'?';
    assert_eq!(find(&long), Err((TOKEN_LIMIT, TooLong)), "what comes after the limit is not looked at");
}

#[test]
fn a_byte_that_no_token_has_ends_the_search() {
    for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_alphanumeric() && !b"-_=".contains(byte)) {
        let mut bytes = token(5);
        bytes[50] = byte;
        assert_eq!(find(&bytes), Err((50, NotBase64)), "{byte:#x}");
        assert_eq!(find(&[byte]), Err((0, NotBase64)));
    }
    let garbage = [&token(5)[..], b"?"].concat();
    assert_eq!(find(&garbage), Ok(Some((100, vec![b'x'; 5]))), "unless the token comes first");
}

#[test]
fn padding_that_ends_no_token_ends_the_search() {
    for at in 0..=200 {
        let mut bytes = vec![b'A'; at];
        bytes.push(b'=');
        // 100 and 164 bytes take two of them, 120 and 184 one.
        let expected = if [98, 162].contains(&at) { Ok(None) } else { Err((at, Unverified)) };
        assert_eq!(find(&bytes), expected, "at {at}");
        bytes.extend_from_slice(b"A");
        assert_eq!(find(&bytes), Err((at, Unverified)));
    }
    let mut bytes = token(5);
    bytes[99] = b'A';
    assert_eq!(find(&bytes), Err((98, Unverified)), "one = in place of two");
}

#[test]
fn unused_bits_have_to_be_0() {
    for (length, at) in [(5, 97), (20, 118)] {
        let mut bytes = token(length);
        assert!(bytes[at + 1] == b'=' && b"AEIMQUYcgkosw048".contains(&bytes[at]));
        bytes[at] += 1;
        assert_eq!(find(&bytes), Err((at + 1, Unverified)), "{length} bytes of text");
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    for length in [5, 20, 40] {
        let token = token(length);
        for at in 0..token.len() * 8 {
            let mut changed = token.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(!matches!(find(&changed), Ok(Some(_))), "bit {at} of {length} bytes of text");
        }
    }
}

#[test]
fn version_and_padding_are_judged_once_the_hmac_is_right() {
    let bytes = URL_SAFE.decode(token(5)).unwrap();
    let mut other = bytes[..41].to_vec();
    other[0] = 0x81;
    assert_eq!(find(&signed(&other)), Err((0, Version)));
    let mut unpadded = bytes[..41].to_vec();
    unpadded[24] ^= 0xff;
    assert_eq!(find(&signed(&unpadded)), Err((0, Padding)));
    let mut unsigned = URL_SAFE.encode(&other).into_bytes();
    unsigned.extend_from_slice(&token(5)[56..]);
    assert!(!matches!(find(&unsigned), Err((0, Version))), "before that, it is only bytes");
}

#[test]
fn tokens_of_another_key_are_none() {
    let token = Key::new([7; KEY]).seal(b"hello", 0, IV);
    assert_eq!(find(&token), Err((98, Unverified)));
}

#[test]
fn vectors_are_fresh_and_keys_do_not_show_themselves() {
    assert_ne!(fresh_iv(), fresh_iv());
    assert_eq!(format!("{:?}", key()), "Key(..)");
    assert_eq!(find(b"??").unwrap_err(), (0, NotBase64));
    let error = key().find(b"A?", &mut Scan::default()).unwrap_err();
    assert_eq!(error.to_string(), "that is no base64url (byte 1)");
}
