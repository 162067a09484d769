//! Servers that do not keep to the page.

use super::*;
use crate::wire::random::Random;

#[test]
fn what_is_no_message_is_not_waited_for() {
    for bytes in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\\\n", b"\0", b"CONNECT\t->server", b"RESPONSE "]
    {
        let mut script = Script::connected(Some("ann"));
        let fault = script.feed(bytes, 1).unwrap_err();
        let expected = Malformed { at: 0, problem: Problem::ActionLine };
        assert_eq!(fault, Fault::Malformed(expected), "{bytes:?}");
        // It is over: what still comes is nothing to anybody.
        assert_eq!(script.feed(b"more", 1), Ok(()));
        script.client.lost(script.now);
        assert!(!script.client.dial(script.now));
    }
}

#[test]
fn a_success_that_lacks_what_it_is_about_is_none() {
    let table = [
        ("for: 1|status: 100|messages: []|", "username"),
        ("for: 1|status: 100|username: ann|reason: none|", "messages"),
        ("for: 1|status: 100|reason: none|", "username"),
    ];
    for (fields, field) in table {
        let mut script = Script::connected(Some("ann"));
        let fault = script.says(&format!("RESPONSE\tserver->ann|ID:9|{fields}")).unwrap_err();
        assert_eq!(fault, Fault::Lacking(field), "{fields}");
    }
    let mut script = Script::present();
    script.post("hi").unwrap();
    let fault = script.says("RESPONSE\tserver->ann|ID:9|for: 2|status: 100|reason: none|");
    assert_eq!(fault, Err(Fault::Lacking("message")));
}

#[test]
fn a_message_without_an_end_is_not_held() {
    let mut script = Script::present();
    script.says("POST\tbob->ann|ID:1|message: ").unwrap();
    let piece = [b'x'; 65_536];
    let mut held = 0;
    let fault = loop {
        match script.feed(&piece, usize::MAX) {
            Ok(()) => held += piece.len(),
            Err(fault) => break fault,
        }
    };
    assert_eq!((fault, held <= LIMIT), (Fault::TooLong, true));
}

/// Each line looks like the end until more comes; whoever looked at all of it again each time would look at some
/// 10^10 bytes.
#[test]
fn many_short_lines_are_looked_at_once() {
    let mut script = Script::present();
    let mut bytes = b"RESPONSE\tserver->ann\\\n".to_vec();
    let mut out = Vec::new();
    loop {
        bytes.extend_from_slice(b"a: bcdefghijklmnop\\\n");
        let taken = script.client.receive(script.now, &bytes, &mut out);
        if bytes.len() > LIMIT {
            assert_eq!(taken, Err(Fault::TooLong));
            return;
        }
        assert_eq!(taken, Ok(0));
    }
}

#[test]
fn a_server_that_never_comes_to_the_point_is_given_up() {
    let mut script = Script::connected(Some("ann"));
    for about in 100.. {
        let idle = welcome(about, "ann", &[]) + &delivery("x") + &refusal(-1, Status::ServerError);
        script.says(&idle).unwrap();
        script.passes(100);
        if script.events().contains(&Event::GaveUp(Why::Unreachable)) {
            assert_eq!(about, 199, "after 10 s");
            return;
        }
    }
}

#[test]
fn a_server_that_hangs_up_on_introductions_is_given_up() {
    let mut script = Script::new(Some("ann"));
    for id in (1..).step_by(2) {
        script.connects();
        script.says(&refusal(id, Status::ClientNotFound)).unwrap();
        if script.events().contains(&Event::GaveUp(Why::Unsettled)) {
            assert_eq!(id, 11);
            return;
        }
        script.client.lost(script.now);
        script.passes(2_000);
    }
}

/// A whole conversation up to the chat and through it.
fn conversation() -> String {
    [
        refusal(1, Status::ClientNotFound),
        welcome(2, "ann", &["one"]),
        delivery("two"),
        welcome(3, "ann", &["one", "two"]),
        delivery("three\\"),
        refusal(-1, Status::UnparsableAction),
        delivery("é \"four\"\n"),
    ]
    .concat()
}

/// All that comes of these bytes, at that pace.
fn told(bytes: &[u8], step: usize) -> (Vec<Event>, String, Option<Fault>) {
    let mut script = Script::connected(Some("ann"));
    let fault = script.feed(bytes, step).err();
    (script.events(), script.sent(), fault)
}

#[test]
fn every_prefix_tells_the_beginning_of_the_same_story() {
    let bytes = conversation().replace('|', "\\\n").into_bytes();
    let (events, sent, fault) = told(&bytes, usize::MAX);
    assert_eq!((events.len(), fault), (9, None), "{events:?}");
    assert_eq!(sent.matches("||").count(), 3);
    for step in [1, 2, 3, 7, 64] {
        assert_eq!(told(&bytes, step), (events.clone(), sent.clone(), None), "{step} bytes at a time");
    }
    for end in 0..bytes.len() {
        let (begun, _, fault) = told(&bytes[..end], usize::MAX);
        assert!(fault.is_none() && events.starts_with(&begun), "{end}");
    }
}

#[test]
fn mutated_servers_never_panic_and_tell_the_same_in_pieces() {
    let seed = 0x00c0_ffee_u64;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    let bytes = conversation().replace('|', "\\\n").into_bytes();
    for _ in 0..3_000 {
        let mutated = random.mutate(&bytes);
        let step = 1 + random.below(99);
        assert_eq!(told(&mutated, step), told(&mutated, usize::MAX), "seed {seed:#x}");
    }
}
