//! FmLTP: what is slow, and those who do not wait for it.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use common::fmltp::*;
use common::fmltp_keys::*;
use common::*;

on_both_engines!(
    many_shake_hands_at_once,
    many_say_who_they_are_at_once,
    a_password_that_is_checked_holds_up_nobody,
    whoever_goes_while_keys_are_made_leaves_nothing_behind,
    whoever_goes_while_his_password_is_checked_is_never_on_the_roll,
    at_the_end_of_the_server_work_is_finished_or_left,
);

fn many_shake_hands_at_once(engine: Engine) {
    let daemon = start(engine, &[]);
    let key = PublicKey::of(&small(2)).pem();
    let mut clients: Vec<Fm> = (0..40).map(|_| Fm::connect(&daemon)).collect();
    for client in &mut clients {
        client.send(format!("{VERSION}{key}"));
    }
    for client in &mut clients {
        client.expect(GREETING);
        client.expect(&group());
        client.take_key(&small(1));
        client.says(GREETING);
    }
    for client in &mut clients {
        client.hears(READY);
    }
    let last = clients.last_mut().unwrap();
    assert!(last.answer_to("WHO").starts_with("200 40 clients.\r\n"));
}

fn many_say_who_they_are_at_once(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut clients: Vec<Fm> = (0..6).map(|_| Fm::ready(&daemon, READY_LOCKED)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.says(["AUTH alice correct-horse", "AUTH alice wrong-password"][number % 2]);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.hears([LET_IN, NOT_LET_IN][number % 2]);
    }
}

/// A password takes tenths of a second; who asks for little meanwhile is answered before.
fn a_password_that_is_checked_holds_up_nobody(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &["--loops", "1"]);
    let mut member = Raw::joined(2, daemon.address(), 5000);
    let mut other = Fm::ready(&daemon, READY_LOCKED);
    let mut busy = Fm::ready(&daemon, READY_LOCKED);
    let tokens = busy.key().seal("AUTH alice wrong-password").repeat(2);
    busy.send([tokens, busy.key().seal("AUTH alice correct-horse")].concat());
    member.hears_nothing();
    other.asks("WHO", INVALID);
    member.hears_nothing();
    assert!(!busy.raw().hears_within(std::time::Duration::from_millis(1)), "it was not busy at all");
    for wanted in [NOT_LET_IN, NOT_LET_IN, LET_IN] {
        busy.hears(wanted);
    }
}

fn whoever_goes_while_keys_are_made_leaves_nothing_behind(engine: Engine) {
    let daemon = start(engine, &[]);
    let before = process::descriptors(daemon.pid());
    let key = PublicKey::of(&small(2)).pem();
    for number in 0..40 {
        let mut client = Fm::connect(&daemon);
        client.send(format!("{VERSION}{key}"));
        if number % 2 == 0 {
            client.expect(GREETING);
            client.expect(&group());
        }
        client.reset();
    }
    let mut member = Fm::ready(&daemon, READY);
    process::eventually("they are gone", || process::descriptors(daemon.pid()) <= before + 1);
    assert!(member.answer_to("WHO").starts_with("200 1 clients.\r\n"));
}

fn whoever_goes_while_his_password_is_checked_is_never_on_the_roll(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let before = process::descriptors(daemon.pid());
    let mut member = Fm::let_in(&daemon, "bob1", BOBS);
    for _ in 0..5 {
        let mut client = Fm::ready(&daemon, READY_LOCKED);
        client.says("AUTH alice correct-horse");
        client.reset();
    }
    process::eventually("they are gone", || process::descriptors(daemon.pid()) <= before + 1);
    assert!(member.answer_to("WHO").starts_with("200 1 clients.\r\n"));
}

fn at_the_end_of_the_server_work_is_finished_or_left(engine: Engine) {
    let (mut daemon, _place) = start_with_users(engine, &[]);
    let mut clients: Vec<Fm> = (0..4).map(|_| Fm::ready(&daemon, READY_LOCKED)).collect();
    for client in &mut clients {
        let tokens = client.key().seal("AUTH alice wrong-password").repeat(2);
        client.send(tokens);
    }
    daemon.signal("TERM");
    for client in &mut clients {
        // What was under way may still be answered; then the last words come.
        let mut text = client.take_text();
        for _ in 0..2 {
            if text == NOT_LET_IN {
                text = client.take_text();
            }
        }
        assert_eq!(text, "400 The server is shutting down.\r\n");
        client.expect_end();
    }
    drop(clients);
    assert!(daemon.wait_for_exit().success());
}
