//! Packets on the connect port that a client's key seals.

use super::world::BEGIN;
use super::*;
use crate::residue::desk::Port;
use crate::session::Effort;

const AGAIN: &str = r#"{"ack":0,"error_text":"Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.","status":1}"#;
const TOO_EARLY: &str = r#"{"ack":0,"error_text":"Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first","status":1}"#;
const DEAD: &str =
    r#"{"ack":0,"error_text":"Cannot touch dead client. Please reset the connection","status":1}"#;

/// What a new connection hears to this packet, under the client's key.
#[track_caller]
fn told(world: &mut World, client: &Client, packet: &[u8]) -> String {
    let reply = Guest::at(world, Port::Connect).hears(world, packet);
    client.open(&reply)
}

#[track_caller]
fn is_established(world: &mut World, client: &Client, packet: &[u8]) {
    let told = told(world, client, packet);
    assert!(told.starts_with(r#"{"ack":1,"#), "{told}");
}

/// A packet whose initialization vector is changed so that the first bytes open as other ones.
fn flipped(packet: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut packet = packet.to_vec();
    for (place, (from, to)) in from.bytes().zip(to.bytes()).enumerate() {
        let digits = std::str::from_utf8(&packet[2 * place..2 * place + 2]).unwrap();
        let byte = u8::from_str_radix(digits, 16).unwrap() ^ from ^ to;
        packet.splice(2 * place..2 * place + 2, format!("{byte:02x}").into_bytes());
    }
    packet
}

/// The packet without the first blocks of its ciphertext, the last of which becomes the initialization vector.
fn beheaded(packet: &[u8], blocks: usize) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let text = std::str::from_utf8(packet).unwrap().trim_end();
    let [_, id, base64] = text.split(':').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let bytes = STANDARD.decode(base64).unwrap();
    let iv: String = bytes[16 * (blocks - 1)..16 * blocks].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{iv}:{id}:{}\r\n\r\n", STANDARD.encode(&bytes[16 * blocks..])).into_bytes()
}

#[test]
fn who_acknowledges_is_told_everything_and_is_on_the_roll() {
    let mut world = World::new();
    let mut client = Client::fresh(&mut world);
    world.pass(9);
    let packet = client.request(&world, 2);
    let Client { id, key, .. } = client.clone();
    let established = |date: i64| {
        format!(
            r#"{{"ack":1,"age":259200,"client_id":"{id}","date_created":{date},"flags":501,"key":"{key}","logging_port":8779,"#
        ) + r#""max_bulk_size":100,"licensee":"Muflihun Labs","token_port":8778,"#
            + r#""server_info":{"version":"1.2.3","licensee":"Muflihun Labs"},"status":0}"#
    };
    assert_eq!(told(&mut world, &client, &packet), established(BEGIN + 9));
    assert_eq!(world.names(), [id.as_str()]);
    world.pass(1000);
    let packet = client.request(&world, 3);
    assert_eq!(told(&mut world, &client, &packet), established(BEGIN + 1009));
    assert_eq!(world.names(), [id.as_str()]);
}

#[test]
fn all_that_may_be_told_fits_into_one_read() {
    let label: Box<str> = "l".repeat(64).into();
    let set = |settings: &mut Settings| {
        (settings.licensee, settings.version) = (label.clone(), label.clone());
        (settings.logging_port, settings.token_port, settings.bulk_limit) = (u16::MAX, u16::MAX, u32::MAX);
        settings.flags = Flags(2047);
    };
    let mut world = World::with(set, |clerk| clerk.age = u64::MAX);
    let mut client = Client::managed(&mut world, &"m".repeat(64));
    let packet = client.request(&world, 3);
    is_established(&mut world, &client, &packet);
}

#[test]
fn nobody_is_served_whose_id_is_not_on_record() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    for id in ["zzzzzzzzzzzzzzzz", "manny", "no ID", "ä", "\u{0}", &"x".repeat(65)] {
        let mut other = Client { id: id.to_owned(), ..client.clone() };
        let packet = other.request(&world, 2);
        assert_eq!(Guest::at(&mut world, Port::Connect).hears(&mut world, &packet), NOT_CONNECTED, "{id}");
    }
    // Not even where the connection knows the client of another ID.
    let mut guest = Guest::at(&mut world, Port::Connect);
    let touch = client.request(&world, 3);
    guest.hears(&mut world, &touch);
    client.id = "nobody".to_owned();
    let packet = client.request(&world, 3);
    assert_eq!(guest.hears(&mut world, &packet), NOT_CONNECTED);
}

