//! FmLTP: what a client is refused for before the interpreter, and how.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;

/// Whatever is refused here is refused at once: the step's time is longer than any test waits.
const PATIENT: &[&str] = &["--fmltp-timeout", "60"];

on_both_engines!(
    versions_that_do_not_have_the_form_are_refused,
    who_is_no_flexmusic_is_refused,
    another_class_is_refused,
    a_reason_repeats_nothing,
    a_wrong_challenge_is_refused,
    steps_that_take_too_long_are_refused,
    bytes_do_not_restart_the_clock,
    the_clock_of_a_step_starts_with_the_answer_to_the_last,
    the_last_words_survive_what_is_on_its_way,
    a_refused_client_disturbs_nobody,
);

#[track_caller]
fn refuses_versions<T: AsRef<[u8]>>(engine: Engine, replies: &[T]) {
    let daemon = start(engine, PATIENT);
    for reply in replies {
        let mut client = Fm::greeted(&daemon);
        println!("{:?}", String::from_utf8_lossy(reply.as_ref()));
        client.send(reply);
        client.is_refused();
    }
}

fn versions_that_do_not_have_the_form_are_refused(engine: Engine) {
    let wrong = [
        "0",
        "0.0",
        "0.0.0.0",
        "0.0.",
        ".0.0",
        "0..0",
        "",
        "x.y.z",
        "0.0.x",
        "0x0.0.0",
        "+0.0.0",
        "-0.0.0",
        "0.+1.0",
        "0.0.-1",
        "00.0.0",
        "0.01.0",
        "0.0.007",
        "0.65536.0",
        "0.0.65536",
        "0.0.99999999999999999999",
        " 0.0.0",
        "0. 0.0",
        "0 .0.0",
        "0.0. 0",
        "0.0,0",
        "0.0.0,",
        "0.0.0-rc",
        "0.0.0 beta",
        "\u{660}.0.0",
        "0.0.1e1",
        "0,0,0",
    ];
    let replies = wrong.map(|version| format!("FlexMusic,{version}\r\n"));
    refuses_versions(engine, &replies);
    refuses_versions(
        engine,
        &["FlexMusic\n", "FlexMusic 0.0.0\n", "FlexMusic;0.0.0\n", "FlexMusic,Box,0.0.0\n"],
    );
}

fn who_is_no_flexmusic_is_refused(engine: Engine) {
    let wrong: [&[u8]; 14] = [
        b"flexmusic,0.0.0\r\n",
        b"FLEXMUSIC,0.0.0\r\n",
        b"FlexMusi,0.0.0\r\n",
        b"Music,0.0.0\r\n",
        b"The FlexMusic,0.0.0\r\n",
        b",0.0.0\r\n",
        b"0.0.0\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"FlexMusic\x01,0.0.0\r\n",
        b"FlexMusic\tBox,0.0.0\r\n",
        b"FlexMusic\rBox,0.0.0\r\n",
        b"FlexMusic\x7f,0.0.0\r\n",
        b"FlexMusic\xff\xfe,0.0.0\r\n",
        b"FlexMusic\xc2\x85Box,0.0.0\r\n",
    ];
    refuses_versions(engine, &wrong);
}

fn another_class_is_refused(engine: Engine) {
    refuses_versions(engine, &["FlexMusic,1.0.0\r\n", "FlexMusic,65535.0.0\r\n"]);
    let daemon = start(engine, &[PATIENT, &["--fmltp-name", "FlexMusic,3.1.4"]].concat());
    for version in ["0.0.0", "2.1.4", "4.1.4", "31.1.4"] {
        let mut client = Fm::connect(&daemon);
        client.expect("FlexMusic,3.1.4\r\n");
        client.send(format!("FlexMusic,{version}\r\n"));
        client.is_refused();
    }
}

fn a_reason_repeats_nothing(engine: Engine) {
    let daemon = start(engine, PATIENT);
    for reply in [
        "Zebra77,0.0.0\n",
        "FlexMusic Zebra77,77.0.0\n",
        "FlexMusic,Zebra77\n",
        "FlexMusic\x1bZebra77,0.0.0\n",
    ] {
        let mut client = Fm::greeted(&daemon);
        client.send(reply);
        let reason = client.is_refused();
        assert!(!reason.contains("Zebra") && !reason.contains("77"), "{reason}");
    }
    let mut client = Fm::in_key_exchange(&daemon);
    client.send("-----BEGIN Zebra KEY-----\n");
    assert!(!client.is_refused().contains("Zebra"));
    let mut client = Fm::keyed(&daemon);
    client.says("FlexMusic Zebra,0.0.0");
    assert!(!client.is_refused_in_secret().contains("Zebra"));
}

