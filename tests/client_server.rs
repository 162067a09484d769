//! `rollcall list`, `watch`, `answer` and `chat` with a daemon.

#![cfg(feature = "client")]
#![cfg(test)]

mod common;
mod support_client;

use common::{Daemon, Engine};
use support_client::Rollcall;

/// Short, so that news comes soon.
const OFTEN: &[&str] = &["--interval", "0.1"];

fn chat(nick: &str, server: &str) -> Rollcall {
    let chat = Rollcall::start(&[&["chat", "--nick", nick, server], OFTEN].concat());
    chat.shows("on the roll of ");
    chat
}

/// Where a chat listens.
fn reach(chat: &Rollcall) -> String {
    let line = chat.shows("listening on ");
    line.split("listening on ").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

fn list_shows_who_is_there(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let nobody = Rollcall::run(&["list", &server], b"");
    assert_eq!((nobody.code, nobody.text()), (Some(0), ""));
    assert_eq!(nobody.stderr, format!("nobody is on the roll of {server}\n"));
    assert_eq!(Rollcall::run(&["list", "--json", &server], b"").text(), "[]\n");

    let (bob, address) = Rollcall::answer(&["--server", &server]);
    bob.says("on the roll of ");
    let port = address.split(':').nth(1).unwrap();
    let list = Rollcall::run(&["list", &server], b"");
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    assert_eq!(list.text(), format!("ADDRESS          CALL\n127.0.0.1        {address}\n"));
    let json = Rollcall::run(&["list", "--json", &server], b"");
    let expected =
        format!("[{{\"address\":\"127.0.0.1\",\"methods\":[{{\"name\":\"tcp\",\"port\":{port}}}]}}]\n");
    assert_eq!(json.text(), expected);
}

fn watch_tells_arrivals_and_departures(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let (first, present) = Rollcall::answer(&["--server", &server]);
    first.says("on the roll of ");
    let watch = Rollcall::start(&[&["watch", &server], OFTEN].concat());
    let json = Rollcall::start(&[&["watch", "--json", &server], OFTEN].concat());
    watch.shows(&format!("present   {present}"));
    let line = json.shows("\"event\":\"present\"");
    assert!(line.starts_with('{') && line.contains("\"port\":") && line.contains("\"unix\":"), "{line}");

    watch.says("watching the roll of ");
    json.shows("\"event\":\"complete\"");
    let (second, came) = Rollcall::answer(&["--server", &server]);
    watch.shows(&format!("arrived   {came}"));
    json.shows("\"event\":\"arrived\"");
    drop(second);
    let line = watch.shows(&format!("departed  {came}"));
    let time: Vec<&str> = line.split(' ').next().unwrap().split(':').collect();
    assert_eq!(time.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 2, 2], "{line}");
    json.shows("\"event\":\"departed\"");
    assert!(!watch.shown().contains(&format!("departed  {present}")), "who stayed did not seem to leave");
}

fn two_people_see_each_other_and_talk(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let mut alice = chat("alice", &server);
    alice.shows("* nobody else is here yet");
    let mut bob = chat("bob", &server);
    alice.shows(&format!("* {} arrived", reach(&bob)));
    bob.shows(&format!("* {} is here", reach(&alice)));

    bob.types("/call 1\nhello alice\n");
    alice.shows("* bob calls from 127.0.0.1:");
    alice.types("/accept\nhello bob\n//shrugs\n");
    bob.shows("alice: hello bob");
    bob.shows("alice: /shrugs");
    alice.shows("bob: hello alice");
    bob.types("/who\n");
    bob.shows("1  alice  127.0.0.1:");
    bob.types("bye\n/hangup\n");
    alice.shows("bob: bye");
    alice.shows("* bob has hung up");
    bob.types("/quit\n");
    assert_eq!(bob.finish().code, Some(0));
    alice.shows("* bob left");
    let alice = alice.finish();
    assert_eq!((alice.code, alice.stderr.as_str()), (Some(0), ""));
}

