//! `rollcalld`: the files of Residue, those that it reads and those that it writes.

#![cfg(test)]
#![cfg(feature = "residue")]

mod common;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use rollcall::residue::client::Event;
use rollcall::residue::reply::{Flags, LogReply};

use common::reporter::{Reporter, key, pair};
use common::*;

on_both_engines!(
    logs_are_in_the_files_of_their_loggers,
    a_line_is_json_where_that_is_asked_for,
    with_user_the_logs_are_that_users,
    hup_opens_the_logs_again,
    a_log_that_is_a_link_is_not_written_to,
    a_full_disk_is_no_reason_to_end,
    a_limit_on_file_sizes_is_no_reason_to_end,
    a_directory_that_cannot_be_written_is_no_reason_to_end,
    a_directory_in_use_is_told_of,
    without_the_door_nothing_is_made,
    a_client_may_encrypt_to_the_key_of_the_server,
    hup_reads_managed_clients_and_codes_again,
    files_that_are_not_right_stop_the_start,
    files_that_are_open_to_others_are_warned_of,
    what_needs_the_door_for_tokens_does_not_start_without,
    sockets_handed_over_are_for_the_doors_of_their_names,
);

const OPEN: [&str; 6] =
    ["--residue", "127.0.0.1:0", "--residue-token", "127.0.0.1:0", "--residue-log", "127.0.0.1:0"];

/// A daemon whose doors of Residue are open, and whose logs go to `logs`.
#[track_caller]
fn logging(engine: Engine, logs: &str, more: &[&str]) -> Daemon {
    Daemon::start(engine, &[&OPEN[..], &["--residue-logs", logs], more].concat())
}

/// The messages of a log, each of which is the last word of its line.
#[track_caller]
fn messages(path: impl AsRef<Path>) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
}

fn logs_are_in_the_files_of_their_loggers(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    let mut daemon = Daemon::start(engine, &[&OPEN[..], &["--data", &data]].concat());
    let mut reporter = Reporter::established(&daemon);
    let terms = reporter.terms.as_ref().unwrap();
    assert_eq!(terms.token_port, Some(daemon.door("residue-token").port()));
    assert_eq!(terms.logging_port, Some(daemon.door("residue-log").port()));
    assert_eq!((terms.flags, terms.age), (Some(Flags(501)), Some(259_200)));
    for message in ["one", "two"] {
        reporter.logs("first", message);
        reporter.logs("second", message);
    }
    assert_eq!(reporter.log("../third", "one"), LogReply::NotTaken);
    let line = "2017-09-06T02:12:05.034Z INFO first test - - - one";
    assert_eq!(fs::read_to_string(place.join("data/logs/first.log")).unwrap().lines().next(), Some(line));
    assert_eq!(messages(place.join("data/logs/second.log")), ["one", "two"]);
    let mode = |name: &str| place.join(name).metadata().unwrap().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/logs"), mode("data/logs/first.log")), (0o700, 0o750, 0o640));
    assert!(!place.join("data/third.log").exists());
    assert!(daemon.terminate().success());
    assert_eq!(messages(place.join("data/logs/first.log")), ["one", "two"]);
}

fn a_line_is_json_where_that_is_asked_for(engine: Engine) {
    let place = Place::new();
    let more = ["--residue-log-format", "json", "--residue-fsync", "--residue-age", "0"];
    let daemon = logging(engine, &place.text("logs"), &more);
    let mut reporter = Reporter::established(&daemon);
    assert_eq!(reporter.terms.as_ref().unwrap().age, Some(0));
    reporter.logs("first", "one");
    let line = fs::read_to_string(place.join("logs/first.log")).unwrap();
    assert!(line.starts_with('{') && line.ends_with("}\n") && line.contains("\"one\""), "{line}");
}

