//! The conversation with the server, against scripted bytes.

use super::*;
use crate::lekt::wire as packets;
use crate::wire::text::Escaped;

const TCP: Method = Method::DirectTcp { port: 4242 };
const ACCEPT: &[u8] = b"LEKTA\0\0\0";
const ASK_TCP: &[u8] = b"LEKTT\0\0\0\0\0\0\x01";
const SETUP_OVER: &[u8] = b"LEKTT\0\0\0\0\0\0\0";

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

fn block(kind: BlockKind, count: u32) -> Block {
    Block { time: 77, kind, count }
}

fn added(objects: &[(u8, &[Method])]) -> Vec<u8> {
    let mut out =
        block(BlockKind::Added, u32::try_from(objects.len()).unwrap()).packet(Version::OURS).to_vec();
    for (last, methods) in objects {
        Object::put(&mut out, address(*last), methods);
    }
    out
}

fn removed(addresses: &[u8]) -> Vec<u8> {
    let mut out =
        block(BlockKind::Removed, u32::try_from(addresses.len()).unwrap()).packet(Version::OURS).to_vec();
    for &last in addresses {
        out.extend_from_slice(&address(last).octets());
    }
    out
}

/// All that a client of `methods` makes of `bytes` that come in pieces of `step`: what it was told, what it
/// sent, and what went wrong.
fn feed(methods: &[Method], bytes: &[u8], step: usize) -> (Vec<Event>, Vec<u8>, Option<WireError>) {
    let mut sent = Vec::new();
    let mut client = Client::new(methods.iter().copied(), &mut sent);
    sent.clear();
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(step.max(1)) {
        waiting.extend_from_slice(piece);
        loop {
            match client.receive(&waiting, &mut sent) {
                Ok((0, None)) => break,
                Ok((taken, event)) => {
                    waiting.drain(..taken);
                    events.extend(event);
                }
                Err(error) => return (events, sent, Some(error)),
            }
        }
    }
    (events, sent, None)
}

/// A whole session, with all packets that there are.
fn session() -> (Vec<u8>, Vec<Event>) {
    let bytes = [
        ACCEPT,
        ASK_TCP,
        SETUP_OVER,
        &added(&[(9, &[TCP]), (7, &[])]),
        &added(&[]),
        &removed(&[9, 7]),
        &added(&[(9, &[])]),
        b"LEKTR\x09\x09\x09bye\0",
    ]
    .concat();
    let object = |last, methods| Event::Added(Object { address: address(last), methods });
    let events = vec![
        Event::Accepted(Version::OURS),
        Event::Joined,
        object(9, vec![TCP]),
        object(7, vec![]),
        Event::BlockEnded(block(BlockKind::Added, 2)),
        Event::BlockEnded(block(BlockKind::Added, 0)),
        Event::Removed(address(9)),
        Event::Removed(address(7)),
        Event::BlockEnded(block(BlockKind::Removed, 2)),
        object(9, vec![]),
        Event::BlockEnded(block(BlockKind::Added, 1)),
        Event::Rejected("bye".to_owned()),
    ];
    (bytes, events)
}

#[test]
fn a_session_tells_the_same_whole_in_pieces_and_with_a_tail() {
    let (bytes, events) = session();
    let answer = b"LEKTT\0\0\0\0\0\0\x01\0\0\x10\x92".to_vec();
    for step in [1, 2, 3, 5, 7, bytes.len()] {
        assert_eq!(feed(&[TCP], &bytes, step), (events.clone(), answer.clone(), None), "step {step}");
    }
    let tail = [&bytes[..], b"after a rejection nothing is read"].concat();
    assert_eq!(feed(&[TCP], &tail, tail.len()), (events, answer, None));
}

#[test]
fn every_prefix_tells_a_prefix_and_is_no_error() {
    let (bytes, events) = session();
    let mut told = 0;
    for cut in 0..bytes.len() {
        let (found, _, error) = feed(&[TCP], &bytes[..cut], usize::MAX);
        assert_eq!(error, None);
        assert_eq!(found, events[..found.len()]);
        assert!(found.len() < events.len() && found.len() >= told, "cut at {cut}");
        told = found.len();
    }
}

#[test]
fn the_handshake_has_golden_bytes() {
    let mut out = Vec::new();
    Client::new([TCP], &mut out);
    assert_eq!(out, b"LEKTH\0\0\0\0\0\0\x01\0\0\0\x01");
    out.clear();
    Client::new([], &mut out);
    assert_eq!(out, b"LEKTH\0\0\0\0\0\0\0");
}

