//! LEKT, the server's side: clients that do not read, and clients that fell behind.

#![cfg(test)]

mod common;

use std::io::{ErrorKind, Write};
use std::time::Instant;

use common::*;

on_both_engines!(
    a_client_that_does_not_read_is_not_read_from,
    a_client_that_does_not_read_delays_nobody,
    a_client_that_does_not_read_runs_into_the_timeout,
    a_client_that_reads_late_gets_every_answer,
    a_client_that_fell_out_of_the_journal_is_closed_and_logged,
    a_client_within_the_journal_is_told,
    the_journal_reaches_back_as_far_as_it_says,
    what_waits_for_a_client_that_does_not_read_is_bounded,
    the_journal_does_not_bound_the_first_answer,
    a_peer_that_sends_one_byte_at_a_time_delays_nobody,
);

fn a_client_that_does_not_read_is_not_read_from(engine: Engine) {
    let daemon = Daemon::start(engine, &["--high-mark", "4096"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut stuck = Raw::connect_narrow(ip(2), daemon.address());
    stuck.join(2);
    member.hears(&[], &[who(2, 2)]);
    stuck.fill_beside(|| member.hears_nothing());
}

fn a_client_that_does_not_read_delays_nobody(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "1", "--workers", "1", "--max-messages", "0"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut stuck: Vec<Raw> = (0..2).map(|_| Raw::connect_narrow(ip(3), daemon.address())).collect();
    for client in &mut stuck {
        client.join(7000);
        member.hears(&[], &[who(3, 7000)]);
        client.fill_beside(|| member.hears_nothing());
    }
    let mut other = Raw::joined(4, daemon.address(), 7001);
    member.hears(&[], &[who(4, 7001)]);
    other.hears(&[], &[who(2, 1), who(3, 7000), who(3, 7000)]);
}

fn a_client_that_does_not_read_runs_into_the_timeout(engine: Engine) {
    let daemon = Daemon::start(engine, &["--heartbeat-timeout", "1", "--max-messages", "0"]);
    let mut stuck = Raw::connect_narrow(ip(3), daemon.address());
    stuck.join(7000);
    let beats = BEAT.repeat(256);
    let start = Instant::now();
    let error = loop {
        if let Err(error) = stuck.stream().write_all(&beats) {
            break error;
        }
        assert!(start.elapsed() < PATIENCE, "the server goes on");
    };
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    let mut next = Raw::joined(2, daemon.address(), 1);
    next.beat();
    next.expect_answer(&[], &[]);
}

fn a_client_that_reads_late_gets_every_answer(engine: Engine) {
    let daemon = Daemon::start(engine, &["--high-mark", "4096", "--max-messages", "0"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut late = Raw::connect_narrow(ip(2), daemon.address());
    late.join(2);
    member.hears(&[], &[who(2, 2)]);
    let sent = late.fill_beside(|| member.hears_nothing());

    late.expect_answer(&[], &[who(2, 1)]);
    for _ in 1..sent / BEAT.len() {
        late.expect_answer(&[], &[]);
    }
    late.send(&BEAT[sent % BEAT.len()..]);
    late.expect_answer(&[], &[]);
}

/// Somebody comes and goes so often that `changes` changes have been told to `clock`.
fn change(daemon: &Daemon, clock: &mut Raw, changes: usize) {
    for _ in 0..changes / 2 {
        let passing = Raw::joined(9, daemon.address(), 7000);
        clock.hears(&[], &[who(9, 7000)]);
        drop(passing);
        clock.hears_at_last(&[ip(9)], &[]);
    }
}

fn a_client_that_fell_out_of_the_journal_is_closed_and_logged(engine: Engine) {
    let daemon = Daemon::start(engine, &["--journal", "16"]);
    let mut behind = Raw::joined(3, daemon.address(), 5000);
    behind.hears_nothing();
    let mut clock = Raw::joined(2, daemon.address(), 1);
    clock.hears(&[], &[who(3, 5000)]);
    change(&daemon, &mut clock, 40);
    behind.beat();
    behind.expect_gone();
    daemon.wait_for_log(&["127.0.0.3", "journal"]);
    daemon.signal("USR1");
    daemon.wait_for_log(&["status:", " 1 behind the journal"]);
    clock.hears_at_last(&[ip(3)], &[]);
}

fn a_client_within_the_journal_is_told(engine: Engine) {
    let daemon = Daemon::start(engine, &["--journal", "16"]);
    let mut behind = Raw::joined(3, daemon.address(), 5000);
    behind.hears_nothing();
    let mut clock = Raw::joined(2, daemon.address(), 1);
    clock.hears(&[], &[who(3, 5000)]);
    // With the one of `clock` they are fifteen.
    change(&daemon, &mut clock, 14);
    behind.hears(&[], &[who(2, 1)]);
    change(&daemon, &mut clock, 14);
    behind.hears_nothing();
}

fn the_journal_reaches_back_as_far_as_it_says(engine: Engine) {
    let daemon = Daemon::start(engine, &["--journal", "16"]);
    let mut clock = Raw::joined(2, daemon.address(), 1);
    let mut behind = [3, 4].map(|last| Raw::joined(last, daemon.address(), 5000));
    behind[0].hears(&[], &[who(2, 1), who(4, 5000)]);
    behind[1].hears(&[], &[who(2, 1), who(3, 5000)]);
    clock.hears(&[], &[who(3, 5000), who(4, 5000)]);
    change(&daemon, &mut clock, 16);
    behind[0].hears_nothing();
    // That was the sixteenth; this is one more.
    let _more = Raw::joined(9, daemon.address(), 7000);
    behind[0].hears(&[], &[who(9, 7000)]);
    behind[1].beat();
    behind[1].expect_gone();
}

/// What the daemon has in memory does not grow with what is sent to it.
fn what_waits_for_a_client_that_does_not_read_is_bounded(engine: Engine) {
    let daemon = Daemon::start(engine, &["--high-mark", "4096"]);
    let resident =
        || process::status(daemon.pid(), "VmRSS").split(' ').next().unwrap().parse::<u64>().unwrap();
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut first = Raw::connect_narrow(ip(2), daemon.address());
    first.join(2);
    first.fill_beside(|| ());
    let before = resident();
    let mut more: Vec<Raw> = (0..3).map(|_| Raw::connect_narrow(ip(2), daemon.address())).collect();
    for client in &mut more {
        client.join(3);
        client.fill_beside(|| ());
    }
    let grown = resident() - before;
    assert!(grown < 2048, "three of them took {grown} KiB");
    member.beat();
    member.take_packet();
}

fn the_journal_does_not_bound_the_first_answer(engine: Engine) {
    let daemon = Daemon::start(engine, &["--journal", "16"]);
    let mut clock = Raw::joined(2, daemon.address(), 1);
    let _members: Vec<Raw> = (1..=50).map(|port| Raw::joined(4, daemon.address(), port)).collect();
    let everyone: Vec<Seen> = (1..=50).map(|port| who(4, port)).collect();
    // It has been told nothing yet, so that there is nothing that it could have missed.
    let mut late = Raw::joined(3, daemon.address(), 5000);
    let mut others = vec![who(3, 5000)];
    others.extend(&everyone);
    // The clock itself keeps up.
    clock.hears(&[], &others);
    change(&daemon, &mut clock, 40);
    let mut others = vec![who(2, 1)];
    others.extend(&everyone);
    late.hears(&[], &others);
}

fn a_peer_that_sends_one_byte_at_a_time_delays_nobody(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "1", "--workers", "1", "--max-messages", "0"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut slow: Vec<Raw> = (0..10).map(|_| Raw::connect_from(ip(3), daemon.address())).collect();
    for byte in HELLO {
        for client in &mut slow {
            client.send(std::slice::from_ref(byte));
        }
        member.hears_nothing();
    }
    for client in &mut slow {
        client.expect(ACCEPT);
        client.expect(ASK_1);
    }
}
