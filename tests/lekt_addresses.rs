//! LEKT, the server's side: several clients at one address, and IPv6.

#![cfg(test)]

mod common;

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use common::*;

on_both_engines!(
    clients_at_one_address_are_objects_of_their_own,
    two_that_are_the_same_in_everything_are_told_twice,
    one_that_goes_takes_its_address_along_and_the_rest_is_added_again,
    an_address_is_removed_once_however_many_go,
    nobody_is_added_again_where_nobody_remains,
    at_ones_own_address_the_others_are_added_again_but_not_oneself,
    at_ones_own_address_nothing_is_added_when_one_is_left_alone,
    who_comes_and_who_goes_at_one_address_is_told_at_once,
    who_passes_through_a_shared_address_changes_nothing,
    who_joins_a_shared_address_removes_nobody,
    a_client_from_ipv6_is_rejected_in_answer_to_its_handshake,
    an_ipv4_mapped_address_is_ipv4,
);

fn clients_at_one_address_are_objects_of_their_own(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _others = [7000, 7001, 7002].map(|port| Raw::joined(3, daemon.address(), port));
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.hears(&[], &[who(3, 7000), who(3, 7001), who(3, 7002)]);
}

fn two_that_are_the_same_in_everything_are_told_twice(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let [first, _second] = [7000, 7000].map(|port| Raw::joined(3, daemon.address(), port));
    client.hears(&[], &[who(3, 7000), who(3, 7000)]);
    drop(first);
    client.hears_at_last(&[ip(3)], &[who(3, 7000)]);
    client.hears_nothing();
}

fn one_that_goes_takes_its_address_along_and_the_rest_is_added_again(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let [going, _second, _third] = [7000, 7001, 7002].map(|port| Raw::joined(3, daemon.address(), port));
    let _elsewhere = Raw::joined(4, daemon.address(), 7003);
    client.hears(&[], &[who(3, 7000), who(3, 7001), who(3, 7002), who(4, 7003)]);
    drop(going);
    client.hears_at_last(&[ip(3)], &[who(3, 7001), who(3, 7002)]);
    client.hears_nothing();
}

fn an_address_is_removed_once_however_many_go(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let [first, second, _third] = [7000, 7001, 7002].map(|port| Raw::joined(3, daemon.address(), port));
    client.hears(&[], &[who(9, 1), who(3, 7000), who(3, 7001), who(3, 7002)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000), who(3, 7001), who(3, 7002)]);
    drop(first);
    clock.hears_at_last(&[ip(3)], &[who(3, 7001), who(3, 7002)]);
    drop(second);
    clock.hears_at_last(&[ip(3)], &[who(3, 7002)]);
    client.hears(&[ip(3)], &[who(3, 7002)]);
}

fn nobody_is_added_again_where_nobody_remains(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let [first, second] = [7000, 7001].map(|port| Raw::joined(3, daemon.address(), port));
    client.hears(&[], &[who(9, 1), who(3, 7000), who(3, 7001)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000), who(3, 7001)]);
    drop(first);
    clock.hears_at_last(&[ip(3)], &[who(3, 7001)]);
    drop(second);
    clock.hears_at_last(&[ip(3)], &[]);
    client.hears(&[ip(3)], &[]);
}

fn at_ones_own_address_the_others_are_added_again_but_not_oneself(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut one = Raw::joined(2, daemon.address(), 1);
    let going = Raw::joined(2, daemon.address(), 2);
    let mut three = Raw::joined(2, daemon.address(), 3);
    one.hears(&[], &[who(2, 2), who(2, 3)]);
    three.hears(&[], &[who(2, 1), who(2, 2)]);
    drop(going);
    one.hears_at_last(&[ip(2)], &[who(2, 3)]);
    three.hears(&[ip(2)], &[who(2, 1)]);
}

fn at_ones_own_address_nothing_is_added_when_one_is_left_alone(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut one = Raw::joined(2, daemon.address(), 1);
    let going = Raw::joined(2, daemon.address(), 2);
    one.hears(&[], &[who(2, 2)]);
    drop(going);
    one.hears_at_last(&[ip(2)], &[]);
    one.hears_nothing();
}

fn who_comes_and_who_goes_at_one_address_is_told_at_once(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let [going, _staying] = [7000, 7001].map(|port| Raw::joined(3, daemon.address(), port));
    client.hears(&[], &[who(9, 1), who(3, 7000), who(3, 7001)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000), who(3, 7001)]);
    drop(going);
    clock.hears_at_last(&[ip(3)], &[who(3, 7001)]);
    let _coming = Raw::joined(3, daemon.address(), 7002);
    client.hears(&[ip(3)], &[who(3, 7001), who(3, 7002)]);
    clock.hears(&[], &[who(3, 7002)]);
}

fn who_passes_through_a_shared_address_changes_nothing(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let mut clock = Raw::joined(9, daemon.address(), 1);
    let _staying = Raw::joined(3, daemon.address(), 7000);
    client.hears(&[], &[who(9, 1), who(3, 7000)]);
    clock.hears(&[], &[who(2, 1), who(3, 7000)]);
    let passing = Raw::joined(3, daemon.address(), 7001);
    clock.hears(&[], &[who(3, 7001)]);
    drop(passing);
    clock.hears_at_last(&[ip(3)], &[who(3, 7000)]);
    client.hears_nothing();
}

fn who_joins_a_shared_address_removes_nobody(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let _first = Raw::joined(3, daemon.address(), 7000);
    client.hears(&[], &[who(3, 7000)]);
    let _second = Raw::joined(3, daemon.address(), 7001);
    client.hears(&[], &[who(3, 7001)]);
    let mut here = Raw::joined(2, daemon.address(), 7002);
    client.hears(&[], &[who(2, 7002)]);
    here.hears(&[], &[who(2, 1), who(3, 7000), who(3, 7001)]);
}

/// Whether this machine has IPv6; where it does not, there is nothing to test.
fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("skipped: this machine has no IPv6");
    }
    has
}

fn a_client_from_ipv6_is_rejected_in_answer_to_its_handshake(engine: Engine) {
    if !has_ipv6() {
        return;
    }
    let daemon = Daemon::start(engine, &["--lekt", "[::1]:0", "--lekt", "127.0.0.1:0"]);
    let [v6, v4] = daemon.addresses() else { panic!("two listeners") };
    let mut witness = Raw::joined(2, *v4, 1);

    for handshake in [HELLO, HELLO_WITHOUT_METHODS] {
        let mut client = Raw::connect_from(Ipv6Addr::LOCALHOST, *v6);
        client.send(&handshake[..handshake.len() - 1]);
        client.expect_silence();
        client.send(&handshake[handshake.len() - 1..]);
        let reason = client.expect_reject();
        assert!(reason.contains("IPv"), "{reason}");
    }
    witness.hears_nothing();
}

fn an_ipv4_mapped_address_is_ipv4(engine: Engine) {
    if !has_ipv6() {
        return;
    }
    let daemon = Daemon::start(engine, &["--lekt", "[::]:0"]);
    let server = SocketAddr::new(ip(1).into(), daemon.address().port());
    let _other = Raw::joined(3, server, 7000);
    let mut client = Raw::joined(2, server, 1);
    client.hears(&[], &[who(3, 7000)]);
}
