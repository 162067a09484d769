//! Residue: who is not served on the connect port, and in which words.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::residue::*;
use common::*;

on_both_engines!(
    whoever_is_not_on_record_is_not_connected,
    what_is_sealed_and_no_request_is_invalid,
    nobody_acknowledges_twice,
    nobody_touches_before_acknowledging,
    acknowledging_and_touching_need_the_key,
    a_plain_hello_may_be_off,
    whoever_is_not_managed_is_unknown,
    unknown_clients_may_be_off,
    what_is_no_hello_is_invalid,
    a_key_that_is_none_is_invalid,
    a_key_too_small_for_the_reply_is_refused_before_anything_is_kept,
    what_does_not_decrypt_is_invalid,
);

const EARLY: &str = "Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first";
const AGAIN: &str = "Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.";
const NO_SUCH: &str = "Client with this ID does not exists. Please send CONNECT request first.";
const PLAIN_OFF: &str = "Plain connections not allowed by the server";
const UNKNOWN: &str = "Client is unknown";
const UNKNOWN_OFF: &str = "Unknown clients are not allowed";

/// A connection to the connect port.
#[track_caller]
fn connect(daemon: &Daemon) -> Wire {
    Wire::connect(Port::Connect.of(daemon))
}

/// The directory with Ann's public key, under her name.
fn with_ann(place: &Place) -> String {
    let clients = place.text("clients");
    fs::create_dir_all(&clients).unwrap();
    fs::write(format!("{clients}/ann.pem"), ANNS.public_pem()).unwrap();
    clients
}

/// Ann's private key as that of the server.
fn with_key(place: &Place) -> String {
    let file = place.text("server.pem");
    fs::write(&file, ANNS.private_pem()).unwrap();
    file
}

fn whoever_is_not_on_record_is_not_connected(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let client = Client::established(&daemon);
    let longest = "x".repeat(64);
    let mut wire = connect(&daemon);
    for id in ["zzzzzzzzzzzzzzzz", "ann", "x", &longest, &client.id.to_uppercase(), " ", "\u{e9}", "../a"] {
        let stranger = client.is_called(id);
        wire.send(stranger.seal(stranger.request(3)).packet());
        wire.expect(&error(NOT_CONNECTED));
    }
    let too_long = format!("{}:{}:AAAA", hex(&fresh_iv()), "x".repeat(10_000));
    wire.asks(too_long, &error(NOT_CONNECTED));
    // What has not that shape is no such packet.
    let iv = hex(&fresh_iv());
    for shape in [
        format!("{iv}::AAAA"),
        format!("{iv}:AAAA"),
        format!("{}:ann:AAAA", &iv[1..]),
        format!("0{iv}:ann:AAAA"),
    ] {
        wire.asks(shape, &error(INVALID));
    }
}

