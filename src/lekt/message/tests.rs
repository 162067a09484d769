//! The rules of "Message parts", one by one, and two ends of a fake wire.

use super::*;
use crate::wire::random::Random;

/// What came of a stream: whole messages, and those that began and did not end.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Told {
    delivered: Vec<(u32, Vec<u8>)>,
    held: Vec<(u32, Vec<u8>)>,
    rejected: Option<String>,
    error: Option<WireError>,
}

impl Told {
    fn take(&mut self, parcel: Parcel<'_>) {
        match parcel {
            Parcel::Part { id, bytes } => {
                assert!(!bytes.is_empty());
                match self.held.iter_mut().find(|held| held.0 == id) {
                    Some(held) => held.1.extend_from_slice(bytes),
                    None => self.held.push((id, bytes.to_vec())),
                }
            }
            Parcel::Ended { id } => {
                let place = self.held.iter().position(|held| held.0 == id);
                self.delivered.push(place.map_or((id, Vec::new()), |place| self.held.remove(place)));
            }
            Parcel::Rejected { reason } => self.rejected = Some(reason.to_owned()),
        }
    }
}

fn feed(mut inbox: Inbox, bytes: &[u8], step: usize) -> Told {
    let (mut told, mut waiting) = (Told::default(), Vec::new());
    for piece in bytes.chunks(step.max(1)) {
        waiting.extend_from_slice(piece);
        loop {
            match inbox.receive(&waiting) {
                Ok((0, None)) => break,
                Ok((taken, parcel)) => {
                    parcel.into_iter().for_each(|parcel| told.take(parcel));
                    waiting.drain(..taken);
                }
                Err(error) => {
                    told.error = Some(error);
                    return told;
                }
            }
        }
        assert!(waiting.len() < 300, "nothing but a header, a padding or a rejection is waited for");
    }
    assert!(inbox.unfinished().count() >= told.held.len(), "of one that has begun no byte may have come");
    told
}

fn part(id: u32, number: u32, payload: &[u8]) -> Vec<u8> {
    let part = Part { id, number, length: u32::try_from(payload.len()).unwrap() };
    [&part.header()[..], payload, &[0; 3][..part.padding()]].concat()
}

/// Two messages whose parts interleave, an empty one in between, an id that is used again.
fn stream() -> (Vec<u8>, Told) {
    let big = vec![7; 65_536];
    let bytes = [
        part(1, 0, b"hello"),
        part(0xffff_ffff, 0, &big),
        part(2, 0, b""),
        part(1, 1, b", world!"),
        part(1, 2, b""),
        part(0xffff_ffff, 1, b"x"),
        part(1, 0, b"again"),
        part(0xffff_ffff, 2, b""),
    ]
    .concat();
    let told = Told {
        delivered: vec![
            (2, vec![]),
            (1, b"hello, world!".to_vec()),
            (0xffff_ffff, [&big[..], b"x"].concat()),
        ],
        held: vec![(1, b"again".to_vec())],
        ..Told::default()
    };
    (bytes, told)
}

#[test]
fn interleaved_messages_arrive_whole_whatever_the_pieces() {
    let (bytes, told) = stream();
    for step in [1, 2, 3, 5, 11, 4096, bytes.len()] {
        assert_eq!(feed(Inbox::default(), &bytes, step), told, "step {step}");
    }
}

#[test]
fn every_prefix_delivers_a_prefix_and_is_no_error() {
    let (bytes, told) = stream();
    // Inside the big payload one cut is like another.
    for cut in (0..60).chain(bytes.len() - 120..bytes.len()) {
        let found = feed(Inbox::default(), &bytes[..cut], usize::MAX);
        assert_eq!(found.error, None);
        assert_eq!(found.delivered, told.delivered[..found.delivered.len()]);
        assert!(cut == bytes.len() || found != told);
    }
}

