//! Residue: packets that somebody has changed, recorded or made up on the way.
//!
//! Whatever was done to them, there is one text for all of it, and nothing is written.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::sync::LazyLock;

use common::residue::*;
use common::*;

on_both_engines!(
    what_was_changed_on_the_way_is_told_one_text,
    what_was_changed_on_the_way_is_not_written,
    a_repeated_request_is_refused,
    a_repeated_log_is_written_once,
    what_is_repeated_meanwhile_waits_for_the_first,
    a_stale_packet_is_not_made_fresh_by_its_iv,
    a_packet_whose_front_is_cut_off_is_the_same,
    what_is_refused_is_remembered_too,
    the_id_inside_is_the_id_outside,
    what_inflates_to_more_than_8_mebibytes_is_not_taken,
    a_bomb_costs_no_memory,
);

/// All that can be done to a packet by whoever does not have its key. The one of which the time comes first is as long
/// as the first block.
fn changes(sealed: &Sealed) -> Vec<(&'static str, Sealed)> {
    let changed = |change: &dyn Fn(&mut Sealed)| {
        let mut other = sealed.clone();
        change(&mut other);
        other
    };
    let last = sealed.ciphertext.len() - 1;
    vec![
        ("a bit of the IV", changed(&|it| it.iv[0] ^= 1)),
        ("all of the IV", changed(&|it| it.iv = [0x55; 16])),
        ("its first block", changed(&|it| it.ciphertext[0] ^= 1)),
        ("its last block, so that the padding is wrong", changed(&|it| it.ciphertext[last] ^= 1)),
        ("the padding itself", changed(&|it| it.ciphertext[last - 16] ^= 1)),
        ("without its first block", changed(&|it| cut_front(it, 1))),
        ("without its last block", changed(&|it| it.ciphertext.truncate(last - 15))),
        ("without a byte", changed(&|it| it.ciphertext.truncate(last))),
        ("with a block more", changed(&|it| it.ciphertext.extend([7; 16]))),
        ("with a byte more", changed(&|it| it.ciphertext.push(7))),
        ("with its last block twice", changed(&|it| it.ciphertext.extend_from_within(last - 15..))),
        ("without anything", changed(&|it| it.ciphertext.clear())),
    ]
}

/// Cuts so many blocks off: the last of them becomes the IV.
fn cut_front(sealed: &mut Sealed, blocks: usize) {
    let cut: Vec<u8> = sealed.ciphertext.drain(..16 * blocks).collect();
    sealed.iv = cut[16 * (blocks - 1)..].try_into().unwrap();
}

