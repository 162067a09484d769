//! chapp: the server ends, or is full, and says so.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use common::chapp::*;
use common::*;

on_both_engines!(
    everybody_is_told_when_the_daemon_ends,
    who_cannot_be_let_in_is_told,
    what_was_answered_is_there_after_an_end_in_order,
    nothing_of_a_peer_s_is_raw_in_the_log,
);

fn everybody_is_told_when_the_daemon_ends(engine: Engine) {
    let (mut daemon, _place) = start(engine, &[]);
    let mut stranger = Chapp::connect(&daemon);
    stranger.is_not_known(None);
    let mut silent = Chapp::connect(&daemon);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    ann.sends("POST\tann->bob|ID:100|message: not whole");
    daemon.signal("TERM");
    for client in [&mut ann, &mut bob, &mut stranger, &mut silent] {
        client.hears(-1, 400);
        client.expect_end();
    }
    drop((ann, bob, stranger, silent));
    assert_eq!(daemon.wait_for_exit().code(), Some(0));
}

fn who_cannot_be_let_in_is_told(engine: Engine) {
    let (daemon, _place) = start(engine, &["--max-clients", "1"]);
    let mut ann = Chapp::introduced("ann", &daemon);
    for _ in 0..3 {
        let mut refused = Chapp::connect(&daemon);
        refused.hears(-1, 400);
        refused.expect_end();
    }
    ann.posts("bob", "I am still here");
}

fn what_was_answered_is_there_after_an_end_in_order(engine: Engine) {
    let (mut daemon, place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let kept = [ann.posts("bob", "a"), ann.posts("bob", "b")];
    assert_eq!(daemon.terminate().code(), Some(0));
    let daemon = start_in(&place, engine, &[]);
    Chapp::connect(&daemon).connects("ann");
    assert_eq!(Chapp::connect(&daemon).introduces("bob"), kept);
}

fn nothing_of_a_peer_s_is_raw_in_the_log(engine: Engine) {
    let (mut daemon, _place) = start(engine, &["-vv"]);
    let mut client = Chapp::introduced("SECRET\u{202e}NAME", &daemon);
    client.posts("SECRET\u{202e}OTHER", "SECRET\u{1b}MESSAGE");
    for request in
        ["SECRET\u{1b}ACTION", "SECRET\ta->b", "CONNECT\t->b|ID:1|SECRET\nLINE", "POST\tSECRET->x|ID:SECRET"]
    {
        client.asks(request);
        let reply = client.take_reply(&[]);
        assert_ne!(reply.status, 100, "{request:?}");
    }
    client.says_goodbye();
    drop(client);
    daemon.terminate();
    for line in daemon.log() {
        assert!(!line.contains("SECRET\u{1b}") && !line.contains("SECRET\u{202e}"), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
