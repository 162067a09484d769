//! Conversations that random has spoiled: whatever comes, each packet gets one reply, and nobody is served by accident.

use super::guest::{encrypted, hello_with_key, plain};
use super::world::BEGIN;
use super::*;
use crate::residue::desk::Port;
use crate::wire::random::Random;

/// Sends what has become of some packets, in pieces, and counts what should have been packets. The guest looks that
/// there is one reply to each, and that it is one.
fn endures(world: &mut World, random: &mut Random, port: Port, packets: &[Vec<u8>]) {
    let mut bytes = Vec::new();
    for packet in packets {
        match random.below(4) {
            0 => bytes.extend_from_slice(packet),
            _ => bytes.extend(random.mutate(packet)),
        }
    }
    let mut guest = Guest::at(world, port);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(1 + random.below(rest.len()));
        guest.sends(world, piece);
        rest = after;
    }
    let mut whole = 0;
    let mut at = 0;
    while let Some(end) = bytes[at..].windows(4).position(|window| window == b"\r\n\r\n") {
        (whole, at) = (whole + 1, at + end + 4);
    }
    assert!(guest.said.len() == whole || guest.closed, "{} replies to {whole} packets", guest.said.len());
    assert_eq!(guest.why, None);
}

#[test]
fn spoiled_conversations_are_endured() {
    let mut random = Random::new(20);
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let id = client.id.clone();
    for round in 0..150 {
        let touch = client.request(&world, 3);
        let time = BEGIN + i64::try_from((world.now - world.begin).as_secs()).unwrap();
        let connect = [
            plain(r#"{"type":1,"client_id":"manny"}"#),
            touch.clone(),
            client.request(&world, 2),
            touch,
            hello_with_key(&SMALL, r#","key_size":128"#),
            plain(&format!(r#"{{"_t":{time},"type":3,"client_id":"{id}"}}"#)),
        ];
        endures(&mut world, &mut random, Port::Connect, &connect);
        let token = [
            client.seal(&format!(r#"{{"_t":{time},"logger_id":"a","n":{round}}}"#)),
            client.seal(&format!(r#"{{"_t":{time},"logger_id":"network","access_code":"secret"}}"#)),
        ];
        endures(&mut world, &mut random, Port::Token, &token);
        let item = r#"{"datetime":1504663925034,"logger":"app","msg":"hello"}"#;
        let log = [client.seal(item), client.seal(&format!("[{item},{item}]")), client.seal("{}")];
        endures(&mut world, &mut random, Port::Log, &log);
    }
    // What was spoiled on its way may say something else; what stands in a file is always whole lines of it.
    let text = world.files.text("app");
    assert!(
        !text.is_empty() && text.lines().all(|line| line.starts_with("2") && line.contains("Z ")),
        "{text}"
    );
}

#[test]
fn spoiled_texts_are_endured_under_the_key() {
    let mut random = Random::new(21);
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let id = client.id.clone();
    for _ in 0..300 {
        let texts = [
            (Port::Connect, format!(r#"{{"_t":{BEGIN},"type":3,"client_id":"{id}"}}"#)),
            (Port::Token, format!(r#"{{"_t":{BEGIN},"logger_id":"network","access_code":"secret"}}"#)),
            (
                Port::Log,
                r#"[{"datetime":1504663925034,"logger":"app","msg":"hello","level":64},{}]"#.to_owned(),
            ),
        ];
        for (port, text) in texts {
            let spoiled = random.mutate(text.as_bytes());
            let packet = client.seal(&String::from_utf8_lossy(&spoiled));
            Guest::at(&mut world, port).hears(&mut world, &packet);
        }
    }
}

#[test]
fn spoiled_hellos_are_endured() {
    let mut random = Random::new(22);
    let mut world = World::new();
    let managed = encrypted(r#"{"type":1,"client_id":"manny"}"#);
    for round in 0..200 {
        let hello =
            if round % 10 == 0 { managed.clone() } else { hello_with_key(&SMALL, r#","key_size":128"#) };
        endures(&mut world, &mut random, Port::Connect, &[hello]);
    }
}
