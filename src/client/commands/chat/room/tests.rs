//! What a user does, with peers on sockets of this machine; what is shown goes to standard output.

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::*;
use crate::client::ringing::Ringing;
use crate::lekt::wire::{Method, Object};

/// Bounds what would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(20);

fn room() -> (Room, Receiver<Happening>) {
    let (tell, happenings) = bounded(8);
    let ids = Arc::new(AtomicU64::new(0));
    let room = Room::new("alice".to_owned(), Paper::Plain, Colours::Off, tell, ids, Hold::default());
    (room, happenings)
}

impl Room {
    /// Sees to what happens until it is `enough`.
    fn until(&mut self, happenings: &Receiver<Happening>, enough: impl Fn(&Happening) -> bool) {
        loop {
            let happening = happenings.recv_timeout(PATIENCE).unwrap();
            let last = enough(&happening);
            self.happen(happening).unwrap();
            if last {
                return;
            }
        }
    }

    fn types(&mut self, line: &str) {
        self.happen(Happening::Typed(line.to_owned())).unwrap();
    }
}

/// Somebody to call, at an address.
fn phone() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    (listener, place)
}

/// Alice calls bob, who accepts.
fn talking() -> (Room, Receiver<Happening>, Call, crate::client::call::Incoming) {
    let (mut room, happenings) = room();
    let (listener, place) = phone();
    room.types(&format!("/call {place}"));
    let mut bob = Ringing::answer(listener.accept().unwrap().0, "bob").unwrap();
    bob.introduced().unwrap();
    bob.decider().accept().unwrap();
    room.until(&happenings, |happening| matches!(happening, Happening::Connected { .. }));
    let (call, incoming) = bob.connected().unwrap();
    (room, happenings, call, incoming)
}

#[test]
fn a_call_that_is_hung_up_on_stops_ringing_on_the_other_side() {
    let (mut room, happenings) = room();
    let (listener, place) = phone();
    room.types(&format!("/call {place}"));
    let mut bob = Ringing::answer(listener.accept().unwrap().0, "bob").unwrap();
    assert_eq!(bob.introduced().unwrap(), "alice");
    room.until(&happenings, |happening| matches!(happening, Happening::Dialed { .. }));
    room.types("/hangup");
    assert_eq!(bob.connected().unwrap_err().to_string(), "rejected by alice: hung up");
}

#[test]
fn a_call_that_is_hung_up_on_before_anybody_is_reached_ends_when_somebody_is() {
    let (mut room, happenings) = room();
    let (listener, place) = phone();
    room.types(&format!("/call {place}"));
    room.types("/hangup");
    room.until(&happenings, |happening| matches!(happening, Happening::Dialed { .. }));
    let mut bob = Ringing::answer(listener.accept().unwrap().0, "bob").unwrap();
    let heard = bob.introduced().and_then(|_| bob.connected().map(drop));
    assert!(heard.unwrap_err().to_string().ends_with("hung up"));
}

#[test]
fn a_call_that_we_have_accepted_can_be_hung_up_on_before_the_caller_has() {
    let (mut room, happenings) = room();
    let (listener, place) = phone();
    let mut bob = Ringing::call(&place, "bob").unwrap();
    let ringing = Ringing::answer(listener.accept().unwrap().0, "alice").unwrap();
    let tell = room.tell.clone();
    thread::spawn(move || crate::client::commands::chat::talk::answer(7, ringing, &tell, Hold::default()));
    room.until(&happenings, |happening| matches!(happening, Happening::Rings { .. }));
    room.types("/accept");
    room.types("/hangup");
    bob.introduced().unwrap();
    assert_eq!(bob.connected().unwrap_err().to_string(), "rejected by alice: hung up");
}