#[test]
fn parts_that_break_the_rules_are_malformed_where_they_show_it() {
    let begun = part(5, 0, b"abcd");
    let after = |rest: &[u8]| [&begun[..], rest].concat();
    let long = Part { id: 9, number: 0, length: 65_537 }.header().to_vec();
    let table: [(&str, Vec<u8>, usize, Problem); 7] = [
        ("part 0 for an id that is unfinished", after(&part(5, 0, b"x")), 8, Problem::Value(0)),
        ("a gap", after(&part(5, 2, b"x")), 8, Problem::Value(2)),
        ("a part again", after(&part(5, 0, b"")), 8, Problem::Value(0)),
        ("a part other than 0 for one that is not", part(5, 1, b"x"), 8, Problem::Value(1)),
        ("an end of nothing", part(5, 7, b""), 8, Problem::Value(7)),
        ("too long a part", long, 12, Problem::Value(65_537)),
        (
            "padding that is not NUL",
            part(5, 0, b"ab").into_iter().map(|b| b.max(1)).collect(),
            8,
            Problem::Value(0x0101_0101),
        ),
    ];
    for (name, bytes, shown, problem) in table {
        let shown = if bytes.starts_with(&begun) { begun.len() + shown } else { shown };
        for step in [1, bytes.len()] {
            let told = feed(Inbox::default(), &bytes, step);
            assert_eq!(told.error.map(|error| error.problem), Some(problem), "{name}");
        }
        assert_eq!(feed(Inbox::default(), &bytes[..shown - 1], 1).error, None, "{name}: not before it shows");
        assert!(feed(Inbox::default(), &bytes[..shown], 1).error.is_some(), "{name}: as soon as it shows");
    }
}

#[test]
fn padding_is_judged_byte_by_byte() {
    for (payload, bad) in [(&b"a"[..], 0), (b"a", 1), (b"a", 2), (b"abc", 0)] {
        let mut bytes = part(3, 0, payload);
        let at = 12 + payload.len() + bad;
        bytes[at] = b'!';
        let told = feed(Inbox::default(), &bytes[..=at], 1);
        assert_eq!(told.error.map(|error| error.problem), Some(Problem::Padding(b'!')));
        assert_eq!(told.delivered, []);
        assert_eq!(feed(Inbox::default(), &bytes[..at], 1).error, None);
    }
}

#[test]
fn at_most_64_messages_are_unfinished_and_empty_ones_never_are() {
    let mut bytes: Vec<u8> = (0..64).flat_map(|id| part(id, 0, b"begun")).collect();
    bytes.extend(part(64, 0, b""));
    let told = feed(Inbox::default(), &bytes, 7);
    assert_eq!((told.error, told.held.len(), told.delivered.len()), (None, 64, 1));
    let mut one_more = bytes.clone();
    one_more.extend(part(65, 0, b"x"));
    assert_eq!(feed(Inbox::default(), &one_more, 7).error.unwrap().field, "unfinished messages");
    bytes.extend([part(7, 1, b""), part(65, 0, b"x")].concat());
    assert_eq!(feed(Inbox::default(), &bytes, 7).error, None, "a place is free once a message has ended");
}

#[test]
fn a_rejection_that_crossed_our_acceptance_is_understood() {
    let bytes = b"LEKTR\0\0\0no decision within 60 s\0\0";
    for step in [1, bytes.len()] {
        let told = feed(Inbox::after_accepting(), bytes, step);
        assert_eq!(told.rejected.as_deref(), Some("no decision within 60 s"));
        assert!(feed(Inbox::default(), bytes, step).error.is_some(), "otherwise it is a malformed part");
    }
    let id = u32::from_be_bytes(*b"LEKT");
    let begun = [part(id, 0, b"abcd"), part(id, 1, b"")].concat();
    assert_eq!(feed(Inbox::after_accepting(), &begun, 1).delivered, [(id, b"abcd".to_vec())]);
    let late = [&begun[..], bytes].concat();
    assert!(feed(Inbox::after_accepting(), &late, 1).error.is_some(), "after a part it is one, too");
}

#[test]
fn a_stream_may_end_between_messages_alone() {
    let mut inbox = Inbox::default();
    assert!(inbox.may_end());
    let bytes = part(1, 0, b"ab");
    assert_eq!(inbox.receive(&bytes).unwrap(), (12, None));
    assert!(!inbox.may_end());
    assert_eq!(inbox.receive(&bytes[12..]).unwrap(), (2, Some(Parcel::Part { id: 1, bytes: b"ab" })));
    assert_eq!(inbox.receive(&bytes[14..]).unwrap(), (2, None));
    assert!(!inbox.may_end(), "the message is unfinished");
    assert_eq!(inbox.receive(&part(1, 1, b"")).unwrap(), (12, Some(Parcel::Ended { id: 1 })));
    assert!(inbox.may_end());
}

