//! FmLTP: public keys that are none.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;
use num_bigint::BigUint;

/// Whatever is refused here is refused at once: the step's time is longer than any test waits.
const PATIENT: &[&str] = &["--fmltp-timeout", "60"];

/// The prime of group 14 of RFC 3526, which OpenSSL knows by name.
const GROUP_14: &str = "\
FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F\
83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
15728E5A8AACAA68FFFFFFFFFFFFFFFF";

on_both_engines!(
    what_cannot_be_a_key_is_refused_as_soon_as_it_is_seen,
    a_block_that_is_not_exactly_pem_is_refused,
    a_key_that_is_not_exactly_der_is_refused,
    a_key_of_another_kind_or_group_is_refused,
    a_number_that_is_no_key_is_refused,
);

fn what_cannot_be_a_key_is_refused_as_soon_as_it_is_seen(engine: Engine) {
    let daemon = start(engine, PATIENT);
    // All but the last byte of each could be the beginning of a key.
    let wrong = [
        "x",
        "----x",
        "------",
        "-----BEGIN R",
        "-----BEGIN PUBLIC KEY----\n",
        "-----BEGIN PUBLIC KEY------",
        "-----BEGIN PUBLIC KEY-----\nMII!",
        "-----BEGIN PUBLIC KEY-----\nMIICKDCCARsG\nCSqGSIb3DQE*",
        "-----BEGIN PUBLIC KEY-----\nMIICKDCCARsG\n-----END C",
        "-----BEGIN PUBLIC KEY-----\nMII_",
        "-----BEGIN PUBLIC KEY-----\nMII\0",
        "-----BEGIN PUBLIC KEY-----\nMII\u{e4}",
    ];
    for start in wrong {
        println!("{start:?}");
        let mut client = Fm::in_key_exchange(&daemon);
        let last = start.char_indices().last().unwrap().0;
        client.send(&start[..last]);
        client.expect_silence();
        client.send(&start[last..]);
        client.is_refused();
    }
}

#[track_caller]
fn refuses_blocks(engine: Engine, blocks: &[(&str, String)]) {
    let daemon = start(engine, PATIENT);
    for (what, block) in blocks {
        println!("{what}");
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(block);
        client.is_refused();
    }
}

fn a_block_that_is_not_exactly_pem_is_refused(engine: Engine) {
    let good = PublicKey::of(&small(2)).pem();
    let der = PublicKey::of(&small(2)).der();
    let body = |change: fn(&str) -> String| {
        let lines: Vec<&str> = good.lines().collect();
        format!(
            "{}\n{}\n{}\n",
            lines[0],
            change(&lines[1..lines.len() - 1].join("\n")),
            lines[lines.len() - 1]
        )
    };
    refuses_blocks(
        engine,
        &[
            ("another label", pem("DH PUBLIC KEY", &der)),
            ("two labels", good.replace("END PUBLIC", "END PRIVATE")),
            ("a private key", pem("PRIVATE KEY", &der)),
            ("parameters", group()),
            ("text before it", format!("my key:\n{good}")),
            ("a header", body(|text| format!("Proc-Type: 4,ENCRYPTED\n\n{text}"))),
            ("an empty line in front", body(|text| format!("\n{text}"))),
            ("an empty line within", body(|text| text.replacen('\n', "\n\n", 1))),
            ("a space at the end of a line", body(|text| text.replacen('\n', " \n", 1))),
            ("a space within a line", body(|text| format!("{} {}", &text[..30], &text[30..]))),
            ("no base64 at all", body(|_| "?".repeat(64))),
            ("nothing at all", body(|_| String::new())),
            ("a character too few", body(|text| text[..text.len() - 1].to_owned())),
            ("a character too many", body(|text| format!("{text}A"))),
            ("padding in the middle", body(|text| format!("AA==\n{text}"))),
            ("padding only", body(|_| "====".to_owned())),
            ("the other alphabet", body(|text| text.replace('+', "-").replace('/', "_"))),
            ("half of it", body(|text| text[..text.len() / 8 * 4].to_owned())),
        ],
    );
}

