use super::*;

const HEX: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
const ID: &str = "abcdefghijklmnop";

fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    String::from_utf8(out).unwrap()
}

fn key() -> Key {
    Key::from_hex(HEX).unwrap()
}

fn accepted(json: &str) -> Terms {
    match ConnectReply::parse(json.as_bytes()) {
        Ok(ConnectReply::Accepted { key, terms }) => {
            assert_eq!(key.to_hex().as_str(), HEX);
            *terms
        }
        other => panic!("{other:?}"),
    }
}

fn refusal(json: &str) -> String {
    match ConnectReply::parse(json.as_bytes()) {
        Ok(ConnectReply::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hello_is_answered_in_the_bytes_that_old_clients_look_for() {
    let hello = text(|out| put_hello(out, ID, &key()));
    assert_eq!(hello, format!(r#"{{"ack":0,"client_id":"{ID}","key":"{HEX}","status":0}}"#));
    assert_eq!(hello.len(), 124);
    let accepted = accepted(&hello);
    assert!(!accepted.is_acknowledged);
    assert_eq!((&*accepted.client_id, accepted.age), (ID, None));
}

fn established<'a>(key: &'a Key) -> Established<'a> {
    Established {
        client_id: ID,
        key,
        age: 259_200,
        date_created: 1_504_663_925,
        flags: Flags::default(),
        logging_port: 8779,
        token_port: 8778,
        max_bulk_size: 100,
        licensee: "Example Licensee",
        version: "rollcall 0.1.0",
    }
}

#[test]
fn the_established_reply_has_golden_bytes() {
    let key = key();
    let told = text(|out| put_established(out, &established(&key)));
    let expected = [
        r#"{"ack":1,"age":259200,"client_id":"abcdefghijklmnop","date_created":1504663925,"flags":501,"key":""#,
        HEX,
        r#"","logging_port":8779,"max_bulk_size":100,"licensee":"Example Licensee","token_port":8778,"#,
        r#""server_info":{"version":"rollcall 0.1.0","licensee":"Example Licensee"},"status":0}"#,
    ];
    assert_eq!(told, expected.concat());
    let heard = accepted(&told);
    assert!(heard.is_acknowledged);
    assert_eq!((heard.age, heard.date_created), (Some(259_200), Some(1_504_663_925)));
    assert_eq!(
        (heard.logging_port, heard.token_port, heard.max_bulk_size),
        (Some(8779), Some(8778), Some(100))
    );
    assert_eq!((heard.flags, heard.licensee.as_deref()), (Some(Flags(501)), Some("Example Licensee")));
    assert_eq!(heard.version.as_deref(), Some("rollcall 0.1.0"));
}

#[test]
fn the_longest_reply_fits_into_one_read_of_any_client() {
    let (key, id, licensee) = (key(), "x".repeat(64), "~".repeat(64));
    let longest = Established {
        client_id: &id,
        age: u64::MAX,
        date_created: i64::MIN,
        flags: Flags(u32::MAX),
        logging_port: u16::MAX,
        token_port: u16::MAX,
        max_bulk_size: u32::MAX,
        licensee: &licensee,
        version: &licensee,
        ..established(&key)
    };
    let told = text(|out| put_established(out, &longest));
    let sealed = 33 + (told.len() / 16 + 1) * 16 / 3 * 4 + 8;
    assert!(sealed < REPLY_LIMIT, "{sealed}");
}

#[test]
fn secrets_are_written_in_one_go() {
    let key = key();
    let mut out = Vec::new();
    put_established(&mut out, &established(&key));
    let capacity = out.capacity();
    assert!(capacity >= out.len());
    let mut out = Vec::with_capacity(capacity);
    let before = out.as_ptr();
    put_established(&mut out, &established(&key));
    put_hello(&mut Vec::new(), ID, &key);
    assert_eq!(out.as_ptr(), before);
}

#[test]
fn every_error_has_the_text_of_the_page() {
    let table = [
        (ConnectError::NotConnected, "Client not connected yet"),
        (ConnectError::Invalid, "Invalid connection request"),
        (
            ConnectError::AlreadyAcknowledged,
            "Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.",
        ),
        (
            ConnectError::NotAcknowledged,
            "Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first",
        ),
        (ConnectError::Dead, "Cannot touch dead client. Please reset the connection"),
        (
            ConnectError::NoSuchClient,
            "Client with this ID does not exists. Please send CONNECT request first.",
        ),
        (ConnectError::PlainOff, "Plain connections not allowed by the server"),
        (ConnectError::Unknown, "Client is unknown"),
        (ConnectError::UnknownOff, "Unknown clients are not allowed"),
    ];
    for (error, words) in table {
        let told = text(|out| put_error(out, error));
        assert_eq!(told, format!(r#"{{"ack":0,"error_text":"{words}","status":1}}"#));
        assert_eq!(refusal(&told), words);
    }
    let table = [
        (TokenError::AccessCode, "Invalid access code"),
        (TokenError::Token, "Invalid token"),
        (TokenError::NoLogger, "No logger ID provided (Malformed JSON?)"),
        (TokenError::NotConnected, "Client not connected yet"),
        (TokenError::Dead, "Client is dead"),
    ];
    for (error, words) in table {
        let told = text(|out| put_token_error(out, error));
        assert_eq!(told, format!(r#"{{"error_text":"{words}","status":1}}"#));
        let Ok(TokenReply::Refused(heard)) = TokenReply::parse(told.as_bytes()) else { panic!("{told}") };
        assert_eq!(heard, words);
    }
}

#[test]
fn tokens_come_in_the_form_of_the_page() {
    let token = Zeroizing::new("96028078".to_owned());
    let told = text(|out| put_token(out, 60, "sample-app", &token));
    assert_eq!(told, r#"{"life":60,"loggerId":"sample-app","status":0,"token":"96028078"}"#);
    let Ok(TokenReply::Given { token: heard, life: 60 }) = TokenReply::parse(told.as_bytes()) else {
        panic!("{told}")
    };
    assert_eq!(heard, token);
    let told = text(put_token_ok);
    assert_eq!(told, r#"{"status":0}"#);
    assert!(matches!(TokenReply::parse(told.as_bytes()), Ok(TokenReply::Valid)));
    assert!(matches!(TokenReply::parse(b"{}"), Err(ReplyError::Lacks("token"))));
    assert!(matches!(TokenReply::parse(b"{r:1}"), Ok(TokenReply::Refused(text)) if text == "r 1"));
}

#[test]
fn real_servers_of_all_times_are_understood() {
    let seed = format!(
        r#"{{"ack":1,"age":259200,"client_id":"{ID}","date_created":1504663925,"flags":1015,"key":"{HEX}","licensee":"Example Licensee","logging_port":8779,"max_bulk_size":5,"status":0,"token_port":8778}}"#
    );
    let heard = accepted(&seed);
    assert_eq!((heard.licensee.as_deref(), heard.version), (Some("Example Licensee"), None));
    assert_eq!((heard.flags, heard.token_port), (Some(Flags(1015)), Some(8778)));

    let one_two = format!(
        r#"{{"ack":1,"age":259200,"client_id":"{ID}","date_created":1504663925,"flags":1015,"key":"{HEX}","logging_port":8779,"max_bulk_size":5,"server_info":{{"license_expiry":"22 Nov, 2026 10:41 UTC","licensee":"default","licensing_authority":"default","version":"1.2.2"}},"status":0,"token_port":8778}}"#
    );
    let heard = accepted(&one_two);
    assert_eq!((heard.licensee.as_deref(), heard.version.as_deref()), (Some("default"), Some("1.2.2")));

    let two_three = format!(
        r#"{{"status":0,"ack":1,"flags":2033,"max_bulk_size":5,"server_info":{{"version":"2.3.6"}},"key":"{HEX}","client_id":"{ID}","token":"00112233445566778899AABBCCDDEEFF","logging_port":8778}}"#
    );
    let heard = accepted(&two_three);
    assert_eq!((heard.age, heard.date_created, heard.token_port), (None, None, None));
    assert_eq!((heard.logging_port, heard.version.as_deref()), (Some(8778), Some("2.3.6")));

    let hello = format!(
        r#"{{"status":0,"ack":0,"key":"{HEX}","client_id":"{ID}","token":"00112233445566778899AABBCCDDEEFF"}}"#
    );
    assert!(!accepted(&hello).is_acknowledged);
    assert_eq!(refusal("{r:1}"), "r 1");
    assert_eq!(refusal(r#"{"status":4}"#), "status 4");
}

#[test]
fn what_is_no_reply_is_told() {
    let table = [
        ("junk", "it is not JSON (byte 1)"),
        ("{}", "it has no client_id"),
        (r#"{"client_id":"a"}"#, "it has no key"),
        (r#"{"client_id":"a","key":"00"}"#, "the key in it is not 32, 48 or 64 hexadecimal digits"),
        (r#"{"client_id":"","key":"00","r":0}"#, "it has no client_id"),
    ];
    for (json, expected) in table {
        let Err(error) = ConnectReply::parse(json.as_bytes()) else { panic!("{json}") };
        assert!(error.to_string() == expected || json == "junk", "{json}: {error}");
    }
    let odd = format!(
        r#"{{"ack":2,"client_id":"a","key":"{HEX}","age":-1,"flags":-1,"logging_port":70000,"token_port":0,"max_bulk_size":"5","server_info":[],"status":"0"}}"#
    );
    let odd = accepted(&odd);
    assert_eq!((odd.age, odd.flags, odd.logging_port, odd.token_port), (None, None, None, None));
    assert_eq!((odd.max_bulk_size, odd.version.is_none()), (None, true));
}

#[test]
fn log_replies_are_short() {
    for (reply, old) in [
        (LogReply::Taken, &["{r:0}", "{\"r\": 0}", " {r: 0 } "][..]),
        (LogReply::NotTaken, &["{r:1,c:1}", "{r:1}", "{\"c\":1,\"r\":1}"]),
        (LogReply::NoClient, &["{r:2}"]),
    ] {
        let packet = reply.packet();
        assert_eq!(log_reply(packet.strip_suffix(b"\r\n\r\n").unwrap()), Some(reply));
        for old in old {
            assert_eq!(log_reply(old.as_bytes()), Some(reply), "{old}");
        }
    }
    for junk in ["", "{r:}", "{r:3}", "{\"r\":\"0\"}", "{\"r\":0", "r:0", "{r:0", "{x:0}", "\u{fffd}"] {
        assert_eq!(log_reply(junk.as_bytes()), None, "{junk}");
    }
}

#[test]
fn flags_have_the_numbers_of_the_page() {
    assert_eq!(Flags::default(), Flags(501));
    assert!(Flags(501).has(Flags::BULK | Flags::COMPRESSION));
    assert!(!Flags(501).has(Flags::REQUIRES_TOKEN) && !Flags(501).has(Flags::REQUIRES_TIMESTAMP));
    assert_eq!(
        Flags(2 | 8 | 512 | 1024).names().collect::<Vec<_>>(),
        ["requires token", "requires timestamp"]
    );
}

#[test]
fn labels_need_no_escape_in_any_client() {
    for (label, expected) in [
        ("Example Licensee", true),
        ("~", true),
        ("", false),
        ("it's", false),
        ("\"", false),
        ("\\", false),
        ("é", false),
        ("a\n", false),
        (&"x".repeat(64), true),
        (&"x".repeat(65), false),
    ] {
        assert_eq!(is_label(label), expected, "{label}");
    }
}
