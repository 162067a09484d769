//! Calls over real sockets of this machine, and servers that are a script.

mod presence;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use super::*;
use crate::lekt::wire::{Method, Object};

/// Bounds what would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// Listens as bob, and hands all callers on.
fn bob(max_peers: usize) -> (SocketAddr, Receiver<Ringing>, Stopper, JoinHandle<()>) {
    let listener = Listener::bind("127.0.0.1:0", "bob", max_peers).unwrap();
    let (callers, called) = bounded(100);
    let (address, stopper) = (listener.local_addr(), listener.stopper());
    let thread = thread::spawn(move || {
        listener.serve(move |mut ringing| {
            ringing.introduced().unwrap();
            callers.send(ringing).unwrap();
        });
    });
    (address, called, stopper, thread)
}

/// Alice calls, both accept.
fn connected() -> ((Call, Incoming), (Call, Incoming)) {
    let (address, called, stopper, thread) = bob(4);
    let mut alice = Ringing::call(&address.to_string(), "alice").unwrap();
    let bob = called.recv_timeout(PATIENCE).unwrap();
    bob.decider().accept().unwrap();
    let bob = thread::spawn(move || bob.connected().unwrap());
    assert_eq!(alice.introduced().unwrap(), "bob");
    alice.decider().accept().unwrap();
    let alice = alice.connected().unwrap();
    stopper.stop();
    thread.join().unwrap();
    (alice, bob.join().unwrap())
}

#[test]
fn messages_of_all_sizes_go_both_ways() {
    let ((alice, mut to_alice), (bob, mut to_bob)) = connected();
    assert_eq!((alice.nickname(), bob.nickname()), ("bob", "alice"));
    let sizes = [0, 1, 2, 3, 4, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_003];
    let message = |size: usize| (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>();
    let sender = thread::spawn(move || {
        for size in sizes {
            alice.send(&message(size)).unwrap();
            assert_eq!(alice.send_from(&message(size)[..]).unwrap(), size as u64);
        }
        alice.finish();
    });
    for size in sizes {
        for _ in 0..2 {
            let received = to_bob.next_message().unwrap().unwrap();
            assert!(received == message(size), "{size} bytes");
        }
    }
    bob.send(b"and back").unwrap();
    assert_eq!(to_bob.next_message().unwrap(), None);
    assert_eq!(to_alice.next_message().unwrap().as_deref(), Some(&b"and back"[..]));
    assert_eq!(to_alice.next_message().unwrap(), None);
    sender.join().unwrap();
}

/// Gives no byte before it is told to go on, and none after `left` are used up.
struct Gate {
    open: Receiver<usize>,
}

impl Read for Gate {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.open.recv().unwrap_or(0);
        buffer[..count].fill(b'x');
        Ok(count)
    }
}

#[test]
fn small_messages_slip_between_the_parts_of_a_big_one() {
    let ((alice, _to_alice), (_bob, mut to_bob)) = connected();
    let (gate, open) = bounded(0);
    let big = thread::spawn({
        let alice = alice.clone();
        move || alice.send_from(Gate { open }).unwrap()
    });
    for round in 0..10_u8 {
        gate.send(100_000).unwrap();
        alice.send(&[round]).unwrap();
        assert_eq!(to_bob.next_message().unwrap(), Some(vec![round]), "the big one is not over");
    }
    drop(gate);
    assert_eq!(big.join().unwrap(), 1_000_000);
    assert_eq!(to_bob.next_message().unwrap().unwrap().len(), 1_000_000);
}

#[test]
fn a_64th_big_message_waits_for_one_of_63_to_end() {
    let ((alice, _to_alice), (_bob, mut to_bob)) = connected();
    let (finish, hold) = bounded::<usize>(0);
    let senders: Vec<_> = (0..80)
        .map(|_| {
            let (alice, open) = (alice.clone(), hold.clone());
            thread::spawn(move || alice.send_from(b"begun".chain(Gate { open })).unwrap())
        })
        .collect();
    drop(hold);
    alice.send(b"whole").unwrap();
    assert_eq!(to_bob.next_message().unwrap().as_deref(), Some(&b"whole"[..]));
    drop(finish);
    for _ in 0..80 {
        assert_eq!(to_bob.next_message().unwrap().as_deref(), Some(&b"begun"[..]));
    }
    senders.into_iter().for_each(|sender| assert_eq!(sender.join().unwrap(), 5));
}

