//! Every refusal by name.

use super::*;

/// What is sent in a phase, which has been reached by sending this.
struct Case {
    before: Vec<Vec<u8>>,
    sent: Vec<u8>,
    reason: &'static str,
}

fn case(before: &[Vec<u8>], sent: impl Into<Vec<u8>>, reason: &'static str) -> Case {
    Case { before: before.to_vec(), sent: sent.into(), reason }
}

/// What a client may say of itself that it cannot stay with.
fn replies() -> Vec<Case> {
    let table: &[(&[u8], &str)] = &[
        (b"GET / HTTP/1.1\r\n", "Version reply is malformed: no comma behind a name (byte 14)"),
        (b"flexmusic,0.0.0\r\n", "Name does not start with FlexMusic"),
        (b"Music,0.0.0\r\n", "Name does not start with FlexMusic"),
        (b"FlexMusic,1.0.0\r\n", "Incompatible version: the class has to be 0"),
        (b"FlexMusic,0.0\r\n", "Version reply is malformed: the version has not three parts (byte 14)"),
        (b"FlexMusic,0.0.0.0\n", "Version reply is malformed: the version has not three parts (byte 15)"),
        (b"FlexMusic,0.0.-1\n", "Version reply is malformed: a part of the version is no number (byte 14)"),
        (b"FlexMusic, 0.0.0\n", "Version reply is malformed: a part of the version is no number (byte 10)"),
        (b"FlexMusic,0.00.0\n", "Version reply is malformed: a leading zero in the version (byte 12)"),
        (
            b"FlexMusic,0.65536.0\n",
            "Version reply is malformed: a number of the version is over 65535 (byte 12)",
        ),
        (b"FlexMusic\x1b[2J,0.0.0\n", "Version reply is malformed: a control character in the name (byte 9)"),
        (b",0.0.0\n", "Version reply is malformed: no name (byte 0)"),
        (b"FlexMusic\xff,0.0.0\n", "Version reply is not UTF-8"),
        (&[b'x'; 257], "Version reply is longer than 256 bytes"),
        (&[0xff; 257], "Version reply is longer than 256 bytes"),
        // The first line end is that of the PEM's first line.
        (
            b"FlexMusic,0.0.0-----BEGIN PUBLIC KEY-----\n",
            "Version reply is malformed: a part of the version is no number (byte 14)",
        ),
    ];
    table.iter().map(|&(sent, reason)| case(&[], sent, reason)).collect()
}

/// What is no public key of the group.
fn keys() -> Vec<Case> {
    let before = [reply()];
    let y = |end: &str| PUBLIC_KEY.replace("CAQID\nBAACAQI=", end);
    vec![
        case(&before, "GET", "Public key is malformed: another BEGIN line is expected (byte 0)"),
        case(&before, "-----BEGIN P ", "Public key is malformed: another BEGIN line is expected (byte 12)"),
        case(
            &before,
            token("FlexMusic,0.0.0"),
            "Public key is malformed: another BEGIN line is expected (byte 0)",
        ),
        case(
            &before,
            "-----BEGIN PUBLIC KEY-----\nMIIB\n\n",
            "Public key is malformed: that is no base64 (byte 32)",
        ),
        case(
            &before,
            format!("-----BEGIN PUBLIC KEY-----\n{}", "A".repeat(9000)),
            "Public key is malformed: the block is too long (byte 8192)",
        ),
        case(&before, y("CAQID\nBAACAQE="), "Public key is not valid: the key is not between 1 and p - 1"),
        case(&before, y("CAQID\nBAACAQA="), "Public key is not valid: the key is not between 1 and p - 1"),
        case(&before, y("CAQMD\nBAACAQI="), "Public key is not valid: the key is of another group"),
    ]
}

/// What is no challenge, or no command.
fn tokens() -> Vec<Case> {
    let secured = &handshake()[..2];
    let other = |byte: u8| Key::new([byte; 32]).seal(b"FlexMusic,0.0.0", 0, [7; 16]);
    let mut cases = vec![
        case(secured, token("FlexMusic,0.0.1"), "Challenge is wrong"),
        case(secured, token("FlexMusic Test,0.0.0"), "Challenge is wrong"),
        case(secured, token(""), "Challenge is wrong"),
    ];
    for before in [secured.to_vec(), handshake(), login()] {
        cases.extend([
            case(&before, "gAAAA+", "Token is not valid: that is no base64url (byte 5)"),
            case(&before, "gAAA AAA", "Token is not valid: that is no base64url (byte 4)"),
            case(
                &before,
                "-----BEGIN PUBLIC KEY-----\n",
                "Token is not valid: that is no base64url (byte 10)",
            ),
            case(&before, "gAAA=", "Token is not valid: no token that verifies ends here (byte 4)"),
            case(&before, other(1), "Token is not valid: no token that verifies ends here (byte 98)"),
            case(&before, [b'A'; 1024], "Token is not valid: there is no token so far (byte 1024)"),
        ]);
    }
    cases
}

