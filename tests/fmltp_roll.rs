//! FmLTP: on the same roll as everybody else.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::net::{Ipv6Addr, SocketAddr};

use common::fmltp::*;
use common::*;

on_both_engines!(
    who_shows_who_asks,
    who_shows_everybody_by_id,
    users_are_shown_by_name,
    without_users_nobody_has_a_name,
    who_is_not_let_in_is_not_there,
    whoever_is_refused_is_off_the_roll_when_he_hears_it,
    whoever_goes_is_off_the_roll,
    clients_of_lekt_hear_nothing_of_it,
    ipv6_addresses_stand_in_brackets,
    who_ends_at_32_kib,
);

/// A line of WHO.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    id: u64,
    door: String,
    address: SocketAddr,
    name: String,
}

impl Line {
    #[track_caller]
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(' ').collect();
        let [id, door, address, name] = fields[..] else { panic!("not four fields: {line:?}") };
        let address: SocketAddr = address.parse().unwrap_or_else(|_| panic!("no address: {line:?}"));
        let id = id.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
        Self { id, door: door.to_owned(), address, name: name.to_owned() }
    }
}

/// What WHO says: how many there are, and those it lists, which stand by ID.
#[track_caller]
fn parse(answer: &str) -> (usize, Vec<Line>) {
    let mut lines = answer.strip_suffix("\r\n").expect("it ends in CRLF").split("\r\n");
    let head = lines.next().unwrap();
    let count = head.strip_prefix("200 ").and_then(|rest| rest.strip_suffix(" clients."));
    let count = count.unwrap_or_else(|| panic!("{head:?}")).parse().unwrap();
    let lines: Vec<Line> = lines.filter(|line| !line.starts_with("... ")).map(Line::parse).collect();
    assert!(lines.is_sorted_by(|one, other| one.id < other.id), "not by ID: {lines:?}");
    (count, lines)
}

/// Everybody on the roll, as this client is told.
#[track_caller]
fn who(client: &mut Fm) -> Vec<Line> {
    let (count, lines) = parse(&client.answer_to("WHO"));
    assert_eq!(count, lines.len());
    lines
}

/// The names of everybody on the roll, by ID.
#[track_caller]
fn names(client: &mut Fm) -> Vec<String> {
    who(client).into_iter().map(|line| line.name).collect()
}

/// Waits until the roll has these on it.
#[track_caller]
fn eventually_shows(client: &mut Fm, wanted: &[&str]) {
    process::eventually(&format!("{wanted:?}"), || names(client) == wanted);
}

fn who_shows_who_asks(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut client = Fm::ready_from(ip(7), &daemon, READY);
    let lines = who(&mut client);
    assert_eq!(lines.len(), 1);
    let me =
        Line { id: lines[0].id, door: "fmltp".to_owned(), address: client.local(), name: "-".to_owned() };
    assert_eq!(lines, [me]);
}

fn who_shows_everybody_by_id(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut first = Raw::joined(2, daemon.address(), 5000);
    let mut alice = Fm::let_in_from(ip(3), &daemon, "alice", ALICES);
    let mut second = Raw::joined(4, daemon.address(), 5001);
    let mut bob = Fm::let_in_from(ip(5), &daemon, "bob1", BOBS);
    let lines = who(&mut bob);
    assert_eq!(who(&mut alice), lines);
    let told: Vec<_> =
        lines.iter().map(|line| (line.door.as_str(), line.name.as_str(), line.address)).collect();
    let address = |raw: &mut Raw| raw.stream().local_addr().unwrap();
    assert_eq!(
        told,
        [
            ("lekt", "-", address(&mut first)),
            ("fmltp", "alice", alice.local()),
            ("lekt", "-", address(&mut second)),
            ("fmltp", "bob1", bob.local()),
        ]
    );
}

fn users_are_shown_by_name(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    // The same user may be there more than once.
    let _alices = [(); 2].map(|()| Fm::let_in(&daemon, "alice", ALICES));
    let mut bob = Fm::let_in(&daemon, "bob1", BOBS);
    assert_eq!(names(&mut bob), ["alice", "alice", "bob1"]);
}

