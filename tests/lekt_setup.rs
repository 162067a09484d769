//! LEKT, the server's side: setup, joining, and sending ahead.

#![cfg(test)]

mod common;

use common::*;

on_both_engines!(
    the_method_that_both_know_is_asked_for,
    methods_that_the_server_does_not_know_are_not_asked_for,
    the_next_is_asked_for_only_after_the_answer,
    with_no_method_in_common_setup_is_over_at_once,
    a_client_without_methods_is_listed,
    an_answer_for_another_index_is_malformed_at_its_fourth_byte,
    a_port_that_does_not_exist_is_malformed,
    every_port_that_exists_is_told,
    a_client_is_on_the_roll_before_setup_is_over,
    a_client_is_not_on_the_roll_during_setup,
    a_whole_conversation_may_be_sent_ahead,
    what_is_sent_ahead_is_judged_in_its_phase,
);

fn the_method_that_both_know_is_asked_for(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(HELLO);
    client.expect(ACCEPT);
    client.expect(b"LEKTT\0\0\0\0\0\0\x01");
    client.send(b"LEKTT\0\0\0\0\0\0\x01\0\0\x13\x88");
    client.expect(b"LEKTT\0\0\0\0\0\0\0");
}

fn methods_that_the_server_does_not_know_are_not_asked_for(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    // 1, 2, 32, 33 and 700.
    let mut words = [0; 22];
    words[0] = 1 << 31 | 0b11;
    words[1] = 1;
    words[21] = 1 << 27;
    client.send(&hello([0; 3], 700, &words));
    client.expect(ACCEPT);
    client.expect(ASK_1);
    client.send(PORT_5000);
    client.expect(ASK_0);
}

fn the_next_is_asked_for_only_after_the_answer(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.shake_hands();
    client.expect_silence();
    client.send(&PORT_5000[..15]);
    client.expect_silence();
    client.send(&PORT_5000[15..]);
    client.expect(ASK_0);
    client.expect_silence();
}

fn with_no_method_in_common_setup_is_over_at_once(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for handshake in [hello([0; 3], 0, &[]), hello([0; 3], 1, &[0]), hello([0; 3], 33, &[2, 1])] {
        let mut client = Raw::connect(daemon.address());
        client.send(&handshake);
        client.expect(ACCEPT);
        client.expect(ASK_0);
        client.beat();
        client.take_packet();
    }
}

fn a_client_without_methods_is_listed(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _looking = Raw::looking_from(ip(3), daemon.address());
    let mut member = Raw::joined(2, daemon.address(), 1);
    member.hears(&[], &[Seen { address: ip(3), port: None }]);
}

fn an_answer_for_another_index_is_malformed_at_its_fourth_byte(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for index in [0, 2, 257, 1 << 24, u32::MAX] {
        let packet = method(index, 5000);
        let mut client = Raw::connect(daemon.address());
        client.shake_hands();
        client.send(&packet[..11]);
        client.expect_silence();
        client.send(&packet[11..12]);
        client.expect_reject();
    }
}

fn a_port_that_does_not_exist_is_malformed(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    for port in [0, 65_536, 65_536 + 5000, u32::MAX] {
        let mut client = Raw::connect_from(ip(3), daemon.address());
        client.shake_hands();
        client.send(&method(1, port));
        client.expect_reject();
    }
    witness.hears_nothing();
}

fn every_port_that_exists_is_told(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let ports = [1, 255, 256, 5000, 32_768, 65_535];
    let _clients = ports.map(|port| Raw::joined(3, daemon.address(), port));
    witness.hears(&[], &ports.map(|port| who(3, port)));
}

fn a_client_is_on_the_roll_before_setup_is_over(engine: Engine) {
    let daemon = Daemon::start(engine, &["--workers", "2"]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    for port in 1..=50_u16 {
        let mut client = Raw::connect_from(ip(3), daemon.address());
        client.shake_hands();
        client.send(&method(1, port.into()));
        client.expect(&ASK_0[..1]);
        witness.beat();
        witness.expect_answer(&[], &[who(3, port)]);
        drop(client);
        witness.hears_at_last(&[ip(3)], &[]);
    }
}

fn a_client_is_not_on_the_roll_during_setup(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut client = Raw::connect_from(ip(3), daemon.address());
    client.shake_hands();
    witness.hears_nothing();
    client.finish();
    client.expect_end();
    witness.hears_nothing();
}

fn a_whole_conversation_may_be_sent_ahead(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _other = Raw::joined(3, daemon.address(), 7000);
    let mut client = Raw::connect_from(ip(2), daemon.address());
    client.send(&[HELLO, PORT_5000, BEAT, BEAT, BEAT].concat());
    client.finish();
    client.expect(ACCEPT);
    client.expect(ASK_1);
    client.expect(ASK_0);
    client.expect_answer(&[], &[who(3, 7000)]);
    client.expect_answer(&[], &[]);
    client.expect_answer(&[], &[]);
    client.expect_end();
}

/// An answer in the setup that nobody asked for is a packet of the heartbeat phase, where it is not allowed.
fn what_is_sent_ahead_is_judged_in_its_phase(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(&[HELLO_WITHOUT_METHODS, BEAT, PORT_5000, BEAT].concat());
    client.expect(ACCEPT);
    client.expect(ASK_0);
    client.expect_answer(&[], &[]);
    client.expect_reject();

    let mut client = Raw::connect(daemon.address());
    client.send(&[HELLO, BEAT].concat());
    client.expect(ACCEPT);
    client.expect(ASK_1);
    client.expect_reject();
}
