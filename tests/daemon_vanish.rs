//! `rollcalld` and peers whose network is gone: nothing that they or the system send arrives, no end and no reset.
//!
//! The daemon is alone in a network namespace, to which two links lead from the tests: one is cut, the other is for
//! those who watch. How long it takes is printed; whether that is soon enough depends on what else the machine does, and
//! is held against its bar where ROLLCALL_LONG is set.

#![cfg(test)]

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use common::answer::Block;
use common::*;

on_both_engines!(whoever_vanishes_is_off_the_roll_in_time_and_all_are_told);

/// How many vanish at once.
const CROWD: u8 = 20;
/// What the bar allows beside the timeout.
const SLACK: Duration = Duration::from_secs(1);

/// Whether what takes minutes is done.
fn is_long() -> bool {
    std::env::var_os("ROLLCALL_LONG").is_some()
}

/// When somebody vanished.
struct Cut {
    /// Before the last sign of life was sent.
    alive: Instant,
    /// After it was answered, when the link was down.
    done: Instant,
}

impl Cut {
    /// Whoever is off the roll now has been on it for that long at least, and not much longer than for that long.
    #[track_caller]
    fn is_noticed(&self, who: &str, times: RangeInclusive<u64>, engine: Engine) {
        let (alive, took) = (self.alive.elapsed(), self.done.elapsed());
        println!("{who}: gone {} ms after the cut on {}", took.as_millis(), engine.name());
        let (soonest, latest) = (Duration::from_secs(*times.start()), Duration::from_secs(*times.end()));
        assert!(alive >= soonest, "{who}: {alive:?} is too soon");
        assert!(!is_long() || took <= latest + SLACK, "{who}: {took:?} is too late");
    }
}

fn whoever_vanishes_is_off_the_roll_in_time_and_all_are_told(engine: Engine) {
    let Some(house) = House::build() else { return };
    let daemon = house.daemon(engine, &["--lekt", "0.0.0.0:0", "--heartbeat-timeout", "5"]);
    let port = daemon.address().port();
    let mut watcher = Raw::joined_from(house.here(Link::Kept, 1), (house.there(Link::Kept), port).into(), 1);
    let join =
        |last| Raw::joined_from(house.here(Link::Cut, last), (house.there(Link::Cut), port).into(), 1000);
    let mut crowd: Vec<_> = (1..=CROWD).map(join).collect();
    let mut come = 0;
    process::eventually("all are told", || {
        // Whoever waits for the others must not be silent meanwhile.
        crowd.iter_mut().for_each(say_something);
        watcher.beat();
        if let Block::Added(who) = watcher.take_packet().block {
            come += who.len();
        }
        come == usize::from(CROWD)
    });
    let alive = Instant::now();
    // The last sign of life of all of them, which has come when it is answered.
    crowd.iter_mut().for_each(say_something);
    house.cut();
    let cut = Cut { alive, done: Instant::now() };
    let mut gone = 0;
    process::eventually("all are gone", || {
        watcher.beat();
        if let Block::Removed(which) = watcher.take_packet().block {
            gone += which.len();
        }
        gone == usize::from(CROWD)
    });
    cut.is_noticed("all of LEKT", 5..=5, engine);
    daemon.signal("USR1");
    daemon.wait_for_log(&["status: 1 on the roll, "]);
    // Nobody comes back by the network coming back.
    house.mend();
    crowd.iter_mut().for_each(|client| drop(std::io::Write::write_all(client.stream(), BEAT)));
    watcher.hears_nothing();
    process::eventually("their connections are gone", || {
        daemon.signal("USR1");
        watcher.hears_nothing();
        daemon.log().iter().any(|line| line.contains("status: 1 on the roll, 1 of at most"))
    });
}

/// A heartbeat, and the answer to it.
fn say_something(client: &mut Raw) {
    client.beat();
    client.take_packet();
}

/// Those whose doors ask for no heartbeat: there it is TCP that asks, and somebody of another door who is told.
#[cfg(all(feature = "chapp", feature = "fmltp", feature = "residue"))]
mod silent {
    use super::*;
    use crate::common::chapp::{Chapp, Manner};
    use crate::common::chapp_told::texts;
    use crate::common::fmltp::{Fm, GREETING, READY, VERSION};
    use crate::common::fmltp_keys::group;
    use crate::common::residue::{Client, Port};

    on_both_engines!(
        whoever_may_be_silent_is_gone_a_minute_after_it_vanished,
        whoever_may_be_absent_is_gone_when_its_age_is_over,
    );

