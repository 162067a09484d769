//! FmLTP: who has failed has to wait; and when the server is full or ends.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;

/// Loopback is not exempt.
const STRICT: &[&str] = &["--fmltp-cooldown-loopback"];

on_both_engines!(
    every_way_to_fail_is_followed_by_a_cooldown,
    an_end_after_the_first_byte_is_a_failure,
    what_is_no_failure_is_followed_by_none,
    who_looks_and_does_not_even_read_has_not_failed,
    others_do_not_have_to_wait,
    connections_that_are_open_go_on,
    the_wait_is_over_at_last_however_often_one_knocks,
    what_is_left_is_rounded_up,
    nobody_is_told_more_than_the_whole_time,
    loopback_is_exempt_unless_told_otherwise,
    without_cooldown_nobody_has_to_wait,
    clients_of_lekt_are_not_meant,
    beyond_max_clients_the_server_is_full,
    a_connection_in_its_handshake_takes_a_place,
    the_cooldown_is_told_before_the_full_server,
    at_the_end_of_the_server_everybody_is_told,
);

/// Knocks: is greeted, or is told how many seconds there are to wait.
#[track_caller]
fn knock(address: Ipv4Addr, daemon: &Daemon) -> Result<Fm, u64> {
    let mut client = Fm::connect_from(address, daemon);
    let line = client.take_line();
    if line == GREETING {
        return Ok(client);
    }
    client.expect_end();
    let seconds = line.strip_prefix("400 Try again in ").and_then(|rest| rest.strip_suffix(" s.\r\n"));
    Err(seconds.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap())
}

/// He has to wait, for nearly all of the 300 s that are the default.
#[track_caller]
fn has_to_wait(address: Ipv4Addr, daemon: &Daemon) {
    match knock(address, daemon) {
        Ok(_) => panic!("{address} does not have to wait"),
        Err(seconds) => assert!((240..=300).contains(&seconds), "{seconds} s"),
    }
}

/// He has to wait as soon as the server has noticed, which nothing tells.
#[track_caller]
fn has_to_wait_at_last(address: Ipv4Addr, daemon: &Daemon) {
    process::eventually("a cooldown", || match knock(address, daemon) {
        Ok(_) => false,
        Err(seconds) => {
            assert!(seconds <= 300, "{seconds} s");
            true
        }
    });
}

/// Fails in the version exchange.
#[track_caller]
fn fail(address: Ipv4Addr, daemon: &Daemon) {
    let mut client = Fm::greeted_from(address, daemon);
    client.send("NOPE\r\n");
    client.is_refused();
}

fn every_way_to_fail_is_followed_by_a_cooldown(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--fmltp-timeout", "1"]].concat());
    let ways: [fn(Ipv4Addr, &Daemon); 8] = [
        fail,
        |address, daemon| {
            let mut client = Fm::greeted_from(address, daemon);
            client.send("FlexMusic,1.0.0\r\n");
            client.is_refused();
        },
        |address, daemon| {
            let mut client = Fm::in_key_exchange_from(address, daemon);
            client.send("x");
            client.is_refused();
        },
        |address, daemon| {
            let mut client = Fm::in_key_exchange_from(address, daemon);
            client.send(PublicKey::of(&small(1)).pem());
            client.is_refused();
        },
        |address, daemon| {
            let mut client = Fm::keyed_from(address, daemon);
            client.says("FlexMusic,0.0.1");
            client.is_refused_in_secret();
        },
        |address, daemon| {
            let mut client = Fm::keyed_from(address, daemon);
            client.send("!");
            client.is_refused_in_secret();
        },
        // To say nothing is one, too.
        |address, daemon| drop(Fm::greeted_from(address, daemon).is_refused()),
        |address, daemon| drop(Fm::keyed_from(address, daemon).is_refused_in_secret()),
    ];
    for (last, way) in (10..).zip(ways) {
        drop(knock(ip(last), &daemon).expect("not yet"));
        way(ip(last), &daemon);
        has_to_wait(ip(last), &daemon);
        has_to_wait(ip(last), &daemon);
    }
}

