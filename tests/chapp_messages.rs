//! chapp: messages are kept, and come in order, once, and as they were sent.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use std::process::Command;
use std::thread;

use common::chapp::*;
use common::chapp_told::*;
use common::*;

on_both_engines!(
    a_message_is_delivered_and_then_acknowledged,
    a_message_to_oneself_comes_before_its_reply,
    a_message_for_nobody_waits,
    messages_come_as_they_were_sent,
    control_characters_are_escaped,
    the_time_is_the_server_s_local_time,
    a_message_is_listed_or_delivered,
    messages_from_many_come_in_the_order_of_the_list,
    the_last_1000_messages_are_kept,
    a_list_is_the_newest_that_fit_in_a_mebibyte,
    who_does_not_read_is_closed_and_misses_nothing_that_is_kept,
);

fn a_message_is_delivered_and_then_acknowledged(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::introduced("bob", &daemon);
    ann.asks("POST\tann->bob|ID:0042|message: hi bob|ignored: yes");
    let kept = ann.hears_posted(42, "bob", "hi bob");
    let time = &kept.timestamp;
    let text = r#"{"timestamp": "TIME", "message": "hi bob", "from_user": "ann", "to_user": "bob"}"#;
    let text = text.replace("TIME", time);
    bob.expect(&format!("POST\tann->bob|id: 42|message: {text}|"));
    bob.asks("RESPONSE\tbob->server|ID:1|for: 42|status: 100");
    ann.asks("POST\tann->bob|ID:42|message: hi bob");
    let id = bob.take_delivery().id;
    assert_eq!(id, 42, "an ID is the sender's affair");
    ann.hears_posted(42, "bob", "hi bob");
    // The reply, byte for byte.
    ann.asks("POST\tann->bob|ID:43|message: hi bob");
    let timestamp = bob.take_delivery().kept.timestamp;
    let text = text.replace(&kept.timestamp, &timestamp);
    ann.expect(&format!("RESPONSE\tserver->ann|for: 43|status: 100|message: {text}|"));
}

fn a_message_to_oneself_comes_before_its_reply(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    for number in 0..20 {
        let id = ann.sends_post("ann", &number.to_string());
        let delivery = ann.take_delivery();
        let kept = ann.hears_posted(id, "ann", &number.to_string());
        assert_eq!((delivery.id, delivery.kept), (id, kept));
    }
}

fn a_message_for_nobody_waits(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced_from(ip(2), "ann", &daemon);
    let mut kept = vec![ann.posts("bob", "before you were known")];
    let mut bob = Chapp::introduced_from(ip(3), "bob", &daemon);
    kept.push(ann.posts("bob", "while you are here"));
    bob.hears_message(&kept[1]);
    bob.says_goodbye();
    kept.push(ann.posts("bob", "while you are away"));
    assert_eq!(bob.connects("bob"), kept);
    drop(bob);
    let mut bob = Chapp::connect_from(ip(3), &daemon);
    assert_eq!(bob.connects("bob"), kept);
    bob.says_goodbye();
    assert_eq!(bob.introduces("bob"), kept);
    assert_eq!(ann.connects("ann"), [], "what she sent is not for her");
}

/// Each of these reaches who is there, stands in the reply, and in the list of who comes later.
#[track_caller]
fn come_unchanged(daemon: &Daemon, messages: &[&str]) {
    let mut ann = Chapp::introduced("ann", daemon);
    let mut bob = Chapp::introduced("bob", daemon);
    for message in messages {
        let kept = ann.posts("bob", message);
        bob.hears_message(&kept);
    }
    let mut bob = Chapp::connect(daemon);
    assert_eq!(texts(&bob.connects_as("bob")), messages);
}

fn messages_come_as_they_were_sent(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let long = "long \u{1f600} ".repeat(6_000);
    let messages = [
        "hi",
        "",
        "a\nb",
        "a\n\n",
        "it's \"quoted\"",
        "'",
        "\"",
        "\"\"\"",
        "\\",
        "\\\\",
        "C:\\new\\table",
        "ends in \\",
        "\\n",
        "\\u0041",
        "\\\"",
        "d\u{e9}j\u{e0} vu",
        "\u{65e5}\u{672c}\u{8a9e}",
        "\u{1f468}\u{200d}\u{1f469}",
        "\u{202e}right to left",
        "\u{feff}",
        "\u{2028}\u{2029}",
        "\u{85}\u{7f}\u{9b}31m",
        "{'a': [1, None]}",
        "a: b",
        "POST\tann->bob",
        "status: 100",
        "\u{10ffff}\u{fffe}",
        "%s {0} $(x)",
        "trails  ",
        &long,
    ];
    let messages: Vec<_> = messages.iter().map(|message| message.trim_start()).collect();
    come_unchanged(&daemon, &messages);
}

fn control_characters_are_escaped(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let all: Vec<String> = (0..0x20_u8).map(|byte| format!("<{}>", char::from(byte))).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    // The reader refuses whatever the page does not allow.
    come_unchanged(&daemon, &all);
    come_unchanged(&start(engine, &[]).0, &[&all.concat()]);
}

