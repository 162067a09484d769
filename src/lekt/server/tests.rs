//! Sessions on a fake roll and a fake clock, without a socket.

use super::*;
use crate::session::Ask;

/// The world of one test: the roll, and a client's session with what it said.
struct World {
    roll: Roll,
    now: Instant,
}

impl View for World {
    fn unix_time(&self) -> i64 {
        77
    }

    fn sequence(&self) -> Sequence {
        self.roll.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.roll);
    }
}

/// A client that has been let in: its session, and all that it was sent.
struct Guest {
    session: Server,
    sent: Vec<u8>,
    ended: Option<String>,
}

impl World {
    fn new() -> Self {
        Self { roll: Roll::new(16), now: Instant::now() }
    }

    fn guest(&self, peer: &str) -> Guest {
        let session = Server::new(self.now, peer.parse().unwrap(), Arc::new(Settings::default()));
        Guest { session, sent: Vec::new(), ended: None }
    }

    fn member(&mut self, host: u8) -> Guest {
        let mut guest = self.guest(&format!("127.0.0.{host}:1"));
        guest.receive(self, &[HELLO, TOLD].concat());
        guest.sent.clear();
        guest
    }
}

impl Guest {
    /// Has the session judge `bytes` as an engine does, and says how many it took.
    fn receive(&mut self, world: &mut World, bytes: &[u8]) -> usize {
        let mut judged = 0;
        while self.ended.is_none() {
            let mut out = Output::default();
            let outcome = self.session.receive(world.now, &bytes[judged..], world, &mut out);
            let ask = out.take_ask();
            self.sent.extend(out.pieces().flat_map(|piece| piece.as_slice().to_vec()));
            match outcome {
                Ok(0) => break,
                Ok(taken) => judged += taken,
                Err(fault) => self.fail(fault),
            }
            if let Some(Ask::Join(applicant)) = ask {
                let member = world.roll.join(applicant);
                self.handle(world, Event::Answer(Answer::Joined(member)));
            }
        }
        judged
    }

    fn handle(&mut self, world: &World, event: Event) {
        let mut out = Output::default();
        if let Err(fault) = self.session.handle(world.now, event, world, &mut out) {
            self.fail(fault);
        }
        self.sent.extend_from_slice(out.plain().unwrap());
    }

    fn fail(&mut self, fault: Fault) {
        self.sent.extend(fault.farewell);
        self.ended = Some(fault.why.into_owned());
    }

    fn answer(&mut self, world: &mut World) -> Vec<u8> {
        self.sent.clear();
        assert_eq!(self.receive(world, BEAT), BEAT.len());
        std::mem::take(&mut self.sent)
    }
}

const HELLO: &[u8] = b"LEKTH\0\0\0\0\0\0\x01\0\0\0\x01";
const TOLD: &[u8] = b"LEKTT\0\0\0\0\0\0\x01\0\0\x10\x92";
const BEAT: &[u8] = b"LEKTH\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
const ACCEPTED: &[u8] = b"LEKTA\0\0\0LEKTT\0\0\0\0\0\0\x01";
const ON_THE_ROLL: &[u8] = b"LEKTT\0\0\0\0\0\0\0";
const NOTHING: &[u8] = b"LEKTH\0\0\0\0\0\0\0\0\0\0\x4dA\0\0\0";

#[test]
fn a_conversation_is_the_same_whole_and_byte_by_byte_and_sent_ahead() {
    let sent = [HELLO, TOLD, BEAT, BEAT].concat();
    let expected = [ACCEPTED, ON_THE_ROLL, NOTHING, NOTHING].concat();
    for chunk in 1..=sent.len() {
        let mut world = World::new();
        let mut guest = world.guest("127.0.0.1:1");
        let mut waiting = Vec::new();
        for part in sent.chunks(chunk) {
            waiting.extend_from_slice(part);
            let judged = guest.receive(&mut world, &waiting);
            waiting.drain(..judged);
        }
        assert_eq!((guest.sent, waiting.len()), (expected.clone(), 0), "{chunk} bytes at a time");
        assert_eq!(world.roll.len(), 1);
    }
}