#[test]
fn a_reader_that_fails_closes_rather_than_deliver_half() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk on fire"))
        }
    }
    let ((alice, _to_alice), (_bob, mut to_bob)) = connected();
    let error = alice.send_from(b"half".chain(Broken)).unwrap_err();
    assert_eq!(error.to_string(), "cannot read what is to be sent: disk on fire");
    assert_eq!(to_bob.next_message().unwrap(), None, "what did not end is dropped");
    assert!(alice.send(b"more").is_err());
}

#[test]
fn a_sink_hears_of_what_never_ended() {
    #[derive(Default)]
    struct Log(Vec<String>);
    impl Sink for Log {
        fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
            self.0.push(format!("{id}: {}", String::from_utf8_lossy(bytes)));
            Ok(())
        }
        fn ended(&mut self, id: u32) -> Result<(), Error> {
            self.0.push(format!("{id} ended"));
            Ok(())
        }
        fn dropped(&mut self, id: u32) {
            self.0.push(format!("{id} dropped"));
        }
    }
    let ((_alice, mut to_alice), (bob, to_bob)) = connected();
    let mut stream = bob.socket();
    stream.write_all(b"\0\0\0\x05\0\0\0\0\0\0\0\x04half\0\0\0\x06\0\0\0\0\0\0\0\0").unwrap();
    drop(to_bob);
    let mut log = Log::default();
    assert_eq!(to_alice.stream_to(&mut log).unwrap(), 1);
    assert_eq!(log.0, ["5: half", "6 ended", "5 dropped"]);
}

#[test]
fn malformed_parts_close_the_conversation() {
    let ((alice, mut to_alice), (bob, mut to_bob)) = connected();
    (bob.socket()).write_all(&[0xff; 12]).unwrap();
    let error = to_alice.next_message().unwrap_err().to_string();
    assert_eq!(error, "bob does not speak LEKT as it should: part 4294967295 is not allowed (byte 4)");
    assert!(to_bob.next_message().is_ok_and(|message| message.is_none()), "closed without a word");
    assert!(alice.send(b"x").is_err());
}

#[test]
fn a_rejection_arrives_with_its_reason_on_either_side() {
    let (address, called, ..) = bob(4);
    let mut alice = Ringing::call(&address.to_string(), "alice").unwrap();
    let bob = called.recv_timeout(PATIENCE).unwrap();
    bob.decider().reject("I am busy").unwrap();
    assert!(matches!(bob.connected(), Err(Error::Declined)));
    assert_eq!(alice.introduced().unwrap_err().to_string(), format!("rejected by {address}: I am busy"));

    let mut alice = Ringing::call(&address.to_string(), "alice").unwrap();
    let bob = called.recv_timeout(PATIENCE).unwrap();
    bob.decider().accept().unwrap();
    alice.introduced().unwrap();
    alice.decider().reject("wrong number").unwrap();
    assert_eq!(bob.connected().unwrap_err().to_string(), "rejected by alice: wrong number");
    assert!(alice.decider().accept().is_err(), "what is decided is decided");
}

#[test]
fn who_hangs_up_while_we_are_asked_is_noticed() {
    let (address, called, ..) = bob(4);
    let alice = Ringing::call(&address.to_string(), "alice").unwrap();
    let bob = called.recv_timeout(PATIENCE).unwrap();
    let decider = bob.decider();
    drop(alice);
    assert_eq!(bob.connected().unwrap_err().to_string(), "lost alice: it hung up");
    drop(decider);
}

