//! A door that only tests have, on both engines and real sockets: what no protocol of the house shows by itself.

mod ends;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::roll::Applicant;
use crate::session::{
    Answer, Ask, Caller, Case, Door, Effort, Event, Fault, Letter, Matter, Moment, Office, Output, Paper,
    Ration, Refusal, Session, Standing, View,
};

/// A line is for the clerk, who passes it on to everybody, and then answers `ok`; `slow` and `late` are toiled over,
/// `dear` is rationed, and at `rest` a guest rests; at `sleep` for a long time. `join` puts a guest on the roll; at `choke`
/// he is sent more than he takes, and told that he has done something bad, as at `bad`.
struct Hall {
    /// How firmly guests are in when they come.
    standing: Standing,
}

struct Guest {
    toiled: u32,
    /// From `loose` on, since it said something for the last time.
    standing: Standing,
}

impl Door for Hall {
    fn name(&self) -> &'static str {
        "hall"
    }

    fn open(&self, _: Instant, _: SocketAddr) -> Box<dyn Session> {
        Box::new(Guest { toiled: 0, standing: self.standing })
    }

    fn refusal(&self, _: Refusal) -> Vec<u8> {
        b"no\n".to_vec()
    }

    fn toils(&self) -> bool {
        true
    }

    fn ration(&self) -> Ration {
        Ration { interval: Duration::from_secs(3600), burst: 30 }
    }
}

impl Session for Guest {
    fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        _: &dyn View,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else { return Ok(0) };
        let line = &bytes[..=end];
        if let Standing::Loose(since) = &mut self.standing {
            *since = now;
        }
        match line {
            b"loose\n" => {
                self.standing = Standing::Loose(now);
                out.bytes().extend_from_slice(b"if you say so\n");
            }
            b"slow\n" => out.ask(Ask::Toil(Effort::Brief)),
            b"late\n" => {
                // The peer is gone when this is sent.
                let read = LATE_READ.fetch_add(1, Ordering::AcqRel) + 1;
                wait_until("the peer is gone", || LATE_GONE.load(Ordering::Acquire) >= read);
                out.bytes().extend_from_slice(b"so late\n");
                out.ask(Ask::Toil(Effort::Brief));
            }
            b"dear\n" => out.ask(Ask::Rationed { effort: Effort::Brief, cost: 10 }),
            b"rest\n" => {
                out.bytes().extend_from_slice(b"good night\n");
                out.rest(now + REST);
            }
            b"join\n" => out.ask(Ask::Join(applicant(1))),
            b"choke\n" => {
                out.bytes().extend(std::iter::repeat_n(b'x', BIG));
                return Err(Fault::told("it is bad", b"bye\n".to_vec()));
            }
            b"sleep\n" => {
                out.bytes().extend_from_slice(b"good night\n");
                out.rest(now + Duration::from_secs(3600));
            }
            b"bad\n" => return Err(Fault::told("it is bad", b"bye\n".to_vec())),
            _ => out.ask(Ask::Clerk(Box::new(line.to_vec()))),
        }
        Ok(line.len())
    }

    fn handle(&mut self, _: Instant, event: Event, _: &dyn View, out: &mut Output) -> Result<(), Fault> {
        match event {
            Event::Mail(paper) | Event::Answer(Answer::Clerk(paper)) => out.bytes().extend(text(paper)),
            Event::Answer(Answer::Joined(_)) => out.bytes().extend_from_slice(b"in\n"),
            Event::Answer(Answer::Toiled) => out.bytes().extend(format!("toiled {}\n", self.toiled).bytes()),
            Event::EndOfStream => out.close(),
            Event::GiveWay => return Err(Fault::told("it gives way", b"after you\n".to_vec())),
            _ => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn toil(&mut self) {
        self.toiled += 1;
    }

    fn standing(&self) -> Standing {
        self.standing
    }
}

fn text(paper: Paper) -> Vec<u8> {
    *paper.downcast().unwrap()
}

#[derive(Default)]
struct Herald {
    present: BTreeMap<Caller, ()>,
}

impl crate::session::Clerk for Herald {
    fn deal(&mut self, _: Moment, cases: Vec<Case>, office: &mut dyn Office) {
        for Case { from, matter } in cases {
            let Matter::Ask(paper) = matter else {
                self.present.remove(&from);
                continue;
            };
            self.present.insert(from, ());
            let line = text(paper);
            if line == b"sign me in\n" {
                self.sign_in(office);
            }
            if line == b"big\n" {
                office.send(Letter::answer(from, Box::new(vec![b'x'; BIG])));
                continue;
            }
            for &to in self.present.keys() {
                office.send(Letter::unasked(to, Box::new(line.clone()), line.len()));
            }
            let ok = format!("ok {}\n", self.present.len()).into_bytes();
            office.send(Letter::answer(from, Box::new(ok)));
        }
    }
}

impl Herald {
    /// Puts three on the roll, and takes one of them off again.
    fn sign_in(&mut self, office: &mut dyn Office) {
        let members = office.change((1..=3).map(applicant).collect(), Vec::new());
        assert_eq!(members.len(), 3);
        assert_eq!(office.change(Vec::new(), vec![members[1]]), []);
    }
}

fn applicant(port: u16) -> Applicant {
    let address = SocketAddr::from(([10, 0, 0, 1], port));
    Applicant { door: "hall", address, name: None, listing: None, since: 0 }
}

type Clerks = Vec<(Vec<&'static str>, Box<dyn crate::session::Clerk>)>;

struct House {
    engine: Engine,
    address: SocketAddr,
}

impl House {
    fn open(kind: Kind, limits: Limits) -> Self {
        Self::open_to(Standing::Settled, kind, limits)
    }

    fn open_to(standing: Standing, kind: Kind, limits: Limits) -> Self {
        Self::with_clerks(vec![(vec!["hall"], Box::new(Herald::default()))], standing, kind, limits)
    }

    /// A house without a clerk, in which threads wait for their peers alone.
    fn open_without_clerk(standing: Standing, kind: Kind, limits: Limits) -> Self {
        Self::with_clerks(Vec::new(), standing, kind, limits)
    }

    fn with_clerks(clerks: Clerks, standing: Standing, kind: Kind, limits: Limits) -> Self {
        let listener = mio::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let engine = Engine::start(Setup {
            kind,
            workers: NonZeroUsize::MIN,
            slow_workers: NonZeroUsize::MIN,
            humble: || {},
            clerks,
            limits,
            journal: 16,
            entrances: vec![Entrance { listener, door: Arc::new(Hall { standing }), prepare: |_| {} }],
        });
        Self { engine: engine.unwrap(), address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// More than the system buffers for a connection, and than anybody may be owed in letters.
const BIG: usize = 32 << 20;

/// How long a guest rests.
const REST: Duration = Duration::from_millis(50);

const PATIENCE: Duration = Duration::from_secs(30);

/// How many times `late` has been read, and its peer has gone since.
static LATE_READ: AtomicUsize = AtomicUsize::new(0);
static LATE_GONE: AtomicUsize = AtomicUsize::new(0);

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patience, "{what}: not within {PATIENCE:?}");
        thread::yield_now();
    }
}

fn say(stream: &mut TcpStream, line: &str) {
    stream.write_all(line.as_bytes()).unwrap();
}

#[track_caller]
fn expect(stream: &mut TcpStream, expected: &str) {
    let mut seen = vec![0; expected.len()];
    stream.read_exact(&mut seen).unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), expected);
}

