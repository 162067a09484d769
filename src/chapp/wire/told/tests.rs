use super::*;
use crate::chapp::message::{MessageProblem, render};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn kept(text: &str) -> Box<[u8]> {
    render("2026-11-21 06:59:13", text, &name("ann"), &name("bob"))
}

fn read(text: &str) -> Message {
    Message { timestamp: "2026-11-21 06:59:13".into(), text: text.into(), from: name("ann"), to: name("bob") }
}

/// Each form that a server's message can have.
fn forms() -> Vec<(Vec<u8>, &'static str)> {
    let (ann, message) = (name("ann"), kept("hi\n\"bob\"\\"));
    let list = [b"[", &message[..], b", ", &kept("x"), b"]"].concat();
    let reply = |to: Option<&Name>, about, outcome| {
        let mut out = Vec::new();
        put_reply(&mut out, 3, to, about, outcome);
        out
    };
    let mut delivery = Vec::new();
    put_delivery(&mut delivery, &ann, &name("bob"), 2, &message);
    vec![
        (reply(Some(&ann), Some(5), Outcome::Done), "RESPONSE\tserver->ann|ID:3|for: 5|status: 100|"),
        (
            reply(Some(&ann), Some(0), Outcome::Named { username: &ann, messages: &list }),
            "RESPONSE\tserver->ann|ID:3|for: 0|status: 100|username: ann|messages: [",
        ),
        (
            reply(Some(&ann), Some(0), Outcome::Named { username: &ann, messages: b"[]" }),
            "RESPONSE\tserver->ann|ID:3|for: 0|status: 100|username: ann|messages: []|",
        ),
        (
            reply(Some(&ann), Some(5), Outcome::Kept { message: &message }),
            "RESPONSE\tserver->ann|ID:3|for: 5|status: 100|message: {\"timestamp\": \"[2026-11-21 06:59:13]\", ",
        ),
        (
            reply(None, None, Outcome::Failed(Status::UnparsableAction)),
            "RESPONSE\tserver->unknown|ID:3|for: -1|status: 200|reason: UNPARSABLE_ACTION|",
        ),
        (delivery, "POST\tann->bob|ID:2|id: 2|message: {\"timestamp\": "),
    ]
}

#[test]
fn each_form_has_golden_bytes_and_ends_in_a_separator() {
    for (bytes, pattern) in forms() {
        let golden = pattern.replace('|', "\\\n");
        assert!(bytes.starts_with(golden.as_bytes()), "{}", String::from_utf8_lossy(&bytes));
        assert!(bytes.ends_with(SEPARATOR));
    }
}

#[test]
fn a_client_reads_each_form() {
    let told: Vec<Told> = forms().iter().map(|(bytes, _)| Told::parse(bytes).unwrap()).collect();
    let done = Reply {
        to: Some(name("ann")),
        id: 3,
        about: Some(5),
        status: 100,
        reason: None,
        username: None,
        messages: None,
        message: None,
    };
    let named = |messages| {
        let (username, messages) = (Some(name("ann")), Some(messages));
        Told::Reply(Reply { about: Some(0), username, messages, ..done.clone() })
    };
    let message = read("hi\n\"bob\"\\");
    let failed = Reply { to: None, about: None, status: 200, ..done.clone() };
    let expected = [
        Told::Reply(done.clone()),
        named(vec![message.clone(), read("x")]),
        named(vec![]),
        Told::Reply(Reply { message: Some(message.clone()), ..done.clone() }),
        Told::Reply(Reply { reason: Some("UNPARSABLE_ACTION".into()), ..failed }),
        Told::Delivery(Delivery { from: name("ann"), to: name("bob"), id: 2, message }),
    ];
    assert_eq!(told, expected);
}

