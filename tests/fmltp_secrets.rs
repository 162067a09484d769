//! FmLTP: what must not be told, and to whom.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use common::fmltp::*;
use common::fmltp_keys::*;
use common::secrets::holds_none_of;
use common::*;

on_both_engines!(
    no_secret_is_in_any_log,
    what_a_client_sends_does_not_reach_the_log_as_it_is,
    no_secret_is_in_what_a_client_is_told,
);

/// A password that is nobody's, and in no other text.
const WRONG: &str = "Zebra-77-crossing";

/// A daemon that logs all there is.
#[track_caller]
fn talkative(engine: Engine) -> (Daemon, Place) {
    let place = Place::new();
    let file = write_users(&place, USERS);
    let args = ["--fmltp", "127.0.0.1:0", "--fmltp-users", &file, "--fmltp-timeout", "1"];
    let mut command = Daemon::command(engine, &args);
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    (Daemon::spawn(&mut command), place)
}

fn no_secret_is_in_any_log(engine: Engine) {
    let (mut daemon, _place) = talkative(engine);
    let mut secrets: Vec<(&str, Vec<u8>)> = vec![
        ("a right password", ALICES.into()),
        ("another right password", BOBS.into()),
        ("a wrong password", WRONG.into()),
        ("a hash", b"eCsjpZYyoRC2ega8jP8bReUdExmmhh".to_vec()),
    ];
    let remember = |client: &Fm, secrets: &mut Vec<(&str, Vec<u8>)>| {
        secrets.push(("the half of the key that signs", client.key().bytes()[..16].to_vec()));
        secrets.push(("the half of the key that encrypts", client.key().bytes()[16..].to_vec()));
        secrets.push(("the shared secret", client.shared().to_vec()));
    };
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    remember(&client, &mut secrets);
    let commands = [
        (format!("AUTH alice {WRONG}"), NOT_LET_IN),
        (format!("AUTH {WRONG} {WRONG}"), NOT_LET_IN),
        (format!("AUTH alice {WRONG} {WRONG}"), "410 Too many arguments passed.\r\n"),
        (format!("auth alice {WRONG}"), INVALID),
        (WRONG.to_owned(), INVALID),
        (format!("AUTH {WRONG}"), "411 Too few arguments passed.\r\n"),
        (format!("AUTH alice {ALICES}"), LET_IN),
        (format!("AUTH bob1 {BOBS}"), INVALID),
    ];
    for (command, wanted) in &commands {
        let token = client.key().seal(command);
        secrets.push(("a token", token.clone()));
        client.send(token);
        client.hears(wanted);
    }
    client.asks("QUIT", GOODBYE);
    client.expect_end();
    // Clients that fail once they have a key.
    let failures: [fn(&Key) -> Vec<u8>; 4] = [
        |key| key.seal(format!("AUTH alice {ALICES}")),
        |key| [&key.seal(format!("AUTH alice {ALICES}"))[..60], b"!"].concat(),
        |key| key.seal(format!("AUTH alice {ALICES}"))[..60].to_vec(),
        |key| key.seal_blocks(0x80, now(), [1; 16], b"AUTH alice Zebra"),
    ];
    for fail in failures {
        let mut client = Fm::keyed(&daemon);
        remember(&client, &mut secrets);
        let bytes = fail(client.key());
        secrets.push(("a token that is refused", bytes.clone()));
        client.send(bytes);
        client.is_refused_in_secret();
    }
    // And one that is there when the daemon ends.
    let member = Fm::let_in(&daemon, "bob1", BOBS);
    remember(&member, &mut secrets);
    assert!(daemon.terminate().success());
    let log = daemon.log().join("\n");
    assert!(log.contains("fmltp"), "nothing is logged of it: {log}");
    holds_none_of(&log, &secrets);
}

fn what_a_client_sends_does_not_reach_the_log_as_it_is(engine: Engine) {
    let (mut daemon, _place) = talkative(engine);
    for nasty in
        ["\x1b[2J\r\n", "FlexMusic\x1b[2J,0.0.0\r\n", "FlexMusic\u{202e}\u{9b}2J,0.0.x\r\n", "\x07\x08\0\r\n"]
    {
        let mut client = Fm::greeted(&daemon);
        client.send(nasty);
        client.is_refused();
        let mut client = Fm::in_key_exchange(&daemon);
        client.send(nasty);
        client.is_refused();
        let mut client = Fm::ready(&daemon, READY_LOCKED);
        client.says(nasty);
        client.hears(INVALID);
        client.says(format!("AUTH {0} {0}", nasty.trim()));
        client.hears(NOT_LET_IN);
    }
    // A name may hold what changes how a line is shown.
    let mut client = Fm::greeted(&daemon);
    client.send("FlexMusic\u{202e}Box,0.0.0\r\n");
    client.expect(&group());
    drop(client);
    assert!(daemon.terminate().success());
    for line in daemon.log() {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

fn no_secret_is_in_what_a_client_is_told(engine: Engine) {
    let (daemon, _place) = talkative(engine);
    let mut other = Fm::let_in(&daemon, "bob1", BOBS);
    let mut client = Fm::let_in(&daemon, "alice", ALICES);
    let mut told = String::new();
    for command in ["WHO", "HELP", "HELP WHO", "NOPE"] {
        told += &client.answer_to(command);
        told += &other.answer_to(command);
    }
    let secrets = [
        ("a password", ALICES.into()),
        ("another password", BOBS.into()),
        ("a key", other.key().bytes().to_vec()),
        ("a hash", USERS.as_bytes()[13..43].to_vec()),
    ];
    holds_none_of(&told, &secrets);
}
