//! chapp: where a request ends.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use std::time::{Duration, Instant};

use common::chapp::*;
use common::chapp_told::*;
use common::*;

/// How long nothing comes before a text that is good ends.
const QUIET: Duration = Duration::from_millis(20);
/// How long nothing comes before any text ends.
const PAUSE: Duration = Duration::from_secs(2);
/// The most bytes of a request.
const MOST: usize = 65_536;

on_both_engines!(
    an_empty_line_ends_a_request,
    empty_lines_before_a_request_are_skipped,
    the_next_action_line_ends_a_request,
    only_an_action_word_and_a_tab_begin_the_next_request,
    quiet_ends_what_is_good,
    after_an_empty_line_quiet_ends_nothing,
    what_is_not_good_ends_after_two_seconds,
    every_byte_begins_the_two_seconds_anew,
    what_is_good_is_carried_out_when_the_input_ends,
    what_is_not_good_is_told_when_the_input_ends,
    many_requests_may_come_at_once,
    a_request_may_come_byte_by_byte,
    a_request_may_be_split_anywhere,
    a_value_may_hold_what_is_almost_an_end,
    a_request_has_at_most_65536_bytes,
    what_is_too_long_is_told_before_it_ends,
    to_quiet_clients_messages_are_sent_20_ms_apart,
);

fn an_empty_line_ends_a_request(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    client.sends("INTRODUCE\tann->server|ID:1||");
    client.expect("RESPONSE\tserver->ann|for: 1|status: 100|username: ann|messages: []|");
    client.sends("GOODBYE\tann->server|ID:2||");
    client.expect("RESPONSE\tserver->ann|for: 2|status: 100|");
    client.expect_silence();
}

fn empty_lines_before_a_request_are_skipped(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    client.sends("|");
    client.expect_silence();
    client.sends("|||");
    client.expect_silence();
    client.sends("||INTRODUCE\tann->server|ID:1||");
    client.expect("RESPONSE\tserver->ann|for: 1|status: 100|username: ann|messages: []|");
    client.sends("|||||GOODBYE\tann->server|ID:2|||||");
    client.expect("RESPONSE\tserver->ann|for: 2|status: 100|");
    client.expect_silence();
}

fn the_next_action_line_ends_a_request(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    client.sends(
        "INTRODUCE\tann->server|ID:1|connect\t->server|ID:2|Post\tann->bob|ID:3|RESPONSE\ta->b|goodbye\tann->server|ID:4||",
    );
    for id in [1, 2] {
        client.expect(&format!("RESPONSE\tserver->ann|for: {id}|status: 100|username: ann|messages: []|"));
    }
    client.is_called("ann");
    client.hears(3, 204);
    client.expect("RESPONSE\tserver->ann|for: 4|status: 100|");
    client.expect_silence();
}

fn only_an_action_word_and_a_tab_begin_the_next_request(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    for line in
        ["POST", "POST ann->bob", "SHOUT\tann->bob", " POST\tann->bob", "POST \tann->bob", "POSTS\tann->bob"]
    {
        println!("{line:?}");
        client.asks(&format!("POST\tann->bob|ID:1|message: a|{line}"));
        client.hears(1, 202);
        client.expect_silence();
    }
    // It need not be right in the rest.
    client.asks("GOODBYE\tann->server|ID:1|POST\tann");
    client.expect("RESPONSE\tserver->ann|for: 1|status: 100|");
    client.is_called("unknown");
    client.hears(-1, 200);
}

fn quiet_ends_what_is_good(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    for end in ["", "|"] {
        let mut client = Chapp::connect(&daemon);
        let start = Instant::now();
        for id in 1..6 {
            client.sends(&format!("INTRODUCE\tann->server|ID:{id}{end}"));
            client
                .expect(&format!("RESPONSE\tserver->ann|for: {id}|status: 100|username: ann|messages: []|"));
            assert!(start.elapsed() >= QUIET * id, "after {:?}: {id}", start.elapsed());
        }
        client.sends(&format!("GOODBYE\tann->server|ID:7{end}"));
        client.expect("RESPONSE\tserver->ann|for: 7|status: 100|");
    }
    // Quiet that comes first does not keep an empty line, or another request, from ending one.
    let mut client = Chapp::quiet("ann", &daemon);
    client.sends(
        "POST\tann->bob|ID:10|message: a||POST\tann->bob|ID:11|message: b|POST\tann->bob|ID:12|message: c",
    );
    for (id, message) in [(10, "a"), (11, "b"), (12, "c")] {
        client.hears_posted(id, "bob", message);
    }
}

