//! `rollcalld`: the names and messages that it keeps, and what happens when it cannot.

#![cfg(test)]
#![cfg(feature = "chapp")]

mod common;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use common::*;

on_both_engines!(
    names_and_messages_outlive_the_daemon,
    the_directory_and_the_database_are_for_nobody_else,
    without_the_door_nothing_is_made,
    with_user_the_directory_is_that_users,
    a_database_in_use_is_told_of,
    a_damaged_database_is_told_of_and_left_as_it_is,
    a_full_disk_is_no_reason_to_end,
    a_limit_on_file_sizes_is_no_reason_to_end,
    a_directory_that_cannot_be_written_is_no_reason_to_end,
);

const CHAPP: [&str; 2] = ["--chapp", "127.0.0.1:0"];

/// A daemon whose door chapp is open, and which keeps its data there.
fn keeping(engine: Engine, data: &str) -> Daemon {
    Daemon::start(engine, &[&CHAPP[..], &["--data", data]].concat())
}

/// A chapp client of plain bytes, which ends each request by an empty line.
struct Chat {
    stream: TcpStream,
}

impl Chat {
    fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Sends a request, and reads up to the line by which each reply of these tests ends.
    #[track_caller]
    fn ask(&mut self, request: &str) -> String {
        self.stream.write_all(format!("{request}\\\nID:1\\\n\\\n").as_bytes()).unwrap();
        let (mut reply, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&piece[..count]);
            let Some(lines) = reply.strip_suffix(b"\\\n") else { continue };
            let ends_a_line = |at: &usize| lines[*at] == b'\n';
            let last = &lines[(0..lines.len()).rev().find(ends_a_line).map_or(0, |at| at + 1)..];
            if ["messages: ", "message: ", "reason: "].iter().any(|name| last.starts_with(name.as_bytes())) {
                return String::from_utf8(reply).unwrap();
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, request: &str, words: &[&str]) {
        let reply = self.ask(request);
        assert!(words.iter().all(|word| reply.contains(word)), "{request:?}: {words:?} in {reply:?}");
    }

    #[track_caller]
    fn introduce(server: SocketAddr, name: &str) -> Self {
        let mut chat = Self::connect(server);
        chat.expect(&format!("INTRODUCE\t{name}->server"), &["status: 100", &format!("username: {name}")]);
        chat
    }
}

const STORED: &str = "status: 100";
const NOT_STORED: &str = "status: 400\\\nreason: SERVER_ERROR\\\n";
const POST: &str = "POST\tann->bob\\\nmessage: hello";

fn names_and_messages_outlive_the_daemon(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    for signal in ["KILL", "TERM"] {
        let mut daemon = keeping(engine, &data);
        let mut ann = Chat::introduce(daemon.door("chapp"), "ann");
        ann.expect(&format!("{POST} {signal}"), &[STORED]);
        daemon.signal(signal);
        daemon.wait_for_exit();
    }
    let daemon = keeping(engine, &data);
    let mut client = Chat::connect(daemon.door("chapp"));
    client.expect("CONNECT\t->server", &[STORED, "username: ann", "messages: []"]);
    let messages = ["\"hello KILL\"", "\"hello TERM\"", "\"from_user\": \"ann\""];
    client.expect("INTRODUCE\tbob->server", &messages);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}

fn the_directory_and_the_database_are_for_nobody_else(engine: Engine) {
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    let place = Place::new();
    let [state, xdg, home] = ["state", "xdg", "home"].map(|name| place.text(name));
    let daemon = |variables: &[(&str, &str)]| {
        let mut command = Daemon::command(engine, &CHAPP);
        command.env_remove("STATE_DIRECTORY").env("HOME", &home);
        Daemon::spawn(command.envs(variables.iter().copied()))
    };
    let table: [(&[(&str, &str)], &str); 3] = [
        (&[("STATE_DIRECTORY", &state), ("XDG_STATE_HOME", &xdg)], "state"),
        (&[("XDG_STATE_HOME", &xdg)], "xdg/rollcalld"),
        (&[], "home/.local/state/rollcalld"),
    ];
    for (variables, expected) in table {
        let directory = place.join(expected);
        assert!(!directory.exists());
        let daemon = daemon(variables);
        Chat::introduce(daemon.door("chapp"), "ann");
        assert_eq!(mode(&directory), 0o700, "{expected}");
        assert_eq!(mode(&directory.join("chapp.redb")), 0o600, "{expected}");
    }
    // One that is there stays as it is.
    let there = place.text("there");
    fs::create_dir(&there).unwrap();
    fs::set_permissions(&there, Permissions::from_mode(0o2750)).unwrap();
    let _daemon = keeping(engine, &there);
    assert_eq!(mode(Path::new(&there)), 0o2750);
}

fn without_the_door_nothing_is_made(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    let daemon = Daemon::start(engine, &["--data", &data]);
    Raw::connect(daemon.address()).shake_hands();
    let check = finish(&["--check", "--data", &data]);
    assert_eq!(check.0, Some(0));
    assert!(check.1.contains(&format!("data = {data}\ndatabase = not there yet\n")), "{check:?}");
    assert!(!Path::new(&data).exists());
    let check = finish(&["--check", "--data", &data, "--chapp", "off", "--residue", "off"]);
    assert!(check.1.contains("data = none\ndatabase = none\n"), "{check:?}");
}

fn with_user_the_directory_is_that_users(engine: Engine) {
    if !process::is_root() {
        return println!("skipped: only root can become somebody else");
    }
    let place = Place::new();
    let data = place.text("parent/data");
    let daemon = Daemon::start(engine, &[&CHAPP[..], &["--data", &data, "--user", "nobody"]].concat());
    Chat::introduce(daemon.door("chapp"), "ann");
    let nobody = Path::new(&data).metadata().unwrap().uid();
    assert_ne!(nobody, 0);
    for name in ["parent", "parent/data", "parent/data/chapp.redb"] {
        assert_eq!(place.join(name).metadata().unwrap().uid(), nobody, "{name}");
    }
}

#[test]
fn where_there_is_no_place_for_data_one_is_asked_for() {
    for command in [&["--check"][..], &["--lekt", "127.0.0.1:0", "--chapp", "127.0.0.1:0"]] {
        let mut program = Daemon::program();
        program.args(CLOSED.chunks(2).filter(|closed| closed[0] != "--chapp").flatten());
        let output =
            outcome(&Daemon::finish(program.args(command).env_remove("STATE_DIRECTORY").env_remove("HOME")));
        assert_eq!(output.0, Some(2), "{output:?}");
        assert!(output.2.contains("--data") && output.2.contains("--chapp off"), "{output:?}");
    }
}

fn a_database_in_use_is_told_of(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    let daemon = keeping(engine, &data);
    let mut ann = Chat::introduce(daemon.door("chapp"), "ann");
    let arguments = [&CHAPP[..], &["--data", &data]].concat();
    let (status, stdout, stderr) = outcome(&Daemon::finish(&mut Daemon::command(engine, &arguments)));
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    let words = ["rollcalld: ", &data, "in use", "--data"];
    assert!(words.iter().all(|word| stderr.contains(word)) && stderr.lines().count() == 1, "{stderr}");
    let check = finish(&["--check", "--data", &data]);
    assert_eq!(check.0, Some(0));
    assert!(check.1.contains("database = in use by another daemon"), "{check:?}");
    ann.expect(POST, &[STORED]);
}

fn a_damaged_database_is_told_of_and_left_as_it_is(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    let mut daemon = keeping(engine, &data);
    let mut ann = Chat::introduce(daemon.door("chapp"), "ann");
    (0..50).for_each(|_| ann.expect(POST, &[STORED]));
    daemon.terminate();
    let path = place.join("data/chapp.redb");
    let whole = fs::read(&path).unwrap();
    let check = finish(&["--check", "--data", &data]);
    assert!(check.1.contains("database = whole\n"), "{check:?}");
    let (mut garbled, mut cut, mut other) = (whole.clone(), whole.clone(), whole.clone());
    // The pages that hold the message, all of them.
    let hello: Vec<_> = whole.windows(5).enumerate().filter(|(_, five)| five == b"hello").collect();
    hello.iter().for_each(|(at, _)| garbled[*at] = b'j');
    cut.truncate(whole.len() / 2);
    other[..1000].fill(b'x');
    let text = b"not a database".to_vec();
    for damaged in [garbled, cut, other, text] {
        fs::write(&path, &damaged).unwrap();
        let arguments = [&CHAPP[..], &["--data", &data]].concat();
        let started = outcome(&Daemon::finish(&mut Daemon::command(engine, &arguments)));
        for (status, stdout, stderr) in [started, finish(&["--check", "--data", &data])] {
            assert_eq!((status, stdout.as_str()), (Some(1), ""), "{stderr}");
            let words = ["rollcalld: ", &data, "damaged", "left as it is"];
            assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}");
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
        assert!(fs::read(&path).unwrap() == damaged);
    }
    fs::write(&path, &whole).unwrap();
    let daemon = keeping(engine, &data);
    Chat::connect(daemon.door("chapp")).expect("CONNECT\t->server", &[STORED, "username: ann"]);
}

fn a_full_disk_is_no_reason_to_end(engine: Engine) {
    let Some(disk) = Disk::mount("size=3m") else { return };
    let mut daemon = keeping(engine, &disk.text("data"));
    let mut ann = Chat::introduce(daemon.door("chapp"), "ann");
    disk.fill();
    let mut lekt = Raw::joined(3, daemon.door("lekt"), 1);
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    let mut post = |client: &mut Chat| {
        let text = format!("message {} {}", stored.len() + refused.len(), "x".repeat(30_000));
        let reply = client.ask(&format!("POST\tann->bob\\\nmessage: {text}"));
        assert!(reply.contains(STORED) || reply.contains(NOT_STORED), "{reply}");
        if reply.contains(STORED) { &mut stored } else { &mut refused }.push(text);
        reply.contains(STORED)
    };
    // What is free within the file takes some more; then there is no room, though it is tried again and again.
    process::eventually("400", || !post(&mut ann));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2500) {
        post(&mut ann);
        lekt.beat();
    }
    // Who only comes back is let in.
    let mut again = Chat::connect(daemon.door("chapp"));
    again.expect("CONNECT\t->server", &[STORED, "username: ann"]);
    disk.empty();
    process::eventually("room", || post(&mut again));
    daemon.wait_for_log(&["info: chapp: it can be stored again"]);
    let complaints: Vec<_> =
        daemon.log().into_iter().filter(|line| line.contains("chapp: nothing can be stored")).collect();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("warn: ") && complaints[0].contains("No space left"), "{complaints:?}");
    daemon.signal("KILL");
    daemon.wait_for_exit();
    // What was told to be stored is, and nothing else.
    let daemon = keeping(engine, &disk.text("data"));
    let kept = Chat::connect(daemon.door("chapp")).ask("INTRODUCE\tbob->server");
    assert!(stored.iter().all(|text| kept.contains(text.as_str())), "{} stored", stored.len());
    assert!(!refused.iter().any(|text| kept.contains(text.as_str())), "{} refused", refused.len());
}

