//! Residue: what is logged, and when it is answered.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use std::fs;

use common::residue::*;
use common::*;

on_both_engines!(
    what_is_answered_is_in_the_file,
    an_item_may_come_alone_or_with_others,
    logs_may_be_compressed,
    what_does_not_inflate_is_taken_as_it_is,
    compression_may_be_off,
    an_array_has_one_to_a_hundred_items,
    items_that_are_not_valid_are_skipped,
    a_packet_without_a_valid_item_is_not_taken,
    what_has_the_wrong_type_counts_as_missing,
    each_logger_has_a_file,
    loggers_have_names_that_are_files,
    there_are_1024_loggers_at_most,
    whoever_is_not_there_hears_so,
    what_a_kill_interrupts_was_not_answered,
    after_a_restart_clients_begin_anew_and_nothing_is_lost,
);

fn what_is_answered_is_in_the_file(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::established(&daemon)).collect();
    for number in 0..50 {
        for client in &mut clients {
            client.logs_message(&format!("message {number}"));
            assert_eq!(messages(&place, "app").last(), Some(&format!("message {number}")));
        }
    }
    assert_eq!(messages(&place, "app").len(), 200);
    let (daemon, place) = start(engine, &["--residue-fsync"]);
    Client::established(&daemon).logs_message("on the disk");
    assert_eq!(messages(&place, "app"), ["on the disk"]);
}

fn an_item_may_come_alone_or_with_others(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    assert_eq!(client.logs(item("alone")), TAKEN);
    assert_eq!(client.logs(format!("[{}]", item("in an array"))), TAKEN);
    let items: Vec<_> = (1..=40).map(|number| item(&format!("number {number}"))).collect();
    assert_eq!(client.logs(format!(" [ {} ] \r\n", items.join(" ,\n"))), TAKEN);
    let all = messages(&place, "app");
    assert_eq!(
        (all.len(), &*all[0], &*all[1], &*all[2], &*all[41]),
        (42, "alone", "in an array", "number 1", "number 40")
    );
}

fn logs_may_be_compressed(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    assert_eq!(client.logs(compress(item("compressed"))), TAKEN);
    assert_eq!(client.logs(item("and not")), TAKEN);
    let items: Vec<_> = (1..=100).map(|number| item(&format!("number {number}"))).collect();
    assert_eq!(client.logs(compress(format!("[{}]", items.join(",")))), TAKEN);
    // A great deal, and more than is inflated on the way.
    let long = "x".repeat(1 << 20);
    let items = vec![item(&long); 7];
    assert_eq!(client.logs(compress(format!("[{}]", items.join(",")))), TAKEN);
    let all = messages(&place, "app");
    assert_eq!((all.len(), &*all[0], &*all[1], &*all[101]), (109, "compressed", "and not", "number 100"));
    assert!(all[102..].iter().all(|message| *message == long));
}

fn what_does_not_inflate_is_taken_as_it_is(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let text = item("never");
    let right = compress(&text);
    let mut wrong = zlib(text.as_bytes());
    *wrong.last_mut().unwrap() ^= 1;
    for packet in [
        right[..right.len() - 4].to_owned(),
        format!("{right}AAAA"),
        format!("{right}{right}"),
        compress(right.as_bytes()),
        compress("no JSON"),
        compress(""),
    ] {
        assert_eq!(client.logs(packet), NOT_TAKEN);
    }
    assert_eq!(client.logs(zlib(text.as_bytes())), NOT_TAKEN);
    assert_eq!(client.logs(wrong), NOT_TAKEN);
    assert!(nothing_is_written(&place));
}

fn compression_may_be_off(engine: Engine) {
    let (daemon, place) = start(engine, &["--residue-no-compression"]);
    let mut client = Client::established(&daemon);
    assert_eq!(client.logs(compress(item("compressed"))), NOT_TAKEN);
    assert_eq!(client.logs(item("as it is")), TAKEN);
    assert_eq!(messages(&place, "app"), ["as it is"]);
}

fn an_array_has_one_to_a_hundred_items(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let array = |count: usize| format!("[{}]", vec![item("one of them"); count].join(","));
    for (count, wanted) in [(0, NOT_TAKEN), (101, NOT_TAKEN), (1000, NOT_TAKEN), (100, TAKEN), (1, TAKEN)] {
        assert_eq!(client.logs(array(count)), wanted, "{count}");
        assert_eq!(client.logs(compress(array(count).replace(']', " ]"))), wanted, "{count}, compressed");
    }
    // What is not valid counts.
    let mixed = format!("[{}{}]", "7,".repeat(100), item("the 101st"));
    assert_eq!(client.logs(mixed), NOT_TAKEN);
    assert_eq!(messages(&place, "app").len(), 202);
}

