//! Where packets begin and end, how long they may be, and how many of them may be junk.

use super::guest::{hello_with_key, plain};
use super::world::BEGIN;
use super::*;
use crate::residue::desk::Port;
use crate::residue::packet::{CONNECT_LIMIT, LOG_HARD_LIMIT, LOG_LIMIT};

const NO_LOGGER: &str = r#"{"error_text":"No logger ID provided (Malformed JSON?)","status":1}"#;
const NOT_TAKEN: &str = r#"{"r":1}"#;
const PORTS: [(Port, &str); 3] = [(Port::Connect, INVALID), (Port::Token, NO_LOGGER), (Port::Log, NOT_TAKEN)];

const ITEM: &str = r#"{"datetime":1504663925034,"msg":"hello"}"#;

/// What a client says on each port, and how that is answered; the packets may not have been seen before.
fn conversation(world: &mut World, client: &mut Client, port: Port) -> Vec<u8> {
    let bulk = format!("[{}]", vec![ITEM; 100].join(","));
    let time = crate::session::View::unix_time(world);
    let packets = match port {
        Port::Connect => vec![
            hello_with_key(&CLIENT, ""),
            client.request(world, 3),
            plain("junk"),
            client.seal("junk"),
            client.request(world, 2),
            client.request(world, 3),
        ],
        Port::Token => vec![
            client.seal(&format!(r#"{{"_t":{time},"logger_id":"a"}}"#)),
            plain(""),
            client.seal(&format!(r#"{{"_t":{time},"logger_id":"b","token":"c"}}"#)),
        ],
        Port::Log => {
            vec![client.seal(ITEM), plain("\r\n"), client.seal(&bulk), client.seal("{}"), client.seal(ITEM)]
        }
    };
    packets.concat()
}

/// Each reply in words, if it is sealed; a hello is only that.
fn opened(client: &Client, replies: &[&str]) -> Vec<String> {
    let is_sealed = |reply: &&str| reply.as_bytes().get(32) == Some(&b':');
    let open = |reply: &&str| match reply {
        sealed if is_sealed(sealed) => {
            let text = client.open(sealed);
            text.rsplit_once(r#""token":""#).map_or(text.clone(), |(before, _)| before.to_owned())
        }
        reply if reply.starts_with('{') => (*reply).to_owned(),
        _ => "hello".to_owned(),
    };
    replies.iter().map(open).collect()
}

#[test]
fn bytes_may_come_in_any_pieces() {
    for port in [Port::Connect, Port::Token, Port::Log] {
        let mut world = World::new();
        let mut client = Client::acknowledged(&mut world);
        let mut heard = Vec::new();
        for pieces in [usize::MAX, 1, 7, 1000] {
            let bytes = conversation(&mut world, &mut client, port);
            let mut guest = Guest::at(&mut world, port);
            bytes.chunks(pieces.min(bytes.len())).for_each(|piece| guest.sends(&mut world, piece));
            heard.push(opened(&client, &guest.replies()));
        }
        assert!(heard[0].len() >= 3 && heard.iter().all(|replies| *replies == heard[0]), "{heard:?}");
    }
}

#[test]
fn what_is_not_whole_is_not_answered() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    for (port, _) in PORTS {
        let packet = client.request(&world, 3);
        let mut guest = Guest::at(&mut world, port);
        for end in 1..packet.len() {
            guest.sends(&mut world, &packet[end - 1..end]);
            assert!(guest.said.is_empty() && guest.asked.is_empty());
        }
        // What was whole is answered, and the rest is not.
        let mut half = Guest::at(&mut world, port);
        half.sends(&mut world, b"junk\r\n\r\njunk\r\n\r");
        half.happens(&mut world, crate::session::Event::EndOfStream);
        half.sends(&mut world, b"");
        assert_eq!(half.said.len(), 1);
    }
}

#[test]
fn an_empty_packet_is_a_packet() {
    let mut world = World::new();
    for (port, told) in PORTS {
        let mut guest = Guest::at(&mut world, port);
        guest.sends(&mut world, b"\r\n\r\n\r\n\r\n \r\n\r\n");
        assert_eq!(guest.replies(), [told; 3]);
    }
}

#[test]
fn a_packet_may_be_as_long_as_the_limit_and_no_longer() {
    let mut world = World::new();
    for (port, told) in &PORTS[..2] {
        let (port, told) = (*port, *told);
        let junk = vec![b'x'; CONNECT_LIMIT];
        let mut guest = Guest::at(&mut world, port);
        guest.sends(&mut world, &[&junk[..CONNECT_LIMIT - 4], b"\r\n\r\n\r\n\r\n"].concat());
        assert_eq!(guest.replies(), [told; 2]);
        assert!(!guest.closed);
        // One byte more, and it is told at once, whatever else has come.
        for more in [&b""[..], b"\n", b"\n\r\n\r\n", b"\n\r\n\r\njunk\r\n\r\n"] {
            let mut guest = Guest::at(&mut world, port);
            guest.sends(&mut world, &[&junk[..CONNECT_LIMIT - 3], b"\r\n"].concat());
            assert!(guest.said.is_empty() && !guest.closed);
            guest.sends(&mut world, &[b"\r", more].concat());
            assert_eq!(guest.replies(), [told]);
            assert!(guest.closed && guest.why.is_none());
        }
    }
}

#[test]
fn many_packets_together_may_be_longer() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut bytes = Vec::new();
    for number in 0..20 {
        let id = client.id.clone();
        let filler = " ".repeat(5000);
        bytes.extend(
            client.seal(&format!(r#"{{"_t":{BEGIN},"x":{number},{filler}"type":3,"client_id":"{id}"}}"#)),
        );
    }
    assert!(bytes.len() > 2 * CONNECT_LIMIT);
    let mut guest = Guest::at(&mut world, Port::Connect);
    guest.sends(&mut world, &bytes);
    assert_eq!(guest.said.len(), 20);
    assert!(guest.replies().iter().all(|reply| client.open(reply).contains(r#""ack":1"#)));
}

#[test]
fn a_log_that_is_too_long_is_skipped_and_the_next_one_is_taken() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    // The text of a packet of this length, which is a valid one but for that.
    let mut of_length = |length: usize| {
        let empty = client.seal(ITEM);
        let mut packet = client.seal(ITEM);
        packet.splice(packet.len() - 4..packet.len() - 4, vec![b'\n'; length - empty.len()]);
        packet
    };
    let mut guest = Guest::at(&mut world, Port::Log);
    let fits = of_length(LOG_LIMIT);
    assert_eq!(guest.hears(&mut world, &fits), r#"{"r":0}"#);
    for pieces in [usize::MAX, 65_536, 4093, 1_048_575] {
        let bytes =
            [of_length(LOG_LIMIT + 1), of_length(300), of_length(3 * LOG_LIMIT), of_length(300)].concat();
        let before = guest.said.len();
        bytes.chunks(pieces.min(bytes.len())).for_each(|piece| guest.sends(&mut world, piece));
        assert_eq!(guest.replies()[before..], [NOT_TAKEN, r#"{"r":0}"#, NOT_TAKEN, r#"{"r":0}"#]);
    }
    assert!(!guest.closed);
    assert_eq!(world.files.text("default").lines().count(), 9);
}

#[test]
fn a_log_that_does_not_end_is_given_up() {
    let mut world = World::new();
    let mut whole = Guest::at(&mut world, Port::Log);
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..15 {
        whole.sends(&mut world, &chunk);
    }
    whole.sends(&mut world, &chunk[..(1 << 20) - 4]);
    assert_eq!(whole.hears(&mut world, b"\r\n\r\n"), NOT_TAKEN);
    let mut endless = Guest::at(&mut world, Port::Log);
    for _ in 0..15 {
        endless.sends(&mut world, &chunk);
    }
    endless.sends(&mut world, &chunk[..(1 << 20) - 1]);
    assert!(!endless.closed && endless.said.is_empty());
    endless.sends(&mut world, b"\r");
    assert!(endless.closed && endless.said.is_empty());
    assert!(endless.why.unwrap().contains(&LOG_HARD_LIMIT.to_string()));
}

#[test]
fn the_sixteenth_packet_that_nobody_on_record_has_sealed_is_the_last() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut nobody = Client { id: "nobody".to_owned(), ..client.clone() };
    let mut forger = Client { key: "00".repeat(32), ..client.clone() };
    for (port, _) in PORTS {
        let junk = [
            plain(""),
            plain("{}"),
            plain(r#"{"type":2,"client_id":"nobody"}"#),
            nobody.seal("{}"),
            forger.seal("{}"),
            client.seal("junk"),
        ];
        let mut guest = Guest::at(&mut world, port);
        for (number, packet) in (1..=16).zip(junk.iter().cycle()) {
            assert!(!guest.closed, "{number}");
            // Between them the client may say what it likes, right or wrong, and it does not count.
            let id = client.id.clone();
            let time = crate::session::View::unix_time(&world);
            let sensible = client
                .seal(&format!(r#"{{"_t":{time},"type":3,"client_id":"{id}","logger_id":"{number}"}}"#));
            guest.hears(&mut world, &sensible);
            let stale = client.seal(&format!(r#"{{"_t":{number},"datetime":1,"msg":"x"}}"#));
            guest.hears(&mut world, &stale);
            guest.hears(&mut world, packet);
        }
        assert!(guest.closed && guest.why.is_none());
        assert_eq!(guest.said.len(), 48);
    }
}

#[test]
fn a_hello_that_is_answered_is_no_junk() {
    let mut world = World::new();
    let mut guest = Guest::at(&mut world, Port::Connect);
    for _ in 0..40 {
        guest.hears(&mut world, &plain(r#"{"type":1,"client_id":"manny"}"#));
    }
    assert!(!guest.closed);
    for _ in 0..16 {
        assert!(!guest.closed);
        guest.hears(&mut world, &plain(r#"{"type":1,"client_id":"molly"}"#));
    }
    assert!(guest.closed);
}
