//! `rollcalld`: what one address, one client and those who only knock can have of it.

#![cfg(test)]

mod common;

use std::net::{IpAddr, SocketAddr};

use common::*;

on_both_engines!(
    beyond_max_pending_the_oldest_handshake_gives_way,
    who_is_told_that_others_need_the_place_may_be_in_the_middle_of_it,
    beyond_max_pending_per_address_nobody_from_there_may_knock,
    beyond_max_new_per_minute_nobody_from_there_may_come,
    loopback_is_exempt_from_what_goes_by_address,
    beyond_max_messages_a_client_waits_and_nobody_else_does,
    a_client_that_waits_is_still_told_of_the_end,
    the_status_says_what_was_refused,
);

const GIVE_WAY: &str = "others need the place: your handshake takes too long";
const PENDING: &str = "too many handshakes under way from your address";
const HASTY: &str = "too many new connections from your address";

/// A client that says nothing yet, and was let in: the server has heard of it before it hears of others.
fn silent(server: SocketAddr) -> Raw {
    Raw::connect(server)
}

fn beyond_max_pending_the_oldest_handshake_gives_way(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-pending", "3"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut waiting: Vec<Raw> = (0..3).map(|_| silent(daemon.address())).collect();
    waiting[2].expect_silence();
    for number in 0..10 {
        waiting.push(silent(daemon.address()));
        assert_eq!(waiting[number].expect_reject(), GIVE_WAY, "number {number}");
    }
    for client in &mut waiting[10..] {
        client.expect_silence();
    }
    // Who is in is never in the way, however many knock.
    member.hears_nothing();
    waiting[12].join(2);
    member.hears(&[], &[who(1, 2)]);
}

fn who_is_told_that_others_need_the_place_may_be_in_the_middle_of_it(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-pending", "1"]);
    let mut first = silent(daemon.address());
    first.shake_hands();
    let mut second = silent(daemon.address());
    assert_eq!(first.expect_reject(), GIVE_WAY);
    second.send(&HELLO[..3]);
    let mut third = silent(daemon.address());
    assert_eq!(second.expect_reject(), GIVE_WAY);
    third.join(3);
    third.hears_nothing();
}

/// The daemon, open to an address of this machine that is not loopback, and that address.
fn open(engine: Engine, args: &[&str]) -> Option<(Daemon, IpAddr, SocketAddr)> {
    let Some(own) = own_address() else {
        println!("skipped: there is no address but loopback");
        return None;
    };
    let daemon = Daemon::start(engine, &[&["--lekt", "0.0.0.0:0"], args].concat());
    let server = SocketAddr::new(own, daemon.address().port());
    Some((daemon, own, server))
}

fn beyond_max_pending_per_address_nobody_from_there_may_knock(engine: Engine) {
    let Some((daemon, own, server)) = open(engine, &["--max-pending-per-address", "3"]) else { return };
    let _members = [1, 2, 3, 4].map(|port| Raw::joined_from(own, server, port));
    let mut waiting: Vec<Raw> = (0..3).map(|_| Raw::connect_from(own, server)).collect();
    for _ in 0..5 {
        assert_eq!(Raw::connect_from(own, server).expect_reject(), PENDING);
    }
    // Others are still let in, and so is the next one when one is done.
    let mut other = Raw::joined(2, SocketAddr::new(ip(1).into(), server.port()), 9);
    other.beat();
    waiting[1].join(5);
    let mut next = Raw::connect_from(own, server);
    next.shake_hands();
    assert_eq!(Raw::connect_from(own, server).expect_reject(), PENDING);
    daemon.wait_for_log(&["refused", PENDING]);
}

fn beyond_max_new_per_minute_nobody_from_there_may_come(engine: Engine) {
    let Some((daemon, own, server)) = open(engine, &["--max-new-per-minute", "30"]) else { return };
    let come = || {
        let mut client = Raw::connect_from(own, server);
        client.send(HELLO);
        if client.next_kind() == b'R' { Err(client.expect_reject()) } else { Ok(()) }
    };
    assert!((0..30).all(|_| come() == Ok(())));
    // One more may come every two seconds, be it before the first is refused.
    process::eventually("somebody is refused", || come() == Err(HASTY.to_owned()));
    process::eventually("the next one may come", || match come() {
        Err(reason) => {
            assert_eq!(reason, HASTY);
            false
        }
        Ok(()) => true,
    });
    daemon.wait_for_log(&["refused", HASTY]);
    Raw::joined(2, SocketAddr::new(ip(1).into(), server.port()), 9).beat();
}

fn loopback_is_exempt_from_what_goes_by_address(engine: Engine) {
    let args = ["--max-pending-per-address", "1", "--max-new-per-minute", "1"];
    let daemon = Daemon::start(engine, &args);
    let mut waiting: Vec<Raw> = (0..20).map(|_| silent(daemon.address())).collect();
    waiting.iter_mut().for_each(Raw::shake_hands);
}

fn beyond_max_messages_a_client_waits_and_nobody_else_does(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-messages", "20"]);
    let (mut hasty, mut calm) = (Raw::joined(2, daemon.address(), 1), Raw::joined(3, daemon.address(), 2));
    hasty.hears(&[], &[who(3, 2)]);
    calm.hears(&[], &[who(2, 1)]);
    // Forty come at once, less the few of the handshake and those from before; the rest is one in 50 ms, so that whoever
    // waited for all of it would wait for minutes.
    hasty.send(&BEAT.repeat(4000));
    for _ in 0..20 {
        calm.hears_nothing();
    }
    // It is answered as others are, one by one.
    for _ in 0..50 {
        hasty.expect_answer(&[], &[]);
    }
    calm.hears_nothing();
    daemon.signal("USR1");
    let status = daemon.wait_for_log(&["status: 2 on the roll"]);
    assert!(!status.contains(" 0 slowed down"), "{status}");
}

fn a_client_that_waits_is_still_told_of_the_end(engine: Engine) {
    let mut daemon = Daemon::start(engine, &["--max-messages", "1"]);
    let mut hasty = Raw::joined(2, daemon.address(), 1);
    hasty.send(&BEAT.repeat(50));
    hasty.expect_answer(&[], &[]);
    assert_eq!(daemon.terminate().code(), Some(0));
    while hasty.next_kind() == b'H' {
        hasty.expect_answer(&[], &[]);
    }
    assert_eq!(hasty.take_reject(), "the server is shutting down");
}

fn the_status_says_what_was_refused(engine: Engine) {
    let args = ["--max-clients", "2", "--max-pending", "1", "--max-messages", "1"];
    let daemon = Daemon::start(engine, &args);
    let mut member = Raw::joined(2, daemon.address(), 1);
    member.send(&BEAT.repeat(5));
    member.expect_answer(&[], &[]);
    let waiting = silent(daemon.address());
    assert_eq!(Raw::connect(daemon.address()).expect_reject(), "the server is full");
    daemon.signal("USR1");
    daemon.wait_for_log(&["status:", "2 of at most 2 connections, 1 of them pending", "1 refused", "1 full"]);
    drop(waiting);
    process::eventually("somebody is slowed down", || {
        daemon.signal("USR1");
        daemon.wait_for_log(&["status:"]);
        daemon.log().iter().any(|line| line.contains("status:") && !line.contains(" 0 slowed down"))
    });
}
