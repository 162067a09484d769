use super::*;

const TIME: i64 = 1_504_663_925;

fn parsed(json: &str) -> Request {
    Request::parse(json.as_bytes()).unwrap()
}

#[test]
fn requests_of_real_clients_are_read() {
    let (time, id) = (Some(TIME), |id: &str| Some(id.into()));
    let connect = Request { time, kind: Some(RequestKind::Connect), ..Request::default() };
    let table = [
        (
            r#"{"_t":1504663925,"type":1,"rsa_public_key":"LS0t\nLS0="}"#,
            Request { public_key: id("LS0t\nLS0="), ..connect },
        ),
        (
            r#"{"_t":1504663925,"type":1,"client_id":"known01"}"#,
            Request {
                time,
                kind: Some(RequestKind::Connect),
                client_id: id("known01"),
                ..Request::default()
            },
        ),
        (
            r#"{"_t":1504663925,"type":2,"client_id":"abcdefghijklmnop"}"#,
            Request {
                time,
                kind: Some(RequestKind::Acknowledge),
                client_id: id("abcdefghijklmnop"),
                ..Request::default()
            },
        ),
        (
            r#"{"_t":1795244034,"type":2,"client_id":"maskesyecwysgemw"}"#,
            Request {
                time: Some(1_795_244_034),
                kind: Some(RequestKind::Acknowledge),
                client_id: id("maskesyecwysgemw"),
                ..Request::default()
            },
        ),
        (
            r#"{"_t":1504663925,"type":3,"client_id":"abcdefghijklmnop"}"#,
            Request {
                time,
                kind: Some(RequestKind::Touch),
                client_id: id("abcdefghijklmnop"),
                ..Request::default()
            },
        ),
    ];
    for (json, expected) in table {
        assert!(parsed(json) == expected, "{json}");
    }
}