#[test]
fn hanging_up_on_somebody_who_does_not_read_holds_no_thread_and_no_connection() {
    let (mut room, happenings, bob, _unread) = talking();
    let Some(Conversation { stage: Stage::Talking(speaker), .. }) = room.calls.values().next() else {
        panic!("they do not talk");
    };
    let done = speaker.done().clone();
    // More than the sockets hold: the thread that speaks hangs in the middle.
    while speaker.say(vec![b'x'; 1 << 20]) {}
    room.types("/hangup");
    assert_eq!(done.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "it still speaks");
    let mut rest = Vec::new();
    // The end, or a reset: the connection is gone.
    let _ = bob.socket().read_to_end(&mut rest);
    room.until(&happenings, |happening| matches!(happening, Happening::Ended { .. }));
}

/// No threads are left.
fn no_threads(_: thread::Builder, _: crate::client::commands::chat::talk::Work) -> std::io::Result<()> {
    Err(std::io::ErrorKind::WouldBlock.into())
}

#[test]
fn a_call_for_which_there_is_no_thread_is_the_only_one_to_end() {
    let (mut room, happenings, _bob, _incoming) = talking();
    let (listener, place) = phone();
    room.threads = no_threads;
    room.types(&format!("/call {place}"));
    assert_eq!(room.calls.len(), 1, "bob is still talked to");

    room.threads = talk::of_system;
    room.types(&format!("/call {place}"));
    let mut carol = Ringing::answer(listener.accept().unwrap().0, "carol").unwrap();
    carol.introduced().unwrap();
    carol.decider().accept().unwrap();
    room.until(&happenings, |happening| matches!(happening, Happening::Dialed { .. }));
    room.threads = no_threads;
    room.until(&happenings, |happening| matches!(happening, Happening::Connected { .. }));
    assert_eq!(room.calls.len(), 1, "carol is not talked to");
    let (_call, mut incoming) = carol.connected().unwrap();
    assert_eq!(incoming.next_message().unwrap(), None, "and is hung up on");
    let Some(id) = room.current else { panic!("bob has been forgotten") };
    assert!(matches!(room.calls[&id].stage, Stage::Talking(_)));
}

#[test]
fn what_waits_to_be_shown_of_a_message_is_what_will_be_shown() {
    let (_room, happenings, bob, _incoming) = talking();
    for message in [vec![b'x'; 1 << 20], vec![0; 1 << 20], b"short".to_vec()] {
        bob.send(&message).unwrap();
        let Happening::Said { words, .. } = happenings.recv_timeout(PATIENCE).unwrap() else {
            panic!("that was not said");
        };
        let shown = message.len().min(16_384);
        assert_eq!((words.length, &words.shown[..]), (message.len(), &message[..shown]));
        assert!(words.shown.capacity() < 2 * 16_384, "{} bytes are kept", words.shown.capacity());
    }
}

#[test]
fn somebody_who_is_called_by_name_keeps_it() {
    let (mut room, happenings) = room();
    let (listener, place) = phone();
    let reach = listener.local_addr().unwrap();
    let port = reach.port();
    let bob = Object { address: [127, 0, 0, 1].into(), methods: vec![Method::DirectTcp { port }] };
    room.hear(&News::Roll(Change::Arrived(bob))).unwrap();
    room.book.learn(reach, "bob");
    let mut on_the_phone = Vec::new();
    for (typed, expected) in
        [("/call 1", "bob"), ("/call bob", "bob-2"), (&*format!("/call {place}"), "bob-3")]
    {
        room.types(typed);
        let mut ringing = Ringing::answer(listener.accept().unwrap().0, "bob").unwrap();
        ringing.introduced().unwrap();
        ringing.decider().accept().unwrap();
        let names = |room: &Room| room.calls.values().last().map(|call| call.name.clone());
        assert_eq!(names(&room).as_deref(), Some(expected), "{typed}: while it is called");
        room.until(&happenings, |happening| matches!(happening, Happening::Connected { .. }));
        assert_eq!(names(&room).as_deref(), Some(expected), "{typed}: when it is talked to");
        on_the_phone.push(ringing);
    }
    room.types("/hangup");
    let current = room.current.map(|id| room.calls[&id].name.clone());
    assert_eq!(current.as_deref(), Some("bob"), "another one is talked to from now on");
}
