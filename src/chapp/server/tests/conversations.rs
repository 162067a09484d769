//! Whole conversations: as they were recorded, in pieces, cut short, and mutilated.

use super::*;

/// What the real client sends, byte for byte: it ends its requests in nothing.
const ANN: [&[u8]; 3] = [
    b"INTRODUCE\tann_pair_mwoefd->server\\\nID:0",
    b"POST\tann_pair_mwoefd->bob_pair_mwoefd\\\nID:2\\\nmessage: hi bob",
    b"GOODBYE\tann_pair_mwoefd->server\\\nID:5",
];

/// What it hears of ours.
fn heard() -> [String; 3] {
    let message = kept("ann_pair_mwoefd", "bob_pair_mwoefd", "hi bob");
    let head = "RESPONSE\tserver->ann_pair_mwoefd";
    [
        format!("{head}|ID:0|for: 0|status: 100|username: ann_pair_mwoefd|messages: []|"),
        format!("{head}|ID:1|for: 2|status: 100|message: {message}|"),
        format!("{head}|ID:2|for: 5|status: 100|"),
    ]
}

#[test]
fn the_recorded_conversation_of_the_real_client_works() {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    for (index, request) in ANN.iter().enumerate() {
        guest.sends_bytes(&mut world, request);
        guest.waits(&mut world, 25);
        assert_eq!(guest.said.len(), index + 1, "it waits for each reply");
    }
    assert_eq!(guest.all(), heard().concat());
    assert!(world.names().is_empty() && !guest.closed);
}

/// Byte by byte or in larger pieces, as slowly as no request is ended by.
#[test]
fn a_conversation_is_the_same_in_pieces_of_any_size() {
    for size in 1..60 {
        let mut world = World::new();
        let mut guest = Guest::new(&world);
        for request in ANN {
            for piece in request.chunks(size) {
                guest.sends_bytes(&mut world, piece);
                guest.waits(&mut world, 19);
            }
            guest.waits(&mut world, 1);
        }
        assert_eq!(guest.all(), heard().concat(), "{size} bytes at a time");
    }
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order() {
    for end in ["\\\n\\\n", "\\\n", "\\\n\\\n\\\n\\\n\\\n"] {
        let all: Vec<u8> = ANN.iter().flat_map(|request| [request, end.as_bytes()].concat()).collect();
        for size in [1, 2, 3, 5, 50, all.len()] {
            let mut world = World::new();
            let mut guest = Guest::new(&world);
            all.chunks(size).for_each(|piece| guest.sends_bytes(&mut world, piece));
            guest.waits(&mut world, 2000);
            assert_eq!(guest.all(), heard().concat(), "{end:?}, {size} bytes at a time");
        }
    }
}

/// A conversation that stops anywhere is answered as far as it goes; the cut request is judged as it stands.
#[test]
fn every_prefix_is_answered_as_far_as_it_goes() {
    for (whole, request) in ANN.iter().enumerate() {
        for cut in 0..request.len() {
            let mut world = World::new();
            let (mut guest, mut other) = (Guest::new(&world), Guest::new(&world));
            for before in &ANN[..whole] {
                for guest in [&mut guest, &mut other] {
                    guest.sends_bytes(&mut world, before);
                    guest.waits(&mut world, 25);
                }
            }
            guest.sends_bytes(&mut world, &request[..cut]);
            guest.waits(&mut world, 2000);
            assert!(guest.unread.is_empty());
            let expected = heard()[..whole].concat();
            assert!(guest.all().starts_with(&expected));
            let replies = guest.statuses().len();
            assert_eq!(replies, whole + usize::from(cut > 0), "{cut} bytes of {whole}");
            other.sends_bytes(&mut world, &request[..cut]);
            other.ends(&mut world);
            assert_eq!(other.all(), guest.all(), "the end of the input is as good as two seconds");
        }
    }
}

/// Conversations with bytes changed, dropped, doubled and cut: each text is answered with a whole reply,
/// nothing is held beyond its bounds, and after two seconds nothing is left over but what is right so far.
#[test]
fn mutated_conversations_do_no_harm() {
    let golden =
        [ANN[0], b"\\\n\\\n", ANN[1], b"\\\n", ANN[2], b"\\\n\\\nCONNECT\t->server\\\nID:1", ANN[1]].concat();
    for seed in 1..=10_000_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut bytes = golden.clone();
        for _ in 0..random(6) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = b"\\\n\t->:"[random(6)],
                2 => bytes.truncate(at + 1),
                3 => drop(bytes.remove(at.min(bytes.len() - 1).max(1) - 1)),
                _ => bytes.splice(at..at, golden[random(golden.len())..].to_vec()).for_each(drop),
            }
            if bytes.is_empty() {
                bytes.push(b'\\');
            }
        }
        let mut world = World::new();
        let mut guest = Guest::new(&world);
        for piece in bytes.chunks(1 + random(bytes.len())) {
            guest.sends_bytes(&mut world, piece);
            guest.waits(&mut world, [0, 19, 20, 500][random(4)]);
            if random(20) == 0 {
                guest.hears(&mut world, delivery(3, "hi"));
            }
        }
        guest.waits(&mut world, 4000);
        let may_wait = guest.session.hearing.manner() == Manner::EmptyLines;
        assert!(guest.unread.is_empty() || may_wait, "seed {seed}");
        let first = (guest.session.standing() == Standing::Pending).then_some(guest.session.first_until);
        assert_eq!(guest.session.deadline(), first, "seed {seed}");
        guest.ends(&mut world);
        assert!(guest.unread.is_empty() && guest.session.outbox.is_empty(), "seed {seed}");
        assert_eq!(guest.why, None, "seed {seed}");
        read_as_a_client_does(&guest.all().replace('|', "\\\n"), seed);
    }
}

/// What a server says is always what a client can read.
fn read_as_a_client_does(said: &str, seed: u64) {
    let mut rest = said.as_bytes();
    while !rest.is_empty() {
        let (told::Heard::Whole(length) | told::Heard::Perhaps(length)) = told::hear(rest, 0) else {
            panic!("seed {seed}: {said:?} is cut");
        };
        if let Err(error) = told::Told::parse(&rest[..length]) {
            panic!("seed {seed}: {error} in {said:?}");
        }
        rest = &rest[length..];
    }
}
