//! Residue: hello, acknowledgement, touch: how clients come in.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::collections::HashSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::residue::*;
use common::*;

on_both_engines!(
    a_client_comes_in_by_a_plain_hello,
    a_client_comes_in_by_a_hello_encrypted_to_the_server,
    packets_that_were_written_down_are_read,
    keys_have_the_size_that_is_asked_for,
    a_public_key_may_look_like_those_of_every_client,
    what_is_told_on_acknowledging_is_told_on_touching,
    flags_say_what_the_options_say,
    what_can_be_told_is_as_it_was_set,
    a_managed_client_needs_no_public_key,
    a_managed_client_that_is_alive_keeps_its_key,
    a_client_id_that_is_not_empty_decides,
    a_managed_client_may_have_any_id_that_is_allowed,
    a_client_may_log_from_its_acknowledgement_on,
);

fn a_client_comes_in_by_a_plain_hello(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    let mut seen = HashSet::new();
    for _ in 0..20 {
        wire.says(hello_with(&ANNS.as_sent()));
        let (id, key) = take_hello(&mut wire, &ANNS);
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_lowercase()), "{id}");
        assert_eq!(key.len(), 32);
        assert!(seen.insert(id) && seen.insert(hex(&key)));
    }
    let mut client = Client::greeted(&daemon);
    client.acknowledges();
    client.touches();
}

/// The options of a server with a key of its own, in a file of this name.
fn with_key<'a>(place: &Place, file: &'a str, pem: &str) -> [&'a str; 2] {
    fs::write(file, pem).unwrap();
    assert!(place.join("server.pem").exists());
    ["--residue-key", file]
}

fn a_client_comes_in_by_a_hello_encrypted_to_the_server(engine: Engine) {
    let place = Place::new();
    let file = place.text("server.pem");
    let daemon = start_in(&place, engine, &with_key(&place, &file, &SERVERS.private_pem()));
    for (columns, end) in [(usize::MAX, ""), (76, "\n"), (64, "\r\n")] {
        let base64 = STANDARD.encode(SERVERS.encrypt(hello_with(&ANNS.as_sent()).as_bytes()));
        let lines: Vec<_> =
            base64.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let mut client = Client::greeted_with(&daemon, &lines.join(end));
        client.acknowledges();
        client.logs_message("encrypted");
    }
    // Plain ones are as good, unless it is said.
    Client::established(&daemon);
}

