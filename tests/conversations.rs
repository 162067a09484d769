//! Recorded conversations that break off at any byte, or in which any bit is turned: each comes to an end, and nothing is
//! left of it. `ROLLCALL_LONG` has all of the long ones tried, too.

#![cfg(all(test, feature = "chapp", feature = "fmltp"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::io::Read;
use std::net::SocketAddr;

use common::*;

on_both_engines!(lekt_conversations_end, chapp_conversations_end, fmltp_conversations_end);

/// So many of a long conversation's variants are tried if time is short.
const ENOUGH: usize = 400;

fn lekt_conversations_end(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let talk = [HELLO, PORT_5000, BEAT, BEAT].concat();
    try_all(daemon.address(), &talk, |said| {
        // A rejection is the last thing that is said, and says why.
        let reject = said.windows(5).position(|five| five == b"LEKTR");
        assert!(
            reject.is_none_or(|at| at % 4 == 0 && said.ends_with(&[0]) && said.len() > at + 12),
            "{said:02x?}"
        );
        assert!(said.is_empty() || said.starts_with(b"LEKTA") || reject == Some(0), "{said:02x?}");
    });
    is_alone(&daemon);
}

fn chapp_conversations_end(engine: Engine) {
    let (daemon, _place) = common::chapp::start(engine, &[]);
    let talk = "CONNECT\tunknown->server|ID:1||INTRODUCE\tann->server|ID:2||POST\tann->bob|ID:3|message:hi||\
                GOODBYE\tann->server|ID:4||";
    try_all(common::chapp::door(&daemon), &common::chapp::wire(talk), |said| {
        assert!(said.is_empty() || said.starts_with(b"RESPONSE\t"), "{}", String::from_utf8_lossy(said));
    });
    is_alone(&daemon);
}

fn fmltp_conversations_end(engine: Engine) {
    let daemon = common::fmltp::start(engine, &[]);
    let key = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n";
    let talk = [common::fmltp::VERSION, key].concat();
    try_all(daemon.door("fmltp"), talk.as_bytes(), |said| {
        assert!(said.starts_with(b"FlexMusic,0.0.0\r\n"), "{}", String::from_utf8_lossy(said));
    });
    is_alone(&daemon);
}

/// Every beginning, and every bit turned. `judge` sees all that was said to each.
fn try_all(server: SocketAddr, talk: &[u8], judge: impl Fn(&[u8])) {
    let beginnings = (0..=talk.len()).map(|end| talk[..end].to_vec());
    let turned = (0..talk.len() * 8).map(|bit| {
        let mut bytes = talk.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let all: Vec<_> = beginnings.chain(turned).collect();
    let step = if std::env::var("ROLLCALL_LONG").is_ok() { 1 } else { all.len().div_ceil(ENOUGH) };
    for bytes in all.iter().step_by(step) {
        let mut client = Raw::connect(server);
        client.send(bytes);
        client.finish();
        let mut said = Vec::new();
        // It ends within the patience of the socket.
        client.stream().read_to_end(&mut said).unwrap();
        judge(&said);
    }
}

/// Nobody is left on the roll but who looks.
fn is_alone(daemon: &Daemon) {
    let mut client = Raw::joined(9, daemon.address(), 9);
    client.beat();
    client.expect_answer(&[], &[]);
}