fn without_users_nobody_has_a_name(engine: Engine) {
    let daemon = start(engine, &[]);
    let _other = Fm::ready(&daemon, READY);
    let mut client = Fm::ready(&daemon, READY);
    assert_eq!(names(&mut client), ["-", "-"]);
}

fn who_is_not_let_in_is_not_there(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut bob = Fm::let_in(&daemon, "bob1", BOBS);
    let _greeted = Fm::greeted(&daemon);
    let _keyed = Fm::keyed(&daemon);
    let mut locked = Fm::ready(&daemon, READY_LOCKED);
    assert_eq!(names(&mut bob), ["bob1"]);
    locked.asks("AUTH alice wrong-password", NOT_LET_IN);
    assert_eq!(names(&mut bob), ["bob1"]);
    locked.asks("AUTH alice correct-horse", LET_IN);
    // He has heard it, so that he is there.
    assert_eq!(names(&mut bob), ["bob1", "alice"]);
}

fn whoever_is_refused_is_off_the_roll_when_he_hears_it(engine: Engine) {
    let daemon = start(engine, &["--loops", "4", "--workers", "4"]);
    let mut witness = Fm::ready(&daemon, READY);
    for _ in 0..10 {
        let mut client = Fm::ready(&daemon, READY);
        assert_eq!(names(&mut witness).len(), 2);
        client.send("!");
        client.take_text();
        assert_eq!(names(&mut witness).len(), 1);
    }
}

fn whoever_goes_is_off_the_roll(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut bob = Fm::let_in(&daemon, "bob1", BOBS);
    let ends: [fn(Fm); 4] = [
        drop,
        Fm::reset,
        |mut client| {
            client.finish();
            client.expect_end();
        },
        |mut client| {
            client.asks("QUIT", GOODBYE);
            client.expect_end();
        },
    ];
    for end in ends {
        let alice = Fm::let_in(&daemon, "alice", ALICES);
        assert_eq!(names(&mut bob), ["bob1", "alice"]);
        end(alice);
        eventually_shows(&mut bob, &["bob1"]);
    }
}

/// They could not call him.
fn clients_of_lekt_hear_nothing_of_it(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut witness = Raw::joined(2, daemon.address(), 5000);
    witness.hears_nothing();
    let mut client = Fm::ready_from(ip(3), &daemon, READY);
    witness.hears_nothing();
    let _other = Raw::joined(4, daemon.address(), 5001);
    witness.hears(&[], &[common::who(4, 5001)]);
    client.asks("QUIT", GOODBYE);
    client.expect_end();
    witness.hears_nothing();
}

fn ipv6_addresses_stand_in_brackets(engine: Engine) {
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return println!("skipped: there is no IPv6");
    }
    let daemon = Daemon::start(engine, &["--fmltp", "[::1]:0"]);
    let mut client = Fm::ready_from(Ipv6Addr::LOCALHOST, &daemon, READY);
    let answer = client.answer_to("WHO");
    assert!(answer.contains(&format!(" fmltp [::1]:{} -\r\n", client.local().port())), "{answer:?}");
}

fn who_ends_at_32_kib(engine: Engine) {
    const LIMIT: usize = 32 * 1024;
    let daemon = start(engine, &[]);
    let mut client = Fm::ready(&daemon, READY);
    let crowd: Vec<Raw> =
        (0..1300).map(|number| Raw::looking_from(ip((number % 250 + 2) as u8), daemon.address())).collect();
    let answer = client.answer_to("WHO");
    let (count, lines) = parse(&answer);
    assert_eq!(count, crowd.len() + 1);
    let last = answer.trim_end().split("\r\n").last().unwrap();
    assert_eq!(last, format!("... {} more.", count - lines.len()), "{last:?}");
    assert!(answer.len() <= LIMIT && answer.len() > LIMIT - 100, "{} bytes", answer.len());
    // Nobody who is listed is left out: the first ones are.
    assert_eq!(lines[0].address, client.local());
}