#[test]
fn whatever_is_wrong_is_told_plainly_before_there_is_a_key_and_in_a_token_after() {
    for Case { before, sent, reason } in replies().into_iter().chain(keys()).chain(tokens()) {
        for chunk in [1, usize::MAX] {
            let mut world = World::new();
            let mut guest = world.guest_after(On, &before);
            sent.chunks(chunk.min(sent.len())).for_each(|part| guest.send(&mut world, part));
            let badly = before.len() < 3;
            assert_eq!(guest.end, Some(End::Failed { why: reason.to_owned(), badly }));
            let line = format!("400 {reason}.\r\n");
            let told = if before.len() < 2 { line } else { format!("{{{line}}}") };
            assert_eq!(guest.heard(), [told]);
        }
    }
}

#[test]
fn reasons_are_printable_and_name_what_was_wrong() {
    for Case { reason, .. } in replies().into_iter().chain(keys()).chain(tokens()) {
        assert!(reason.bytes().all(|byte| matches!(byte, b' '..=b'~')) && reason.len() < 90, "{reason}");
        assert!(reason.starts_with(|first: char| first.is_ascii_uppercase()), "{reason}");
    }
}

#[test]
fn who_is_not_in_yet_is_pending_and_told_that_others_need_the_place() {
    let why = "Others need the place and the handshake takes too long";
    for authorization in [Off, On] {
        let said = login();
        for sent in 0..=said.len() {
            let mut world = World::new();
            let mut guest = world.guest_after(authorization, &said[..sent]);
            let in_already = guest.session.state.name() == "ready";
            let expected = if in_already { Standing::Settled } else { Standing::Pending };
            assert_eq!(guest.session.standing(), expected, "after {sent} packets");
            guest.handle(&world, Event::GiveWay);
            let line = format!("400 {why}.\r\n");
            let told = if sent < 2 { line } else { format!("{{{line}}}") };
            assert_eq!(guest.heard().last(), Some(&told), "after {sent} packets");
        }
    }
}

#[test]
fn at_the_daemons_end_everybody_is_told_and_nothing_is_held_against_them() {
    let why = "The server is shutting down";
    for authorization in [Off, On] {
        let said = login();
        for sent in 0..=said.len() {
            let mut world = World::new();
            let mut guest = world.guest_after(authorization, &said[..sent]);
            guest.handle(&world, Event::Shutdown);
            assert_eq!(guest.end, Some(End::Failed { why: why.to_owned(), badly: false }));
            let line = format!("400 {why}.\r\n");
            let told = if sent < 2 { line } else { format!("{{{line}}}") };
            assert_eq!(guest.heard().last(), Some(&told), "after {sent} packets");
        }
    }
}

#[test]
fn an_end_between_the_first_byte_and_the_interpreter_is_held_against_the_address() {
    for authorization in [Off, On] {
        for sent in 0..=login().len() {
            let mut world = World::new();
            let guest = world.guest_after(authorization, &login()[..sent]);
            let badly = (1..3).contains(&sent);
            assert_eq!(guest.session.ends_badly(), badly, "after {sent} packets the connection breaks");
        }
    }
}

#[test]
fn an_end_before_the_first_byte_is_not() {
    let table: &[(&[u8], bool)] =
        &[(b"", false), (b" ", true), (b"\n", true), (b"F", true), (b"FlexMusic,0.0.0\n", true)];
    for &(sent, badly) in table {
        let mut world = World::new();
        let mut guest = world.guest(Off);
        guest.send(&mut world, sent);
        assert_eq!(guest.session.ends_badly(), badly, "another end, such as a reset");
        guest.end_of_stream(&mut world);
        assert_eq!(guest.end, Some(End::Closed { badly }), "{}", sent.escape_ascii());
        guest.handle(&world, Event::EndOfStream);
        assert_eq!(guest.session.ends_badly(), badly, "it can be told twice");
    }
}

#[test]
fn a_session_that_has_an_ask_out_takes_no_bytes() {
    let mut world = World::new();
    let mut session = world.guest_after(On, &[reply()]).session;
    let mut out = Output::default();
    session.receive(world.now, PUBLIC_KEY.as_bytes(), &world, &mut out).unwrap();
    assert!(out.has_ask() && session.deadline().is_none() && session.ends_badly());
    let fault = session.receive(world.now, b"x", &world, &mut out).unwrap_err();
    assert!(fault.farewell.is_empty());
}
