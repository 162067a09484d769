//! Both roles: against scripted bytes, and against each other on a fake wire with a fake clock.

use super::*;
use crate::wire::random::Random;

const HELLO: &[u8] = b"LEKTH\0\0\0alice\0\0\0";
const ANSWER: &[u8] = b"LEKTA\0\0\0bob\0";
const ACCEPT: &[u8] = b"LEKTA\0\0\0";
const MESSAGE: &[u8] = b"\0\0\0\x09\0\0\0\0\0\0\0\x02hi\0\0\0\0\0\x09\0\0\0\x01\0\0\0\0";

/// One side of the fake wire: a peer, what it has not read yet, and what it was told.
struct Side {
    peer: Peer,
    waiting: Vec<u8>,
    told: Vec<String>,
}

impl Side {
    fn new(peer: Peer) -> Self {
        Self { peer, waiting: Vec::new(), told: Vec::new() }
    }

    fn caller(now: Instant) -> (Self, Vec<u8>) {
        let mut out = Vec::new();
        let peer = Peer::call("alice", now, &mut out);
        (Self::new(peer), out)
    }

    fn answerer(now: Instant) -> Self {
        Self::new(Peer::answer("bob", now))
    }

    /// Takes `bytes`, and returns what it sends in turn. Whoever introduces itself is accepted.
    fn take(&mut self, now: Instant, bytes: &[u8]) -> Vec<u8> {
        self.hear(now, bytes, true)
    }

    fn hear(&mut self, now: Instant, bytes: &[u8], accept: bool) -> Vec<u8> {
        let mut out = Vec::new();
        self.waiting.extend_from_slice(bytes);
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let heard = self.peer.receive(now, &waiting, &mut out);
            match heard {
                Ok((0, None)) => {
                    self.waiting = waiting;
                    return out;
                }
                Ok((taken, event)) => {
                    self.waiting = waiting[taken..].to_vec();
                    if let Some(event) = event {
                        self.tell(event);
                        if accept && matches!(event, Event::Introduced { .. }) {
                            self.peer.accept(now, &mut out).unwrap();
                        }
                    }
                }
                Err(fault) => {
                    self.told.push(format!("fault: {fault}"));
                    return out;
                }
            }
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        match (event, self.told.last_mut()) {
            (Event::Part { id, bytes }, Some(last)) if last.starts_with(&format!("part {id}: ")) => {
                last.push_str(&String::from_utf8_lossy(bytes));
            }
            (Event::Part { id, bytes }, _) => {
                self.told.push(format!("part {id}: {}", String::from_utf8_lossy(bytes)));
            }
            (event, _) => self.told.push(format!("{event:?}")),
        }
    }
}

#[test]
fn two_peers_call_answer_and_talk() {
    let now = Instant::now();
    let (mut alice, hello) = Side::caller(now);
    let mut bob = Side::answerer(now);
    assert_eq!(hello, HELLO);
    let answer = bob.take(now, &hello);
    assert_eq!(answer, ANSWER);
    let accept = alice.take(now, &answer);
    assert_eq!(accept, ACCEPT);
    assert!(alice.peer.is_talking() && !bob.peer.is_talking());
    assert_eq!(bob.take(now, &accept), b"");
    let (frame, end) = alice.peer.outbox().unwrap().whole(2).unwrap();
    bob.take(now, &[&frame.unwrap().header[..], b"hi\0\0", &end].concat());
    bob.take(now, MESSAGE);
    assert_eq!(alice.told, ["Introduced { nickname: \"bob\" }"]);
    let told = ["Introduced { nickname: \"alice\" }", "Connected", "part 0: hi", "Ended { id: 0 }"];
    assert_eq!(bob.told, [&told[..], &["part 9: hi", "Ended { id: 9 }"]].concat());
    assert_eq!((alice.peer.deadline(), bob.peer.deadline()), (None, None));
}

#[test]
fn all_may_be_sent_ahead_and_in_any_pieces() {
    let now = Instant::now();
    let ahead = [HELLO, ACCEPT, MESSAGE].concat();
    let told = ["Introduced { nickname: \"alice\" }", "Connected", "part 9: hi", "Ended { id: 9 }"];
    for step in [1, 3, ahead.len()] {
        let mut bob = Side::answerer(now);
        let sent: Vec<u8> = ahead.chunks(step).flat_map(|piece| bob.take(now, piece)).collect();
        assert_eq!((sent.as_slice(), &bob.told[..]), (ANSWER, &told.map(str::to_owned)[..]), "step {step}");
    }
    let ahead = [ANSWER, MESSAGE].concat();
    for step in [1, 3, ahead.len()] {
        let (mut alice, _) = Side::caller(now);
        let sent: Vec<u8> = ahead.chunks(step).flat_map(|piece| alice.take(now, piece)).collect();
        assert_eq!((sent.as_slice(), alice.told.len()), (ACCEPT, 3), "step {step}");
    }
}

