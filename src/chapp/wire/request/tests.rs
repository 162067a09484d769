use super::*;
use crate::chapp::wire::frame::{Frame, frame};
use Status::*;

/// A text whose separators are written as `|`.
fn text(pattern: &str) -> Vec<u8> {
    pattern.replace('|', "\\\n").into_bytes()
}

#[test]
fn requests_are_read_as_they_stand() {
    let post = |message| Request::Post { id: 7, from: "ann", to: "bob", message };
    let table = [
        ("CONNECT\t->server|ID:1", Request::Connect { id: 1, username: None }),
        ("connect\tx->y|username: ann|id: 007", Request::Connect { id: 7, username: Some("ann") }),
        ("INTRODUCE\tann->server|ID:0", Request::Introduce { id: 0, from: "ann" }),
        ("GoodBye\tann->|ID:5|status: 100|for: 3", Request::Goodbye { id: 5, from: "ann" }),
        ("POST\tann->bob|ID:7|message: hi", post("hi")),
        ("POST\tann->bob|ID:7|MESSAGE:", post("")),
        ("POST\tann->bob|message: a: \\b\nc \\|x: y|ID:7", post("a: \\b\nc \\")),
        ("RESPONSE\t->", Request::Response),
        ("response\tann->server|ID:x|no field|ID:y", Request::Response),
    ];
    for (pattern, expected) in table {
        assert_eq!(Request::parse(&text(pattern)), Ok(expected), "{pattern:?}");
    }
}

/// Each row of the statuses from 200 to 205, and of two that apply the one that is checked first.
#[test]
fn texts_are_judged_in_the_order_of_the_page() {
    let table = [
        ("", UnparsableAction, None),
        ("GET / HTTP/1.1\r\n", UnparsableAction, None),
        ("ID:5|ID:6|no field", UnparsableAction, Some(5)),
        ("POST ann->bob|message|ID:12", UnparsableAction, Some(12)),
        ("RESPONSE\tann|ID:3", UnparsableAction, Some(3)),
        ("JUMP\ta->b|no field|ID:3", UnparsableField, Some(3)),
        ("JUMP\ta->b|ID:3|ID:3", DuplicateField, Some(3)),
        ("JUMP\ta->b|ID:3", InvalidAction, Some(3)),
        ("JUMP\ta->b", InvalidAction, None),
        (" POST\ta->b|ID:3|message: hi", InvalidAction, Some(3)),
        ("POST \ta->b|ID:3|message: hi", InvalidAction, Some(3)),
        ("POST\ta->b|ID:x|x:1|X:2|ID:4", UnparsableField, Some(4)),
        ("POST\ta->b|x:1|X:2|no field|ID:4", DuplicateField, Some(4)),
        ("POST\ta->b|ID:3|id:x", DuplicateField, Some(3)),
        ("POST\ta->b|ID:3|id:4", DuplicateField, Some(3)),
        ("POST\ta->b|ID:3|:|:", DuplicateField, Some(3)),
        ("POST\ta->b|ID:3|message: hi|status: -1", UnparsableField, Some(3)),
        ("POST\ta->b|ID:3|message: hi|for:", UnparsableField, Some(3)),
        ("POST\ta->b|ID:9223372036854775808|message: hi", UnparsableField, None),
        ("POST\ta->b|ID: 3 |message: hi", UnparsableField, None),
        ("POST\ta->b|ID:3", MissingRequiredField, Some(3)),
        ("POST\ta->b", MissingRequiredField, None),
        ("POST\ta->b|ID :3|message: hi", MalformedIdLine, None),
        ("CONNECT\t->", MalformedIdLine, None),
        ("INTRODUCE\ta->b|for: 1", MalformedIdLine, None),
        ("GOODBYE\ta->b|message: x", MalformedIdLine, None),
    ];
    for (pattern, status, about) in table {
        let complaint = Request::parse(&text(pattern)).unwrap_err();
        assert_eq!((complaint.status, complaint.about), (status, about), "{pattern:?}");
    }
}

