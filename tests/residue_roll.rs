//! Residue: who is on the roll, and for how long.

#![cfg(all(feature = "residue", feature = "fmltp"))]
#![cfg(test)]

mod common;

use std::fs;
use std::net::SocketAddr;

use common::fmltp::{Fm, READY};
use common::residue::*;
use common::*;

on_both_engines!(
    a_client_is_on_the_roll_from_its_acknowledgement_on,
    a_client_stays_whatever_becomes_of_its_connections,
    a_client_is_there_once,
    whoever_is_no_longer_managed_is_gone,
    whoever_has_another_key_begins_anew,
    at_the_limit_whoever_has_not_acknowledged_gives_way,
    other_doors_hear_nothing_of_it,
    the_connection_that_was_silent_longest_does_not_give_way_at_once,
);

/// A daemon with FmLTP beside, which says who is there.
#[track_caller]
fn start_with_who(engine: Engine, args: &[&str]) -> (Daemon, Place) {
    start(engine, &[&["--fmltp", "127.0.0.1:0"], args].concat())
}

/// The addresses and names of those on the roll who came by Residue.
#[track_caller]
fn on_the_roll(watcher: &mut Fm) -> Vec<(SocketAddr, String)> {
    let answer = watcher.answer_to("WHO");
    let lines = answer.lines().filter_map(|line| {
        let [_, door, address, name] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        door.starts_with("residue").then(|| {
            assert_eq!(door, "residue");
            (address.parse().unwrap(), name.to_owned())
        })
    });
    lines.collect()
}

/// Where a client says that it comes from.
#[track_caller]
fn local(client: &mut Client, port: Port) -> SocketAddr {
    client.wire(port).raw().stream().local_addr().unwrap()
}

fn a_client_is_on_the_roll_from_its_acknowledgement_on(engine: Engine) {
    let (daemon, _place) = start_with_who(engine, &[]);
    let mut watcher = Fm::ready(&daemon, READY);
    let mut ann = Client::greeted_from(ip(7), &daemon);
    assert_eq!(on_the_roll(&mut watcher), []);
    assert!(ann.asks(Port::Connect, &ann.request(3)).contains("Please ACKNOWLEDGE it first"));
    assert_eq!(on_the_roll(&mut watcher), []);
    ann.acknowledges();
    let anns = (local(&mut ann, Port::Connect), ann.id.clone());
    assert_eq!(on_the_roll(&mut watcher), std::slice::from_ref(&anns));
    let mut bob = Client::established(&daemon);
    let bobs = (local(&mut bob, Port::Connect), bob.id.clone());
    assert_eq!(on_the_roll(&mut watcher), [anns.clone(), bobs.clone()]);
    ann.touches();
    ann.logs_message("hello");
    ann.is_given_token("app", "");
    assert_eq!(on_the_roll(&mut watcher), [anns, bobs]);
    assert!(watcher.answer_to("WHO").starts_with("200 3 clients.\r\n"));
}

fn a_client_stays_whatever_becomes_of_its_connections(engine: Engine) {
    let (daemon, place) = start_with_who(engine, &[]);
    let mut watcher = Fm::ready(&daemon, READY);
    let before = process::descriptors(daemon.pid());
    let mut client = Client::established(&daemon);
    client.logs_message("one");
    let there = [(local(&mut client, Port::Connect), client.id.clone())];
    let log_file = 1;
    client.hangs_up();
    process::eventually("they are closed", || process::descriptors(daemon.pid()) <= before + log_file);
    assert_eq!(on_the_roll(&mut watcher), there);
    client.logs_message("two");
    client.touches();
    assert_eq!(on_the_roll(&mut watcher), there);
    // Not even if it sends what ends a connection.
    client.hangs_up();
    for _ in 0..16 {
        let junk = client.seal_blocks(fresh_iv(), &[7; 32]).packet();
        client.sends(Port::Log, junk);
        client.wire(Port::Log).expect(NOT_TAKEN);
    }
    client.wire(Port::Log).expect_end();
    assert_eq!(on_the_roll(&mut watcher), there);
    assert_eq!(messages(&place, "app"), ["one", "two"]);
}

/// A directory with Ann's public key, under her name.
fn with_ann(place: &Place) -> String {
    let clients = place.text("clients");
    fs::create_dir_all(&clients).unwrap();
    fs::write(format!("{clients}/ann.pem"), ANNS.public_pem()).unwrap();
    clients
}

/// A daemon that manages Ann, with FmLTP beside.
#[track_caller]
fn managing_ann(engine: Engine) -> (Daemon, Place) {
    let place = Place::new();
    let clients = with_ann(&place);
    let daemon = start_in(&place, engine, &["--fmltp", "127.0.0.1:0", "--residue-clients", &clients]);
    (daemon, place)
}

fn a_client_is_there_once(engine: Engine) {
    let (daemon, _place) = managing_ann(engine);
    let mut watcher = Fm::ready(&daemon, READY);
    let mut ann = Client::managed(&daemon, "ann");
    let mut again = Client::managed(&daemon, "ann");
    ann.acknowledges();
    let names: Vec<_> = on_the_roll(&mut watcher).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["ann"]);
    again.touches();
    // Each unknown client is one of its own, if they have the same key.
    let two = [Client::established(&daemon), Client::established(&daemon)];
    let names: Vec<_> = on_the_roll(&mut watcher).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["ann", &two[0].id, &two[1].id]);
}

