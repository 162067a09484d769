//! `rollcall introduce`, `post`, `inbox` and `probe chapp` with a daemon.

#![cfg(all(feature = "client", feature = "chapp"))]
#![cfg(test)]

mod common;
mod support_client;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use common::*;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use support_client::{Ended, Rollcall};

on_both_engines!(
    who_is_introduced_is_known_from_then_on,
    a_name_of_another_address_is_not_to_be_had,
    messages_come_at_once_or_are_kept,
    who_takes_a_name_over_replaces_who_had_it,
    an_inbox_outlives_the_daemon,
    many_lines_are_kept_in_their_order,
    a_probe_goes_through_all_of_it_again_and_again,
    a_full_server_is_unreachable,
    an_interrupt_ends_it_at_once,
);

fn start(engine: Engine, place: &Place, options: &[&str]) -> Daemon {
    let data = place.text("data");
    Daemon::start(engine, &[&["--lekt", "off", "--chapp", "127.0.0.1:0", "--data", &data], options].concat())
}

fn server(daemon: &Daemon) -> String {
    daemon.door("chapp").to_string()
}

#[track_caller]
fn fine(arguments: &[&str], stdin: &str) -> Ended {
    let ended = Rollcall::run(arguments, stdin.as_bytes());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {} {}", ended.text(), ended.stderr);
    ended
}

/// What an inbox shows, without the times.
fn said(shown: &str) -> Vec<String> {
    shown.lines().map(|line| line[20..].to_owned()).collect()
}

fn who_is_introduced_is_known_from_then_on(engine: Engine) {
    let place = Place::new();
    let mut daemon = start(engine, &place, &[]);
    let events = |server: &str| -> Vec<String> {
        let ended = fine(&["introduce", "--json", "ann", server], "");
        let event = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].clone();
        ended.text().lines().map(|line| event(line).as_str().unwrap().to_owned()).collect()
    };
    let first = ["asked", "unknown", "asked", "introduced", "asked", "entered"];
    assert_eq!(events(&server(&daemon)), first);
    assert_eq!(events(&server(&daemon)), ["asked", "entered"]);
    daemon.terminate();
    let daemon = start(engine, &place, &[]);
    assert_eq!(events(&server(&daemon)), ["asked", "entered"], "the books are kept");
    fine(&["introduce", "eve", &server(&daemon)], "");
    let ended = fine(&["inbox", "--once", &server(&daemon)], "");
    assert!(ended.stderr.ends_with(" as eve\n"), "the one introduced last: {}", ended.stderr);
}

fn a_name_of_another_address_is_not_to_be_had(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &[]);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&daemon.door("chapp").into()).unwrap();
    let mut other = TcpStream::from(socket);
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    other.write_all(b"INTRODUCE\tann->server\\\nID:1\\\n\\\n").unwrap();
    assert!(other.read(&mut [0; 1024]).unwrap() > 0);
    for command in [&["introduce", "ann"][..], &["post", "--name", "ann", "bob"], &["inbox", "--name", "ann"]]
    {
        let ended = Rollcall::run(&[command, &[&server(&daemon)]].concat(), b"hi\n");
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("the name ann is not to be had (301 INVALID_USERNAME)"),
            "{}",
            ended.stderr
        );
    }
}