fn what_was_changed_on_the_way_is_told_one_text(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let touch = client.seal(client.request(3));
    let token = client.seal(format!(r#"{{"_t":{},"logger_id":"app","access_code":"default"}}"#, now()));
    for (port, sealed, wanted) in
        [(Port::Connect, touch, error(INVALID)), (Port::Token, token, token_error(NO_LOGGER))]
    {
        for (what, changed) in changes(&sealed) {
            client.sends(port, changed.packet());
            assert_eq!(client.hears(port), wanted, "{what}");
        }
        // It was never seen as it is.
        client.sends(port, sealed.packet());
        assert!(client.hears(port).contains(r#""status":0"#));
    }
}

fn what_was_changed_on_the_way_is_not_written(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let texts = [item("hello"), compress(item("hello")), format!("[{0},{0}]", item("hello"))];
    for text in &texts {
        let sealed = client.seal(text);
        for (what, changed) in changes(&sealed) {
            client.sends(Port::Log, changed.packet());
            assert_eq!(client.wire(Port::Log).take(), NOT_TAKEN, "{what}");
        }
        client.hangs_up();
    }
    assert!(nothing_is_written(&place));
    client.logs_message("hello");
    assert_eq!(messages(&place, "app"), ["hello"]);
}

fn a_repeated_request_is_refused(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    for kind in [2, 3] {
        let packet = client.seal(client.request(kind)).packet();
        client.sends(Port::Connect, &packet);
        assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
        client.sends(Port::Connect, &packet);
        assert_eq!(client.hears(Port::Connect), error(INVALID));
        // Nor on another connection.
        client.hangs_up();
        client.sends(Port::Connect, &packet);
        assert_eq!(client.hears(Port::Connect), error(INVALID));
    }
    for fields in ["", r#","token":"0123456789abcdef""#] {
        let packet = client.seal(format!(r#"{{"_t":{},"logger_id":"app"{fields}}}"#, now())).packet();
        client.sends(Port::Token, &packet);
        assert_ne!(client.hears(Port::Token), token_error(NO_LOGGER));
        client.sends(Port::Token, &packet);
        assert_eq!(client.hears(Port::Token), token_error(NO_LOGGER));
    }
}

fn a_repeated_log_is_written_once(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let packet = client.seal(format!("[{},{}]", item("one"), item("two"))).packet();
    for _ in 0..3 {
        client.sends(Port::Log, &packet);
        client.wire(Port::Log).expect(TAKEN);
        client.hangs_up();
    }
    // What says the same is not the same.
    client.logs_message("one");
    client.logs_message("one");
    assert_eq!(messages(&place, "app"), ["one", "two", "one", "one"]);
}

fn what_is_repeated_meanwhile_waits_for_the_first(engine: Engine) {
    let (daemon, place) = start(engine, &["--residue-fsync"]);
    let client = Client::established(&daemon);
    let mut wires: Vec<Wire> = (0..8).map(|_| Wire::connect(Port::Log.of(&daemon))).collect();
    for number in 0..20 {
        let packet = client.seal(item(&format!("message {number}"))).packet();
        for wire in &mut wires {
            wire.send([&packet[..], &packet].concat());
        }
        for wire in &mut wires {
            wire.expect(TAKEN);
            wire.expect(TAKEN);
        }
        assert_eq!(messages(&place, "app").len(), number + 1);
    }
}

/// The time fills the first block, to whose bytes whoever has the packet can add what he likes.
fn a_stale_packet_is_not_made_fresh_by_its_iv(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let block = |time: i64| -> [u8; 16] { format!(r#"{{"_t":{time}"#).into_bytes().try_into().unwrap() };
    let (old, new) = (block(now() - 3600), block(now()));
    let touch = format!(r#","type":3,"client_id":"{}"}}"#, client.id);
    let token = r#","logger_id":"app"}"#.to_owned();
    let log = r#","datetime":1504663925034,"logger":"app","msg":"from the past"}"#.to_owned();
    for (port, rest) in [(Port::Connect, touch), (Port::Token, token), (Port::Log, log)] {
        let stale = client.seal([&old, rest.as_bytes()].concat());
        let mut fresh = stale.clone();
        for (at, byte) in fresh.iv.iter_mut().enumerate() {
            *byte ^= old[at] ^ new[at];
        }
        for sealed in [&stale, &fresh, &fresh] {
            client.sends(port, sealed.packet());
            let reply = client.wire(port).take();
            match port {
                Port::Connect => assert_eq!(client.open(&reply), error(INVALID)),
                Port::Token => assert_eq!(client.open(&reply), token_error(NO_LOGGER)),
                Port::Log => assert_eq!(reply, NOT_TAKEN),
            }
        }
    }
    assert!(nothing_is_written(&place));
}

/// What is cut off is white space, so that the rest says the same.
fn a_packet_whose_front_is_cut_off_is_the_same(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let mut touch = client.seal(" ".repeat(48) + &client.request(3));
    client.sends(Port::Connect, touch.packet());
    assert!(client.hears(Port::Connect).starts_with(r#"{"ack":1,"#));
    for blocks in [1, 2] {
        cut_front(&mut touch, blocks);
        client.sends(Port::Connect, touch.packet());
        assert_eq!(client.hears(Port::Connect), error(INVALID));
    }
    let mut log = client.seal(" ".repeat(48) + &item("once"));
    for blocks in [0, 1, 2] {
        if blocks > 0 {
            cut_front(&mut log, blocks);
        }
        client.sends(Port::Log, log.packet());
        client.wire(Port::Log).expect(TAKEN);
    }
    assert_eq!(messages(&place, "app"), ["once"]);
}

fn what_is_refused_is_remembered_too(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    // A touch that came too early is not served when it comes again in time.
    let touch = client.seal(client.request(3)).packet();
    client.sends(Port::Connect, &touch);
    assert!(client.hears(Port::Connect).contains("Please ACKNOWLEDGE it first"));
    client.acknowledges();
    client.sends(Port::Connect, &touch);
    assert_eq!(client.hears(Port::Connect), error(INVALID));
    // What was meant for one port is no news on another.
    client.sends(Port::Log, &touch);
    client.wire(Port::Log).expect(NOT_TAKEN);
    assert!(nothing_is_written(&place));
}

fn the_id_inside_is_the_id_outside(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let (mut ann, bob) = (Client::established(&daemon), Client::established(&daemon));
    for kind in [2, 3] {
        assert_eq!(ann.asks(Port::Connect, &bob.request(kind)), error(INVALID));
        // Somebody else's packet under the own name, and the own under somebody else's.
        let swapped = ann.is_called(&bob.id);
        ann.sends(Port::Connect, swapped.seal(ann.request(kind)).packet());
        let reply = ann.wire(Port::Connect).take();
        assert_eq!(bob.open(&reply), error(INVALID));
        ann.sends(Port::Connect, bob.is_called(&ann.id).seal(bob.request(kind)).packet());
        assert_eq!(ann.hears(Port::Connect), error(INVALID));
    }
    ann.touches();
}

/// An item of so many bytes, most of which are white space.
fn item_of(length: usize) -> String {
    let item = item("large");
    let space = " ".repeat(length - item.len());
    item.replacen('{', &format!("{{{space}"), 1)
}

fn what_inflates_to_more_than_8_mebibytes_is_not_taken(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let limit = 8 << 20;
    for (length, wanted) in
        [(limit, TAKEN), (limit + 1, NOT_TAKEN), (2 * limit, NOT_TAKEN), (limit - 1, TAKEN)]
    {
        assert_eq!(client.logs(compress(item_of(length))), wanted, "{length}");
    }
    assert_eq!(messages(&place, "app"), ["large", "large"]);
}

fn a_bomb_costs_no_memory(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    static BOMB: LazyLock<String> = LazyLock::new(|| compress(vec![b' '; 32 << 20]));
    assert!(BOMB.len() < 50 << 10, "{}", BOMB.len());
    let before = peak(&daemon);
    for _ in 0..4 {
        assert_eq!(client.logs(&*BOMB), NOT_TAKEN);
    }
    let more = peak(&daemon) - before;
    assert!(more < 24 << 10, "{more} KiB more");
    assert!(nothing_is_written(&place));
    client.logs_message("unharmed");
}

/// The most memory that the daemon ever had, in KiB.
fn peak(daemon: &Daemon) -> usize {
    let text = process::status(daemon.pid(), "VmHWM");
    text.strip_suffix(" kB").unwrap().trim().parse().unwrap()
}
