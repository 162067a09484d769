//! `rollcall call` and `rollcall answer` against each other, and against bytes.

#![cfg(feature = "client")]
#![cfg(test)]

mod common;
mod support_client;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use common::{Place, process};
use support_client::Rollcall;

/// `size` bytes in which no two stretches are alike for long.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

/// A handshake of a caller who accepts in advance.
const HELLO: &[u8] = b"LEKTH\0\0\0eve\0LEKTA\0\0\0";
const ANSWER: &[u8] = b"LEKTA\0\0\0bob\0";

#[test]
fn each_line_is_a_message_and_is_written_with_a_newline() {
    let (bob, address) = Rollcall::answer(&["--once"]);
    let alice = Rollcall::run(&["call", "--nick", "alice", &address], b"hello\n\nthere\r\nlast");
    assert_eq!((alice.code, alice.text()), (Some(0), ""));
    assert_eq!(alice.stderr, "connected to bob\n");
    let bob = bob.finish();
    assert_eq!((bob.code, bob.text()), (Some(0), "hello\n\nthere\r\nlast\n"));
    assert!(bob.stderr.contains("alice ("), "{}", bob.stderr);
}

#[test]
fn lines_longer_than_a_part_stay_one_message() {
    let place = Place::new();
    let (bob, address) = Rollcall::answer(&["--once", "--out", &place.text("")]);
    let lines: Vec<String> = [1, 65_535, 65_536, 65_537, 200_000].map(|size| "x".repeat(size)).to_vec();
    let alice = Rollcall::run(&["call", "--nick", "alice", &address], lines.join("\n").as_bytes());
    assert_eq!(alice.code, Some(0), "{}", alice.stderr);
    assert_eq!(bob.finish().code, Some(0));
    for (number, line) in (1..).zip(&lines) {
        let file = std::fs::read(place.join(format!("00000{number}-alice"))).unwrap();
        assert!(file == line.as_bytes(), "line {number} has {} bytes", file.len());
    }
}

#[test]
fn twenty_mebibytes_of_bytes_arrive_as_they_were_sent() {
    let bytes = noise(20 << 20);
    let (bob, address) = Rollcall::answer(&["--once", "--binary"]);
    let alice = Rollcall::run(&["call", "--nick", "alice", "--binary", &address], &bytes);
    assert_eq!(alice.code, Some(0), "{}", alice.stderr);
    let bob = bob.finish();
    assert_eq!(bob.code, Some(0), "{}", bob.stderr);
    assert!(bob.stdout == bytes, "{} bytes", bob.stdout.len());
}

#[test]
fn each_message_is_a_file_of_its_own_and_nothing_is_overwritten() {
    let place = Place::new();
    std::fs::write(place.join("000002-al_ice"), "precious").unwrap();
    let (bob, address) = Rollcall::answer(&["--once", "--out", &place.text("")]);
    let alice = Rollcall::run(&["call", "--nick", "al/ice", &address], b"one\ntwo\n");
    assert_eq!(alice.code, Some(0));
    let bob = bob.finish();
    let [one, two] = ["000001-al_ice", "000003-al_ice"].map(|name| place.join(name));
    assert_eq!(bob.text(), format!("{}\n{}\n", one.display(), two.display()));
    assert_eq!(std::fs::read(one).unwrap(), b"one");
    assert_eq!(std::fs::read(two).unwrap(), b"two");
    assert_eq!(std::fs::read(place.join("000002-al_ice")).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(place.join("")).unwrap().count(), 3, "no temporary file stays");
}

#[test]
fn a_message_that_is_cut_short_is_dropped_in_every_form() {
    let place = Place::new();
    for form in [&[][..], &["--out", &place.text("")]] {
        let (bob, address) = Rollcall::answer(&[&["--once"], form].concat());
        let mut eve = TcpStream::connect(&address).unwrap();
        eve.write_all(HELLO).unwrap();
        eve.write_all(
            b"\0\0\0\x01\0\0\0\0\0\0\0\x04half\0\0\0\x02\0\0\0\0\0\0\0\x04full\0\0\0\x02\0\0\0\x01\0\0\0\0",
        )
        .unwrap();
        eve.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        eve.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, ANSWER);
        let bob = bob.finish();
        assert_eq!(bob.code, Some(1), "what was cut short is told");
        assert!(bob.stderr.contains("a message was cut short"), "{}", bob.stderr);
        assert_eq!(bob.text().lines().count(), 1, "{}", bob.text());
    }
    assert_eq!(std::fs::read_dir(place.join("")).unwrap().count(), 1);
}