fn messages_come_at_once_or_are_kept(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &[]);
    let server = server(&daemon);
    let inbox = Rollcall::start(&["inbox", "--name", "bob", &server]);
    inbox.says(" as bob");
    let mut post = Rollcall::start(&["post", "--name", "ann", "bob", &server]);
    post.types("first\n");
    inbox.shows("ann: first");
    post.types("\"quoted\" \\n \\\n");
    inbox.shows(r#"ann: "quoted" \n \"#);
    drop(inbox);
    post.types("é \u{1b}[2J \u{1f600}\n");
    assert_eq!(post.finish().code, Some(0));
    let expected = ["ann: first", r#"ann: "quoted" \n \"#, "ann: é \\u{1B}[2J \u{1f600}"];
    let ended = fine(&["inbox", "--name", "bob", "--once", &server], "");
    assert_eq!(said(ended.text()), expected);
}

fn who_takes_a_name_over_replaces_who_had_it(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &[]);
    let server = server(&daemon);
    let inbox = Rollcall::start(&["inbox", "--name", "ann", &server]);
    inbox.says(" as ann");
    fine(&["post", "ann", &server], "to myself\n");
    let ended = inbox.finish();
    let reason = "another connection has come in our place (306 REPLACED)";
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.ends_with(&format!("rejected by {server}: {reason}\n")), "{}", ended.stderr);
    let ended = fine(&["inbox", "--once", &server], "");
    assert_eq!(said(ended.text()), ["ann: to myself"]);
}

fn an_inbox_outlives_the_daemon(engine: Engine) {
    let place = Place::new();
    let mut daemon = start(engine, &place, &[]);
    let server = server(&daemon);
    let inbox =
        Rollcall::start(&["inbox", "--timeout", "0.2", "--attempts", "100", "--name", "bob", &server]);
    inbox.says(" as bob");
    fine(&["post", "--name", "ann", "bob", &server], "before\n");
    inbox.shows("ann: before");
    daemon.terminate();
    inbox.says("lost: ");
    let options = ["--lekt", "off", "--chapp", &server, "--data", &place.text("data")];
    let _daemon = Daemon::start(engine, &options);
    fine(&["post", "--name", "ann", "bob", &server], "after\n");
    inbox.shows("ann: after");
    assert_eq!(said(&inbox.shown()), ["ann: before", "ann: after"]);
}

fn many_lines_are_kept_in_their_order(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &[]);
    let server = server(&daemon);
    let lines: Vec<String> = (0..300).map(|number| format!("{number} {}", "x".repeat(number))).collect();
    fine(&["post", "--name", "ann", "bob", &server], &(lines.join("\n") + "\n"));
    let ended = fine(&["inbox", "--name", "bob", "--once", &server], "");
    let expected: Vec<_> = lines.iter().map(|line| format!("ann: {line}")).collect();
    assert_eq!(said(ended.text()), expected);
}

fn a_probe_goes_through_all_of_it_again_and_again(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &[]);
    for is_known in [false, true] {
        let ended = fine(&["probe", "chapp", &server(&daemon)], "");
        let outcome = if is_known { "skipped" } else { "done" };
        let expected = [
            ("connect", "done"),
            ("ask", "done"),
            ("introduce", outcome),
            ("enter", outcome),
            ("post", "done"),
            ("delivery", "done"),
            ("goodbye", "done"),
        ];
        let steps = ended.text().lines().map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap())
        });
        assert_eq!(steps.collect::<Vec<_>>(), expected, "{}", ended.text());
    }
}

fn a_full_server_is_unreachable(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &["--max-clients", "1"]);
    let _only = TcpStream::connect(daemon.door("chapp")).unwrap();
    let server = server(&daemon);
    let ended = Rollcall::run(&["introduce", "--timeout", "0.2", "--attempts", "2", "ann", &server], b"");
    assert_eq!(ended.code, Some(5), "{} {}", ended.text(), ended.stderr);
    assert!(
        ended.stderr.contains("it said 400 SERVER_ERROR; is a server running there?"),
        "{}",
        ended.stderr
    );
}

fn an_interrupt_ends_it_at_once(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &place, &[]);
    let server = server(&daemon);
    let inbox = Rollcall::start(&["inbox", "--name", "ann", &server]);
    inbox.says(" as ann");
    process::signal(inbox.pid(), "TERM");
    let ended = inbox.finish();
    assert_eq!((ended.code, ended.text()), (None, ""), "by the signal");
    // The name stays ours, and nobody has it.
    fine(&["inbox", "--name", "ann", "--once", &server], "");
}
