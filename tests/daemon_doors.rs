//! `rollcalld`: which doors are open, where, and to whom.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use common::*;

const ALICE: &str = "alice:$2b$12$DEgbyzR24rCjF1HpHaOjC.Y4zYvu6yAiFBZN/ODKNUbRhdTJGncha\n";
const BOB: &str = "bob:$2a$12$wjVvI.alkOm0fuHvgmoGjuvVF/pRsT7hvIWTlCZbyir0VqYheO4au\n";

on_both_engines!(
    each_door_speaks_its_own_protocol,
    a_door_that_is_off_is_not_there,
    an_address_in_use_is_told_with_its_door,
    the_ready_lines_say_how_to_open_each_door,
    the_name_and_the_version_can_be_set,
    a_door_without_users_is_for_this_machine_only,
    a_socket_handed_over_is_for_the_door_of_its_name,
    a_socket_handed_over_lets_nobody_in_who_would_have_to_log_in,
    a_socket_handed_over_for_a_door_that_is_off_is_an_error,
    a_users_file_that_is_not_right_stops_the_start,
    a_users_file_that_is_open_to_others_is_warned_of,
    a_users_file_that_cannot_be_read_again_is_warned_of,
    hup_reads_the_users_again,
    hup_says_which_line_is_wrong_and_goes_on,
);

/// How a run ended: its code, stdout, stderr.
fn outcome(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The run ends with this code, and says all of `words` on stderr.
#[track_caller]
fn fails(command: &mut Command, code: i32, words: &[&str]) {
    let (status, stdout, stderr) = outcome(Daemon::finish(command));
    assert_eq!((status, stdout.as_str()), (Some(code), ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in {stderr}");
    }
}

/// A client is greeted at this address as FlexMusic's are.
#[track_caller]
fn is_greeted(address: SocketAddr, greeting: &str) {
    let mut client = Raw::connect(address);
    client.expect(format!("{greeting}\r\n").as_bytes());
}

/// A file with this text that its owner alone may read.
fn users(place: &Place, text: &str) -> String {
    let path = place.text("users");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn each_door_speaks_its_own_protocol(engine: Engine) {
    let daemon = Daemon::start(engine, &["--fmltp", "127.0.0.1:0", "--fmltp", "127.0.0.5:0"]);
    assert_eq!(daemon.addresses().len(), 3);
    Raw::connect(daemon.door("lekt")).shake_hands();
    for address in &daemon.addresses()[1..] {
        is_greeted(*address, "FlexMusic,0.0.0");
    }
    assert_eq!(daemon.door("fmltp"), daemon.addresses()[1]);
}

fn a_door_that_is_off_is_not_there(engine: Engine) {
    let one = Daemon::start(engine, &["--lekt", "off", "--fmltp", "127.0.0.1:0"]);
    assert_eq!(one.addresses(), [one.door("fmltp")]);
    is_greeted(one.address(), "FlexMusic,0.0.0");
    let other = Daemon::start(engine, &["--fmltp", "off"]);
    assert_eq!(other.addresses(), [other.door("lekt")]);
    let none = &mut Daemon::command(engine, &["--lekt", "off", "--fmltp", "off"]);
    fails(none, 2, &["with --lekt off and --fmltp off", "there is no door left to listen on"]);
}

fn an_address_in_use_is_told_with_its_door(engine: Engine) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words = [address.as_str(), "fmltp", "in use", "take another with --fmltp"];
    fails(&mut Daemon::command(engine, &["--fmltp", &address]), 1, &words);
}

fn the_ready_lines_say_how_to_open_each_door(engine: Engine) {
    let place = Place::new();
    let users = users(&place, ALICE);
    let lines = |args: &[&str]| {
        let daemon = Daemon::start(engine, &[&["--fmltp", "127.0.0.1:0"], args].concat());
        let [lekt, fmltp] = ["lekt", "fmltp"].map(|door| daemon.door(door).port().to_string());
        let plain = |line: &String| line.replace(&lekt, "LEKT").replace(&fmltp, "FMLTP");
        daemon.output().iter().map(plain).collect::<Vec<_>>()
    };
    let lekt = "lekt listening on 127.0.0.1:LEKT (this machine only; --lekt 0.0.0.0:LEKT opens it to others)";
    let fmltp = "fmltp listening on 127.0.0.1:FMLTP (this machine only; --fmltp 0.0.0.0:FMLTP";
    let bare = format!("{fmltp} --fmltp-users FILE opens it to others)");
    let safe = format!("{fmltp} opens it to others)");
    assert_eq!(lines(&[]), [lekt, &bare]);
    assert_eq!(lines(&["--fmltp-users", &users]), [lekt, &safe]);
    assert_eq!(lines(&["--fmltp-open"]), [lekt, &safe]);
    // What is open already needs no hint, and the other door still has its own.
    let open = lines(&["--lekt", "0.0.0.0:0"]);
    assert_eq!(open, ["lekt listening on 0.0.0.0:LEKT", &bare]);
}

fn the_name_and_the_version_can_be_set(engine: Engine) {
    let args = ["--fmltp", "127.0.0.1:0", "--fmltp-name", "FlexMusic of mine,3.2.1"];
    let daemon = Daemon::start(engine, &args);
    is_greeted(daemon.door("fmltp"), "FlexMusic of mine,3.2.1");
}

fn a_door_without_users_is_for_this_machine_only(engine: Engine) {
    let place = Place::new();
    let users = users(&place, "");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8900"] {
        let words = [address, "--fmltp-users FILE", "--fmltp-open"];
        fails(&mut Daemon::command(engine, &["--fmltp", address]), 2, &words);
        fails(&mut Daemon::command(engine, &["--fmltp", address, "--check"]), 2, &words);
    }
    for allowed in [&["--fmltp-open"][..], &["--fmltp-users", &users]] {
        let daemon = Daemon::start(engine, &[&["--fmltp", "0.0.0.0:0"], allowed].concat());
        is_greeted((ip(1), daemon.door("fmltp").port()).into(), "FlexMusic,0.0.0");
    }
    let both = ["--fmltp", "127.0.0.1:0", "--fmltp-open", "--fmltp-users", &users];
    fails(&mut Daemon::command(engine, &both), 2, &["--fmltp-open", "--fmltp-users", "exclude each other"]);
}

/// What [`handed_over`] has to say when it is not ready.
#[track_caller]
fn is_refused(command: &mut Command, words: &[&str]) {
    let (code, stdout, stderr) = outcome(command.output().unwrap());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in {stderr}");
    }
}

