//! chapp: what was answered survives any crash, and a name has one owner whoever else wants it.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::chapp::*;
use common::*;

on_both_engines!(
    every_message_that_was_answered_survives_a_crash_exactly_once,
    a_name_that_two_addresses_want_has_one_owner,
);

const CLIENTS: usize = 50;
const MESSAGES: usize = 200;

/// An address of each client's own.
fn home(client: usize) -> Ipv4Addr {
    ip(u8::try_from(client + 2).unwrap())
}

fn recipient(number: usize) -> String {
    format!("recipient-{number}")
}

/// To whom the messages of a client go: a bit to everybody.
fn to(client: usize, number: usize) -> String {
    recipient((client + number) % CLIENTS)
}

fn every_message_that_was_answered_survives_a_crash_exactly_once(engine: Engine) {
    let (daemon, place) = start(engine, &["--loops", "2", "--workers", "2"]);
    let answered = AtomicUsize::new(0);
    // How many messages of each client were answered.
    let counts: Vec<usize> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let mut chapp = Chapp::introduced_from(home(client), &format!("sender-{client}"), &daemon);
                let answered = &answered;
                scope.spawn(move || {
                    (0..MESSAGES)
                        .take_while(|number| {
                            let text = format!("{client}:{number}");
                            let stored = chapp.try_post(&to(client, *number), &text).is_ok();
                            answered.fetch_add(usize::from(stored), Ordering::Relaxed);
                            stored
                        })
                        .count()
                })
            })
            .collect();
        process::eventually("half of them are answered", || {
            answered.load(Ordering::Relaxed) >= CLIENTS * MESSAGES / 2
        });
        daemon.signal("KILL");
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(counts.iter().sum::<usize>(), answered.into_inner());
    assert!(counts.iter().any(|count| *count < MESSAGES), "it was not killed in the middle");

    let daemon = start_again(daemon, &place, engine);
    let mut kept: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for number in 0..CLIENTS {
        let name = recipient(number);
        for message in Chapp::connect_from(home(number), &daemon).introduces(&name) {
            let (client, number) = message.message.split_once(':').unwrap();
            let (client, number): (usize, usize) = (client.parse().unwrap(), number.parse().unwrap());
            assert_eq!(message.from, format!("sender-{client}"));
            assert_eq!(message.to, to(client, number));
            kept.entry(message.from).or_default().push(number);
        }
    }
    for (client, count) in counts.into_iter().enumerate() {
        let numbers = kept.remove(&format!("sender-{client}")).unwrap_or_default();
        let once: BTreeSet<_> = numbers.iter().copied().collect();
        assert_eq!(numbers.len(), once.len(), "of {client}: one twice in {numbers:?}");
        // One more may have been stored of which the sender was not told any more.
        let is_whole = once.iter().copied().eq(0..count) || once.iter().copied().eq(0..=count);
        assert!(is_whole, "of {client}, of which {count} were answered: {once:?}");
    }
    // And it goes on.
    let mut sender = Chapp::connect_from(home(0), &daemon);
    sender.connects_as("sender-0");
    sender.posts("somebody", "on it goes");
}

const ROUNDS: usize = 1000;
/// How many names one pair of addresses races for: fewer than an address may have.
const EACH: usize = 50;

fn a_name_that_two_addresses_want_has_one_owner(engine: Engine) {
    let (daemon, place) = start(engine, &["--loops", "2", "--workers", "2"]);
    let homes =
        |pair: usize| [2, 3].map(|third| Ipv4Addr::new(127, 0, third, u8::try_from(pair + 1).unwrap()));
    let name = |pair: usize, round: usize| format!("prize-{pair}-{round}");
    // Which of the two has each of the names.
    let winners: Vec<Vec<usize>> = thread::scope(|scope| {
        let daemon = &daemon;
        let pairs: Vec<_> = (0..ROUNDS / EACH)
            .map(|pair| scope.spawn(move || race(daemon, homes(pair), |round| name(pair, round))))
            .collect();
        pairs.into_iter().map(|pair| pair.join().unwrap()).collect()
    });
    let daemon = start_again(daemon, &place, engine);
    for (pair, winners) in winners.iter().enumerate() {
        let mut clients = homes(pair).map(|home| Chapp::connect_from(home, &daemon));
        for (round, winner) in winners.iter().enumerate() {
            let name = name(pair, round);
            clients[1 - winner].is_not_known(Some(&name));
            clients[1 - winner].is_refused(&name);
            clients[*winner].connects_as(&name);
        }
    }
}

/// Two addresses introduce themselves by the same name at the same time, again and again.
#[track_caller]
fn race(daemon: &Daemon, homes: [Ipv4Addr; 2], name: impl Fn(usize) -> String + Sync) -> Vec<usize> {
    let gate = Barrier::new(2);
    let run = |home: Ipv4Addr| -> Vec<bool> {
        let mut client = Chapp::connect_from(home, daemon);
        let mut own = "unknown".to_owned();
        (0..EACH)
            .map(|round| {
                let name = name(round);
                let text = format!("INTRODUCE\t{name}->server|ID:{round}");
                gate.wait();
                client.asks(&text);
                let reply = client.take_reply(&["username", "messages"]);
                let has_won = reply.status == 100;
                if has_won {
                    own = name;
                } else {
                    assert_eq!(reply.status, 301);
                }
                assert_eq!((reply.to.as_str(), reply.about), (own.as_str(), round as i64));
                has_won
            })
            .collect()
    };
    let [first, second] = thread::scope(|scope| {
        let two = homes.map(|home| scope.spawn(move || run(home)));
        two.map(|one| one.join().unwrap())
    });
    let one_each = first.iter().zip(&second).map(|(first, second)| {
        assert_ne!(first, second, "none of the two, or both of them");
        usize::from(*second)
    });
    one_each.collect()
}