#[test]
fn all_may_be_sent_ahead_of_the_decision() {
    let (address, called, ..) = bob(4);
    let mut alice = TcpStream::connect(address).unwrap();
    let mut ahead = b"LEKTH\0\0\0alice\0\0\0LEKTA\0\0\0".to_vec();
    let long = vec![b'x'; 20_000];
    ahead.extend([&b"\0\0\0\x09\0\0\0\0\0\0\x4e\x20"[..], &long, b"\0\0\0\x09\0\0\0\x01\0\0\0\0"].concat());
    alice.write_all(&ahead).unwrap();
    let bob = called.recv_timeout(PATIENCE).unwrap();
    let decider = bob.decider();
    let thread = thread::spawn(move || bob.connected().unwrap());
    decider.accept().unwrap();
    let (_call, mut incoming) = thread.join().unwrap();
    assert_eq!(incoming.next_message().unwrap(), Some(long));
}

#[test]
fn a_peer_beyond_the_bound_is_rejected_and_others_are_not() {
    let listener = Listener::bind("127.0.0.1:0", "bob", 1).unwrap();
    let address = listener.local_addr();
    let (entered, inside) = crossbeam_channel::bounded(1);
    let (leave, left) = crossbeam_channel::bounded::<()>(0);
    // The place is taken for as long as this runs.
    thread::spawn(move || {
        listener.serve(move |ringing| {
            entered.send(()).unwrap();
            let _ = left.recv();
            drop(ringing);
        });
    });
    let first = TcpStream::connect(address).unwrap();
    inside.recv_timeout(PATIENCE).unwrap();
    let mut beyond = Ringing::call(&address.to_string(), "carol").unwrap();
    let error = beyond.introduced().unwrap_err().to_string();
    assert!(error.ends_with("too many peers at once, try again later"), "{error}");
    drop((first, leave));
}

#[test]
fn malformed_handshakes_are_answered_with_a_reason() {
    let listener = Listener::bind("127.0.0.1:0", "bob", 4).unwrap();
    let address = listener.local_addr();
    thread::spawn(move || listener.serve(|mut ringing| drop(ringing.introduced())));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"LEKTR\0\0\0magic is \"GET \" (byte 0)\0\0\0\0");
}

#[test]
fn nobody_there_is_unreachable() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Ringing::call(&gone.to_string(), "alice").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(matches!(roster(&gone.to_string()), Err(Error::Unreachable { .. })));
    assert!(matches!(Ringing::call("127.0.0.1", "alice"), Err(Error::Usage(_))));
}

/// A server that says `script` to the first client, and gives what it heard once the client is done.
fn server(script: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let thread = thread::spawn(move || {
        let said = script.into_iter().map(|said| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&said).unwrap();
            // A client that is done already may have closed.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            heard
        });
        said.collect()
    });
    (place, thread)
}

const JOINED: &[u8] = b"LEKTA\0\0\0LEKTT\0\0\0\0\0\0\x01LEKTT\0\0\0\0\0\0\0";
const LOOKED_ON: &[u8] = b"LEKTA\0\0\0LEKTT\0\0\0\0\0\0\0";
const EMPTY: &[u8] = b"LEKTH\0\0\0\0\0\0\0\0\0\0\x05A\0\0\0";

/// An answer that adds clients of 127.0.0.9, with these ports.
fn answer(ports: &[u16]) -> Vec<u8> {
    let count = u8::try_from(ports.len()).unwrap();
    let mut out = [b"LEKTH\0\0\0\0\0\0\0\0\0\0\x05A\0\0", &[count][..]].concat();
    for &port in ports {
        Object::put(&mut out, [127, 0, 0, 9].into(), &[Method::DirectTcp { port }]);
    }
    out
}

#[test]
fn a_roster_ends_with_the_stream() {
    let (place, server) = server(vec![[LOOKED_ON, &answer(&[80, 81])].concat()]);
    let clients = roster(&place).unwrap();
    assert_eq!(clients.len(), 2);
    let heard = server.join().unwrap().remove(0);
    assert!(heard.starts_with(b"LEKTH\0\0\0\0\0\0\0LEKTH\0\0\0"), "a handshake without methods, a heartbeat");
    assert_eq!(heard.len(), 12 + 16);
}

