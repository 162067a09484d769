//! LEKT, the server's side: malformed input and how it is rejected.

#![cfg(test)]

mod common;

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;

use common::*;

on_both_engines!(
    malformed_input_in_the_handshake_is_rejected,
    malformed_input_in_the_setup_is_rejected,
    malformed_input_in_the_heartbeat_phase_is_rejected,
    headers_are_judged_with_their_eighth_byte,
    magic_is_judged_before_version_and_version_before_kind,
    a_wrong_header_is_judged_before_its_body,
    everything_complete_before_malformed_input_is_answered_first,
    a_client_is_off_the_roll_before_the_reject_is_sent,
    a_client_that_is_rejected_in_the_setup_was_never_there,
    no_packet_is_read_after_a_reject,
    the_reason_survives_what_is_still_on_its_way,
    after_a_reject_the_connection_is_closed,
    what_a_reason_echoes_is_escaped,
    a_malformed_client_disturbs_nobody,
    random_bytes_are_rejected,
);

/// Headers that no phase allows, each of which is enough for an `R`.
fn wrong_in_every_phase() -> Vec<Vec<u8>> {
    let mut wrong: Vec<Vec<u8>> = vec![
        GARBAGE.to_vec(),
        b"lektH\0\0\0".to_vec(),
        b"LEK\0H\0\0\0".to_vec(),
        b"KEKTH\0\0\0".to_vec(),
        b"GET / HT".to_vec(),
        vec![0; 8],
        vec![0xff; 8],
    ];
    wrong.extend([b'A', b'R', b'X', b'h', 0, 0x1b, 0xff].map(|kind| header(kind, [0; 3])));
    wrong.push(header(b'H', [1, 0, 0]));
    wrong
}

fn malformed_input_in_the_handshake_is_rejected(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut wrong = wrong_in_every_phase();
    wrong.push(header(b'T', [0; 3]));
    wrong.push(hello([0; 3], 1025, &[]));
    wrong.push(hello([0; 3], 1, &[2]));
    for bytes in wrong {
        let mut client = Raw::connect(daemon.address());
        client.send(&bytes);
        client.expect_reject();
    }
}

fn malformed_input_in_the_setup_is_rejected(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut wrong = wrong_in_every_phase();
    wrong.extend([header(b'H', [0; 3]), header(b'T', [0, 0, 1])]);
    wrong.extend([method(2, 5000), method(0, 0), method(1, 0), method(1, 65_536)]);
    for bytes in wrong {
        let mut client = Raw::connect(daemon.address());
        client.shake_hands();
        client.send(&bytes);
        client.expect_reject();
    }
}

fn malformed_input_in_the_heartbeat_phase_is_rejected(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut wrong = wrong_in_every_phase();
    wrong.extend([header(b'T', [0; 3]), header(b'H', [0, 0, 1])]);
    for bytes in wrong {
        let mut client = Raw::connect(daemon.address());
        client.join(5000);
        client.send(&bytes);
        client.expect_reject();
    }
}

/// A client in each phase, by name.
fn in_every_phase(server: SocketAddr) -> [(&'static str, Raw); 3] {
    let handshake = Raw::connect(server);
    let mut setup = Raw::connect(server);
    setup.shake_hands();
    let mut heartbeat = Raw::connect(server);
    heartbeat.join(5000);
    [("handshake", handshake), ("setup", setup), ("heartbeat", heartbeat)]
}

fn headers_are_judged_with_their_eighth_byte(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for wrong in [GARBAGE.to_vec(), header(b'X', [0; 3]), header(b'H', [1, 0, 0]), vec![0xff; 8]] {
        let mut clients = in_every_phase(daemon.address());
        for (_, client) in &mut clients {
            client.send(&wrong[..7]);
        }
        for (_, client) in &mut clients {
            client.expect_silence();
        }
        for (_, client) in &mut clients {
            client.send(&wrong[7..]);
            client.expect_reject();
        }
    }
}

/// The reason shows what was judged: only a wrong version is answered with both versions.
fn magic_is_judged_before_version_and_version_before_kind(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let reason = |bytes: &[u8]| {
        let mut client = Raw::connect(daemon.address());
        client.send(bytes);
        client.expect_reject()
    };
    let version = reason(b"LEKTH\x01\0\0");
    assert!(version.contains("1.0.0"), "{version}");
    let magic_and_version = reason(b"LEKXH\x01\0\0");
    assert!(!magic_and_version.contains("1.0.0"), "{magic_and_version}");
    let version_and_kind = reason(b"LEKTX\x01\0\0");
    assert_eq!(version_and_kind, version);
    let magic_and_all = reason(b"LEKXX\x01\0\0");
    assert_eq!(magic_and_all, magic_and_version);
    // In a handshake the major version alone is judged.
    let kind = reason(b"LEKTX\0\x03\x09");
    assert_eq!(kind, reason(b"LEKTX\0\0\0"));
}

fn a_wrong_header_is_judged_before_its_body(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(&hello([1, 0, 0], 1025, &[]));
    let reason = client.expect_reject();
    assert!(reason.contains("1.0.0") && reason.contains("0.0.0"), "{reason}");
}

fn everything_complete_before_malformed_input_is_answered_first(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _other = Raw::joined(3, daemon.address(), 7000);

    let mut in_setup = Raw::connect_from(ip(2), daemon.address());
    in_setup.send(&[HELLO, GARBAGE].concat());
    in_setup.expect(ACCEPT);
    in_setup.expect(ASK_1);
    in_setup.expect_reject();

    let mut in_heartbeat = Raw::connect_from(ip(2), daemon.address());
    in_heartbeat.send(&[HELLO, PORT_5000, GARBAGE].concat());
    in_heartbeat.expect(ACCEPT);
    in_heartbeat.expect(ASK_1);
    in_heartbeat.expect(ASK_0);
    in_heartbeat.expect_reject();

    let mut later = Raw::connect_from(ip(2), daemon.address());
    later.send(&[HELLO, PORT_5000, BEAT, BEAT, BEAT, GARBAGE].concat());
    later.expect(ACCEPT);
    later.expect(ASK_1);
    later.expect(ASK_0);
    later.expect_answer(&[], &[who(3, 7000)]);
    later.expect_answer(&[], &[]);
    later.expect_answer(&[], &[]);
    later.expect_reject();
}

fn a_client_is_off_the_roll_before_the_reject_is_sent(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "4", "--workers", "4"]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    for port in 7000..7050 {
        let mut client = Raw::joined(3, daemon.address(), port);
        witness.beat();
        witness.expect_answer(&[], &[who(3, port)]);
        client.send(GARBAGE);
        client.expect(b"L");
        witness.beat();
        witness.expect_answer(&[ip(3)], &[]);
    }
}