fn what_is_sealed_and_no_request_is_invalid(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let (now, id) = (now(), client.id.clone());
    let of = |fields: &str| format!(r#"{{"_t":{now},{fields}}}"#);
    for text in [
        of(&format!(r#""type":1,"client_id":"{id}""#)),
        of(&format!(r#""type":4,"client_id":"{id}""#)),
        of(&format!(r#""type":"3","client_id":"{id}""#)),
        of(&format!(r#""type":3.0,"client_id":"{id}""#)),
        of(&format!(r#""client_id":"{id}""#)),
        of(r#""type":3"#),
        of(r#""type":3,"client_id":"somebodyelsesids""#),
        of(&format!(r#""type":3,"client_id":["{id}"]"#)),
        of(r#""type":3,"client_id":"""#),
        format!(r#"{{"type":3,"client_id":"{id}"}}"#),
    ] {
        assert_eq!(client.asks(Port::Connect, &text), error(INVALID), "{text}");
    }
    let right = client.request(3);
    for text in [
        format!("{right}x"),
        format!("[{right}]"),
        right[..right.len() - 1].to_owned(),
        format!("\u{feff}{right}"),
        right.replace(r#""type""#, "type"),
        right.replace('{', r#"{"deep":"#) + &"[".repeat(40) + &"]".repeat(40) + "}",
        "null".to_owned(),
        String::new(),
    ] {
        assert_eq!(client.asks(Port::Connect, &text), error(INVALID), "{text}");
    }
    client.hangs_up();
    // What is allowed: white space around, fields that nobody knows, the last of a name that is there twice.
    let spaced = format!(" \r\n\t{} \n", right.replace(r#""type""#, r#" "more":[{}], "type":2, "type" "#));
    assert!(client.asks(Port::Connect, &spaced).starts_with(r#"{"ack":1,"#));
}

fn nobody_acknowledges_twice(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    assert_eq!(client.asks(Port::Connect, &client.request(2)), error(AGAIN));
    client.hangs_up();
    assert_eq!(client.asks(Port::Connect, &client.request(2)), error(AGAIN));
    client.touches();
}

fn nobody_touches_before_acknowledging(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    assert_eq!(client.asks(Port::Connect, &client.request(3)), error(EARLY));
    client.acknowledges();
    client.touches();
}

fn acknowledging_and_touching_need_the_key(engine: Engine) {
    let place = Place::new();
    let file = with_key(&place);
    let daemon = start_in(&place, engine, &["--residue-key", &file]);
    let client = Client::greeted(&daemon);
    let mut wire = connect(&daemon);
    let stranger = client.is_called("zzzzzzzzzzzzzzzz");
    for kind in [2, 3] {
        for (request, wanted) in [(client.request(kind), INVALID), (stranger.request(kind), NO_SUCH)] {
            wire.asks(&request, &error(wanted));
            wire.asks(STANDARD.encode(ANNS.encrypt(request.as_bytes())), &error(wanted));
        }
        wire.asks(plain_hello(r#""more":1"#).replace(":1,", &format!(":{kind},")), &error(INVALID));
    }
}

fn a_plain_hello_may_be_off(engine: Engine) {
    let place = Place::new();
    let (clients, file) = (with_ann(&place), with_key(&place));
    let options = ["--residue-key", &file, "--residue-clients", &clients, "--residue-no-plain"];
    let daemon = start_in(&place, engine, &options);
    let mut wire = connect(&daemon);
    wire.asks(hello_with(&ANNS.as_sent()), &error(PLAIN_OFF));
    wire.asks(plain_hello(r#""client_id":"ann""#), &error(PLAIN_OFF));
    // It is a valid one that is told so.
    wire.asks(hello_with("no key"), &error(INVALID));
    wire.asks(hello_with(&made_up_key(1024, 65_537)), &error(INVALID));
    wire.asks(plain_hello(r#""client_id":"nobody""#), &error(PLAIN_OFF));
    wire.asks("{}", &error(INVALID));
    let encrypted = STANDARD.encode(ANNS.encrypt(plain_hello(r#""client_id":"ann""#).as_bytes()));
    Client::greeted_with(&daemon, &encrypted).acknowledges();
}

fn whoever_is_not_managed_is_unknown(engine: Engine) {
    let place = Place::new();
    let clients = with_ann(&place);
    let daemon = start_in(&place, engine, &["--residue-clients", &clients]);
    let client = Client::established(&daemon);
    let mut wire = connect(&daemon);
    for id in ["bob", "Ann", "ann ", &client.id] {
        wire.asks(plain_hello(&format!(r#""client_id":"{id}""#)), &error(UNKNOWN));
    }
    let (daemon, _place) = start(engine, &[]);
    connect(&daemon).asks(plain_hello(r#""client_id":"ann""#), &error(UNKNOWN));
}

fn unknown_clients_may_be_off(engine: Engine) {
    let place = Place::new();
    let (clients, file) = (with_ann(&place), place.text("server.pem"));
    fs::write(&file, SERVERS.private_pem()).unwrap();
    let options = ["--residue-key", &file, "--residue-clients", &clients, "--residue-no-unknown"];
    let daemon = start_in(&place, engine, &options);
    let mut wire = connect(&daemon);
    let hello = hello_with(&ANNS.as_sent());
    wire.asks(&hello, &error(UNKNOWN_OFF));
    wire.asks(STANDARD.encode(SERVERS.encrypt(hello.as_bytes())), &error(UNKNOWN_OFF));
    wire.asks(plain_hello(r#""client_id":"bob""#), &error(UNKNOWN));
    Client::managed(&daemon, "ann");
}

fn what_is_no_hello_is_invalid(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let right = hello_with(&ANNS.as_sent());
    let table = [
        "{}".to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        "\"hello\"".to_owned(),
        "7".to_owned(),
        String::new(),
        "GET / HTTP/1.1\r\nHost: localhost".to_owned(),
        right.replace(r#""type":1"#, r#""type":0"#),
        right.replace(r#""type":1"#, r#""type":4"#),
        right.replace(r#""type":1"#, r#""type":"1""#),
        right.replace(r#""type":1"#, r#""type":true"#),
        right.replace(r#""type":1"#, r#""type":null"#),
        right.replace(r#""type":1,"#, ""),
        right.replace("rsa_public_key", "rsa_public"),
        format!("[{right}]"),
        format!("{right}{right}"),
        format!("{right},"),
        right.replace('"', "'"),
        right.replace("LS0t", "LS0t\n"),
    ];
    for text in &table {
        let mut wire = connect(&daemon);
        wire.says(text);
        assert_eq!(wire.take(), error(INVALID), "{text:?}");
    }
    let mut wire = connect(&daemon);
    wire.send([b"{\"\xff\":1,".as_slice(), &right.as_bytes()[1..], END.as_bytes()].concat());
    wire.expect(&error(INVALID));
    wire.says(right);
    take_hello(&mut wire, &ANNS);
}

fn a_key_that_is_none_is_invalid(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let pem = ANNS.public_pem();
    let lines: Vec<&str> = pem.lines().collect();
    let base64 = |text: &str| STANDARD.encode(text);
    for key in [
        String::new(),
        "no base64".to_owned(),
        base64(""),
        base64("no key"),
        pem.replace('\n', r"\n"),
        base64(&pem[..pem.len() / 2]),
        base64(&pem.replace("PUBLIC", "PRIVATE")),
        base64(&ANNS.private_pem()),
        base64(&pem.replace("MIIB", "MIIC")),
        base64(&[&lines[..2], &lines[3..]].concat().join("\n")),
        made_up_key(1016, 65_537),
        made_up_key(1023, 65_537),
        made_up_key(8200, 65_537),
        made_up_key(16_384, 65_537),
        made_up_key(2048, 1),
        made_up_key(2048, 2),
        made_up_key(2048, 65_536),
        made_up_key(2048, (1 << 32) + 1),
    ] {
        connect(&daemon).asks(hello_with(&key), &error(INVALID));
    }
    // The longest that is taken, and the exponents at both ends.
    for (bits, exponent) in [(8192, 3), (2048, (1 << 32) - 1)] {
        let mut wire = connect(&daemon);
        wire.says(hello_with(&made_up_key(bits, exponent)));
        let reply = wire.take();
        assert_eq!(STANDARD.decode(&reply).unwrap().len() * 8, bits as usize, "{reply}");
    }
}

/// What the reply to the hello of a key of so many bits has for its length, if there is one.
#[track_caller]
fn reply_to(daemon: &Daemon, bits: u32, size: u32) -> Option<usize> {
    let mut wire = connect(daemon);
    let key = made_up_key(bits, 65_537);
    wire.says(plain_hello(&format!(r#""rsa_public_key":"{key}","key_size":{size}"#)));
    let reply = wire.take();
    (reply != error(INVALID)).then(|| STANDARD.decode(reply).unwrap().len())
}

/// With a new ID and a key of 256 bits, the reply has 124 bytes, and encrypting takes 11 more.
fn a_key_too_small_for_the_reply_is_refused_before_anything_is_kept(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    for (bits, size, length) in [
        (1024, 128, Some(128)),
        (1024, 192, Some(128)),
        (1024, 256, None),
        (1072, 256, None),
        (1080, 256, Some(135)),
    ] {
        assert_eq!(reply_to(&daemon, bits, size), length, "{bits} bits for {size}");
    }
    // There is one place. Whoever is refused does not take it from whoever has it, and has not acknowledged yet.
    let (daemon, _place) = start(engine, &["--residue-max-clients", "1"]);
    let mut client = Client::greeted(&daemon);
    assert_eq!(reply_to(&daemon, 1024, 256), None);
    client.acknowledges();
}

fn what_does_not_decrypt_is_invalid(engine: Engine) {
    let place = Place::new();
    let (clients, file) = (with_ann(&place), with_key(&place));
    let daemon = start_in(&place, engine, &["--residue-key", &file, "--residue-clients", &clients]);
    let length = ANNS.length();
    let hello = plain_hello(r#""client_id":"ann""#);
    let block = |start: &[u8], filling: usize, end: &[u8]| {
        let text = [start, &vec![7; filling], end, hello.as_bytes()].concat();
        ANNS.encrypt_block(&[vec![0; length - text.len()], text].concat())
    };
    let fill = length - hello.len() - 3;
    let table = [
        vec![0; length],
        vec![1; length],
        vec![0xff; length],
        BOBS.encrypt(hello.as_bytes()),
        block(&[0, 1], fill, &[0]),
        block(&[1, 2], fill, &[0]),
        block(&[0, 2], 7, &[0]),
        block(&[0, 2], fill, &[1]),
        ANNS.encrypt(b""),
        ANNS.encrypt(b"{}"),
        ANNS.encrypt(&hello.as_bytes()[1..]),
        ANNS.encrypt(hello.replace(r#""type":1"#, r#""type":7"#).as_bytes()),
        SERVERS.encrypt(hello.as_bytes()),
        vec![1; length - 1],
        vec![1; length + 1],
        vec![],
    ];
    for ciphertext in &table {
        connect(&daemon).asks(STANDARD.encode(ciphertext), &error(INVALID));
    }
    let right = STANDARD.encode(ANNS.encrypt(hello.as_bytes()));
    for text in
        [&right[1..], &right[..right.len() - 1], &format!("{right}A"), &right.replace('=', ""), &hello[1..]]
    {
        connect(&daemon).asks(text, &error(INVALID));
    }
    let mut wire = connect(&daemon);
    wire.says(&right);
    take_hello(&mut wire, &ANNS);
    // Without a key of the server nothing decrypts.
    let (daemon, _place) = start(engine, &[]);
    connect(&daemon).asks(&right, &error(INVALID));
}