#[test]
fn a_roster_that_is_cut_short_is_none() {
    let whole = [LOOKED_ON, &answer(&[80, 81])].concat();
    for cut in [8, 10, LOOKED_ON.len(), LOOKED_ON.len() + 3, whole.len() - 16, whole.len() - 1] {
        let (place, _server) = server(vec![whole[..cut].to_vec()]);
        assert!(matches!(roster(&place), Err(Error::Lost { .. })), "cut at {cut}");
    }
    let (place, _server) = server(vec![b"LEKTR\0\0\0full\0\0\0\0".to_vec()]);
    assert_eq!(roster(&place).unwrap_err().to_string(), format!("rejected by {place}: full"));
}

/// All news up to the one that ends it, in a word each.
fn words(presence: &Presence, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| match presence.news().recv_timeout(PATIENCE).unwrap() {
            News::Roll(Change::Present(object)) => format!("present {:?}", object.methods[0]),
            News::Roll(Change::Arrived(object)) => format!("arrived {:?}", object.methods[0]),
            News::Roll(Change::Departed(object)) => format!("departed {:?}", object.methods[0]),
            News::Complete => "complete".to_owned(),
            News::Lost(error) => format!("lost: {}", error.to_string().split_once(": ").unwrap().1),
            News::Retrying(_) => "retrying".to_owned(),
            News::Rejoined => "rejoined".to_owned(),
        })
        .collect()
}

#[test]
fn a_presence_tells_what_changes_and_comes_back_by_itself() {
    let first = [JOINED, &answer(&[80, 81]), EMPTY, &answer(&[82])].concat();
    let second = [JOINED, &answer(&[81, 83]), EMPTY].concat();
    let (place, server) = server(vec![first, second]);
    let options = PresenceOptions {
        methods: vec![Method::DirectTcp { port: 4242 }],
        when_lost: WhenLost::Reconnect,
        ..PresenceOptions::default()
    };
    let presence = Presence::join(&place, options).unwrap();
    let expected = [
        "present DirectTcp { port: 80 }",
        "present DirectTcp { port: 81 }",
        "complete",
        "arrived DirectTcp { port: 82 }",
        "lost: it closed the connection",
        "retrying",
        "rejoined",
        "present DirectTcp { port: 83 }",
        "departed DirectTcp { port: 80 }",
        "departed DirectTcp { port: 82 }",
        "complete",
        "lost: it closed the connection",
    ];
    assert_eq!(words(&presence, expected.len()), expected);
    drop(presence);
    let heard = server.join().unwrap();
    let hello = b"LEKTH\0\0\0\0\0\0\x01\0\0\0\x01LEKTT\0\0\0\0\0\0\x01\0\0\x10\x92LEKTH\0\0\0";
    assert!(heard.iter().all(|heard| heard.starts_with(hello)), "{heard:?}");
}

#[test]
fn a_presence_that_gives_up_ends_its_news() {
    let (place, _server) = server(vec![[LOOKED_ON, EMPTY].concat()]);
    let presence = Presence::join(&place, PresenceOptions::default()).unwrap();
    assert_eq!(words(&presence, 2), ["complete", "lost: it closed the connection"]);
    assert!(presence.news().recv_timeout(PATIENCE).is_err());
}

#[test]
fn a_server_that_says_nothing_more_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let options = PresenceOptions {
        heartbeat: Duration::from_millis(20),
        patience: Duration::from_millis(80),
        ..PresenceOptions::default()
    };
    let joining = thread::spawn(move || Presence::join(&place, options).unwrap());
    let (mut silent, _) = listener.accept().unwrap();
    silent.write_all(LOOKED_ON).unwrap();
    let presence = joining.join().unwrap();
    assert_eq!(words(&presence, 1), ["lost: it does not answer"]);
    drop(silent);
}

#[test]
fn leaving_is_quick_whatever_the_thread_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[LOOKED_ON, &answer(&[7; 255]).repeat(10)].concat()).unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
    });
    let presence = Presence::join(&place, PresenceOptions::default()).unwrap();
    // More news than the queue holds: the thread waits for somebody to hear it.
    presence.news().recv_timeout(PATIENCE).unwrap();
    drop(presence);
    server.join().unwrap();
}