fn a_client_that_is_rejected_in_the_setup_was_never_there(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut client = Raw::connect_from(ip(3), daemon.address());
    client.shake_hands();
    client.send(&method(1, 0));
    client.expect_reject();
    witness.hears_nothing();
}

fn no_packet_is_read_after_a_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 1);
    let mut client = Raw::connect_from(ip(3), daemon.address());
    client.send(&[GARBAGE, HELLO, PORT_5000, BEAT].concat());
    client.expect_reject();
    witness.hears_nothing();

    let mut client = Raw::joined(3, daemon.address(), 7000);
    client.send(&[GARBAGE, BEAT, BEAT].concat());
    client.expect_reject();
    witness.hears_nothing();
}

/// What is sent after the malformed packet is discarded: were it left unread when the server closes, a reset
/// would destroy the reason.
fn the_reason_survives_what_is_still_on_its_way(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    for _ in 0..10 {
        let mut client = Raw::connect(daemon.address());
        client.send(&[GARBAGE, &[b'x'; 200_000]].concat());
        client.send(&BEAT.repeat(1000));
        client.expect_reject();
    }
}

/// The server discards for a second at most; after that whoever goes on sending is told by a reset.
fn after_a_reject_the_connection_is_closed(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::connect(daemon.address());
    client.send(GARBAGE);
    client.expect_reject();
    process::eventually("the server closes", || match client.stream().write(b"x") {
        Ok(_) => false,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
            true
        }
    });
}

fn what_a_reason_echoes_is_escaped(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    // That a reason is UTF-8 without control characters is checked wherever one is read.
    let nasty: [&[u8]; 6] = [
        b"\x1b[2JH\0\0\0",
        b"\r\n\r\nH\0\0\0",
        b"\xff\xfe\xfd\xfcH\0\0\0",
        b"LEKT\x07\0\0\0",
        b"LEKT\x00\0\0\0",
        b"LEKT\x9b\0\0\0",
    ];
    for bytes in nasty {
        for (phase, mut client) in in_every_phase(daemon.address()) {
            client.send(bytes);
            let reason = client.expect_reject();
            assert!(!reason.chars().any(char::is_control), "{phase}: {reason:?}");
        }
    }
}

fn a_malformed_client_disturbs_nobody(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "1"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let rejected: Vec<Raw> = (0..20)
        .map(|_| {
            let mut client = Raw::connect(daemon.address());
            client.send(GARBAGE);
            client.take_reject();
            member.hears_nothing();
            client
        })
        .collect();
    drop(rejected);
    member.hears_nothing();
}

fn random_bytes_are_rejected(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut random = random::Random::new(0x1234_5678);
    for _ in 0..100 {
        for (_, mut client) in in_every_phase(daemon.address()) {
            let length = 8 + random.below(64);
            client.send(&(0..length).map(|_| random.byte()).collect::<Vec<u8>>());
            client.expect_reject();
        }
    }
    let mut after = Raw::joined(2, daemon.address(), 1);
    after.beat();
    after.take_packet();
}