#[test]
fn what_a_kill_leaves_behind_is_removed_by_the_next() {
    let place = Place::new();
    let files = || std::fs::read_dir(place.join("")).unwrap().count();
    let (bob, address) = Rollcall::answer(&["--out", &place.text("")]);
    let mut eve = TcpStream::connect(&address).unwrap();
    eve.write_all(HELLO).unwrap();
    eve.write_all(b"\0\0\0\x01\0\0\0\0\0\0\0\x04half").unwrap();
    process::eventually("half a message is in a file", || files() == 1);
    process::signal(bob.pid(), "TERM");
    drop(bob.finish());
    let (second, address) = Rollcall::answer(&["--once", "--out", &place.text("")]);
    assert_eq!(files(), 0);
    assert_eq!(Rollcall::run(&["call", "--nick", "alice", &address], b"whole\n").code, Some(0));
    assert_eq!((second.finish().code, files()), (Some(0), 1));
}

#[test]
fn who_is_rejected_is_told_why_and_ends_with_3() {
    let (bob, address) = Rollcall::answer(&["--accept", "none"]);
    let alice = Rollcall::run(&["call", "--nick", "alice", &address], b"hello\n");
    assert_eq!(alice.code, Some(3));
    assert_eq!(alice.stderr, format!("rollcall: rejected by {address}: no calls are accepted here\n"));
    bob.says("called and was rejected");
}

#[test]
fn the_user_is_asked_and_may_say_no_and_yes() {
    let (mut bob, address) = Rollcall::answer(&["--accept", "ask", "--once"]);
    let alice = Rollcall::start(&["call", "--nick", "alice", &address]);
    bob.says("alice calls from ");
    bob.types("n\n");
    let alice = alice.finish();
    assert_eq!((alice.code, alice.stderr.contains("the call was declined")), (Some(3), true));
    bob.says(") called and was rejected");
    let mut carol = Rollcall::start(&["call", "--nick", "carol", &address]);
    bob.says("carol calls from ");
    bob.types("y\n");
    carol.says("connected to bob");
    carol.types("hello\n");
    bob.shows("hello");
    assert_eq!(carol.finish().code, Some(0));
    assert_eq!(bob.finish().code, Some(0));
}

#[test]
fn who_gives_up_while_the_user_is_asked_leaves_the_question_to_the_next() {
    let (mut bob, address) = Rollcall::answer(&["--accept", "ask"]);
    let mut eve = TcpStream::connect(&address).unwrap();
    eve.write_all(HELLO).unwrap();
    bob.says("eve calls from ");
    drop(eve);
    let carol = Rollcall::start(&["call", "--nick", "carol", &address]);
    bob.says("carol calls from ");
    bob.types("y\n");
    carol.says("connected to bob");
    assert_eq!(carol.finish().code, Some(0));
}

#[test]
fn with_once_a_second_caller_is_told_to_wait() {
    let (bob, address) = Rollcall::answer(&["--once"]);
    let alice = Rollcall::start(&["call", "--nick", "alice", &address]);
    alice.says("connected to bob");
    let carol = Rollcall::run(&["call", "--nick", "carol", &address], b"");
    assert_eq!((carol.code, carol.stderr.contains("busy with another call")), (Some(3), true));
    assert_eq!(alice.finish().code, Some(0));
    assert_eq!(bob.finish().code, Some(0));
}

