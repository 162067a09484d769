//! chapp: the bytes of the public project's client, whose requests end in nothing.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use common::chapp::*;
use common::chapp_told::*;
use common::*;

on_both_engines!(
    one_of_its_conversations_works,
    all_of_it_may_come_in_pieces,
    a_name_that_is_there_is_refused,
    messages_wait_for_whoever_is_away,
    its_messages_may_be_anything_but_what_ends_a_line,
    forty_messages_in_a_row,
    it_need_not_acknowledge_anything,
    it_may_acknowledge_everything,
);

/// What the two clients of one conversation sent, byte for byte.
const ANN_INTRODUCES: &[u8] = b"INTRODUCE\tann_pair_mwoefd->server\\\nID:0";
const BOB_INTRODUCES: &[u8] = b"INTRODUCE\tbob_pair_mwoefd->server\\\nID:1";
const ANN_POSTS: &[u8] = b"POST\tann_pair_mwoefd->bob_pair_mwoefd\\\nID:2\\\nmessage: hi bob";
const ANN_LEAVES: &[u8] = b"GOODBYE\tann_pair_mwoefd->server\\\nID:5";

const ANN: &str = "ann_pair_mwoefd";
const BOB: &str = "bob_pair_mwoefd";

/// A client that ends its requests in nothing.
#[track_caller]
fn connect(daemon: &Daemon) -> Chapp {
    Chapp::over(Raw::connect(door(daemon)), Manner::Quiet)
}

/// The conversation that was written down; `send` sends what a client says.
#[track_caller]
fn talk(daemon: &Daemon, send: impl Fn(&mut Chapp, &[u8])) {
    let (mut ann, mut bob) = (connect(daemon), connect(daemon));
    send(&mut ann, ANN_INTRODUCES);
    ann.expect(&format!("RESPONSE\tserver->{ANN}|for: 0|status: 100|username: {ANN}|messages: []|"));
    send(&mut bob, BOB_INTRODUCES);
    bob.expect(&format!("RESPONSE\tserver->{BOB}|for: 1|status: 100|username: {BOB}|messages: []|"));
    send(&mut ann, ANN_POSTS);
    bob.is_called(BOB);
    let Delivery { id, kept } = bob.take_delivery();
    assert_eq!((id, kept.message.as_str(), kept.from.as_str(), kept.to.as_str()), (2, "hi bob", ANN, BOB));
    ann.is_called(ANN);
    assert_eq!(ann.hears_posted(2, BOB, "hi bob"), kept);
    send(&mut ann, ANN_LEAVES);
    ann.expect(&format!("RESPONSE\tserver->{ANN}|for: 5|status: 100|"));
}

fn one_of_its_conversations_works(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    talk(&daemon, |client, bytes| client.send(bytes));
}

/// However long it takes: as long as nothing stands behind `ID:`, quiet ends nothing.
fn all_of_it_may_come_in_pieces(engine: Engine) {
    let pieces = |client: &mut Chapp, bytes: &[u8]| {
        let number = bytes.windows(3).position(|three| three == b"ID:").unwrap() + 3;
        client.raw().send_byte_by_byte(&bytes[..number]);
        client.send(&bytes[number..]);
    };
    talk(&start(engine, &[]).0, pieces);
}

fn a_name_that_is_there_is_refused(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::quiet("ann", &daemon);
    let mut other = connect(&daemon);
    other.is_refused("ann");
    other.is_refused("server");
    other.introduces("ann2");
    ann.posts("ann2", "hello, you");
    assert_eq!(other.take_delivery().kept.message, "hello, you");
}

fn messages_wait_for_whoever_is_away(engine: Engine) {
    let (daemon, place) = start(engine, &[]);
    let mut ann = Chapp::quiet("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    let mut kept = vec![ann.posts("bob", "one"), ann.posts("bob", "two")];
    kept.iter().for_each(|kept| bob.hears_message(kept));
    bob.says_goodbye();
    drop(bob);
    kept.push(ann.posts("bob", "three"));
    assert_eq!(connect(&daemon).introduces("bob"), kept);
    let daemon = start_again(daemon, &place, engine);
    assert_eq!(connect(&daemon).introduces("bob"), kept);
}

fn its_messages_may_be_anything_but_what_ends_a_line(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::quiet("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    let messages = [
        "hi bob",
        "first line\nsecond line\n",
        "it's \"quoted\" 'twice'",
        "d\u{e9}j\u{e0} vu \u{65e5}\u{672c}\u{8a9e} \u{1f600}",
        "ends in a backslash\\",
        "C:\\temp\\new",
        "{'a': 1}",
        "10:30: lunch",
        "POST\tann->bob",
        "\u{7}bell\u{1b}[31m",
        "trails  \t",
    ];
    for message in messages {
        let kept = ann.posts("bob", message);
        bob.hears_message(&kept);
    }
    bob.says_goodbye();
    assert_eq!(texts(&bob.introduces("bob")), messages);
}

fn forty_messages_in_a_row(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::quiet("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    let messages: Vec<_> = (1..=40).map(|number| format!("message {number} of 40")).collect();
    let kept: Vec<_> = messages.iter().map(|message| ann.posts("bob", message)).collect();
    kept.iter().for_each(|kept| bob.hears_message(kept));
    bob.says_goodbye();
    assert_eq!(bob.introduces("bob"), kept);
}

fn it_need_not_acknowledge_anything(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    for number in 0..20 {
        let kept = ann.posts("bob", &number.to_string());
        bob.hears_message(&kept);
    }
    bob.posts("ann", "that is enough");
}

fn it_may_acknowledge_everything(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let mut bob = Chapp::quiet("bob", &daemon);
    for number in 0..20 {
        let kept = ann.posts("bob", &number.to_string());
        bob.hears_message(&kept);
        bob.sends(&format!("RESPONSE\tbob->server|ID:{number}|for: {number}|status: 100|"));
    }
    bob.posts("ann", "that is enough");
    bob.expect_silence();
}