fn a_socket_handed_over_is_for_the_door_of_its_name(engine: Engine) {
    if cfg!(not(feature = "systemd")) {
        return println!("skipped: built without systemd");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let table: [(&[&str], &[&str]); 8] = [
        (&[], &["lekt"]),
        (&["lekt"], &["lekt"]),
        (&["fmltp"], &["fmltp"]),
        (&[""], &["lekt"]),
        (&["rollcalld.socket"], &["lekt"]),
        (&["Fmltp"], &["lekt"]),
        (&["rollcalld-fmltp.socket"], &["lekt"]),
        (&["fmltp", "unknown"], &["fmltp", "lekt"]),
    ];
    for (names, doors) in table {
        // No default address is taken, of whichever door.
        let mut command = handed_over(engine, &listener, names, &[]);
        let mut daemon = Daemon::spawn_with(&mut command, doors.len());
        let wanted: Vec<_> = doors.iter().map(|door| format!("{door} listening on {address}")).collect();
        match doors {
            ["fmltp"] => is_greeted(address, "FlexMusic,0.0.0"),
            ["lekt"] => Raw::connect(address).shake_hands(),
            _ => {}
        }
        assert!(daemon.terminate().success());
        assert_eq!(daemon.output(), wanted, "{names:?}");
        let is_meant = |name: &&str| ["", "unknown", "rollcalld.socket", "lekt", "fmltp"].contains(name);
        for name in names {
            let warning = format!(
                "warn: the socket {name:?} is named after no door that is built in: it is taken for lekt"
            );
            let is_warned_of = daemon.log().iter().any(|line| line.ends_with(&warning));
            assert_eq!(is_warned_of, !is_meant(name), "{name:?}");
        }
    }
    // Addresses that are asked for are listened on as well.
    let args = ["--fmltp", "127.0.0.1:0"];
    let daemon = Daemon::spawn_with(&mut handed_over(engine, &listener, &[], &args), 2);
    assert_eq!(daemon.door("lekt"), address);
    is_greeted(daemon.door("fmltp"), "FlexMusic,0.0.0");
}

fn a_socket_handed_over_lets_nobody_in_who_would_have_to_log_in(engine: Engine) {
    if cfg!(not(feature = "systemd")) {
        return println!("skipped: built without systemd");
    }
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut command = handed_over(engine, &listener, &["fmltp"], &[]);
    is_refused(&mut command, &["at 0.0.0.0:", "--fmltp-users FILE", "--fmltp-open"]);
    let mut command = handed_over(engine, &listener, &["fmltp"], &["--fmltp-open"]);
    let daemon = Daemon::spawn_with(&mut command, 1);
    assert_eq!(daemon.door("fmltp"), listener.local_addr().unwrap());
}

fn a_socket_handed_over_for_a_door_that_is_off_is_an_error(engine: Engine) {
    if cfg!(not(feature = "systemd")) {
        return println!("skipped: built without systemd");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let words = ["a socket was handed over for fmltp, which --fmltp off closes"];
    is_refused(&mut handed_over(engine, &listener, &["fmltp"], &["--fmltp", "off"]), &words);
    let words = ["a socket was handed over for lekt, which --lekt off closes"];
    is_refused(&mut handed_over(engine, &listener, &[], &["--lekt", "off"]), &words);
}

fn a_users_file_that_is_not_right_stops_the_start(engine: Engine) {
    let place = Place::new();
    let path = users(&place, "");
    let table = [
        (format!("#\n{ALICE}\nalice\n"), "line 4: there is no colon between a name and a hash"),
        (format!("{ALICE}a:b\n"), "line 2: a name is 2 to 32 ASCII letters and digits"),
        (format!("{ALICE}{BOB}{ALICE}"), "line 3: the name is in line 1 already"),
        (ALICE.replace("$12$", "$11$"), "line 1: the cost of the hash is not 12"),
        ("#".repeat((1 << 20) + 1), "is longer than 1048576 bytes"),
    ];
    for (text, says) in table {
        fs::write(&path, &text).unwrap();
        for check in [&[][..], &["--check"]] {
            let args = [&["--fmltp", "127.0.0.1:0", "--fmltp-users", &path], check].concat();
            fails(&mut Daemon::command(engine, &args), 1, &[&path, says]);
        }
    }
    let (missing, directory) = (place.text("missing"), place.text(""));
    let says = format!("cannot read the users file {missing}: No such file");
    fails(&mut Daemon::command(engine, &["--fmltp-users", &missing]), 1, &[&says]);
    let says = format!("the users file {directory} is no regular file");
    fails(&mut Daemon::command(engine, &["--fmltp-users", &directory]), 1, &[&says]);
}

fn a_users_file_that_is_open_to_others_is_warned_of(engine: Engine) {
    let place = Place::new();
    let path = users(&place, ALICE);
    let warned_with = |credentials: &Path, mode| {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let args = ["--fmltp", "127.0.0.1:0", "--fmltp-users", &path, "--check"];
        let mut command = Daemon::command(engine, &args);
        let (status, _, stderr) = outcome(Daemon::finish(command.env("CREDENTIALS_DIRECTORY", credentials)));
        assert_eq!(status, Some(0), "{stderr}");
        stderr.contains(&format!("warn: the users file {path} is open to others: its mode is {mode:04o}"))
    };
    let warned = |mode| warned_with(&place.join("credentials"), mode);
    assert!(!warned(0o600) && !warned(0o400));
    assert!(warned(0o640) && warned(0o604) && warned(0o666));
    // What a supervisor lets one user read has the right of a group in its mode.
    let warned = |mode| warned_with(&place.join(""), mode);
    assert!(!warned(0o440) && warned(0o444) && warned(0o460));
}

/// It was read by root, and the file is not the user's that the daemon has become.
fn a_users_file_that_cannot_be_read_again_is_warned_of(engine: Engine) {
    if !process::status(std::process::id(), "Uid").starts_with("0\t") {
        return println!("skipped: only root can become somebody else");
    }
    let place = Place::new();
    let path = users(&place, ALICE);
    let args = ["--fmltp", "127.0.0.1:0", "--fmltp-users", &path, "--user", "nobody"];
    let warning = format!("warn: the users file {path} cannot be read again as it is now");
    let is_told_before = || {
        let check = [&args[..], &["--check"]].concat();
        let (status, _, stderr) = outcome(Daemon::finish(&mut Daemon::command(engine, &check)));
        assert_eq!(status, Some(0), "{stderr}");
        stderr.contains(&warning)
    };
    assert!(is_told_before());
    let daemon = Daemon::start(engine, &args);
    daemon.wait_for_log(&[&warning]);
    daemon.signal("HUP");
    daemon.wait_for_log(&["error: cannot read the users file", "stay who they were"]);

    chown(&path, Some(65_534), None).unwrap();
    assert!(!is_told_before());
    let daemon = Daemon::start(engine, &args);
    daemon.signal("HUP");
    daemon.wait_for_log(&["read again: 1 user in"]);
    assert!(!daemon.log().concat().contains(&warning));
}

fn hup_reads_the_users_again(engine: Engine) {
    let place = Place::new();
    let path = users(&place, ALICE);
    let daemon = Daemon::start(engine, &["--fmltp", "127.0.0.1:0", "--fmltp-users", &path]);
    daemon.wait_for_log(&[&format!("info: 1 user in {path}")]);
    users(&place, &format!("{ALICE}{BOB}"));
    daemon.signal("HUP");
    daemon.wait_for_log(&[&format!("info: read again: 2 users in {path}")]);
    users(&place, "# nobody any more\n");
    daemon.signal("HUP");
    daemon.wait_for_log(&[&format!("info: read again: 0 users in {path}")]);
}

fn hup_says_which_line_is_wrong_and_goes_on(engine: Engine) {
    let place = Place::new();
    let path = users(&place, ALICE);
    let mut daemon = Daemon::start(engine, &["--fmltp", "127.0.0.1:0", "--fmltp-users", &path, "-q"]);
    users(&place, &format!("{BOB}carol:correct-horse\n"));
    daemon.signal("HUP");
    daemon.wait_for_log(&[
        &format!("error: the users file {path} is not right: line 2: "),
        "stay who they were",
    ]);
    fs::remove_file(&path).unwrap();
    daemon.signal("HUP");
    daemon.wait_for_log(&[&format!("error: cannot read the users file {path}: "), "stay who they were"]);
    is_greeted(daemon.door("fmltp"), "FlexMusic,0.0.0");
    assert!(daemon.terminate().success());
    assert!(!daemon.log().concat().contains("correct-horse"), "a line is repeated: {:?}", daemon.log());
}

/// The settings that `--check` prints.
#[track_caller]
fn settings(args: &[&str]) -> Vec<String> {
    let (status, stdout, stderr) = outcome(Daemon::run(&[args, &["--check"]].concat()));
    assert_eq!(status, Some(0), "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn check_prints_the_defaults_of_the_door() {
    let settings = settings(&[]);
    let cores = std::thread::available_parallelism().unwrap().get();
    for row in [
        "lekt = 127.0.0.1:7890",
        "fmltp = 127.0.0.1:8900",
        &format!("slow-workers = {}", (cores - 1).max(1)),
        "fmltp-users = none",
        "fmltp-open = no",
        "fmltp-name = FlexMusic,0.0.0",
        "fmltp-timeout = 5",
        "fmltp-cooldown = 300",
        "fmltp-cooldown-loopback = no",
    ] {
        assert!(settings.iter().any(|line| line == row), "no {row:?} in {settings:?}");
    }
}

#[test]
fn check_prints_what_is_set_for_the_door() {
    let place = Place::new();
    let path = users(&place, ALICE);
    let given = [
        ("fmltp", "[::]:5"),
        ("slow-workers", "7"),
        ("fmltp-users", path.as_str()),
        ("fmltp-name", "FlexMusic two,2.0.65535"),
        ("fmltp-timeout", "60"),
        ("fmltp-cooldown", "0"),
    ];
    let args: Vec<_> =
        given.iter().flat_map(|(option, value)| [format!("--{option}"), (*value).to_owned()]).collect();
    let mut args: Vec<_> = args.iter().map(String::as_str).collect();
    args.extend(["--fmltp-cooldown-loopback", "--lekt", "off"]);
    let settings = settings(&args);
    for (option, value) in given.iter().chain(&[("fmltp-cooldown-loopback", "yes"), ("lekt", "off")]) {
        let row = format!("{option} = {value}");
        assert!(settings.contains(&row), "no {row:?} in {settings:?}");
    }
}
