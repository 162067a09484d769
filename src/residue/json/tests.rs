use std::time::Instant;

use super::*;

/// Everything that was put.
#[derive(Default)]
struct All<'a>(Vec<(Vec<u8>, Value<'a>)>);

impl<'a> Fields<'a> for All<'a> {
    fn put(&mut self, key: &[u8], value: Value<'a>) {
        self.0.push((key.to_vec(), value));
    }
}

fn problem(text: &[u8]) -> Option<(usize, JsonProblem)> {
    object::<All<'_>>(text).err().map(|error| (error.at, error.problem))
}

/// What the value `json` is as an integer and as a text.
fn value(json: &str) -> (Option<i64>, Option<String>) {
    let text = format!(" {{ \"k\" :\t{json} \r\n}} ");
    let all: All<'_> = object(text.as_bytes()).unwrap();
    let [(key, value)] = &all.0[..] else { panic!("one key in {text}") };
    assert_eq!(key, b"k");
    (value.integer(), value.text().map(|text| text.decode().into_owned()))
}

#[test]
fn numbers_are_integers_or_nothing() {
    let table = [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("17", Some(17)),
        ("-17", Some(-17)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        ("0.5", None),
        ("1.0", None),
        ("1e3", None),
        ("1E3", None),
        ("1e999999999999", None),
        ("null", None),
        ("true", None),
        ("\"17\"", None),
        ("[17]", None),
        ("{\"17\":17}", None),
    ];
    for (json, expected) in table {
        assert_eq!(value(json).0, expected, "{json}");
    }
    assert_eq!(value(&"9".repeat(5000)).0, None);
}

#[test]
fn texts_come_without_their_escapes() {
    let table = [
        (r#""""#, Some("")),
        (r#""plain é ✓""#, Some("plain é ✓")),
        (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t")),
        (r#""a\u00e9\u2713b""#, Some("aé✓b")),
        (r#""\ud83d\ude00!""#, Some("😀!")),
        (r#""\uD83D\uDE00""#, Some("😀")),
        (r#""\u0000""#, Some("\0")),
        // Halves of pairs, as they come from texts that were cut in two.
        (r#""a\ud83d""#, Some("a\u{fffd}")),
        (r#""\ude00b""#, Some("\u{fffd}b")),
        (r#""\ud83d\u0041""#, Some("\u{fffd}A")),
        (r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}😀")),
        (r#""\ud83d\n""#, Some("\u{fffd}\n")),
        ("17", None),
        ("null", None),
        ("[\"a\"]", None),
    ];
    for (json, expected) in table {
        assert_eq!(value(json).1.as_deref(), expected, "{json}");
    }
}

#[test]
fn a_text_is_decoded_as_serde_json_does_it() {
    let all: String = (0..0x3000).filter_map(char::from_u32).chain(['\u{1f600}']).collect();
    let theirs = serde_json::to_string(&all).unwrap();
    assert_eq!(value(&theirs).1.as_deref(), Some(&*all));
    let mut ours = Vec::new();
    ours.push(b'"');
    put_escaped(&mut ours, &all);
    ours.push(b'"');
    assert_eq!(serde_json::from_slice::<String>(&ours).unwrap(), all);
    assert!(!ours.iter().any(u8::is_ascii_control));
}

#[test]
fn the_last_of_a_repeated_key_comes_last() {
    let all: All<'_> = object(br#"{"a":1,"b":2,"\u0061":null,"\ud800":3}"#).unwrap();
    let keys: Vec<_> = all.0.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [b"a", b"b", b"a", &b"\xed\xa0\x80"[..]]);
    assert!(all.0[2].1.is_null());
}

#[test]
fn what_is_not_one_json_object_is_told_with_its_place() {
    use JsonProblem::{CutShort, Malformed, NoObject, NotUtf8};
    let table: [(&[u8], usize, JsonProblem); 24] = [
        (b"", 0, CutShort),
        (b"  ", 2, CutShort),
        (b"null", 0, NoObject),
        (b"17", 0, NoObject),
        (b"\"text\"", 0, NoObject),
        (b"[]", 0, NoObject),
        (b"[{}]", 0, JsonProblem::TooMany),
        (b"junk", 0, Malformed),
        (b"{r:0}", 1, Malformed),
        (b"{", 1, CutShort),
        (b"{\"a\"", 4, CutShort),
        (b"{\"a\":1", 6, CutShort),
        (b"{\"a\":1,}", 7, Malformed),
        (b"{\"a\":01}", 6, Malformed),
        (b"{\"a\":+1}", 5, Malformed),
        (b"{\"a\":'b'}", 5, Malformed),
        (b"{\"a\":\"\n\"}", 6, Malformed),
        (b"{\"a\":\"\\x\"}", 7, Malformed),
        (b"{\"a\":1}x", 7, Malformed),
        (b"{\"a\":1}{}", 7, Malformed),
        (b"{\"a\":1}\0", 7, Malformed),
        (b"\xef\xbb\xbf{}", 0, Malformed),
        (b"{\"a\":\"\xff\"}", 6, NotUtf8),
        (b"{\"a\":\"\xed\xa0\x80\"}", 6, NotUtf8),
    ];
    for (text, at, expected) in table {
        let (found, problem) = problem(text).unwrap();
        assert_eq!(problem, expected, "{}", text.escape_ascii());
        // The place is that of the offending byte, or of the one before it.
        assert!(found.abs_diff(at) <= 1, "{}: {found}, not {at}", text.escape_ascii());
    }
    assert_eq!(problem(b"\n{\n \"a\":1,\n \"b\":x\n}").map(|(at, _)| at), Some(16));
    assert_eq!(problem(b" {} \r\n\t"), None);
}

#[test]
fn errors_hold_nothing_of_what_was_sent() {
    let error = object::<All<'_>>(b"\"secret\"").err().unwrap();
    assert_eq!(error.to_string(), "it is no JSON object (byte 0)");
}

#[test]
fn thirty_two_deep_is_deep_enough() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!("{{\"k\":{}1{}}}", open.repeat(depth - 1), close.repeat(depth - 1))
    };
    for (open, close, length) in [("[", "]", 1), ("{\"a\":", "}", 5)] {
        assert_eq!(problem(nested(32, open, close).as_bytes()), None);
        let deeper = problem(nested(33, open, close).as_bytes());
        assert_eq!(deeper, Some((5 + 31 * length, JsonProblem::TooDeep)));
    }
    // What stands in texts does not count, and what is closed is out again.
    assert_eq!(problem(format!(r#"{{"k":["\"{}","\\"]}}"#, "[".repeat(99)).as_bytes()), None);
    assert_eq!(problem(format!("{{\"k\":[{}1]}}", "[],".repeat(99)).as_bytes()), None);
    // In an array everything is one deeper.
    let item = nested(31, "[", "]");
    assert!(objects::<All<'_>>(format!("[{item}]").as_bytes(), 9).is_ok());
    let item = nested(32, "[", "]");
    let error = objects::<All<'_>>(format!("[{item}]").as_bytes(), 9).err().unwrap();
    assert_eq!(error.problem, JsonProblem::TooDeep);
    let array = format!("[{}{}]", "[".repeat(32), "]".repeat(32));
    let error = objects::<All<'_>>(array.as_bytes(), 9).err().unwrap();
    assert_eq!(error.problem, JsonProblem::TooDeep);
}

#[test]
fn nesting_without_end_takes_neither_stack_nor_time() {
    let began = Instant::now();
    for start in ["", "{\"k\":", "[", "[{\"k\":"] {
        for bracket in ["[", "{\"a\":", "{", "[{\"a\":["] {
            let text = start.to_owned() + &bracket.repeat((1 << 20) / bracket.len());
            assert!(objects::<All<'_>>(text.as_bytes(), 100).is_err());
        }
    }
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn objects_stand_alone_or_in_an_array_up_to_its_limit() {
    let count = |text: &str, limit| match objects::<All<'_>>(text.as_bytes(), limit) {
        Ok(Document::One(_)) => Ok((1, 0)),
        Ok(Document::Many { objects, others }) => Ok((objects.len(), others)),
        Err(error) => Err(error.problem),
    };
    assert_eq!(count("{}", 0), Ok((1, 0)));
    assert_eq!(count("[]", 2), Ok((0, 0)));
    assert_eq!(count("[{},{}]", 2), Ok((2, 0)));
    assert_eq!(count("[{},{},{}]", 2), Err(JsonProblem::TooMany));
    assert_eq!(count("[1,{},\"a\",null,true,-1,0.5,[[]],{\"a\":[]}]", 9), Ok((2, 7)));
    assert_eq!(count("17", 2), Err(JsonProblem::NoObject));
}

#[test]
fn every_prefix_of_a_document_is_refused() {
    let text = br#"[{"a":"\ud83d\ude00","b":[1,{"c":-0.5e3}]},null]"#;
    assert!(objects::<All<'_>>(text, 9).is_ok());
    for end in 0..text.len() {
        assert!(objects::<All<'_>>(&text[..end], 9).is_err(), "{end}");
    }
}
