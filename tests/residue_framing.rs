//! Residue: where a packet ends, however the stream is cut, and how long it may be.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use common::residue::*;
use common::*;

on_both_engines!(
    packets_that_arrive_together_are_all_answered_in_order,
    packets_of_every_kind_may_travel_together,
    every_packet_may_come_byte_by_byte,
    packets_may_be_cut_anywhere,
    a_line_end_alone_ends_no_packet,
    any_packet_of_any_client_is_served_on_any_connection,
    base64_may_be_wrapped,
    white_space_before_a_packet_is_skipped,
    a_request_has_65536_bytes_at_most,
    a_request_that_does_not_end_is_refused_as_soon_as_it_is_too_long,
    a_log_packet_has_a_mebibyte_at_most,
    a_log_packet_that_is_too_long_may_be_sent_with_others,
    sixteen_mebibytes_without_an_end_are_the_end,
    the_16th_packet_of_nobody_on_record_is_the_last,
    what_is_sealed_and_refused_is_no_junk,
    at_the_end_of_stream_what_was_whole_is_answered,
);

/// The bytes of a request, its delimiter included.
const REQUEST: usize = 65_536;
/// The same of a log packet.
const LOG: usize = 1 << 20;

fn packets_that_arrive_together_are_all_answered_in_order(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let items: Vec<_> = (0..200).map(|number| format!("message {number}")).collect();
    let stream: Vec<u8> = items.iter().flat_map(|text| client.seal(item(text)).packet()).collect();
    client.sends(Port::Log, stream);
    for _ in &items {
        client.wire(Port::Log).expect(TAKEN);
    }
    assert_eq!(messages(&place, "app"), items);
    let touch = client.request(3);
    let stream: Vec<u8> = (0..50).flat_map(|_| client.seal(&touch).packet()).collect();
    client.sends(Port::Connect, stream);
    for _ in 0..50 {
        assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    }
}

fn packets_of_every_kind_may_travel_together(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    let sealed = |kind| client.seal(client.request(kind)).packet();
    let junk = b"junk\r\n\r\n".to_vec();
    let hello = format!("{}{END}", hello_with(&BOBS.as_sent())).into_bytes();
    let stream = [sealed(3), junk.clone(), sealed(2), hello, sealed(3), sealed(2), junk].concat();
    client.sends(Port::Connect, stream);
    let early = "Cannot touch a non-acknowledged client. Please ACKNOWLEDGE it first";
    assert_eq!(client.hears(Port::Connect), error(early));
    client.wire(Port::Connect).expect(&error(INVALID));
    assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    take_hello(client.wire(Port::Connect), &BOBS);
    assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    let again = "Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.";
    assert_eq!(client.hears(Port::Connect), error(again));
    client.wire(Port::Connect).expect(&error(INVALID));
}

