//! Packets on the connect port that no client's key seals: each row of the tables.

use super::guest::{encrypted, hello_text, hello_with_key, plain};
use super::world::BEGIN;
use super::*;
use crate::residue::desk::Port;
use crate::session::Effort;

const UNKNOWN: &str = r#"{"ack":0,"error_text":"Client is unknown","status":1}"#;
const UNKNOWN_OFF: &str = r#"{"ack":0,"error_text":"Unknown clients are not allowed","status":1}"#;
const PLAIN_OFF: &str = r#"{"ack":0,"error_text":"Plain connections not allowed by the server","status":1}"#;
const NO_SUCH: &str = r#"{"ack":0,"error_text":"Client with this ID does not exists. Please send CONNECT request first.","status":1}"#;

/// What a new connection hears to this packet.
#[track_caller]
fn reply(world: &mut World, packet: &[u8]) -> String {
    Guest::at(world, Port::Connect).hears(world, packet)
}

/// Whether the answer to a hello is a reply that this key opens.
#[track_caller]
fn welcomes(world: &mut World, packet: &[u8], own: &PrivateKey) -> Client {
    let reply = reply(world, packet);
    Client::from_hello(&reply, own)
}

#[test]
fn whoever_says_hello_gets_an_id_and_a_key_that_only_he_can_read() {
    let mut world = World::new();
    let mut guest = Guest::at(&mut world, Port::Connect);
    let reply = guest.hears(&mut world, &hello_with_key(&CLIENT, ""));
    assert_eq!(guest.asked, [Asked::Rationed(Effort::Brief, 1), Asked::Clerk, Asked::Toil(Effort::Brief)]);
    let client = Client::from_hello(&reply, &CLIENT);
    assert!(client.id.len() == 16 && client.id.bytes().all(|byte| byte.is_ascii_lowercase()));
    assert!(client.key.len() == 64 && client.key.bytes().all(|byte| b"0123456789ABCDEF".contains(&byte)));
    assert!(world.names().is_empty(), "it has not acknowledged");
    let other = welcomes(&mut world, &hello_with_key(&CLIENT, ""), &CLIENT);
    assert!(client.id != other.id && client.key != other.key);
}