fn packets_that_were_written_down_are_read(engine: Engine) {
    let place = Place::new();
    let (file, clients) = (place.text("server.pem"), place.text("clients"));
    fs::create_dir(&clients).unwrap();
    fs::write(format!("{clients}/known01.pem"), ANNS.public_pem()).unwrap();
    let key = with_key(&place, &file, &SERVERS.private_pem());
    let daemon = start_in(&place, engine, &[&key[..], &["--residue-clients", &clients]].concat());
    let hellos = VECTORS["hello"].as_array().unwrap();
    assert_eq!(hellos.len(), 5);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for hello in hellos {
        // They come from 2017: understood, and too old.
        wire.send(text(hello, "packet"));
        wire.expect(&error(INVALID));
        // With the time of today they are as good as on their day.
        let today = text(hello, "plain").replace("1504663925", &now().to_string());
        assert!(today.contains(r#""type":1"#), "{today}");
        match text(hello, "name").starts_with("plain") {
            true => wire.says(&today),
            false => wire.says(STANDARD.encode(SERVERS.encrypt(today.as_bytes()))),
        }
        take_hello(&mut wire, &ANNS);
    }
}

fn keys_have_the_size_that_is_asked_for(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let key = ANNS.as_sent();
    for (field, size) in [
        ("", 256),
        (r#","key_size":256"#, 256),
        (r#","key_size":192"#, 192),
        (r#","key_size":128"#, 128),
        (r#","key_size":null"#, 256),
        (r#","key_size":128,"key_size":192"#, 192),
    ] {
        let hello = plain_hello(&format!(r#""rsa_public_key":"{key}"{field}"#));
        let mut client = Client::greeted_with(&daemon, &hello);
        assert_eq!(client.key.len() * 8, size, "{field}");
        client.acknowledges();
        client.logs_message(&format!("sealed by {size} bits"));
    }
    assert_eq!(messages(&place, "app").len(), 6);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for wrong in ["0", "64", "129", "257", "512", "-128", "256.0", "\"256\"", "true", "[256]", "{}", "1e2"] {
        let hello = plain_hello(&format!(r#""rsa_public_key":"{key}","key_size":{wrong}"#));
        wire.asks(hello, &error(INVALID));
    }
}

fn a_public_key_may_look_like_those_of_every_client(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for variant in VECTORS["pem_variants"].as_array().unwrap() {
        let pair = match text(variant, "key") {
            "client" => &*ANNS,
            "client_e17" => &*BOBS,
            other => panic!("whose key is {other}?"),
        };
        // Some wrap it, and JSON has a way to say so.
        wire.says(hello_with(&text(variant, "base64_of_pem").replace('\n', r"\n")));
        take_hello(&mut wire, pair);
    }
    let pem = ANNS.public_pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for pem in [
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\n\n"),
        pem.replace('\n', "\r"),
        format!("\n \n{pem}\n\n"),
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----"),
        pem.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
    ] {
        wire.says(hello_with(&STANDARD.encode(&pem)));
        take_hello(&mut wire, &ANNS);
    }
}

fn what_is_told_on_acknowledging_is_told_on_touching(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    let (key, id) = (hex(&client.key).to_uppercase(), client.id.clone());
    let [token_port, log_port] = [Port::Token, Port::Log].map(|port| port.of(&daemon).port());
    let version = env!("CARGO_PKG_VERSION");
    for kind in [2, 3, 3] {
        let before = now();
        let reply = client.asks(Port::Connect, &client.request(kind));
        let value: serde_json::Value = serde_json::from_str(&reply).unwrap();
        let date = value["date_created"].as_i64().unwrap();
        assert!((before..=now()).contains(&date), "{date}");
        let told_version = text(&value["server_info"], "version").to_owned();
        assert!(told_version.contains(version), "{told_version}");
        let wanted = format!(
            r#"{{"ack":1,"age":259200,"client_id":"{id}","date_created":{date},"flags":501,"key":"{key}","logging_port":{log_port},"max_bulk_size":100,"licensee":"rollcall","token_port":{token_port},"server_info":{{"version":"{told_version}","licensee":"rollcall"}},"status":0}}"#
        );
        assert_eq!(reply, wanted);
    }
}

fn flags_say_what_the_options_say(engine: Engine) {
    let place = Place::new();
    let (file, clients, codes) = (place.text("server.pem"), place.text("clients"), place.text("codes"));
    fs::create_dir(&clients).unwrap();
    fs::write(format!("{clients}/ann.pem"), ANNS.public_pem()).unwrap();
    fs::write(&codes, "app secret\n").unwrap();
    let key = with_key(&place, &file, &ANNS.private_pem());
    let files = [&key[..], &["--residue-clients", &clients, "--residue-codes", &codes]].concat();
    let encrypted = || STANDARD.encode(ANNS.encrypt(plain_hello(r#""client_id":"ann""#).as_bytes()));
    let table: [(&[&str], i64); 7] = [
        (&[], 501),
        (&["--residue-require-token"], 501 + 2),
        (&["--residue-no-default-code"], 501 - 4),
        (&["--residue-no-unknown"], 501 - 64),
        (&["--residue-no-plain"], 501 - 128),
        (&["--residue-no-compression"], 501 - 256),
        (&["--residue-require-timestamp"], 501 + 1024),
    ];
    for (options, flags) in table {
        let daemon = start_in(&place, engine, &[&files[..], options].concat());
        let told = Client::greeted_with(&daemon, &encrypted()).acknowledges();
        assert_eq!(told["flags"], flags, "{options:?}");
    }
}

fn what_can_be_told_is_as_it_was_set(engine: Engine) {
    let options = [
        "--residue-age",
        "300",
        "--residue-licensee",
        "Example & Sons <#1>",
        "--residue-token",
        "off",
        "--residue-log",
        "off",
    ];
    let (daemon, _place) = start(engine, &options);
    let told = Client::greeted(&daemon).acknowledges();
    let licensee = "Example & Sons <#1>";
    assert_eq!((text(&told, "licensee"), text(&told["server_info"], "licensee")), (licensee, licensee));
    assert_eq!([&told["age"], &told["token_port"], &told["logging_port"]], [300, 0, 0]);
    let (daemon, _place) = start(engine, &["--residue-age", "0"]);
    let told = Client::greeted(&daemon).acknowledges();
    assert_eq!(told["age"], 0);
    assert!((now() - told["date_created"].as_i64().unwrap()).abs() < 60, "{told}");
}

/// A daemon that manages clients with these IDs, whose key is Ann's.
#[track_caller]
fn managing(engine: Engine, ids: &[&str]) -> (Daemon, Place) {
    let place = Place::new();
    let clients = place.text("clients");
    fs::create_dir(&clients).unwrap();
    for id in ids {
        fs::write(format!("{clients}/{id}.pem"), ANNS.public_pem()).unwrap();
    }
    (start_in(&place, engine, &["--residue-clients", &clients]), place)
}

fn a_managed_client_needs_no_public_key(engine: Engine) {
    let (daemon, place) = managing(engine, &["ann", "bob"]);
    let (mut ann, mut bob) = (Client::managed(&daemon, "ann"), Client::managed(&daemon, "bob"));
    assert_ne!(ann.key, bob.key);
    ann.logs_message("from ann");
    bob.logs_message("from bob");
    // It may acknowledge again.
    ann.acknowledges();
    ann.touches();
    assert_eq!(messages(&place, "app"), ["from ann", "from bob"]);
}

fn a_managed_client_that_is_alive_keeps_its_key(engine: Engine) {
    let (daemon, _place) = managing(engine, &["ann"]);
    let with_size = |size| plain_hello(&format!(r#""client_id":"ann","key_size":{size}"#));
    let mut ann = Client::greeted_with(&daemon, &with_size(128));
    assert_eq!(ann.key.len(), 16);
    let same = Client::greeted_with(&daemon, &with_size(256));
    assert_eq!(same.key, ann.key);
    let early = "Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first";
    assert_eq!(ann.asks(Port::Connect, &ann.request(3)), error(early));
    ann.acknowledges();
    // Nor is it forgotten that it has acknowledged.
    let mut same = Client::greeted_with(&daemon, &with_size(192));
    assert_eq!(same.key, ann.key);
    same.touches();
    ann.logs_message("on the old connection");
    same.logs_message("on the new one");
}

fn a_client_id_that_is_not_empty_decides(engine: Engine) {
    let (daemon, _place) = managing(engine, &["ann"]);
    let (anns, bobs) = (ANNS.as_sent(), BOBS.as_sent());
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    let mut says = |fields: &str| wire.says(plain_hello(fields));
    says(&format!(r#""rsa_public_key":"{bobs}","client_id":"ann""#));
    says(&format!(r#""rsa_public_key":"{anns}","client_id":"""#));
    says(&format!(r#""rsa_public_key":"{anns}","client_id":null"#));
    says(&format!(r#""rsa_public_key":"{anns}","client_id":7"#));
    says(&format!(r#""rsa_public_key":"{anns}","client_id":"bob""#));
    assert_eq!(take_hello(&mut wire, &ANNS).0, "ann");
    for _ in 0..3 {
        assert_eq!(take_hello(&mut wire, &ANNS).0.len(), 16);
    }
    wire.expect(&error("Client is unknown"));
}

fn a_managed_client_may_have_any_id_that_is_allowed(engine: Engine) {
    let longest = "x".repeat(64);
    let ids = ["a", "A9@#_.-z", "known01", &longest, "-.."];
    let (daemon, place) = managing(engine, &ids);
    for id in ids {
        Client::managed(&daemon, id).logs_message(id);
    }
    assert_eq!(messages(&place, "app"), ids);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for id in ["A", "known02", &"x".repeat(65), "../a", "a/b", "\u{e9}", " a"] {
        wire.asks(plain_hello(&format!(r#""client_id":"{id}""#)), &error("Client is unknown"));
    }
}

fn a_client_may_log_from_its_acknowledgement_on(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    assert_eq!(client.logs(item("too early")), NO_CLIENT);
    assert_eq!(client.logs("junk"), NO_CLIENT);
    assert_eq!(client.asks_for_token("app", ""), token_error("Client is dead"));
    client.acknowledges();
    client.logs_message("in time");
    client.is_given_token("app", "");
    assert_eq!(messages(&place, "app"), ["in time"]);
}
