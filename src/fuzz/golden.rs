//! Bytes that are as they should be: what fuzzing begins with.

use std::net::Ipv4Addr;

use crate::chapp::message;
use crate::chapp::name::Name;
use crate::chapp::wire::request;
use crate::chapp::wire::told::{self, Outcome};
use crate::chapp::wire::{SEPARATOR, Status};
use crate::fmltp::client::{Client, Flow, Input};
use crate::fmltp::fernet;
use crate::fmltp::version::Greeting;
use crate::fmltp::{group, pem};
use crate::lekt::message::Outbox;
use crate::lekt::wire::{self, Block, BlockKind, KnownMethods, Method, Object, Version, kind};

const OURS: Version = Version::OURS;

fn made(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    make(&mut bytes);
    bytes
}

/// What clients of a LEKT server say.
pub(super) fn lekt_said() -> Vec<Vec<u8>> {
    let hello = |methods: &[u32]| made(|out| KnownMethods::of(methods.iter().copied()).put(out, OURS));
    let port = made(|out| wire::put_method(out, OURS, Method::DirectTcp { port: 5000 }));
    let beat = made(|out| wire::put_heartbeat(out, OURS, 1_700_000_000));
    vec![
        [hello(&[1]), port.clone(), beat.repeat(3)].concat(),
        [hello(&[]), beat.clone()].concat(),
        [hello(&[1, 33, 1024]), port, beat].concat(),
    ]
}

/// What a LEKT server says.
pub(super) fn lekt_told() -> Vec<Vec<u8>> {
    let mut start = Vec::new();
    wire::put_accept(&mut start, OURS);
    wire::put_request(&mut start, OURS, 1);
    wire::put_request(&mut start, OURS, 0);
    let block = |kind, count| Block { time: 1_700_000_000, kind, count }.packet(OURS).to_vec();
    let object = |port: Option<u16>| {
        let methods: Vec<_> = port.into_iter().map(|port| Method::DirectTcp { port }).collect();
        made(|out| Object::put(out, Ipv4Addr::new(10, 0, 0, 1), &methods))
    };
    let removed = [block(BlockKind::Removed, 2), vec![10, 0, 0, 1, 10, 0, 0, 2]].concat();
    let added = [block(BlockKind::Added, 2), object(Some(5000)), object(None)].concat();
    vec![
        [start.clone(), block(BlockKind::Added, 0), removed, added].concat(),
        [start, made(|out| wire::put_reject(out, OURS, "the server is full"))].concat(),
    ]
}

pub(super) fn lekt_both() -> Vec<Vec<u8>> {
    [lekt_said(), lekt_told()].concat()
}

/// What one client says to another.
pub(super) fn lekt_call() -> Vec<Vec<u8>> {
    let hello = made(|out| wire::put_said(out, kind::HELLO, OURS, "ann"));
    let accept = made(|out| wire::put_said(out, kind::ACCEPT, OURS, "bob"));
    let reject = made(|out| wire::put_said(out, kind::REJECT, OURS, "not now"));
    let talk = lekt_parts().concat();
    let yes = made(|out| wire::put_accept(out, OURS));
    vec![[hello.clone(), yes, talk.clone()].concat(), [accept, talk].concat(), [hello, reject].concat()]
}

