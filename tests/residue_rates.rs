//! Residue: how often an address may have the server decrypt, and who waits for that.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::residue::*;
use common::*;

on_both_engines!(
    sixty_decryptions_take_a_second,
    whoever_has_had_enough_waits_and_others_do_not,
    what_is_not_as_long_as_the_modulus_costs_nothing,
    the_rate_may_be_off,
);

/// A daemon whose key has 1,024 bits.
#[track_caller]
fn with_short_key(engine: Engine, options: &[&str]) -> (Daemon, Place) {
    let place = Place::new();
    let file = place.text("server.pem");
    fs::write(&file, SHORT_PRIVATE).unwrap();
    (start_in(&place, engine, &[&["--residue-key", &file], options].concat()), place)
}

/// What is as long as the modulus of that key, and decrypts to nothing sensible.
fn junk(number: u16) -> String {
    STANDARD.encode([&[1], &number.to_be_bytes()[..], &[7; 125]].concat())
}

/// Sends so many of them, and returns how long it took until all are answered.
#[track_caller]
fn decrypt(daemon: &Daemon, count: u16) -> Duration {
    let start = Instant::now();
    let mut wires: Vec<Wire> =
        (0..count.div_ceil(15)).map(|_| Wire::connect(Port::Connect.of(daemon))).collect();
    for number in 0..count {
        wires[usize::from(number / 15)].says(junk(number));
    }
    for number in 0..count {
        wires[usize::from(number / 15)].expect(&error(INVALID));
    }
    start.elapsed()
}

/// Forty at once, and twenty a second beyond.
fn sixty_decryptions_take_a_second(engine: Engine) {
    let (daemon, _place) = with_short_key(engine, &[]);
    let took = decrypt(&daemon, 60);
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

fn whoever_has_had_enough_waits_and_others_do_not(engine: Engine) {
    let (daemon, _place) = with_short_key(engine, &["--residue-rsa-rate", "1"]);
    let mut client = Client::established(&daemon);
    let mut others = Client::greeted_from(ip(2), &daemon);
    let start = Instant::now();
    // Twice the rate at once; the hellos above have taken a little of it.
    let mut first = Wire::connect_from(ip(3), Port::Connect.of(&daemon));
    first.asks(junk(1), &error(INVALID));
    first.asks(junk(2), &error(INVALID));
    let mut second = Wire::connect_from(ip(3), Port::Connect.of(&daemon));
    second.send(format!("{}{END}junk{END}{}{END}", junk(3), hello_with(&ANNS.as_sent())));
    // Not those of other addresses, nor whoever says nothing that takes long.
    others.acknowledges();
    client.touches();
    Client::greeted_from(ip(4), &daemon);
    first.asks("junk", &error(INVALID));
    let is_heard = second.raw().hears_within(Duration::from_millis(1));
    let took = start.elapsed();
    assert!(!is_heard || took >= Duration::from_millis(990), "{took:?}");
    second.expect(&error(INVALID));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(990), "{took:?}");
    second.expect(&error(INVALID));
    take_hello(&mut second, &ANNS);
}

fn what_is_not_as_long_as_the_modulus_costs_nothing(engine: Engine) {
    let (daemon, _place) = with_short_key(engine, &["--residue-rsa-rate", "1"]);
    let server = Port::Connect.of(&daemon);
    let start = Instant::now();
    for round in 0..30 {
        let mut wire = Wire::connect(server);
        for length in [0, 1, 127, 129, 256, 1024, 40_000] {
            wire.asks(STANDARD.encode(vec![round; length]), &error(INVALID));
        }
    }
    // Had they cost anything, there were two a second.
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
    Wire::connect(server).asks(junk(1), &error(INVALID));
}

fn the_rate_may_be_off(engine: Engine) {
    let (daemon, _place) = with_short_key(engine, &["--residue-rsa-rate", "0"]);
    let took = decrypt(&daemon, 1000);
    // With the default it would take 48 seconds, however fast the machine is.
    assert!(took < Duration::from_secs(48), "{took:?}");
}