fn on_both_engines(test: fn(&House)) {
    on_both_engines_with(&Limits { high_mark: 65_536, ..Limits::unbounded(100) }, test);
}

fn on_both_engines_with(limits: &Limits, test: fn(&House)) {
    let loops = NonZeroUsize::new(2).unwrap();
    for kind in [Kind::Events { loops }, Kind::Threads] {
        let house = House::open(kind, limits.clone());
        test(&house);
        assert_eq!(house.engine.drain(Instant::now() + PATIENCE), Ok(()), "{kind:?} ends");
    }
}

#[test]
fn letters_reach_those_who_wait_for_their_peers_and_in_order() {
    on_both_engines(|house| {
        let (mut one, mut other) = (house.connect(), house.connect());
        say(&mut one, "I am one\n");
        expect(&mut one, "I am one\nok 1\n");
        say(&mut other, "I am other\n");
        expect(&mut other, "I am other\nok 2\n");
        expect(&mut one, "I am other\n");
        for number in 0..100 {
            say(&mut other, &format!("{number}\n"));
            expect(&mut one, &format!("{number}\n"));
            expect(&mut other, &format!("{number}\nok 2\n"));
        }
        drop(other);
        loop {
            say(&mut one, "alone?\n");
            expect(&mut one, "alone?\nok ");
            let mut count = [0; 2];
            one.read_exact(&mut count).unwrap();
            if count == *b"1\n" {
                break;
            }
        }
    });
}

#[test]
fn a_session_that_toils_is_answered_and_keeps_its_place() {
    on_both_engines(|house| {
        let mut guest = house.connect();
        say(&mut guest, "slow\nslow\nhello\nslow\n");
        expect(&mut guest, "toiled 1\ntoiled 2\nhello\nok 1\ntoiled 3\n");
        say(&mut guest, "slow\nbad\n");
        let mut rest = String::new();
        guest.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "toiled 4\nbye\n");
    });
}

