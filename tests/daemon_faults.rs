//! `rollcalld` on a kernel that interrupts, refuses and fails: what can be done is done, what breaks is one
//! connection's affair, and nothing that was answered is lost.
//!
//! A write that takes less than it was given is not among it, because strace cannot make one: for sockets it comes of
//! itself where a peer does not read (`lekt_slow`), and for files at their limit (`daemon_data`).

#![cfg(test)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use common::faults::Fault;
use common::*;

on_both_engines!(
    what_is_interrupted_is_done_again,
    who_cannot_be_let_in_yet_is_let_in_later,
    who_finds_no_descriptor_is_told_and_the_next_is_let_in,
    what_breaks_a_connection_breaks_no_other,
    who_finds_no_thread_is_told_and_the_next_is_let_in,
    without_threads_all_who_come_are_told_and_who_is_in_stays,
    what_was_answered_is_on_the_disk,
    logs_that_were_answered_are_in_their_files,
    logs_that_cannot_be_opened_are_refused,
);

/// Many come, are told of each other, and go, as if nothing were the matter.
fn all_goes_well(engine: Engine, fault: Fault<'_>) {
    println!("{fault:?} on {}", engine.name());
    let mut daemon = Daemon::spawn(&mut faults::command(engine, fault, &["--loops", "2"]));
    let mut watcher = Raw::joined(2, daemon.address(), 1);
    let mut clients = Vec::new();
    for last in 3..11 {
        clients.push(Raw::joined(last, daemon.address(), u16::from(last)));
        watcher.hears_at_last(&[], &[who(last, last.into())]);
    }
    for (client, last) in clients.into_iter().zip(3..11) {
        drop(client);
        watcher.hears_at_last(&[ip(last)], &[]);
    }
    // The last connection's thread may still be about to end.
    let wanted = ["status: 1 on the roll, 1 of at most", " 9 connections, 0 refused, 9 joined, 17 changes"];
    process::eventually("its end", || {
        daemon.signal("USR1");
        daemon.log().iter().any(|line| wanted.iter().all(|words| line.contains(words)))
    });
    drop(watcher);
    assert!(daemon.terminate().success());
}

fn what_is_interrupted_is_done_again(engine: Engine) {
    if !faults::are_possible() {
        return;
    }
    let calls = [
        "accept4",
        "recvfrom",
        "sendto",
        "writev",
        "?epoll_wait,epoll_pwait",
        "?poll,ppoll",
        "rt_sigtimedwait",
    ];
    // Those that are not made cannot fail; each engine makes most of them.
    for call in calls {
        all_goes_well(engine, (call, "EINTR", "1+2"));
    }
}

fn who_cannot_be_let_in_yet_is_let_in_later(engine: Engine) {
    if !faults::are_possible() {
        return;
    }
    for error in ["ECONNABORTED", "ENOBUFS", "ENOMEM", "EPROTO"] {
        all_goes_well(engine, ("accept4", error, "1+3"));
    }
}

fn who_finds_no_descriptor_is_told_and_the_next_is_let_in(engine: Engine) {
    if !faults::are_possible() {
        return;
    }
    for error in ["EMFILE", "ENFILE"] {
        // So many that it is not the same of each visit that fails.
        visits(engine, ("accept4", error, "1+5"));
    }
}

/// One visit from beginning to end: whether the connection was whole all the time.
fn visit(daemon: &Daemon) -> bool {
    let hear = |stream: &mut TcpStream, wanted: &[u8]| {
        let mut got = vec![0; wanted.len()];
        stream.read_exact(&mut got).is_ok() && got == wanted
    };
    let Ok(mut stream) = TcpStream::connect(daemon.address()) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = method(1, 5000);
    let steps: [(&[u8], &[u8]); 2] = [(HELLO, &[ACCEPT, ASK_1].concat()), (&port, ASK_0)];
    let joined = steps.iter().all(|(say, wanted)| stream.write_all(say).is_ok() && hear(&mut stream, wanted));
    joined && stream.write_all(BEAT).is_ok() && hear(&mut stream, b"LEKT")
}

/// Visits until some were broken and some were not. At the end nobody is left on the roll.
fn visits(engine: Engine, fault: Fault<'_>) {
    println!("{fault:?} on {}", engine.name());
    let mut daemon = Daemon::spawn(&mut faults::command(engine, fault, &["--loops", "2"]));
    let (mut whole, mut broken) = (0, 0);
    process::eventually("visits of both kinds", || {
        let count = if visit(&daemon) { &mut whole } else { &mut broken };
        *count += 1;
        broken > 3 && (whole > 3 || engine == Engine::Threads)
    });
    process::eventually("nobody", || {
        daemon.signal("USR1");
        daemon.log().iter().any(|line| line.contains("status: 0 on the roll, 0 of at most"))
    });
    assert!(daemon.terminate().success());
}

