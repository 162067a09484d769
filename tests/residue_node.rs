//! Residue: with the real client in JavaScript, which is used as it is.
//!
//! The environment variable `ROLLCALL_NODE_MODULES` says where it is; without it nothing is checked. With
//! `ROLLCALL_LONG=1`, what takes minutes is checked too.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use common::residue::*;
use common::residue_node::{Node, modules};
use common::*;
use serde_json::{Value, json};

on_both_engines!(
    it_connects_and_logs_at_every_level,
    two_hundred_logs_in_a_row_are_all_taken,
    what_it_logs_may_be_anything,
    it_may_encrypt_its_hello,
    it_may_be_managed,
    after_a_restart_it_connects_again_and_nothing_is_lost,
    a_restart_while_it_logs_loses_nothing_that_was_answered,
    it_touches_before_its_age_is_over,
);

fn it_connects_and_logs_at_every_level(engine: Engine) {
    let Some(modules) = modules() else { return };
    let (daemon, place) = start(engine, &[]);
    let mut client = Node::connected(&modules, &daemon, &json!({}));
    assert_eq!(client.requests(), 2);
    for (number, level) in ["info", "error", "debug", "trace", "fatal", "warn"].iter().enumerate() {
        client.calls(&format!(r#"["{level}","app","this is %s","{level}"]"#));
        client.waits_until_taken(number + 1);
    }
    let log = log_of(&place, "app");
    let levels = ["INFO", "ERROR", "DEBUG", "TRACE", "FATAL", "WARNING"];
    assert_eq!(log.lines().count(), levels.len(), "{log}");
    for (line, level) in log.lines().zip(levels) {
        let columns: Vec<&str> = line.splitn(8, ' ').collect();
        assert_eq!(columns[1..4], [level, "app", "com.example.node"], "{line}");
        assert!(columns[4].contains("residue_client.js"), "{line}");
        assert!(columns[7].starts_with("this is "), "{line}");
    }
}

/// A key that is sooner made than the default.
fn brisk() -> Value {
    json!({"rsa_key_size": 1280})
}

fn two_hundred_logs_in_a_row_are_all_taken(engine: Engine) {
    let Some(modules) = modules() else { return };
    let (daemon, place) = start(engine, &[]);
    let mut client = Node::connected(&modules, &daemon, &brisk());
    client.calls(r#"["repeat",200,"info","app","number"]"#);
    client.waits_until_taken(200);
    let wanted: Vec<_> = (0..200).map(|number| format!("number {number}")).collect();
    assert_eq!(messages(&place, "app"), wanted);
    // Without compression, which it uses when it is told that it may, it is the same.
    let (daemon, place) = start(engine, &["--residue-no-compression"]);
    let mut client = Node::connected(&modules, &daemon, &brisk());
    client.calls(r#"["repeat",20,"info","app","number"]"#);
    client.waits_until_taken(20);
    assert_eq!(messages(&place, "app"), wanted[..20]);
}

fn what_it_logs_may_be_anything(engine: Engine) {
    let Some(modules) = modules() else { return };
    let (daemon, place) = start(engine, &[]);
    let mut client = Node::connected(&modules, &daemon, &brisk());
    let texts = [
        ("two\nlines", r"two\nlines"),
        ("\u{1b}[31mred", r"\u{1B}[31mred"),
        ("d\u{e9}j\u{e0} vu \u{1f600}", "d\u{e9}j\u{e0} vu \u{1f600}"),
        ("\"quoted\" \\ back", r#""quoted" \\ back"#),
        ("a:b:c\r\n\r\nd", r"a:b:c\r\n\r\nd"),
    ];
    for (number, (text, _)) in texts.iter().enumerate() {
        client.calls(&json!(["error", "app", text]).to_string());
        client.waits_until_taken(number + 1);
    }
    client.calls(&json!(["info", "other.logger", "%j", {"a": [1, 2]}]).to_string());
    client.waits_until_taken(texts.len() + 1);
    assert_eq!(messages(&place, "app"), texts.map(|(_, line)| line));
    assert_eq!(messages(&place, "other.logger"), [r#""{\\"a\\":[1,2]}""#]);
}

fn it_may_encrypt_its_hello(engine: Engine) {
    let Some(modules) = modules() else { return };
    let place = Place::new();
    let [private, public] = ["server.pem", "server-public.pem"].map(|name| place.text(name));
    fs::write(&private, SERVERS.private_pem()).unwrap();
    fs::write(&public, SERVERS.public_pem()).unwrap();
    let daemon = start_in(&place, engine, &["--residue-key", &private, "--residue-no-plain"]);
    let mut options = brisk();
    options["server_public_key"] = public.into();
    let mut client = Node::connected(&modules, &daemon, &options);
    client.calls(r#"["info","app","encrypted"]"#);
    client.waits_until_taken(1);
    assert_eq!(messages(&place, "app"), ["encrypted"]);
}

fn it_may_be_managed(engine: Engine) {
    let Some(modules) = modules() else { return };
    let place = Place::new();
    let [clients, private, server] =
        ["clients", "ann-private.pem", "server.pem"].map(|name| place.text(name));
    let [own_public, public] = ["clients/ann.pem", "server-public.pem"].map(|name| place.text(name));
    fs::create_dir(&clients).unwrap();
    fs::write(&own_public, ANNS.public_pem()).unwrap();
    fs::write(&private, ANNS.private_pem()).unwrap();
    fs::write(&server, BOBS.private_pem()).unwrap();
    fs::write(&public, BOBS.public_pem()).unwrap();
    let options = ["--residue-clients", &clients, "--residue-no-unknown", "--residue-key", &server];
    let daemon = start_in(&place, engine, &options);
    // Node no longer takes its `null` for no passphrase; whatever else is ignored where none is needed.
    let own = json!({
        "client_id": "ann", "client_private_key": private, "client_key_secret": "none",
        "client_public_key": own_public,
    });
    let mut client = Node::connected(&modules, &daemon, &own);
    client.calls(r#"["info","app","managed"]"#);
    client.waits_until_taken(1);
    drop(client);
    let mut both = own;
    both["server_public_key"] = public.into();
    let mut client = Node::connected(&modules, &daemon, &both);
    client.calls(r#"["info","app","managed and encrypted"]"#);
    client.waits_until_taken(1);
    assert_eq!(messages(&place, "app"), ["managed", "managed and encrypted"]);
}

/// Where no other test is, so that the daemon finds its ports free when it comes back.
const OWN: [&str; 2] = ["127.77.0.1:0", "127.77.0.2:0"];

/// A daemon there.
#[track_caller]
fn start_apart(place: &Place, engine: Engine) -> Daemon {
    let any = OWN[usize::from(engine == Engine::Threads)];
    start_in(place, engine, &["--residue", any, "--residue-token", any, "--residue-log", any])
}

/// Kills it, and starts another one at the same ports.
#[track_caller]
fn restart(mut daemon: Daemon, place: &Place, engine: Engine) -> Daemon {
    let [connect, token, log] = Port::ALL.map(|port| port.of(&daemon));
    daemon.signal("KILL");
    daemon.wait_for_exit();
    let [connect, token, log] = [connect, token, log].map(|door: SocketAddr| door.to_string());
    start_in(place, engine, &["--residue", &connect, "--residue-token", &token, "--residue-log", &log])
}

fn after_a_restart_it_connects_again_and_nothing_is_lost(engine: Engine) {
    let Some(modules) = modules() else { return };
    let place = Place::new();
    let daemon = start_apart(&place, engine);
    let mut client = Node::connected(&modules, &daemon, &brisk());
    client.calls(r#"["repeat",100,"info","app","before"]"#);
    client.waits_until_taken(100);
    let _daemon = restart(daemon, &place, engine);
    client.waits_for("Remote connection closed!");
    client.calls(r#"["repeat",100,"info","app","after"]"#);
    client.waits_until_taken(200);
    let written = messages(&place, "app");
    assert_eq!(written.len(), 200);
    let numbered = |text: &'static str| (0..100).map(move |number| format!("{text} {number}"));
    let wanted: BTreeSet<_> = numbered("before").chain(numbered("after")).collect();
    assert_eq!(written.into_iter().collect::<BTreeSet<_>>(), wanted);
}

/// What was not answered it does not send again.
fn a_restart_while_it_logs_loses_nothing_that_was_answered(engine: Engine) {
    let Some(modules) = modules() else { return };
    let place = Place::new();
    let daemon = start_apart(&place, engine);
    let mut client = Node::connected(&modules, &daemon, &brisk());
    client.calls(r#"["repeat",200,"info","app","before"]"#);
    client.waits_until("50 answers", |seen| seen.iter().filter(|line| line.ends_with(TAKEN)).count() >= 50);
    let _daemon = restart(daemon, &place, engine);
    client.waits_for("Remote connection closed!");
    let answered = client.taken();
    let written = messages(&place, "app");
    assert!(answered <= written.len(), "{answered} answered, {} written", written.len());
    let once: BTreeSet<_> = written.iter().collect();
    assert_eq!(once.len(), written.len(), "something was written twice: {written:?}");
    client.calls(r#"["info","after","hello again"]"#);
    client.waits_until("hello again", |seen| {
        seen.iter().filter(|line| line.ends_with(TAKEN)).count() > answered
    });
    process::eventually("it is there", || messages(&place, "after") == ["hello again"]);
}

fn it_touches_before_its_age_is_over(engine: Engine) {
    let Some(modules) = modules() else { return };
    if env::var("ROLLCALL_LONG").is_err() {
        return println!("not checked: it takes four minutes; ROLLCALL_LONG is not set");
    }
    let (daemon, place) = start(engine, &["--residue-age", "300"]);
    let mut client = Node::connected(&modules, &daemon, &brisk());
    client.calls(r#"["info","app","young"]"#);
    client.waits_until_taken(1);
    assert_eq!(client.requests(), 2);
    // It touches when it logs and less than 60 seconds are left. It is for time itself that this waits, and nothing tells
    // of that: no age is shorter, and to log meanwhile would be another conversation.
    thread::sleep(Duration::from_secs(242));
    client.calls(r#"["info","app","old"]"#);
    client.waits_until_taken(2);
    assert_eq!(client.requests(), 3);
    client.calls(r#"["info","app","young again"]"#);
    client.waits_until_taken(3);
    assert_eq!(client.requests(), 3);
    assert_eq!(messages(&place, "app"), ["young", "old", "young again"]);
}