#[test]
fn what_is_wrong_with_a_sealed_packet_does_not_show_in_its_answer() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let id = client.id.clone();
    let mut other = Client { key: "00".repeat(32), ..client.clone() };
    let good = client.request(&world, 3);
    let text = String::from_utf8(good.clone()).unwrap();
    let (head, base64) = text.trim_end().rsplit_once(':').unwrap();
    let touch = |fields: &str| format!(r#"{{"type":3,"client_id":"{id}"{fields}}}"#);
    let mut packets = vec![
        // It does not decrypt.
        format!("{head}:\r\n\r\n").into_bytes(),
        format!("{head}:====\r\n\r\n").into_bytes(),
        format!("{head}:{}\r\n\r\n", &base64[4..]).into_bytes(),
        format!("{head}:{base64}AAAA\r\n\r\n").into_bytes(),
        format!("{head}:{base64}:{base64}\r\n\r\n").into_bytes(),
        other.request(&world, 3),
        // It decrypts to something else than an object.
        flipped(&good, "{", "["),
        beheaded(&good, 1),
        beheaded(&good, 2),
        client.seal(""),
        client.seal("null"),
        client.seal("[]"),
        client.seal("\"text\""),
        client.seal("{"),
        client.seal("{}{}"),
        client.seal(&touch(&format!(r#","_t":{BEGIN}}}"#))),
        client.seal(&touch(&format!(r#","_t":{BEGIN},"x":{}{}"#, "[".repeat(32), "]".repeat(32)))),
    ];
    // It is understood, and not served.
    let fields =
        ["", r#","_t":0"#, r#","_t":null"#, r#","_t":"1700000000""#, r#","_t":1700000000.0"#, r#","_t":1e9"#];
    packets.extend(fields.map(|fields| client.seal(&touch(fields))));
    for offset in [-121, 121, -BEGIN + 1] {
        packets.push(client.seal(&touch(&format!(r#","_t":{}"#, BEGIN + offset))));
    }
    let typed = |kind: &str, id: &str| format!(r#"{{"_t":{BEGIN},"type":{kind},"client_id":"{id}"}}"#);
    for kind in ["1", "0", "4", "null", "\"3\"", "3.0", "true"] {
        packets.push(client.seal(&typed(kind, &id)));
    }
    for id in ["", "manny", "nobody", &id.to_uppercase(), &format!("{id} ")] {
        packets.push(client.seal(&typed("3", id)));
    }
    packets.push(client.seal(&format!(r#"{{"_t":{BEGIN},"type":3}}"#)));
    packets.push(client.seal(&format!(r#"{{"_t":{BEGIN},"type":3,"client_id":["{id}"]}}"#)));
    for packet in &packets {
        let name = String::from_utf8_lossy(packet);
        assert_eq!(told(&mut world, &client, packet), INVALID, "{name}");
    }
    let mut bytes = good.clone();
    let place = bytes.len() - 12;
    bytes[place] ^= 1;
    assert_eq!(told(&mut world, &client, &bytes), INVALID, "bad padding");
    // Nothing of it was done: the packet that was not sent yet is as good as before.
    is_established(&mut world, &client, &good);
}

#[test]
fn whether_a_packet_is_understood_shows_by_the_end_of_the_connection_alone() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let good = client.request(&world, 3);
    is_established(&mut world, &client, &good);
    // What is repeated, or says nothing that is served, is as good as any number of times.
    let stale = client.seal("{}");
    let table =
        [(&good, false), (&stale, false), (&flipped(&good, "{", "["), true), (&beheaded(&good, 1), true)];
    for (packet, ends) in table {
        let mut guest = Guest::at(&mut world, Port::Connect);
        for _ in 0..16 {
            assert!(!guest.closed);
            let reply = guest.hears(&mut world, packet);
            assert_eq!(client.open(&reply), INVALID);
        }
        assert_eq!(guest.closed, ends);
    }
}

#[test]
fn freshness_goes_as_far_as_a_clock_may_be_off() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    for offset in [-120, 120] {
        let id = client.id.clone();
        let packet = client.seal(&format!(r#"{{"_t":{},"type":3,"client_id":"{id}"}}"#, BEGIN + offset));
        is_established(&mut world, &client, &packet);
    }
}

#[test]
fn a_packet_is_served_once() {
    let mut world = World::new();
    let mut client = Client::fresh(&mut world);
    let acknowledge = client.request(&world, 2);
    is_established(&mut world, &client, &acknowledge);
    assert_eq!(told(&mut world, &client, &acknowledge), INVALID);
    let touch = client.request(&world, 3);
    is_established(&mut world, &client, &touch);
    for _ in 0..2 {
        assert_eq!(told(&mut world, &client, &touch), INVALID);
    }
    let mut guest = Guest::at(&mut world, Port::Connect);
    let twice = client.request(&world, 3);
    guest.sends(&mut world, &[&twice[..], &twice].concat());
    let replies: Vec<String> = guest.replies().iter().map(|reply| client.open(reply)).collect();
    assert!(replies[0].starts_with(r#"{"ack":1,"#) && replies[1] == INVALID);
}

#[test]
fn a_stale_packet_does_not_become_fresh_by_its_initialization_vector() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let id = client.id.clone();
    let touch = |time: i64| format!(r#"{{"_t":{time},"type":3,"client_id":"{id}"}}"#);
    let (then, now) = (touch(BEGIN), touch(BEGIN + 5000));
    let (old, unseen) = (client.seal(&then), client.seal(&then));
    world.pass(5000);
    assert_eq!(told(&mut world, &client, &old), INVALID);
    assert_eq!(told(&mut world, &client, &flipped(&old, &then[..16], &now[..16])), INVALID);
    // What shows that the trick would work: who sees it for the first time takes it.
    is_established(&mut world, &client, &flipped(&unseen, &then[..16], &now[..16]));
    assert_eq!(told(&mut world, &client, &unseen), INVALID);
    // Nor by cutting its front off: text before the object would have to open to nothing.
    let padded = format!("{}{now}", " ".repeat(16));
    let packet = client.seal(&padded);
    is_established(&mut world, &client, &packet);
    assert_eq!(told(&mut world, &client, &beheaded(&packet, 1)), INVALID);
}

#[test]
fn junk_is_not_remembered() {
    let mut world = World::with(|_| {}, |clerk| clerk.client_memory = 10);
    let mut client = Client::acknowledged(&mut world);
    let mut guest = Guest::at(&mut world, Port::Connect);
    for _ in 0..15 {
        let junk = client.seal("junk");
        guest.sends(&mut world, &junk);
    }
    let touch = client.request(&world, 3);
    is_established(&mut world, &client, &touch);
}

#[test]
fn who_acknowledges_twice_is_told_to_touch_unless_he_is_managed() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let packet = client.request(&world, 2);
    assert_eq!(told(&mut world, &client, &packet), AGAIN);
    let mut manny = Client::manny(&mut world);
    manny.acknowledges(&mut world);
    assert_eq!(world.names(), [client.id.as_str(), "manny"]);
}

#[test]
fn who_has_not_acknowledged_may_not_touch_and_has_five_minutes() {
    let mut world = World::new();
    let (mut client, mut late) = (Client::fresh(&mut world), Client::fresh(&mut world));
    let touch = client.request(&world, 3);
    assert_eq!(told(&mut world, &client, &touch), TOO_EARLY);
    world.pass(300);
    client.acknowledges(&mut world);
    world.pass(1);
    let packet = late.request(&world, 2);
    assert_eq!(told(&mut world, &late, &packet), NOT_CONNECTED);
    let packet = late.request(&world, 3);
    assert_eq!(told(&mut world, &late, &packet), DEAD);
    assert_eq!(world.names(), [client.id.as_str()]);
}

#[test]
fn the_dead_are_told_so_until_they_are_forgotten() {
    let mut world = World::with(|_| {}, |clerk| clerk.age = 300);
    let mut client = Client::acknowledged(&mut world);
    world.pass(420);
    let touch = client.request(&world, 3);
    is_established(&mut world, &client, &touch);
    world.pass(421);
    assert!(world.names().is_empty());
    for (kind, error) in [(3, DEAD), (2, NOT_CONNECTED)] {
        let packet = client.request(&world, kind);
        assert_eq!(told(&mut world, &client, &packet), error);
    }
    world.pass(598);
    let packet = client.request(&world, 3);
    assert_eq!(told(&mut world, &client, &packet), DEAD);
    world.pass(3);
    let packet = client.request(&world, 3);
    assert_eq!(Guest::at(&mut world, Port::Connect).hears(&mut world, &packet), NOT_CONNECTED);
}

#[test]
fn the_clerk_is_asked_for_a_key_once_a_connection() {
    let mut world = World::new();
    let (mut one, mut two) = (Client::acknowledged(&mut world), Client::acknowledged(&mut world));
    let mut guest = Guest::at(&mut world, Port::Connect);
    for _ in 0..3 {
        let packet = one.request(&world, 3);
        guest.hears(&mut world, &packet);
    }
    assert_eq!(guest.asked.len(), 4);
    for client in [&mut two, &mut one] {
        let packet = client.request(&world, 3);
        let reply = guest.hears(&mut world, &packet);
        assert!(client.open(&reply).contains(r#""ack":1"#), "anybody is served on any connection");
    }
    assert_eq!(guest.asked.len(), 8);
    // Whoever says hello is known from then on.
    let mut guest = Guest::at(&mut world, Port::Connect);
    let reply = guest.hears(&mut world, &guest::hello_with_key(&CLIENT, ""));
    let mut client = Client::from_hello(&reply, &CLIENT);
    let packet = client.request(&world, 2);
    guest.hears(&mut world, &packet);
    assert_eq!(guest.asked.len(), 4);
}

#[test]
fn a_client_that_has_got_another_key_is_served_with_that() {
    let mut world = World::with(|_| {}, |clerk| clerk.age = 300);
    let mut old = Client::manny(&mut world);
    let mut guest = Guest::at(&mut world, Port::Connect);
    let touch = old.request(&world, 3);
    guest.hears(&mut world, &touch);
    world.pass(421);
    let mut new = Client::manny(&mut world);
    assert_ne!(old.key, new.key);
    // Of a life that is over: it is answered so that only the new one can read it.
    let packet = old.request(&world, 3);
    let reply = guest.hears(&mut world, &packet);
    assert_eq!(new.open(&reply), INVALID);
    let packet = new.request(&world, 3);
    let reply = guest.hears(&mut world, &packet);
    assert!(new.open(&reply).contains(r#""ack":1"#));
    // And the other way round: the connection knows the old key only.
    world.pass(421);
    let mut newest = Client::manny(&mut world);
    let packet = newest.request(&world, 3);
    let reply = guest.hears(&mut world, &packet);
    assert!(newest.open(&reply).contains(r#""ack":1"#));
}

#[test]
fn a_long_packet_is_opened_elsewhere() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let id = client.id.clone();
    let long = client.seal(&format!(r#"{{"_t":{BEGIN},{}"type":3,"client_id":"{id}"}}"#, " ".repeat(9000)));
    let mut guest = Guest::at(&mut world, Port::Connect);
    for told in [r#""ack":1"#, r#""status":1"#] {
        let reply = guest.hears(&mut world, &long);
        assert!(client.open(&reply).contains(told));
    }
    let junk = client.seal(&" ".repeat(9000));
    let reply = guest.hears(&mut world, &junk);
    assert_eq!(client.open(&reply), INVALID);
    let (toil, clerk) = (Asked::Toil(Effort::Brief), Asked::Clerk);
    assert_eq!(guest.asked, [clerk, toil, clerk, toil, clerk, toil, clerk]);
}
