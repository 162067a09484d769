//! Residue: the lines that logs become.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use common::residue::*;
use common::*;
use serde_json::{Value, json};

on_both_engines!(
    a_line_says_all_that_an_item_says,
    levels_have_names,
    times_are_utc_with_milliseconds,
    no_text_ends_its_line_or_column,
    a_line_may_be_json,
    no_text_ends_its_line_of_json,
    what_a_node_client_sent_is_read,
);

/// Logs an item with these fields for the logger `app`, and returns its line.
#[track_caller]
fn line(client: &mut Client, place: &Place, fields: &Value) -> String {
    let mut item = json!({"_t": now(), "datetime": 1_504_663_925_034_u64, "logger": "app", "msg": "hello"});
    item.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    assert_eq!(client.logs(item.to_string()), TAKEN, "{item}");
    log_of(place, "app").lines().next_back().unwrap().to_owned()
}

fn a_line_says_all_that_an_item_says(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let all = json!({
        "level": 128, "app": "com.example.app", "file": "/srv/app.js", "line": 10, "func": "work", "thread": "main",
        "msg": "hello, you", "vlevel": 0, "token": "0123456789abcdef", "more": "ignored",
    });
    let table = [
        (all, "INFO app com.example.app /srv/app.js:10 work main hello, you"),
        (json!({}), "WARNING app - - - - hello"),
        (json!({"file": "app.js"}), "WARNING app - app.js:- - - hello"),
        (json!({"line": 7}), "WARNING app - -:7 - - hello"),
        (json!({"line": -7, "file": ""}), "WARNING app - -:-7 - - hello"),
        (json!({"app": "", "func": "", "thread": ""}), "WARNING app - - - - hello"),
        (json!({"msg": " as  it is "}), "WARNING app - - - -  as  it is "),
    ];
    for (fields, wanted) in table {
        let line = line(&mut client, &place, &fields);
        assert_eq!(line, format!("2017-09-06T02:12:05.034Z {wanted}"), "{fields}");
    }
}

fn levels_have_names(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for (fields, wanted) in [
        (json!({"level": 2}), "TRACE"),
        (json!({"level": 4}), "DEBUG"),
        (json!({"level": 8}), "FATAL"),
        (json!({"level": 16}), "ERROR"),
        (json!({"level": 32}), "WARNING"),
        (json!({"level": 64}), "VERBOSE"),
        (json!({"level": 64, "vlevel": 3}), "VERBOSE(3)"),
        (json!({"level": 128}), "INFO"),
        (json!({"level": 128, "vlevel": 3}), "INFO"),
        (json!({}), "WARNING"),
        (json!({"level": 0}), "0"),
        (json!({"level": 1}), "1"),
        (json!({"level": 256}), "256"),
        (json!({"level": -2}), "-2"),
    ] {
        let line = line(&mut client, &place, &fields);
        assert_eq!(line.split(' ').nth(1), Some(wanted), "{fields}");
    }
}