fn whoever_is_no_longer_managed_is_gone(engine: Engine) {
    let (daemon, place) = managing_ann(engine);
    let mut watcher = Fm::ready(&daemon, READY);
    let (mut ann, mut other) = (Client::managed(&daemon, "ann"), Client::established(&daemon));
    ann.logs_message("one");
    fs::remove_file(place.join("clients/ann.pem")).unwrap();
    daemon.signal("HUP");
    daemon.wait_for_log(&["read again: 0 managed clients"]);
    assert_eq!(ann.logs(item("two")), NO_CLIENT);
    other.logs_message("three");
    let names: Vec<_> = on_the_roll(&mut watcher).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, [other.id.as_str()]);
    // Its connections are closed, so that it begins anew. It is dead, and hears so in secret.
    ann.wire(Port::Connect).expect_end();
    ann.wire(Port::Log).expect_end();
    ann.hangs_up();
    let dead = "Cannot touch dead client. Please reset the connection";
    assert_eq!(ann.asks(Port::Connect, &ann.request(3)), error(dead));
    assert_eq!(ann.asks(Port::Connect, &ann.request(2)), error(NOT_CONNECTED));
    assert_eq!(ann.asks(Port::Connect, "junk"), error(INVALID));
    for fields in ["", r#","token":"0123456789abcdef""#] {
        assert_eq!(ann.asks_for_token("app", fields), token_error("Client is dead"));
    }
    assert_eq!((ann.logs("junk"), ann.logs("{}")), (NO_CLIENT.into(), NO_CLIENT.into()));
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    wire.asks(plain_hello(r#""client_id":"ann""#), &error("Client is unknown"));
    assert_eq!(messages(&place, "app"), ["one", "three"]);
}

fn whoever_has_another_key_begins_anew(engine: Engine) {
    let (daemon, place) = managing_ann(engine);
    let mut watcher = Fm::ready(&daemon, READY);
    let mut ann = Client::managed(&daemon, "ann");
    ann.logs_message("one");
    let (_, token) = ann.is_given_token("app", "");
    fs::write(place.join("clients/ann.pem"), BOBS.public_pem()).unwrap();
    daemon.signal("HUP");
    daemon.wait_for_log(&["read again: 1 managed client"]);
    assert_eq!(ann.logs(item("two")), NO_CLIENT);
    assert_eq!(on_the_roll(&mut watcher), []);
    // The reply is for the new key, and so is the life that begins.
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    wire.says(plain_hello(r#""client_id":"ann""#));
    let (id, key) = take_hello(&mut wire, &BOBS);
    assert_eq!(id, "ann");
    assert_ne!(key, ann.key);
    let mut anew = ann.is_called("ann");
    anew.key = key;
    assert_eq!(anew.logs(item("too early")), NO_CLIENT);
    anew.hangs_up();
    anew.acknowledges();
    anew.logs_message("three");
    let reply = anew.asks_for_token("app", &format!(r#","token":"{token}""#));
    assert_eq!(reply, token_error("Invalid token"));
    assert_eq!(on_the_roll(&mut watcher).len(), 1);
    assert_eq!(messages(&place, "app"), ["one", "three"]);
}

fn at_the_limit_whoever_has_not_acknowledged_gives_way(engine: Engine) {
    let (daemon, _place) = start_with_who(engine, &["--residue-max-clients", "2"]);
    let mut watcher = Fm::ready(&daemon, READY);
    let mut established = Client::established(&daemon);
    let idle = Client::greeted(&daemon);
    let mut next = Client::greeted(&daemon);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    wire.send(idle.seal(idle.request(2)).packet());
    wire.expect(&error(NOT_CONNECTED));
    next.acknowledges();
    // Now there is nobody who could.
    wire.asks(hello_with(&ANNS.as_sent()), &error(INVALID));
    established.touches();
    next.touches();
    assert_eq!(on_the_roll(&mut watcher).len(), 2);
}

fn other_doors_hear_nothing_of_it(engine: Engine) {
    let (daemon, _place) = start_with_who(engine, &[]);
    let mut member = Raw::joined(2, daemon.address(), 5000);
    member.hears_nothing();
    let mut client = Client::established(&daemon);
    client.logs_message("hello");
    member.hears_nothing();
}

/// Not before 120 seconds: until then whoever comes is told that there is no room.
fn the_connection_that_was_silent_longest_does_not_give_way_at_once(engine: Engine) {
    let (daemon, _place) = start(engine, &["--max-clients", "3"]);
    let mut client = Client::established(&daemon);
    client.logs_message("one");
    let _third = Wire::connect(Port::Token.of(&daemon));
    client.wire(Port::Token);
    for port in Port::ALL {
        let mut wire = Wire::connect_from(ip(2), port.of(&daemon));
        let refused = if port == Port::Log { NOT_TAKEN.to_owned() } else { port.to_strangers() };
        wire.expect(&refused);
        wire.expect_gone();
    }
    client.touches();
    client.logs_message("two");
}
