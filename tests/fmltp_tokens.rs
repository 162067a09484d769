//! FmLTP: tokens that are no tokens, in the handshake and in the interpreter.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::time::{Duration, Instant};

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;

/// Whatever is refused at once is refused before this time is over: it is longer than any test waits.
const PATIENT: &[&str] = &["--fmltp-timeout", "60"];

on_both_engines!(
    bytes_that_no_token_has_are_refused_at_once,
    equals_signs_anywhere_else_are_refused_at_once,
    a_flipped_bit_before_equals_signs_is_refused_at_once,
    base64_has_one_form_only,
    a_token_of_another_key_is_refused,
    another_version_is_refused_at_once,
    wrong_padding_is_refused_at_once,
    too_many_bytes_without_a_token_are_refused_at_once,
    what_is_behind_a_token_is_another_matter,
    what_is_before_a_bad_token_is_answered,
    a_token_that_is_never_whole_is_refused_in_time,
    a_token_that_is_never_good_is_refused_in_time,
    the_clock_of_a_token_starts_with_its_first_byte,
    random_bytes_are_refused,
);

/// A client that has to send its challenge, and two for which the interpreter is ready.
fn in_every_phase(open: &Daemon, locked: &Daemon) -> [(&'static str, Fm); 3] {
    [
        ("challenge", Fm::keyed(open)),
        ("lockdown", Fm::ready(locked, READY_LOCKED)),
        ("normal", Fm::ready(open, READY)),
    ]
}

/// In every phase, what `make` makes of the session key is refused at once.
#[track_caller]
fn refuses(engine: Engine, make: &[fn(&Key) -> Vec<u8>]) {
    let open = start(engine, PATIENT);
    let (locked, _place) = start_with_users(engine, PATIENT);
    for (number, make) in make.iter().enumerate() {
        for (phase, mut client) in in_every_phase(&open, &locked) {
            println!("number {number}, {phase}");
            let bytes = make(client.key());
            client.send(bytes);
            client.is_refused_in_secret();
        }
    }
}

/// A good token of the challenge, or of a command, that ends in `==`.
fn good(key: &Key) -> Vec<u8> {
    let token = key.seal("FlexMusic,0.0.0");
    assert!(token.ends_with(b"=="));
    token
}

/// A good token with another byte at some place.
fn with(key: &Key, at: usize, byte: u8) -> Vec<u8> {
    let mut token = good(key);
    token[at] = byte;
    token
}

/// A good token whose text holds what `wanted` is looking for.
fn that_has(key: &Key, wanted: u8) -> Vec<u8> {
    let mut tokens = (0..=255).map(|number| key.seal_with_iv("FlexMusic,0.0.0", [number; 16]));
    tokens.find(|token| token.contains(&wanted)).expect("one of so many has it")
}

fn bytes_that_no_token_has_are_refused_at_once(engine: Engine) {
    refuses(
        engine,
        &[
            |_| b"!".to_vec(),
            |_| b"\0".to_vec(),
            |_| b"\xff".to_vec(),
            |_| b"-----BEGIN PUBLIC KEY-----\n".to_vec(),
            |_| b"FlexMusic,0.0.0\r\n".to_vec(),
            |key| with(key, 40, b'.'),
            |key| with(key, 99, b'.'),
            // White space is skipped before a packet, not within it.
            |key| with(key, 40, b' '),
            |key| with(key, 64, b'\n'),
            |key| [&good(key)[..64], b"\n", &good(key)[64..]].concat(),
            |key| [&good(key)[..98], b"\r\n"].concat(),
            // The other alphabet of base64.
            |key| that_has(key, b'-').iter().map(|&byte| if byte == b'-' { b'+' } else { byte }).collect(),
            |key| that_has(key, b'_').iter().map(|&byte| if byte == b'_' { b'/' } else { byte }).collect(),
        ],
    );
}

fn equals_signs_anywhere_else_are_refused_at_once(engine: Engine) {
    refuses(
        engine,
        &[
            |_| b"=".to_vec(),
            |_| b"gA==".to_vec(),
            |key| with(key, 50, b'='),
            |key| [&good(key)[..50], b"="].concat(),
            |key| with(key, 97, b'='),
            |key| [b"==", &good(key)[2..]].concat(),
            |key| [&good(key)[..99], b"A"].concat(),
            // All of a token but its beginning.
            |key| good(key)[1..].to_vec(),
            |key| key.seal("sixteen or more bytes")[1..].to_vec(),
        ],
    );
}

fn a_flipped_bit_before_equals_signs_is_refused_at_once(engine: Engine) {
    refuses(
        engine,
        &[
            |key| with(key, 0, b'h'),
            |key| with(key, 5, flipped(good(key)[5])),
            |key| with(key, 30, flipped(good(key)[30])),
            |key| with(key, 50, flipped(good(key)[50])),
            |key| with(key, 70, flipped(good(key)[70])),
            |key| with(key, 96, flipped(good(key)[96])),
        ],
    );
}

/// Another character of the alphabet.
fn flipped(byte: u8) -> u8 {
    if byte == b'A' { b'B' } else { b'A' }
}

/// The bits that a last character has too many are 0: with others, it decodes to the same bytes.
fn base64_has_one_form_only(engine: Engine) {
    refuses(
        engine,
        &[
            |key| with(key, 97, good(key)[97] + 1),
            |key| {
                let mut token = key.seal("sixteen or more bytes");
                assert!(token.ends_with(b"=") && !token.ends_with(b"=="));
                let last = token.len() - 2;
                token[last] += 1;
                token
            },
        ],
    );
}

fn a_token_of_another_key_is_refused(engine: Engine) {
    refuses(
        engine,
        &[
            |_| Key::new([7; 32]).seal("FlexMusic,0.0.0"),
            |key| {
                Key::new([&[0; 16], &key.bytes()[16..]].concat().try_into().unwrap()).seal("FlexMusic,0.0.0")
            },
        ],
    );
    // Signed well, its text is anything: it is the challenge at most by a miracle.
    let daemon = start(engine, PATIENT);
    let mut client = Fm::keyed(&daemon);
    let half = Key::new([&client.key().bytes()[..16], &[0; 16]].concat().try_into().unwrap());
    client.send(half.seal("FlexMusic,0.0.0"));
    client.is_refused_in_secret();
}

const BLOCK: &[u8; 16] = b"FlexMusic,0.0.0\x01";

fn another_version_is_refused_at_once(engine: Engine) {
    refuses(
        engine,
        &[
            |key| key.seal_blocks(0x00, now(), [1; 16], BLOCK),
            |key| key.seal_blocks(0x7f, now(), [1; 16], BLOCK),
            |key| key.seal_blocks(0x81, now(), [1; 16], BLOCK),
            |key| key.seal_blocks(0xff, now(), [1; 16], BLOCK),
        ],
    );
}

fn wrong_padding_is_refused_at_once(engine: Engine) {
    refuses(
        engine,
        &[
            |key| key.seal_blocks(0x80, now(), [1; 16], b"FlexMusic,0.0.0\x00"),
            |key| key.seal_blocks(0x80, now(), [1; 16], b"FlexMusic,0.0.0\x02"),
            |key| key.seal_blocks(0x80, now(), [1; 16], b"FlexMusic,0.0.0\x11"),
            |key| key.seal_blocks(0x80, now(), [1; 16], b"FlexMusic,0.0.0\xff"),
            |key| key.seal_blocks(0x80, now(), [1; 16], b"FlexMusic,0.\x04\x04\x03\x04"),
            |key| key.seal_blocks(0x80, now(), [1; 16], b"FlexMusic,0.0.0 and no padding.."),
            |key| key.seal_blocks(0x80, now(), [1; 16], &[0; 16]),
        ],
    );
}

fn too_many_bytes_without_a_token_are_refused_at_once(engine: Engine) {
    let daemon = start(engine, PATIENT);
    for mut client in [Fm::keyed(&daemon), Fm::ready(&daemon, READY)] {
        client.send([b'g'; 1023]);
        client.expect_silence();
        client.send("g");
        client.is_refused_in_secret();
    }
    let mut client = Fm::ready(&daemon, READY);
    client.send([b'A'; 100_000]);
    client.is_refused_in_secret();
    // A whole token, but too long.
    let mut client = Fm::ready(&daemon, READY);
    client.says("x".repeat(2000));
    client.is_refused_in_secret();
}

fn what_is_behind_a_token_is_another_matter(engine: Engine) {
    let daemon = start(engine, PATIENT);
    for tail in ["=", "==", "!", "===="] {
        let mut client = Fm::keyed(&daemon);
        let token = client.key().seal(GREETING);
        client.send([&token, tail.as_bytes()].concat());
        client.hears(READY);
        client.is_refused_in_secret();
    }
}

fn what_is_before_a_bad_token_is_answered(engine: Engine) {
    let daemon = start(engine, PATIENT);
    let mut client = Fm::keyed(&daemon);
    let stream =
        [client.key().seal(GREETING), client.key().seal("NOPE"), b"!".to_vec(), client.key().seal("NOPE")];
    client.send(stream.concat());
    client.hears(READY);
    client.hears(INVALID);
    client.is_refused_in_secret();
}

/// Lets both phases wait for a whole token in vain, until the time of the step is over.
#[track_caller]
fn refused_in_time(engine: Engine, make: fn(&Key) -> Vec<u8>) {
    let daemon = start(engine, &["--fmltp-timeout", "1"]);
    for mut client in [Fm::keyed(&daemon), Fm::ready(&daemon, READY)] {
        let bytes = make(client.key());
        client.send(bytes);
        client.expect_silence();
        client.is_refused_in_secret();
    }
}

fn a_token_that_is_never_whole_is_refused_in_time(engine: Engine) {
    refused_in_time(engine, |key| good(key)[..60].to_vec());
    refused_in_time(engine, |key| good(key)[..99].to_vec());
    refused_in_time(engine, |key| good(key)[..98].to_vec());
    refused_in_time(engine, |_| b"g".to_vec());
    // It has no room for any text.
    refused_in_time(engine, |key| key.seal_blocks(0x80, now(), [1; 16], b""));
}

/// Without an equals sign nothing tells that it is over.
fn a_token_that_is_never_good_is_refused_in_time(engine: Engine) {
    refused_in_time(engine, |key| {
        let mut token = key.seal([b'x'; 40]);
        assert!(!token.ends_with(b"="));
        token[70] = flipped(token[70]);
        token
    });
    // The next ones do not make it any better.
    refused_in_time(engine, |key| {
        let mut token = key.seal([b'x'; 40]);
        token[70] = flipped(token[70]);
        token.repeat(3)
    });
}

fn the_clock_of_a_token_starts_with_its_first_byte(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "1"]);
    let mut client = Fm::ready(&daemon, READY);
    // Who says nothing is not late, nor is white space the beginning of anything.
    client.send("\r\n");
    assert!(!client.raw().hears_within(Duration::from_millis(1300)));
    client.asks("NOPE", INVALID);
    // Bytes do not restart it.
    let start = Instant::now();
    let refused = (0..10).any(|_| {
        client.send("g");
        client.raw().hears_within(Duration::from_millis(300))
    });
    assert!(refused, "bytes keep it open");
    assert!(start.elapsed() >= Duration::from_secs(1), "too early: {:?}", start.elapsed());
    client.is_refused_in_secret();
}

fn random_bytes_are_refused(engine: Engine) {
    let daemon = start(engine, PATIENT);
    let mut random = random::Random::new(0x5eed_f00d);
    for _ in 0..10 {
        // So many that one of them is out of the alphabet, or they are too many.
        let bytes: Vec<u8> = (0..1100).map(|_| random.byte()).collect();
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(&bytes);
        client.is_refused();
        let mut client = Fm::keyed(&daemon);
        client.send(&bytes);
        client.is_refused_in_secret();
        let mut client = Fm::ready(&daemon, READY);
        client.send(&bytes);
        client.is_refused_in_secret();
    }
    Fm::ready(&daemon, READY).asks("NOPE", INVALID);
}
