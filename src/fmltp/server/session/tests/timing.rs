//! Every clock, to the edge.

use super::*;

const MOMENT: Duration = Duration::from_nanos(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn failed(why: &str, badly: bool) -> Option<End> {
    Some(End::Failed { why: why.to_owned(), badly })
}

/// What a client that is late is told in each phase, after it has sent so many packets.
const LATE: [(usize, &str, bool); 5] = [
    (0, "Version reply was not complete within 5 s", true),
    (1, "Public key was not complete within 5 s", true),
    (2, "Challenge was not complete within 5 s", true),
    (3, "Token was not complete within 5 s", false),
    (4, "Token was not complete within 5 s", false),
];

#[test]
fn each_packet_has_its_time_and_not_a_moment_more() {
    for (sent, why, badly) in LATE {
        let mut world = World::new();
        let mut guest = world.guest_after(On, &login()[..sent]);
        // White space is no beginning of a packet; a token's time starts with its first byte.
        guest.send(&mut world, b"\r\n");
        let first: &[u8] = [b"F", b"-", b"g", b"g", b"g"][sent];
        guest.send(&mut world, first);
        guest.wait(&mut world, ms(5000) - MOMENT);
        assert_eq!((guest.end.clone(), guest.sent.len()), (None, 0), "after {sent} packets");
        guest.wait(&mut world, MOMENT);
        assert_eq!(guest.end, failed(why, badly));
        let line = format!("400 {why}.\r\n");
        let told = if sent < 2 { line } else { format!("{{{line}}}") };
        assert_eq!(guest.heard(), [told]);
    }
}

#[test]
fn bytes_do_not_start_a_clock_anew() {
    for (sent, why, badly) in LATE {
        let packets = [login(), vec![token("WHO")]].concat();
        let mut world = World::new();
        let mut guest = world.guest_after(On, &packets[..sent]);
        let packet = &packets[sent];
        for &byte in &packet[..packet.len().min(49) - 3] {
            if guest.end.is_none() {
                guest.send(&mut world, &[byte]);
                guest.wait(&mut world, ms(5000) / 40);
            }
        }
        if sent == 0 {
            // A reply is shorter than the others.
            guest.wait(&mut world, ms(5000));
        }
        assert_eq!(guest.end, failed(why, badly), "after {sent} packets");
    }
}

#[test]
fn a_client_that_says_nothing_at_all_is_late_as_well() {
    for (sent, why, badly) in &LATE[..3] {
        let mut world = World::new();
        let mut guest = world.guest_after(On, &login()[..*sent]);
        guest.wait(&mut world, ms(5000));
        assert_eq!(guest.end, failed(why, *badly));
    }
}

#[test]
fn each_step_has_a_clock_of_its_own() {
    let mut world = World::new();
    let mut guest = world.guest(Off);
    for packet in handshake() {
        guest.wait(&mut world, ms(5000) - MOMENT);
        guest.send(&mut world, &packet);
    }
    assert_eq!(guest.heard().last().unwrap(), READY);
    guest.wait(&mut world, ms(86_400_000));
    assert_eq!((guest.end, guest.sent.len()), (None, 0), "whoever is on the roll may be silent");
    assert_eq!(world.roll.len(), 1);
}

#[test]
fn the_servers_own_work_does_not_count() {
    let mut world = World::new();
    let mut session = world.guest_after(On, &[reply()]).session;
    let mut out = Output::default();
    session.receive(world.now, PUBLIC_KEY.as_bytes(), &world, &mut out).unwrap();
    assert!(session.deadline().is_none());
    world.now += ms(60_000);
    work(&mut session, Effort::Brief);
    session.handle(world.now, Event::Answer(Answer::Toiled), &world, &mut out).unwrap();
    assert_eq!(session.deadline(), Some(world.now + ms(5000)));
}

#[test]
fn the_limit_of_a_step_can_be_set() {
    let mut world = World::new();
    let mut guest = world.guest_by(Settings { step_limit: ms(1500), ..settings(Off) });
    guest.wait(&mut world, ms(1500));
    assert_eq!(guest.end, failed("Version reply was not complete within 2 s", true));
}

#[test]
fn a_reply_without_line_end_is_whole_when_nothing_follows_it() {
    let table: &[(&[u8], Option<&str>)] = &[
        (b"FlexMusic,0.0.0", Some("DH PARAMETERS")),
        (b" \tFlexMusic,0.0.0", Some("DH PARAMETERS")),
        (b"FlexMusic,0.0.0\r", Some("DH PARAMETERS")),
        (b"FlexMusic,0.0.0 ", Some("DH PARAMETERS")),
        (b"Other,0.0.0", Some("400 Name does not start with FlexMusic.\r\n")),
        (b"FlexMusic,9.0.0", Some("400 Incompatible version: the class has to be 0.\r\n")),
        (b"FlexMusic,0.0.", None),
        (b"FlexMusic,0.0.00", None),
        (b"FlexMusic", None),
        (b"FlexMusic\xff,0.0.0", None),
        (b"\r", None),
    ];
    for &(sent, expected) in table {
        let mut world = World::new();
        let mut guest = world.guest_after(Off, &[sent.to_vec()]);
        guest.wait(&mut world, ms(100) - MOMENT);
        assert!(guest.heard().is_empty(), "{}", sent.escape_ascii());
        guest.wait(&mut world, MOMENT);
        assert_eq!(guest.heard(), expected.into_iter().collect::<Vec<_>>(), "{}", sent.escape_ascii());
    }
}

#[test]
fn every_byte_starts_the_quiet_time_anew() {
    let mut world = World::new();
    let mut guest = world.guest_after(Off, &[b"FlexMusic,0.0.0".to_vec()]);
    for _ in 0..5 {
        guest.wait(&mut world, ms(99));
        guest.send(&mut world, b" ");
    }
    assert!(guest.heard().is_empty());
    guest.wait(&mut world, ms(100));
    assert_eq!(guest.heard(), ["DH PARAMETERS"]);
    assert!(guest.unread.is_empty());
}

#[test]
fn a_number_goes_on_where_it_goes_on_in_time() {
    let mut world = World::new();
    let mut guest = world.guest_after(Off, &[b"FlexMusic,0.0.1".to_vec()]);
    guest.wait(&mut world, ms(99));
    guest.send(&mut world, b"x");
    guest.wait(&mut world, ms(1000));
    assert!(guest.heard().is_empty(), "it has not the form any more");
    guest.send(&mut world, b"\n");
    let end = "Version reply is malformed: a part of the version is no number (byte 14)";
    assert_eq!(guest.end, failed(end, true));
}

#[test]
fn the_quiet_time_is_within_the_time_of_the_step() {
    for (start, is_whole) in [(ms(4900) - MOMENT, true), (ms(4900), false), (ms(4999), false)] {
        let mut world = World::new();
        let mut guest = world.guest(Off);
        guest.wait(&mut world, start);
        guest.send(&mut world, b"FlexMusic,0.0.0");
        guest.wait(&mut world, ms(5000) - start);
        assert_eq!(guest.end.is_none(), is_whole);
    }
}

#[test]
fn a_reply_may_have_256_bytes_with_its_line_end() {
    let reply = |length: usize| format!("FlexMusic{},0.0.0", "c".repeat(length - 15));
    let table = [
        (format!("{}\n", reply(255)), true),
        (format!("   {}\r\n", reply(254)), true),
        (format!("{}\n", reply(256)), false),
        (format!("{}\r\n", reply(255)), false),
    ];
    for (sent, is_taken) in table {
        let mut world = World::new();
        let mut guest = world.guest(Off);
        guest.send(&mut world, sent.as_bytes());
        let answer =
            if is_taken { "DH PARAMETERS" } else { "400 Version reply is longer than 256 bytes.\r\n" };
        assert_eq!(guest.heard(), [SAID_FIRST, answer]);
    }
    let mut world = World::new();
    let mut guest = world.guest_after(Off, &[reply(256).into_bytes()]);
    guest.wait(&mut world, ms(100));
    assert_eq!(guest.heard(), ["DH PARAMETERS"], "all of them, where no line end comes");
}

#[test]
fn at_the_end_of_the_stream_a_reply_that_has_the_form_is_whole() {
    for (sent, expected) in [("FlexMusic,0.0.0", 1), ("FlexMusic,0.0.0\r", 1), ("FlexMusic,0.0.", 0)] {
        let mut world = World::new();
        let mut guest = world.guest_after(Off, &[sent.into()]);
        guest.end_of_stream(&mut world);
        assert_eq!((guest.heard().len(), guest.end), (expected, Some(BADLY)), "{sent}");
    }
}

#[test]
fn whoever_does_not_say_who_he_is_has_to_go() {
    let why = "No authentication within 60 s";
    let mut world = World::new();
    let mut silent = world.guest_after(On, &handshake());
    silent.wait(&mut world, ms(60_000) - MOMENT);
    assert_eq!(silent.end, None);
    silent.wait(&mut world, MOMENT);
    assert_eq!(silent.end, failed(why, false), "it is no failed handshake");
    assert_eq!(silent.heard(), [format!("{{400 {why}.\r\n}}")]);
}

#[test]
fn half_a_token_does_not_put_that_off() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &handshake());
    guest.wait(&mut world, ms(58_000));
    guest.send(&mut world, b"gAAA");
    guest.wait(&mut world, ms(2000));
    assert_eq!(guest.end, failed("No authentication within 60 s", false));
}