#[test]
fn every_prefix_tells_a_prefix_and_is_no_error() {
    let now = Instant::now();
    let ahead = [HELLO, ACCEPT, MESSAGE].concat();
    let mut last = 0;
    for cut in 0..ahead.len() {
        let mut bob = Side::answerer(now);
        bob.take(now, &ahead[..cut]);
        assert!(bob.told.iter().all(|told| !told.starts_with("fault")), "cut at {cut}: {:?}", bob.told);
        assert!(bob.told.len() >= last && !bob.told.contains(&"Ended { id: 9 }".to_owned()));
        last = bob.told.len();
    }
}

#[test]
fn what_is_sent_ahead_waits_for_our_decision() {
    let now = Instant::now();
    let mut bob = Side::answerer(now);
    bob.hear(now, &[HELLO, ACCEPT, MESSAGE].concat(), false);
    assert_eq!((bob.told.len(), bob.waiting.len()), (1, ACCEPT.len() + MESSAGE.len()));
    assert!(bob.peer.is_deciding());
    let mut out = Vec::new();
    bob.peer.accept(now, &mut out).unwrap();
    bob.hear(now, b"", false);
    assert_eq!(bob.told.len(), 4);
    let (mut alice, _) = Side::caller(now);
    alice.hear(now, &[ANSWER, MESSAGE].concat(), false);
    assert_eq!((alice.told.len(), alice.waiting.as_slice()), (1, MESSAGE));
}

#[test]
fn a_rejection_is_understood_at_any_time_before_messages() {
    let now = Instant::now();
    let reject = b"LEKTR\x09\0\0not now\0";
    let told = "Rejected { reason: \"not now\" }".to_owned();
    let mut sides = vec![(Side::answerer(now), &b""[..], true), (Side::caller(now).0, b"", true)];
    sides.push((Side::answerer(now), HELLO, true));
    sides.push((Side::answerer(now), HELLO, false));
    sides.push((Side::caller(now).0, ANSWER, false));
    // This one has accepted already: the two crossed on the wire.
    sides.push((Side::caller(now).0, ANSWER, true));
    for (mut side, before, accept) in sides {
        side.hear(now, before, accept);
        assert_eq!(side.hear(now, &[&reject[..], b"more"].concat(), accept), b"");
        assert_eq!(side.told.last(), Some(&told));
        assert!(side.waiting.is_empty(), "what follows is discarded");
    }
}

#[test]
fn we_reject_at_any_time_before_messages() {
    let now = Instant::now();
    let golden = b"LEKTR\0\0\0not now\0";
    for (mut side, before, accept) in [
        (Side::answerer(now), &b""[..], true),
        (Side::answerer(now), HELLO, false),
        (Side::answerer(now), HELLO, true),
        (Side::caller(now).0, b"", true),
        (Side::caller(now).0, ANSWER, false),
    ] {
        side.hear(now, before, accept);
        let mut out = Vec::new();
        assert_eq!(side.peer.reject("not now", &mut out), Ok(()));
        assert_eq!(out, golden);
        assert!(side.peer.has_ended());
        assert_eq!(side.peer.reject("again", &mut out), Err(NotNow));
        assert_eq!(side.peer.accept(now, &mut out), Err(NotNow));
    }
    let (mut talking, _) = Side::caller(now);
    talking.take(now, ANSWER);
    assert_eq!(talking.peer.reject("too late", &mut Vec::new()), Err(NotNow));
}

#[test]
fn each_step_has_its_deadline() {
    let start = Instant::now();
    let table = [
        (Side::answerer(start), &b""[..], false, 10, "no handshake within 10 s"),
        (Side::answerer(start), HELLO, false, 60, "nobody answered within 60 s"),
        (Side::answerer(start), HELLO, true, 60, "no decision within 60 s"),
        (Side::caller(start).0, b"", false, 60, "no decision within 60 s"),
        (Side::caller(start).0, ANSWER, false, 60, "nobody answered within 60 s"),
    ];
    for (mut side, before, accept, seconds, reason) in table {
        let later = start + Duration::from_secs(5);
        let since = if before.is_empty() { start } else { later };
        side.hear(later, before, accept);
        let deadline = side.peer.deadline().unwrap();
        assert_eq!(deadline, since + Duration::from_secs(seconds));
        let mut out = Vec::new();
        assert_eq!(side.peer.tick(deadline - Duration::from_millis(1), &mut out), Ok(()));
        let fault = side.peer.tick(deadline, &mut out).unwrap_err();
        assert_eq!(fault.to_string(), reason);
        let mut expected = Vec::new();
        wire::put_reject(&mut expected, Version::OURS, reason);
        assert_eq!(out, expected);
        assert_eq!((side.peer.deadline(), side.peer.tick(deadline, &mut out)), (None, Ok(())));
    }
}

