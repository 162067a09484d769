//! Residue: what `rollcall` makes of our own server: keys for it, and a look at it.

#![cfg(all(feature = "client", feature = "residue"))]
#![cfg(test)]

mod common;
mod support_client;

use std::fs;

use common::*;
use support_client::{Ended, Rollcall};

on_both_engines!(
    a_managed_client_logs_by_an_access_code,
    anybody_logs_and_touches,
    who_is_refused_is_told_why
);

/// A daemon with these options, which listens on three ports.
fn start(engine: Engine, options: &[&str]) -> Daemon {
    let any = "127.0.0.1:0";
    Daemon::start(
        engine,
        &[&["--residue", any, "--residue-token", any, "--residue-log", any], options].concat(),
    )
}

#[track_caller]
fn probe(daemon: &Daemon, options: &[&str]) -> Ended {
    let server = daemon.door("residue").to_string();
    Rollcall::run(&[&["probe", "residue", &server], options].concat(), b"")
}

#[track_caller]
fn is_fine(ended: &Ended) {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
}

#[track_caller]
fn is_refused(ended: &Ended, why: &str) {
    assert_eq!(ended.code, Some(3), "{}{}", ended.text(), ended.stderr);
    assert!(ended.stderr.contains(why), "no {why:?}: {}", ended.stderr);
}

#[track_caller]
fn keygen(place: &Place, name: &str, bits: &str) {
    let ended = Rollcall::run(&["keygen", "residue", &place.text(name), "--bits", bits], b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

fn anybody_logs_and_touches(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &["--residue-logs", &place.text("logs"), "--residue-licensee", "ACME"]);
    let ended = probe(&daemon, &["--touch", "--log", "hello there", "--logger", "app"]);
    is_fine(&ended);
    assert!(ended.text().contains(" of ACME; alive for 259200 s; "), "{}", ended.text());
    let log = fs::read_to_string(place.join("logs/app.log")).unwrap();
    assert!(log.ends_with("Z INFO app rollcall - - - hello there\n"), "{log}");
}

fn a_managed_client_logs_by_an_access_code(engine: Engine) {
    let place = Place::new();
    keygen(&place, "server", "3072");
    keygen(&place, "client", "2048");
    fs::create_dir(place.join("clients")).unwrap();
    fs::copy(place.join("client/residue.pub.pem"), place.join("clients/known01.pem")).unwrap();
    fs::write(place.join("codes"), "app a2dcb 60\n").unwrap();
    let [key, clients, codes] = ["server/residue.pem", "clients", "codes"].map(|name| place.text(name));
    let logs = place.text("logs");
    let files = ["--residue-key", &key, "--residue-clients", &clients, "--residue-codes", &codes];
    let daemon = start(engine, &[&files[..], &["--residue-logs", &logs, "--residue-require-token"]].concat());
    let [theirs, ours] = ["server/residue.pub.pem", "client/residue.pem"].map(|name| place.text(name));
    let known = ["--server-key", &theirs, "--client-id", "known01", "--client-key", &ours, "--logger", "app"];
    let with = |options: &[&str]| probe(&daemon, &[&known, options].concat());

    fs::write(place.join("code"), "a2dcb\n").unwrap();
    let code = place.text("code");
    // The second time it is alive already, and gets the same key.
    for message in ["one", "two"] {
        let ended = with(&["--access-code", &code, "--log", message]);
        is_fine(&ended);
        assert!(ended.text().contains("we are known01"), "{}", ended.text());
        assert!(ended.text().contains("good for app for 60 s"), "{}", ended.text());
    }
    let log = fs::read_to_string(place.join("logs/app.log")).unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");
    fs::write(&code, "wrong\n").unwrap();
    is_refused(&with(&["--access-code", &code, "--log", "three"]), "Invalid access code");
}

fn who_is_refused_is_told_why(engine: Engine) {
    let place = Place::new();
    keygen(&place, "client", "2048");
    let key = place.text("client/residue.pem");
    fs::create_dir(place.join("clients")).unwrap();
    let clients = place.text("clients");
    let options =
        ["--residue-logs", &place.text("logs"), "--residue-clients", &clients, "--residue-no-unknown"];
    let daemon = start(engine, &options);
    is_refused(&probe(&daemon, &[]), "Unknown clients are not allowed");
    is_refused(&probe(&daemon, &["--client-id", "known01", "--client-key", &key]), "Client is unknown");
    keygen(&place, "server", "2048");
    let key = place.text("server/residue.pem");
    let options = ["--residue-logs", &place.text("more"), "--residue-key", &key, "--residue-no-plain"];
    is_refused(&probe(&start(engine, &options), &[]), "Plain connections not allowed by the server");
}