#[test]
fn commands_do_not_put_that_off() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &handshake());
    for _ in 0..2 {
        guest.wait(&mut world, ms(29_000));
        guest.send(&mut world, &[token("HELP"), token("AUTH alice wrong")].concat());
    }
    assert_eq!(guest.end, None);
    guest.wait(&mut world, ms(2000) - MOMENT);
    assert_eq!(guest.end, None);
    guest.wait(&mut world, MOMENT);
    assert_eq!(guest.end, failed("No authentication within 60 s", false));
}

#[test]
fn a_password_that_came_in_time_counts_however_long_it_is_checked() {
    for (password, is_in) in [("secret", true), ("wrong", false)] {
        let mut world = World::new();
        let mut guest = world.guest_after(On, &handshake());
        guest.wait(&mut world, ms(60_000) - MOMENT);
        let mut out = Output::default();
        let claim = token(&format!("AUTH alice {password}"));
        guest.session.receive(world.now, &claim, &world, &mut out).unwrap();
        world.now += ms(250);
        guest.follow(&mut world, out);
        guest.tick(&mut world);
        assert_eq!(guest.end.is_none(), is_in);
        assert_eq!(guest.heard()[0], if is_in { RIGHT } else { WRONG });
    }
}

#[test]
fn the_next_token_has_a_time_of_its_own() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &login());
    for _ in 0..3 {
        let token = token("WHO");
        let (first, second) = token.split_at(50);
        guest.send(&mut world, first);
        guest.wait(&mut world, ms(4999));
        guest.send(&mut world, second);
        assert_eq!(guest.heard().len(), 1);
        assert!(guest.session.deadline().is_none());
        guest.wait(&mut world, ms(100_000));
    }
    assert_eq!(guest.end, None);
}