#[test]
fn what_is_null_empty_or_of_a_wrong_type_is_missing() {
    for json in [
        "{}",
        r#"{"_t":null,"type":null,"client_id":null,"rsa_public_key":null,"key_size":null}"#,
        r#"{"_t":0,"type":0,"client_id":"","rsa_public_key":""}"#,
        r#"{"_t":"1504663925","type":"1","client_id":1,"rsa_public_key":["a"]}"#,
        r#"{"_t":1504663925.5,"type":1.0,"client_id":{},"rsa_public_key":true}"#,
        r#"{"_t":1e9,"type":4,"client_id":false,"other":[{"type":1}]}"#,
        r#"{"_t":99999999999999999999,"type":-1,"TYPE":1,"type ":1}"#,
        // The last one counts.
        r#"{"_t":1,"_t":null,"type":1,"type":9,"client_id":"a","client_id":"","key_size":5,"key_size":null}"#,
    ] {
        assert!(parsed(json) == Request::default(), "{json}");
    }
    assert_eq!(parsed(r#"{"_t":1,"_t":-2}"#).time, Some(-2));
}

#[test]
fn a_key_has_one_of_three_sizes_or_a_wrong_one() {
    let table = [
        ("128", KeySizeField::Is(KeySize::Bits128)),
        ("192", KeySizeField::Is(KeySize::Bits192)),
        ("256", KeySizeField::Is(KeySize::Bits256)),
        ("null", KeySizeField::Missing),
        ("0", KeySizeField::Wrong),
        ("512", KeySizeField::Wrong),
        ("256.0", KeySizeField::Wrong),
        ("\"256\"", KeySizeField::Wrong),
        ("[256]", KeySizeField::Wrong),
        ("true", KeySizeField::Wrong),
    ];
    for (size, expected) in table {
        assert_eq!(parsed(&format!("{{\"key_size\":{size}}}")).key_size, expected, "{size}");
    }
}

#[test]
fn token_requests_are_read() {
    let read = |json: &str| TokenRequest::parse(json.as_bytes()).unwrap();
    let request = read(r#"{"_t":1504663925,"logger_id":"sample-app","access_code":"a2dcb"}"#);
    assert_eq!((request.time, request.logger.as_deref()), (Some(TIME), Some("sample-app")));
    assert_eq!(request.access_code.unwrap().as_str(), "a2dcb");
    assert!(request.token.is_none());
    let request = read(r#"{"_t":1504663925,"logger_id":"default","token":"960\u00328078"}"#);
    assert_eq!(request.token.unwrap().as_str(), "96028078");
    assert!(request.access_code.is_none());
    for json in [
        "{}",
        r#"{"_t":0,"logger_id":"","access_code":"","token":""}"#,
        r#"{"_t":null,"logger_id":"../../etc/passwd","access_code":1,"token":null}"#,
        &format!(r#"{{"logger_id":"{}"}}"#, "x".repeat(65)),
    ] {
        assert!(read(json) == TokenRequest::default(), "{json}");
    }
    assert!(TokenRequest::parse(b"junk").is_err());
}

#[test]
fn what_is_sent_reads_as_it_was_meant() {
    let text = |put: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    };
    let key = Introduction::PublicKey("LS0t\n");
    assert_eq!(
        text(&|out| put_hello(out, TIME, key, None)),
        r#"{"_t":1504663925,"type":1,"rsa_public_key":"LS0t\n"}"#
    );
    let id = Introduction::ClientId("known01");
    assert_eq!(
        text(&|out| put_hello(out, TIME, id, Some(KeySize::Bits192))),
        r#"{"_t":1504663925,"type":1,"client_id":"known01","key_size":192}"#
    );
    assert_eq!(
        text(&|out| put_acknowledge(out, TIME, "abcdefghijklmnop")),
        r#"{"_t":1504663925,"type":2,"client_id":"abcdefghijklmnop"}"#
    );
    assert_eq!(
        text(&|out| put_touch(out, TIME, "abcdefghijklmnop")),
        r#"{"_t":1504663925,"type":3,"client_id":"abcdefghijklmnop"}"#
    );
    assert_eq!(
        text(&|out| put_token(out, TIME, "sample-app", Credential::AccessCode("a2dcb"))),
        r#"{"_t":1504663925,"logger_id":"sample-app","access_code":"a2dcb"}"#
    );
    assert_eq!(
        text(&|out| put_token(out, TIME, "sample-app", Credential::Token("\"\\"))),
        r#"{"_t":1504663925,"logger_id":"sample-app","token":"\"\\"}"#
    );
}

#[test]
fn a_secret_that_is_sent_is_written_in_one_go() {
    let (code, mut out) = ("\u{1}".repeat(500), Vec::new());
    put_token(&mut out, i64::MIN, "a", Credential::AccessCode(&code));
    let capacity = out.capacity();
    out.clear();
    out.shrink_to_fit();
    put_token(&mut out, i64::MIN, "a", Credential::AccessCode(&code));
    assert_eq!(out.capacity(), capacity);
    assert!(out.len() <= 80 + 6 * 501);
}

#[test]
fn freshness_reaches_as_far_as_it_does_both_ways() {
    let freshness = Freshness { unix_time: TIME, tolerance: 120 };
    for (time, expected) in [
        (TIME, true),
        (TIME - 120, true),
        (TIME + 120, true),
        (TIME - 121, false),
        (TIME + 121, false),
        (i64::MIN, false),
        (i64::MAX, false),
    ] {
        assert_eq!(freshness.covers(time), expected, "{time}");
    }
    assert!(Freshness { unix_time: i64::MIN, tolerance: u64::MAX }.covers(i64::MAX));
}

#[test]
fn managed_clients_have_ids_of_the_page() {
    for (id, expected) in [
        ("known01", true),
        ("a@b#c_d.e-f", true),
        ("", false),
        ("a b", false),
        ("a/b", false),
        ("é", false),
        (&"x".repeat(64), true),
        (&"x".repeat(65), false),
    ] {
        assert_eq!(is_client_id(id), expected, "{id}");
    }
}
