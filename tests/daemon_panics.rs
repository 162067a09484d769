//! `rollcalld`: a bug in any of its threads ends it at once, so that its supervisor can start it again.

#![cfg(test)]

mod common;

use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use common::*;

on_both_engines!(
    a_panic_where_connections_are_let_in_ends_the_daemon,
    a_panic_beside_a_connection_ends_the_daemon,
    a_panic_of_a_worker_ends_the_daemon,
    a_panic_of_a_clerk_ends_the_daemon,
    a_panic_of_who_does_slow_work_ends_the_daemon,
);

#[test]
fn a_panic_of_a_poll_loop_ends_the_daemon() {
    panics(Engine::Events, "loop", &[], "loop ", |daemon| knock(daemon, "lekt", HELLO));
}

fn a_panic_where_connections_are_let_in_ends_the_daemon(engine: Engine) {
    let thread = match engine {
        Engine::Events => "loop 0",
        Engine::Threads => "accept",
    };
    panics(engine, "accept", &[], thread, |daemon| knock(daemon, "lekt", b""));
}

fn a_panic_beside_a_connection_ends_the_daemon(engine: Engine) {
    let thread = match engine {
        Engine::Events => "loop ",
        Engine::Threads => "of a connection",
    };
    panics(engine, "connection", &[], thread, |daemon| knock(daemon, "lekt", HELLO));
}

fn a_panic_of_a_worker_ends_the_daemon(engine: Engine) {
    panics(engine, "worker", &[], "worker 0", |daemon| {
        let mut raw = Raw::connect(daemon.address());
        raw.shake_hands();
        raw.send(&method(1, 5000));
        raw
    });
}

fn a_panic_of_a_clerk_ends_the_daemon(engine: Engine) {
    if cfg!(not(feature = "chapp")) {
        return println!("skipped: built without chapp");
    }
    let place = Place::new();
    let data = place.text("data");
    let options = ["--chapp", "127.0.0.1:0", "--data", &data];
    panics(engine, "clerk", &options, "clerk chapp", |daemon| {
        knock(daemon, "chapp", b"INTRODUCE\tann->server\\\nID:1\\\n\\\n")
    });
}

#[cfg(feature = "fmltp")]
fn a_panic_of_who_does_slow_work_ends_the_daemon(engine: Engine) {
    use common::fmltp::VERSION;
    use common::fmltp_keys::{PublicKey, small};
    panics(engine, "slow", &["--fmltp", "127.0.0.1:0"], "slow ", |daemon| {
        knock(daemon, "fmltp", format!("{VERSION}{}", PublicKey::of(&small(2)).pem()).as_bytes())
    });
}

#[cfg(not(feature = "fmltp"))]
fn a_panic_of_who_does_slow_work_ends_the_daemon(_: Engine) {
    println!("skipped: built without fmltp");
}

/// Connects to a door and says something.
fn knock(daemon: &Daemon, door: &str, bytes: &[u8]) -> Raw {
    let mut raw = Raw::connect(daemon.door(door));
    // The daemon may have ended while this is sent.
    let _ = std::io::Write::write_all(raw.stream(), bytes);
    raw
}

/// Has the daemon panic at a scene, to which `play` brings it, and sees it end beside somebody who is connected.
#[track_caller]
fn panics(engine: Engine, scene: &str, options: &[&str], thread: &str, play: impl FnOnce(&Daemon) -> Raw) {
    if cfg!(not(debug_assertions)) {
        return println!("skipped: a release does not panic on purpose");
    }
    let mut daemon = Daemon::spawn(Daemon::command(engine, options).env("ROLLCALL_REHEARSE", scene));
    let start = Instant::now();
    let guest = play(&daemon);
    let status = daemon.wait_for_exit();
    println!("{scene} on {}: {status} after {} ms", engine.name(), start.elapsed().as_millis());
    assert_eq!(status.signal(), Some(6), "{status}");
    drop(guest);
    let log = daemon.log();
    let told: Vec<_> = log.iter().filter(|line| line.contains("error: a bug: the thread ")).collect();
    assert_eq!(told.len(), 1, "{log:#?}");
    let words = [thread, " panicked at src/engine/", "this was asked for"];
    assert!(words.iter().all(|word| told[0].contains(word)), "{told:?}");
}