#[test]
fn what_is_no_utf_8_is_no_action_line_and_no_field() {
    for (bytes, status) in [
        (&b"POST\ta->\xff\\\nID:1\\\nmessage: hi"[..], UnparsableAction),
        (b"POST\ta->b\\\nmessage: \xc3\\\nID:1", UnparsableField),
        (b"POST\ta->b\\\nx:1\\\nx:\xff\\\nID:1", UnparsableField),
    ] {
        let complaint = Request::parse(bytes).unwrap_err();
        assert_eq!((complaint.status, complaint.about), (status, Some(1)));
    }
}

#[test]
fn a_complaint_says_where() {
    let complaint = Request::parse(&text("POST\ta->b|ID:1|message")).unwrap_err();
    assert_eq!(complaint.to_string(), "202 UNPARSABLE_FIELD (byte 17)");
}

#[test]
fn the_id_of_what_is_too_long_is_not_read_from_half_a_line() {
    let long = |before: &str, after: &str| {
        let filler = "y".repeat(REQUEST_LIMIT - before.len() - after.len());
        text(&format!("{before}{filler}{after}")).into_iter().chain(*b"12").collect::<Vec<_>>()
    };
    let about = |bytes: &[u8]| {
        let complaint = Request::parse(bytes).unwrap_err();
        assert_eq!(complaint.status, UnparsableField);
        complaint.about
    };
    assert_eq!(about(&long("P\ta->b|ID:7|m:", "")), Some(7));
    assert_eq!(about(&long("P\ta->b|m:", "|ID:7")), None);
    assert_eq!(about(&[b'\\'; 70_000]), None);
}

#[test]
fn many_fields_take_no_long_time_to_compare() {
    let fields: Vec<String> = (0..9000).map(|number| format!("{number:x}:")).collect();
    let pattern = format!("GOODBYE\ta->|{}|ID:1", fields.join("|"));
    assert!(pattern.len() + fields.len() < REQUEST_LIMIT);
    assert_eq!(Request::parse(&text(&pattern)), Ok(Request::Goodbye { id: 1, from: "a" }));
}

#[test]
fn what_is_emitted_is_read_as_it_was_meant() {
    let (ann, bob) = (Name::parse("ann").unwrap(), Name::parse("b>o-b é").unwrap());
    let message = "a \"b\"\nc: é\\";
    let mut out = Vec::new();
    put_connect(&mut out, 0, None);
    put_connect(&mut out, 1, Some(&bob));
    put_introduce(&mut out, 2, &bob);
    put_post(&mut out, NUMBER, &ann, &bob, message).unwrap();
    put_goodbye(&mut out, 4, &ann);
    let expected = [
        Request::Connect { id: 0, username: None },
        Request::Connect { id: 1, username: Some("b>o-b é") },
        Request::Introduce { id: 2, from: "b>o-b é" },
        Request::Post { id: NUMBER, from: "ann", to: "b>o-b é", message },
        Request::Goodbye { id: 4, from: "ann" },
    ];
    let mut rest = &out[..];
    for expected in expected {
        let Frame::Whole { text, length, .. } = frame(rest, 0) else { panic!("{expected:?} is not whole") };
        assert_eq!(Request::parse(&rest[..text]), Ok(expected));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

const NUMBER: u64 = crate::chapp::wire::NUMBER_LIMIT;

#[test]
fn what_would_be_cut_is_not_emitted() {
    let name = Name::parse("n").unwrap();
    let mut out = b"before".to_vec();
    let mut post = |message: &str| put_post(&mut out, 1, &name, &name, message);
    assert_eq!(post("a\\\nb"), Err(Unsendable::Separator(1)));
    let head = "POST\tn->n|ID:1|message: ".len() + 2;
    let longest = "x".repeat(REQUEST_LIMIT - head);
    assert_eq!(post(&format!("{longest}12")), Err(Unsendable::TooLong(2)));
    assert_eq!(post(&longest), Ok(()));
    let Frame::Whole { text, .. } = frame(&out[6..], 0) else { panic!("it is not whole") };
    assert_eq!((&out[..6], text), (&b"before"[..], REQUEST_LIMIT));
}
