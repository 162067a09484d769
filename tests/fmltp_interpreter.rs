//! FmLTP: the commands, and who may give them.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::fmltp::*;
use common::*;

const TOO_MANY: &str = "410 Too many arguments passed.\r\n";
const TOO_FEW: &str = "411 Too few arguments passed.\r\n";

on_both_engines!(
    help_lists_the_commands_of_the_mode,
    help_on_a_command_tells_how_it_is_used,
    help_on_what_the_mode_does_not_have_is_not_found,
    what_is_no_command_is_invalid,
    arguments_are_counted,
    the_first_word_decides_before_arguments_are_counted,
    white_space_around_a_command_is_ignored,
    quit_closes_after_the_last_words,
    nothing_follows_after_quit,
    users_are_let_in_by_name_and_password,
    whoever_is_not_right_fails,
    the_third_failure_is_the_last,
    only_failures_are_counted,
    after_two_failures_one_may_still_be_let_in,
    a_failure_and_quit_is_not_the_way_in,
    who_is_let_in_cannot_say_so_again,
    an_empty_table_lets_nobody_in,
    who_says_nothing_stays,
);

/// The names that HELP lists, and the form of all it says.
#[track_caller]
fn listed(answer: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = answer.strip_suffix("\r\n").expect("it ends in CRLF").split("\r\n").collect();
    assert_eq!(lines.first(), Some(&"200 Available commands:"), "{answer:?}");
    assert_eq!(lines.last(), Some(&"Run HELP <command> for more information."), "{answer:?}");
    let names = lines[1..lines.len() - 1].iter().map(|line| {
        let (name, text) = line.split_once(" - ").unwrap_or_else(|| panic!("no command: {line:?}"));
        assert!(!text.trim().is_empty() && text.is_ascii(), "{line:?}");
        name.to_owned()
    });
    names.collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn help_lists_the_commands_of_the_mode(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut client = Fm::ready(&daemon, READY);
    assert_eq!(listed(&client.answer_to("HELP")), set(&["HELP", "QUIT", "WHO"]));
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    assert_eq!(listed(&client.answer_to("HELP")), set(&["AUTH", "HELP", "QUIT"]));
    client.asks("AUTH alice correct-horse", LET_IN);
    assert_eq!(listed(&client.answer_to("HELP")), set(&["HELP", "QUIT", "WHO"]));
}

#[track_caller]
fn helps(client: &mut Fm, name: &str, has_arguments: bool) {
    let answer = client.answer_to(&format!("HELP {name}"));
    let lines: Vec<&str> = answer.split("\r\n").collect();
    let [head, usage, text, ""] = lines[..] else { panic!("not three lines: {answer:?}") };
    assert_eq!(head, format!("200 Help for {name}:"));
    assert!(!text.trim().is_empty(), "{answer:?}");
    let arguments = usage.strip_prefix(&format!("Usage: {name}")).unwrap_or_else(|| panic!("{usage:?}"));
    if has_arguments {
        assert!(arguments.starts_with(' ') && arguments.trim() == &arguments[1..], "{usage:?}");
        assert!(arguments.len() > 1, "{usage:?}");
    } else {
        assert_eq!(arguments, "", "{usage:?}");
    }
}

fn help_on_a_command_tells_how_it_is_used(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    helps(&mut client, "AUTH", true);
    helps(&mut client, "HELP", true);
    helps(&mut client, "QUIT", false);
    client.asks("AUTH alice correct-horse", LET_IN);
    helps(&mut client, "HELP", true);
    helps(&mut client, "QUIT", false);
    helps(&mut client, "WHO", false);
}

fn help_on_what_the_mode_does_not_have_is_not_found(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    for name in ["WHO", "SEARCH", "help", "quit", "AUTH:", "x"] {
        client.asks(&format!("HELP {name}"), &format!("420 Command {name} not found.\r\n"));
    }
    client.asks("AUTH alice correct-horse", LET_IN);
    for name in ["AUTH", "SEARCH", "who"] {
        client.asks(&format!("HELP {name}"), &format!("420 Command {name} not found.\r\n"));
    }
}

fn what_is_no_command_is_invalid(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    for command in
        ["WHO", "NOPE", "help", "Quit", "auth alice correct-horse", "", " ", "\r\n", "HELP\tAUTH", "QUIT;"]
    {
        client.asks(command, INVALID);
    }
    client.says(b"HELP \xff");
    client.hears(INVALID);
    client.says(b"AUTH alice correct-horse\xc3");
    client.hears(INVALID);
    client.asks("AUTH alice correct-horse", LET_IN);
    for command in ["AUTH alice correct-horse", "AUTH", "who", "", "SEARCH x", "150", "\0"] {
        client.asks(command, INVALID);
    }
    client.says(b"\xff\xfe");
    client.hears(INVALID);
}

fn arguments_are_counted(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    let table = [
        ("AUTH", TOO_FEW),
        ("AUTH alice", TOO_FEW),
        ("AUTH alice correct-horse battery", TOO_MANY),
        ("AUTH alice  correct-horse", TOO_MANY),
        ("AUTH  alice correct-horse", TOO_MANY),
        ("HELP AUTH QUIT", TOO_MANY),
        ("HELP  AUTH", TOO_MANY),
        ("HELP a b c d e f g", TOO_MANY),
        ("QUIT now", TOO_MANY),
        ("QUIT  ", GOODBYE),
    ];
    for (command, wanted) in table {
        client.asks(command, wanted);
    }
    client.expect_end();
    let mut client = Fm::let_in(&daemon, "alice", ALICES);
    for (command, wanted) in
        [("WHO is", TOO_MANY), ("WHO  is", TOO_MANY), ("QUIT WHO", TOO_MANY), ("HELP  WHO", TOO_MANY)]
    {
        client.asks(command, wanted);
    }
}

fn the_first_word_decides_before_arguments_are_counted(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    for command in ["NOPE", "NOPE a", "NOPE a b c", "WHO a b", "auth a"] {
        client.asks(command, INVALID);
    }
    client.asks("AUTH alice correct-horse", LET_IN);
    for command in ["AUTH", "AUTH a", "AUTH a b c", "NOPE NOPE NOPE"] {
        client.asks(command, INVALID);
    }
}

fn white_space_around_a_command_is_ignored(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    for command in ["QUIT now\r\n", " \t\r\n\x0b\x0cQUIT now", "QUIT now \t\r\n\x0b\x0c", "  QUIT now  "] {
        client.asks(command, TOO_MANY);
    }
    client.asks("\n AUTH alice correct-horse\r\n", LET_IN);
    // A space that is none of the six is part of the word.
    client.asks("HELP\u{a0}", INVALID);
    client.asks("\u{2003}HELP", INVALID);
}

fn quit_closes_after_the_last_words(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    for mut client in [Fm::ready(&daemon, READY_LOCKED), Fm::let_in(&daemon, "alice", ALICES)] {
        client.asks("QUIT", GOODBYE);
        client.expect_end();
    }
    let daemon = start(engine, &[]);
    let mut client = Fm::ready(&daemon, READY);
    client.asks("QUIT", GOODBYE);
    client.expect_end();
}

fn nothing_follows_after_quit(engine: Engine) {
    let daemon = start(engine, &[]);
    let mut client = Fm::ready(&daemon, READY);
    let tail = [b"!".to_vec(), vec![b'x'; 100_000]].concat();
    let stream = [client.key().seal("QUIT"), client.key().seal("HELP"), client.key().seal("QUIT"), tail];
    client.send(stream.concat());
    client.hears(GOODBYE);
    client.expect_end();
}

fn users_are_let_in_by_name_and_password(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let carols = "p".repeat(72);
    for (name, password) in [("alice", ALICES), ("bob1", BOBS), ("carol", &carols)] {
        let mut client = Fm::let_in(&daemon, name, password);
        assert!(client.answer_to("WHO").contains(&format!(" {name}\r\n")));
    }
}

/// How long it takes is not looked at here: a loaded machine would have the last word.
fn whoever_is_not_right_fails(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let (whole, long) = ("p".repeat(72), "p".repeat(73));
    let wrong = [
        ("alice", "correct-hors"),
        ("alice", "correct-horsee"),
        ("alice", "Correct-horse"),
        ("alice", BOBS),
        ("alice", "$2b$12$eCsjpZYyoRC2ega8jP8bReUdExmmhh/wFIhP6l0Fbspai4GYM/xBu"),
        ("alice", "x"),
        ("alice", "correct-horse\0"),
        ("alice", "correct-horse\0correct-horse"),
        ("Alice", ALICES),
        ("bob", BOBS),
        ("bob1\0", BOBS),
        ("nobody", ALICES),
        ("", ALICES),
        ("carol", &long),
        ("carol", &whole[1..]),
        ("#", "x"),
    ];
    for pair in wrong.chunks(2) {
        let mut client = Fm::ready(&daemon, READY_LOCKED);
        for (name, password) in pair {
            client.asks(&format!("AUTH {name} {password}"), NOT_LET_IN);
        }
    }
}

fn the_third_failure_is_the_last(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &["--fmltp-cooldown-loopback"]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    for _ in 0..3 {
        client.asks("AUTH alice wrong-password", NOT_LET_IN);
    }
    client.expect_end();
    // Sent ahead, the right one is too late; and none of it is a handshake that failed.
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    let wrong = client.key().seal("AUTH alice wrong-password").repeat(3);
    let right = client.key().seal("AUTH alice correct-horse");
    client.send([wrong, right].concat());
    for _ in 0..3 {
        client.hears(NOT_LET_IN);
    }
    client.expect_end();
    Fm::let_in(&daemon, "alice", ALICES);
}

fn only_failures_are_counted(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    for _ in 0..5 {
        client.asks("AUTH", TOO_FEW);
        client.asks("AUTH alice", TOO_FEW);
        client.asks("AUTH alice wrong password", TOO_MANY);
        client.asks("NOPE", INVALID);
        client.asks("HELP NOPE", "420 Command NOPE not found.\r\n");
    }
    client.asks("AUTH alice correct-horse", LET_IN);
}

fn after_two_failures_one_may_still_be_let_in(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    client.asks("AUTH alice wrong-password", NOT_LET_IN);
    client.asks("AUTH nobody wrong-password", NOT_LET_IN);
    client.asks("AUTH alice correct-horse", LET_IN);
    assert!(client.answer_to("WHO").starts_with("200 1 clients.\r\n"));
}

/// In the real server it is.
fn a_failure_and_quit_is_not_the_way_in(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut witness = Fm::let_in(&daemon, "bob1", BOBS);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    client.asks("AUTH alice wrong-password", NOT_LET_IN);
    client.asks("WHO", INVALID);
    client.asks("QUIT", GOODBYE);
    client.expect_end();
    assert!(witness.answer_to("WHO").starts_with("200 1 clients.\r\n"));
}

fn who_is_let_in_cannot_say_so_again(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &[]);
    let mut client = Fm::let_in(&daemon, "alice", ALICES);
    client.asks("AUTH bob1 12345678", INVALID);
    for _ in 0..4 {
        client.asks("AUTH alice wrong-password", INVALID);
    }
    assert!(client.answer_to("WHO").contains(" alice\r\n"));
}

fn an_empty_table_lets_nobody_in(engine: Engine) {
    let place = Place::new();
    let daemon = start(engine, &["--fmltp-users", &write_users(&place, "")]);
    let mut client = Fm::ready(&daemon, READY_LOCKED);
    client.asks("AUTH alice correct-horse", NOT_LET_IN);
    client.asks("WHO", INVALID);
}

fn who_says_nothing_stays(engine: Engine) {
    let (daemon, _place) = start_with_users(engine, &["--fmltp-timeout", "1"]);
    let mut member = Fm::let_in(&daemon, "alice", ALICES);
    let mut locked = Fm::ready(&daemon, READY_LOCKED);
    assert!(!locked.raw().hears_within(Duration::from_millis(1500)));
    locked.asks("WHO", INVALID);
    member.asks("NOPE", INVALID);
}
