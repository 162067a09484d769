//! Whole conversations, however they are cut.

use super::*;
use hkdf::Hkdf;
use sha2::Sha256;

/// What a client says and hears from first to last.
fn conversation(authorization: Authorization) -> (Vec<u8>, Vec<&'static str>) {
    let greetings = [SAID_FIRST, "DH PARAMETERS", "PUBLIC KEY"];
    let (said, ready): (_, &[&str]) = match authorization {
        Off => (handshake(), &[READY]),
        On => (
            [handshake(), vec![token("AUTH alice wrong")], login()[3..].to_vec()].concat(),
            &[LOCKED, WRONG, RIGHT],
        ),
    };
    let who = match authorization {
        Off => "{200 1 clients.\r\n1 fmltp 10.0.0.1:4000 -\r\n}",
        On => "{200 1 clients.\r\n1 fmltp 10.0.0.1:4000 alice\r\n}",
    };
    let said = [said, vec![token("WHO"), token("AUTH alice secret"), token("QUIT\r\n")]].concat().concat();
    let last = [who, "{400 Invalid command or operative.\r\n}", GOODBYE];
    (said, [&greetings, ready, &last].concat())
}

#[test]
fn a_conversation_is_the_same_whole_and_byte_by_byte_and_sent_ahead() {
    for authorization in [Off, On] {
        let (said, expected) = conversation(authorization);
        for chunk in 1..=said.len() {
            let mut world = World::new();
            let mut guest = world.guest(authorization);
            for part in said.chunks(chunk) {
                guest.send(&mut world, part);
            }
            assert_eq!(guest.heard(), expected, "{authorization:?}, {chunk} bytes at a time");
            assert_eq!(guest.end, Some(WELL));
        }
    }
}

#[test]
fn every_prefix_is_answered_as_far_as_it_is_whole() {
    for authorization in [Off, On] {
        let (said, expected) = conversation(authorization);
        for cut in 0..said.len() {
            let mut world = World::new();
            let mut guest = world.guest(authorization);
            guest.send(&mut world, &said[..cut]);
            assert_eq!(guest.end, None, "{cut} bytes");
            guest.end_of_stream(&mut world);
            let heard = guest.heard();
            assert_eq!(heard, expected[..heard.len()], "{cut} bytes");
            let badly = (1..4).contains(&heard.len()) && cut > 0;
            assert_eq!(guest.end, Some(End::Closed { badly }), "{cut} bytes");
        }
    }
}

#[test]
fn white_space_before_a_packet_is_skipped_everywhere() {
    let blank = b" \t\r\n\x0b\x0c".repeat(1000);
    let mut world = World::new();
    let mut guest = world.guest(On);
    for packet in login() {
        guest.send(&mut world, &blank);
        assert!(guest.unread.is_empty(), "it is not kept");
        guest.send(&mut world, &packet);
    }
    guest.send(&mut world, &blank);
    let expected = [SAID_FIRST, "DH PARAMETERS", "PUBLIC KEY", LOCKED, RIGHT];
    assert_eq!((guest.heard(), guest.unread.len()), (expected.map(str::to_owned).to_vec(), 0));
}

#[test]
fn a_packet_of_the_server_is_sent_as_soon_as_the_client_has_earned_it() {
    let mut world = World::new();
    let mut guest = world.guest(On);
    let answers: [&[&str]; 4] = [&["DH PARAMETERS"], &["PUBLIC KEY"], &[LOCKED], &[RIGHT]];
    assert_eq!(guest.heard(), [SAID_FIRST]);
    for (packet, expected) in login().into_iter().zip(answers) {
        guest.send(&mut world, &packet);
        assert_eq!(guest.heard(), expected);
    }
}

#[test]
fn at_most_one_packet_is_taken_at_a_time() {
    let mut world = World::new();
    let mut guest = world.guest(On);
    guest.unread = login().join(&b"\r\n"[..]);
    for packet in login() {
        let mut out = Output::default();
        let mut taken = 0;
        let before = guest.unread.clone();
        while space::trimmed(&before[..taken]).is_empty() {
            let rest = &before[taken..];
            taken += guest.session.receive(world.now, rest, &world, &mut out).unwrap();
        }
        assert_eq!(space::trimmed(&before[..taken]), space::trimmed(&packet));
        guest.unread.drain(..taken);
        guest.follow(&mut world, out);
    }
    assert!(guest.unread.is_empty());
}

