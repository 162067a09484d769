use super::*;

const NOW: i64 = 1_504_663_925;
const LIMITS: Limits =
    Limits { bulk: Some(100), freshness: Some(Freshness { unix_time: NOW, tolerance: 120 }) };

fn lines_as(json: &str, format: LineFormat) -> Result<(Vec<String>, usize), ItemsError> {
    let items = parse(json.as_bytes(), &LIMITS)?;
    let line = |item| {
        let mut out = b"before".to_vec();
        put_line(&mut out, item, format);
        let line = String::from_utf8(out).unwrap();
        line.strip_prefix("before").and_then(|line| line.strip_suffix('\n')).unwrap().to_owned()
    };
    Ok((items.valid.iter().map(line).collect(), items.skipped))
}

#[test]
fn how_long_a_line_may_be_is_known_before_it_is_made() {
    let texts = [
        "plain",
        "with spaces in it",
        r#"\\ \" \n \r \t \u0000 \u001f \u007f \u0085 \u00a0 \u2028 \u2029 \u202a \ud83d\ude00"#,
        "\u{7f}\u{80}\u{9f}\u{a0}é«\u{2028}\u{2029}–漢😀",
    ];
    let least = r#"{"datetime":1,"msg":"m"}"#.to_owned();
    let longest = |text: &str, time: i64| {
        let (name, number) = ("n".repeat(64), i64::MIN);
        format!(
            r#"{{"datetime":{time},"msg":"{text}","logger":"{name}","level":64,"vlevel":{number},"line":{number},"#
        ) + &format!(r#""file":"{text}","func":"{text}","app":"{text}","thread":"{text}"}}"#)
    };
    let longest = texts.iter().flat_map(|text| [1, i64::MAX].map(|time| longest(text, time)));
    for json in longest.chain([least]) {
        for format in [LineFormat::Text, LineFormat::Json] {
            let items = parse(json.as_bytes(), &LIMITS).unwrap();
            let mut line = Vec::new();
            put_line(&mut line, &items.valid[0], format);
            let limit = line_limit(&items.valid[0], format);
            assert!((line.len()..line.len() + 384).contains(&limit), "{limit}: {} {json}", line.len());
        }
    }
}

fn line(json: &str) -> String {
    let (mut lines, skipped) = lines_as(json, LineFormat::Text).unwrap();
    assert_eq!((lines.len(), skipped), (1, 0));
    lines.remove(0)
}

fn object(json: &str) -> String {
    lines_as(json, LineFormat::Json).unwrap().0.remove(0)
}

/// An item with these members beside those that it has to have.
fn with(members: &str) -> String {
    format!(r#"{{"datetime":1504663925034,"msg":"m",{members}}}"#)
}

#[test]
fn items_of_real_clients_become_lines() {
    let node = r#"{"_t":1504663925,"datetime":1504663925034,"logger":"default","msg":"hello info","file":"app.js","line":10,"func":"work","app":"com.example.app","level":128,"vlevel":0}"#;
    assert_eq!(
        line(node),
        "2017-09-06T02:12:05.034Z INFO default com.example.app app.js:10 work - hello info"
    );
    assert_eq!(
        object(node),
        r#"{"time":"2017-09-06T02:12:05.034Z","level":"INFO","logger":"default","app":"com.example.app","file":"app.js","line":10,"func":"work","msg":"hello info"}"#
    );
    let captured = r#"{"datetime":1795244139520,"logger":"sample-app","msg":"hello info","file":"Timeout._onTimeout (app11.js","line":9,"func":"Timeout._onTimeout","app":"com.example.app","level":128,"token":"96028078"}"#;
    assert_eq!(
        line(captured),
        "2026-11-21T06:55:39.520Z INFO sample-app com.example.app Timeout._onTimeout\\u{20}(app11.js:9 \
         Timeout._onTimeout - hello info"
    );
    let items = parse(captured.as_bytes(), &LIMITS).unwrap();
    assert_eq!(items.valid[0].token().unwrap().as_str(), "96028078");
    assert_eq!(items.valid[0].logger(), "sample-app");

    let item = |text: &str| node.replace("hello info", text);
    let bulk = format!("[{},{},{}]", node, item("second"), item("héllo ✓"));
    let (lines, skipped) = lines_as(&bulk, LineFormat::Text).unwrap();
    assert_eq!((lines.len(), skipped), (3, 0));
    assert!(lines[2].ends_with(" - héllo ✓"));
}

#[test]
fn levels_have_names_or_are_numbers() {
    for (level, name) in [
        ("2", "TRACE"),
        ("4", "DEBUG"),
        ("8", "FATAL"),
        ("16", "ERROR"),
        ("32", "WARNING"),
        ("64", "VERBOSE"),
        ("128", "INFO"),
        ("null", "WARNING"),
        ("\"128\"", "WARNING"),
        ("0", "0"),
        ("1024", "1024"),
        ("-1", "-1"),
        ("9223372036854775807", "9223372036854775807"),
    ] {
        let item = with(&format!("\"level\":{level}"));
        assert_eq!(line(&item).split(' ').nth(1), Some(name), "{level}");
    }
    let verbose = with(r#""level":64,"vlevel":3"#);
    assert_eq!(line(&verbose), "2017-09-06T02:12:05.034Z VERBOSE(3) default - - - - m");
    assert_eq!(
        object(&verbose),
        r#"{"time":"2017-09-06T02:12:05.034Z","level":"VERBOSE","vlevel":3,"logger":"default","msg":"m"}"#
    );
    assert!(object(&with(r#""level":7,"vlevel":3"#)).contains(r#""level":7,"logger""#));
    // The warnings of the Node client have no level.
    assert_eq!(line(&with("\"x\":0")), "2017-09-06T02:12:05.034Z WARNING default - - - - m");
}

#[test]
fn columns_hold_whatever_is_in_them() {
    let all = r#""file":"a b/\\ c","line":7,"func":"f\ng","app":"é ✓","thread":"\u0000\t\u2028""#;
    assert_eq!(
        line(&with(all)),
        r"2017-09-06T02:12:05.034Z WARNING default é\u{20}✓ a\u{20}b/\\\u{20}c:7 f\ng \u{00}\t\u{2028} m"
    );
    for (members, place) in [
        (r#""file":"a""#, "a:-"),
        (r#""line":7"#, "-:7"),
        (r#""file":"","line":null"#, "-"),
        (r#""file":"a","line":7.5"#, "a:-"),
        (r#""file":7,"line":-7"#, "-:-7"),
        (r#""file":"a","file":null,"app":[],"func":{},"thread":5"#, "-"),
    ] {
        assert_eq!(line(&with(members)).split(' ').nth(4), Some(place), "{members}");
    }
}

#[test]
fn an_item_is_exactly_one_line_in_which_nothing_acts() {
    let all: String =
        (0..0x300).chain(0x1ff0..0x3000).filter_map(char::from_u32).chain(['\u{1f600}']).collect();
    let text = serde_json::to_string(&all).unwrap();
    let item = format!(r#"{{"datetime":1,"msg":{text},"app":{text},"thread":{text}}}"#);
    for rendered in [line(&item), object(&item)] {
        let acts = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        assert!(!rendered.chars().any(acts));
    }
    assert_eq!(line(&item).split(' ').nth(6), line(&item).split(' ').nth(3));
    let back: serde_json::Value = serde_json::from_str(&object(&item)).unwrap();
    assert_eq!((&back["msg"], &back["app"]), (&all.clone().into(), &all.into()));
}

#[test]
fn messages_are_escaped_as_the_page_says() {
    for (text, expected) in [
        (r"a b  c", "a b  c"),
        (r"a\nb\r\tc\\d\/\u0022", r#"a\nb\r\tc\\d/""#),
        (r"\u0000\u001b[2J\u007f\u0080\u009f\u00a0", "\\u{00}\\u{1B}[2J\\u{7F}\\u{80}\\u{9F}\u{a0}"),
        ("\u{85}\u{2028}\u{2029}\u{202e}", "\\u{85}\\u{2028}\\u{2029}\u{202e}"),
        (r"\ud83d\ude00 \ud83d!", "😀 \u{fffd}!"),
    ] {
        let item = format!(r#"{{"datetime":1,"msg":"{text}"}}"#);
        assert_eq!(line(&item), format!("1970-01-01T00:00:00.001Z WARNING default - - - - {expected}"));
    }
}

#[test]
fn times_are_utc_with_milliseconds_however_far_away() {
    for (datetime, expected) in [
        ("1", "1970-01-01T00:00:00.001Z"),
        ("1000", "1970-01-01T00:00:01.000Z"),
        ("1795283647034", "2026-11-21T17:54:07.034Z"),
        ("253402207199999", "9999-12-30T21:59:59.999Z"),
        ("253402300800000", "@253402300800.000"),
        ("9223372036854775807", "@9223372036854775.807"),
    ] {
        let item = format!(r#"{{"datetime":{datetime},"msg":"m"}}"#);
        assert_eq!(line(&item).split(' ').next(), Some(expected), "{datetime}");
        assert!(object(&item).starts_with(&format!("{{\"time\":\"{expected}\"")));
    }
}

#[test]
fn an_item_needs_a_time_a_message_and_a_logger_that_can_be_a_file() {
    use ItemProblem::{Datetime, Logger, Message, Stale};
    let long = format!(r#"{{"datetime":1,"msg":"m","logger":"{}"}}"#, "x".repeat(65));
    let table = [
        ("{}", Datetime),
        (r#"{"msg":"m"}"#, Datetime),
        (r#"{"msg":"m","datetime":0}"#, Datetime),
        (r#"{"msg":"m","datetime":-1}"#, Datetime),
        (r#"{"msg":"m","datetime":1.5}"#, Datetime),
        (r#"{"msg":"m","datetime":1e12}"#, Datetime),
        (r#"{"msg":"m","datetime":"1504663925034"}"#, Datetime),
        (r#"{"msg":"m","datetime":9223372036854775808}"#, Datetime),
        (r#"{"msg":"m","datetime":1,"datetime":null}"#, Datetime),
        (r#"{"datetime":1}"#, Message),
        (r#"{"datetime":1,"msg":""}"#, Message),
        (r#"{"datetime":1,"msg":17}"#, Message),
        (r#"{"datetime":1,"msg":null}"#, Message),
        (r#"{"datetime":1,"msg":"m","logger":""}"#, Logger),
        (r#"{"datetime":1,"msg":"m","logger":"."}"#, Logger),
        (r#"{"datetime":1,"msg":"m","logger":"../a"}"#, Logger),
        (r#"{"datetime":1,"msg":"m","logger":"a\u0000"}"#, Logger),
        (r#"{"datetime":1,"msg":"m","logger":"a b"}"#, Logger),
        (r#"{"datetime":1,"msg":"m","logger":"\u00e9"}"#, Logger),
        (&*long, Logger),
        (r#"{"datetime":1,"msg":"m","_t":1504663804}"#, Stale),
        (r#"{"datetime":1,"msg":"m","_t":1504664046}"#, Stale),
        (r#"{"datetime":1,"msg":"m","_t":-1}"#, Stale),
    ];
    for (json, problem) in table {
        let error = lines_as(json, LineFormat::Text).unwrap_err();
        assert_eq!(error, ItemsError::NoneValid(problem), "{json}");
    }
    for fine in [
        r#"{"datetime":1,"msg":"m","_t":1504663805}"#,
        r#"{"datetime":1,"msg":"m","_t":0}"#,
        r#"{"datetime":1,"msg":"m","_t":"1"}"#,
        r#"{"datetime":1,"msg":"m","_t":null,"logger":null}"#,
        r#"{"datetime":1,"msg":"m","logger":17,"token":18,"unknown":[{"msg":""}]}"#,
        r#"{"datetime":1,"msg":"m","logger":"a\u002eb-C_9"}"#,
    ] {
        assert!(lines_as(fine, LineFormat::Text).is_ok(), "{fine}");
    }
    let open = Limits { freshness: None, ..LIMITS };
    assert!(parse(br#"{"datetime":1,"msg":"m","_t":1}"#, &open).is_ok());
}

#[test]
fn in_an_array_what_is_invalid_is_skipped() {
    let fine = r#"{"datetime":1,"msg":"m"}"#;
    let array = format!(r#"[{fine},{{"msg":"no time"}},null,17,[{fine}],"text",{fine}]"#);
    let (lines, skipped) = lines_as(&array, LineFormat::Text).unwrap();
    assert_eq!((lines.len(), skipped), (2, 5));

    let refused = |json: &str, bulk| parse(json.as_bytes(), &Limits { bulk, ..LIMITS }).err();
    let many = |count| format!("[{}]", vec![fine; count].join(","));
    assert_eq!(refused(&many(100), Some(100)), None);
    let too_many = refused(&many(101), Some(100));
    assert!(matches!(too_many, Some(ItemsError::Json(JsonError { problem: JsonProblem::TooMany, .. }))));
    assert_eq!(refused("[]", Some(100)), Some(ItemsError::Empty));
    assert_eq!(refused("[]", None), Some(ItemsError::Empty));
    assert_eq!(refused(&many(1), None), Some(ItemsError::NoBulk));
    assert_eq!(refused(fine, None), None);
    assert_eq!(refused("[1,null]", Some(100)), Some(ItemsError::NoneValid(ItemProblem::NoObject)));
    assert_eq!(refused("[{},null]", Some(100)), Some(ItemsError::NoneValid(ItemProblem::Datetime)));
    assert!(matches!(refused("17", Some(100)), Some(ItemsError::Json(_))));
    assert!(matches!(refused("[{\"datetime\":1,\"msg\":\"m\"}", Some(100)), Some(ItemsError::Json(_))));
}

#[test]
fn errors_say_what_was_wrong_and_nothing_of_what_was_sent() {
    let error =
        lines_as(r#"[{"datetime":1,"msg":"secret","logger":"se cret"}]"#, LineFormat::Text).unwrap_err();
    assert_eq!(error.to_string(), "it has no valid item: its logger has a name that no logger has");
}
