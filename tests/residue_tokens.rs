//! Residue: tokens, and the access codes that they are given for.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::residue::*;
use common::*;

on_both_engines!(
    without_codes_tokens_are_given_for_every_logger,
    a_code_is_good_for_its_logger,
    the_default_code_may_be_off,
    what_is_no_request_names_no_logger,
    whoever_is_not_there_is_not_connected,
    whoever_has_not_acknowledged_is_dead,
    a_token_is_good_for_its_client_and_logger,
    a_token_ends_with_its_life,
    the_oldest_of_too_many_tokens_goes,
    logs_may_need_a_token,
    replies_are_fifty_milliseconds_apart,
);

/// How far two replies on a connection are apart at the least.
const SPACING: Duration = Duration::from_millis(50);

const WRONG_CODE: &str = "Invalid access code";
const WRONG_TOKEN: &str = "Invalid token";

/// A daemon that has codes for some loggers.
#[track_caller]
fn with_codes(engine: Engine, codes: &str, options: &[&str]) -> (Daemon, Place) {
    let place = Place::new();
    let file = place.text("codes");
    fs::write(&file, codes).unwrap();
    let daemon = start_in(&place, engine, &[&["--residue-codes", &file], options].concat());
    (daemon, place)
}

/// Asks whether a token is good.
#[track_caller]
fn is_good(client: &mut Client, logger: &str, token: &str) -> bool {
    let reply = client.asks_for_token(logger, &format!(r#","token":"{token}""#));
    assert!(reply == r#"{"status":0}"# || reply == token_error(WRONG_TOKEN), "{reply}");
    reply == r#"{"status":0}"#
}

fn without_codes_tokens_are_given_for_every_logger(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for fields in [
        "",
        r#","access_code":"""#,
        r#","access_code":"default""#,
        r#","access_code":null"#,
        r#","access_code":7"#,
    ] {
        let reply = client.asks_for_token("app", fields);
        assert!(reply.starts_with(r#"{"life":3600,"loggerId":"app","status":0,"token":""#), "{reply}");
    }
    let (life, token) = client.is_given_token("other", "default");
    assert_eq!(life, 3600);
    assert!(is_good(&mut client, "other", &token));
    let reply = client.asks_for_token("app", r#","access_code":"secret""#);
    assert_eq!(reply, token_error(WRONG_CODE));
    // They are never needed, and do not harm either.
    client.logs_message("without");
    let with = item("with").replace('}', &format!(r#","token":"{token}"}}"#));
    assert_eq!(client.logs(with), TAKEN);
    assert_eq!(messages(&place, "app"), ["without", "with"]);
}

fn a_code_is_good_for_its_logger(engine: Engine) {
    let codes = "# what is theirs\n\napp secret\napp other 60\nforever x 0\n  spaced \t code  7  \n";
    let (daemon, _place) = with_codes(engine, codes, &[]);
    let mut client = Client::established(&daemon);
    for (logger, code, life) in
        [("app", "secret", 3600), ("app", "other", 60), ("forever", "x", 0), ("spaced", "code", 7)]
    {
        let (told, token) = client.is_given_token(logger, code);
        assert_eq!(told, life, "{logger} {code}");
        assert!(is_good(&mut client, logger, &token));
    }
    for (logger, code) in [
        ("app", "x"),
        ("app", "Secret"),
        ("app", "secre"),
        ("app", "secret "),
        ("forever", "secret"),
        ("new", "secret"),
    ] {
        let reply = client.asks_for_token(logger, &format!(r#","access_code":"{code}""#));
        assert_eq!(reply, token_error(WRONG_CODE), "{logger} {code}");
    }
    // Whoever has none gets one by the default code all the same.
    assert_eq!(client.is_given_token("app", "default").0, 3600);
}

fn the_default_code_may_be_off(engine: Engine) {
    let (daemon, _place) = with_codes(engine, "app secret\n", &["--residue-no-default-code"]);
    let mut client = Client::established(&daemon);
    for fields in ["", r#","access_code":"""#, r#","access_code":"default""#] {
        assert_eq!(client.asks_for_token("app", fields), token_error(WRONG_CODE), "{fields}");
    }
    client.is_given_token("app", "secret");
    // What is configured is a code like any other.
    let (daemon, _place) = with_codes(engine, "app default 9\n", &["--residue-no-default-code"]);
    let mut client = Client::established(&daemon);
    assert_eq!(client.is_given_token("app", "default").0, 9);
    assert_eq!(client.asks_for_token("other", r#","access_code":"default""#), token_error(WRONG_CODE));
}

fn what_is_no_request_names_no_logger(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let time = now();
    for text in [
        format!(r#"{{"_t":{time}}}"#),
        format!(r#"{{"_t":{time},"logger_id":""}}"#),
        format!(r#"{{"_t":{time},"logger_id":null}}"#),
        format!(r#"{{"_t":{time},"logger_id":7}}"#),
        format!(r#"{{"_t":{time},"logger_id":"../app"}}"#),
        format!(r#"{{"_t":{time},"loggerId":"app"}}"#),
        r#"{"logger_id":"app"}"#.to_owned(),
        r#"{"_t":0,"logger_id":"app"}"#.to_owned(),
        format!(r#"{{"_t":{},"logger_id":"app"}}"#, time - 150),
        format!(r#"{{"_t":{},"logger_id":"app"}}"#, time + 150),
        format!(r#"{{"_t":{time},"logger_id":"app"}}{{}}"#),
        "junk".to_owned(),
        String::new(),
    ] {
        assert_eq!(client.asks(Port::Token, &text), token_error(NO_LOGGER), "{text}");
    }
    // Where there is nobody whose key it could be, in plain.
    for text in ["junk", "{}", "", r#"{"_t":1,"logger_id":"app"}"#] {
        client.wire(Port::Token).asks(text, &token_error(NO_LOGGER));
    }
}

fn whoever_is_not_there_is_not_connected(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let client = Client::established(&daemon);
    let stranger = client.is_called("zzzzzzzzzzzzzzzz");
    let mut wire = Wire::connect(Port::Token.of(&daemon));
    for text in [format!(r#"{{"_t":{},"logger_id":"app"}}"#, now()), "junk".to_owned()] {
        wire.send(stranger.seal(text).packet());
        wire.expect(&token_error(NOT_CONNECTED));
    }
}

fn whoever_has_not_acknowledged_is_dead(engine: Engine) {
    let (daemon, _place) = with_codes(engine, "app secret\n", &[]);
    let mut client = Client::greeted(&daemon);
    for fields in
        ["", r#","access_code":"secret""#, r#","access_code":"wrong""#, r#","token":"0123456789abcdef""#]
    {
        assert_eq!(client.asks_for_token("app", fields), token_error("Client is dead"), "{fields}");
    }
    client.acknowledges();
    client.is_given_token("app", "secret");
}

fn a_token_is_good_for_its_client_and_logger(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let (mut ann, mut bob) = (Client::established(&daemon), Client::established(&daemon));
    let (_, anns) = ann.is_given_token("app", "");
    let (_, bobs) = bob.is_given_token("app", "");
    assert_ne!(anns, bobs);
    for (token, logger, is_right) in [
        (anns.as_str(), "app", true),
        (&anns, "other", false),
        (&bobs, "app", false),
        (&anns[1..], "app", false),
        (&anns.to_lowercase().to_uppercase(), "app", false),
        ("0123456789abcdef", "app", false),
    ] {
        // By chance, no letter of it may be a small one.
        let is_right = is_right || token == anns && logger == "app";
        assert_eq!(is_good(&mut ann, logger, token), is_right, "{token} for {logger}");
    }
    // A touch takes none away.
    ann.touches();
    assert!(is_good(&mut ann, "app", &anns));
}

fn a_token_ends_with_its_life(engine: Engine) {
    let (daemon, _place) = with_codes(engine, "app brief 1\napp long 3600\n", &[]);
    let mut client = Client::established(&daemon);
    let start = Instant::now();
    let (_, long) = client.is_given_token("app", "long");
    let (_, brief) = client.is_given_token("app", "brief");
    process::eventually("it ends", || !is_good(&mut client, "app", &brief));
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(is_good(&mut client, "app", &long));
}

fn the_oldest_of_too_many_tokens_goes(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    // Each connection has pauses of its own.
    let mut token = |number: usize| {
        if number.is_multiple_of(4) {
            client.hangs_up();
        }
        client.is_given_token(["app", "other"][number % 2], "").1
    };
    let tokens: Vec<_> = (0..66).map(&mut token).collect();
    for (number, token) in
        tokens.iter().enumerate().filter(|(number, _)| [0, 1, 2, 3, 64, 65].contains(number))
    {
        assert_eq!(is_good(&mut client, ["app", "other"][number % 2], token), number >= 2, "{number}");
    }
}

fn logs_may_need_a_token(engine: Engine) {
    let options = ["--residue-require-token", "--residue-no-default-code"];
    let (daemon, place) = with_codes(engine, "app secret\nother word\n", &options);
    let (mut client, mut stranger) = (Client::established(&daemon), Client::established(&daemon));
    let (_, token) = client.is_given_token("app", "secret");
    let with = |token: &str, logger: &str, message: &str| {
        item_for(logger, message).replace('}', &format!(r#","token":"{token}"}}"#))
    };
    assert_eq!(client.logs(item("without")), NOT_TAKEN);
    assert_eq!(client.logs(with("", "app", "with none")), NOT_TAKEN);
    assert_eq!(client.logs(with("0123456789abcdef", "app", "with any")), NOT_TAKEN);
    assert_eq!(client.logs(with(&token, "other", "for another")), NOT_TAKEN);
    assert_eq!(stranger.logs(with(&token, "app", "of another")), NOT_TAKEN);
    assert!(nothing_is_written(&place));
    assert_eq!(client.logs(with(&token, "app", "with its own")), TAKEN);
    let (_, other) = client.is_given_token("other", "word");
    let bulk = [
        with(&token, "app", "one"),
        item("skipped"),
        with(&other, "other", "two"),
        with(&other, "app", "no"),
    ];
    assert_eq!(client.logs(format!("[{}]", bulk.join(","))), TAKEN);
    assert_eq!(
        (messages(&place, "app"), messages(&place, "other")),
        (vec!["with its own".into(), "one".into()], vec!["two".to_owned()])
    );
}

fn replies_are_fifty_milliseconds_apart(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let request = format!(r#"{{"_t":{},"logger_id":"app"}}"#, now());
    let stream: Vec<u8> = (0..4).flat_map(|_| client.seal(&request).packet()).collect();
    let stream = [stream, b"junk\r\n\r\n".to_vec()].concat();
    let start = Instant::now();
    client.sends(Port::Token, &stream);
    let mut other = Client::established(&daemon);
    for number in 0..5_u32 {
        let reply = client.wire(Port::Token).take();
        assert!(start.elapsed() >= SPACING * number, "reply {number} after {:?}", start.elapsed());
        assert_eq!(reply == token_error(NO_LOGGER), number == 4, "{reply}");
        // Nobody else waits for that.
        other.touches();
    }
    // Other ports and other connections have no such pauses: that is only for one of them.
    let start = Instant::now();
    let all: Vec<u8> = (0..400).flat_map(|_| client.seal(client.request(3)).packet()).collect();
    client.sends(Port::Connect, all);
    for _ in 0..400 {
        client.hears(Port::Connect);
    }
    assert!(start.elapsed() < SPACING * 399, "{:?}", start.elapsed());
}
