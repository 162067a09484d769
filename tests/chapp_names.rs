//! chapp: who may be called what, and comes back as whom.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use common::chapp::*;
use common::chapp_told::*;
use common::*;

on_both_engines!(
    a_new_client_introduces_itself_and_is_known_from_then_on,
    a_name_is_valid_or_refused,
    names_are_compared_byte_for_byte,
    a_name_belongs_to_its_address,
    a_name_that_is_live_is_refused_at_the_same_address_too,
    introducing_itself_again_is_a_resend,
    who_is_refused_keeps_the_name_it_had,
    a_second_name_leaves_the_first_on_file,
    connect_gives_the_name_introduced_last,
    connect_by_a_name_gives_that_if_it_is_the_address_s,
    connect_changes_nothing_on_the_connection_that_has_the_name,
    connect_replaces_another_connection,
    who_was_replaced_hears_what_was_on_its_way_before,
    a_name_can_be_replaced_again_and_again,
    connect_leaves_the_name_that_the_connection_had,
    after_goodbye_the_connection_stays,
    an_address_has_at_most_64_names,
    names_last_over_a_crash,
);

fn a_new_client_introduces_itself_and_is_known_from_then_on(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    client.asks("CONNECT\t->server|ID:1");
    client.expect("RESPONSE\tserver->unknown|for: 1|status: 305|reason: CLIENT_NOT_FOUND|");
    client.asks("INTRODUCE\tann->server|ID:2");
    client.expect("RESPONSE\tserver->ann|for: 2|status: 100|username: ann|messages: []|");
    client.asks("CONNECT\t->server|ID:3");
    client.expect("RESPONSE\tserver->ann|for: 3|status: 100|username: ann|messages: []|");
    drop(client);
    // The next connection takes the place of the last one, be it there or not.
    let mut client = Chapp::connect(&daemon);
    client.asks("CONNECT\t->server|ID:1");
    client.expect("RESPONSE\tserver->ann|for: 1|status: 100|username: ann|messages: []|");
}

fn a_name_is_valid_or_refused(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    let accented = "\u{e9}".repeat(32);
    let good = [
        "a",
        "Ann B.",
        "b\u{f3}b",
        "\u{1f600}",
        "a:b",
        "-",
        ">",
        "a- >b",
        "servers",
        "un known",
        "\"'",
        "{}",
        "%s",
        "\u{202e}x",
        &"x".repeat(64),
        &accented,
    ];
    for name in good {
        assert_eq!(client.introduces(name), []);
    }
    client.introduces("ann");
    let bad = [
        "",
        " ",
        " a",
        "a ",
        "\u{a0}a",
        "a\u{3000}",
        "\u{2028}",
        "server",
        "Server",
        "SERVER",
        "unknown",
        "UnKnown",
        "a\0",
        "a\u{1f}b",
        "a\x7fb",
        "a\u{80}b",
        "a\u{9f}b",
        "a\nb",
        "a\\b",
        "\\",
        &"x".repeat(65),
        &format!("{accented}x"),
    ];
    for name in bad {
        println!("{name:?}");
        client.is_refused(name);
    }
    client.posts("ann", "I still am");
}

fn names_are_compared_byte_for_byte(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let names = ["ann", "Ann", "ANN", "\u{e5}nn", "a\u{30a}nn", "ann.", "an", "\u{430}nn"];
    let mut clients = names.map(|name| Chapp::introduced(name, &daemon));
    let mut eve = Chapp::introduced("eve", &daemon);
    for (client, name) in clients.iter_mut().zip(names) {
        let kept = eve.posts(name, name);
        client.hears_message(&kept);
    }
    let mut stranger = Chapp::connect_from(ip(2), &daemon);
    names.iter().for_each(|name| stranger.is_refused(name));
}

fn a_name_belongs_to_its_address(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced_from(ip(2), "ann", &daemon);
    let mut other = Chapp::connect_from(ip(3), &daemon);
    other.is_refused("ann");
    other.is_not_known(None);
    other.is_not_known(Some("ann"));
    ann.says_goodbye();
    other.is_refused("ann");
    drop(ann);
    other.is_refused("ann");
    other.is_not_known(Some("ann"));
    other.introduces("bob");
    other.is_not_known(Some("ann"));
    let mut ann = Chapp::connect_from(ip(2), &daemon);
    ann.is_refused("bob");
    ann.introduces("ann");
}

fn a_name_that_is_live_is_refused_at_the_same_address_too(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut first = Chapp::introduced("ann", &daemon);
    let mut second = Chapp::connect(&daemon);
    second.is_refused("ann");
    first.posts("ann", "it is me");
    assert_eq!(first.take_delivery().kept.message, "it is me");
    first.says_goodbye();
    assert_eq!(texts(&second.introduces("ann")), ["it is me"]);
    first.is_refused("ann");
}

fn introducing_itself_again_is_a_resend(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let kept = ann.posts("ann", "a");
    ann.hears_message(&kept);
    for _ in 0..5 {
        assert_eq!(ann.introduces("ann"), std::slice::from_ref(&kept));
    }
    assert_eq!(ann.connects("ann"), [kept]);
}

fn who_is_refused_keeps_the_name_it_had(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let _bob = Chapp::introduced_from(ip(2), "bob", &daemon);
    let mut ann = Chapp::introduced("ann", &daemon);
    for name in ["bob", "server", ""] {
        ann.is_refused(name);
        ann.is_not_known(Some("bob"));
        let kept = ann.posts("ann", "still ann");
        ann.hears_message(&kept);
    }
}

