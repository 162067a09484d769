//! LEKT, the server's side: how a client leaves the roll.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::answer::Block;
use common::*;

on_both_engines!(
    the_end_of_the_stream_takes_a_client_off_the_roll,
    a_reset_takes_a_client_off_the_roll,
    a_half_closed_connection_is_answered_then_ended,
    a_packet_cut_short_by_the_end_gets_no_reject,
    many_leave_at_once,
    a_client_without_heartbeats_is_closed_without_a_reject,
    heartbeats_keep_a_client_on_the_roll,
    bytes_that_make_no_heartbeat_do_not_extend_the_timeout,
    the_timeout_counts_from_the_end_of_the_setup,
    a_client_that_leaves_in_the_setup_was_never_there,
    connections_that_are_gone_leave_nothing_behind,
);

fn the_end_of_the_stream_takes_a_client_off_the_roll(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let going = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[], &[who(3, 7000)]);
    drop(going);
    witness.hears_at_last(&[ip(3)], &[]);
}

fn a_reset_takes_a_client_off_the_roll(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let going = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[], &[who(3, 7000)]);
    going.reset();
    witness.hears_at_last(&[ip(3)], &[]);
}

fn a_half_closed_connection_is_answered_then_ended(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut going = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[], &[who(3, 7000)]);
    going.send(&BEAT.repeat(3));
    going.finish();
    going.expect_answer(&[], &[who(2, 1)]);
    going.expect_answer(&[], &[]);
    going.expect_answer(&[], &[]);
    going.expect_end();
    witness.hears_at_last(&[ip(3)], &[]);
}

fn a_packet_cut_short_by_the_end_gets_no_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.send(BEAT);
    client.send(&BEAT[..15]);
    client.finish();
    client.expect_answer(&[], &[]);
    client.expect_end();
}

fn many_leave_at_once(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut members: Vec<Raw> = (51..=250).map(|last| Raw::joined(last, daemon.address(), 7000)).collect();
    witness.hears(&[], &(51..=250).map(|last| who(last, 7000)).collect::<Vec<_>>());
    members.iter_mut().for_each(Raw::finish);
    members.iter_mut().for_each(Raw::expect_end);

    // They go in steps that nobody can foresee: all that is known is that each is told once.
    let mut gone = BTreeSet::new();
    while gone.len() < members.len() {
        witness.beat();
        match witness.take_packet().block {
            Block::Removed(which) => which.into_iter().for_each(|address| assert!(gone.insert(address))),
            Block::Added(who) => assert!(who.is_empty(), "{who:?}"),
        }
    }
}

fn a_client_without_heartbeats_is_closed_without_a_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &["--heartbeat-timeout", "1"]);
    let mut silent = Raw::joined(3, daemon.address(), 7000);
    silent.expect_end();
    let mut next = Raw::joined(2, daemon.address(), 1);
    next.beat();
    next.expect_answer(&[], &[]);
}

fn heartbeats_keep_a_client_on_the_roll(engine: Engine) {
    let daemon = Daemon::start(engine, &["--heartbeat-timeout", "2"]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let mut silent = Raw::joined(3, daemon.address(), 2);
    // Until somebody else who joined at the same time has been closed, and half of it again.
    while !silent.hears_within(Duration::from_millis(250)) {
        client.beat();
        client.take_packet();
    }
    silent.expect_end();
    for _ in 0..4 {
        assert!(!client.hears_within(Duration::from_millis(250)), "closed in spite of its heartbeats");
        client.beat();
        client.take_packet();
    }
}

fn bytes_that_make_no_heartbeat_do_not_extend_the_timeout(engine: Engine) {
    let daemon = Daemon::start(engine, &["--heartbeat-timeout", "1"]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    // A header at once; the rest but for one byte takes three times the timeout.
    client.send(&BEAT[..8]);
    let pace = Duration::from_millis(450);
    let closed = BEAT[8..15].iter().any(|byte| {
        client.send(std::slice::from_ref(byte));
        client.hears_within(pace)
    });
    assert!(closed, "bytes keep it open");
    client.expect_gone();
}

/// A setup that takes longer than the heartbeat timeout, but not too long for itself, is none of its business.
fn the_timeout_counts_from_the_end_of_the_setup(engine: Engine) {
    let daemon = Daemon::start(engine, &["--heartbeat-timeout", "1", "--handshake-timeout", "60"]);
    let mut silent = Raw::joined(3, daemon.address(), 7000);
    let mut slow = Raw::connect_from(ip(2), daemon.address());
    slow.shake_hands();
    silent.expect_end();
    slow.send(PORT_5000);
    slow.expect(ASK_0);
    slow.beat();
    slow.take_packet();
}

fn a_client_that_leaves_in_the_setup_was_never_there(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    for bytes in [&[][..], &HELLO[..8], HELLO, &[HELLO, &PORT_5000[..15]].concat()] {
        let mut going = Raw::connect_from(ip(3), daemon.address());
        going.send(bytes);
        going.finish();
        if bytes.len() >= HELLO.len() {
            going.expect(ACCEPT);
            going.expect(ASK_1);
        }
        going.expect_end();
        witness.hears_nothing();
    }
}

fn connections_that_are_gone_leave_nothing_behind(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    witness.hears_nothing();
    let count = || (process::descriptors(daemon.pid()), process::threads(daemon.pid()));
    let before = count();
    for round in 0..30 {
        for index in 0..10 {
            let mut client = Raw::connect_from(ip(3), daemon.address());
            match index % 5 {
                0 => client.send(&HELLO[..7]),
                1 => client.shake_hands(),
                2 => client.send(GARBAGE),
                _ => client.join(7000),
            }
            if (index + round) % 2 == 0 { client.reset() } else { drop(client) }
        }
    }
    process::eventually("as many descriptors and threads as before", || count() == before);
}