#[test]
fn heartbeats_are_sent_on_the_roll_alone() {
    let mut out = Vec::new();
    let mut client = Client::new([], &mut out);
    out.clear();
    assert!(!client.heartbeat(1, &mut out));
    client.receive(ACCEPT, &mut out).unwrap();
    assert!(!client.heartbeat(1, &mut out) && !client.may_end());
    client.receive(SETUP_OVER, &mut out).unwrap();
    assert!(client.heartbeat(-2, &mut out) && client.may_end());
    assert_eq!(out, b"LEKTH\0\0\0\xff\xff\xff\xff\xff\xff\xff\xfe");
    client.receive(&removed(&[1])[..packets::BLOCK], &mut out).unwrap();
    assert!(client.heartbeat(1, &mut out), "inside an answer, too: several may be in flight");
    assert!(!client.may_end(), "but the stream may not end there");
}

#[test]
fn a_rejection_is_understood_in_every_phase_and_version() {
    for before in [&[][..], ACCEPT, &[ACCEPT, SETUP_OVER].concat()] {
        let bytes = [before, b"LEKTR\x07\0\0the server is full\0\0"].concat();
        let (events, _, error) = feed(&[TCP], &bytes, 1);
        assert_eq!(error, None);
        assert_eq!(events.last(), Some(&Event::Rejected("the server is full".to_owned())));
    }
}

#[test]
fn what_breaks_the_rules_is_told_where_and_why() {
    let roll = [ACCEPT, SETUP_OVER].concat();
    let on_roll = |rest: &[u8]| [&roll[..], rest].concat();
    let twice = added(&[(1, &[TCP, TCP])]);
    let table: [(Vec<u8>, &str); 12] = [
        (b"HTTP/1.1".to_vec(), "magic is \"HTTP\" (byte 0)"),
        (b"LEKTA\x01\0\0".to_vec(), "major version 1 is not allowed (byte 5)"),
        (b"LEKTA\0\x01\0".to_vec(), "minor version 1 is not allowed (byte 6)"),
        (b"LEKTA\0\0\x01".to_vec(), "extra version 1 is not allowed (byte 7)"),
        (b"LEKTH\0\0\0".to_vec(), "kind \"H\" is not expected here (byte 4)"),
        ([ACCEPT, ACCEPT].concat(), "kind \"A\" is not expected here (byte 4)"),
        ([ACCEPT, b"LEKTT\0\0\0\0\0\0\x02"].concat(), "method 2 is not allowed (byte 8)"),
        ([ACCEPT, ASK_TCP, ASK_TCP].concat(), "method 1 is not allowed (byte 8)"),
        (on_roll(b"LEKTH\0\0\0\0\0\0\0\0\0\0\0X\0\0\x01"), "block \"X\" is not expected here (byte 16)"),
        (on_roll(b"LEKTT\0\0\0"), "kind \"T\" is not expected here (byte 4)"),
        (on_roll(&twice), "method 1 is not allowed (byte 0)"),
        (on_roll(b"LEKTR\0\0\0\0\0\0\0"), "reason is empty (byte 8)"),
    ];
    for (bytes, expected) in table {
        for step in [1, bytes.len()] {
            let (_, _, error) = feed(&[TCP], &bytes, step);
            assert_eq!(
                error.map(|error| error.to_string()).as_deref(),
                Some(expected),
                "{}",
                Escaped(&bytes)
            );
        }
    }
}

#[test]
fn a_block_of_millions_needs_no_memory_here() {
    let mut out = Vec::new();
    let mut client = Client::new([], &mut out);
    for packet in [ACCEPT, SETUP_OVER, &block(BlockKind::Removed, 0xff_ffff).packet(Version::OURS)] {
        client.receive(packet, &mut out).unwrap();
    }
    for _ in 0..100_000 {
        assert_eq!(client.receive(&[127, 0, 0, 1], &mut out), Ok((4, Some(Event::Removed(address(1))))));
    }
    assert!(!client.may_end());
}

#[test]
fn mutated_sessions_never_panic_and_tell_the_same_in_pieces() {
    let seed = 0x00c0_ffee_u64;
    println!("seed {seed:#x}");
    let mut random = crate::wire::random::Random::new(seed);
    let (bytes, _) = session();
    for _ in 0..3_000 {
        let mutated = random.mutate(&bytes);
        let whole = feed(&[TCP], &mutated, usize::MAX);
        let step = 1 + random.below(9);
        assert_eq!(feed(&[TCP], &mutated, step), whole, "seed {seed:#x}: {}", Escaped(&mutated));
    }
}