#[test]
fn the_key_is_as_long_as_is_asked_for() {
    let mut world = World::new();
    let sizes = [
        ("", 64),
        (r#","key_size":null"#, 64),
        (r#","key_size":256"#, 64),
        (r#","key_size":192"#, 48),
        (r#","key_size":128"#, 32),
        (r#","key_size":7,"key_size":128"#, 32),
    ];
    for (field, digits) in sizes {
        let client = welcomes(&mut world, &hello_with_key(&CLIENT, field), &CLIENT);
        assert_eq!(client.key.len(), digits, "{field}");
    }
    for field in
        ["0", "129", "-128", "256.0", "2.56e2", "\"256\"", "true", "[128]", "512", "18446744073709551872"]
    {
        let field = format!(r#","key_size":{field}"#);
        assert_eq!(reply(&mut world, &hello_with_key(&CLIENT, &field)), INVALID, "{field}");
    }
}

#[test]
fn a_key_that_is_too_small_for_the_reply_is_refused_before_anything_is_stored() {
    let mut world = World::new();
    let none = |field: &str| hello_with_key(&SMALL, field);
    for field in ["", r#","key_size":256"#] {
        let mut guest = Guest::at(&mut world, Port::Connect);
        assert_eq!(guest.hears(&mut world, &none(field)), INVALID);
        assert_eq!(guest.asked, [Asked::Rationed(Effort::Brief, 1)], "the clerk has not heard of it");
    }
    assert_eq!(welcomes(&mut world, &none(r#","key_size":192"#), &SMALL).key.len(), 48);
    assert_eq!(welcomes(&mut world, &none(r#","key_size":128"#), &SMALL).key.len(), 32);
    // The ID of a managed client counts as it is: `small` leaves room for 64 digits.
    assert_eq!(welcomes(&mut world, &plain(r#"{"type":1,"client_id":"small"}"#), &SMALL).id, "small");
}

#[test]
fn a_managed_client_has_one_key_as_long_as_it_lives() {
    let mut world = World::new();
    let hello = plain(r#"{"type":1,"client_id":"manny"}"#);
    let mut first = welcomes(&mut world, &hello, &CLIENT);
    assert_eq!(first.id, "manny");
    // It is not acknowledged, and alive for 300 s.
    world.pass(300);
    let other_size = plain(r#"{"type":1,"client_id":"manny","key_size":128}"#);
    assert_eq!(welcomes(&mut world, &other_size, &CLIENT).key, first.key);
    // What else it says of itself does not count, not even a public key.
    let with_key = hello_with_key(&SMALL, r#","client_id":"manny""#);
    assert_eq!(welcomes(&mut world, &with_key, &CLIENT).key, first.key);
    first.acknowledges(&mut world);
    assert_eq!(world.names(), ["manny"]);
    world.pass(259_200 + 120);
    assert_eq!(welcomes(&mut world, &hello, &CLIENT).key, first.key);
    world.pass(1);
    assert!(world.names().is_empty());
    let second = welcomes(&mut world, &other_size, &CLIENT);
    assert!(second.key != first.key && second.key.len() == 32);
    assert!(world.names().is_empty());
}

#[test]
fn a_managed_client_needs_room_for_what_it_asks_for() {
    let mut world = World::new();
    let hello = |size: u16| plain(&format!(r#"{{"type":1,"client_id":"small-ten1","key_size":{size}}}"#));
    assert_eq!(reply(&mut world, &hello(256)), INVALID);
    let client = welcomes(&mut world, &hello(128), &SMALL);
    // Even though it would get the shorter key that it has: it counts on a longer one.
    assert_eq!(reply(&mut world, &hello(256)), INVALID);
    assert_eq!(welcomes(&mut world, &hello(192), &SMALL).key, client.key);
}

#[test]
fn a_hello_may_be_encrypted_to_the_servers_key() {
    let mut world = World::new();
    let text = hello_text(&SMALL.public_pem().unwrap(), r#","key_size":128"#);
    let managed = format!(r#"{{"_t":{BEGIN},"type":1,"client_id":"manny"}}"#);
    for (text, own) in [(&text, &SMALL), (&managed, &CLIENT)] {
        let mut guest = Guest::at(&mut world, Port::Connect);
        let reply = guest.hears(&mut world, &encrypted(text));
        assert_eq!(
            guest.asked,
            [Asked::Rationed(Effort::Long, 10), Asked::Clerk, Asked::Toil(Effort::Brief)]
        );
        Client::from_hello(&reply, own);
    }
    // Java wraps its lines.
    let mut wrapped: Vec<u8> =
        encrypted(&managed).chunks(76).flat_map(|line| [line, b"\n"].concat()).collect();
    wrapped.splice(0..0, *b"\r\n");
    wrapped.truncate(wrapped.len() - 1);
    assert_eq!(welcomes(&mut world, &wrapped, &CLIENT).id, "manny");
}

#[test]
fn what_is_no_hello_gets_one_text() {
    let mut world = World::new();
    let key = r#","rsa_public_key":"x""#;
    let table = [
        String::new(),
        "  \r\n".to_owned(),
        "hello".to_owned(),
        "{".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "{}{}".to_owned(),
        r#"{"type":1}"#.to_owned(),
        r#"{"type":1,"client_id":""}"#.to_owned(),
        r#"{"type":1,"client_id":null}"#.to_owned(),
        r#"{"type":1,"client_id":7}"#.to_owned(),
        format!(r#"{{"type":0{key}}}"#),
        format!(r#"{{"type":4{key}}}"#),
        format!(r#"{{"type":-1{key}}}"#),
        format!(r#"{{"type":1.0{key}}}"#),
        format!(r#"{{"type":"1"{key}}}"#),
        format!(r#"{{"type":null{key}}}"#),
        format!(r#"{{"type":1,"type":null{key}}}"#),
        format!(r#"{{"type":1{key}}}"#),
        r#"{"type":1,"rsa_public_key":""}"#.to_owned(),
        hello_text("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", ""),
        hello_text(&CLIENT.public_pem().unwrap().replace("PUBLIC", "PRIVATE"), ""),
        hello_text(&CLIENT.public_pem().unwrap(), "} x"),
        r#"{"type":2}"#.to_owned(),
        r#"{"type":3,"client_id":""}"#.to_owned(),
        // An envelope without an ID is none, whatever is in it.
        format!("{}:/oicLQzdpmvhY06pgAskei==", "0".repeat(32)),
        format!("{}:id:/oicLQzdpmvhY06pgAskei==", "0".repeat(31)),
        "A".repeat(512 * 4 / 3 - 2),
    ];
    for text in &table {
        assert_eq!(reply(&mut world, &plain(text)), INVALID, "{text}");
    }
    assert_eq!(reply(&mut world, b"{\"type\":1,\"client_id\":\"manny\xff\"}\r\n\r\n"), INVALID);
    let deep = format!(r#"{{"type":1,"client_id":"manny","x":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    assert_eq!(reply(&mut world, &plain(&deep)), INVALID);
}

#[test]
fn what_does_not_decrypt_gets_the_same_text_by_the_same_way() {
    let mut world = World::new();
    let encode = |bytes: &[u8]| {
        let mut packet = Vec::new();
        crate::residue::envelope::put_base64(&mut packet, bytes);
        packet
    };
    let mut ours = [0x42; 512];
    ours[0] = 1;
    let of_length = [
        encode(&ours),
        encode(&[0; 512]),
        encode(&[0xff; 512]),
        encrypted("this is no JSON"),
        encrypted(&format!(r#"{{"_t":{},"type":1,"client_id":"manny"}}"#, BEGIN - 121)),
        encrypted(r#"{"type":1,"client_id":"manny","key_size":1}"#),
        encrypted(r#"{"type":1,"rsa_public_key":"x"}"#),
    ];
    for packet in of_length {
        let mut guest = Guest::at(&mut world, Port::Connect);
        assert_eq!(guest.hears(&mut world, &packet), INVALID);
        assert_eq!(guest.asked, [Asked::Rationed(Effort::Long, 10)]);
    }
    // RSA is not even tried.
    for length in [1, 256, 511, 513, 1024] {
        let mut guest = Guest::at(&mut world, Port::Connect);
        assert_eq!(guest.hears(&mut world, &encode(&vec![0x42; length])), INVALID);
        assert_eq!(guest.asked, []);
    }
    let mut keyless = World::with(|settings| settings.key = None, |_| {});
    let mut guest = Guest::at(&mut keyless, Port::Connect);
    assert_eq!(guest.hears(&mut keyless, &encrypted(r#"{"type":1,"client_id":"manny"}"#)), INVALID);
    assert_eq!(guest.asked, []);
}

#[test]
fn a_hello_is_fresh_or_does_not_say_when_it_was_sent() {
    let hello = |time: &str| plain(&format!(r#"{{"_t":{time},"type":1,"client_id":"manny"}}"#));
    let at = |offset: i64| (BEGIN + offset).to_string();
    let (mut world, mut strict) = (World::new(), World::flagged(501 | Flags::REQUIRES_TIMESTAMP));
    for time in [at(0), at(-120), at(120)] {
        welcomes(&mut world, &hello(&time), &CLIENT);
        welcomes(&mut strict, &hello(&time), &CLIENT);
    }
    let stale =
        [at(-121), at(121), "1".to_owned(), "-1".to_owned(), i64::MIN.to_string(), i64::MAX.to_string()];
    for time in &stale {
        assert_eq!(reply(&mut world, &hello(time)), INVALID, "{time}");
        assert_eq!(reply(&mut strict, &hello(time)), INVALID, "{time}");
    }
    for missing in
        ["0", "null", "\"1700000000\"", "1700000000.5", "1700000000.0", "17e8", "99999999999999999999"]
    {
        welcomes(&mut world, &hello(missing), &CLIENT);
        assert_eq!(reply(&mut strict, &hello(missing)), INVALID, "{missing}");
    }
    let mut patient = World::with(|settings| settings.tolerance = 7, |_| {});
    welcomes(&mut patient, &hello(&at(-7)), &CLIENT);
    assert_eq!(reply(&mut patient, &hello(&at(8))), INVALID);
}

#[test]
fn types_two_and_three_have_to_be_sealed() {
    let mut world = World::new();
    let on_record = Client::fresh(&mut world).id;
    let no_such = ["nobody", "manny", "not an ID", "ä", &"x".repeat(65)];
    for kind in [2, 3] {
        let text = |id: &str| format!(r#"{{"_t":{BEGIN},"type":{kind},"client_id":"{id}"}}"#);
        // Stale or not: the first row that fits decides.
        let stale = text(&on_record).replace("\"_t\"", "\"x\"");
        for packet in [plain(&text(&on_record)), encrypted(&text(&on_record)), plain(&stale)] {
            assert_eq!(reply(&mut world, &packet), INVALID);
        }
        for id in no_such {
            assert_eq!(reply(&mut world, &plain(&text(id))), NO_SUCH, "{id}");
        }
        assert_eq!(reply(&mut world, &encrypted(&text("nobody"))), NO_SUCH);
    }
}

#[test]
fn the_first_row_that_fits_decides_on_a_hello() {
    let (unknown, plain_flag) = (Flags::UNKNOWN_CLIENTS, Flags::PLAIN);
    let stale = r#","_t":7"#;
    let by_key = |more: &str| hello_text(&CLIENT.public_pem().unwrap(), more);
    let bad_key = r#"{"type":1,"rsa_public_key":"x"}"#.to_owned();
    let managed = |more: &str| format!(r#"{{"type":1,"client_id":"manny"{more}}}"#);
    let stranger = |more: &str| format!(r#"{{"type":1,"client_id":"nobody"{more}}}"#);
    // None: it is welcome.
    let table = [
        (501, managed(""), None),
        (501, stranger(""), Some(UNKNOWN)),
        (501, stranger(stale), Some(UNKNOWN)),
        (501, by_key(""), None),
        (501, by_key(stale), Some(INVALID)),
        (501 - plain_flag, managed(""), Some(PLAIN_OFF)),
        (501 - plain_flag, managed(stale), Some(INVALID)),
        (501 - plain_flag, stranger(""), Some(PLAIN_OFF)),
        (501 - plain_flag, stranger(stale), Some(UNKNOWN)),
        (501 - plain_flag, by_key(""), Some(PLAIN_OFF)),
        (501 - plain_flag, by_key(stale), Some(INVALID)),
        (501 - plain_flag, bad_key.clone(), Some(INVALID)),
        (501 - unknown, managed(""), None),
        (501 - unknown, by_key(""), Some(UNKNOWN_OFF)),
        (501 - unknown, by_key(stale), Some(UNKNOWN_OFF)),
        (501 - unknown, bad_key.clone(), Some(UNKNOWN_OFF)),
        (501 - unknown - plain_flag, by_key(""), Some(PLAIN_OFF)),
        (501 - unknown - plain_flag, by_key(stale), Some(UNKNOWN_OFF)),
        (501 - unknown - plain_flag, bad_key, Some(UNKNOWN_OFF)),
        (501 - unknown - plain_flag, managed(""), Some(PLAIN_OFF)),
        (501 - unknown - plain_flag, r#"{"type":1}"#.to_owned(), Some(INVALID)),
    ];
    for (flags, text, error) in table {
        let mut world = World::flagged(flags);
        let reply = reply(&mut world, &plain(&text));
        match error {
            Some(error) => assert_eq!(reply, error, "{flags}: {text}"),
            None => assert!(!Client::from_hello(&reply, &CLIENT).id.is_empty()),
        }
    }
    // Where plain is off, the rest goes for what is encrypted.
    let mut world = World::flagged(501 - plain_flag);
    assert_eq!(welcomes(&mut world, &encrypted(&managed("")), &CLIENT).id, "manny");
    assert_eq!(reply(&mut world, &encrypted(&stranger(""))), UNKNOWN);
    let mut world = World::flagged(501 - unknown - plain_flag);
    assert_eq!(reply(&mut world, &encrypted(r#"{"type":1,"rsa_public_key":"x"}"#)), UNKNOWN_OFF);
}

#[test]
fn a_server_that_is_full_says_no_more_than_that_it_is_invalid() {
    let mut world = World::with(|_| {}, |clerk| clerk.clients_limit = 0);
    assert_eq!(reply(&mut world, &hello_with_key(&CLIENT, "")), INVALID);
}

#[test]
fn a_hello_may_be_sent_again() {
    // Nothing is gained by it: the reply can be read by the same one only, and a managed client keeps its key.
    let mut world = World::new();
    let packet = encrypted(&format!(r#"{{"_t":{BEGIN},"type":1,"client_id":"manny"}}"#));
    let key = welcomes(&mut world, &packet, &CLIENT).key;
    assert_eq!(welcomes(&mut world, &packet, &CLIENT).key, key);
    world.pass(121);
    assert_eq!(reply(&mut world, &packet), INVALID);
}

#[test]
fn the_longest_reply_fits_into_one_read() {
    let mut world = World::new();
    let reply = reply(&mut world, &plain(&hello_text(LONGEST_PEM, "")));
    assert_eq!(reply.len(), 1368);
}

#[test]
fn a_hello_that_waits_is_answered_by_the_book_of_when_it_is_its_turn() {
    const ID: &str = "long-enough";
    let hello = format!(r#"{{"type":1,"client_id":"{ID}"}}"#);
    for packet in [plain(&hello), encrypted(&hello)] {
        let mut world = World::new();
        world.manage(&[(ID, &CLIENT)]);
        let mut alive = Client::managed(&mut world, ID);
        let mut guests = [(); 4].map(|()| Guest::at(&mut world, Port::Connect));
        guests.iter_mut().for_each(|guest| guest.waits(&world, &packet));
        let [stays, changes, small, goes] = &mut guests;
        let before = Client::from_hello(&stays.goes_on(&mut world), &CLIENT);
        assert_eq!(before.key, alive.key);

        // Its key has fallen into the wrong hands.
        world.manage(&[(ID, &SERVER)]);
        let after = Client::from_hello(&changes.goes_on(&mut world), &SERVER);
        assert_ne!(after.key, alive.key);
        assert!(world.names().is_empty());
        let touch = alive.request(&world, 3);
        let reply = Guest::at(&mut world, Port::Connect).hears(&mut world, &touch);
        assert_eq!(after.open(&reply), INVALID);

        // The new one has no room for the reply.
        world.manage(&[(ID, &SMALL)]);
        assert_eq!(small.goes_on(&mut world), INVALID);
        world.manage(&[]);
        assert_eq!(goes.goes_on(&mut world), UNKNOWN);
    }
}
