//! `rollcalld`: what it has given up once it serves, as it shows from outside.

#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::*;

on_both_engines!(
    nobody_here_gets_new_privileges,
    its_memory_is_for_root_alone,
    files_elsewhere_cannot_be_read,
    a_file_that_takes_the_place_of_another_is_read,
    the_check_says_what_the_kernel_makes_of_it,
);

/// What the check says of the sandbox on this machine.
fn sandbox(arguments: &[&str]) -> String {
    let output = Daemon::run(&[&["--check"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().find_map(|line| line.strip_prefix("sandbox = "));
    row.unwrap_or_else(|| panic!("no row about the sandbox in {text}")).to_owned()
}

fn nobody_here_gets_new_privileges(engine: Engine) {
    for arguments in [&[][..], &["--no-sandbox"]] {
        let daemon = Daemon::start(engine, arguments);
        Raw::connect(daemon.address()).shake_hands();
        for task in fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap() {
            // A connection's thread may end meanwhile.
            let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else { continue };
            assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
        }
    }
}

fn its_memory_is_for_root_alone(engine: Engine) {
    if !process::is_root() {
        return println!("skipped: only root can become somebody else");
    }
    if cfg!(not(feature = "sandbox")) {
        return println!("skipped: built without the sandbox");
    }
    // What the system keeps about a process is its user's, unless its memory is private.
    for (arguments, owner) in [(&[][..], 0), (&["--no-sandbox"], 65_534)] {
        let place = Place::new();
        let mut command = Command::new(place.copy_program(Daemon::program().get_program()));
        command.args(Daemon::command(engine, arguments).get_args()).uid(65_534).gid(65_534).current_dir("/");
        let daemon = Daemon::spawn(&mut command);
        let memory = format!("/proc/{}/mem", daemon.pid());
        assert_eq!(fs::metadata(memory).unwrap().uid(), owner, "{arguments:?}");
    }
}

#[cfg(feature = "fmltp")]
mod users {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// The hash of some password.
    const ALICE: &str = "alice:$2b$12$DEgbyzR24rCjF1HpHaOjC.Y4zYvu6yAiFBZN/ODKNUbRhdTJGncha\n";

    /// A file with users in a directory of its own, and a daemon that goes by it.
    fn daemon(engine: Engine, place: &Place, arguments: &[&str]) -> Daemon {
        for name in ["own", "elsewhere"] {
            fs::create_dir(place.join(name)).unwrap();
            fs::write(place.join(name).join("users"), ALICE).unwrap();
            fs::set_permissions(place.join(name).join("users"), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let users = place.text("own/users");
        Daemon::start(engine, &[&["--fmltp", "127.0.0.1:0", "--fmltp-users", &users], arguments].concat())
    }

    fn link_elsewhere(place: &Place) {
        fs::remove_file(place.join("own/users")).unwrap();
        symlink(place.join("elsewhere/users"), place.join("own/users")).unwrap();
    }

    pub(super) fn elsewhere(engine: Engine) {
        if process::is_root() && sandbox(&[]) == "whole" {
            let place = Place::new();
            let daemon = daemon(engine, &place, &[]);
            link_elsewhere(&place);
            daemon.signal("HUP");
            let line = daemon.wait_for_log(&["cannot read the users file", "the users stay who they were"]);
            assert!(line.contains("Permission denied"), "{line}");
            Raw::connect(daemon.address()).shake_hands();
        } else {
            println!(
                "skipped: there is no whole sandbox, or it is left out because these tests are not root's"
            );
        }
        let place = Place::new();
        let daemon = daemon(engine, &place, &["--no-sandbox"]);
        link_elsewhere(&place);
        daemon.signal("HUP");
        daemon.wait_for_log(&["read again: 1 user in"]);
    }

    pub(super) fn in_place(engine: Engine) {
        let place = Place::new();
        let daemon = daemon(engine, &place, &[]);
        fs::write(place.join("own/new"), ALICE.repeat(2).replacen("alice", "bob", 1)).unwrap();
        fs::rename(place.join("own/new"), place.join("own/users")).unwrap();
        daemon.signal("HUP");
        daemon.wait_for_log(&["read again: 2 users in"]);
    }
}

#[cfg(feature = "fmltp")]
fn files_elsewhere_cannot_be_read(engine: Engine) {
    users::elsewhere(engine);
}

#[cfg(feature = "fmltp")]
fn a_file_that_takes_the_place_of_another_is_read(engine: Engine) {
    users::in_place(engine);
}

#[cfg(not(feature = "fmltp"))]
fn files_elsewhere_cannot_be_read(_: Engine) {
    println!("skipped: no file is read again without fmltp");
}

#[cfg(not(feature = "fmltp"))]
fn a_file_that_takes_the_place_of_another_is_read(_: Engine) {
    println!("skipped: no file is read again without fmltp");
}

fn the_check_says_what_the_kernel_makes_of_it(engine: Engine) {
    let said = sandbox(&["--engine", engine.name()]);
    if cfg!(feature = "sandbox") {
        assert!(["whole", "partial", "none"].contains(&said.as_str()), "{said}");
    } else {
        assert_eq!(said, "off");
    }
    assert_eq!(sandbox(&["--engine", engine.name(), "--no-sandbox"]), "off");
}
