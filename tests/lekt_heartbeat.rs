//! LEKT, the server's side: what a heartbeat is answered, and the one order of changes.

#![cfg(test)]

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::answer::{Answer, Block};
use common::*;

on_both_engines!(
    the_first_answer_adds_everyone_already_there,
    the_first_answer_to_the_only_client_is_nothing,
    nothing_changed_is_one_added_block_of_count_0,
    who_comes_is_added_and_who_goes_is_removed,
    removed_comes_before_added,
    who_left_and_came_back_is_removed_then_added,
    who_joined_and_left_in_between_appears_in_neither,
    a_client_is_never_told_about_itself,
    every_packet_of_an_answer_carries_the_same_time,
    the_clients_time_is_not_checked,
    the_servers_time_is_unix_time,
    heartbeats_in_flight_are_answered_in_order,
    a_change_that_one_was_told_is_told_to_all,
    a_join_is_told_in_one_order,
    what_a_newcomer_finds_is_told_to_all,
    the_roll_is_one_for_all_listeners,
    a_thousand_clients_are_told_in_full,
);

fn the_first_answer_adds_everyone_already_there(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _others = [3, 4, 5].map(|last| Raw::joined(last, daemon.address(), 7000 + u16::from(last)));
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.hears(&[], &[who(3, 7003), who(4, 7004), who(5, 7005)]);
}

fn the_first_answer_to_the_only_client_is_nothing(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.hears_nothing();
}

fn nothing_changed_is_one_added_block_of_count_0(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _other = Raw::joined(3, daemon.address(), 7000);
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.hears(&[], &[who(3, 7000)]);
    client.beat();
    let answer = client.take(20);
    assert_eq!(&answer[..8], b"LEKTH\0\0\0");
    assert_eq!(&answer[16..], b"A\0\0\0");
    client.expect_silence();
}

fn who_comes_is_added_and_who_goes_is_removed(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    witness.hears_nothing();
    let other = Raw::joined(3, daemon.address(), 7000);
    witness.beat();
    let added = witness.take(20 + 16);
    assert_eq!(&added[..8], b"LEKTH\0\0\0");
    assert_eq!(&added[16..], b"A\0\0\x01\0\0\0\x0c\x7f\0\0\x03\0\0\0\x01\0\0\x1b\x58");
    drop(other);
    witness.hears_at_last(&[ip(3)], &[]);
    witness.hears_nothing();
}

fn removed_comes_before_added(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let going = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[], &[who(9, 1), who(3, 7000)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000)]);

    drop(going);
    clock.hears_at_last(&[ip(3)], &[]);
    let _coming = Raw::joined(4, daemon.address(), 7001);
    // That the order is kept is checked wherever an answer is read.
    witness.hears(&[ip(3)], &[who(4, 7001)]);
}

fn who_left_and_came_back_is_removed_then_added(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let first = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[], &[who(9, 1), who(3, 7000)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000)]);

    drop(first);
    clock.hears_at_last(&[ip(3)], &[]);
    // The very same port: it is a client of its own all the same.
    let _second = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[ip(3)], &[who(3, 7000)]);
    clock.hears(&[], &[who(3, 7000)]);
}

fn who_joined_and_left_in_between_appears_in_neither(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    witness.hears(&[], &[who(9, 1)]);
    clock.hears(&[], &[who(2, 1)]);

    for port in 7000..7010 {
        let passing = Raw::joined(3, daemon.address(), port);
        clock.hears(&[], &[who(3, port)]);
        drop(passing);
        clock.hears_at_last(&[ip(3)], &[]);
    }
    witness.hears_nothing();
    let _staying = Raw::joined(4, daemon.address(), 7000);
    witness.hears(&[], &[who(4, 7000)]);
}

fn a_client_is_never_told_about_itself(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut one = Raw::joined(2, daemon.address(), 1);
    let mut two = Raw::joined(3, daemon.address(), 2);
    one.hears(&[], &[who(3, 2)]);
    two.hears(&[], &[who(2, 1)]);
    one.hears_nothing();
    two.hears_nothing();
}

fn every_packet_of_an_answer_carries_the_same_time(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let going = Raw::joined(3, daemon.address(), 7000);
    witness.hears(&[], &[who(9, 1), who(3, 7000)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000)]);
    drop(going);
    clock.hears_at_last(&[ip(3)], &[]);
    let _coming = Raw::joined(4, daemon.address(), 7001);

    witness.beat();
    let [removed, added] = [witness.take_packet(), witness.take_packet()];
    assert_eq!(removed.block, Block::Removed(vec![ip(3)]));
    assert_eq!(added.block, Block::Added(vec![who(4, 7001)]));
    assert_eq!(removed.time, added.time);
}

fn the_clients_time_is_not_checked(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    for time in [0, -1, 1, i64::MIN, i64::MAX, 1_700_000_000, 0] {
        client.send(&beat(time));
        client.expect_answer(&[], &[]);
    }
}