fn every_packet_may_come_byte_by_byte(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    let hello = format!("{}{END}", hello_with(&ANNS.as_sent()));
    wire.raw().send_byte_by_byte(hello.as_bytes());
    take_hello(&mut wire, &ANNS);
    let mut client = Client::greeted(&daemon);
    let acknowledge = client.seal(client.request(2)).packet();
    client.wire(Port::Connect).raw().send_byte_by_byte(&acknowledge);
    assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    let token = client.seal(format!(r#"{{"_t":{},"logger_id":"app"}}"#, now())).packet();
    client.wire(Port::Token).raw().send_byte_by_byte(&token);
    assert!(client.hears(Port::Token).starts_with(r#"{"life":3600,"#));
    let log = client.seal(item("slowly")).packet();
    client.wire(Port::Log).raw().send_byte_by_byte(&log);
    client.wire(Port::Log).expect(TAKEN);
    assert_eq!(messages(&place, "app"), ["slowly"]);
}

fn packets_may_be_cut_anywhere(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let length = client.seal(item("one")).packet().len();
    for at in [1, 31, 32, 33, 49, 50, length - 4, length - 3, length - 2, length - 1, length, length + 1] {
        let [one, two] = ["one", "two"].map(|message| client.seal(item(message)).packet());
        let both = [one, two].concat();
        client.sends(Port::Log, &both[..at]);
        if at < length {
            client.wire(Port::Log).expect_silence();
        } else {
            client.wire(Port::Log).expect(TAKEN);
        }
        client.sends(Port::Log, &both[at..]);
        client.wire(Port::Log).expect(TAKEN);
        if at < length {
            client.wire(Port::Log).expect(TAKEN);
        }
    }
}

fn a_line_end_alone_ends_no_packet(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    for part in ["a\r\n", "\n\n", "\r\n\r", "\r\n\n\r\n", "\r\r", "\n"] {
        wire.send(part);
        wire.expect_silence();
    }
    wire.send("\r\n");
    wire.expect(&error(INVALID));
    // Nothing but a delimiter is a packet, and so is each of two.
    wire.send("\r\n\r\n\r\n\r\n");
    wire.expect(&error(INVALID));
    wire.expect(&error(INVALID));
    wire.expect_silence();
}

fn any_packet_of_any_client_is_served_on_any_connection(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let (mut ann, mut bob) = (Client::established(&daemon), Client::greeted(&daemon));
    let acknowledge = bob.seal(bob.request(2)).packet();
    ann.sends(Port::Connect, acknowledge);
    let reply = ann.wire(Port::Connect).take();
    assert!(bob.open(&reply).starts_with(r#"{"ack":1,"#));
    let touch = ann.seal(ann.request(3)).packet();
    bob.sends(Port::Connect, touch);
    let reply = bob.wire(Port::Connect).take();
    assert!(ann.open(&reply).starts_with(r#"{"ack":1,"#));
    let mut wire = Wire::connect_from(ip(2), Port::Log.of(&daemon));
    for client in [&ann, &bob, &ann, &ann, &bob] {
        wire.send(client.seal(item(&client.id)).packet());
        wire.expect(TAKEN);
    }
    assert_eq!(messages(&place, "app"), [&ann.id, &bob.id, &ann.id, &ann.id, &bob.id].map(String::clone));
}

fn base64_may_be_wrapped(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for (number, (columns, end)) in
        [(76, "\n"), (76, "\r\n"), (64, "\n"), (4, " \t"), (1, "\n")].iter().enumerate()
    {
        let packet = String::from_utf8(client.seal(item(&format!("wrapped {number}"))).packet()).unwrap();
        let (before, base64) = packet.trim_end().rsplit_once(':').unwrap();
        let lines: String = base64
            .as_bytes()
            .chunks(*columns)
            .fold(String::new(), |all, line| all + std::str::from_utf8(line).unwrap() + end);
        // A packet that ends in CRLF has only the rest of its delimiter behind it.
        client.sends(Port::Log, format!("{before}:{lines}{END}"));
        client.wire(Port::Log).expect(TAKEN);
    }
    assert_eq!(messages(&place, "app").len(), 5);
}

/// Some clients leave a line end behind a packet.
fn white_space_before_a_packet_is_skipped(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for before in ["\r\n", "\n", " \t\r\n"] {
        let packet = client.seal(item("behind it")).packet();
        client.sends(Port::Log, [before.as_bytes(), &packet].concat());
        client.wire(Port::Log).expect(TAKEN);
        let touch = client.seal(client.request(3)).packet();
        client.sends(Port::Connect, [before.as_bytes(), &touch].concat());
        assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    }
    let spaced = format!(" \r\n {}", hello_with(&ANNS.as_sent()));
    client.wire(Port::Connect).says(spaced);
    take_hello(client.wire(Port::Connect), &ANNS);
    assert_eq!(messages(&place, "app").len(), 3);
}

/// A packet whose base64 is filled up by white space.
fn of_length(packet: &[u8], length: usize) -> Vec<u8> {
    let (text, end) = packet.split_at(packet.len() - END.len());
    [text, &vec![b' '; length - packet.len()], end].concat()
}

fn a_request_has_65536_bytes_at_most(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let touch = client.seal(client.request(3)).packet();
    client.sends(Port::Connect, of_length(&touch, REQUEST));
    assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    let token = client.seal(format!(r#"{{"_t":{},"logger_id":"app"}}"#, now())).packet();
    client.sends(Port::Token, of_length(&token, REQUEST));
    assert!(client.hears(Port::Token).starts_with(r#"{"life":3600,"#));
    for port in [Port::Connect, Port::Token] {
        let mut wire = Wire::connect(port.of(&daemon));
        wire.send(of_length(&client.seal(client.request(3)).packet(), REQUEST + 1));
        wire.expect(&port.to_junk());
        wire.expect_gone();
    }
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    let hello = hello_with(&ANNS.as_sent());
    let filled = format!("{hello}{}", " ".repeat(REQUEST - END.len() - hello.len()));
    wire.says(&filled);
    take_hello(&mut wire, &ANNS);
    wire.asks(format!("{filled} "), &error(INVALID));
    wire.expect_gone();
}

fn a_request_that_does_not_end_is_refused_as_soon_as_it_is_too_long(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    for port in [Port::Connect, Port::Token] {
        let mut wire = Wire::connect(port.of(&daemon));
        wire.send(vec![b'a'; REQUEST - 1]);
        wire.expect_silence();
        wire.send("a");
        wire.expect(&port.to_junk());
        wire.expect_end();
    }
}

fn a_log_packet_has_a_mebibyte_at_most(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let short = client.seal(item("filled up")).packet();
    client.sends(Port::Log, of_length(&short, LOG));
    client.wire(Port::Log).expect(TAKEN);
    // As much as fits: 16 bytes of text more would be one byte too much.
    let room = LOG - short.len();
    let long = item(&"x".repeat(room / 64 * 48));
    let packet = client.seal(&long).packet();
    assert!((LOG - 64..=LOG).contains(&packet.len()), "{}", packet.len());
    client.sends(Port::Log, packet);
    client.wire(Port::Log).expect(TAKEN);
    for length in [LOG + 1, LOG + 2, LOG + 3, LOG + 4, 2 * LOG, 8 * LOG] {
        let packet = of_length(&client.seal(item("too long")).packet(), length);
        client.sends(Port::Log, packet);
        client.wire(Port::Log).expect(NOT_TAKEN);
    }
    // The connection is as good as before.
    client.logs_message("short");
    let all = messages(&place, "app");
    assert_eq!((all.len(), &*all[0], &*all[2]), (3, "filled up", "short"));
    assert!(long.contains(&all[1]));
}

fn a_log_packet_that_is_too_long_may_be_sent_with_others(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let sealed = |message: &str| client.seal(item(message)).packet();
    let long = of_length(&sealed("too long"), 3 * LOG);
    let stream = [sealed("one"), long.clone(), sealed("two"), long, sealed("three")].concat();
    client.sends(Port::Log, stream);
    for wanted in [TAKEN, NOT_TAKEN, TAKEN, NOT_TAKEN, TAKEN] {
        client.wire(Port::Log).expect(wanted);
    }
    assert_eq!(messages(&place, "app"), ["one", "two", "three"]);
}

fn sixteen_mebibytes_without_an_end_are_the_end(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let hard = 16 << 20;
    let mut wire = Wire::connect(Port::Log.of(&daemon));
    wire.send(vec![b'a'; hard - END.len()]);
    wire.expect_silence();
    wire.send(END);
    wire.expect(NOT_TAKEN);
    wire.send(vec![b'a'; hard - 1]);
    wire.expect_silence();
    wire.send("aa");
    wire.expect_gone();
}

/// Table: what nobody on record has sealed, by port, and what it is answered.
fn junk(client: &Client, port: Port) -> Vec<(Vec<u8>, String)> {
    let sealed = |client: &Client, blocks: &[u8]| client.seal_blocks(fresh_iv(), blocks).packet();
    let mut junk = vec![
        (b"junk\r\n\r\n".to_vec(), port.to_junk()),
        (END.into(), port.to_junk()),
        (b"\xff\xfe\x00\r\n\r\n".to_vec(), port.to_junk()),
        (b"{}\r\n\r\n".to_vec(), port.to_junk()),
        (format!("{}{END}", item("in plain")).into(), port.to_junk()),
        (sealed(&client.is_called("zzzzzzzzzzzzzzzz"), &pad(b"{}")), port.to_strangers()),
    ];
    let no_padding = sealed(client, &[b'{'; 32]);
    let no_json = sealed(client, &pad(b"no JSON"));
    junk.extend([no_padding, no_json].map(|packet| (packet, "sealed".to_owned())));
    junk
}

fn the_16th_packet_of_nobody_on_record_is_the_last(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for port in Port::ALL {
        let mut wire = Wire::connect(port.of(&daemon));
        let table = junk(&client, port);
        for (packet, wanted) in table.iter().cycle().take(16) {
            wire.send(packet);
            let reply = wire.take();
            match (wanted.as_str(), port) {
                ("sealed", Port::Connect) => assert_eq!(client.open(&reply), error(INVALID)),
                ("sealed", Port::Token) => assert_eq!(client.open(&reply), token_error(NO_LOGGER)),
                ("sealed", Port::Log) => assert_eq!(reply, NOT_TAKEN),
                _ => assert_eq!(reply, *wanted, "{port:?}: {:?}", String::from_utf8_lossy(packet)),
            }
        }
        wire.expect_end();
    }
    // Refused hellos count, what is served between does not make it forgotten.
    let mut wire = Wire::connect(Port::Connect.of(&daemon));
    let unknown = plain_hello(r#""client_id":"nobody""#);
    for number in 1..=16 {
        wire.asks(&unknown, &error("Client is unknown"));
        if number < 16 {
            wire.send(client.seal(client.request(3)).packet());
            assert!(client.open(&wire.take()).starts_with(r#"{"ack":1,"#));
        }
    }
    wire.expect_end();
    // The connections of the client itself are none of all that.
    client.touches();
    assert!(nothing_is_written(&place));
}

fn what_is_sealed_and_refused_is_no_junk(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let again = "Cannot re-acknowledge unknown clients. Please TOUCH to refresh it.";
    for _ in 0..20 {
        assert_eq!(client.asks(Port::Connect, &client.request(2)), error(again));
        assert_eq!(client.asks(Port::Connect, &client.request(9)), error(INVALID));
        assert_eq!(client.logs(r#"{"msg":"without a time"}"#), NOT_TAKEN);
    }
    client.touches();
    client.logs_message("still here");
}

fn at_the_end_of_stream_what_was_whole_is_answered(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let [one, two, three] = ["one", "two", "three"].map(|message| client.seal(item(message)).packet());
    client.sends(Port::Log, [one, two, three[..three.len() - 1].to_vec()].concat());
    client.wire(Port::Log).raw().finish();
    client.wire(Port::Log).expect(TAKEN);
    client.wire(Port::Log).expect(TAKEN);
    client.wire(Port::Log).expect_end();
    assert_eq!(messages(&place, "app"), ["one", "two"]);
}