fn times_are_utc_with_milliseconds(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for (datetime, wanted) in [
        (1_u64, "1970-01-01T00:00:00.001Z"),
        (1_795_283_647_034, "2026-11-21T17:54:07.034Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (253_402_128_000_000, "9999-12-30T00:00:00.000Z"),
        (9_223_372_036_854_775_807, "@9223372036854775.807"),
    ] {
        let line = line(&mut client, &place, &json!({"datetime": datetime}));
        assert_eq!(line.split(' ').next(), Some(wanted), "{datetime}");
    }
}

/// Texts, and what they become.
const TEXTS: [(&str, &str); 12] = [
    ("one\ntwo", r"one\ntwo"),
    ("one\r\ntwo", r"one\r\ntwo"),
    ("a\tb", r"a\tb"),
    (r"C:\new", r"C:\\new"),
    ("\u{0}\u{1}\u{1f}", r"\u{00}\u{01}\u{1F}"),
    ("\u{1b}[31mred\u{7}", r"\u{1B}[31mred\u{07}"),
    ("\u{7f}", r"\u{7F}"),
    ("\u{80}\u{9b}2J\u{9f}", r"\u{80}\u{9B}2J\u{9F}"),
    ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
    ("d\u{e9}j\u{e0}-vu\u{a0}", "d\u{e9}j\u{e0}-vu\u{a0}"),
    ("\u{65e5}\u{672c}\u{8a9e}\u{1f600}", "\u{65e5}\u{672c}\u{8a9e}\u{1f600}"),
    ("\"quoted\"'{}'", "\"quoted\"'{}'"),
];

fn no_text_ends_its_line_or_column(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for (text, wanted) in TEXTS {
        let fields = json!({"msg": text, "app": text, "file": text, "line": 1, "func": text, "thread": text});
        let line = line(&mut client, &place, &fields);
        let columns: Vec<&str> = line.splitn(8, ' ').collect();
        let place = format!("{wanted}:1");
        assert_eq!(columns[3..], [wanted, &place, wanted, wanted, wanted], "{text:?}");
    }
    let spaces = json!({"msg": "a b", "app": "a b", "file": "a b", "func": "a b", "thread": " "});
    let line = line(&mut client, &place, &spaces);
    assert!(line.ends_with(r" a\u{20}b a\u{20}b:- a\u{20}b \u{20} a b"), "{line}");
    assert_eq!(log_of(&place, "app").lines().count(), TEXTS.len() + 1);
}

fn a_line_may_be_json(engine: Engine) {
    let (daemon, place) = start(engine, &["--residue-log-format", "json"]);
    let mut client = Client::established(&daemon);
    let all = json!({
        "level": 64, "app": "com.example.app", "file": "/srv/app.js", "line": 10, "func": "work", "thread": "main",
        "vlevel": 3, "token": "0123456789abcdef", "more": "ignored",
    });
    let time = "2017-09-06T02:12:05.034Z";
    let wanted = format!(
        r#"{{"time":"{time}","level":"VERBOSE","vlevel":3,"logger":"app","app":"com.example.app","file":"/srv/app.js","line":10,"func":"work","thread":"main","msg":"hello"}}"#
    );
    assert_eq!(line(&mut client, &place, &all), wanted);
    let wanted = format!(r#"{{"time":"{time}","level":"WARNING","logger":"app","msg":"hello"}}"#);
    assert_eq!(line(&mut client, &place, &json!({})), wanted);
    let wanted = format!(r#"{{"time":"{time}","level":7,"logger":"app","msg":"hello"}}"#);
    assert_eq!(line(&mut client, &place, &json!({"level": 7})), wanted);
}

fn no_text_ends_its_line_of_json(engine: Engine) {
    let (daemon, place) = start(engine, &["--residue-log-format", "json"]);
    let mut client = Client::established(&daemon);
    for (text, _) in TEXTS {
        let fields = json!({"msg": text, "app": text, "file": text, "func": text, "thread": text});
        let line = line(&mut client, &place, &fields);
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        for key in ["msg", "app", "file", "func", "thread"] {
            assert_eq!(value[key], text, "{key}");
        }
    }
    assert_eq!(log_of(&place, "app").lines().count(), TEXTS.len());
}

/// Half a pair of surrogates is what JavaScript makes of an emoji that is cut in two.
fn what_a_node_client_sent_is_read(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let sent = format!(
        r#"{{"_t":{},"datetime":1504663925034,"logger":"app","msg":"cut \ud83d, whole \ud83d\ude00, \u0041\/","file":"(/srv/app.js","line":19,"func":"at","app":"com.example.node","level":128,"vlevel":0}}"#,
        now()
    );
    assert_eq!(client.logs(compress(sent)), TAKEN);
    let line = log_of(&place, "app");
    let wanted = "INFO app com.example.node (/srv/app.js:19 at - cut \u{fffd}, whole \u{1f600}, A/\n";
    assert_eq!(line, format!("2017-09-06T02:12:05.034Z {wanted}"));
}