fn the_servers_time_is_unix_time(engine: Engine) {
    let now = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let before = now();
    client.send(&beat(12));
    let told = client.take_packet().time;
    // A clock that is read once for many answers may be behind, a little.
    assert!((before - 5..=now()).contains(&told), "{told} at {before}");
}

fn heartbeats_in_flight_are_answered_in_order(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _other = Raw::joined(3, daemon.address(), 7000);
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.send(&BEAT.repeat(1000));
    client.finish();
    client.expect_answer(&[], &[who(3, 7000)]);
    for _ in 1..1000 {
        client.expect_answer(&[], &[]);
    }
    client.expect_end();
}

/// Two clients on loops of their own: what the one was told, the other's next heartbeat shows.
fn a_change_that_one_was_told_is_told_to_all(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "4", "--workers", "4"]);
    let mut members = [2, 3, 4, 5].map(|last| Raw::joined(last, daemon.address(), 1));
    for last in 2..=5_u8 {
        let others: Vec<_> = (2..=5).filter(|&other| other != last).map(|other| who(other, 1)).collect();
        members[usize::from(last) - 2].hears(&[], &others);
    }
    for round in 0..100_u16 {
        let passing = Raw::joined(9, daemon.address(), 7000 + round);
        // Whose turn it is to be told first changes from round to round.
        members.rotate_left(1);
        for member in &mut members {
            member.beat();
            member.expect_answer(&[], &[who(9, 7000 + round)]);
        }
        match round % 2 {
            0 => drop(passing),
            _ => passing.reset(),
        }
        members[0].hears_at_last(&[ip(9)], &[]);
        for member in &mut members[1..] {
            member.beat();
            member.expect_answer(&[ip(9)], &[]);
        }
    }
}

/// Whoever has read index 0 is on the roll for everybody, and everybody who joined before is there for it.
fn a_join_is_told_in_one_order(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "4", "--workers", "4"]);
    let mut members: Vec<Raw> = Vec::new();
    for last in 2..=60_u8 {
        let mut newest = Raw::joined(last, daemon.address(), 1);
        newest.beat();
        newest.expect_answer(&[], &(2..last).map(|other| who(other, 1)).collect::<Vec<_>>());
        for member in &mut members {
            member.beat();
            member.expect_answer(&[], &[who(last, 1)]);
        }
        members.push(newest);
    }
}

/// The first answer is the roll as it is: where it lacks somebody who has gone, he is gone for everybody.
fn what_a_newcomer_finds_is_told_to_all(engine: Engine) {
    for _ in 0..20 {
        let daemon = Daemon::start(engine, &["--loops", "4", "--workers", "4"]);
        let passing = Raw::joined(9, daemon.address(), 7000);
        let mut member = Raw::joined(2, daemon.address(), 1);
        let mut newcomers: Vec<Raw> = (20..50).map(|last| Raw::joined(last, daemon.address(), 1)).collect();
        let mut others: Vec<Seen> = (20..50).map(|last| who(last, 1)).collect();
        others.push(who(9, 7000));
        member.hears(&[], &others);
        passing.reset();
        // They all look while he goes; who still finds him is no help.
        let gone = newcomers.iter_mut().any(|newcomer| {
            newcomer.beat();
            // The thirty others, and perhaps the one who is going.
            let found = newcomer.take_answer(&Answer::of(&[], &others[1..]));
            !found.added.contains(&who(9, 7000))
        });
        if gone {
            member.beat();
            member.expect_answer(&[ip(9)], &[]);
        }
    }
}

fn the_roll_is_one_for_all_listeners(engine: Engine) {
    let daemon = Daemon::start(engine, &["--lekt", "127.0.0.1:0", "--lekt", "127.0.0.2:0"]);
    let [first, second] = daemon.addresses() else { panic!("two listeners") };
    let mut one = Raw::joined(3, *first, 1);
    let mut two = Raw::joined(4, *second, 2);
    one.hears(&[], &[who(4, 2)]);
    two.hears(&[], &[who(3, 1)]);
}

/// A hundred addresses in turn.
fn place(n: u16) -> u8 {
    100 + u8::try_from(n % 100).unwrap()
}

fn a_thousand_clients_are_told_in_full(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _members: Vec<Raw> =
        (0..1000_u16).map(|n| Raw::joined(place(n), daemon.address(), 1000 + n)).collect();
    let everyone: Vec<Seen> = (0..1000_u16).map(|n| who(place(n), 1000 + n)).collect();
    let mut last = Raw::joined(2, daemon.address(), 1);
    last.send(&BEAT.repeat(3));
    let wanted = Answer::of(&[], &everyone);
    assert_eq!(last.take_answer(&wanted), wanted);
    last.expect_answer(&[], &[]);
    last.expect_answer(&[], &[]);
}
