//! FmLTP: where a packet ends, however the stream is cut.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::time::{Duration, Instant};

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;

/// How long a version reply without a line end has to be followed by nothing.
const QUIET: Duration = Duration::from_millis(100);

/// Long enough to have been quiet, and to see it.
const LONGER: Duration = Duration::from_millis(250);

on_both_engines!(
    what_can_be_sent_ahead_is_answered_in_order,
    every_packet_may_come_byte_by_byte,
    packets_may_be_cut_anywhere,
    tokens_may_follow_each_other_without_a_gap,
    white_space_between_packets_is_skipped,
    a_reply_without_line_end_is_whole_after_some_quiet,
    a_reply_that_goes_on_within_the_quiet_is_one,
    the_quiet_is_counted_from_the_last_byte,
    quiet_does_not_end_what_has_not_the_form_yet,
    a_carriage_return_alone_is_no_line_end,
    a_line_end_that_comes_late_is_skipped,
    a_reply_has_256_bytes_at_most,
    a_key_has_8_kib_at_most,
    the_longest_text_has_703_bytes,
    at_the_end_of_stream_what_was_whole_is_answered,
    at_the_end_of_stream_a_reply_is_whole,
);

fn what_can_be_sent_ahead_is_answered_in_order(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::connect(&daemon);
    let key = PublicKey::of(&small(2)).pem();
    client.send(format!("{VERSION}{key}"));
    client.expect(GREETING);
    client.expect(&group());
    client.take_key(&small(1));
    let texts = [GREETING, "NOPE", "AUTH alice wrong-password", "AUTH alice correct-horse", "AUTH", "QUIT"];
    let tokens: Vec<u8> = texts.iter().flat_map(|text| client.key().seal(text)).collect();
    client.send(tokens);
    for wanted in [READY_LOCKED, INVALID, NOT_LET_IN, LET_IN, INVALID, GOODBYE] {
        client.hears(wanted);
    }
    client.expect_end();
}

fn every_packet_may_come_byte_by_byte(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    client.raw().send_byte_by_byte(VERSION.as_bytes());
    client.expect(&group());
    client.raw().send_byte_by_byte(PublicKey::of(&small(2)).pem().as_bytes());
    client.take_key(&small(1));
    for (text, wanted) in [(GREETING, READY_LOCKED), ("AUTH alice correct-horse", LET_IN), ("QUIT", GOODBYE)]
    {
        let token = client.key().seal(text);
        client.raw().send_byte_by_byte(&token);
        client.hears(wanted);
    }
    client.expect_end();
}

fn packets_may_be_cut_anywhere(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    let key = PublicKey::of(&small(2)).pem();
    // The end of one and the beginning of the next travel together.
    client.send(&VERSION[..20]);
    client.send(format!("{}{}", &VERSION[20..], &key[..100]));
    client.expect(&group());
    client.send(&key[100..]);
    client.take_key(&small(1));
    client.says(GREETING);
    client.hears(READY);
    let two = client.key().seal("NOPE").repeat(2);
    for at in [1, 4, 50, 99, 100, 101, 150, 196, 199] {
        client.send(&two[..at]);
        if at < 100 {
            client.expect_silence();
        } else {
            client.hears(INVALID);
        }
        client.send(&two[at..]);
        client.hears(INVALID);
        if at < 100 {
            client.hears(INVALID);
        }
    }
}

fn tokens_may_follow_each_other_without_a_gap(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::ready(&daemon, READY);
    // Tokens that end in no, one and two equals signs.
    let commands =
        ["NOPE", "HELP with-some-words", "HELP with-a-few-words-more-than-that", "QUIT now", "HELP"];
    let stream: Vec<u8> = commands.iter().flat_map(|command| client.key().seal(command)).collect();
    client.send(stream);
    client.hears(INVALID);
    client.hears("420 Command with-some-words not found.\r\n");
    client.hears("420 Command with-a-few-words-more-than-that not found.\r\n");
    client.hears("410 Too many arguments passed.\r\n");
    assert!(client.take_text().starts_with("200 Available commands:\r\n"));
}

fn white_space_between_packets_is_skipped(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    client.send(format!("{VERSION} \t\n\x0b\x0c\r{}\r\n\r\n", PublicKey::of(&small(2)).pem()));
    client.expect(&group());
    client.take_key(&small(1));
    let mut stream = client.key().seal(GREETING);
    for space in [&b"\r\n"[..], b" ", b"\t\x0b\x0c\r\n\n", &[b' '; 3000]] {
        stream.extend_from_slice(space);
        stream.extend(client.key().seal("NOPE"));
    }
    client.send(stream);
    client.hears(READY);
    for _ in 0..4 {
        client.hears(INVALID);
    }
    // White space alone begins nothing that could be late.
    client.send(" \r\n");
    client.expect_silence();
}

fn a_reply_without_line_end_is_whole_after_some_quiet(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    for reply in ["FlexMusic,0.0.0", "\r\n FlexMusic,0.0.0", "FlexMusic,0.0.0  ", "FlexMusic,0.0.65535"] {
        let mut client = Fm::greeted(&daemon);
        let start = Instant::now();
        client.send(reply);
        client.expect(&group());
        assert!(start.elapsed() >= QUIET, "{reply:?} after {:?}", start.elapsed());
    }
}