/// With a thread for each connection, it is the same call of each that fails: there each visit ends like the others.
fn what_breaks_a_connection_breaks_no_other(engine: Engine) {
    if !faults::are_possible() {
        return;
    }
    for error in ["ECONNRESET", "ENOBUFS", "ENOMEM", "ETIMEDOUT", "EIO"] {
        visits(engine, ("recvfrom", error, "3+7"));
    }
    for error in ["EPIPE", "ECONNRESET", "ENOBUFS", "ENOMEM"] {
        visits(engine, ("sendto", error, "2+5"));
    }
}

fn who_finds_no_thread_is_told_and_the_next_is_let_in(engine: Engine) {
    if engine == Engine::Events || !faults::are_possible() {
        return;
    }
    let mut daemon = Daemon::spawn(&mut faults::command(engine, ("clone3", "EAGAIN", "3+2"), &[]));
    // The thread that lets in makes none besides; the daemon's own are made by another.
    for number in 0..10 {
        if number < 2 || number % 2 == 1 {
            assert!(visit(&daemon), "visit {number}");
        } else {
            assert_eq!(Raw::connect(daemon.address()).expect_reject(), "the server is full");
        }
    }
    daemon.wait_for_log(&["cannot serve a connection"]);
    process::eventually("nobody", || {
        daemon.signal("USR1");
        let wanted = ["status: 0 on the roll, 0 of at most", "6 connections, 4 refused", " 4 full"];
        daemon.log().iter().any(|line| wanted.iter().all(|words| line.contains(words)))
    });
    assert!(daemon.terminate().success());
}

/// They come faster than they are told: accepting pauses.
fn without_threads_all_who_come_are_told_and_who_is_in_stays(engine: Engine) {
    if engine == Engine::Events || !faults::are_possible() {
        return;
    }
    let start = Instant::now();
    let mut daemon = Daemon::spawn(&mut faults::command(engine, ("clone3", "EAGAIN", "3+"), &[]));
    let mut members = [2, 3].map(|last| Raw::joined(last, daemon.address(), last.into()));
    members[0].hears(&[], &[who(3, 3)]);
    members[1].hears(&[], &[who(2, 2)]);
    let mut refused: Vec<Raw> = (0..50).map(|_| Raw::connect(daemon.address())).collect();
    refused.iter_mut().step_by(2).for_each(|client| client.send(HELLO));
    for client in &mut refused {
        assert_eq!(client.take_reject(), "the server is full");
        members.iter_mut().for_each(Raw::hears_nothing);
    }
    let complaints = daemon.log().iter().filter(|line| line.contains("cannot serve")).count();
    assert!(complaints as u64 <= 1 + start.elapsed().as_secs() / 10, "{:#?}", daemon.log());
    drop(members);
    assert!(daemon.terminate().success());
}

#[cfg(not(feature = "chapp"))]
fn what_was_answered_is_on_the_disk(_: Engine) {
    println!("skipped: nothing is stored without chapp");
}

#[cfg(feature = "chapp")]
fn what_was_answered_is_on_the_disk(engine: Engine) {
    use common::chapp;
    if !faults::are_possible() {
        return;
    }
    let all = [
        ("pwrite64", "EINTR", "1+2"),
        ("pwrite64", "EIO", "60+150"),
        ("pwrite64", "ENOSPC", "75+150"),
        ("fdatasync", "EINTR", "1+2"),
        ("fdatasync", "EIO", "8+12"),
        ("ftruncate", "ENOSPC", "1+1"),
    ];
    for fault in all {
        let place = Place::new();
        let daemon = chapp::start_in(&place, engine, &[]);
        chapp::Chapp::introduced("ann", &daemon).says_goodbye();
        drop(daemon);
        let arguments = ["--chapp", "127.0.0.1:0", "--data", &place.text("data")];
        println!("{fault:?} on {}", engine.name());
        let mut daemon = Daemon::spawn(&mut faults::command(engine, fault, &arguments));
        let answered = post_until_it_has_failed(&daemon);
        daemon.signal("KILL");
        daemon.wait_for_exit();

        let daemon = chapp::start_in(&place, engine, &[]);
        let kept = chapp::Chapp::connect(&daemon).introduces("bob");
        let kept: Vec<_> = kept.into_iter().map(|kept| kept.message).collect();
        for text in &answered {
            let count = kept.iter().filter(|kept| *kept == text).count();
            assert_eq!(count, 1, "{fault:?}: {text:?} in {kept:?}, of {answered:?}");
        }
    }
}