#[test]
fn malformed_input_before_messages_is_rejected_with_a_reason() {
    let now = Instant::now();
    let long = [b"LEKTH\0\0\0", &[b'a'; 256][..]].concat();
    let answerer: [(&[u8], &[u8], &str); 8] = [
        (b"", b"GET / HT", "magic is \"GET \" (byte 0)"),
        (b"", b"LEKTH\x01\x02\x03", "version 1.2.3 is not spoken here, only 0.0.0"),
        (b"", b"LEKTA\0\0\0", "kind \"A\" is not expected here (byte 4)"),
        (b"", b"LEKTH\0\0\0\0", "nickname is empty (byte 8)"),
        (b"", b"LEKTH\0\0\0a\x1b", "nickname holds the control character 0x1b (byte 9)"),
        (b"", &long, "nickname has no NUL within 256 bytes (byte 8)"),
        (HELLO, b"LEKTA\0\0\x01", "version 0.0.1 is not spoken here, only 0.0.0"),
        (HELLO, b"LEKTH\0\0\0", "kind \"H\" is not expected here (byte 4)"),
    ];
    for (before, bytes, reason) in answerer {
        let mut side = Side::answerer(now);
        side.take(now, before);
        let mut expected = Vec::new();
        wire::put_reject(&mut expected, Version::OURS, reason);
        assert_eq!(side.take(now, bytes), expected, "{reason}");
        assert_eq!(side.told.last(), Some(&format!("fault: {reason}")));
    }
    for (bytes, reason) in [
        (&b"LEKTA\0\x01\0"[..], "version 0.1.0 is not spoken here, only 0.0.0"),
        (b"LEKTH\0\0\0", "kind \"H\" is not expected here (byte 4)"),
    ] {
        let (mut side, _) = Side::caller(now);
        let mut expected = Vec::new();
        wire::put_reject(&mut expected, Version::OURS, reason);
        assert_eq!(side.take(now, bytes), expected, "{reason}");
    }
}

#[test]
fn a_higher_minor_version_is_answered_with_ours() {
    let now = Instant::now();
    let mut side = Side::answerer(now);
    assert_eq!(side.take(now, b"LEKTH\0\x05\0alice\0\0\0"), ANSWER);
    assert_eq!(side.take(now, ACCEPT), b"");
    assert!(side.peer.is_talking());
}

#[test]
fn malformed_parts_end_it_without_a_word() {
    let now = Instant::now();
    let (mut side, _) = Side::caller(now);
    side.take(now, ANSWER);
    assert_eq!(side.take(now, &[0xff; 12]), b"");
    assert_eq!(side.told.last().unwrap(), "fault: part 4294967295 is not allowed (byte 4)");
    assert!(side.peer.has_ended());
}

#[test]
fn nicknames_that_no_string_may_hold_are_made_fit() {
    let now = Instant::now();
    let mut out = Vec::new();
    Peer::call("", now, &mut out);
    assert_eq!(out, b"LEKTH\0\0\0?\0\0\0");
    out.clear();
    Peer::call("a\nb", now, &mut out);
    assert_eq!(out, b"LEKTH\0\0\0a?b\0");
}

#[test]
fn mutated_conversations_never_panic_and_tell_the_same_in_pieces() {
    let seed = 0xa11ce_u64;
    println!("seed {seed:#x}");
    let now = Instant::now();
    let mut random = Random::new(seed);
    for round in 0..4_000 {
        let caller = round % 2 == 0;
        let start = || if caller { Side::caller(now).0 } else { Side::answerer(now) };
        let bytes = if caller { [ANSWER, MESSAGE].concat() } else { [HELLO, ACCEPT, MESSAGE].concat() };
        let mutated = random.mutate(&bytes);
        let (mut whole, mut pieces) = (start(), start());
        let sent = whole.take(now, &mutated);
        let mut in_pieces = Vec::new();
        for piece in mutated.chunks(1 + random.below(9)) {
            in_pieces.extend(pieces.take(now, piece));
            if pieces.told.last().is_some_and(|told| told.starts_with("fault")) {
                break;
            }
        }
        assert_eq!((in_pieces, pieces.told), (sent, whole.told), "seed {seed:#x}, round {round}");
    }
}
