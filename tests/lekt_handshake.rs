//! LEKT, the server's side: handshake and version rule.

#![cfg(test)]

mod common;

use std::time::Duration;

use common::*;

on_both_engines!(
    a_handshake_is_accepted,
    an_older_version_is_spoken_as_ours,
    a_newer_version_is_answered_with_ours,
    another_version_after_the_handshake_is_malformed,
    another_major_version_is_rejected_naming_both,
    no_method_at_all_is_a_handshake,
    every_length_of_the_bitfield_is_taken,
    more_than_1024_methods_are_rejected_at_the_fourth_byte,
    a_bit_beyond_the_count_is_malformed,
    a_handshake_that_does_not_come_in_time_is_rejected,
    a_setup_that_does_not_come_in_time_is_rejected,
    bytes_that_trickle_do_not_extend_the_handshake,
);

fn a_handshake_is_accepted(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(HELLO);
    client.expect(ACCEPT);
}

/// There is no lower version than 0.0.0, so that it is the lower of any two.
fn an_older_version_is_spoken_as_ours(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for version in [[0, 0, 0], [0, 0, 1], [0, 3, 9], [0, 255, 255]] {
        let mut client = Raw::connect(daemon.address());
        client.send(&hello(version, 1, &[1]));
        client.expect(ACCEPT);
        client.expect(ASK_1);
        client.send(PORT_5000);
        client.expect(ASK_0);
        // Whether those before are off the roll already is not what this is about.
        client.beat();
        client.take_packet();
    }
}

fn a_newer_version_is_answered_with_ours(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(&hello([0, 3, 9], 0, &[]));
    client.expect(ACCEPT);
    client.expect(ASK_0);
    client.send(BEAT);
    client.expect(b"LEKTH\0\0\0");
}

fn another_version_after_the_handshake_is_malformed(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for version in [[0, 3, 9], [0, 0, 1], [0, 1, 0], [1, 0, 0]] {
        let mut in_setup = Raw::connect(daemon.address());
        in_setup.send(&hello([0, 3, 9], 1, &[1]));
        in_setup.expect(ACCEPT);
        in_setup.expect(ASK_1);
        in_setup.send(&header(b'T', version));
        in_setup.expect_reject();

        let mut in_heartbeat = Raw::connect(daemon.address());
        in_heartbeat.send(&hello([0, 3, 9], 0, &[]));
        in_heartbeat.expect(ACCEPT);
        in_heartbeat.expect(ASK_0);
        in_heartbeat.send(&header(b'H', version));
        in_heartbeat.expect_reject();
    }
}

fn another_major_version_is_rejected_naming_both(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for (version, name) in [([1, 0, 0], "1.0.0"), ([2, 0, 1], "2.0.1"), ([255, 10, 3], "255.10.3")] {
        let mut client = Raw::connect(daemon.address());
        client.send(&hello(version, 1, &[1]));
        let reason = client.expect_reject();
        assert!(reason.contains("0.0.0") && reason.contains(name), "{reason}");
    }
}

fn no_method_at_all_is_a_handshake(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(b"LEKTH\0\0\0\0\0\0\0");
    client.expect(ACCEPT);
    client.expect(ASK_0);
}

fn every_length_of_the_bitfield_is_taken(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for count in [1_u32, 2, 31, 32, 33, 63, 64, 65, 1000, 1023, 1024] {
        // All methods that the count allows are set.
        let words: Vec<u32> =
            (0..count.div_ceil(32)).map(|index| u32::MAX >> (32 - (count - index * 32).min(32))).collect();
        let mut client = Raw::connect(daemon.address());
        client.send(&hello([0; 3], count, &words));
        client.expect(ACCEPT);
        client.expect(ASK_1);
        client.send(PORT_5000);
        client.expect(ASK_0);
    }
}

fn more_than_1024_methods_are_rejected_at_the_fourth_byte(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for count in [1025, 65_536, u32::MAX] {
        let packet = hello([0; 3], count, &[]);
        let mut client = Raw::connect(daemon.address());
        client.send(&packet[..11]);
        client.expect_silence();
        client.send(&packet[11..]);
        client.expect_reject();
    }
}

fn a_bit_beyond_the_count_is_malformed(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let beyond: [(u32, &[u32]); 6] = [
        (1, &[0b10]),
        (1, &[0b11]),
        (1, &[1 << 31]),
        (31, &[1 << 31]),
        (33, &[1, 0b10]),
        (63, &[u32::MAX, 1 << 31]),
    ];
    for (count, words) in beyond {
        let mut client = Raw::connect(daemon.address());
        client.send(&hello([0; 3], count, words));
        client.expect_reject();
    }
}

fn a_handshake_that_does_not_come_in_time_is_rejected(engine: Engine) {
    let daemon = Daemon::start(engine, &["--handshake-timeout", "1"]);
    let mut silent = Raw::connect(daemon.address());
    let mut halfway = Raw::connect(daemon.address());
    halfway.send(&HELLO[..9]);
    silent.expect_reject();
    halfway.expect_reject();
}

fn a_setup_that_does_not_come_in_time_is_rejected(engine: Engine) {
    let daemon = Daemon::start(engine, &["--handshake-timeout", "1"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let mut asked = Raw::connect(daemon.address());
    asked.shake_hands();
    asked.expect_reject();
    // Whoever has joined is not meant.
    member.hears_nothing();
}

fn bytes_that_trickle_do_not_extend_the_handshake(engine: Engine) {
    let daemon = Daemon::start(engine, &["--handshake-timeout", "1"]);
    let mut client = Raw::connect(daemon.address());
    // A header at once; the rest but for one byte takes three times the timeout.
    client.send(&HELLO[..8]);
    let pace = Duration::from_millis(450);
    let closed = HELLO[8..15].iter().any(|byte| {
        client.send(std::slice::from_ref(byte));
        client.hears_within(pace)
    });
    assert!(closed, "bytes keep it open");
    client.expect_reject();
}