/// Posts a number of messages, and some more once storing them has failed; returns those that were kept.
#[cfg(feature = "chapp")]
fn post_until_it_has_failed(daemon: &Daemon) -> Vec<String> {
    use common::chapp::Chapp;
    let mut client = Chapp::introduced("ann", daemon);
    let (mut kept, mut refused, mut enough) = (Vec::new(), 0, 40);
    while kept.len() < enough {
        process::eventually("a message is kept", || {
            let text = format!("message {} {}", kept.len() + refused, "x".repeat(300));
            client.sends_post("bob", &text);
            match client.take_reply(&["message"]).status {
                100 => kept.push(text),
                400 => {
                    enough = if refused == 0 { kept.len() + 10 } else { enough };
                    refused += 1;
                    return false;
                }
                other => panic!("the status {other}"),
            }
            true
        });
    }
    println!("{} answered, {refused} refused", kept.len());
    kept
}

#[cfg(not(feature = "residue"))]
fn logs_that_were_answered_are_in_their_files(_: Engine) {
    println!("skipped: there are no logs without residue");
}

#[cfg(not(feature = "residue"))]
fn logs_that_cannot_be_opened_are_refused(_: Engine) {
    println!("skipped: there are no logs without residue");
}

#[cfg(feature = "residue")]
fn logs_that_were_answered_are_in_their_files(engine: Engine) {
    use common::residue;
    if !faults::are_possible() {
        return;
    }
    let durably: &[&str] = &["--residue-fsync"];
    // Each packet is three writes, one a log.
    let all = [
        ("writev", "EINTR", "1+2", &[][..]),
        ("writev", "EIO", "8+16", &[]),
        ("writev", "ENOSPC", "9+20", &[]),
        ("fdatasync", "EINTR", "1+2", durably),
        ("fdatasync", "EIO", "5+18", durably),
        ("fdatasync", "ENOSPC", "3+25", durably),
    ];
    for (call, error, when, more) in all {
        let fault = (call, error, when);
        println!("{fault:?} on {}", engine.name());
        let place = Place::new();
        let mut daemon = Daemon::spawn(&mut faults::traced(&residue::command(&place, engine, more), fault));
        let told = log_until_it_has_failed(&daemon, usize::from(error != "EINTR"), || {});
        daemon.signal("KILL");
        daemon.wait_for_exit();
        for logger in LOGGERS {
            assert_eq!(residue::messages(&place, logger), told.taken, "{logger}: {fault:?}");
        }
        assert!(error != "EINTR" || told.refused == 0, "{} were refused: {fault:?}", told.refused);
    }
}

/// A signal has all logs opened again; of a packet for which one of them cannot be, nothing is in the others.
#[cfg(feature = "residue")]
fn logs_that_cannot_be_opened_are_refused(engine: Engine) {
    use common::residue;
    if !faults::are_possible() {
        return;
    }
    for error in ["EIO", "EMFILE", "ENOSPC", "EACCES"] {
        // More than any other thread opens; and not always the same of the four that are opened after a HUP.
        let fault = ("openat", error, "60+5");
        println!("{fault:?} on {}", engine.name());
        let place = Place::new();
        let mut command = faults::traced(&residue::command(&place, engine, &[]), fault);
        // Where cargo puts it, each library is looked for in many places.
        let mut daemon = Daemon::spawn(command.env_remove("LD_LIBRARY_PATH"));
        let told = log_until_it_has_failed(&daemon, 3, || daemon.signal("HUP"));
        daemon.signal("KILL");
        daemon.wait_for_exit();
        for logger in LOGGERS {
            assert_eq!(residue::messages(&place, logger), told.taken, "{logger}: {fault:?}");
        }
    }
}

#[cfg(feature = "residue")]
const LOGGERS: [&str; 3] = ["first", "second", "third"];

/// What became of logs.
#[cfg(feature = "residue")]
struct Told {
    /// The messages that were taken, in their order.
    taken: Vec<String>,
    /// How many were not.
    refused: usize,
}

/// Sends logs that go to three files each, and does something after each of them, until so many at least were refused,
/// and some taken before and after that.
#[cfg(feature = "residue")]
fn log_until_it_has_failed(daemon: &Daemon, failures: usize, mut after: impl FnMut()) -> Told {
    use common::residue::{Client, NOT_TAKEN, TAKEN, item_for};
    let mut client = Client::established(daemon);
    let mut told = Told { taken: Vec::new(), refused: 0 };
    let (mut number, mut enough) = (0, 12);
    process::eventually("enough logs", || {
        let message = format!("message-{number}");
        number += 1;
        let items = LOGGERS.map(|logger| item_for(logger, &message)).join(",");
        match client.logs(format!("[{items}]")).as_str() {
            TAKEN => told.taken.push(message),
            NOT_TAKEN => {
                enough = if told.refused == 0 { told.taken.len().max(8) + 4 } else { enough };
                told.refused += 1;
            }
            other => panic!("{other}"),
        }
        after();
        told.refused >= failures && told.taken.len() >= enough
    });
    println!("{} taken, {} refused", told.taken.len(), told.refused);
    told
}
