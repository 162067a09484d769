//! What is answered to whom.

use super::*;
use crate::fmltp::command::Mode;

const UNKNOWN: &str = "{400 Invalid command or operative.\r\n}";
const TOO_MANY: &str = "{410 Too many arguments passed.\r\n}";
const TOO_FEW: &str = "{411 Too few arguments passed.\r\n}";

/// A client whose session takes the commands of this mode.
fn guest_in(world: &mut World, mode: Mode) -> Guest {
    match mode {
        Mode::Lockdown => world.guest_after(On, &handshake()),
        Mode::Normal => world.guest_after(On, &login()),
    }
}

#[test]
fn every_row_of_the_table_is_answered_in_a_token() {
    let help = [Mode::Lockdown, Mode::Normal].map(|mode| format!("{{{}}}", mode.help()));
    let who = "{200 1 clients.\r\n1 fmltp 10.0.0.1:4000 alice\r\n}";
    let quit = "{200 Help for QUIT:\r\nUsage: QUIT\r\nCloses connection to server\r\n}";
    let table: &[(Mode, &str, &str)] = &[
        (Mode::Lockdown, "AUTH alice secret", RIGHT),
        (Mode::Lockdown, "AUTH alice Secret", WRONG),
        (Mode::Lockdown, "AUTH  secret", WRONG),
        (Mode::Lockdown, "AUTH alice", TOO_FEW),
        (Mode::Lockdown, "AUTH alice  secret", TOO_MANY),
        (Mode::Lockdown, "HELP", &help[0]),
        (Mode::Lockdown, "HELP QUIT", quit),
        (Mode::Lockdown, "HELP WHO", "{420 Command WHO not found.\r\n}"),
        (Mode::Lockdown, "WHO", UNKNOWN),
        (Mode::Lockdown, "FlexMusic,0.0.0", UNKNOWN),
        (Mode::Lockdown, "", UNKNOWN),
        (Mode::Lockdown, "\r\n", UNKNOWN),
        (Mode::Normal, "WHO\r\n", who),
        (Mode::Normal, "WHO 1", TOO_MANY),
        (Mode::Normal, "HELP", &help[1]),
        (Mode::Normal, "HELP QUIT", quit),
        (Mode::Normal, "HELP AUTH", "{420 Command AUTH not found.\r\n}"),
        (Mode::Normal, "HELP  QUIT", TOO_MANY),
        (Mode::Normal, "AUTH alice secret", UNKNOWN),
        (Mode::Normal, "", UNKNOWN),
    ];
    for &(mode, text, expected) in table {
        let mut world = World::new();
        let mut guest = guest_in(&mut world, mode);
        guest.send(&mut world, &token(text));
        assert_eq!((guest.heard(), guest.end), (vec![expected.to_owned()], None), "{mode:?} {text:?}");
    }
}

#[test]
fn what_is_no_text_is_no_command() {
    for mode in [Mode::Lockdown, Mode::Normal] {
        let mut world = World::new();
        let mut guest = guest_in(&mut world, mode);
        guest.send(&mut world, &Key::new(KEY).seal(b"HELP \xff", 0, [7; 16]));
        assert_eq!((guest.heard(), guest.end), (vec![UNKNOWN.to_owned()], None));
    }
}

#[test]
fn nothing_follows_a_goodbye() {
    for mode in [Mode::Lockdown, Mode::Normal] {
        let mut world = World::new();
        let mut guest = guest_in(&mut world, mode);
        guest.send(&mut world, &[token("QUIT"), token("HELP")].concat());
        assert_eq!((guest.heard(), guest.end.clone()), (vec![GOODBYE.to_owned()], Some(WELL)));
        let mut out = Output::default();
        assert_eq!(guest.session.receive(world.now, b"x", &world, &mut out).unwrap(), 0);
        assert!(guest.session.deadline().is_none());
        guest.handle(&world, Event::Shutdown);
        assert!(guest.end == Some(WELL) && guest.sent.is_empty());
    }
}

#[test]
fn the_third_wrong_password_is_the_last() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &handshake());
    let said = ["AUTH alice x", "AUTH alice", "HELLO", "AUTH bob secret", "HELP x", "AUTH alice y"];
    for text in said {
        assert_eq!(guest.end, None);
        guest.send(&mut world, &[token(text), token("AUTH alice secret")][..1].concat());
    }
    let not_found = "{420 Command x not found.\r\n}";
    assert_eq!(guest.heard(), [WRONG, TOO_FEW, UNKNOWN, WRONG, not_found, WRONG]);
    assert_eq!(guest.end, Some(WELL), "it is no failed handshake");
    assert!(world.roll.is_empty());
}

#[test]
fn what_was_sent_ahead_of_the_third_wrong_password_is_not_looked_at() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &handshake());
    let wrong = token("AUTH alice x");
    guest.send(&mut world, &[wrong.clone(), wrong.clone(), wrong, token("AUTH alice secret")].concat());
    assert_eq!(guest.heard(), [WRONG; 3]);
    assert!(guest.end == Some(WELL) && world.roll.is_empty());
}

#[test]
fn a_wrong_password_and_a_goodbye_let_nobody_in() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &handshake());
    guest.send(&mut world, &[token("AUTH alice x"), token("QUIT"), token("WHO")].concat());
    assert_eq!(guest.heard(), [WRONG, GOODBYE]);
    assert!(guest.end == Some(WELL) && world.roll.is_empty());
}

#[test]
fn a_password_is_forgotten_once_it_is_judged() {
    for (password, is_right) in [("secret", true), ("wrong", false)] {
        let mut attempt = Attempt::claimed("alice", password);
        attempt.judge(|name, password| (name, password) == ("alice", b"secret"));
        assert_eq!(matches!(attempt, Attempt::Right { .. }), is_right);
        assert!(!matches!(attempt, Attempt::Claimed { .. }));
        attempt.judge(|_, _| panic!("it has been judged"));
    }
}

#[test]
fn the_longest_text_fits_and_one_more_byte_does_not() {
    let mut world = World::new();
    let mut guest = world.guest_after(On, &login());
    let name = "x".repeat(703 - 5);
    guest.send(&mut world, &token(&format!("HELP {name}")));
    assert_eq!(guest.heard(), [format!("{{420 Command {name} not found.\r\n}}")]);
    guest.send(&mut world, &token(&format!("HELP {name}x")));
    assert!(matches!(guest.end, Some(End::Failed { badly: false, .. })));
}
