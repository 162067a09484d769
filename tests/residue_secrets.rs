//! Residue: what must not be told, and to whom.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::residue::*;
use common::secrets::holds_none_of;
use common::*;

on_both_engines!(
    no_secret_is_in_any_log,
    what_a_client_sends_does_not_reach_the_log_as_it_is,
    no_secret_is_in_what_others_are_told,
);

const CODE: &str = "Zebra-77-crossing";
const WRONG_CODE: &str = "Tapir-88-crossing";
const PASSPHRASE: &str = "correct horse";
const MESSAGE: &str = "nobody but the file is to know this";

/// A daemon that logs all there is, with every kind of secret.
#[track_caller]
fn talkative(engine: Engine) -> (Daemon, Place) {
    let place = Place::new();
    let [key, password, codes, clients] =
        ["key", "password", "codes", "clients"].map(|name| place.text(name));
    fs::create_dir(&clients).unwrap();
    fs::write(format!("{clients}/ann.pem"), ANNS.public_pem()).unwrap();
    fs::write(&key, include_str!("vectors/rsa1024-pbkdf2.pem")).unwrap();
    fs::write(&password, PASSPHRASE).unwrap();
    fs::write(&codes, format!("app {CODE}\n")).unwrap();
    let options = [
        "-vv",
        "--residue-key",
        &key,
        "--residue-key-password",
        &password,
        "--residue-codes",
        &codes,
        "--residue-clients",
        &clients,
        "--residue-require-token",
    ];
    let mut command = command(&place, engine, &options);
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    (Daemon::spawn(&mut command), place)
}

/// The lines of a PEM, which say what the key is.
fn body(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.contains('-') && !line.contains(':')).collect();
    STANDARD.decode(body).unwrap()
}

fn no_secret_is_in_any_log(engine: Engine) {
    let (mut daemon, place) = talkative(engine);
    let mut secrets: Vec<(&str, Vec<u8>)> = vec![
        ("a code", CODE.into()),
        ("a wrong code", WRONG_CODE.into()),
        ("the passphrase", PASSPHRASE.into()),
        ("a message", MESSAGE.into()),
        ("the server's key", body(include_str!("vectors/rsa1024.pem"))[40..].to_vec()),
        (
            "the server's key as its file has it",
            body(include_str!("vectors/rsa1024-pbkdf2.pem"))[120..].to_vec(),
        ),
        ("a client's public key", body(&ANNS.public_pem())[40..].to_vec()),
    ];
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    wire.asks(STANDARD.encode([1; 128]), &error(INVALID));
    wire.asks(format!("{{\"{MESSAGE}\":\"{MESSAGE}\"}}"), &error(INVALID));
    for mut client in [Client::managed(&daemon, "ann"), Client::established(&daemon)] {
        secrets.push(("a key", client.key.clone()));
        let (_, token) = client.is_given_token("app", CODE);
        secrets.push(("a token", token.clone().into_bytes()));
        let wrong = client.asks_for_token("app", &format!(r#","access_code":"{WRONG_CODE}""#));
        assert_eq!(wrong, token_error("Invalid access code"));
        for other in [&token, &MESSAGE.replace(' ', "")] {
            client.asks_for_token("app", &format!(r#","token":"{other}""#));
        }
        let with_token = item(MESSAGE).replace('}', &format!(r#","token":"{token}"}}"#));
        assert_eq!(client.logs(&with_token), TAKEN);
        assert_eq!(client.logs(compress(format!("[{with_token}]"))), TAKEN);
        for refused in [item(MESSAGE), format!("{with_token}x"), format!("[{with_token},7,")] {
            let sealed = client.seal(&refused);
            secrets.push(("a packet", sealed.ciphertext.clone()));
            client.sends(Port::Log, sealed.packet());
            client.wire(Port::Log).expect(NOT_TAKEN);
        }
        for changed in [client.seal_blocks(fresh_iv(), &[b'x'; 32]), client.seal(MESSAGE)] {
            client.sends(Port::Connect, changed.packet());
            assert_eq!(client.hears(Port::Connect), error(INVALID));
        }
    }
    assert_eq!(messages(&place, "app"), [MESSAGE; 4]);
    daemon.signal("HUP");
    daemon.wait_for_log(&["read again", "access code"]);
    assert!(daemon.terminate().success());
    let log = daemon.log().join("\n");
    assert!(log.contains("residue-log"), "nothing is logged of it: {log}");
    holds_none_of(&log, &secrets);
}

fn what_a_client_sends_does_not_reach_the_log_as_it_is(engine: Engine) {
    let (mut daemon, place) = talkative(engine);
    let mut client = Client::established(&daemon);
    let (_, token) = client.is_given_token("app", CODE);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for nasty in ["\u{1b}[2J", "\u{7}\u{8}", "\u{202e}\u{9b}2J", "\u{2028}"] {
        let escaped = serde_json::to_string(nasty).unwrap();
        wire.asks(nasty, &error(INVALID));
        wire.asks(format!("{{{escaped}:7}}"), &error(INVALID));
        wire.asks(plain_hello(&format!(r#""client_id":{escaped}"#)), &error("Client is unknown"));
        let named = client.is_called(nasty);
        wire.send(named.seal(nasty).packet());
        wire.expect(&error(NOT_CONNECTED));
        client.asks_for_token("app", &format!(r#","access_code":{escaped},"more":{escaped}"#));
        let item =
            format!(r#"{{"datetime":1,"logger":"app","msg":{escaped},"app":{escaped},"token":"{token}"}}"#);
        assert_eq!(client.logs(&item), TAKEN);
        assert_eq!(client.logs(item.replace(r#""app""#, &escaped)), NOT_TAKEN);
    }
    assert!(daemon.terminate().success());
    for line in daemon.log() {
        let is_nasty = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
        assert!(!line.chars().any(is_nasty), "{line:?}");
    }
    let log = log_of(&place, "app");
    assert!(!log.chars().any(|c| c.is_control() && c != '\n'), "{log:?}");
}

fn no_secret_is_in_what_others_are_told(engine: Engine) {
    let (daemon, _place) = talkative(engine);
    let mut ann = Client::managed(&daemon, "ann");
    let (_, token) = ann.is_given_token("app", CODE);
    let mut other = Client::established(&daemon);
    let mut told = String::new();
    for (port, text) in [
        (Port::Connect, other.request(3)),
        (Port::Connect, other.request(2)),
        (Port::Connect, ann.request(3)),
        (Port::Token, format!(r#"{{"_t":{},"logger_id":"app"}}"#, now())),
        (Port::Token, format!(r#"{{"_t":{},"logger_id":"app","access_code":"{WRONG_CODE}"}}"#, now())),
        (Port::Token, format!(r#"{{"_t":{},"logger_id":"app","token":"0123456789abcdef"}}"#, now())),
    ] {
        told += &other.asks(port, &text);
    }
    told += &other.logs(item(MESSAGE));
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for packet in [ann.request(2), ann.request(3), "{}".to_owned(), plain_hello(r#""client_id":"bob""#)] {
        wire.says(packet);
        told += &wire.take();
    }
    let secrets = [
        ("a key", ann.key.clone()),
        ("a token", token.into_bytes()),
        ("a code", CODE.into()),
        ("the passphrase", PASSPHRASE.into()),
    ];
    holds_none_of(&told, &secrets);
}
