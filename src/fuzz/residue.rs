//! Residue: packets, what is sealed in them, and what they say.

use crate::residue::cipher::{Key, inflate_within};
use crate::residue::envelope::{self, Envelope};
use crate::residue::item::{self, Limits, LineFormat};
use crate::residue::packet::Finder;
use crate::residue::request::{self, Introduction, LogItem, Request, TokenRequest};

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const IV: [u8; 16] = [9; 16];
/// No more is inflated here.
const INFLATED: usize = 4096;

fn key() -> Key {
    Key::from_hex(KEY).unwrap_or_else(|| panic!("it is a key"))
}

pub(super) fn packet(bytes: &[u8]) {
    let whole = Finder::default().find(bytes);
    let mut finder = Finder::default();
    let grown = (0..=bytes.len()).find_map(|end| finder.find(&bytes[..end]));
    assert_eq!(whole, grown, "where the first packet ends");
    let packet = &bytes[..whole.unwrap_or(bytes.len())];
    if let Envelope::Aes(sealed) = envelope::read(packet)
        && let Ok(opened) = key().open(&sealed)
    {
        let _ = Request::parse(&opened.plain);
        let _ = inflate_within(&opened.plain, INFLATED);
    }
    let _ = envelope::read_reply(packet);
    let _ = envelope::decode_base64(packet);
}

pub(super) fn request(bytes: &[u8]) {
    let _ = Request::parse(bytes);
    let _ = TokenRequest::parse(bytes);
}

pub(super) fn item(bytes: &[u8]) {
    for bulk in [None, Some(10)] {
        let Ok(items) = item::parse(bytes, &Limits { bulk, freshness: None }) else { continue };
        for item in &items.valid {
            for format in [LineFormat::Text, LineFormat::Json] {
                let mut line = Vec::new();
                item::put_line(&mut line, item, format);
                let end = line.iter().position(|&byte| byte == b'\n');
                assert!(end.is_none_or(|end| end + 1 == line.len()), "one item is one line");
            }
        }
    }
}

fn made(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    make(&mut bytes);
    bytes
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    vec![
        made(|out| request::put_hello(out, 1_700_000_000, Introduction::PublicKey("QUJD"), None)),
        made(|out| request::put_acknowledge(out, 1_700_000_000, "abcdefghijklmnop")),
        made(|out| request::put_token(out, 1_700_000_000, "app", request::Credential::AccessCode("blah"))),
    ]
}

pub(super) fn packets() -> Vec<Vec<u8>> {
    let seal = |plain: &Vec<u8>| {
        made(|out| envelope::put(out, &IV, Some("abcdefghijklmnop"), &key().seal(plain, IV)))
    };
    requests().iter().map(seal).collect()
}

pub(super) fn items() -> Vec<Vec<u8>> {
    let item = LogItem {
        datetime: 1_700_000_000_123,
        logger: "app",
        message: "it is\n\u{1f600} \"here\"",
        level: 4,
        application: "a b",
        token: Some("0123456789abcdef"),
    };
    let one = made(|out| request::put_item(out, 1_700_000_000, &item));
    vec![one.clone(), [b"[", one.as_slice(), b",", one.as_slice(), b"]"].concat()]
}
