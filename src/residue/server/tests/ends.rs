//! How connections end.

use std::time::Instant;

use super::guest::{hello_with_key, plain};
use super::world::BEGIN;
use super::*;
use crate::residue::desk::{Notice, Port, Verdict};
use crate::session::{Answer, Ask, Event, Output};

const ITEM: &str = r#"{"datetime":1504663925034,"msg":"hello"}"#;

#[test]
fn whoever_has_to_begin_anew_is_closed_without_a_word() {
    let mut world = World::new();
    for port in [Port::Connect, Port::Token, Port::Log] {
        let mut guest = Guest::at(&mut world, port);
        guest.happens(&mut world, Event::Mail(Box::new(Notice::CloseNow)));
        assert!(guest.closed && guest.said.is_empty() && guest.why.is_none());
    }
}

#[test]
fn what_was_asked_is_answered_before_the_connection_is_closed() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut guest = Guest::at(&mut world, Port::Log);
    assert_eq!(guest.hears(&mut world, &client.seal(ITEM)), r#"{"r":0}"#);
    let packet = client.seal(ITEM);
    let mut out = Output::default();
    assert_eq!(guest.session.receive(world.now, &packet, &world, &mut out).unwrap(), packet.len());
    assert!(matches!(out.take_ask(), Some(Ask::Clerk(_))));
    assert_eq!(guest.session.standing(), Standing::Settled);
    guest.happens(&mut world, Event::Mail(Box::new(Notice::CloseNow)));
    assert!(!guest.closed);
    guest.happens(&mut world, Event::Answer(Answer::Clerk(Box::new(Verdict::Logged))));
    assert_eq!(guest.replies().last(), Some(&r#"{"r":0}"#));
    assert!(guest.closed);
}

#[test]
fn the_daemon_may_end_at_any_time() {
    let mut world = World::new();
    for port in [Port::Connect, Port::Token, Port::Log] {
        let mut guest = Guest::at(&mut world, port);
        guest.sends(&mut world, b"half");
        guest.happens(&mut world, Event::Shutdown);
        assert!(guest.said.is_empty() && guest.why.is_none());
        assert_eq!(guest.session.deadline(), None);
        assert!(!guest.session.ends_badly());
    }
}

#[test]
fn who_has_said_nothing_sensible_for_longest_gives_way() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let heard = |guest: &Guest| match guest.session.standing() {
        Standing::Loose(heard) => heard,
        standing => panic!("{standing:?}"),
    };
    let step = |world: &mut World, guest: &mut Guest, packet: &[u8]| -> Instant {
        world.pass(1);
        guest.sends(world, packet);
        heard(guest)
    };
    let mut connect = Guest::at(&mut world, Port::Connect);
    let begin = world.now;
    assert_eq!(heard(&connect), begin);
    let touch = client.request(&world, 3);
    let mut forger = Client { key: "00".repeat(32), ..client.clone() };
    let insensible = [
        plain("junk"),
        plain(r#"{"type":1}"#),
        forger.request(&world, 3),
        client.seal("{}"),
        b"half".to_vec(),
    ];
    for packet in &insensible[..4] {
        assert_eq!(step(&mut world, &mut connect, packet), begin);
    }
    assert_eq!(step(&mut world, &mut connect, &touch), world.now);
    let touched = world.now;
    assert_eq!(step(&mut world, &mut connect, &touch), touched, "it is repeated");
    assert_eq!(step(&mut world, &mut connect, &hello_with_key(&CLIENT, "")), world.now);
    let hello = world.now;
    assert_eq!(step(&mut world, &mut connect, &insensible[4]), hello);

    let mut token = Guest::at(&mut world, Port::Token);
    let ask = client.seal(&format!(r#"{{"_t":{BEGIN},"logger_id":"a"}}"#));
    assert!(step(&mut world, &mut token, &ask) > hello);
    let mut log = Guest::at(&mut world, Port::Log);
    let opened = world.now;
    assert_eq!(step(&mut world, &mut log, &client.seal("{}")), opened);
    assert_eq!(step(&mut world, &mut log, &client.seal(ITEM)), world.now);
    // It is not the client's fault that there is no room.
    world.files.fill(true);
    assert_eq!(step(&mut world, &mut log, &client.seal(ITEM)), world.now);
}

#[test]
fn a_mistake_of_ours_is_no_reason_to_panic() {
    let mut world = World::new();
    let mut faults = Vec::new();
    let answers: [fn() -> Answer; 4] = [
        || Answer::Toiled,
        || Answer::Left,
        || Answer::Clerk(Box::new(Verdict::Noted)),
        || Answer::Clerk(Box::new("nonsense")),
    ];
    for answer in answers {
        let mut guest = Guest::at(&mut world, Port::Connect);
        let mut out = Output::default();
        let outcome = guest.session.handle(world.now, Event::Answer(answer()), &world, &mut out);
        faults.push(outcome.unwrap_err());
    }
    // A verdict on something else.
    let mut guest = Guest::at(&mut world, Port::Connect);
    let mut out = Output::default();
    let packet = plain(r#"{"type":2,"client_id":"nobody"}"#);
    guest.session.receive(world.now, &packet, &world, &mut out).unwrap();
    let mut out = Output::default();
    faults.push(guest.session.receive(world.now, &packet, &world, &mut out).unwrap_err());
    let verdict = Answer::Clerk(Box::new(Verdict::Logged));
    faults.push(guest.session.handle(world.now, Event::Answer(verdict), &world, &mut out).unwrap_err());
    assert!(faults.iter().all(|fault| fault.level == log::Level::Error && fault.farewell.is_empty()));
}