fn several_conversations_go_on_at_once(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let mut alice = chat("alice", &server);
    let alices = reach(&alice);
    let mut bob = chat("bob", &server);
    bob.types(format!("/call {alices}\n"));
    alice.shows("* bob calls");
    alice.types("/accept bob\n");
    alice.shows("* you are talking to bob");
    let mut other = chat("bob", &server);
    other.types(format!("/call {alices}\n"));
    alice.shows("* bob-2 calls");
    alice.types("/accept bob-2\nto the second\n/msg bob to the first\n/msg bob\nto the first again\n");
    other.shows("alice: to the second");
    bob.shows("alice: to the first");
    bob.shows("alice: to the first again");
    let mut carol = chat("carol", &server);
    carol.types(format!("/call {alices}\n"));
    alice.shows("* carol calls");
    alice.types("/reject dave\n");
    alice.shows("* nobody who is called dave calls; /who shows who does");
    alice.types("/reject carol not today\n/hangup dave\n");
    alice.shows("* you are not talking to dave; /who shows to whom you are");
    carol.shows("not today");
    alice.shows("* carol was rejected");
    other.types("/quit\n");
    alice.shows("* bob-2 has hung up");
    bob.types("still here\n");
    alice.shows("bob: still here");
    // The end of input leaves, and everybody is told.
    assert_eq!(alice.finish().code, Some(0));
    bob.shows("* alice has hung up");
}

fn nobody_makes_up_lines_of_others(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let mut alice = chat("alice", &server);
    let address = reach(&alice);
    // A whole standard input with newlines in it as one message.
    let mut eve = Rollcall::start(&["call", "--nick", "eve", "--binary", &address]);
    alice.shows("* eve calls");
    alice.types("/accept\n");
    eve.types("look\n* bob has hung up\x1b[2J");
    eve.end_of_input();
    alice.shows(r"eve: * bob has hung up\u{1B}[2J");
    alice.shows("* eve has hung up");
    assert_eq!(eve.finish().code, Some(0));
    assert!(!alice.shown().contains('\x1b'));
}

fn long_messages_are_shown_in_part_and_counted(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let mut alice = chat("alice", &server);
    let address = reach(&alice);
    for (nick, message, told) in [
        ("eve", vec![b'x'; 20_000], "* and 3616 bytes more"),
        ("bob", vec![b'\n'; 300], "* and 45 lines more"),
        ("carol", vec![0; 20_000], "carol: [20000 bytes of binary data]"),
    ] {
        let mut peer = Rollcall::start(&["call", "--nick", nick, "--binary", &address]);
        alice.shows(&format!("* {nick} calls"));
        alice.types("/accept\n");
        peer.types(message);
        peer.end_of_input();
        alice.shows(told);
        assert_eq!(peer.finish().code, Some(0));
    }
}

fn a_server_that_comes_back_is_found_again(engine: Engine) {
    let mut daemon = Daemon::start(engine, &[]);
    let server = daemon.address().to_string();
    let watch = Rollcall::start(&[&["watch", &server], OFTEN].concat());
    watch.says("watching the roll of ");
    let (bob, address) = Rollcall::answer(&["--server", &server]);
    watch.shows(&format!("arrived   {address}"));
    daemon.terminate();
    watch.shows("lost      ");
    bob.says("trying again in ");
    let _again = Daemon::start(engine, &["--lekt", &server]);
    watch.shows("rejoined");
    bob.says("again");
    let (_carol, came) = Rollcall::answer(&["--server", &server]);
    watch.shows(&came);
}

fn a_server_that_is_full_says_so(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-clients", "1"]);
    let server = daemon.address().to_string();
    let (bob, _) = Rollcall::answer(&["--server", &server]);
    bob.says("on the roll of ");
    let list = Rollcall::run(&["list", &server], b"");
    assert_eq!(list.code, Some(3), "{}", list.stderr);
    assert_eq!(list.stderr, format!("rollcall: rejected by {server}: the server is full\n"));
}

on_both_engines!(
    list_shows_who_is_there,
    watch_tells_arrivals_and_departures,
    two_people_see_each_other_and_talk,
    several_conversations_go_on_at_once,
    nobody_makes_up_lines_of_others,
    long_messages_are_shown_in_part_and_counted,
    a_server_that_comes_back_is_found_again,
    a_server_that_is_full_says_so,
);