fn a_key_that_is_not_exactly_der_is_refused(engine: Engine) {
    let good = PublicKey::of(&small(2));
    let der = good.der();
    let key = |change: fn(&mut PublicKey)| {
        let mut key = good.clone();
        change(&mut key);
        key.pem()
    };
    let bytes = |change: fn(&mut Vec<u8>)| {
        let mut bytes = der.clone();
        change(&mut bytes);
        pem("PUBLIC KEY", &bytes)
    };
    let (p, g) = (integer(&PRIME), integer(&small(2)));
    // The outer sequence with its length in a form that is longer than it has to be, or not told at all.
    let long = [&[0x30, 0x83, 0][..], &der[2..]].concat();
    let indefinite = [&[0x30, 0x80][..], &der[4..], &[0, 0]].concat();
    let null = [p.clone(), g.clone(), vec![0x05, 0x00]].concat();
    let octets = [p.clone(), g.clone(), vec![0x04, 0x01, 0x01]].concat();
    let with_parameters = |parameters: Vec<u8>| PublicKey { parameters, ..good.clone() }.pem();
    refuses_blocks(
        engine,
        &[
            ("a byte behind it", key(|key| key.rest = vec![0])),
            ("a second key behind it", key(|key| key.rest = key.der())),
            ("a byte behind the number", key(|key| key.bits.push(0))),
            ("a second number", key(|key| key.bits.extend([2, 1, 2]))),
            ("an empty bit string", key(|key| key.bits.clear())),
            ("no number", key(|key| key.bits.truncate(1))),
            ("unused bits", key(|key| key.bits[0] = 1)),
            ("a number in two zeros", PublicKey::with_number(&[2, 2, 0, 2]).pem()),
            ("an empty number", PublicKey::with_number(&[2, 0]).pem()),
            ("a long length", PublicKey::with_number(&[2, 0x81, 1, 2]).pem()),
            ("no integer", PublicKey::with_number(&[4, 1, 2]).pem()),
            ("two more numbers", key(|key| key.parameters.extend([2, 1, 9, 2, 1, 9]))),
            ("null behind p and g", with_parameters(null)),
            ("octets behind p and g", with_parameters(octets)),
            ("no g", with_parameters(p)),
            ("no parameters", with_parameters(Vec::new())),
            ("another tag", bytes(|der| der[0] = 0x31)),
            ("a long length outside", pem("PUBLIC KEY", &long)),
            ("no length outside", pem("PUBLIC KEY", &indefinite)),
            ("a length beyond the end", bytes(|der| der[3] += 1)),
            ("a length before the end", bytes(|der| der[3] -= 1)),
            ("the last byte is missing", bytes(|der| der.truncate(der.len() - 1))),
            ("one byte", bytes(|der| der.truncate(1))),
            ("zeros", bytes(|der| der.fill(0))),
            ("ones", bytes(|der| der.fill(0xff))),
        ],
    );
}

fn a_key_of_another_kind_or_group_is_refused(engine: Engine) {
    let good = PublicKey::of(&small(2));
    let group = |p: BigUint, g: u32| {
        PublicKey { parameters: [integer(&p), integer(&small(g))].concat(), ..good.clone() }.pem()
    };
    let named = BigUint::parse_bytes(GROUP_14.as_bytes(), 16).unwrap();
    let x9_42 = PublicKey { oid: X9_42.to_vec(), ..good.clone() };
    let x9_42_with_q = {
        let q = (&*PRIME - 1_u8) / 2_u8;
        let parameters = [integer(&PRIME), integer(&small(2)), integer(&q)].concat();
        PublicKey { parameters, ..x9_42.clone() }
    };
    let rsa = PublicKey { oid: b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01".to_vec(), ..good.clone() };
    let negative = [tlv(0x02, &integer(&PRIME)[5..]), integer(&small(2))].concat();
    refuses_blocks(
        engine,
        &[
            ("X9.42", x9_42.pem()),
            ("X9.42 with q", x9_42_with_q.pem()),
            ("RSA", rsa.pem()),
            (
                "a kind that ends early",
                PublicKey { oid: DH_KEY_AGREEMENT[..8].to_vec(), ..good.clone() }.pem(),
            ),
            (
                "a kind that goes on",
                PublicKey { oid: [DH_KEY_AGREEMENT, &[1]].concat(), ..good.clone() }.pem(),
            ),
            ("group 14", group(named, 2)),
            ("p + 2", group(&*PRIME + 2_u8, 2)),
            ("p - 2", group(&*PRIME - 2_u8, 2)),
            ("(p - 1) / 2", group((&*PRIME - 1_u8) / 2_u8, 2)),
            ("a small prime", group(small(23), 5)),
            ("p = 0", group(small(0), 2)),
            ("p negative", PublicKey { parameters: negative, ..good.clone() }.pem()),
            ("a huge p", group(&*PRIME << 8192_u32, 2)),
            ("g = 5", group(PRIME.clone(), 5)),
            ("g = 1", group(PRIME.clone(), 1)),
            ("g = 4", group(PRIME.clone(), 4)),
        ],
    );
}

fn a_number_that_is_no_key_is_refused(engine: Engine) {
    let p = || PRIME.clone();
    let numbers = [
        ("0", small(0)),
        ("1", small(1)),
        ("p - 1", p() - 1_u8),
        ("p", p()),
        ("p + 1", p() + 1_u8),
        ("p + 2", p() + 2_u8),
        ("2^2048 - 1", small(2).pow(2048) - 1_u8),
        ("2^2048", small(2).pow(2048)),
        ("2p", p() * 2_u8),
        ("of 8,192 bits", (p() << 6144_u32) + 1_u8),
        ("of 32,768 bits", (p() << 30_720_u32) + 1_u8),
    ];
    let mut blocks: Vec<(&str, String)> =
        numbers.iter().map(|(what, number)| (*what, PublicKey::of(number).pem())).collect();
    blocks.push(("-1", PublicKey::with_number(&[2, 1, 0xff]).pem()));
    blocks.push(("-2", PublicKey::with_number(&[2, 1, 0xfe]).pem()));
    blocks.push(("2 - p, negative", PublicKey::with_number(&tlv(0x02, &integer(&(p() - 2_u8))[5..])).pem()));
    refuses_blocks(engine, &blocks);
}
