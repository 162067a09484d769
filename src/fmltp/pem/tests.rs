//! PEM blocks, whole, in pieces and broken.

use super::PemProblem::*;
use super::*;

const LABEL: &str = "PUBLIC KEY";

fn block(body: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----{body}-----END PUBLIC KEY-----")
}

fn judged(bytes: &[u8]) -> Result<Vec<u8>, (usize, PemProblem)> {
    decode(bytes, LABEL).map_err(|error| (error.at, error.problem))
}

#[test]
fn what_is_written_is_64_columns_wide_and_can_be_read() {
    assert_eq!(encode("X", b"abc"), "-----BEGIN X-----\nYWJj\n-----END X-----\n");
    let contents: Vec<u8> = (0..=255).collect();
    let text = encode(LABEL, &contents);
    let mut body = text.lines().filter(|line| !line.starts_with('-')).rev();
    assert!(body.next().is_some_and(|last| last.len() < 64) && body.all(|line| line.len() == 64));
    assert_eq!(judged(text.as_bytes()), Ok(contents));
    let even = encode(LABEL, &[7; 48]);
    assert_eq!(even.lines().count(), 3, "48 bytes fill one line: {even}");
}

#[test]
fn lines_are_of_any_length_and_end_in_lf_or_crlf() {
    for body in ["\nYWJjZA==\n", "\r\nYWJjZA==\r\n", "\nY\nWJj\r\nZA=\n=\n", "\nYWJjZA\n==\n"] {
        let text = block(body);
        for after in ["", "\n", "\r\n"] {
            assert_eq!(judged(format!("{text}{after}").as_bytes()), Ok(b"abcd".to_vec()), "{body:?}");
        }
        let more = format!("{text}gAAAA");
        assert_eq!(frame(more.as_bytes(), LABEL), Ok(Some(text.len())), "it ends with the last dash");
    }
}

#[test]
fn every_prefix_of_a_block_is_more_and_never_a_value() {
    for ending in ["\n", "\r\n"] {
        let text = encode(LABEL, &[0x5a; 300]).replace('\n', ending);
        let whole = text.trim_end().len();
        for cut in 0..whole {
            let bytes = &text.as_bytes()[..cut];
            assert_eq!(frame(bytes, LABEL), Ok(None), "cut at {cut}");
            assert_eq!(judged(bytes), Err((cut, Short)));
        }
        assert_eq!(frame(text.as_bytes(), LABEL), Ok(Some(whole)));
    }
}

#[test]
fn what_is_no_block_is_refused_at_the_byte_that_shows_it() {
    let table: [(&str, usize, PemProblem); 22] = [
        ("x", 0, Begin),
        (" -----BEGIN PUBLIC KEY-----", 0, Begin),
        ("-----BEGIN DH PARAMETERS-----", 11, Begin),
        ("-----BEGIN PUBLIC KEY---- ", 25, Begin),
        ("-----BEGIN PUBLIC KEY----- \n", 26, LineEnd),
        ("-----BEGIN PUBLIC KEY-----YWJj\n", 26, LineEnd),
        ("-----BEGIN PUBLIC KEY-----\rY", 27, LineEnd),
        ("-----BEGIN PUBLIC KEY-----\n\nYWJj", 27, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nProc-Type: 4", 31, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nYWJj \n", 31, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nYWJj\n\n", 32, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nYWJj\rX", 32, LineEnd),
        ("-----BEGIN PUBLIC KEY-----\nYW_j", 29, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\n=", 27, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nY=", 28, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nYWJj=", 31, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nYW===", 31, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\nYW==YWJj", 31, NotBase64),
        ("-----BEGIN PUBLIC KEY-----\n-", 27, Empty),
        ("-----BEGIN PUBLIC KEY-----\nYW\n-", 30, Padding),
        ("-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PRIVATE KEY-----", 42, End),
        ("-----BEGIN PUBLIC KEY-----\nYWJj\n-----BEGIN", 37, End),
    ];
    for (text, at, problem) in table {
        let expected = PemError { at, problem };
        assert_eq!(frame(text.as_bytes(), LABEL), Err(expected), "{text:?}");
        assert_eq!(judged(text.as_bytes()), Err((at, problem)), "{text:?}");
        assert_eq!(frame(&text.as_bytes()[..at], LABEL), Ok(None), "no sooner: {text:?}");
    }
}

#[test]
fn a_block_says_what_it_says_in_one_way_only() {
    let unused = block("\nYWK=\n");
    assert_eq!(judged(unused.as_bytes()), Err((unused.len(), UnusedBits)));
    for after in [" ", "\n\n", "\r", "x"] {
        let text = block("\nYWJj\n");
        assert_eq!(judged(format!("{text}{after}").as_bytes()), Err((text.len(), Trailing)), "{after:?}");
    }
}

#[test]
fn a_block_has_at_most_8_kib() {
    let around = block("\n\n").len();
    let fits = block(&format!("\n{}\n", "A".repeat((BLOCK_LIMIT - around) / 4 * 4)));
    assert!(fits.len() <= BLOCK_LIMIT && fits.len() + 4 > BLOCK_LIMIT);
    assert_eq!(frame(fits.as_bytes(), LABEL), Ok(Some(fits.len())));
    let long = block(&format!("\n{}\n", "A".repeat(BLOCK_LIMIT - around + 4)));
    let error = Err(PemError { at: BLOCK_LIMIT, problem: TooLong });
    assert_eq!(frame(long.as_bytes(), LABEL), error);
    assert_eq!(frame(&long.as_bytes()[..BLOCK_LIMIT], LABEL), error, "it cannot end in time any more");
    assert_eq!(frame(&long.as_bytes()[..BLOCK_LIMIT - 1], LABEL), Ok(None));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let error = frame(b"GET / HTTP/1.1", LABEL).unwrap_err();
    assert_eq!(error.to_string(), "another BEGIN line is expected (byte 0)");
}