/// Messages between clients.
pub(super) fn lekt_parts() -> Vec<Vec<u8>> {
    let (mut outbox, mut whole) = (Outbox::default(), Vec::new());
    for text in [&b"hello"[..], b"", &[b'x'; 300]] {
        if let Some((frame, end)) = outbox.whole(text.len()) {
            if let Some(frame) = frame {
                whole.extend_from_slice(&frame.header);
                whole.extend_from_slice(text);
                whole.extend(std::iter::repeat_n(0, frame.padding));
            }
            whole.extend_from_slice(&end);
        }
    }
    vec![whole]
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// What clients of a chapp server say.
pub(super) fn chapp_said() -> Vec<Vec<u8>> {
    let (ann, bob) = (name("ann"), name("bob"));
    let talk = made(|out| {
        request::put_connect(out, 1, None);
        request::put_introduce(out, 2, &ann);
        request::put_connect(out, 3, Some(&ann));
        let posted = request::put_post(out, 4, &ann, &bob, "hi \u{1f600} \"bob\"\n");
        assert!(posted.is_ok());
        request::put_goodbye(out, 5, &ann);
    });
    let quiet = [&b"INTRODUCE\tann->server"[..], SEPARATOR, b"ID: 1"].concat();
    vec![talk, quiet]
}

/// What a chapp server says.
pub(super) fn chapp_told() -> Vec<Vec<u8>> {
    let (ann, bob) = (name("ann"), name("bob"));
    let kept = message::render("2026-11-21 06:59:13", "hi bob", &ann, &bob);
    let list = [b"[", &kept[..], b", ", &kept, b"]"].concat();
    let talk = made(|out| {
        told::put_reply(out, 0, None, Some(1), Outcome::Failed(Status::ClientNotFound));
        told::put_reply(out, 1, Some(&ann), Some(2), Outcome::Named { username: &ann, messages: b"[]" });
        told::put_reply(out, 2, Some(&ann), Some(3), Outcome::Named { username: &ann, messages: &list });
        told::put_delivery(out, &bob, &ann, 9, &kept);
        told::put_reply(out, 3, Some(&ann), Some(4), Outcome::Kept { message: &kept });
        told::put_reply(out, 4, Some(&ann), Some(5), Outcome::Done);
    });
    let delivery = made(|out| told::put_delivery(out, &bob, &ann, 9, &kept));
    vec![talk, delivery]
}

pub(super) fn chapp_messages() -> Vec<Vec<u8>> {
    let kept = message::render("2026-11-21 06:59:13", "\u{1}\t\"é\u{1f600}", &name("ann"), &name("b\"ob"));
    vec![kept.to_vec(), [b"[", &kept[..], b", ", &kept, b"]"].concat()]
}

pub(super) fn fmltp_greetings() -> Vec<Vec<u8>> {
    vec![b"FlexMusic,0.0.0".to_vec(), b"FlexMusic Python Client Library,1.22.333".to_vec()]
}

/// What a client says in the clear: name and version, and a public key.
fn clear() -> (Vec<u8>, Vec<u8>) {
    let mut client = Client::new(Greeting::default());
    let told = [b"FlexMusic,0.0.0\r\n", group::parameters().as_bytes()].concat();
    let (mut at, mut out, mut reply) = (0, Vec::new(), 0);
    loop {
        let input = Input { bytes: &told[at..], flow: Flow::Running, unix_time: 7 };
        let Ok((taken, event)) = client.receive(input, &mut out) else { break };
        at += taken;
        if reply == 0 {
            reply = out.len();
        }
        if taken == 0 && event.is_none() {
            break;
        }
    }
    let key = out.split_off(reply);
    (out, key)
}

pub(super) fn fmltp_pem() -> Vec<Vec<u8>> {
    vec![clear().1, group::parameters().as_bytes().to_vec()]
}

pub(super) fn fmltp_der() -> Vec<Vec<u8>> {
    vec![pem::decode(&clear().1, "PUBLIC KEY").unwrap_or_default()]
}

pub(super) fn fmltp_tokens() -> Vec<Vec<u8>> {
    let key = fernet::Key::new([7; 32]);
    [&b""[..], b"WHO\r\n", &[b'x'; 1000]].map(|text| key.seal(text, 7, [9; 16])).to_vec()
}

pub(super) fn fmltp_commands() -> Vec<Vec<u8>> {
    [&b"AUTH alice correct-horse\r\n"[..], b"HELP AUTH", b"HELP", b"WHO", b"QUIT\r\n"]
        .map(<[u8]>::to_vec)
        .to_vec()
}

pub(super) fn fmltp_users() -> Vec<Vec<u8>> {
    let hash = "$2b$12$eCsjpZYyoRC2ega8jP8bReUdExmmhh/wFIhP6l0Fbspai4GYM/xBu";
    vec![format!("# users\n\nalice:{hash}\r\nbob1:{hash}\n").into_bytes()]
}

/// What clients of a FmLTP server say, as far as it can be known before.
pub(super) fn fmltp_said() -> Vec<Vec<u8>> {
    let (reply, key) = clear();
    let token = fmltp_tokens().concat();
    vec![[reply.clone(), key, token].concat(), reply, b"FlexMusic,1.0.0\r\n".to_vec()]
}

/// What a FmLTP server says, as far as it can be known before.
pub(super) fn fmltp_told() -> Vec<Vec<u8>> {
    let start = [b"FlexMusic,0.0.0\r\n", group::parameters().as_bytes()].concat();
    vec![[start.clone(), clear().1].concat(), [start, b"400 no.\r\n".to_vec()].concat()]
}