#[test]
fn every_prefix_is_incomplete_and_never_a_message() {
    let phases: [(&[u8], &[u8]); 3] = [(&[], HELLO), (HELLO, TOLD), (&[HELLO, TOLD].concat(), BEAT)];
    for (before, message) in phases {
        for cut in 0..message.len() {
            let mut world = World::new();
            let mut guest = world.guest("127.0.0.1:1");
            guest.receive(&mut world, before);
            assert_eq!(guest.receive(&mut world, &message[..cut]), 0);
            assert!(guest.ended.is_none());
        }
    }
}

#[test]
fn answers_have_golden_bytes() {
    let mut world = World::new();
    let mut alice = world.member(1);
    assert_eq!(alice.answer(&mut world), NOTHING);
    let mut bob = world.member(2);
    let beginning = b"LEKTH\0\0\0\0\0\0\0\0\0\0\x4d";
    let object =
        |host: u8| [&b"A\0\0\x01\0\0\0\x0c\x7f\0\0"[..], &[host], b"\0\0\0\x01\0\0\x10\x92"].concat();
    assert_eq!(bob.answer(&mut world), [&beginning[..], &object(1)].concat());
    assert_eq!(alice.answer(&mut world), [&beginning[..], &object(2)].concat());
    let State::Present { member, .. } = bob.session.state else { panic!("bob is not present") };
    world.roll.leave(member);
    world.member(2);
    let removed = [&beginning[..], b"R\0\0\x01\x7f\0\0\x02"].concat();
    assert_eq!(alice.answer(&mut world), [&removed[..], beginning, &object(2)].concat());
    let State::Present { member, .. } = world.member(3).session.state else { panic!("not present") };
    world.roll.leave(member);
    assert_eq!(alice.answer(&mut world), NOTHING, "who came and went in between");
}

#[test]
fn malformed_input_is_rejected_with_a_reason_in_every_phase() {
    let table: [(&[u8], &[u8], &str); 9] = [
        (&[], b"GET / HTTP/1.1\r\n", "malformed: magic is \"GET \" (byte 0)"),
        (&[], b"LEKTH\x01\0\0", "this server speaks version 0.0.0, which cannot talk to version 1.0.0"),
        (&[], b"LEKTX\x01\0\0", "this server speaks version 0.0.0, which cannot talk to version 1.0.0"),
        (&[], b"LEKTA\0\0\0", "malformed: kind \"A\" is not expected here (byte 4)"),
        (&[], b"LEKTH\0\0\0\0\0\x04\x01", "malformed: number of methods 1025 is not allowed (byte 8)"),
        (HELLO, b"LEKTT\0\0\0\0\0\0\x02", "malformed: index of method 2 is not allowed (byte 8)"),
        (HELLO, b"LEKTT\0\0\0\0\0\0\x01\0\0\0\0", "malformed: port 0 is not allowed (byte 12)"),
        (&[HELLO, TOLD].concat(), b"LEKTH\0\0\x01", "malformed: version 0.0.1 in a session of 0.0.0"),
        (&[HELLO, TOLD].concat(), b"LEKTT\0\0\0", "malformed: kind \"T\" is not expected here (byte 4)"),
    ];
    for (before, bytes, reason) in table {
        let mut world = World::new();
        let mut guest = world.guest("127.0.0.1:1");
        guest.receive(&mut world, before);
        guest.sent.clear();
        guest.receive(&mut world, &bytes[..bytes.len().min(8)]);
        guest.receive(&mut world, bytes);
        assert_eq!(guest.ended.as_deref(), Some(reason));
        assert_eq!(guest.sent, rejection(Version::OURS, reason));
    }
}

#[test]
fn the_lower_version_is_spoken_and_an_ipv6_address_has_no_room() {
    let mut world = World::new();
    let mut guest = world.guest("127.0.0.1:1");
    guest.receive(&mut world, b"LEKTH\0\x05\x06\0\0\0\0");
    assert_eq!(guest.sent, [b"LEKTA\0\0\0", ON_THE_ROLL].concat());
    let mut guest = world.guest("[2001:db8::1]:1");
    guest.receive(&mut world, &HELLO[..12]);
    assert!(guest.ended.is_none(), "it is rejected in answer to its handshake");
    guest.receive(&mut world, HELLO);
    assert!(guest.ended.unwrap().contains("IPv6"));
}

