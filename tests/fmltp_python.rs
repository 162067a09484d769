//! FmLTP: with a client in Python and the library `cryptography`, which is what real clients are made of.
//!
//! The environment variable `ROLLCALL_PYTHON` names the interpreter; it has to work then. Without it, `python3`
//! is taken where it has the library.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::env;
use std::process::{Command, Stdio};

use common::fmltp::*;
use common::*;

on_both_engines!(
    a_user_is_let_in_and_served,
    without_users_everybody_is_served,
    a_wrong_password_fails,
    versions_that_differ_are_told,
    what_it_speaks_is_what_the_others_see,
);

/// An interpreter that has the library, if there is one on this machine.
#[track_caller]
fn python() -> Option<String> {
    let given = env::var("ROLLCALL_PYTHON").ok();
    let name = given.clone().unwrap_or_else(|| "python3".to_owned());
    let mut command = Command::new(&name);
    command.args(["-c", "import cryptography.fernet"]).stdin(Stdio::null()).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Some(name);
    }
    assert!(given.is_none(), "ROLLCALL_PYTHON is {name:?}, which does not have the library `cryptography`");
    println!("not checked: there is no python3 that has the library `cryptography`");
    None
}

/// Runs the client with these commands, and returns the lines that it prints.
#[track_caller]
fn run(python: &str, daemon: &Daemon, commands: &[&str]) -> Vec<String> {
    let door = door(daemon);
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fmltp_client.py"));
    command.args([door.ip().to_string(), door.port().to_string()]).args(commands);
    let output = Daemon::finish(&mut command);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {stdout}{stderr}", output.status);
    stdout.lines().map(str::to_owned).collect()
}

/// What it prints up to the interpreter.
fn handshake(ready: &str) -> [String; 4] {
    [
        "SERVER_VEX_INIT FlexMusic,0.0.0|".to_owned(),
        "SERVER_KEX_INIT 2048 bits, generator 2".to_owned(),
        "SERVER_KEX_ID 2048 bits".to_owned(),
        format!("READY {ready}"),
    ]
}

/// What HELP is answered in normal mode begins and ends so.
#[track_caller]
fn is_help(line: &str) {
    assert!(line.starts_with("HELP 200 Available commands:|"), "{line}");
    assert!(line.ends_with("|Run HELP <command> for more information.|"), "{line}");
    for name in ["HELP", "QUIT", "WHO"] {
        assert!(line.contains(&format!("|{name} - ")), "{line}");
    }
}

fn a_user_is_let_in_and_served(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start_with_users(engine, &[]);
    let lines = run(&python, &daemon, &["AUTH alice correct-horse", "HELP", "NOPE", "QUIT"]);
    assert_eq!(lines[..4], handshake("100 FmLTP/1.0 Interpreter Ready.|Authentication required.|"));
    assert_eq!(lines[4], "AUTH 150 Authentication successful.|");
    is_help(&lines[5]);
    assert_eq!(lines[6..], ["NOPE 400 Invalid command or operative.|", "QUIT 200 Goodbye.|", "END in order"]);
}

fn without_users_everybody_is_served(engine: Engine) {
    let Some(python) = python() else { return };
    let daemon = start(engine, &[]);
    let lines = run(&python, &daemon, &["HELP", "QUIT"]);
    assert_eq!(lines[..4], handshake("100 FmLTP/1.0 Interpreter Ready.|"));
    is_help(&lines[4]);
    assert_eq!(lines[5..], ["QUIT 200 Goodbye.|", "END in order"]);
}

fn a_wrong_password_fails(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start_with_users(engine, &[]);
    let commands = ["AUTH alice wrong-password", "AUTH nobody correct-horse", "WHO", "QUIT"];
    let lines = run(&python, &daemon, &commands);
    assert_eq!(
        lines[4..],
        [
            "AUTH 151 Authentication failed.|",
            "AUTH 151 Authentication failed.|",
            "WHO 400 Invalid command or operative.|",
            "QUIT 200 Goodbye.|",
            "END in order",
        ]
    );
}

fn versions_that_differ_are_told(engine: Engine) {
    let Some(python) = python() else { return };
    let daemon = start(engine, &["--fmltp-name", "FlexMusic Server,0.1.2"]);
    let lines = run(&python, &daemon, &[]);
    assert_eq!(lines[0], "SERVER_VEX_INIT FlexMusic Server,0.1.2|");
    assert_eq!(lines[3], "READY 122 FmLTP/1.0 Interpreter Ready.|");
}

fn what_it_speaks_is_what_the_others_see(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start_with_users(engine, &[]);
    let _bob = Fm::let_in(&daemon, "bob1", BOBS);
    let lines = run(&python, &daemon, &["AUTH alice correct-horse", "WHO", "QUIT"]);
    assert!(lines[5].starts_with("WHO 200 2 clients.|"), "{}", lines[5]);
    assert!(lines[5].contains(" bob1|") && lines[5].ends_with(" alice|"), "{}", lines[5]);
}