#[test]
fn several_peers_are_served_at_once_and_the_bound_holds() {
    let (bob, address) = Rollcall::answer(&["--max-peers", "2"]);
    let mut callers: Vec<_> =
        ["alice", "carol"].map(|nick| Rollcall::start(&["call", "--nick", nick, &address])).into();
    callers.iter().for_each(|caller| drop(caller.says("connected to bob")));
    let dave = Rollcall::run(&["call", "--nick", "dave", &address], b"");
    assert_eq!((dave.code, dave.stderr.contains("too many peers at once")), (Some(3), true));
    for (caller, text) in callers.iter_mut().zip(["from alice", "from carol"]) {
        caller.types(format!("{text}\n"));
        bob.shows(text);
    }
    callers.into_iter().for_each(|caller| assert_eq!(caller.finish().code, Some(0)));
}

#[test]
fn a_bound_that_cannot_be_kept_is_refused_at_once() {
    let script = "ulimit -n 130 && exec \"$0\" answer --nick bob --max-peers \"$1\" --server 127.0.0.1:1";
    for (peers, code, said) in [
        ("83", 1, "cannot serve 83 peers at once: with 130 descriptors it is 82 at most"),
        ("82", 5, "cannot reach 127.0.0.1:1"),
    ] {
        let mut shell = std::process::Command::new("sh");
        let bob = Rollcall::spawn(shell.args(["-c", script, env!("CARGO_BIN_EXE_rollcall"), peers])).finish();
        assert_eq!((bob.code, bob.stderr.contains(said)), (Some(code), true), "{}", bob.stderr);
    }
}

#[test]
fn listening_where_the_roll_does_not_point_is_warned_about() {
    let gone = TcpListener::bind("127.0.0.99:0").unwrap().local_addr().unwrap().to_string();
    for (listen, warned) in [("127.0.0.5:0", true), ("127.0.0.1:0", false), ("0.0.0.0:0", false)] {
        let arguments = ["answer", "--nick", "bob", "--server", &gone, "--listen", listen];
        let bob = Rollcall::run(&arguments, b"");
        assert_eq!(bob.code, Some(5), "{}", bob.stderr);
        let warning = "warning: the roll will show 127.0.0.1:";
        assert_eq!(bob.stderr.contains(warning), warned, "{listen}: {}", bob.stderr);
    }
}

#[test]
fn what_comes_back_goes_to_standard_output() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut alice =
        Rollcall::start(&["call", "--nick", "alice", &listener.local_addr().unwrap().to_string()]);
    let (mut bob, _) = listener.accept().unwrap();
    let mut hello = [0; 16];
    bob.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"LEKTH\0\0\0alice\0\0\0");
    bob.write_all(ANSWER).unwrap();
    let mut accept = [0; 8];
    bob.read_exact(&mut accept).unwrap();
    assert_eq!(&accept, b"LEKTA\0\0\0");
    alice.types("hi\n");
    let mut message = [0; 28];
    bob.read_exact(&mut message).unwrap();
    assert_eq!(&message[..16], b"\0\0\0\0\0\0\0\0\0\0\0\x02hi\0\0");
    assert_eq!(&message[16..], b"\0\0\0\0\0\0\0\x01\0\0\0\0");
    bob.write_all(&message).unwrap();
    alice.shows("hi");
    drop(bob);
    alice.says("bob has hung up");
    let alice = alice.finish();
    assert_eq!((alice.code, alice.text()), (Some(0), "hi\n"));
}

#[test]
fn a_peer_that_closes_without_reading_it_all_is_no_good_end() {
    for (mode, input) in [(&[][..], &b"hello\n"[..]), (&["--binary"], &[b'x'; 100_000])] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let arguments = [&["call", "--nick", "alice", &address], mode].concat();
        let peer = std::thread::spawn(move || {
            let (mut bob, _) = listener.accept().unwrap();
            bob.write_all(ANSWER).unwrap();
            // The handshake and the head of the first part, and not what is behind it.
            bob.read_exact(&mut [0; 24 + 12]).unwrap();
        });
        let alice = Rollcall::run(&arguments, input);
        peer.join().unwrap();
        assert_eq!(alice.code, Some(1), "{}", alice.stderr);
        assert!(
            alice.stderr.contains("lost bob: it closed before it had read everything"),
            "{}",
            alice.stderr
        );
    }
}

