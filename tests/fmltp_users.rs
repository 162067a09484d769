//! FmLTP: the file of users, and who may be let in without one.

#![cfg(feature = "fmltp")]
#![cfg(test)]

mod common;

use std::fs;

use common::fmltp::*;
use common::*;

on_both_engines!(
    comments_and_blank_lines_are_skipped,
    a_line_that_is_not_valid_stops_the_start,
    a_file_that_cannot_be_read_stops_the_start,
    the_file_is_read_again_at_hup,
    a_bad_line_at_hup_leaves_the_old_table,
    without_users_it_starts_on_loopback_only,
    both_doors_may_be_shut_but_for_one,
);

const ALICE: &str = "alice:$2b$12$eCsjpZYyoRC2ega8jP8bReUdExmmhh/wFIhP6l0Fbspai4GYM/xBu";

fn comments_and_blank_lines_are_skipped(engine: Engine) {
    let place = Place::new();
    let text = format!("# users\n\n{}\n#alice:x\n\n{ALICE}\n# the end", USERS.lines().nth(1).unwrap());
    let daemon = start(engine, &["--fmltp-users", &write_users(&place, text)]);
    Fm::let_in(&daemon, "alice", ALICES);
    Fm::let_in(&daemon, "bob1", BOBS);
}

/// Starts a daemon that does not start, and returns what it says.
#[track_caller]
fn start_fails(engine: Engine, args: &[&str]) -> String {
    let output = Daemon::finish(&mut Daemon::command(engine, args));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && output.status.code().is_some(),
        "{args:?}: {} {stderr}",
        output.status
    );
    assert!(output.stdout.is_empty(), "{args:?}: it was ready");
    stderr
}

fn a_line_that_is_not_valid_stops_the_start(engine: Engine) {
    let hash = ALICE.strip_prefix("alice:").unwrap();
    let wrong = [
        "alice".to_owned(),
        "alice:".to_owned(),
        format!(":{hash}"),
        format!("a:{hash}"),
        format!("{}:{hash}", "a".repeat(33)),
        format!("al ice:{hash}"),
        format!("al-ice:{hash}"),
        format!(" alice:{hash}"),
        format!("alice: {hash}"),
        format!("alice:{hash}x"),
        format!("alice:{hash}:x"),
        format!("alice:{}", &hash[..59]),
        format!("alice:{}", hash.replace("$12$", "$10$")),
        format!("alice:{}", hash.replace("$12$", "$13$")),
        format!("alice:{}", hash.replace("$2b$", "$2x$")),
        format!("alice:{}", hash.replace("$2b$", "$2$")),
        format!("alice:{}", hash.replace("$2b$", "$6$")),
        format!("alice:{}", hash.replace('/', "!")),
        "alice:correct-horse".to_owned(),
        // The name of the third line.
        ALICE.replace("alice", "other"),
    ];
    let place = Place::new();
    for line in wrong {
        let text = format!("# users\n\n{}\n{line}\n", ALICE.replace("alice", "other"));
        let file = write_users(&place, text);
        let said = start_fails(engine, &["--fmltp", "127.0.0.1:0", "--fmltp-users", &file]);
        let said = said.replace(&file, "FILE");
        assert!(said.contains("line 4"), "{line:?}: {said}");
        assert!(!said.contains(&hash[7..20]) && !said.contains("correct-horse"), "{line:?}: {said}");
    }
}

fn a_file_that_cannot_be_read_stops_the_start(engine: Engine) {
    let place = Place::new();
    let file = place.text("nothing");
    let said = start_fails(engine, &["--fmltp", "127.0.0.1:0", "--fmltp-users", &file]);
    assert!(said.contains(&file), "{said}");
    let file = write_users(&place, b"alice:\xff\xfe\n");
    start_fails(engine, &["--fmltp", "127.0.0.1:0", "--fmltp-users", &file]);
}

/// Waits until a new client is let in with this, or is not.
#[track_caller]
fn eventually_answered(daemon: &Daemon, command: &str, wanted: &str) {
    process::eventually(command, || Fm::ready(daemon, READY_LOCKED).answer_to(command) == wanted);
}

fn the_file_is_read_again_at_hup(engine: Engine) {
    let place = Place::new();
    let file = write_users(&place, format!("{ALICE}\n"));
    let daemon = start(engine, &["--fmltp-users", &file]);
    let mut alice = Fm::let_in(&daemon, "alice", ALICES);
    let mut waiting = Fm::ready(&daemon, READY_LOCKED);
    waiting.asks("AUTH bob1 12345678", NOT_LET_IN);
    write_users(&place, USERS.lines().nth(1).unwrap());
    daemon.signal("HUP");
    eventually_answered(&daemon, "AUTH bob1 12345678", LET_IN);
    // Who was waiting is judged by the new table, and who is there stays.
    waiting.asks("AUTH bob1 12345678", LET_IN);
    Fm::ready(&daemon, READY_LOCKED).asks("AUTH alice correct-horse", NOT_LET_IN);
    assert!(alice.answer_to("WHO").contains(" alice\r\n"));
}

fn a_bad_line_at_hup_leaves_the_old_table(engine: Engine) {
    let place = Place::new();
    let file = write_users(&place, format!("{ALICE}\n"));
    let daemon = start(engine, &["--fmltp-users", &file]);
    write_users(&place, format!("# other users\n{}\nnobody\n", USERS.lines().nth(1).unwrap()));
    daemon.signal("HUP");
    daemon.wait_for_log(&[&file, "line 3"]);
    Fm::ready(&daemon, READY_LOCKED).asks("AUTH bob1 12345678", NOT_LET_IN);
    Fm::let_in(&daemon, "alice", ALICES);
    // A file that is gone is no better, and one that is right again is taken.
    fs::remove_file(&file).unwrap();
    daemon.signal("HUP");
    Fm::let_in(&daemon, "alice", ALICES);
    write_users(&place, USERS);
    daemon.signal("HUP");
    eventually_answered(&daemon, "AUTH bob1 12345678", LET_IN);
}

fn without_users_it_starts_on_loopback_only(engine: Engine) {
    let said = start_fails(engine, &["--fmltp", "0.0.0.0:0"]);
    assert!(said.contains("--fmltp-users") || said.contains("--fmltp-open"), "{said}");
    let daemon = Daemon::start(engine, &["--fmltp", "0.0.0.0:0", "--fmltp-open"]);
    Fm::over(Raw::connect((ip(1), door(&daemon).port()).into())).expect(GREETING);
    let place = Place::new();
    let file = write_users(&place, "");
    let daemon = Daemon::start(engine, &["--fmltp", "0.0.0.0:0", "--fmltp-users", &file]);
    Fm::over(Raw::connect((ip(1), door(&daemon).port()).into())).expect(GREETING);
}

fn both_doors_may_be_shut_but_for_one(engine: Engine) {
    let daemon = Daemon::start(engine, &["--lekt", "off", "--fmltp", "127.0.0.1:0"]);
    Fm::ready(&daemon, READY);
    let daemon = Daemon::start(engine, &["--fmltp", "off"]);
    Raw::connect(daemon.address()).shake_hands();
}