    /// In seconds: whoever is alive is not given up before, and whoever is not is given up by then.
    const SILENCE: RangeInclusive<u64> = 30..=60;
    /// The least age of Residue, in seconds.
    const AGE: u64 = 300;
    /// How far the clock of a client may be off: it is there for so many seconds more.
    const TOLERANCE: u64 = 20;
    /// How long is waited for any of it.
    const LONG: Duration = Duration::from_secs(2 * AGE);

    fn whoever_may_be_silent_is_gone_a_minute_after_it_vanished(engine: Engine) {
        if !is_long() {
            return println!("skipped: it takes a minute, and is done where ROLLCALL_LONG is set");
        }
        let Some(house) = House::build() else { return };
        let place = Place::new();
        let data = place.text("data");
        let everywhere =
            ["--lekt", "0.0.0.0:0", "--fmltp", "0.0.0.0:0", "--fmltp-open", "--chapp", "0.0.0.0:0"];
        let daemon = house.daemon(engine, &[&everywhere[..], &["--data", &data]].concat());
        let connect = |link, last, door| {
            let server = (house.there(link), daemon.door(door).port());
            Raw::connect_from(house.here(link, last), server.into())
        };
        let mut watcher = ready(connect(Link::Kept, 1, "fmltp"));
        let (mut bob, _) = introduced(connect(Link::Kept, 2, "chapp"), "bob");
        let alive = Instant::now();
        let mut listener = ready(connect(Link::Cut, 1, "fmltp"));
        let (mut ann, _) = introduced(connect(Link::Cut, 2, "chapp"), "ann");
        let (mut eve, _) = introduced(connect(Link::Cut, 3, "chapp"), "eve");
        house.cut();
        let cut = Cut { alive, done: Instant::now() };
        // Whoever is owed something is not asked whether he is there: it is that which goes unanswered.
        bob.posts("eve", "are you there?");
        let mut left = vec![
            ("FmLTP", listener.local()),
            ("chapp", ann.local()),
            ("chapp, with a letter on its way", eve.local()),
        ];
        process::eventually_within(LONG, "all are gone", || {
            let there = watcher.answer_to("WHO");
            left.retain(|(who, address)| {
                let stays = there.contains(&format!(" {address} "));
                stays || {
                    cut.is_noticed(who, SILENCE, engine);
                    false
                }
            });
            left.is_empty()
        });
        nobody_else_is_left(&daemon, "status: 2 on the roll, 2 of at most");
        // The letter waits for her.
        house.mend();
        let (_eve, letters) = introduced(connect(Link::Cut, 3, "chapp"), "eve");
        assert_eq!(letters, ["are you there?"]);
    }

    /// A client of Residue is there without a connection, until its age is over.
    fn whoever_may_be_absent_is_gone_when_its_age_is_over(engine: Engine) {
        if !is_long() {
            return println!("skipped: it takes five minutes, and is done where ROLLCALL_LONG is set");
        }
        let Some(house) = House::build() else { return };
        let place = Place::new();
        let (logs, age, tolerance) = (place.text("logs"), AGE.to_string(), TOLERANCE.to_string());
        let (anywhere, at_the_cut) = ("0.0.0.0:0", format!("{}:0", house.there(Link::Cut)));
        let mut args = vec!["--lekt", anywhere, "--fmltp", anywhere, "--fmltp-open", "--residue-logs", &logs];
        args.extend(["--residue-age", &age, "--residue-tolerance", &tolerance]);
        for door in ["--residue", "--residue-token", "--residue-log"] {
            args.extend([door, &at_the_cut]);
        }
        let daemon = house.daemon(engine, &args);
        let server = (house.there(Link::Kept), daemon.door("fmltp").port());
        let mut watcher = ready(Raw::connect_from(house.here(Link::Kept, 1), server.into()));
        let alone = process::descriptors(daemon.pid());
        let mut client = Client::greeted_from(house.here(Link::Cut, 1), &daemon);
        client.acknowledges();
        client.is_given_token("app", "");
        // For what is not taken, no file is opened.
        client.logs("{}");
        let address = client.wire(Port::Connect).raw().stream().local_addr().unwrap();
        let mut is_there = || watcher.answer_to("WHO").contains(&format!(" {address} "));
        let alive = Instant::now();
        client.touches();
        house.cut();
        let cut = Cut { alive, done: Instant::now() };
        process::eventually_within(LONG, "its connections are gone", || {
            process::descriptors(daemon.pid()) <= alone
        });
        cut.is_noticed("connections of Residue", SILENCE, engine);
        assert!(is_there());
        process::eventually_within(LONG, "its age is over", || !is_there());
        cut.is_noticed("Residue", AGE + TOLERANCE..=AGE + TOLERANCE, engine);
        nobody_else_is_left(&daemon, "status: 1 on the roll, 1 of at most");
    }