fn the_time_is_the_server_s_local_time(engine: Engine) {
    let place = Place::new();
    let zone = "XYZ-5:45";
    let daemon = Daemon::spawn(command(&place, engine, &[]).env("TZ", zone));
    let now = || {
        let output = Command::new("date").arg("+[%Y-%m-%d %H:%M:%S]").env("TZ", zone).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let mut ann = Chapp::introduced("ann", &daemon);
    let before = now();
    let kept = ann.posts("ann", "what time is it?");
    let after = now();
    let time = &kept.timestamp;
    assert!(*time >= before && *time <= after, "{time} is not between {before} and {after}");
}

/// However fast one connection follows another, no message is missed or told twice.
fn a_message_is_listed_or_delivered(engine: Engine) {
    const MESSAGES: usize = 400;
    let (daemon, _place) = start(engine, &["--loops", "2", "--workers", "2"]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::introduced("bob", &daemon);
    let poster = thread::spawn(move || {
        for number in 0..MESSAGES {
            ann.posts("bob", &number.to_string());
        }
    });
    let in_order = |seen: &[Kept]| {
        let wanted: Vec<_> = (0..seen.len()).map(|number| number.to_string()).collect();
        assert_eq!(texts(seen), wanted);
    };
    let mut seen = Vec::new();
    while seen.len() < MESSAGES {
        let mut next = Chapp::connect(&daemon);
        seen = next.connects_as("bob");
        in_order(&seen);
        for _ in 0..(MESSAGES - seen.len()).min(7) {
            seen.push(next.take_delivery().kept);
        }
        in_order(&seen);
        bob = next;
    }
    poster.join().unwrap();
    bob.expect_silence();
}

fn messages_from_many_come_in_the_order_of_the_list(engine: Engine) {
    let (daemon, _place) = start(engine, &["--loops", "2", "--workers", "2"]);
    let mut bob = Chapp::introduced("bob", &daemon);
    let mut senders: Vec<_> =
        (0..10).map(|number| Chapp::introduced(&format!("sender-{number}"), &daemon)).collect();
    for number in 0..30 {
        for sender in &mut senders {
            sender.sends_post("bob", &number.to_string());
        }
    }
    let heard: Vec<_> = (0..300).map(|_| bob.take_delivery().kept).collect();
    assert_eq!(bob.connects_as("bob"), heard);
    for number in 0..10 {
        let name = format!("sender-{number}");
        let own = heard.iter().filter(|kept| kept.from == name).map(|kept| kept.message.parse().unwrap());
        assert_eq!(own.collect::<Vec<u32>>(), (0..30).collect::<Vec<_>>(), "{name}");
    }
}

fn the_last_1000_messages_are_kept(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut ids = Vec::new();
    for number in 0..1_100 {
        ids.push(ann.sends_post("bob", &number.to_string()));
        // So many are on their way at once that their replies fit into what holds them.
        if ids.len() == 100 {
            let numbers = number + 1 - ids.len()..;
            ids.drain(..)
                .zip(numbers)
                .for_each(|(id, number)| drop(ann.hears_posted(id, "bob", &number.to_string())));
        }
    }
    let wanted: Vec<_> = (100..1_100).map(|number| number.to_string()).collect();
    let mut bob = Chapp::introduced("bob", &daemon);
    assert_eq!(texts(&bob.connects("bob")), wanted);
    let daemon = start_again(daemon, &place, engine);
    let mut bob = Chapp::connect(&daemon);
    assert_eq!(texts(&bob.connects_as("bob")), wanted);
}

fn a_list_is_the_newest_that_fit_in_a_mebibyte(engine: Engine) {
    const LIMIT: usize = 1 << 20;
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let message = |number: usize| format!("{number:02}{}", "x".repeat(49_998));
    let each: Vec<_> = (0..25).map(|number| ann.posts("bob", &message(number))).collect();
    let kept = Chapp::connect(&daemon).introduces("bob");
    assert!(kept.len() < each.len() && each.ends_with(&kept), "{} messages", kept.len());
    // What M has around the text, and what stands between two of them.
    let around =
        r#"{"timestamp": "[2000-01-01 00:00:00]", "message": "", "from_user": "ann", "to_user": "bob"}"#;
    let size = |count: usize| 2 + count * (50_000 + around.len()) + (count - 1) * 2;
    assert!(size(kept.len()) <= LIMIT && size(kept.len() + 1) > LIMIT, "{} messages", kept.len());
}

fn who_does_not_read_is_closed_and_misses_nothing_that_is_kept(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::over(Raw::connect_narrow(ip(1), door(&daemon)), Manner::EmptyLine);
    bob.introduces("bob");
    // More than systems hold for one connection, and a mebibyte.
    let message = |number: usize| format!("{number}:{}", "x".repeat(60_000));
    let kept: Vec<_> = (0..150).map(|number| ann.posts("bob", &message(number))).collect();
    process::eventually("bob is closed", || {
        let mut other = Chapp::connect(&daemon);
        let id = other.requests("INTRODUCE\tbob->server", "");
        other.is_called("bob");
        let line = other.take_line();
        drop((id, other));
        line.ends_with("->bob")
    });
    let mut heard = 0;
    while let Ok(line) = bob.try_line() {
        heard += usize::from(line.starts_with("POST\t"));
    }
    assert!(heard < kept.len(), "bob heard all of it");
    let mut bob = Chapp::connect(&daemon);
    let listed = bob.connects_as("bob");
    assert!(listed.len() > 10 && kept.ends_with(&listed), "{} messages", listed.len());
}