#[test]
fn the_code_of_the_two_versions_is_told() {
    let table = [("5.5", 100), ("5.6", 101), ("5.4", 102), ("6.5", 110), ("9.9", 111), ("6.0", 112)];
    let lower = [("4.5", 120), ("4.65535", 121), ("0.0", 122)];
    for (version, code) in table.into_iter().chain(lower) {
        let mut world = World::new();
        let greeting = Greeting::parse("FlexMusic of ours,7.5.5").unwrap();
        let mut guest = world.guest_by(Settings { greeting, ..settings(Off) });
        guest.send(&mut world, format!("FlexMusic,7.{version}\n").as_bytes());
        guest.send(&mut world, &[public_key(), token("FlexMusic of ours,7.5.5\r\n")].concat());
        let heard = guest.heard();
        assert_eq!(heard[0], "FlexMusic of ours,7.5.5\r\n");
        assert_eq!(heard[3], format!("{{{code} FmLTP/1.0 Interpreter Ready.\r\n}}"), "{version}");
    }
}

#[test]
fn a_client_is_on_the_roll_before_it_hears_of_it_and_not_earlier() {
    for (authorization, said, name) in [(Off, handshake(), None), (On, login(), Some("alice"))] {
        let mut world = World::new();
        let (last, before) = said.split_last().unwrap();
        let mut guest = world.guest_after(authorization, before);
        assert!(world.roll.is_empty());
        let mut out = Output::default();
        guest.session.receive(world.now, last, &world, &mut out).unwrap();
        let mut ask = out.take_ask();
        if let Some(Ask::Toil(effort)) = ask {
            work(&mut guest.session, effort);
            let answer = Event::Answer(Answer::Toiled);
            guest.session.handle(world.now, answer, &world, &mut out).unwrap();
            ask = out.take_ask();
        }
        assert!(out.is_empty());
        let Some(Ask::Join(applicant)) = ask else { panic!("it does not ask to be put on the roll") };
        assert_eq!((applicant.door, applicant.name.as_deref(), applicant.since), ("fmltp", name, 77));
        assert_eq!(applicant.address.to_string(), "10.0.0.1:4000");
        assert!(applicant.listing.is_none());
        assert_eq!(guest.session.ends_badly(), authorization == Off, "step 7 is still to come");
    }
}

/// A session that does all its work itself, with nothing made up: its users are those of this book.
struct Real(Arc<Users>);

impl UserBook for Real {
    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.0)
    }
}

/// Has the session judge these bytes, and says what it sent; the roll takes everybody.
fn said(world: &mut World, session: &mut Server, bytes: &[u8]) -> Vec<u8> {
    let mut out = Output::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[session.receive(world.now, rest, world, &mut out).unwrap()..];
        while let Some(ask) = out.take_ask() {
            let answer = match ask {
                Ask::Toil(_) => {
                    session.toil();
                    Answer::Toiled
                }
                Ask::Join(applicant) => Answer::Joined(world.roll.join(applicant)),
                Ask::Leave(_) | Ask::Clerk(_) | Ask::Rationed { .. } => {
                    panic!("the engine does that, and there is neither a clerk nor a ration")
                }
            };
            session.handle(world.now, Event::Answer(answer), world, &mut out).unwrap();
        }
    }
    out.plain().unwrap().to_vec()
}

/// What the owner of [`PUBLIC_KEY`] agrees on with the owner of this one: the number itself, behind as many zeros as p has
/// room for.
fn agreed(theirs: &[u8]) -> Key {
    let der = pem::decode(theirs, "PUBLIC KEY").unwrap();
    let before_y = pem::decode(PUBLIC_KEY.as_bytes(), "PUBLIC KEY").unwrap().len() - 6 + 9;
    let y = &der[before_y..];
    let y = y.strip_prefix(&[0]).unwrap_or(y);
    let shared = [&vec![0; 256 - y.len()], y].concat();
    let mut bytes = [0; 32];
    Hkdf::<Sha256>::new(None, &shared).expand(&[], &mut bytes).unwrap();
    Key::new(bytes)
}

