use super::*;
use crate::residue::vectors;
use crate::wire::random::Random;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress};

/// The zlib stream of a text.
fn zlib(text: &[u8], level: u32) -> Vec<u8> {
    let mut stream = Vec::with_capacity(text.len() + 1000);
    let mut compress = Compress::new(Compression::new(level), true);
    let status = compress.compress_vec(text, &mut stream, FlushCompress::Finish).unwrap();
    assert_eq!(status, Status::StreamEnd);
    stream
}

fn packed(text: &[u8], level: u32) -> String {
    STANDARD.encode(zlib(text, level))
}

#[track_caller]
fn assert_text(inflated: &Inflated, expected: &[u8]) {
    match inflated {
        Inflated::Text(text) => assert!(text.as_slice() == expected, "{}", text.escape_ascii()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_plain(inflated: &Inflated) {
    assert!(matches!(inflated, Inflated::Plain), "{inflated:?}");
}

#[test]
fn recorded_logs_inflate() {
    let compressed = ["log, compressed, seed era (plain = base64(zlib(json)))", "bulk of 3, compressed"];
    for name in compressed {
        let vector = vectors::named("aes", name);
        let inflated = inflate(vectors::text(&vector, "plain").as_bytes());
        assert_text(&inflated, vectors::text(&vector, "json").as_bytes());
    }
    let vector = vectors::named("captured", "log of the Node client 1.1.2, compressed");
    let Inflated::Text(text) = inflate(vectors::text(&vector, "plain").as_bytes()) else { panic!() };
    let item = |text: &[u8]| {
        let mut item: serde_json::Value = serde_json::from_slice(text).unwrap();
        // Where the client's files are is not in the record.
        assert!(item["file"].take().as_str().unwrap().ends_with("app11.js"));
        item
    };
    assert_eq!(item(&text), item(vectors::text(&vector, "json").as_bytes()));
    let uncompressed = vectors::named("aes", "log, uncompressed, 2.x");
    assert_plain(&inflate(vectors::text(&uncompressed, "plain").as_bytes()));
}

#[test]
fn texts_of_many_lengths_come_back() {
    let mut random = Random::new(17);
    for level in [0, 1, 6, 9] {
        for length in (0..300).chain([4095, 4096, 4097, 32_767, 32_768, 32_769, 100_000]) {
            let text: Vec<u8> = (0..length).map(|_| b"abcdefgh"[random.below(8)]).collect();
            assert_text(&inflate(packed(&text, level).as_bytes()), &text);
            let same = vec![b'x'; length];
            assert_text(&inflate(packed(&same, level).as_bytes()), &same);
        }
    }
}

#[test]
fn white_space_in_the_base64_is_ignored() {
    let text = packed(b"{\"msg\":\"hello\"}", 6);
    let wrapped: String = text.chars().flat_map(|character| [character, '\n']).collect();
    assert_text(&inflate(format!(" {wrapped}").as_bytes()), b"{\"msg\":\"hello\"}");
}

#[test]
fn what_does_not_inflate_is_taken_as_it_is() {
    let whole = zlib(b"{\"msg\":\"hello\",\"level\":128}", 6);
    let mut bad_checksum = whole.clone();
    *bad_checksum.last_mut().unwrap() ^= 1;
    let raw = &whole[2..whole.len() - 4];
    let streams: [&[u8]; 8] = [
        b"",
        b"x",
        &whole[..whole.len() - 1],
        &bad_checksum,
        raw,
        &[&whole[..], b"\0"].concat(),
        &[&whole[..], &whole].concat(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    ];
    for stream in streams {
        assert_plain(&inflate(STANDARD.encode(stream).as_bytes()));
    }
    for text in ["", " ", "{}", "[]", "{\"msg\":\"x\"}", "  []", "null", "eNo", "\u{e9}", "eNq*", "=", "eA=="]
    {
        assert_plain(&inflate(text.as_bytes()));
    }
}

#[test]
fn no_prefix_and_no_damage_is_a_reason_to_panic() {
    let text = "{\"msg\":\"hello, hello, hello\",\"level\":128}".repeat(5);
    let stream = zlib(text.as_bytes(), 6);
    for end in 0..stream.len() {
        assert_plain(&inflate(STANDARD.encode(&stream[..end]).as_bytes()));
    }
    let mut random = Random::new(19);
    for _ in 0..3_000 {
        let damaged = random.mutate(&stream);
        if let Inflated::Text(inflated) = inflate(STANDARD.encode(&damaged).as_bytes()) {
            assert!(damaged == stream || inflated.as_slice() == text.as_bytes(), "the checksum failed");
        }
        inflate(&random.mutate(STANDARD.encode(&stream).as_bytes()));
    }
}

#[test]
fn a_text_may_be_as_long_as_the_limit_and_no_longer() {
    let text = vec![b' '; INFLATED_LIMIT];
    let fits = packed(&text, 9);
    assert!(fits.len() < 16_384, "{}", fits.len());
    assert_text(&inflate(fits.as_bytes()), &text);
    let one_more = packed(&vec![b' '; INFLATED_LIMIT + 1], 9);
    assert!(matches!(inflate(one_more.as_bytes()), Inflated::TooLong));
    for limit in [0, 1, 10, 4095, 4096, 4097, 100_000] {
        let text = vec![b'a'; limit];
        assert_text(&inflate_within(packed(&text, 6).as_bytes(), limit), &text);
        let one_more = packed(&vec![b'a'; limit + 1], 6);
        assert!(matches!(inflate_within(one_more.as_bytes(), limit), Inflated::TooLong), "{limit}");
    }
}

#[test]
fn a_bomb_is_given_up_at_the_limit() {
    // 40 MiB in 180 KB, and cut off: what follows the limit is not even looked at.
    let bomb = zlib(&vec![0; 40 << 20], 1);
    let inflated = inflate(STANDARD.encode(&bomb[..bomb.len() - 4]).as_bytes());
    assert!(matches!(inflated, Inflated::TooLong), "{inflated:?}");
}

#[test]
fn room_grows_up_to_the_limit() {
    for (length, most, expected) in
        [(10, 100_000, 4096), (4096, 100_000, 16_384), (80_000, 100_000, 100_000), (5, 9, 9)]
    {
        let text = vec![1; length];
        let larger = grown(&text, most);
        assert_eq!(larger.as_slice(), text);
        assert!(larger.capacity() >= expected && larger.capacity() < expected + 64, "{}", larger.capacity());
    }
}