/// It needs no rights to be tried, but the limit stays as it is.
fn a_limit_on_file_sizes_is_no_reason_to_end(engine: Engine) {
    let place = Place::new();
    let data = place.text("data");
    let arguments = [&CHAPP[..], &["--data", &data]].concat();
    let daemon = Daemon::spawn(&mut Daemon::command_after("ulimit -f 4096", engine, &arguments));
    let mut ann = Chat::introduce(daemon.door("chapp"), "ann");
    let long = format!("{POST} {}", "x".repeat(60_000));
    process::eventually("400", || ann.ask(&long).contains(NOT_STORED));
    Raw::connect(daemon.door("lekt")).shake_hands();
    Chat::connect(daemon.door("chapp")).expect("CONNECT\t->server", &[STORED, "username: ann"]);
    daemon.wait_for_log(&["warn: chapp: nothing can be stored", "File too large"]);
}

fn a_directory_that_cannot_be_written_is_no_reason_to_end(engine: Engine) {
    let Some(disk) = Disk::mount("size=8m") else { return };
    let data = disk.text("data");
    // Without a database there is nothing to read either.
    disk.remount("ro");
    let mut daemon = keeping(engine, &data);
    daemon.wait_for_log(&["warn: names and messages cannot be stored in", "Read-only file system"]);
    let mut ann = Chat::connect(daemon.door("chapp"));
    ann.expect("INTRODUCE\tann->server", &[NOT_STORED]);
    ann.expect("CONNECT\t->server", &[NOT_STORED]);
    Raw::connect(daemon.door("lekt")).shake_hands();
    disk.remount("rw");
    process::eventually("written", || ann.ask("INTRODUCE\tann->server").contains(STORED));
    ann.expect(POST, &[STORED]);
    daemon.terminate();
    // With one, who is on file is let in.
    disk.remount("ro");
    let daemon = keeping(engine, &data);
    let mut ann = Chat::connect(daemon.door("chapp"));
    ann.expect("CONNECT\t->server", &[STORED, "username: ann"]);
    ann.expect(POST, &[NOT_STORED]);
    disk.remount("rw");
    process::eventually("written", || ann.ask(POST).contains(STORED));
}

/// What came of a run with these arguments.
fn finish(arguments: &[&str]) -> (Option<i32>, String, String) {
    outcome(&Daemon::run(arguments))
}

/// An exit code, stdout, stderr.
fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