#[test]
fn both_sides_agree_on_a_key_and_a_user_logs_in() {
    let users = "alice:$2b$12$IX62iocqPZTq26Ule19oeOInHZtqGjsn2MKo2IxdChsLQREWz3S3S\n";
    let book = Real(Arc::new(Users::parse(users).unwrap()));
    let mut world = World::new();
    let settings = Settings { users: Some(Arc::new(book)), ..Settings::default() };
    let mut session = Server::new(world.now, "10.0.0.1:1".parse().unwrap(), Arc::new(settings));
    assert_eq!(said(&mut world, &mut session, REPLY), group::parameters().as_bytes());
    let theirs = said(&mut world, &mut session, PUBLIC_KEY.as_bytes());
    assert!(PublicKey::parse(&theirs).is_ok());
    let key = agreed(&theirs);
    let table = [
        ("FlexMusic,0.0.0", LOCKED),
        ("AUTH alice Secret", WRONG),
        ("AUTH alice secret", RIGHT),
        ("WHO", "{200 1 clients.\r\n1 fmltp 10.0.0.1:1 alice\r\n}"),
    ];
    for (text, expected) in table {
        let sealed = said(&mut world, &mut session, &key.seal(text.as_bytes(), 0, [0; 16]));
        assert_eq!(sealed[..12], *b"gAAAAAAAAABN", "the server's clock stands at 77 s");
        let (taken, text) = key.find(&sealed, &mut Scan::default()).unwrap().unwrap();
        assert_eq!(taken, sealed.len());
        assert_eq!(format!("{{{}}}", str::from_utf8(&text).unwrap()), expected);
    }
}

#[test]
fn a_token_bears_the_time_of_the_servers_clock_and_none_before_1970() {
    // 0x80, and eight bytes of time.
    for (time, beginning) in [(1_700_000_000, "gAAAAABlU_EA"), (0, "gAAAAAAAAAAA"), (-1, "gAAAAAAAAAAA")] {
        let mut world = World { unix_time: time, ..World::new() };
        let mut guest = world.guest_after(Off, &handshake());
        guest.send(&mut world, &token("HELP"));
        assert_eq!(guest.sent[..12], *beginning.as_bytes());
    }
}

#[test]
fn an_idle_client_holds_little() {
    assert!(size_of::<Server>() <= 128, "{} bytes", size_of::<Server>());
    let mut world = World::new();
    let guest = world.guest_after(On, &login());
    let State::Ready { channel } = &guest.session.state else { panic!("it is not ready") };
    assert!(channel.until().is_none(), "and no place in a token");
}

/// Conversations with bytes changed, dropped, doubled and cut: the session takes what is whole, waits, or says what is
/// wrong. What it took never comes back, and it never takes more than there is.
#[test]
fn mutated_conversations_do_no_harm() {
    let golden = [conversation(Off).0, conversation(On).0];
    for seed in 1..=2_000_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let authorization = [Off, On][random(2)];
        let golden = &golden[random(2)];
        let mut bytes = golden.clone();
        for _ in 0..random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = random(256) as u8,
                2 => bytes.truncate(at + 1),
                _ => bytes.splice(at..at, golden[random(golden.len())..].to_vec()).for_each(drop),
            }
        }
        let mut world = World::new();
        let mut guest = world.guest(authorization);
        for part in bytes.chunks(1 + random(bytes.len())) {
            guest.send(&mut world, part);
            assert!(guest.end.is_some() || guest.unread.len() < 8192, "seed {seed}: no packet is so long");
        }
        guest.wait(&mut world, Duration::from_secs(100));
        let heard = guest.heard();
        if let Some(End::Failed { why, .. }) = guest.end {
            let last = heard.last().unwrap().trim_matches(['{', '}']);
            assert_eq!(last, format!("400 {why}.\r\n"), "seed {seed}");
            assert!(why.bytes().all(|byte| matches!(byte, b' '..=b'~')), "seed {seed}: {why}");
        }
    }
}