#[test]
fn malformed_parts_are_answered_by_closing() {
    let (bob, address) = Rollcall::answer(&[]);
    let mut eve = TcpStream::connect(&address).unwrap();
    eve.write_all(HELLO).unwrap();
    eve.write_all(&[0xff; 12]).unwrap();
    let mut answer = Vec::new();
    let _ = eve.read_to_end(&mut answer);
    assert_eq!(answer, ANSWER, "no word of it");
    bob.says("eve does not speak LEKT as it should: part 4294967295 is not allowed");
    let alice = Rollcall::run(&["call", "--nick", "alice", &address], b"still there\n");
    assert_eq!(alice.code, Some(0));
    bob.shows("still there");
}

#[test]
fn more_than_the_hold_is_not_held() {
    let (bob, address) = Rollcall::answer(&[]);
    let mut eve = TcpStream::connect(&address).unwrap();
    eve.write_all(HELLO).unwrap();
    let payload = vec![b'x'; 65_536];
    let mut part: u32 = 0;
    // 128 MiB are held, and the part after that is not.
    let refused = loop {
        let header = [&7_u32.to_be_bytes()[..], &part.to_be_bytes(), &65_536_u32.to_be_bytes()].concat();
        if eve.write_all(&header).and_then(|()| eve.write_all(&payload)).is_err() {
            break part;
        }
        part += 1;
        assert!(part < 10_000, "it holds without a bound");
    };
    assert!(refused >= 2048, "only {refused} parts of 64 KiB were held");
    bob.says("closed: more than 134217728 bytes of unfinished messages; --hold allows more");
}

#[test]
fn one_caller_with_half_a_message_does_not_shut_out_the_others() {
    const HOLD: usize = 128 << 20;
    const PART: usize = 65_536;
    let (bob, address) = Rollcall::answer(&[]);
    let mut eve = TcpStream::connect(&address).unwrap();
    eve.write_all(HELLO).unwrap();
    let payload = vec![b'x'; PART];
    let head = |part: u32, size: u32| [7, part, size].map(u32::to_be_bytes).concat();
    let parts = u32::try_from(HOLD / PART).unwrap();
    for part in 0..parts {
        // All that there is but four bytes.
        let size = if part + 1 < parts { PART } else { PART - 4 };
        eve.write_all(&head(part, u32::try_from(size).unwrap())).unwrap();
        eve.write_all(&payload[..size]).unwrap();
    }
    eve.write_all(b"\0\0\0\x08\0\0\0\0\0\0\0\x04full\0\0\0\x08\0\0\0\x01\0\0\0\0").unwrap();
    bob.shows("full");
    let alice = Rollcall::run(&["call", "--nick", "alice", &address], b"is there room?\n");
    assert_eq!(alice.code, Some(0), "{}", alice.stderr);
    bob.shows("is there room?");
    eve.write_all(&head(parts, 4)).unwrap();
    eve.write_all(&payload[..4]).unwrap();
    bob.says("closed: more than 134217728 bytes of unfinished messages; --hold allows more");
}

#[test]
fn a_reader_who_has_gone_ends_it_quietly() {
    let (mut bob, address) = {
        let mut command = support_client::command(["answer", "--nick", "bob", "--once"]);
        let head = std::process::Command::new("true").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut head = head;
        let pipe = head.stdin.take().unwrap();
        head.wait().unwrap();
        command.stdout(pipe).stderr(std::process::Stdio::piped()).stdin(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        let mut stderr = child.stderr.take().unwrap();
        let mut byte = [0];
        while !said.ends_with(b"\n") {
            stderr.read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        let address = String::from_utf8(said).unwrap();
        ((child, stderr), address.trim().strip_prefix("listening on ").unwrap().to_owned())
    };
    Rollcall::run(&["call", "--nick", "alice", &address], b"nobody reads this\n");
    let mut rest = String::new();
    bob.1.read_to_string(&mut rest).unwrap();
    assert_eq!(bob.0.wait().unwrap().code(), Some(0));
    assert!(!rest.contains("rollcall:"), "{rest}");
}