fn a_wrong_challenge_is_refused(engine: Engine) {
    let daemon = start(engine, PATIENT);
    let wrong =
        ["", "FlexMusic,0.0.1", "flexmusic,0.0.0", "FlexMusic,0.0.0\0", "FlexMusic, 0.0.0", VERSION, "QUIT"];
    for text in wrong {
        let mut client = Fm::keyed(&daemon);
        client.says(text);
        client.is_refused_in_secret();
    }
    let mut client = Fm::keyed(&daemon);
    client.says(b"FlexMusic,0.0.0\xff");
    client.is_refused_in_secret();
}

fn steps_that_take_too_long_are_refused(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "1"]);
    let mut silent = Fm::greeted(&daemon);
    let mut halfway = Fm::greeted(&daemon);
    halfway.send("FlexMusic");
    let mut without_key = Fm::in_key_exchange(&daemon);
    let mut with_half_a_key = Fm::in_key_exchange(&daemon);
    with_half_a_key.send(&PublicKey::of(&small(2)).pem()[..300]);
    let mut without_challenge = Fm::keyed(&daemon);
    let mut with_half_a_challenge = Fm::keyed(&daemon);
    let token = with_half_a_challenge.key().seal(GREETING);
    with_half_a_challenge.send(&token[..50]);
    silent.is_refused();
    halfway.is_refused();
    without_key.is_refused();
    with_half_a_key.is_refused();
    without_challenge.is_refused_in_secret();
    with_half_a_challenge.is_refused_in_secret();
}

fn bytes_do_not_restart_the_clock(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "1"]);
    let pace = std::time::Duration::from_millis(300);
    let mut client = Fm::greeted(&daemon);
    let refused = (0..10).any(|_| {
        client.send("F");
        client.raw().hears_within(pace)
    });
    assert!(refused, "bytes keep it open");
    client.is_refused();

    let mut client = Fm::in_key_exchange(&daemon);
    client.send("-----BEGIN PUBLIC KEY-----\n");
    let refused = (0..10).any(|_| {
        client.send("A");
        client.raw().hears_within(pace)
    });
    assert!(refused, "bytes keep it open");
    client.is_refused();
}

/// Each step takes most of its time, so that together they take more than any of them may.
fn the_clock_of_a_step_starts_with_the_answer_to_the_last(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "2"]);
    let pause = std::time::Duration::from_millis(1200);
    let mut client = Fm::greeted(&daemon);
    assert!(!client.raw().hears_within(pause));
    client.send(VERSION);
    client.expect(&group());
    assert!(!client.raw().hears_within(pause));
    client.exchange_keys();
    assert!(!client.raw().hears_within(pause));
    client.says(GREETING);
    client.hears(READY);
}

/// Were what is sent after it left unread when the server closes, a reset would destroy the reason.
fn the_last_words_survive_what_is_on_its_way(engine: Engine) {
    let daemon = start(engine, PATIENT);
    for _ in 0..5 {
        let mut client = Fm::greeted(&daemon);
        client.send([b"NOPE\r\n", &[b'x'; 200_000][..]].concat());
        client.send(VERSION.repeat(100));
        client.is_refused();
        let mut client = Fm::in_key_exchange(&daemon);
        client.send([&b"x"[..], &[b'x'; 200_000]].concat());
        client.is_refused();
    }
}

fn a_refused_client_disturbs_nobody(engine: Engine) {
    let daemon = start(engine, &["--loops", "1"]);
    let mut member = Fm::ready(&daemon, READY);
    let refused: Vec<Fm> = (0..10)
        .map(|_| {
            let mut client = Fm::greeted(&daemon);
            client.send("NOPE\n");
            client.is_refused();
            member.asks("NOPE", INVALID);
            client
        })
        .collect();
    drop(refused);
    member.asks("NOPE", INVALID);
}
