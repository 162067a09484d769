//! chapp: every status, and which one comes first where there are more reasons than one.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use common::chapp::*;
use common::*;

on_both_engines!(
    what_is_wrong_with_a_request_is_told,
    a_readable_id_is_told_even_behind_the_error,
    the_first_check_that_fails_is_the_one_that_is_told,
    numbers_end_at_63_bits,
    what_is_not_utf8_is_refused_where_it_is,
    nobody_without_a_name_posts_or_says_goodbye,
    nobody_posts_for_another,
    a_message_is_for_a_valid_name,
    what_is_not_looked_at_may_be_anything,
    field_names_and_actions_are_read_in_any_case,
    values_keep_what_trails_and_lose_what_leads,
    unknown_fields_are_ignored,
    acknowledgements_are_never_answered,
    the_sixteenth_complaint_is_the_last,
    refusals_are_no_complaints,
);

/// Each of these requests of a client without a name, on a connection of its own, is answered by this.
#[track_caller]
fn are_answered(daemon: &Daemon, table: &[(&str, i64, u16)]) {
    for (request, about, status) in table {
        println!("{request:?}");
        let mut client = Chapp::connect(daemon);
        client.asks(request);
        client.hears(*about, *status);
        client.is_not_known(None);
    }
}

fn what_is_wrong_with_a_request_is_told(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let table = [
        ("hello", -1, 200),
        ("POST", -1, 200),
        ("POST\tann", -1, 200),
        ("POST\tann>bob", -1, 200),
        ("POST ann->bob", -1, 200),
        ("POST\t\tann->bob", -1, 200),
        ("POST\tann->bob\t", -1, 200),
        ("POST\tann->bob->eve", -1, 200),
        ("POST\tann-> ->bob", -1, 200),
        ("\tann->bob", -1, 201),
        ("SHOUT\tann->bob", -1, 201),
        (" POST\tann->bob", -1, 201),
        ("POST \tann->bob", -1, 201),
        ("POSTS\tann->bob", -1, 201),
        ("ID\tann->bob", -1, 201),
        ("CONNECT\t->server|nothing", -1, 202),
        ("CONNECT\t->server|ID:", -1, 202),
        ("CONNECT\t->server|ID: ", -1, 202),
        ("CONNECT\t->server|ID:one", -1, 202),
        ("CONNECT\t->server|ID:-1", -1, 202),
        ("CONNECT\t->server|ID:+1", -1, 202),
        ("CONNECT\t->server|ID:1 ", -1, 202),
        ("CONNECT\t->server|ID:1.0", -1, 202),
        ("CONNECT\t->server|ID:1_0", -1, 202),
        ("CONNECT\t->server|ID:\u{661}", -1, 202),
        ("INTRODUCE\tann->server|ID:1|for: x", 1, 202),
        ("INTRODUCE\tann->server|ID:1|status: 1x", 1, 202),
        ("CONNECT\t->server|ID:1|ID:1", 1, 203),
        ("CONNECT\t->server|ID:1|id:1", 1, 203),
        ("CONNECT\t->server|ID:1|username: ann|UserName: bob", 1, 203),
        ("POST\tann->bob|ID:1|message: a|MESSAGE: b", 1, 203),
        ("POST\tann->bob|ID:1", 1, 204),
        ("CONNECT\t->server", -1, 205),
        ("INTRODUCE\tann->server", -1, 205),
        ("GOODBYE\tann->server", -1, 205),
        ("POST\tann->bob|message: a", -1, 205),
    ];
    are_answered(&daemon, &table);
}

fn a_readable_id_is_told_even_behind_the_error(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let table = [
        ("hello|ID:7", 7, 200),
        ("hello|nothing|id: 7", 7, 200),
        ("SHOUT\tann->bob|ID:7", 7, 201),
        ("CONNECT\t->server|nothing|ID:7", 7, 202),
        ("CONNECT\t->server|status: x|username: ann|ID:007", 7, 202),
        ("POST\tann->bob|message: a|message: b|ID:7", 7, 203),
        ("POST\tann->bob|ID:0007", 7, 204),
        ("CONNECT\t->server|ID:000", 0, 305),
    ];
    are_answered(&daemon, &table);
}