fn a_second_name_leaves_the_first_on_file(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    client.introduces("bob");
    client.asks("POST\tann->bob|ID:100|message: a");
    client.hears(100, 303);
    let mut other = Chapp::connect_from(ip(2), &daemon);
    other.is_refused("ann");
    // Nobody is called that now, so that another connection from there may be.
    let mut ann = Chapp::introduced("ann", &daemon);
    let kept = client.posts("ann", "to whom I was");
    ann.hears_message(&kept);
    client.is_refused("ann");
    client.posts("eve", "still bob");
}

fn connect_gives_the_name_introduced_last(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect(&daemon);
    for name in ["ann", "bob", "eve", "bob"] {
        client.introduces(name);
    }
    client.says_goodbye();
    Chapp::connect(&daemon).connects("bob");
    // Nothing but an introduction changes which one is the last.
    client.connects_as("ann");
    client.says_goodbye();
    client.connects("bob");
    client.introduces("ann");
    client.says_goodbye();
    client.connects("ann");
}

fn connect_by_a_name_gives_that_if_it_is_the_address_s(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced_from(ip(2), "ann", &daemon);
    client.introduces("bob");
    let mut other = Chapp::introduced_from(ip(3), "eve", &daemon);
    other.is_not_known(Some("ann"));
    other.connects_as("eve");
    client.is_not_known(Some("eve"));
    client.is_not_known(Some("Ann"));
    client.connects_as("ann");
    client.connects_as("bob");
}

fn connect_changes_nothing_on_the_connection_that_has_the_name(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    ann.connects("ann");
    ann.connects_as("ann");
    ann.expect_silence();
    let kept = ann.posts("ann", "a");
    ann.hears_message(&kept);
}

fn connect_replaces_another_connection(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut first = Chapp::introduced("ann", &daemon);
    let mut second = Chapp::connect(&daemon);
    second.connects("ann");
    first.expect("RESPONSE\tserver->ann|for: -1|status: 306|reason: REPLACED|");
    first.expect_end();
    let mut third = Chapp::connect(&daemon);
    third.connects_as("ann");
    second.hears(-1, 306);
    second.expect_end();
    let kept = third.posts("ann", "it is me");
    third.hears_message(&kept);
}

fn who_was_replaced_hears_what_was_on_its_way_before(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut bob = Chapp::introduced("bob", &daemon);
    let mut first = Chapp::introduced("ann", &daemon);
    let kept: Vec<_> = (0..50).map(|number| bob.posts("ann", &number.to_string())).collect();
    let mut second = Chapp::connect(&daemon);
    assert_eq!(second.connects_as("ann"), kept);
    kept.iter().for_each(|kept| first.hears_message(kept));
    first.hears(-1, 306);
    first.expect_end();
    let later = bob.posts("ann", "later");
    second.hears_message(&later);
}

fn a_name_can_be_replaced_again_and_again(engine: Engine) {
    let (daemon, _place) = start(engine, &["--loops", "4", "--workers", "4"]);
    let mut last = Chapp::introduced("ann", &daemon);
    for _ in 0..50 {
        let mut next = Chapp::connect(&daemon);
        next.connects("ann");
        last.hears(-1, 306);
        last.expect_end();
        last = next;
    }
    last.posts("bob", "there is one of us");
}

fn connect_leaves_the_name_that_the_connection_had(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    client.introduces("bob");
    client.connects_as("ann");
    let mut bob = Chapp::introduced("bob", &daemon);
    let kept = client.posts("bob", "from ann");
    bob.hears_message(&kept);
    // And so does one that replaces.
    client.connects_as("bob");
    bob.hears(-1, 306);
    bob.expect_end();
    let mut ann = Chapp::introduced("ann", &daemon);
    let kept = client.posts("ann", "from bob");
    ann.hears_message(&kept);
}

fn after_goodbye_the_connection_stays(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::introduced("ann", &daemon);
    client.asks("GOODBYE\tann->server|ID:100");
    client.expect("RESPONSE\tserver->ann|for: 100|status: 100|");
    client.asks("GOODBYE\tann->server|ID:101");
    client.expect("RESPONSE\tserver->unknown|for: 101|status: 304|reason: NOT_INTRODUCED|");
    let mut bob = Chapp::introduced("bob", &daemon);
    let kept = bob.posts("ann", "a");
    client.expect_silence();
    client.is_called("unknown");
    assert_eq!(client.introduces("ann"), [kept]);
    client.says_goodbye();
    Chapp::connect(&daemon).introduces("ann");
}

fn an_address_has_at_most_64_names(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Chapp::connect_from(ip(2), &daemon);
    for number in 1..=64 {
        client.introduces(&format!("name-{number}"));
    }
    client.is_refused("name-65");
    client.posts("somebody", "still the last one");
    // Those that it has are still its own.
    client.introduces("name-1");
    client.connects_as("name-33");
    client.is_refused("name-65");
    Chapp::connect_from(ip(2), &daemon).is_refused("name-65");
    let mut other = Chapp::introduced_from(ip(3), "name-65", &daemon);
    other.is_refused("name-64");
}

fn names_last_over_a_crash(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut ann = Chapp::introduced_from(ip(2), "ann", &daemon);
    ann.introduces("Ann");
    ann.introduces("ann");
    let mut bob = Chapp::introduced_from(ip(3), "bob", &daemon);
    let kept = [bob.posts("ann", "a"), bob.posts("ann", "b")];
    let daemon = start_again(daemon, &place, engine);
    let mut ann = Chapp::connect_from(ip(2), &daemon);
    ann.is_refused("bob");
    assert_eq!(ann.connects("ann"), kept);
    ann.connects_as("Ann");
    let mut bob = Chapp::connect_from(ip(3), &daemon);
    bob.is_refused("ann");
    bob.is_refused("Ann");
    bob.connects("bob");
}