/// All forms behind one another, which a client hears at any pace.
#[test]
fn a_client_finds_the_ends_whole_and_byte_by_byte() {
    let forms = forms();
    let bytes: Vec<u8> = forms.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    let lengths: Vec<usize> = forms.iter().map(|(bytes, _)| bytes.len()).collect();
    for step in [1, 2, 3, 7, 100, bytes.len()] {
        let (mut found, mut start, mut searched, mut there) = (Vec::new(), 0, 0, 0);
        while there < bytes.len() {
            there = (there + step).min(bytes.len());
            loop {
                match hear(&bytes[start..there], searched) {
                    Heard::Whole(length) => {
                        found.push(length);
                        (start, searched) = (start + length, 0);
                    }
                    Heard::Open(least) => {
                        searched = least;
                        break;
                    }
                    Heard::Perhaps(_) => break,
                    Heard::TooLong => panic!("nothing is too long"),
                }
            }
        }
        assert_eq!((&found, start), (&lengths, bytes.len()), "{step} bytes at a time");
    }
}

#[test]
fn whether_a_bare_success_is_whole_shows_by_what_follows() {
    let (done, _) = &forms()[0];
    assert_eq!(hear(done, 0), Heard::Perhaps(done.len()));
    let followed = |by: &[u8]| hear(&[&done[..], by].concat(), 0);
    assert_eq!(followed(b"RESPONSE\t"), Heard::Whole(done.len()));
    assert!(matches!(followed(b"RESP"), Heard::Open(_)));
    assert!(matches!(followed(b"username: ann\\"), Heard::Open(_)));
}

#[test]
fn what_is_too_long_is_not_waited_for() {
    let line = [b"RESPONSE\tserver->ann\\\nmessages: ".to_vec(), vec![b'x'; TOLD_LIMIT]].concat();
    assert_eq!(hear(&line, 0), Heard::TooLong);
    assert!(matches!(hear(&line[..TOLD_LIMIT], 0), Heard::Open(_)));
    assert_eq!(hear(&[&line[..TOLD_LIMIT], SEPARATOR].concat(), 0), Heard::TooLong);
}

#[test]
fn a_client_says_what_is_wrong_and_where() {
    let table = [
        ("RESPONSE server", 0, Problem::ActionLine),
        ("GOODBYE\tserver->ann|ID:1", 0, Problem::Action),
        ("RESPONSE\tserver->ann|ID:1|x", 28, Problem::Field),
        ("RESPONSE\tserver->ann|ID:1|id: 2", 28, Problem::Repeated),
        ("RESPONSE\tserver->ann|ID:1|for: 1|for: 1", 36, Problem::Repeated),
        ("RESPONSE\tserver->ann|ID:-1", 22, Problem::Number),
        ("RESPONSE\tserver->ann|status: 65536", 22, Problem::Number),
        ("RESPONSE\tserver->ann|for: 1|status: 100", 41, Problem::Missing("ID")),
        ("RESPONSE\tserver->ann|ID:1|status: 100", 39, Problem::Missing("for")),
        ("RESPONSE\tserver->ann|ID:1|for: 1", 34, Problem::Missing("status")),
        ("RESPONSE\tserver->a\u{9b}|ID:1|for: 1|status: 100", 0, Problem::Name(NameError::Control(1))),
        ("POST\tann->bob|ID:1", 19, Problem::Missing("message")),
    ];
    for (pattern, at, problem) in table {
        let text = pattern.replace('|', "\\\n");
        let found = Told::parse(text.as_bytes()).unwrap_err();
        assert_eq!((found.at, found.problem), (at, problem), "{pattern:?}");
    }
    let found = Told::parse(b"POST\tann->bob\\\nID:1\\\nmessage: {'timestamp'").unwrap_err();
    let Problem::Message(error) = found.problem else { panic!("{found}") };
    assert!(matches!(error.problem, MessageProblem::Expected(_)));
}

#[test]
fn the_conversation_with_the_real_server_is_framed_too() {
    let recorded = b"RESPONSE\tserver->ann\\\nID:5\\\nstatus: 100\\\nfor: 5\\\n";
    assert_eq!(hear(recorded, 0), Heard::Perhaps(recorded.len()));
    assert!(matches!(Told::parse(recorded), Ok(Told::Reply(Reply { status: 100, about: Some(5), .. }))));
}