fn with_user_the_logs_are_that_users(engine: Engine) {
    if !process::is_root() {
        return println!("skipped: only root can become somebody else");
    }
    let place = Place::new();
    let daemon = logging(engine, &place.text("parent/logs"), &["--user", "nobody"]);
    Reporter::established(&daemon).logs("first", "one");
    let owner = |name: &str| place.join(name).metadata().unwrap().uid();
    assert_ne!(owner("parent"), 0);
    assert_eq!(owner("parent/logs"), owner("parent"));
    assert_eq!(owner("parent/logs/first.log"), owner("parent"));
}

fn hup_opens_the_logs_again(engine: Engine) {
    let place = Place::new();
    let daemon = logging(engine, &place.text("logs"), &[]);
    let mut reporter = Reporter::established(&daemon);
    reporter.logs("first", "one");
    let (log, moved) = (place.join("logs/first.log"), place.join("logs/first.log.1"));
    fs::rename(&log, &moved).unwrap();
    reporter.logs("first", "two");
    assert_eq!(messages(&moved), ["one", "two"]);
    let is_open = || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
        descriptors.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|path| path == moved))
    };
    assert!(is_open());
    daemon.signal("HUP");
    process::eventually("closed", || !is_open());
    reporter.logs("first", "three");
    assert_eq!((messages(&moved), messages(&log)), (vec!["one".into(), "two".into()], vec!["three".into()]));
    // Copied and cut to nothing, it needs no signal.
    fs::File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    reporter.logs("first", "four");
    assert_eq!(messages(&log), ["four"]);
}

fn a_log_that_is_a_link_is_not_written_to(engine: Engine) {
    let place = Place::new();
    fs::create_dir(place.join("logs")).unwrap();
    fs::write(place.join("elsewhere"), "").unwrap();
    symlink(place.join("elsewhere"), place.join("logs/first.log")).unwrap();
    let daemon = logging(engine, &place.text("logs"), &[]);
    let mut reporter = Reporter::established(&daemon);
    assert_eq!(reporter.log("first", "one"), LogReply::NotTaken);
    reporter.logs("second", "two");
    assert_eq!(fs::read_to_string(place.join("elsewhere")).unwrap(), "");
    daemon.wait_for_log(&["warn: ", "logs cannot be written", "first.log", "it is a symbolic link"]);
}