#[test]
fn messages_have_golden_bytes() {
    let mut outbox = Outbox::default();
    let (frame, end) = outbox.whole(5).unwrap();
    let frame = frame.unwrap();
    assert_eq!(frame, Frame { header: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], padding: 3 });
    assert_eq!(end, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(outbox.whole(0), Some((None, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])));
    assert_eq!(outbox.whole(65_537), None);
}

#[test]
fn ids_of_unfinished_messages_are_stepped_over() {
    let mut outbox = Outbox { next: u32::MAX, ..Outbox::default() };
    let mut long = outbox.begin().unwrap();
    assert_eq!(outbox.part(&mut long, 1).unwrap().header, [255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1]);
    outbox.next = u32::MAX;
    assert_eq!(outbox.whole(0).unwrap().1, [0; 12], "the id in use is left out, and they wrap around");
    assert_eq!(outbox.part(&mut long, 0), None, "a part of no bytes would end it");
    assert_eq!(outbox.part(&mut long, 65_537), None);
    assert_eq!(outbox.end(long), [255, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn a_message_has_at_most_as_many_parts_as_there_are_numbers() {
    let mut outbox = Outbox::default();
    let mut message = outbox.begin().unwrap();
    message.next = u64::from(u32::MAX) - 1;
    assert!(outbox.part(&mut message, 1).is_some());
    assert_eq!(outbox.part(&mut message, 1), None, "the last number is kept for the end");
    assert_eq!(outbox.end(message), [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]);
}

#[test]
fn one_place_is_kept_for_a_whole_message() {
    let mut outbox = Outbox::default();
    let mut begun: Vec<Outgoing> = (0..63).map(|_| outbox.begin().unwrap()).collect();
    assert!(outbox.begin().is_none());
    let mut bytes = Vec::new();
    for message in &mut begun {
        let frame = outbox.part(message, 4).unwrap();
        bytes.extend([&frame.header[..], b"abcd"].concat());
    }
    let (frame, end) = outbox.whole(4).unwrap();
    bytes.extend([&frame.unwrap().header[..], b"slip", &end].concat());
    let told = feed(Inbox::default(), &bytes, usize::MAX);
    assert_eq!((told.error, told.delivered.len(), told.held.len()), (None, 1, 63));
    outbox.end(begun.pop().unwrap());
    assert!(outbox.begin().is_some());
}

#[test]
fn random_messages_interleaved_at_random_arrive_as_they_were_sent() {
    let seed = 0x1e_c7_u64;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    let mut outbox = Outbox::default();
    let mut open: Vec<(Outgoing, Vec<u8>)> = Vec::new();
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        match random.below(4) {
            0 => open.extend(outbox.begin().map(|message| (message, Vec::new()))),
            1 if !open.is_empty() => {
                let (message, said) = open.swap_remove(random.below(open.len()));
                sent.push((message.id, said));
                bytes.extend(outbox.end(message));
            }
            2 if !open.is_empty() => {
                let at = random.below(open.len());
                let payload: Vec<u8> = (0..1 + random.below(50)).map(|_| random.byte()).collect();
                let frame = outbox.part(&mut open[at].0, payload.len()).unwrap();
                bytes.extend([&frame.header[..], &payload, &[0; 3][..frame.padding]].concat());
                open[at].1.extend(payload);
            }
            _ => {
                let (frame, end) = outbox.whole(3).unwrap();
                let frame = frame.unwrap();
                sent.push((u32::from_be_bytes(frame.header[..4].try_into().unwrap()), b"abc".to_vec()));
                bytes.extend([&frame.header[..], b"abc\0", &end].concat());
            }
        }
    }
    let told = feed(Inbox::default(), &bytes, 1 + random.below(100));
    assert_eq!((told.error, told.delivered), (None, sent), "seed {seed:#x}");
}

#[test]
fn mutated_streams_never_panic_and_tell_the_same_in_pieces() {
    let seed = 0xb0b_u64;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    let bytes = [
        part(1, 0, b"hello"),
        part(2, 0, b""),
        part(3, 0, &[1; 40]),
        part(1, 1, b"x"),
        part(1, 2, b""),
        part(3, 1, b""),
        part(1, 0, b"again"),
    ]
    .concat();
    for _ in 0..5_000 {
        let mutated = random.mutate(&bytes);
        let whole = feed(Inbox::default(), &mutated, usize::MAX);
        assert_eq!(feed(Inbox::default(), &mutated, 1 + random.below(9)), whole, "seed {seed:#x}");
    }
}
