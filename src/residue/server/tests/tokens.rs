//! The token port.

use super::guest::plain;
use super::world::BEGIN;
use super::*;
use crate::residue::desk::Port;

const NO_LOGGER: &str = r#"{"error_text":"No logger ID provided (Malformed JSON?)","status":1}"#;
const NOT_CONNECTED: &str = r#"{"error_text":"Client not connected yet","status":1}"#;
const DEAD: &str = r#"{"error_text":"Client is dead","status":1}"#;
const BAD_CODE: &str = r#"{"error_text":"Invalid access code","status":1}"#;
const BAD_TOKEN: &str = r#"{"error_text":"Invalid token","status":1}"#;

/// What the client hears that asks for this, with a time before it.
#[track_caller]
fn told(world: &mut World, client: &mut Client, fields: &str) -> String {
    let time = crate::session::View::unix_time(world);
    let packet = client.seal(&format!(r#"{{"_t":{time},{fields}}}"#));
    let reply = Guest::at(world, Port::Token).hears(world, &packet);
    client.open(&reply)
}

/// The token and its life.
#[track_caller]
fn token(told: &str, logger: &str) -> (String, u64) {
    let (life, rest) =
        told.strip_prefix(r#"{"life":"#).unwrap_or_else(|| panic!("{told}")).split_once(',').unwrap();
    let rest = rest.strip_prefix(&format!(r#""loggerId":"{logger}","status":0,"token":""#)).unwrap();
    let token = rest.strip_suffix(r#""}"#).unwrap();
    assert!(token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    (token.to_owned(), life.parse().unwrap())
}

#[test]
fn a_token_is_given_for_a_code_and_checked() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let lives = [
        (r#""logger_id":"network","access_code":"secret""#, 60),
        (r#""logger_id":"network","access_code":"default""#, 3600),
        (r#""logger_id":"network","access_code":"""#, 3600),
        (r#""logger_id":"network","access_code":null"#, 3600),
        (r#""logger_id":"network""#, 3600),
        (r#""logger_id":"network","token":"""#, 3600),
        (r#""logger_id":"network","access_code":"secret","token":"an old one""#, 60),
    ];
    for (fields, life) in lives {
        let told = told(&mut world, &mut client, fields);
        assert_eq!(token(&told, "network").1, life, "{fields}");
    }
    let told_of_it = told(&mut world, &mut client, r#""logger_id":"network","access_code":"secret""#);
    let (text, _) = token(&told_of_it, "network");
    let check = |logger: &str, text: &str| format!(r#""logger_id":"{logger}","token":"{text}""#);
    assert_eq!(told(&mut world, &mut client, &check("network", &text)), r#"{"status":0}"#);
    assert_eq!(told(&mut world, &mut client, &check("disk", &text)), BAD_TOKEN);
    assert_eq!(told(&mut world, &mut client, &check("network", "nonsense")), BAD_TOKEN);
    let mut other = Client::acknowledged(&mut world);
    assert_eq!(told(&mut world, &mut other, &check("network", &text)), BAD_TOKEN);
    world.pass(61);
    assert_eq!(told(&mut world, &mut client, &check("network", &text)), BAD_TOKEN);
}

#[test]
fn a_wrong_code_gives_none() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    for fields in
        [r#""logger_id":"network","access_code":"wrong""#, r#""logger_id":"x","access_code":"secret""#]
    {
        assert_eq!(told(&mut world, &mut client, fields), BAD_CODE);
    }
    let mut strict = World::flagged(501 - Flags::DEFAULT_CODE);
    let mut client = Client::acknowledged(&mut strict);
    for fields in [r#""logger_id":"network""#, r#""logger_id":"network","access_code":"default""#] {
        assert_eq!(told(&mut strict, &mut client, fields), BAD_CODE);
    }
    // What is configured is no default.
    let told = told(&mut strict, &mut client, r#""logger_id":"disk","access_code":"default""#);
    assert_eq!(token(&told, "disk").1, 7);
}

#[test]
fn without_a_logger_there_is_no_token() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let long = format!(r#""logger_id":"{}""#, "x".repeat(65));
    let fields = [
        r#""access_code":"secret""#,
        r#""logger_id":null"#,
        r#""logger_id":"""#,
        r#""logger_id":7"#,
        r#""logger_id":".hidden""#,
        r#""logger_id":"a/b""#,
        &long,
    ];
    for fields in fields {
        assert_eq!(told(&mut world, &mut client, fields), NO_LOGGER, "{fields}");
    }
    for text in ["", "junk", "[]", r#"{"logger_id":"a"}"#, r#"{"_t":0,"logger_id":"a"}"#] {
        let packet = client.seal(text);
        let reply = Guest::at(&mut world, Port::Token).hears(&mut world, &packet);
        assert_eq!(client.open(&reply), NO_LOGGER, "{text}");
    }
    for offset in [-121, 121] {
        let packet = client.seal(&format!(r#"{{"_t":{},"logger_id":"a"}}"#, BEGIN + offset));
        let reply = Guest::at(&mut world, Port::Token).hears(&mut world, &packet);
        assert_eq!(client.open(&reply), NO_LOGGER);
    }
}

#[test]
fn what_is_not_sealed_is_answered_in_plain() {
    let mut world = World::new();
    for text in ["", "{}", r#"{"_t":1700000000,"logger_id":"a"}"#, "junk"] {
        assert_eq!(Guest::at(&mut world, Port::Token).hears(&mut world, &plain(text)), NO_LOGGER);
    }
    let mut client = Client { id: "nobody".to_owned(), ..Client::acknowledged(&mut world) };
    let packet = client.seal("{}");
    assert_eq!(Guest::at(&mut world, Port::Token).hears(&mut world, &packet), NOT_CONNECTED);
}

#[test]
fn a_client_has_to_be_alive_and_acknowledged() {
    let mut world = World::new();
    let (mut fresh, mut client) = (Client::fresh(&mut world), Client::acknowledged(&mut world));
    for fields in [r#""logger_id":"a""#, r#""logger_id":"a","token":"x""#] {
        assert_eq!(told(&mut world, &mut fresh, fields), DEAD);
        world.pass(1);
    }
    world.pass(259_200 + 121);
    assert_eq!(told(&mut world, &mut client, r#""logger_id":"a""#), DEAD);
}

#[test]
fn a_request_is_served_once() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let packet = client.seal(&format!(r#"{{"_t":{BEGIN},"logger_id":"a"}}"#));
    let mut guest = Guest::at(&mut world, Port::Token);
    let reply = guest.hears(&mut world, &packet);
    token(&client.open(&reply), "a");
    let reply = guest.hears(&mut world, &packet);
    assert_eq!(client.open(&reply), NO_LOGGER);
}

#[test]
fn replies_are_fifty_milliseconds_apart() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut guest = Guest::at(&mut world, Port::Token);
    let mut packets = Vec::new();
    for logger in ["a", "b", "c"] {
        packets.extend(client.seal(&format!(r#"{{"_t":{BEGIN},"logger_id":"{logger}"}}"#)));
    }
    packets.extend(plain("junk"));
    guest.sends(&mut world, &packets);
    let times: Vec<u128> = guest.said.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 50, 100, 150]);
    for (logger, reply) in ["a", "b", "c"].iter().zip(guest.replies()) {
        token(&client.open(reply), logger);
    }
}
