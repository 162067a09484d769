//! LEKT, the server's side: however the stream is cut into pieces, it says the same.

#![cfg(test)]

mod common;

use std::net::SocketAddr;

use common::*;

on_both_engines!(
    a_session_byte_by_byte_is_the_same_session,
    a_session_in_one_piece_is_the_same_session,
    a_session_in_random_pieces_is_the_same_session,
    malformed_input_byte_by_byte_is_rejected_the_same,
    every_prefix_of_a_handshake_is_ended_without_a_reject,
    every_prefix_of_a_long_handshake_is_ended_without_a_reject,
    every_prefix_of_a_setup_answer_is_ended_without_a_reject,
    every_prefix_of_a_heartbeat_is_ended_without_a_reject,
    every_prefix_of_a_session_is_answered_as_far_as_it_is_complete,
);

/// A whole session, and where its packets end.
fn session() -> (Vec<u8>, [usize; 5]) {
    let packets = [HELLO, PORT_5000, BEAT, &beat(-1), BEAT];
    let mut ends = [0; 5];
    let mut end = 0;
    for (packet, place) in packets.iter().zip(&mut ends) {
        end += packet.len();
        *place = end;
    }
    (packets.concat(), ends)
}

/// Reads what a session is answered of which `packets` came completely, and ends it. The witness sees the client
/// come and go, so that the next session finds the roll as this one did: with one client, at 127.0.0.3.
#[track_caller]
fn expect_session(client: &mut Raw, witness: &mut Raw, packets: usize) {
    if packets >= 1 {
        client.expect(ACCEPT);
        client.expect(ASK_1);
    }
    if packets >= 2 {
        client.expect(ASK_0);
        witness.beat();
        witness.expect_answer(&[], &[who(2, 5000)]);
    }
    client.finish();
    if packets >= 3 {
        client.expect_answer(&[], &[who(3, 7000)]);
    }
    for _ in 4..=packets {
        client.expect_answer(&[], &[]);
    }
    client.expect_end();
    if packets >= 2 {
        witness.hears_at_last(&[ip(2)], &[]);
    }
}

fn a_session_in_one_piece_is_the_same_session(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(3, daemon.address(), 7000);
    let mut client = Raw::connect_from(ip(2), daemon.address());
    client.send(&session().0);
    expect_session(&mut client, &mut witness, 5);
}

fn a_session_byte_by_byte_is_the_same_session(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(3, daemon.address(), 7000);
    let mut client = Raw::connect_from(ip(2), daemon.address());
    client.send_byte_by_byte(&session().0);
    expect_session(&mut client, &mut witness, 5);
}

fn a_session_in_random_pieces_is_the_same_session(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(3, daemon.address(), 7000);
    let mut random = random::Random::new(7);
    let (bytes, _) = session();
    for _ in 0..50 {
        let mut client = Raw::connect_from(ip(2), daemon.address());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(1 + random.below(rest.len()));
            client.send(piece);
            rest = later;
        }
        expect_session(&mut client, &mut witness, 5);
    }
}

fn malformed_input_byte_by_byte_is_rejected_the_same(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let sessions = [
        (GARBAGE.to_vec(), 0),
        ([HELLO, GARBAGE].concat(), 2),
        ([HELLO, &method(1, 0)].concat(), 2),
        ([HELLO, PORT_5000, GARBAGE].concat(), 3),
    ];
    for (bytes, answers) in sessions {
        let reason = |send: fn(&mut Raw, &[u8])| {
            let mut client = Raw::connect(daemon.address());
            send(&mut client, &bytes);
            [ACCEPT, ASK_1, ASK_0][..answers].iter().for_each(|answer| client.expect(answer));
            client.expect_reject()
        };
        assert_eq!(reason(Raw::send), reason(Raw::send_byte_by_byte));
    }
}

/// After `before`, every prefix of `packet` and then the end gets the end, and not a byte.
#[track_caller]
fn every_prefix_is_ended(server: SocketAddr, before: fn(&mut Raw), packet: &[u8]) {
    for length in 0..packet.len() {
        let mut client = Raw::connect_from(ip(2), server);
        before(&mut client);
        client.send(&packet[..length]);
        client.finish();
        client.expect_end();
    }
}

fn every_prefix_of_a_handshake_is_ended_without_a_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    every_prefix_is_ended(daemon.address(), |_| (), HELLO);
    every_prefix_is_ended(daemon.address(), |_| (), HELLO_WITHOUT_METHODS);
}

fn every_prefix_of_a_long_handshake_is_ended_without_a_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    every_prefix_is_ended(daemon.address(), |_| (), &hello([0; 3], 1024, &[u32::MAX; 32]));
}

fn every_prefix_of_a_setup_answer_is_ended_without_a_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    every_prefix_is_ended(daemon.address(), Raw::shake_hands, PORT_5000);
}

fn every_prefix_of_a_heartbeat_is_ended_without_a_reject(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    every_prefix_is_ended(daemon.address(), |client| client.join(5000), BEAT);
}

fn every_prefix_of_a_session_is_answered_as_far_as_it_is_complete(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut witness = Raw::joined(3, daemon.address(), 7000);
    let (bytes, ends) = session();
    for length in 0..=bytes.len() {
        let mut client = Raw::connect_from(ip(2), daemon.address());
        client.send(&bytes[..length]);
        expect_session(&mut client, &mut witness, ends.iter().filter(|&&end| end <= length).count());
    }
}