/// Table: items that are not valid, for the logger `app` where that is not what is wrong.
fn invalid() -> Vec<String> {
    let with = |fields: &str| format!(r#"{{"logger":"app",{fields}}}"#);
    let stale = now() - 150;
    vec![
        with(r#""msg":"without a time""#),
        with(r#""datetime":0,"msg":"at zero""#),
        with(r#""datetime":-1,"msg":"before it""#),
        with(r#""datetime":"1504663925034","msg":"in words""#),
        with(r#""datetime":1504663925.034,"msg":"in fractions""#),
        with(r#""datetime":null,"msg":"in nothing""#),
        with(r#""datetime":1504663925034"#),
        with(r#""datetime":1504663925034,"msg":"""#),
        with(r#""datetime":1504663925034,"msg":null"#),
        with(r#""datetime":1504663925034,"msg":7"#),
        with(r#""datetime":1504663925034,"msg":["a"]"#),
        with(&format!(r#""datetime":1504663925034,"msg":"stale","_t":{stale}"#)),
        r#"{"logger":"../app","datetime":1504663925034,"msg":"elsewhere"}"#.to_owned(),
        r#"{"logger":"","datetime":1504663925034,"msg":"nowhere"}"#.to_owned(),
        "{}".to_owned(),
    ]
}

fn items_that_are_not_valid_are_skipped(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let mut items = invalid();
    items.extend(["7", "null", "true", "\"text\"", "[]", "[{}]"].map(str::to_owned));
    items.insert(3, item("one"));
    items.insert(0, item("zero"));
    items.push(item("two"));
    assert_eq!(client.logs(format!("[{}]", items.join(","))), TAKEN);
    assert_eq!(messages(&place, "app"), ["zero", "one", "two"]);
    // What is no JSON is not valid as a whole.
    for broken in [
        format!("[{},]", item("x")),
        format!("[{}", item("x")),
        format!("[{}]]", item("x")),
        format!("{0}{0}", item("x")),
        format!("[{} {}]", item("x"), item("x")),
    ] {
        assert_eq!(client.logs(broken), NOT_TAKEN);
    }
    assert_eq!(messages(&place, "app").len(), 3);
}

fn a_packet_without_a_valid_item_is_not_taken(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for item in invalid() {
        assert_eq!(client.logs(&item), NOT_TAKEN, "{item}");
    }
    assert_eq!(client.logs(format!("[{}]", invalid().join(","))), NOT_TAKEN);
    for text in ["7", "null", "[7]", "[[]]", "\"text\"", "", " "] {
        assert_eq!(client.logs(text), NOT_TAKEN, "{text}");
    }
    assert!(nothing_is_written(&place));
    // A connection may send any number of them.
    client.logs_message("the first");
}

fn what_has_the_wrong_type_counts_as_missing(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    for (number, fields) in [
        r#""_t":0"#,
        r#""_t":"1504663925""#,
        r#""_t":null"#,
        r#""level":"info","line":"7","func":7,"app":{},"file":[],"thread":1.5,"vlevel":"3""#,
        r#""level":null,"line":null,"func":null,"app":null,"file":null,"thread":null,"token":null"#,
        r#""logger":null"#,
        r#""logger":7"#,
        r#""more":{"a":[1,2,{"b":null}]},"LEVEL":128"#,
    ]
    .iter()
    .enumerate()
    {
        let text = format!(r#"{{"datetime":1504663925034,"msg":"number {number}",{fields}}}"#);
        assert_eq!(client.logs(&text), TAKEN, "{text}");
    }
    let all = log_of(&place, "default");
    for (number, line) in all.lines().enumerate() {
        assert_eq!(line, format!("2017-09-06T02:12:05.034Z WARNING default - - - - number {number}"));
    }
    assert_eq!(all.lines().count(), 8);
}

fn each_logger_has_a_file(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let (mut ann, mut bob) = (Client::established(&daemon), Client::established(&daemon));
    let bulk = |who: &str| {
        let items =
            ["one", "two", "one", "three"].map(|logger| item_for(logger, &format!("{who} to {logger}")));
        format!("[{}]", items.join(","))
    };
    assert_eq!((ann.logs(bulk("ann")), bob.logs(bulk("bob"))), (TAKEN.into(), TAKEN.into()));
    assert_eq!(ann.logs(r#"{"datetime":1,"msg":"to nobody"}"#), TAKEN);
    let both = |logger: &str| ["ann", "bob"].map(|who| format!("{who} to {logger}"));
    assert_eq!(
        messages(&place, "one"),
        [&both("one")[..1], &both("one")[..1], &both("one")[1..], &both("one")[1..]].concat()
    );
    assert_eq!(
        (messages(&place, "two"), messages(&place, "three")),
        (both("two").to_vec(), both("three").to_vec())
    );
    assert_eq!(messages(&place, "default"), ["to nobody"]);
    assert_eq!(fs::read_dir(place.join("logs")).unwrap().count(), 4);
}

fn loggers_have_names_that_are_files(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut client = Client::established(&daemon);
    let longest = "x".repeat(64);
    let good = ["a", "A-Z_0.9", "-", "_", "a..b", "con", &longest];
    for name in good {
        assert_eq!(client.logs(item_for(name, "here")), TAKEN, "{name}");
        assert_eq!(messages(&place, name), ["here"]);
    }
    let too_long = "x".repeat(65);
    for name in [
        "..", ".", ".hidden", "../a", "/etc/a", "a/b", "a b", "", "a\\u0000", "\u{e9}", "a\\n", "a:b", "~",
        "*", &too_long,
    ] {
        assert_eq!(client.logs(item_for(name, "nowhere")), NOT_TAKEN, "{name}");
    }
    assert_eq!(fs::read_dir(place.join("logs")).unwrap().count(), good.len());
}

fn there_are_1024_loggers_at_most(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let names: Vec<_> = (0..1024).map(|number| format!("logger-{number}")).collect();
    for names in names.chunks(64) {
        let items: Vec<_> = names.iter().map(|name| item_for(name, "hello")).collect();
        let mut client = Client::established(&daemon);
        assert_eq!(client.logs(format!("[{}]", items.join(","))), TAKEN);
        assert_eq!(client.logs(item_for("one-more", "hello")), NOT_TAKEN, "64 of one client");
    }
    let mut client = Client::established(&daemon);
    assert_eq!(client.logs(item_for("one-more", "hello")), NOT_TAKEN);
    let mixed = [item_for("one-more", "skipped"), item_for("logger-7", "again")];
    assert_eq!(client.logs(format!("[{}]", mixed.join(","))), TAKEN);
    assert_eq!(messages(&place, "logger-7"), ["hello", "again"]);
    assert_eq!(fs::read_dir(place.join("logs")).unwrap().count(), 1024);
}

fn whoever_is_not_there_hears_so(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let client = Client::established(&daemon);
    let mut early = Client::greeted(&daemon);
    let stranger = client.is_called("zzzzzzzzzzzzzzzz");
    let mut wire = Wire::connect(Port::Log.of(&daemon));
    for text in [item("x"), "junk".to_owned(), "{}".to_owned()] {
        assert_eq!(early.logs(&text), NO_CLIENT);
        wire.send(stranger.seal(&text).packet());
        wire.expect(NO_CLIENT);
        wire.asks(&text, NOT_TAKEN);
    }
    assert!(nothing_is_written(&place));
}

/// Kills the daemon while clients log without a pause: what was answered is there, once; and what was not is there
/// wholly or not at all.
fn what_a_kill_interrupts_was_not_answered(engine: Engine) {
    let place = Place::new();
    let mut daemon = start_in(&place, engine, &[]);
    let mut client = Client::established(&daemon);
    let sent: Vec<_> = (0..2000).map(|number| format!("message {number}")).collect();
    let stream: Vec<u8> = sent.iter().flat_map(|message| client.seal(item(message)).packet()).collect();
    client.sends(Port::Log, &stream[..stream.len() / 2]);
    for _ in 0..100 {
        client.wire(Port::Log).expect(TAKEN);
    }
    daemon.signal("KILL");
    daemon.wait_for_exit();
    let written = messages(&place, "app");
    assert!((100..=1001).contains(&written.len()), "{}", written.len());
    assert_eq!(written, sent[..written.len()]);
}

fn after_a_restart_clients_begin_anew_and_nothing_is_lost(engine: Engine) {
    let place = Place::new();
    let mut daemon = start_in(&place, engine, &[]);
    let mut client = Client::established(&daemon);
    client.logs_message("before");
    daemon.signal("KILL");
    daemon.wait_for_exit();
    client.hangs_up();
    let daemon = start_in(&place, engine, &[]);
    for port in Port::ALL {
        let mut wire = Wire::connect(port.of(&daemon));
        wire.send(client.seal(client.request(3)).packet());
        wire.expect(&port.to_strangers());
    }
    Client::established(&daemon).logs_message("after");
    assert_eq!(messages(&place, "app"), ["before", "after"]);
}