    /// A client of FmLTP over this connection, for which the interpreter is ready.
    fn ready(raw: Raw) -> Fm {
        let mut client = Fm::over(raw);
        client.expect(GREETING);
        client.send(VERSION);
        client.expect(&group());
        client.exchange_keys();
        client.says(GREETING);
        client.hears(READY);
        client
    }

    /// A client of chapp over this connection that has introduced itself, and the texts that were kept for it.
    fn introduced(raw: Raw, name: &str) -> (Chapp, Vec<String>) {
        let mut client = Chapp::over(raw, Manner::EmptyLine);
        let kept = client.introduces(name);
        (client, texts(&kept).into_iter().map(str::to_owned).collect())
    }

    /// There is no ghost, neither on the roll nor beside it.
    fn nobody_else_is_left(daemon: &Daemon, wanted: &str) {
        process::eventually(wanted, || {
            daemon.signal("USR1");
            daemon.log().iter().any(|line| line.contains(wanted))
        });
    }
}

/// One of the two links.
#[derive(Clone, Copy)]
enum Link {
    Cut,
    Kept,
}

/// A network namespace, and what leads there.
struct House {
    name: String,
    number: u8,
}

impl House {
    /// Builds one; none, and says why, where that is not possible.
    fn build() -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(2, Ordering::Relaxed);
        let house = Self { name: format!("rc{}-{number}", std::process::id()), number };
        let is_built = ip(&["netns", "add", &house.name])
            && [Link::Cut, Link::Kept].into_iter().all(|link| house.lay(link));
        if !is_built {
            println!("skipped: there is no network namespace to be had (not root, or no ip)");
        }
        is_built.then_some(house)
    }

    fn lay(&self, link: Link) -> bool {
        let (near, far) = (self.end(link, "a"), self.end(link, "b"));
        let there = format!("{}/24", self.there(link));
        ip(&["link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &self.name])
            && (0..=CROWD).all(|last| {
                let here = format!("{}/24", self.here(link, last));
                ip(&["address", "add", &here, "dev", &near])
            })
            && ip(&["link", "set", &near, "up"])
            && ip(&["-n", &self.name, "address", "add", &there, "dev", &far])
            && ip(&["-n", &self.name, "link", "set", &far, "up"])
    }

    fn end(&self, link: Link, side: &str) -> String {
        let kind = match link {
            Link::Cut => "c",
            Link::Kept => "k",
        };
        // A name of an interface has at most 15 characters.
        format!("rc{}{kind}{}{side}", std::process::id() % 1_000_000, self.number)
    }

    /// A network that is for tests (RFC 2544), one for each link of each house.
    fn network(&self, link: Link) -> [u8; 3] {
        let offset = match link {
            Link::Cut => 0,
            Link::Kept => 1,
        };
        // Others may run these tests at the same time.
        let network = (std::process::id() % 64) * 8 + u32::from(self.number) + offset;
        let [.., high, low] = network.to_be_bytes();
        [198, 18 + high, low]
    }

    /// One of our addresses at this link.
    fn here(&self, link: Link, last: u8) -> IpAddr {
        let [a, b, c] = self.network(link);
        Ipv4Addr::new(a, b, c, 2 + last).into()
    }

    /// The daemon's.
    fn there(&self, link: Link) -> IpAddr {
        let [a, b, c] = self.network(link);
        Ipv4Addr::new(a, b, c, 1).into()
    }

    fn daemon(&self, engine: Engine, args: &[&str]) -> Daemon {
        let way = ["ip", "netns", "exec", &self.name];
        Daemon::spawn(&mut Daemon::by_way_of(&way, &Daemon::command(engine, args)))
    }

    /// Takes the link down: nothing comes or goes, and nobody is told.
    fn cut(&self) {
        assert!(ip(&["link", "set", &self.end(Link::Cut, "a"), "down"]));
    }

    fn mend(&self) {
        assert!(ip(&["link", "set", &self.end(Link::Cut, "a"), "up"]));
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for link in [Link::Cut, Link::Kept] {
            ip(&["link", "delete", &self.end(link, "a")]);
        }
        ip(&["netns", "delete", &self.name]);
    }
}

/// Runs ip(8); whether it did what was asked for.
fn ip(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    output.is_ok_and(|status| status.success())
}