fn the_first_check_that_fails_is_the_one_that_is_told(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let table = [
        // The action line, then the fields.
        ("hello|nothing", -1, 200),
        ("POST\ta->b->c|ID:1|ID:1", 1, 200),
        // The fields from left to right.
        ("POST\ta->b|ID:1|nothing|ID:1", 1, 202),
        ("POST\ta->b|ID:1|ID:1|nothing", 1, 203),
        ("POST\ta->b|ID:1|for: x|ID:1", 1, 202),
        ("POST\ta->b|ID:1|ID:1|for: x", 1, 203),
        // In one line: repeated, then no number.
        ("POST\ta->b|ID:1|ID:x", 1, 203),
        // The fields, then the action.
        ("SHOUT\ta->b|ID:1|nothing", 1, 202),
        ("SHOUT\ta->b|ID:1|ID:1", 1, 203),
        // The action, then what is required.
        ("SHOUT\ta->b", -1, 201),
        // What is required, then the ID.
        ("POST\ta->b", -1, 204),
        // The ID, then who it is.
        ("POST\ta->b|message: a", -1, 205),
        ("GOODBYE\ta->b", -1, 205),
        // Who it is, then the rest.
        ("POST\tserver->server|ID:1|message: a", 1, 304),
        ("GOODBYE\tserver->server|ID:1", 1, 304),
    ];
    are_answered(&daemon, &table);
}

fn numbers_end_at_63_bits(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let table = [
        ("CONNECT\t->server|ID:9223372036854775807", i64::MAX, 305),
        ("CONNECT\t->server|ID:00000000000000000009223372036854775807", i64::MAX, 305),
        ("CONNECT\t->server|ID:9223372036854775808", -1, 202),
        ("CONNECT\t->server|ID:18446744073709551617", -1, 202),
        ("CONNECT\t->server|ID:340282366920938463463374607431768211457", -1, 202),
        ("CONNECT\t->server|ID:1|for: 9223372036854775807|status: 0", 1, 305),
        ("CONNECT\t->server|ID:1|status: 9223372036854775808", 1, 202),
        ("CONNECT\t->server|ID:1|for: -1", 1, 202),
    ];
    are_answered(&daemon, &table);
}

fn what_is_not_utf8_is_refused_where_it_is(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let table: [(&[u8], i64, u16); 6] = [
        (b"POST\t\xff->bob\\\nID:1", 1, 200),
        (b"CONNECT\t->server\xc3\\\nID:1", 1, 200),
        (b"CONNECT\t->server\\\nID:1\\\nusername: \xe2\x82", 1, 202),
        (b"CONNECT\t->server\\\nna\xc0me: a\\\nID:1", 1, 202),
        (b"POST\ta->b\\\nID:1\\\nmessage: \xed\xa0\x80", 1, 202),
        (b"POST\ta->b\\\nID:1\\\nmessage: \xf5", 1, 202),
    ];
    for (request, about, status) in table {
        println!("{}", request.escape_ascii());
        let mut client = Chapp::connect(&daemon);
        client.send([request, END.as_bytes()].concat());
        client.hears(about, status);
    }
}

fn nobody_without_a_name_posts_or_says_goodbye(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    for request in ["POST\tann->bob|ID:1|message: a", "POST\t->|ID:1|message: a", "GOODBYE\tann->server|ID:1"]
    {
        client.asks(request);
        client.hears(1, 304);
    }
    client.introduces("ann");
    client.posts("bob", "a");
    client.says_goodbye();
    client.asks("POST\tann->bob|ID:1|message: a");
    client.hears(1, 304);
}

fn nobody_posts_for_another(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let _bob = Chapp::introduced("bob", &daemon);
    let mut ann = Chapp::introduced("ann", &daemon);
    for from in ["bob", "Ann", "ann ", " ann", "", "unknown", "server", "eve"] {
        ann.asks(&format!("POST\t{from}->bob|ID:1|message: a"));
        ann.hears(1, 303);
        // That is told before what is wrong with the other name.
        ann.asks(&format!("POST\t{from}->server|ID:2|message: a"));
        ann.hears(2, 303);
        ann.asks(&format!("GOODBYE\t{from}->server|ID:3"));
        ann.hears(3, 303);
    }
    ann.posts("bob", "it was me");
}

fn a_message_is_for_a_valid_name(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    for to in ["", "server", "UNKNOWN", " bob", "bob ", "b\x7fob", "b\u{85}b", "b\\b", &"x".repeat(65)] {
        ann.asks(&format!("POST\tann->{to}|ID:1|message: a"));
        ann.hears(1, 302);
    }
    for to in ["b", "Bob B.", "bób", "\u{1f600}", "a:b", "servers", "\"'", "--", ">", &"x".repeat(64)] {
        ann.posts(to, "a");
    }
}