fn an_end_after_the_first_byte_is_a_failure(engine: Engine) {
    let daemon = start(engine, STRICT);
    let mut client = Fm::greeted_from(ip(10), &daemon);
    client.send("F");
    client.finish();
    client.expect_end_at_last();
    has_to_wait_at_last(ip(10), &daemon);

    let mut client = Fm::greeted_from(ip(11), &daemon);
    client.send("F");
    client.reset();
    has_to_wait_at_last(ip(11), &daemon);

    drop(Fm::in_key_exchange_from(ip(12), &daemon));
    has_to_wait_at_last(ip(12), &daemon);

    drop(Fm::keyed_from(ip(13), &daemon));
    has_to_wait_at_last(ip(13), &daemon);

    Fm::keyed_from(ip(14), &daemon).reset();
    has_to_wait_at_last(ip(14), &daemon);
}

fn what_is_no_failure_is_followed_by_none(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[STRICT, &["--fmltp-timeout", "1"]].concat());
    let ways: [fn(&Daemon); 6] = [
        // An end before the first byte: somebody who looks whether there is a server.
        |daemon| drop(Fm::greeted_from(ip(10), daemon)),
        |daemon| {
            let mut client = Fm::greeted_from(ip(10), daemon);
            client.finish();
            client.expect_end();
        },
        // From step 7 on nothing is.
        |daemon| drop(Fm::ready_from(ip(10), daemon, READY_LOCKED)),
        |daemon| Fm::ready_from(ip(10), daemon, READY_LOCKED).reset(),
        |daemon| {
            let mut client = Fm::ready_from(ip(10), daemon, READY_LOCKED);
            client.send("!");
            client.is_refused_in_secret();
        },
        |daemon| {
            let mut client = Fm::ready_from(ip(10), daemon, READY_LOCKED);
            client.send("g");
            client.is_refused_in_secret();
        },
    ];
    for way in ways {
        way(&daemon);
    }
    let mut client = Fm::let_in_from(ip(10), &daemon, "alice", ALICES);
    client.asks("QUIT", GOODBYE);
    client.expect_end();
    // All of them have left the roll and the server by now, or soon have.
    Fm::let_in_from(ip(10), &daemon, "alice", ALICES);
    knock(ip(10), &daemon).map(drop).expect("nobody has failed");
}

/// Where the greeting has not been read, the system makes a reset of the end.
fn who_looks_and_does_not_even_read_has_not_failed(engine: Engine) {
    let daemon = start(engine, STRICT);
    let before = process::descriptors(daemon.pid());
    for _ in 0..5 {
        let mut client = Fm::connect_from(ip(10), &daemon);
        assert!(client.raw().hears_within(PATIENCE));
    }
    process::eventually("they are gone", || process::descriptors(daemon.pid()) <= before);
    Fm::ready_from(ip(10), &daemon, READY);
}

fn others_do_not_have_to_wait(engine: Engine) {
    let daemon = start(engine, STRICT);
    fail(ip(10), &daemon);
    has_to_wait(ip(10), &daemon);
    for last in [1, 9, 11, 110] {
        Fm::ready_from(ip(last), &daemon, READY);
    }
    has_to_wait(ip(10), &daemon);
}

fn connections_that_are_open_go_on(engine: Engine) {
    let daemon = start(engine, STRICT);
    let mut member = Fm::ready_from(ip(10), &daemon, READY);
    let mut halfway = Fm::keyed_from(ip(10), &daemon);
    fail(ip(10), &daemon);
    has_to_wait(ip(10), &daemon);
    halfway.says(GREETING);
    halfway.hears(READY);
    member.asks("NOPE", INVALID);
    has_to_wait(ip(10), &daemon);
}

fn the_wait_is_over_at_last_however_often_one_knocks(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--fmltp-cooldown", "2"]].concat());
    fail(ip(10), &daemon);
    let start = Instant::now();
    let mut last = 2;
    process::eventually("the end of the cooldown", || match knock(ip(10), &daemon) {
        Ok(_) => true,
        Err(seconds) => {
            assert!((1..=last).contains(&seconds), "{seconds} s after {last} s");
            last = seconds;
            false
        }
    });
    assert_eq!(last, 1);
    assert!(start.elapsed() > Duration::from_millis(1500), "after {:?}", start.elapsed());
    // A new failure counts from its own end.
    fail(ip(10), &daemon);
    assert!(knock(ip(10), &daemon).is_err());
}

fn what_is_left_is_rounded_up(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--fmltp-cooldown", "86400"]].concat());
    fail(ip(10), &daemon);
    let seconds = knock(ip(10), &daemon).map(drop).expect_err("a cooldown");
    assert!((86_370..=86_400).contains(&seconds), "{seconds} s");
}