fn a_full_disk_is_no_reason_to_end(engine: Engine) {
    let Some(disk) = Disk::mount("size=128k") else { return };
    let mut daemon = logging(engine, &disk.text("logs"), &[]);
    let mut reporter = Reporter::established(&daemon);
    let mut stored = vec!["before".to_owned()];
    reporter.logs("first", "before");
    disk.fill();
    let mut refused = 0;
    for number in 0..40 {
        let message = format!("{number}-{}", "x".repeat(400));
        match reporter.log("first", &message) {
            LogReply::Taken => stored.push(message),
            _ => refused += 1,
        }
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(messages(disk.text("logs/first.log")), stored);
    disk.empty();
    reporter.logs("first", "after");
    stored.push("after".to_owned());
    daemon.wait_for_log(&["info: ", "logs can be written again"]);
    daemon.wait_for_log(&["warn: ", "logs cannot be written", "first.log", "No space left"]);
    daemon.signal("KILL");
    daemon.wait_for_exit();
    assert_eq!(messages(disk.text("logs/first.log")), stored);
}

/// It needs no rights to be tried, but the limit stays as it is.
fn a_limit_on_file_sizes_is_no_reason_to_end(engine: Engine) {
    let place = Place::new();
    let logs = place.text("logs");
    let arguments = [&OPEN[..], &["--residue-logs", &logs]].concat();
    // In blocks of 512 bytes.
    let daemon = Daemon::spawn(&mut Daemon::command_after("ulimit -f 8", engine, &arguments));
    let mut reporter = Reporter::established(&daemon);
    let long = "x".repeat(1000);
    process::eventually("refused", || reporter.log("first", &long) == LogReply::NotTaken);
    reporter.logs("second", "other");
    assert!(messages(place.join("logs/first.log")).iter().all(|message| *message == long));
    daemon.wait_for_log(&["warn: ", "logs cannot be written", "first.log", "File too large"]);
}

fn a_directory_that_cannot_be_written_is_no_reason_to_end(engine: Engine) {
    let Some(disk) = Disk::mount("size=1m") else { return };
    let logs = disk.text("logs");
    disk.remount("ro");
    let mut daemon = logging(engine, &logs, &[]);
    daemon.wait_for_log(&["warn: logs cannot be stored in", "Read-only file system"]);
    let mut reporter = Reporter::established(&daemon);
    assert_eq!(reporter.log("first", "one"), LogReply::NotTaken);
    disk.remount("rw");
    process::eventually("written", || reporter.log("first", "two") == LogReply::Taken);
    assert_eq!(messages(disk.text("logs/first.log")), ["two"]);
    daemon.terminate();
    // One that is there can be opened, and yet not written.
    disk.remount("ro");
    let daemon = logging(engine, &logs, &[]);
    daemon.wait_for_log(&["warn: logs cannot be stored in", "Read-only file system"]);
    let mut reporter = Reporter::established(&daemon);
    assert_eq!(reporter.log("first", "three"), LogReply::NotTaken);
    disk.remount("rw");
    reporter.logs("first", "four");
    assert_eq!(messages(disk.text("logs/first.log")), ["two", "four"]);
}

fn a_directory_in_use_is_told_of(engine: Engine) {
    let place = Place::new();
    let logs = place.text("logs");
    let mut daemon = logging(engine, &logs, &[]);
    Reporter::established(&daemon).logs("first", "one");
    let other = [&OPEN[..], &["--residue-logs", &logs]].concat();
    fails(&mut Daemon::command(engine, &other), 1, &["the directory ", &logs, "in use", "--residue-logs"]);
    let check = || outcome(&Daemon::run(&["--check", "--residue-logs", &logs])).1;
    assert!(check().contains(&format!("residue-logs = {logs}\nlogs = in use by another daemon\n")));
    assert!(daemon.terminate().success());
    assert!(check().contains(&format!("residue-logs = {logs}\nlogs = 1 log\n")));
    logging(engine, &logs, &[]);
}

fn without_the_door_nothing_is_made(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    let arguments = [&OPEN[..4], &["--residue-log", "off", "--data", &data]].concat();
    let daemon = Daemon::start(engine, &arguments);
    let reporter = Reporter::established(&daemon);
    // The client takes 0 for what it means.
    assert_eq!(reporter.terms.unwrap().logging_port, None);
    assert!(!Path::new(&data).exists());
}

fn a_client_may_encrypt_to_the_key_of_the_server(engine: Engine) {
    let place = Place::new();
    let pem = pair().to_encrypted_pem(b"correct horse").unwrap();
    let (key_file, password) = (place.text("key"), place.text("password"));
    write(&key_file, &pem);
    write(&password, "correct horse\n");
    // A key does not fit into a hello that is encrypted: the server has to know it.
    fs::create_dir(place.join("clients")).unwrap();
    write(&place.text("clients/ann.pem"), &key()[1]);
    let (clients, no_plain) = (place.text("clients"), "--residue-no-plain");
    let more = [
        "--residue-key",
        &key_file,
        "--residue-key-password",
        &password,
        no_plain,
        "--residue-clients",
        &clients,
    ];
    let daemon = logging(engine, &place.text("logs"), &more);
    daemon.wait_for_log(&[&format!("info: a server key of 2048 bits in {key_file}")]);
    let server = daemon.door("residue");
    let refused = Reporter::new(server, None, None).hello();
    assert_eq!(refused, Event::Refused("Plain connections not allowed by the server".to_owned()));
    let mut reporter = Reporter::new(server, Some("ann"), Some(pair().public()));
    reporter.establish();
    assert_eq!(reporter.terms.as_ref().unwrap().flags, Some(Flags(501 - 128)));
    reporter.logs("first", "one");
    write(&key_file, &pair().to_pem().unwrap());
    daemon.signal("HUP");
    daemon.wait_for_log(&[&format!(
        "warn: the server key {key_file} has changed: it is taken at the next start"
    )]);
    assert!(!daemon.log().concat().contains("correct"), "{:?}", daemon.log());
}

fn hup_reads_managed_clients_and_codes_again(engine: Engine) {
    let place = Place::new();
    let (clients, codes) = (place.text("clients"), place.text("codes"));
    fs::create_dir(&clients).unwrap();
    let client = |id: &str| format!("{clients}/{id}.pem");
    write(&client("ann"), &key()[1]);
    write(&codes, "first secret\n");
    let more = [
        "--residue-clients",
        &clients,
        "--residue-codes",
        &codes,
        "--residue-no-unknown",
        "--residue-no-default-code",
    ];
    let daemon = logging(engine, &place.text("logs"), &more);
    daemon.wait_for_log(&[&format!("info: 1 managed client in {clients}")]);
    daemon.wait_for_log(&[&format!("info: 1 access code in {codes}")]);
    let server = daemon.door("residue");
    let hello = |id: Option<&str>| Reporter::new(server, id, None).hello();
    assert_eq!(hello(None), Event::Refused("Unknown clients are not allowed".to_owned()));
    assert_eq!(hello(Some("bob")), Event::Refused("Client is unknown".to_owned()));
    let mut ann = Reporter::new(server, Some("ann"), None);
    ann.establish();
    assert!(matches!(ann.token("first", "secret"), Event::Token(_)));
    let wrong = Event::Refused("Invalid access code".to_owned());
    assert_eq!(ann.token("first", "other"), wrong);

    write(&client("bob"), &key()[1]);
    write(&codes, "first other\nsecond secret\n");
    daemon.signal("HUP");
    daemon.wait_for_log(&["info: read again: 2 managed clients in"]);
    daemon.wait_for_log(&["info: read again: 2 access codes in"]);
    assert!(matches!(hello(Some("bob")), Event::Greeted(_)));
    assert_eq!(ann.token("first", "secret"), wrong);
    assert!(matches!(ann.token("first", "other"), Event::Token(_)));

    write(&client("carol"), "no key");
    write(&codes, "first\n");
    daemon.signal("HUP");
    daemon.wait_for_log(&["error: the key of a managed client", "carol.pem", "stay who they were"]);
    daemon.wait_for_log(&["error: the file of access codes", "line 1: ", "stay what they were"]);
    assert!(matches!(hello(Some("bob")), Event::Greeted(_)));
    assert!(matches!(ann.token("first", "other"), Event::Token(_)));
    ann.logs("first", "one");
    assert!(!daemon.log().concat().contains("secret"), "{:?}", daemon.log());
}

fn files_that_are_not_right_stop_the_start(engine: Engine) {
    let place = Place::new();
    let (clients, file) = (place.text("clients"), place.text("file"));
    fs::create_dir(&clients).unwrap();
    write(&format!("{clients}/a b.pem"), &key()[1]);
    write(&file, "first\n");
    let missing = place.text("missing");
    let table: [(&[&str], &[&str]); 6] = [
        (&["--residue-clients", &clients], &["a b.pem is not right", "the ID of a client"]),
        (&["--residue-codes", &file], &["the file of access codes ", &file, "line 1: there is no code"]),
        (&["--residue-key", &file], &["the server key ", &file, "is not right"]),
        (&["--residue-key", &missing], &["cannot read the server key ", &missing, "No such file"]),
        (&["--residue-clients", &missing], &["cannot read the directory of managed clients ", &missing]),
        (&["--residue-logs", &file], &["cannot use the directory ", &file, "for logs"]),
    ];
    for (arguments, words) in table {
        for check in [&[][..], &["--check"]] {
            let arguments = [&OPEN[..], arguments, check].concat();
            fails(&mut Daemon::command(engine, &arguments), 1, words);
        }
    }
}

fn files_that_are_open_to_others_are_warned_of(engine: Engine) {
    let place = Place::new();
    let paths = ["key", "password", "codes", "clients/ann.pem"].map(|name| place.text(name));
    let [key_file, password, codes, client] = &paths;
    fs::create_dir(place.join("clients")).unwrap();
    for (path, text) in [(key_file, &*key()[0]), (password, "x\n"), (codes, "a b\n"), (client, &key()[1])] {
        write(path, text);
    }
    let clients = place.text("clients");
    let files = ["--residue-key", key_file, "--residue-key-password", password, "--residue-codes", codes];
    let arguments = [&files[..], &["--residue-clients", &clients, "--check"]].concat();
    let warned = |mode| {
        paths.iter().for_each(|path| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap());
        let (status, _, stderr) = outcome(&Daemon::finish(&mut Daemon::command(engine, &arguments)));
        assert_eq!(status, Some(0), "{stderr}");
        let is_warned_of =
            |path: &&String| stderr.contains(&format!("{path} is open to others: its mode is {mode:04o}"));
        paths.iter().filter(is_warned_of).cloned().collect::<Vec<_>>()
    };
    assert!(warned(0o600).is_empty());
    assert_eq!(warned(0o644), paths[..3]);
    assert_eq!(warned(0o660), paths);
}

fn what_needs_the_door_for_tokens_does_not_start_without(engine: Engine) {
    let command = |arguments: &[&str]| Daemon::command(engine, arguments);
    let off = ["--residue", "127.0.0.1:0", "--residue-log", "127.0.0.1:0", "--residue-require-token"];
    let words = ["with --residue-require-token", "the door residue-token, which is closed"];
    fails(&mut command(&off), 2, &words);
    let first = ["--residue-log", "127.0.0.1:0"];
    fails(&mut command(&first), 2, &["nobody could come to the door residue-log", "--residue"]);
}

fn sockets_handed_over_are_for_the_doors_of_their_names(engine: Engine) {
    if cfg!(not(feature = "systemd")) {
        return println!("skipped: built without systemd");
    }
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let logs = place.text("logs");
    let logs = ["--residue-logs", logs.as_str()];
    // No default address is taken, but those that are named are.
    for named in [&[][..], &["--residue-log", "127.0.0.1:0"]] {
        let command = &mut handed_over(engine, &listener, &["residue"], &[&logs[..], named].concat());
        let daemon = Daemon::spawn_with(command, 1 + named.len() / 2);
        let terms = Reporter::established(&daemon).terms.unwrap();
        let port = (!named.is_empty()).then(|| daemon.door("residue-log").port());
        assert_eq!((terms.token_port, terms.logging_port), (None, port));
    }
    let refused = |names: &[&str], more: &[&str], words: &[&str]| {
        let output = handed_over(engine, &listener, names, &[&logs[..], more].concat()).output().unwrap();
        let (status, _, stderr) = outcome(&output);
        assert!(status == Some(2) && words.iter().all(|word| stderr.contains(word)), "{stderr}");
    };
    refused(&["residue-log"], &[], &["nobody could come to the door residue-log without the door residue"]);
    let words = ["--residue-require-token", "residue-token, which is closed"];
    refused(&["residue", "residue-log"], &["--residue-require-token"], &words);
    let words = ["a socket was handed over for residue-log, which --residue-log off closes"];
    refused(&["residue", "residue-log"], &["--residue-log", "off"], &words);
}

/// A file with this text that its owner alone may read.
fn write(path: &str, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// The run ends with this code, and says all of `words` on stderr.
#[track_caller]
fn fails(command: &mut Command, code: i32, words: &[&str]) {
    let (status, stdout, stderr) = outcome(&Daemon::finish(command));
    assert_eq!((status, stdout.as_str()), (Some(code), ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in {stderr}");
    }
}

/// An exit code, stdout, stderr.
fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