#[test]
fn time_runs_out_in_each_phase() {
    let mut world = World::new();
    let mut silent = world.guest("127.0.0.1:1");
    let mut slow = world.guest("127.0.0.2:1");
    slow.receive(&mut world, HELLO);
    let mut present = world.member(3);
    let start = world.now;
    for (seconds, ended) in [(9, [false, false, false]), (10, [true, true, false]), (30, [true, true, true])]
    {
        world.now = start + Duration::from_secs(seconds);
        for (guest, expected) in [&mut silent, &mut slow, &mut present].into_iter().zip(ended) {
            if guest.ended.is_none() {
                guest.handle(&world, Event::Tick);
            }
            assert_eq!(guest.ended.is_some(), expected, "after {seconds} s");
        }
    }
    assert!(silent.ended.unwrap().contains("within 10 s"));
    assert!(present.sent.is_empty(), "who falls silent on the roll is not told why");
}

#[test]
fn a_heartbeat_puts_the_end_off() {
    let mut world = World::new();
    let mut present = world.member(1);
    world.now += Duration::from_secs(29);
    present.answer(&mut world);
    world.now += Duration::from_secs(29);
    present.receive(&mut world, &BEAT[..15]);
    present.handle(&world, Event::Tick);
    assert!(present.ended.is_none());
    world.now += Duration::from_secs(1);
    present.handle(&world, Event::Tick);
    assert!(present.ended.is_some(), "a heartbeat that is not whole counts for nothing");
}

#[test]
fn whoever_fell_out_of_the_journal_is_closed() {
    let mut world = World::new();
    let mut behind = world.member(1);
    behind.answer(&mut world);
    for host in 2..=18 {
        world.member(host);
    }
    behind.receive(&mut world, BEAT);
    assert!(behind.ended.unwrap().contains("journal"));
    assert!(behind.sent.is_empty());
    let answer = world.member(99).answer(&mut world);
    assert_eq!(answer[16..20], *b"A\0\0\x12", "a first answer needs no journal");
}

/// Conversations with bytes changed, dropped, doubled and cut: the session takes what is whole, waits, or says what is
/// wrong in a valid rejection. What it took never comes back, and it never takes more than there is.
#[test]
fn mutated_conversations_do_no_harm() {
    let golden = [HELLO, TOLD, BEAT, BEAT, b"LEKTH\0\0\0\0\0\x04\0", &[0xff; 128], BEAT].concat();
    for seed in 1..=20_000_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
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
        let mut guest = world.guest("127.0.0.1:1");
        let mut waiting = Vec::new();
        for part in bytes.chunks(1 + random(bytes.len())) {
            waiting.extend_from_slice(part);
            let judged = guest.receive(&mut world, &waiting);
            assert!(judged <= waiting.len(), "seed {seed}");
            waiting.drain(..judged);
            assert!(guest.ended.is_some() || waiting.len() < 140, "seed {seed}: no packet is so long");
        }
        if let Some(why) = guest.ended {
            let said = rejection(Version::OURS, &why);
            assert!(guest.sent.ends_with(&said), "seed {seed}: {why}");
            let reason = &said[8..];
            assert!(wire::said(&mut Reader::new(reason), "reason").is_ok(), "seed {seed}: {why}");
        }
    }
}

#[test]
fn who_is_not_on_the_roll_yet_is_pending_and_told_that_others_need_the_place() {
    let mut world = World::new();
    for (said, standing) in [
        (&b""[..], Standing::Pending),
        (HELLO, Standing::Pending),
        (&[HELLO, TOLD].concat(), Standing::Settled),
    ] {
        let mut guest = world.guest("127.0.0.1:1");
        guest.receive(&mut world, said);
        assert_eq!(guest.session.standing(), standing, "{said:?}");
    }
    let mut guest = world.guest("127.0.0.1:1");
    let mut out = Output::default();
    let fault = guest.session.handle(world.now, Event::GiveWay, &world, &mut out).unwrap_err();
    assert_eq!(fault.why, "others need the place: your handshake takes too long");
    assert!(fault.farewell.starts_with(b"LEKTR"));
}
