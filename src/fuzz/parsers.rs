//! Parsers: any bytes give a value, the wish for more, or an error, and a value is the same once more if it is said
//! again where it can be.

use std::time::Instant;

use crate::chapp::message::Message;
use crate::chapp::name::Name;
use crate::chapp::wire::frame::{Frame, as_it_stands, frame};
use crate::chapp::wire::request::Request;
use crate::chapp::wire::told::{self, Told};
use crate::fmltp::client::{Flow, Input};
use crate::fmltp::command::{Command, Mode};
use crate::fmltp::fernet::{self, Scan};
use crate::fmltp::key::PublicKey;
use crate::fmltp::users::{self, Users};
use crate::fmltp::version::{Greeting, Version};
use crate::fmltp::{self, pem};
use crate::lekt::message::Inbox;
use crate::lekt::peer::Peer;
use crate::lekt::wire::{self, Block, KnownMethods, Method, Object};
use crate::wire::Reader;

pub(super) fn lekt_wire(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(header) = wire::header(&mut reader) else { return };
    let body = &bytes[reader.position()..];
    if let Ok(known) = KnownMethods::read(&mut Reader::new(body)) {
        let mut again = Vec::new();
        known.put(&mut again, header.version);
        assert!(again.len() >= 12 && KnownMethods::read(&mut Reader::new(&again[8..])) == Ok(known));
    }
    for index in [0, 1, 2, u32::MAX] {
        let _ = Method::read(index, &mut Reader::new(body));
    }
    if let Ok(block) = Block::read(&mut Reader::new(body)) {
        assert_eq!(Block::read(&mut Reader::new(&block.packet(header.version)[8..])), Ok(block));
    }
    let mut reader = Reader::new(body);
    if let Ok(object) = Object::read(&mut reader) {
        assert!(reader.position() <= body.len() && object.methods.len() <= body.len() / 8);
    }
    let _ = wire::said(&mut Reader::new(body), "said");
}

pub(super) fn lekt_client(bytes: &[u8]) {
    let mut out = Vec::new();
    let mut client = crate::lekt::client::Client::new([Method::DirectTcp { port: 5000 }], &mut out);
    let mut at = 0;
    while let Ok((taken, event)) = client.receive(&bytes[at..], &mut out) {
        at += taken;
        if taken == 0 && event.is_none() {
            assert!(bytes.len() - at <= 65_540, "it waits for too much");
            return;
        }
    }
}

pub(super) fn lekt_peer(bytes: &[u8]) {
    let now = Instant::now();
    for answers in [false, true] {
        let mut out = Vec::new();
        let mut peer = if answers { Peer::answer("bob", now) } else { Peer::call("ann", now, &mut out) };
        let mut at = 0;
        while let Ok((taken, event)) = peer.receive(now, &bytes[at..], &mut out) {
            at += taken;
            let is_over = taken == 0 && event.is_none();
            if peer.is_deciding() {
                let _ = peer.accept(now, &mut out);
            } else if is_over {
                break;
            }
        }
    }
}

pub(super) fn lekt_message(bytes: &[u8]) {
    let (mut inbox, mut at) = (Inbox::after_accepting(), 0);
    while let Ok((taken, parcel)) = inbox.receive(&bytes[at..]) {
        at += taken;
        if taken == 0 && parcel.is_none() {
            return;
        }
    }
}

pub(super) fn chapp_request(bytes: &[u8]) {
    let whole = frame(bytes, 0);
    if let Frame::Whole { text, length, .. } = whole {
        assert!(text <= length && length <= bytes.len());
        let _ = Request::parse(&bytes[..text]);
    }
    let _ = Request::parse(as_it_stands(bytes));
    let _ = Request::judge(bytes);
}

pub(super) fn chapp_told(bytes: &[u8]) {
    let _ = told::hear(bytes, 0);
    let _ = Told::parse(bytes);
    let _ = Name::parse(bytes);
}

pub(super) fn chapp_message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Message::parse(text);
    let _ = Message::parse_list(text);
}

pub(super) fn chapp_client(bytes: &[u8]) {
    use crate::chapp::client::{Client, Settings};
    let (now, mut out) = (Instant::now(), Vec::new());
    let mut client = Client::new(Settings::default(), Name::parse("ann").ok());
    client.dial(now);
    client.connected(now, &mut out);
    let mut at = 0;
    while let Ok(taken) = client.receive(now, &bytes[at..], &mut out) {
        at += taken;
        while client.next_event().is_some() {}
        if taken == 0 {
            return;
        }
    }
}

pub(super) fn fmltp_version(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Version::parse(text);
    if let Ok(greeting) = Greeting::parse(text) {
        let again = greeting.to_string();
        assert_eq!(Greeting::parse(&again).as_ref(), Ok(&greeting));
    }
}

pub(super) fn fmltp_pem(bytes: &[u8]) {
    for label in ["PUBLIC KEY", "DH PARAMETERS"] {
        if let Ok(Some(length)) = pem::frame(bytes, label) {
            assert!(length <= bytes.len());
            if let Ok(contents) = pem::decode(&bytes[..length], label) {
                let again = pem::encode(label, &contents);
                assert_eq!(pem::decode(again.as_bytes(), label), Ok(contents));
            }
        }
    }
    let _ = PublicKey::parse(bytes);
}

/// The contents of a key, without what is around them.
pub(super) fn fmltp_key(bytes: &[u8]) {
    let _ = PublicKey::parse(pem::encode("PUBLIC KEY", bytes).as_bytes());
}

pub(super) fn fmltp_token(bytes: &[u8]) {
    let key = fernet::Key::new([7; 32]);
    let whole = key.find(bytes, &mut Scan::default());
    let mut scan = Scan::default();
    let mut grown = Ok(None);
    // What is found does not depend on how it came.
    for end in 0..=bytes.len() {
        grown = key.find(&bytes[..end], &mut scan);
        if !matches!(grown, Ok(None)) {
            break;
        }
    }
    let length =
        |found: Result<Option<(usize, fernet::Text)>, _>| found.map(|found| found.map(|(length, _)| length));
    if let (Ok(Some(one)), Ok(Some(other))) = (length(whole), length(grown)) {
        assert!(other <= one, "{one} bytes at once, and {other} one by one");
    }
}

pub(super) fn fmltp_command(bytes: &[u8]) {
    for mode in [Mode::Lockdown, Mode::Normal] {
        let _ = Command::parse(mode, bytes);
    }
}

pub(super) fn fmltp_users(bytes: &[u8]) {
    if let Ok(text) = users::text(bytes.to_vec()) {
        let _ = Users::parse(&text);
    }
}

pub(super) fn fmltp_client(bytes: &[u8]) {
    let mut client = fmltp::client::Client::new(Greeting::default());
    let (mut at, mut out) = (0, Vec::new());
    loop {
        let input = Input { bytes: &bytes[at..], flow: Flow::Running, unix_time: 7 };
        let Ok((taken, event)) = client.receive(input, &mut out) else { return };
        at += taken;
        if taken == 0 && event.is_none() {
            return;
        }
    }
}