/// A late segment must not cut a message in two, however late it is.
fn after_an_empty_line_quiet_ends_nothing(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    client.sends("POST\tann->bob|ID:7|message: hel");
    assert!(!client.raw().hears_within(PAUSE + 10 * GLANCE), "a message was cut");
    client.sends("lo");
    client.expect_silence();
    client.sends("|");
    client.expect_silence();
    client.sends("|");
    client.hears_posted(7, "bob", "hello");
}

fn what_is_not_good_ends_after_two_seconds(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let table = [
        ("hello", -1, 200),
        ("SHOUT\tann->bob|ID:1", 1, 201),
        ("CONNECT\t->server|ID:1|user", 1, 202),
        ("CONNECT\t->server|ID:1|ID:1|", 1, 203),
        ("POST\tann->bob|ID:1", 1, 204),
        ("CONNECT\t->server", -1, 205),
    ];
    let start = Instant::now();
    let mut clients = table.map(|(text, ..)| {
        let mut client = Chapp::connect(&daemon);
        client.sends(text);
        client
    });
    clients[0].expect_silence();
    for (client, (text, about, status)) in clients.iter_mut().zip(table) {
        client.hears(about, status);
        assert!(start.elapsed() >= PAUSE, "{text:?} after {:?}", start.elapsed());
        client.is_not_known(None);
    }
}

fn every_byte_begins_the_two_seconds_anew(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    let mut last = Instant::now();
    for text in ["CON", "NECT", "\t->se", "rver"] {
        last = Instant::now();
        client.sends(text);
        assert!(!client.raw().hears_within(PAUSE / 3), "before {text:?} was two seconds ago");
    }
    client.hears(-1, 205);
    assert!(last.elapsed() >= PAUSE, "after {:?}", last.elapsed());
}

fn what_is_good_is_carried_out_when_the_input_ends(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    for name in ["ann", "bob"] {
        let mut client = Chapp::connect(&daemon);
        // In whichever manner.
        if name == "bob" {
            client.is_not_known(Some("nobody"));
        }
        client.sends(&format!("INTRODUCE\t{name}->server|ID:1|POST\t{name}->eve|ID:2|message: from {name}"));
        client.finish();
        client.is_called(name);
        client.hears_success(1, &["username", "messages"]);
        client.hears_posted(2, "eve", &format!("from {name}"));
        client.expect_end();
    }
    let mut eve = Chapp::connect(&daemon);
    assert_eq!(texts(&eve.introduces("eve")), ["from ann", "from bob"]);
}

fn what_is_not_good_is_told_when_the_input_ends(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    for (text, about, status) in
        [("hello", -1, 200), ("POST\tann->bob|ID:1|", 1, 204), ("CONNECT\t->server|ID:1|us", 1, 202)]
    {
        let mut client = Chapp::connect(&daemon);
        client.sends(text);
        client.finish();
        client.hears(about, status);
        client.expect_end();
    }
    for nothing in ["", "|", "||", "RESPONSE\tann->server"] {
        let mut client = Chapp::connect(&daemon);
        client.sends(nothing);
        client.finish();
        client.expect_end();
    }
}

fn many_requests_may_come_at_once(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::introduced("bob", &daemon);
    for end in ["||", "|", "||||"] {
        let posts = (1000..1200).map(|id| format!("POST\tann->bob|ID:{id}|message: {id}{end}"));
        let all: String = posts.collect();
        ann.sends(&(all + "RESPONSE\tann->server|ID:1||"));
        for id in 1000..1200 {
            let kept = ann.hears_posted(id, "bob", &id.to_string());
            let delivery = bob.take_delivery();
            assert_eq!((delivery.id, delivery.kept), (id, kept));
        }
    }
    ann.expect_silence();
}

