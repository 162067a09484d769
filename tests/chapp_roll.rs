//! chapp: on the same roll as everybody else, in the same process.

#![cfg(all(feature = "chapp", feature = "fmltp"))]
#![cfg(test)]

mod common;

use std::net::SocketAddr;

use common::chapp::*;
use common::chapp_told::texts;
use common::fmltp::{Fm, GOODBYE, READY};
use common::*;

on_both_engines!(
    all_doors_are_in_one_process,
    who_has_a_name_is_on_the_roll,
    who_has_none_is_not,
    the_roll_agrees_with_every_reply,
    whoever_goes_is_off_the_roll,
    who_is_replaced_is_off_the_roll,
    clients_of_lekt_hear_nothing_of_it,
    a_refusal_changes_nothing_on_the_roll,
);

/// A daemon with all doors, and somebody who looks at the roll.
#[track_caller]
fn open(engine: Engine, args: &[&str]) -> (Daemon, Place, Fm) {
    let (daemon, place) = common::chapp::start(engine, &[&["--fmltp", "127.0.0.1:0"], args].concat());
    let witness = Fm::ready_from(ip(99), &daemon, READY);
    (daemon, place, witness)
}

/// The clients of chapp on the roll, by the order in which they came: where each is, and its name.
#[track_caller]
fn roll(witness: &mut Fm) -> Vec<(SocketAddr, String)> {
    let answer = witness.answer_to("WHO");
    let lines = answer.lines().skip(1).map(|line| line.split(' ').collect::<Vec<_>>());
    let own = lines.filter(|fields| fields[1] == "chapp");
    own.map(|fields| (fields[2].parse().unwrap(), fields[3].to_owned())).collect()
}

/// The names alone.
#[track_caller]
fn names(witness: &mut Fm) -> Vec<String> {
    roll(witness).into_iter().map(|(_, name)| name).collect()
}

/// Waits until the roll has these on it.
#[track_caller]
fn eventually_shows(witness: &mut Fm, wanted: &[&str]) {
    process::eventually(&format!("{wanted:?}"), || names(witness) == wanted);
}

fn all_doors_are_in_one_process(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let mut lekt = Raw::joined(2, daemon.address(), 5000);
    let mut ann = Chapp::introduced_from(ip(3), "ann", &daemon);
    lekt.hears_nothing();
    let kept = ann.posts("ann", "a");
    ann.hears_message(&kept);
    let answer = witness.answer_to("WHO");
    let told: Vec<_> = answer.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    let address = |raw: &mut Raw| raw.stream().local_addr().unwrap();
    assert_eq!(
        told,
        [
            "3 clients.".to_owned(),
            format!("fmltp {} -", witness.local()),
            format!("lekt {} -", address(&mut lekt)),
            format!("chapp {} ann", ann.local()),
        ]
    );
    witness.asks("QUIT", GOODBYE);
    lekt.hears_nothing();
    assert_eq!(texts(&ann.connects("ann")), ["a"]);
}

fn who_has_a_name_is_on_the_roll(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let mut ann = Chapp::introduced_from(ip(3), "ann", &daemon);
    let mut bob = Chapp::introduced_from(ip(4), "Bob B.\u{1f600}", &daemon);
    let wanted = [(ann.local(), "ann".to_owned()), (bob.local(), "Bob?B.\u{1f600}".to_owned())];
    assert_eq!(roll(&mut witness), wanted);
    bob.connects("Bob B.\u{1f600}");
    ann.introduces("ann");
    assert_eq!(roll(&mut witness), wanted);
}

fn who_has_none_is_not(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    assert_eq!(names(&mut witness), [""; 0]);
    client.is_not_known(None);
    client.is_refused("server");
    client.asks("hello");
    client.hears(-1, 200);
    assert_eq!(names(&mut witness), [""; 0]);
}

fn the_roll_agrees_with_every_reply(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &["--loops", "4", "--workers", "4"]);
    let mut client = Chapp::connect(&daemon);
    for _ in 0..20 {
        client.introduces("ann");
        assert_eq!(names(&mut witness), ["ann"]);
        client.introduces("bob");
        assert_eq!(names(&mut witness), ["bob"]);
        client.connects_as("ann");
        assert_eq!(names(&mut witness), ["ann"]);
        client.says_goodbye();
        assert_eq!(names(&mut witness), [""; 0]);
        client.connects("bob");
        assert_eq!(names(&mut witness), ["bob"]);
    }
}

fn whoever_goes_is_off_the_roll(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let _bob = Chapp::introduced_from(ip(4), "bob", &daemon);
    let ends: [fn(Chapp); 5] = [
        drop,
        Chapp::reset,
        |mut client| {
            client.finish();
            client.expect_end();
        },
        |mut client| {
            client.sends("GOODBYE\tann->server|ID:100");
            client.finish();
            client.expect("RESPONSE\tserver->ann|for: 100|status: 100|");
            client.expect_end();
        },
        |mut client| {
            client.send("x".repeat(70_000));
            client.hears(-1, 202);
            client.expect_end();
        },
    ];
    for end in ends {
        let ann = Chapp::introduced("ann", &daemon);
        assert_eq!(names(&mut witness), ["bob", "ann"]);
        end(ann);
        eventually_shows(&mut witness, &["bob"]);
    }
}

fn who_is_replaced_is_off_the_roll(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let mut first = Chapp::introduced("ann", &daemon);
    let mut second = Chapp::connect(&daemon);
    second.connects("ann");
    first.hears(-1, 306);
    first.expect_end();
    let wanted = [(second.local(), "ann".to_owned())];
    process::eventually("the second alone is there", || roll(&mut witness) == wanted);
}

/// They could not call anybody there.
fn clients_of_lekt_hear_nothing_of_it(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let mut lekt = Raw::joined(2, daemon.address(), 5000);
    let mut ann = Chapp::introduced_from(ip(3), "ann", &daemon);
    assert_eq!(names(&mut witness), ["ann"]);
    lekt.hears_nothing();
    ann.says_goodbye();
    lekt.hears_nothing();
    let _other = Raw::joined(4, daemon.address(), 5001);
    lekt.hears(&[], &[who(4, 5001)]);
}

fn a_refusal_changes_nothing_on_the_roll(engine: Engine) {
    let (daemon, _place, mut witness) = open(engine, &[]);
    let _bob = Chapp::introduced_from(ip(4), "bob", &daemon);
    let mut ann = Chapp::introduced("ann", &daemon);
    let wanted = roll(&mut witness);
    ann.is_refused("bob");
    ann.is_refused("server");
    ann.is_not_known(Some("bob"));
    ann.asks("GOODBYE\tbob->server|ID:100");
    ann.hears(100, 303);
    assert_eq!(roll(&mut witness), wanted);
}