fn what_is_not_looked_at_may_be_anything(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    for to in ["server", "", " ", "bob", "server "] {
        let mut client = Chapp::connect_from(ip(2), &daemon);
        client.asks(&format!("INTRODUCE\tann->{to}|ID:1"));
        client.expect("RESPONSE\tserver->ann|for: 1|status: 100|username: ann|messages: []|");
        client.asks(&format!("CONNECT\twhoever->{to}|ID:2"));
        client.expect("RESPONSE\tserver->ann|for: 2|status: 100|username: ann|messages: []|");
        client.asks(&format!("CONNECT\tserver->{to}|ID:3|username: bob"));
        client.expect("RESPONSE\tserver->ann|for: 3|status: 305|reason: CLIENT_NOT_FOUND|");
        client.asks(&format!("GOODBYE\tann->{to}|ID:4"));
        client.expect("RESPONSE\tserver->ann|for: 4|status: 100|");
        client.is_not_known(Some("bob"));
    }
}

fn field_names_and_actions_are_read_in_any_case(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    client.asks("introduce\tann->server|id:1");
    client.expect("RESPONSE\tserver->ann|for: 1|status: 100|username: ann|messages: []|");
    client.asks("pOsT\tann->bob|MESSAGE: a|iD:2");
    client.is_called("ann");
    client.hears_posted(2, "bob", "a");
    client.asks("Connect\t->server|UserName: ann|ID:3");
    client.expect("RESPONSE\tserver->ann|for: 3|status: 100|username: ann|messages: []|");
    client.asks("gOODBYE\tann->server|Id:4");
    client.expect("RESPONSE\tserver->ann|for: 4|status: 100|");
}

fn values_keep_what_trails_and_lose_what_leads(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let table = [
        ("message:a", "a"),
        ("message:   a  ", "a  "),
        ("message:\t\n \u{a0}a\n", "a\n"),
        ("message: a: b:", "a: b:"),
        ("message: :", ":"),
        ("message:\n", ""),
        ("message:", ""),
    ];
    for (id, (field, message)) in (100..).zip(table) {
        ann.asks(&format!("POST\tann->bob|ID: \t{id}|{field}"));
        ann.hears_posted(id, "bob", message);
    }
}

fn unknown_fields_are_ignored(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    client.asks("INTRODUCE\tann->server|: |x:|to: nobody|ID:1|messages: [|message: a|for: 5|status: 301");
    client.expect("RESPONSE\tserver->ann|for: 1|status: 100|username: ann|messages: []|");
}

fn acknowledgements_are_never_answered(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    for _ in 0..20 {
        for fields in
            ["|ID:1|for: 2|status: 100", "|status: 100", "", "|ID:x|nothing", "|ID:1|ID:1", "|for: 2"]
        {
            client.asks(&format!("RESPONSE\tann->server{fields}"));
        }
    }
    client.expect_silence();
    client.introduces("ann");
    client.asks("response\tann->server|ID:1|for: 2|status: 100");
    client.posts("ann", "a");
}

fn the_sixteenth_complaint_is_the_last(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    let wrong = [
        ("hello", -1, 200),
        ("SHOUT\ta->b|ID:1", 1, 201),
        ("POST\ta->b|ID:2|nothing", 2, 202),
        ("POST\ta->b|ID:3|ID:3", 3, 203),
        ("POST\ta->b|ID:4", 4, 204),
        ("POST\ta->b|message: a", -1, 205),
    ];
    let mut complaints = wrong.iter().cycle();
    for (request, about, status) in complaints.by_ref().take(15) {
        client.asks(request);
        client.hears(*about, *status);
        client.posts("bob", "still here");
    }
    let (request, about, status) = complaints.next().unwrap();
    client.asks(&format!("{request}||CONNECT\t->server|ID:9"));
    client.hears(*about, *status);
    client.expect_end();
}

fn refusals_are_no_complaints(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let _bob = Chapp::introduced_from(ip(2), "bob", &daemon);
    let mut client = Chapp::connect(&daemon);
    for _ in 0..20 {
        client.is_not_known(None);
        client.is_refused("bob");
        client.is_refused("server");
        client.asks("POST\tann->bob|ID:1|message: a");
        client.hears(1, 304);
    }
    client.introduces("ann");
    for _ in 0..20 {
        client.asks("POST\tbob->ann|ID:1|message: a");
        client.hears(1, 303);
        client.asks("POST\tann->server|ID:1|message: a");
        client.hears(1, 302);
    }
    client.posts("bob", "a");
}
