//! FmLTP: what `rollcall` makes of our own server: users, and a look at it.

#![cfg(all(feature = "client", feature = "fmltp"))]
#![cfg(test)]

mod common;
mod support_client;

use common::fmltp::*;
use common::*;
use support_client::{Ended, Rollcall, command, steps};

on_both_engines!(
    a_probe_goes_through_all_of_it,
    a_probe_logs_in,
    a_probe_that_is_refused_says_so,
    a_user_that_is_made_may_come_in,
    no_password_is_in_what_a_probe_says,
);

#[track_caller]
fn probe(daemon: &Daemon, options: &[&str], stdin: &str) -> Ended {
    let server = door(daemon).to_string();
    Rollcall::run(&[&["probe", "fmltp"], options, &[&server]].concat(), stdin.as_bytes())
}

fn a_probe_goes_through_all_of_it(engine: Engine) {
    let daemon = start(engine, &["--fmltp-cooldown-loopback", "--fmltp-name", "FlexMusic Server,0.1.2"]);
    let ended = probe(&daemon, &[], "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    assert!(steps(&ended).iter().all(|(_, result)| ["done", "skipped"].contains(result)), "{}", ended.text());
    for words in ["FlexMusic Server,0.1.2", "2048 bits, generator 2", "122", "HELP, QUIT, WHO"] {
        assert!(ended.text().contains(words), "no {words:?}: {}", ended.text());
    }
    // No handshake has failed.
    let mut client = Fm::connect(&daemon);
    client.expect("FlexMusic Server,0.1.2\r\n");
}

fn a_probe_logs_in(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let ended = probe(&daemon, &["--user", "alice"], "correct-horse\n");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    assert!(steps(&ended).contains(&("login", "done")), "{}", ended.text());
    let ended = probe(&daemon, &["--user", "alice"], "wrong-password\n");
    assert_eq!(ended.code, Some(3), "{}", ended.text());
    assert!(steps(&ended).contains(&("login", "failed")), "{}", ended.text());
    assert!(ended.stderr.contains("151"), "{}", ended.stderr);
}

fn a_probe_that_is_refused_says_so(engine: Engine) {
    let daemon = start(engine, &["--fmltp-cooldown-loopback", "--max-clients", "1"]);
    let member = Raw::joined(2, daemon.address(), 5000);
    let ended = probe(&daemon, &[], "");
    assert_eq!(ended.code, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("Server is full."), "{}", ended.stderr);
    drop(member);
    process::eventually("a place", || {
        let ended = probe(&daemon, &["--name", "FlexMusic,1.0.0"], "");
        assert_eq!(ended.code, Some(3), "{}", ended.text());
        !ended.stderr.contains("Server is full.")
    });
    let ended = probe(&daemon, &[], "");
    assert_eq!(ended.code, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("Try again in "), "{}", ended.stderr);
}

fn a_user_that_is_made_may_come_in(engine: Engine) {
    let place = Place::new();
    let file = place.text("users");
    let made = Rollcall::run(&["passwd", &file, "dora"], b"a-long-password\n");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let daemon = start(engine, &["--fmltp-users", &file]);
    Fm::let_in(&daemon, "dora", "a-long-password");
    // Another password, and a second user, from the next HUP on.
    for (name, password) in [("dora", "another-password"), ("emil", "12345678")] {
        let made = Rollcall::run(&["passwd", &file, name], format!("{password}\n").as_bytes());
        assert_eq!(made.code, Some(0), "{}", made.stderr);
    }
    daemon.signal("HUP");
    process::eventually("the new table", || {
        Fm::ready(&daemon, READY_LOCKED).answer_to("AUTH emil 12345678") == LET_IN
    });
    Fm::let_in(&daemon, "dora", "another-password");
    Fm::ready(&daemon, READY_LOCKED).asks("AUTH dora a-long-password", NOT_LET_IN);
}

fn no_password_is_in_what_a_probe_says(engine: Engine) {
    let place = Place::new();
    let file = write_users(&place, USERS);
    let args = ["--fmltp", "127.0.0.1:0", "--fmltp-users", &file];
    let mut daemon = Daemon::spawn(Daemon::command(engine, &args).env("RUST_LOG", "trace"));
    let server = door(&daemon).to_string();
    for options in [&[][..], &["--json"]] {
        for password in ["correct-horse", "Zebra-77-crossing"] {
            let arguments = [&["probe", "fmltp", "--user", "alice"], options, &[&server]].concat();
            let mut rollcall = Rollcall::spawn(command(arguments).env("RUST_LOG", "trace"));
            rollcall.types(format!("{password}\n"));
            let ended = rollcall.finish();
            assert_eq!(ended.code, Some(if password == "correct-horse" { 0 } else { 3 }), "{}", ended.stderr);
            for said in [ended.text(), &ended.stderr] {
                assert!(!said.contains("correct-horse") && !said.contains("Zebra"), "{said}");
                // Nor any token, nor any key.
                assert!(!said.contains("gAAAA") && !said.contains("BEGIN"), "{said}");
            }
        }
    }
    assert!(daemon.terminate().success());
    let log = daemon.log().join("\n");
    assert!(!log.contains("correct-horse") && !log.contains("Zebra"), "{log}");
}