fn a_reply_that_goes_on_within_the_quiet_is_one(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60", "--fmltp-name", "FlexMusic,0.0.5"]);
    loop {
        let mut client = Fm::connect(&daemon);
        client.expect("FlexMusic,0.0.5\r\n");
        let start = Instant::now();
        client.send("FlexMusic,0.0.1");
        client.send("0\r\n");
        if start.elapsed() >= QUIET {
            // This machine was too busy: it may have been two.
            continue;
        }
        client.expect(&group());
        client.exchange_keys();
        client.says("FlexMusic,0.0.5");
        return client.hears(&READY.replace("100", "101"));
    }
}

fn the_quiet_is_counted_from_the_last_byte(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    // Each byte comes when half the time is over: none that came before counts.
    for part in ["FlexMusic,0.0.1", "0", "0", "0", " "] {
        let start = Instant::now();
        client.send(part);
        if client.raw().hears_within(QUIET / 2) {
            assert!(start.elapsed() >= QUIET, "an answer {:?} after {part:?}", start.elapsed());
            return println!("not checked: this machine is too busy");
        }
    }
    let start = Instant::now();
    client.send(" ");
    client.expect(&group());
    assert!(start.elapsed() >= QUIET, "after {:?}", start.elapsed());
}

fn quiet_does_not_end_what_has_not_the_form_yet(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let whole = "FlexMusic,0.0.0";
    for at in [1, 5, 9, 10, 11, 12, 13, 14] {
        let mut client = Fm::greeted(&daemon);
        client.send(&whole[..at]);
        assert!(!client.raw().hears_within(LONGER), "an answer to {:?}", &whole[..at]);
        client.send(&whole[at..]);
        client.expect(&group());
    }
}

fn a_carriage_return_alone_is_no_line_end(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    let start = Instant::now();
    client.send("FlexMusic,0.0.0\r");
    client.expect(&group());
    assert!(start.elapsed() >= QUIET, "after {:?}", start.elapsed());
    // The line feed, when it comes, begins nothing.
    client.send("\n");
    client.exchange_keys();
}

fn a_line_end_that_comes_late_is_skipped(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    client.send("FlexMusic,0.0.0");
    client.expect(&group());
    client.send("\r\n");
    client.expect_silence();
    client.exchange_keys();
}

/// A good reply of so many bytes.
fn reply(length: usize, end: &str) -> String {
    let filler = "x".repeat(length - "FlexMusic,0.0.0".len() - end.len());
    format!("FlexMusic{filler},0.0.0{end}")
}

fn a_reply_has_256_bytes_at_most(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let skipped = " \r\n".repeat(200);
    for good in [reply(256, "\n"), reply(256, "\r\n"), reply(256, ""), skipped + &reply(256, "\r\n")] {
        let mut client = Fm::greeted(&daemon);
        client.send(&good);
        client.expect(&group());
    }
    for long in [reply(257, "\n"), reply(257, "\r\n"), reply(257, ""), reply(1000, "\r\n"), "x".repeat(257)] {
        let mut client = Fm::greeted(&daemon);
        client.send(&long);
        client.is_refused();
    }
    let mut client = Fm::greeted(&daemon);
    client.send("x".repeat(256));
    assert!(!client.raw().hears_within(LONGER), "256 bytes are not too many");
    client.send("x");
    client.is_refused();
}

/// A good key whose block, with the last line end, has so many bytes.
fn long_key(length: usize) -> String {
    let mut key = PublicKey::of(&small(2));
    key.parameters.extend(tlv(0x02, &[0x55; 5400]));
    let block = pem_in_lines("PUBLIC KEY", &key.der(), 10_000, "\n");
    let (begin, body) = block.split_at("-----BEGIN PUBLIC KEY-----\n".len());
    // As many lines of one character as it takes.
    let (short, rest) = body.split_at(length - block.len());
    let lines: String = short.chars().map(|c| format!("{c}\n")).collect();
    format!("{begin}{lines}{rest}")
}

fn a_key_has_8_kib_at_most(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    for good in [long_key(8192), long_key(8000)] {
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(&good);
        client.take_key(&small(1));
    }
    let endless = format!("-----BEGIN PUBLIC KEY-----\n{}", "A".repeat(8192));
    for long in [long_key(8194), long_key(8400), endless] {
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(long.trim_end());
        client.is_refused();
    }
}

fn the_longest_text_has_703_bytes(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::ready(&daemon, READY);
    let name = "x".repeat(698);
    client.asks(&format!("HELP {name}"), &format!("420 Command {name} not found.\r\n"));
    client.says(format!("HELP {name}x"));
    client.is_refused_in_secret();
}

fn at_the_end_of_stream_what_was_whole_is_answered(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    client.send(format!("{VERSION}{}", PublicKey::of(&small(2)).pem()));
    client.finish();
    client.expect(&group());
    client.take_key(&small(1));
    client.expect_end();

    let mut client = Fm::keyed(&daemon);
    let commands =
        [GREETING, "NOPE", "AUTH alice wrong-password", "AUTH alice correct-horse", "WHO too much"];
    let stream: Vec<u8> = commands.iter().flat_map(|command| client.key().seal(command)).collect();
    client.send(stream);
    client.finish();
    for wanted in [READY_LOCKED, INVALID, NOT_LET_IN, LET_IN, "410 Too many arguments passed.\r\n"] {
        client.hears(wanted);
    }
    client.expect_end();
}

fn at_the_end_of_stream_a_reply_is_whole(engine: Engine) {
    let daemon = start(engine, &["--fmltp-timeout", "60"]);
    let mut client = Fm::greeted(&daemon);
    client.send("FlexMusic,0.0.0");
    client.finish();
    client.expect(&group());
    client.expect_end();
}