fn a_request_may_come_byte_by_byte(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    let text = wire(
        "|||POST\tann->bob|ID:100|message: a\\b\nc\u{1f600}||CONNECT\t->server|ID:101|GOODBYE\tann->server|ID:102||",
    );
    client.raw().send_byte_by_byte(&text);
    client.hears_posted(100, "bob", "a\\b\nc\u{1f600}");
    client.expect("RESPONSE\tserver->ann|for: 101|status: 100|username: ann|messages: []|");
    client.expect("RESPONSE\tserver->ann|for: 102|status: 100|");
    client.expect_silence();
}

fn a_request_may_be_split_anywhere(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    let text = wire("|POST\tann->bob|ID:100|message: \u{e9}\\\\||");
    // The other half is sent while nothing tells that the first one was received: sometimes it was.
    for at in 0..text.len() {
        client.send(&text[..at]);
        if at % 7 == 0 {
            client.expect_silence();
        }
        client.send(&text[at..]);
        client.hears_posted(100, "bob", "\u{e9}\\\\");
    }
}

fn a_value_may_hold_what_is_almost_an_end(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    for message in ["\\", "a\\", "\\\\\\", "a\n", "\\n", "\\ \n", "a\nPOST\tann->bob", "\\a\n\n\nb\\"] {
        // A line feed in front would be white space that is skipped.
        ann.posts("bob", message);
        println!("{message:?}");
    }
    let mut quiet = Chapp::quiet("eve", &daemon);
    for message in ["\\", "a\\", "a\n", "a\nPOST\teve->bob"] {
        quiet.posts("bob", message);
    }
}

fn a_request_has_at_most_65536_bytes(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    let head = wire("POST\tann->bob|ID:100|message: ");
    let message = "x".repeat(MOST - head.len());
    let whole = [&head, message.as_bytes()].concat();
    client.send([&whole, END.as_bytes()].concat());
    client.hears_posted(100, "bob", &message);
    // The end may come late.
    client.send(&whole);
    client.expect_silence();
    for byte in END.chars() {
        client.expect_silence();
        client.send(byte.to_string());
    }
    client.hears_posted(100, "bob", &message);
    client.send([&whole, "y".as_bytes(), END.as_bytes()].concat());
    client.hears(100, 202);
    client.expect_end();
}

fn what_is_too_long_is_told_before_it_ends(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let texts: [(&str, i64); 4] = [
        ("POST\tann->bob|ID:100|message: ", 100),
        ("POST\tann->bob|message: ", -1),
        ("", -1),
        ("CONNECT\t->|ID:1|a:", 1),
    ];
    for (text, about) in texts {
        let mut client = Chapp::connect(&daemon);
        let mut text = wire(text);
        text.resize(MOST + 1, b'x');
        client.send(text);
        client.hears(about, 202);
        client.expect_end();
    }
    // What goes on all the same does not destroy the reply.
    let mut client = Chapp::connect(&daemon);
    client.send("x".repeat(10 * MOST));
    client.hears(-1, 202);
    client.expect_end();
}

fn to_quiet_clients_messages_are_sent_20_ms_apart(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    let start = Instant::now();
    let ids: Vec<_> = (0..11).map(|number| ann.sends_post("bob", &number.to_string())).collect();
    for (number, id) in ids.into_iter().enumerate() {
        ann.hears_posted(id, "bob", &number.to_string());
    }
    for number in 0..11 {
        assert_eq!(bob.take_delivery().kept.message, number.to_string());
    }
    assert!(start.elapsed() >= 10 * QUIET, "after {:?}", start.elapsed());
    // Its own replies stand in the same line.
    let start = Instant::now();
    for number in 0..5 {
        bob.posts("bob", &number.to_string());
        assert_eq!(bob.take_delivery().kept.message, number.to_string());
    }
    assert!(start.elapsed() >= 9 * QUIET, "after {:?}", start.elapsed());
}