/// Not even by who knocks at the very moment, on another thread of the server than the one that begins the time.
fn nobody_is_told_more_than_the_whole_time(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--loops", "4", "--workers", "4"]].concat());
    for last in 10..60 {
        let mut client = Fm::greeted_from(ip(last), &daemon);
        client.send("F");
        client.reset();
        has_to_wait_at_last(ip(last), &daemon);
    }
}

fn loopback_is_exempt_unless_told_otherwise(engine: Engine) {
    let daemon = start(engine, &[]);
    for _ in 0..3 {
        fail(ip(1), &daemon);
        fail(ip(10), &daemon);
    }
    Fm::ready_from(ip(10), &daemon, READY);
}

fn without_cooldown_nobody_has_to_wait(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--fmltp-cooldown", "0"]].concat());
    for _ in 0..3 {
        fail(ip(10), &daemon);
    }
    Fm::ready_from(ip(10), &daemon, READY);
}

fn clients_of_lekt_are_not_meant(engine: Engine) {
    let daemon = start(engine, STRICT);
    fail(ip(10), &daemon);
    has_to_wait(ip(10), &daemon);
    let mut client = Raw::joined(10, daemon.address(), 5000);
    client.hears_nothing();
    // And a client of LEKT that fails does no harm to others.
    let mut wrong = Raw::connect_from(ip(11), daemon.address());
    wrong.send(GARBAGE);
    wrong.expect_reject();
    Fm::ready_from(ip(11), &daemon, READY);
}

fn beyond_max_clients_the_server_is_full(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--max-clients", "2"]].concat());
    let _member = Raw::joined(2, daemon.address(), 5000);
    let mut client = Fm::ready_from(ip(10), &daemon, READY);
    for _ in 0..5 {
        let mut refused = Fm::connect_from(ip(10), &daemon);
        assert_eq!(refused.is_refused(), "Server is full.");
    }
    client.asks("QUIT", GOODBYE);
    client.expect_end();
    // It was no failure: as soon as there is a place, he is greeted.
    process::eventually("a place", || {
        let mut next = Fm::connect_from(ip(10), &daemon);
        match next.take_line().as_str() {
            GREETING => true,
            line => {
                assert_eq!(line, "400 Server is full.\r\n");
                false
            }
        }
    });
}

fn a_connection_in_its_handshake_takes_a_place(engine: Engine) {
    let daemon = start(engine, &["--max-clients", "1"]);
    let _greeted = Fm::greeted(&daemon);
    assert_eq!(Fm::connect(&daemon).is_refused(), "Server is full.");
    assert_eq!(Raw::connect(daemon.address()).expect_reject(), "the server is full");
}

fn the_cooldown_is_told_before_the_full_server(engine: Engine) {
    let daemon = start(engine, &[STRICT, &["--max-clients", "1"]].concat());
    fail(ip(10), &daemon);
    process::eventually("the only place", || {
        let mut greeted = Fm::connect_from(ip(11), &daemon);
        if greeted.take_line() != GREETING {
            return false;
        }
        has_to_wait(ip(10), &daemon);
        assert_eq!(Fm::connect_from(ip(12), &daemon).is_refused(), "Server is full.");
        true
    });
}

fn at_the_end_of_the_server_everybody_is_told(engine: Engine) {
    const LAST_WORDS: &str = "The server is shutting down.";
    let (mut daemon, _place) = start_with_users(engine, &[]);
    let mut greeted = Fm::greeted(&daemon);
    let mut in_key_exchange = Fm::in_key_exchange(&daemon);
    in_key_exchange.send(&PublicKey::of(&small(2)).pem()[..100]);
    let mut keyed = Fm::keyed(&daemon);
    let mut locked = Fm::ready(&daemon, READY_LOCKED);
    let mut member = Fm::let_in(&daemon, "alice", ALICES);
    daemon.signal("TERM");
    assert_eq!(greeted.is_refused(), LAST_WORDS);
    assert_eq!(in_key_exchange.is_refused(), LAST_WORDS);
    for client in [&mut keyed, &mut locked, &mut member] {
        assert_eq!(client.is_refused_in_secret(), LAST_WORDS);
    }
    drop((greeted, in_key_exchange, keyed, locked, member));
    assert!(daemon.wait_for_exit().success());
}
