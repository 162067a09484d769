//! The logging port.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::guest::plain;
use super::world::BEGIN;
use super::*;
use crate::residue::desk::Port;
use crate::session::Effort;

pub(super) const TAKEN: &str = r#"{"r":0}"#;
pub(super) const NOT_TAKEN: &str = r#"{"r":1}"#;
const NO_CLIENT: &str = r#"{"r":2}"#;

/// An item with this message, and with these other fields, each with a comma before it.
pub(super) fn item(message: &str, more: &str) -> String {
    format!(r#"{{"datetime":1504663925034,"logger":"app","msg":"{message}","level":128{more}}}"#)
}

fn line(message: &str) -> String {
    format!("2017-09-06T02:12:05.034Z INFO app - - - - {message}\n")
}

pub(super) fn compressed(text: &str) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

/// What a new connection hears to the packet of this text.
#[track_caller]
fn reply(world: &mut World, client: &mut Client, text: &str) -> String {
    let packet = client.seal(text);
    Guest::at(world, Port::Log).hears(world, &packet)
}

#[test]
fn what_is_taken_stands_in_its_file() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    assert_eq!(reply(&mut world, &mut client, &item("one", "")), TAKEN);
    assert_eq!(reply(&mut world, &mut client, &item("two", &format!(r#","_t":{BEGIN}"#))), TAKEN);
    assert_eq!(reply(&mut world, &mut client, &compressed(&item("three", ""))), TAKEN);
    let many =
        format!("[{},{},{}]", item("four", ""), item("five", ""), item("other", "").replace("app", "net"));
    assert_eq!(reply(&mut world, &mut client, &many), TAKEN);
    assert_eq!(world.files.text("app"), ["one", "two", "three", "four", "five"].map(line).concat());
    assert_eq!(world.files.text("net"), line("other").replace("app", "net"));
    assert_eq!(reply(&mut world, &mut client, r#"{"datetime":1,"msg":"m"}"#), TAKEN);
    assert!(
        world.files.text("default").ends_with(" WARNING default - - - - m\n"),
        "{}",
        world.files.text("default")
    );
}

#[test]
fn lines_may_be_json() {
    let mut world = World::with(|settings| settings.line_format = LineFormat::Json, |_| {});
    let mut client = Client::acknowledged(&mut world);
    assert_eq!(reply(&mut world, &mut client, &item("one", "")), TAKEN);
    let text = world.files.text("app");
    assert!(text.starts_with('{') && text.ends_with("}\n") && text.contains(r#""one""#), "{text}");
}

#[test]
fn what_is_not_valid_is_not_taken() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let stale = |offset: i64| item("x", &format!(r#","_t":{}"#, BEGIN + offset));
    let hundred_and_one = format!("[{}]", vec![item("x", ""); 101].join(","));
    let table = [
        "".to_owned(),
        "junk".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "[1,2]".to_owned(),
        "{}".to_owned(),
        item("", ""),
        item("x", r#","msg":null"#),
        item("x", r#","msg":7"#),
        item("x", r#","datetime":0"#),
        item("x", r#","datetime":-1"#),
        item("x", r#","datetime":1504663925034.5"#),
        item("x", r#","datetime":"1504663925034""#),
        item("x", r#","logger":"../etc/passwd""#),
        item("x", r#","logger":".hidden""#),
        stale(-121),
        stale(121),
        item("x", "") + item("y", "").as_str(),
        hundred_and_one,
        compressed("junk"),
        compressed("[]"),
        format!("[{}", item("x", "")),
    ];
    for text in &table {
        assert_eq!(reply(&mut world, &mut client, text), NOT_TAKEN, "{text}");
    }
    assert_eq!(world.files.loggers(), [""; 0]);
    // In an array, what is valid is taken.
    let mixed = format!("[{},1,{},{},[],{}]", item("", ""), item("good", ""), stale(-121), item("too", ""));
    assert_eq!(reply(&mut world, &mut client, &mixed), TAKEN);
    assert_eq!(world.files.text("app"), line("good") + &line("too"));
    let hundred = format!("[{}]", vec![item("x", ""); 100].join(","));
    assert_eq!(reply(&mut world, &mut client, &hundred), TAKEN);
}

#[test]
fn what_is_not_advertised_is_not_done() {
    let mut world = World::flagged(501 - Flags::BULK - Flags::COMPRESSION);
    let mut client = Client::acknowledged(&mut world);
    for text in [format!("[{}]", item("x", "")), compressed(&item("x", ""))] {
        assert_eq!(reply(&mut world, &mut client, &text), NOT_TAKEN);
    }
    assert_eq!(reply(&mut world, &mut client, &item("one", "")), TAKEN);
    assert_eq!(world.files.text("app"), line("one"));
    let mut world = World::with(|settings| settings.bulk_limit = 2, |_| {});
    let mut client = Client::acknowledged(&mut world);
    let items = |count| format!("[{}]", vec![item("x", ""); count].join(","));
    assert_eq!(reply(&mut world, &mut client, &items(2)), TAKEN);
    assert_eq!(reply(&mut world, &mut client, &items(3)), NOT_TAKEN);
}

#[test]
fn who_may_not_log_hears_of_that_first() {
    let mut world = World::new();
    let (mut fresh, mut dead) = (Client::fresh(&mut world), Client::acknowledged(&mut world));
    let mut nobody = Client { id: "nobody".to_owned(), ..dead.clone() };
    let texts = [item("x", ""), String::new(), "junk".to_owned(), "[]".to_owned(), item("", "")];
    for text in &texts {
        for client in [&mut fresh, &mut nobody] {
            assert_eq!(reply(&mut world, client, text), NO_CLIENT, "{text}");
        }
    }
    let mut forged = Client { key: "00".repeat(32), ..fresh };
    assert_eq!(reply(&mut world, &mut forged, &item("x", "")), NO_CLIENT);
    world.pass(259_200 + 121);
    for text in &texts {
        assert_eq!(reply(&mut world, &mut dead, text), NO_CLIENT, "{text}");
    }
    assert_eq!(world.files.loggers(), [""; 0]);
    for text in ["", "{}", &item("x", ""), "junk"] {
        assert_eq!(Guest::at(&mut world, Port::Log).hears(&mut world, &plain(text)), NOT_TAKEN);
    }
}

#[test]
fn a_repeated_log_is_answered_and_not_written_again() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let packet = client.seal(&item("once", ""));
    for _ in 0..3 {
        assert_eq!(Guest::at(&mut world, Port::Log).hears(&mut world, &packet), TAKEN);
    }
    assert_eq!(world.files.text("app"), line("once"));
    let invalid = client.seal(&item("", ""));
    for _ in 0..2 {
        assert_eq!(Guest::at(&mut world, Port::Log).hears(&mut world, &invalid), NOT_TAKEN);
    }
}

#[test]
fn what_could_not_be_written_may_come_again() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let packet = client.seal(&item("once", ""));
    let mut guest = Guest::at(&mut world, Port::Log);
    world.files.fill(true);
    assert_eq!(guest.hears(&mut world, &packet), NOT_TAKEN);
    world.files.fill(false);
    assert_eq!(guest.hears(&mut world, &packet), TAKEN);
    assert_eq!(world.files.text("app"), line("once"));
}

#[test]
fn where_tokens_are_needed_they_are_looked_at() {
    let mut world = World::flagged(501 | Flags::REQUIRES_TOKEN);
    let mut client = Client::acknowledged(&mut world);
    assert_eq!(reply(&mut world, &mut client, &item("x", "")), NOT_TAKEN);
    let packet = client.seal(&format!(r#"{{"_t":{BEGIN},"logger_id":"app"}}"#));
    let told = Guest::at(&mut world, Port::Token).hears(&mut world, &packet);
    let told = client.open(&told);
    let token = told.strip_suffix(r#""}"#).unwrap().rsplit_once('"').unwrap().1;
    let with = item("with", &format!(r#","token":"{token}""#));
    assert_eq!(reply(&mut world, &mut client, &with), TAKEN);
    assert_eq!(reply(&mut world, &mut client, &with.replace("app", "net")), NOT_TAKEN);
    let both = format!("[{},{}]", item("without", ""), with.replace("with", "again"));
    assert_eq!(reply(&mut world, &mut client, &both), TAKEN);
    assert_eq!(world.files.text("app"), line("with") + &line("again"));
}

#[test]
fn a_bomb_is_not_taken() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let of = |length: usize| item(&"x".repeat(length - item("", "").len()), "");
    // Small as it is sent, and long once it is inflated: that is done elsewhere.
    let fits = client.seal(&compressed(&of(8 << 20)));
    let bomb = client.seal(&compressed(&of((8 << 20) + 1)));
    assert!(fits.len() < 32_768, "{}", fits.len());
    let mut guest = Guest::at(&mut world, Port::Log);
    assert_eq!(guest.hears(&mut world, &fits), TAKEN);
    let [brief, long] = [Effort::Brief, Effort::Long].map(Asked::Toil);
    assert_eq!(guest.asked, [Asked::Clerk, brief, long, Asked::Clerk]);
    let size = world.files.text("app").len();
    assert!(size > (8 << 20) - 100);
    assert_eq!(guest.hears(&mut world, &bomb), NOT_TAKEN);
    assert_eq!(world.files.text("app").len(), size);
    let small_bomb = client.seal(&compressed(&of(200 << 10)));
    assert!(small_bomb.len() < 8192);
    guest.asked.clear();
    assert_eq!(guest.hears(&mut world, &small_bomb), TAKEN);
    assert_eq!(guest.asked, [brief, Asked::Clerk]);
}

#[test]
fn what_takes_long_to_open_holds_up_no_key_exchange() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut guest = Guest::at(&mut world, Port::Log);
    let [brief, long] = [Effort::Brief, Effort::Long].map(Asked::Toil);
    guest.hears(&mut world, &client.seal(&item("x", "")));
    for (length, asked) in [(40 << 10, &[brief][..]), (900 << 10, &[long])] {
        let packet = client.seal(&item(&"x".repeat(length * 3 / 4), ""));
        guest.asked.clear();
        assert_eq!(guest.hears(&mut world, &packet), TAKEN);
        assert_eq!(guest.asked, [asked, &[Asked::Clerk]].concat(), "{length}");
    }
}

#[test]
fn who_sends_too_much_is_no_stranger_and_its_packets_are_remembered() {
    let mut world = World::with(|_| {}, |clerk| clerk.client_memory = 20);
    let mut client = Client::acknowledged(&mut world);
    let mut guest = Guest::at(&mut world, Port::Log);
    let bomb = compressed(&item(&"x".repeat(8 << 20), ""));
    for _ in 0..18 {
        assert_eq!(guest.hears(&mut world, &client.seal(&bomb)), NOT_TAKEN);
        assert!(!guest.closed);
    }
    // One more and its life is full: all of them count, with the one that has acknowledged.
    assert_eq!(guest.hears(&mut world, &client.seal(&bomb)), NOT_TAKEN);
    assert!(guest.closed && world.names().is_empty());
}

#[test]
fn a_common_packet_is_opened_at_once() {
    let mut world = World::new();
    let mut client = Client::acknowledged(&mut world);
    let mut guest = Guest::at(&mut world, Port::Log);
    let bulk =
        format!("[{}]", vec![item("a message as they come", r#","file":"app.js","line":10"#); 40].join(","));
    for text in [item("one", ""), compressed(&item("two", "")), compressed(&bulk)] {
        let packet = client.seal(&text);
        assert_eq!(guest.hears(&mut world, &packet), TAKEN);
    }
    assert_eq!(guest.asked, [Asked::Clerk; 4]);
}

#[test]
fn a_million_and_more_packets_of_one_life_do_not_fit() {
    let mut world = World::with(|_| {}, |clerk| clerk.client_memory = 5);
    let mut client = Client::acknowledged(&mut world);
    let mut guests = [Port::Connect, Port::Token, Port::Log].map(|port| Guest::at(&mut world, port));
    let touch = client.request(&world, 3);
    let ask = client.seal(&format!(r#"{{"_t":{BEGIN},"logger_id":"app"}}"#));
    for (guest, packet) in guests.iter_mut().zip([touch, ask]) {
        guest.hears(&mut world, &packet);
    }
    // It has acknowledged and touched, and asked for a token: two logs more.
    for message in ["four", "five"] {
        assert!(guests.iter().all(|guest| !guest.closed));
        let packet = client.seal(&item(message, ""));
        assert_eq!(guests[2].hears(&mut world, &packet), TAKEN);
    }
    for guest in &mut guests {
        guest.fetches_mail(&mut world);
        assert!(guest.closed && guest.why.is_none());
    }
    assert_eq!(world.files.text("app"), line("four") + &line("five"));
    assert!(world.names().is_empty());
    assert_eq!(reply(&mut world, &mut client, &item("six", "")), NO_CLIENT);
}