#[test]
fn who_does_not_fetch_his_letters_is_closed_and_the_others_are_not() {
    on_both_engines(|house| {
        let (mut deaf, mut loud) = (house.connect(), house.connect());
        say(&mut deaf, "I am deaf\n");
        expect(&mut deaf, "I am deaf\nok 1\n");
        let line = "x".repeat(60_000) + "\n";
        // The system buffers some megabytes before anything is owed; then one more has to be.
        for _ in 0..2000 {
            say(&mut loud, &line);
            expect(&mut loud, &line);
            let mut answer = [0; 5];
            loud.read_exact(&mut answer).unwrap();
            if answer == *b"ok 1\n" {
                assert_eq!(house.engine.usage().counts[Count::Letters as usize], 1);
                return;
            }
        }
        panic!("who is deaf is still there");
    });
}

#[test]
fn what_somebody_asked_for_does_not_count_as_letters() {
    on_both_engines(|house| {
        let (mut slow, mut other) = (house.connect(), house.connect());
        say(&mut slow, "big\n");
        // Now it is under way.
        expect(&mut slow, "x");
        say(&mut other, "hello\n");
        expect(&mut other, "hello\nok 2\n");
        let mut rest = vec![0; BIG - 1];
        slow.read_exact(&mut rest).unwrap();
        expect(&mut slow, "hello\n");
    });
}

#[test]
fn who_asks_something_with_each_message_has_to_keep_the_pace_like_others() {
    on_both_engines_with(&Limits { max_messages: 10, ..Limits::unbounded(100) }, |house| {
        for line in ["slow\n", "hello\n"] {
            let slowed = || house.engine.usage().counts[Count::Slowed as usize];
            let before = slowed();
            let mut hasty = house.connect();
            say(&mut hasty, &line.repeat(25));
            for number in 1..=25 {
                let toiled = format!("toiled {number}\n");
                expect(&mut hasty, if line == "slow\n" { &toiled } else { "hello\nok 1\n" });
            }
            assert!(slowed() > before, "{line:?} without a pause");
            drop(hasty);
            wait_until("it is gone", || house.engine.usage().clients == 0);
        }
    });
}

#[test]
fn a_connection_that_breaks_while_it_asks_is_gone() {
    on_both_engines(|house| {
        for _ in 0..20 {
            let mut guest = house.connect();
            say(&mut guest, "slow\n");
            expect(&mut guest, "toiled 1\n");
            say(&mut guest, "late\n");
            let read = LATE_GONE.load(Ordering::Acquire) + 1;
            wait_until("it is read", || LATE_READ.load(Ordering::Acquire) >= read);
            // A reset, which has arrived when this returns.
            socket2::SockRef::from(&guest).set_linger(Some(Duration::ZERO)).unwrap();
            drop(guest);
            LATE_GONE.store(read, Ordering::Release);
        }
        wait_until("nobody is left", || house.engine.usage().clients == 0);
    });
}

#[test]
fn who_rests_hears_nothing_before_he_has_rested() {
    on_both_engines(|house| {
        let mut guest = house.connect();
        let began = Instant::now();
        say(&mut guest, "rest\nrest\nhello\nslow\n");
        expect(&mut guest, "good night\ngood night\nhello\nok 1\ntoiled 1\n");
        assert!(began.elapsed() >= 2 * REST);
        // What somebody else says is said when he is awake.
        say(&mut guest, "rest\n");
        expect(&mut guest, "good night\n");
        let mut other = house.connect();
        say(&mut other, "wake up\n");
        expect(&mut other, "wake up\nok 2\n");
        expect(&mut guest, "wake up\n");
        // And an end in between is an end.
        say(&mut guest, "rest\n");
        guest.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = String::new();
        guest.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "good night\n");
    });
}

#[test]
fn what_is_rationed_waits_and_keeps_nobody_else_waiting() {
    on_both_engines(|house| {
        let mut greedy = house.connect();
        say(&mut greedy, "dear\ndear\ndear\ndear\nhello\n");
        expect(&mut greedy, "toiled 1\ntoiled 2\ntoiled 3\n");
        // The ration is an address's, not a connection's; what needs none is done.
        let mut other = house.connect();
        say(&mut other, "slow\nhello\n");
        expect(&mut other, "toiled 1\nhello\nok 1\n");
        // The fourth would wait for hours, and the end of the house does not.
        let until = Instant::now() + Duration::from_millis(100);
        greedy.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(greedy.read(&mut [0]).is_err() && Instant::now() >= until);
    });
}

#[test]
fn a_clerk_puts_those_on_the_roll_who_stay_without_a_connection() {
    on_both_engines(|house| {
        let mut guest = house.connect();
        say(&mut guest, "sign me in\n");
        expect(&mut guest, "sign me in\nok 1\n");
        let there = || {
            house.engine.published().read(|roll| {
                let mut ports: Vec<_> = roll.entries().map(|entry| entry.address().port()).collect();
                ports.sort_unstable();
                ports
            })
        };
        assert_eq!(there(), [1, 3]);
        drop(guest);
        wait_until("the guest is gone", || house.engine.usage().clients == 0);
        assert_eq!(there(), [1, 3]);
    });
}
