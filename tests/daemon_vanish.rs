//! `rollcalld` and peers whose network is gone: nothing that they or the system send arrives, no end and no reset.
//!
//! The daemon is alone in a network namespace, to which two links lead from the tests: one is cut, the other is for
//! those who watch.

#![cfg(test)]

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use common::answer::Block;
use common::*;

on_both_engines!(
    whoever_vanishes_is_off_the_roll_in_time_and_all_are_told,
    whoever_may_be_silent_is_gone_a_minute_after_it_vanished,
);

/// How many vanish at once.
const CROWD: u8 = 20;

fn whoever_vanishes_is_off_the_roll_in_time_and_all_are_told(engine: Engine) {
    let Some(house) = House::build() else { return };
    let timeout = Duration::from_secs(2);
    let daemon = house.daemon(engine, &["--lekt", "0.0.0.0:0", "--heartbeat-timeout", "2"]);
    let port = daemon.address().port();
    let mut watcher = Raw::joined_from(house.here(Link::Kept, 1), (house.there(Link::Kept), port).into(), 1);
    let join =
        |last| Raw::joined_from(house.here(Link::Cut, last), (house.there(Link::Cut), port).into(), 1000);
    let mut crowd: Vec<_> = (1..=CROWD).map(join).collect();
    let mut come = 0;
    process::eventually("all are told", || {
        watcher.beat();
        if let Block::Added(who) = watcher.take_packet().block {
            come += who.len();
        }
        come == usize::from(CROWD)
    });
    // The last sign of life of all of them, which has come when it is answered.
    crowd.iter_mut().for_each(Raw::beat);
    crowd.iter_mut().for_each(|client| drop(client.take_packet()));
    let start = Instant::now();
    house.cut();
    let mut gone = 0;
    while gone < usize::from(CROWD) {
        assert!(start.elapsed() < timeout + Duration::from_secs(1), "only {gone} are gone by then");
        std::thread::sleep(Duration::from_millis(20));
        watcher.beat();
        if let Block::Removed(which) = watcher.take_packet().block {
            gone += which.len();
        }
    }
    println!("{CROWD} gone after {} ms on {}", start.elapsed().as_millis(), engine.name());
    assert!(start.elapsed() > timeout - Duration::from_millis(500), "{:?} is too soon", start.elapsed());
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

/// chapp has no heartbeats: there it is TCP that asks, every ten seconds after less than thirty.
fn whoever_may_be_silent_is_gone_a_minute_after_it_vanished(engine: Engine) {
    if cfg!(not(feature = "chapp")) || std::env::var_os("ROLLCALL_LONG").is_none() {
        return println!("skipped: it takes a minute, and is done where ROLLCALL_LONG is set");
    }
    let Some(house) = House::build() else { return };
    let place = Place::new();
    let data = place.text("data");
    let daemon = house.daemon(engine, &["--lekt", "0.0.0.0:0", "--chapp", "0.0.0.0:0", "--data", &data]);
    let mut client = Raw::connect_from(
        house.here(Link::Cut, 1),
        (house.there(Link::Cut), daemon.door("chapp").port()).into(),
    );
    client.send(b"INTRODUCE\tann->server\\\nID:1\\\n\\\n");
    assert!(client.hears_within(PATIENCE));
    assert_eq!(on_the_roll(&daemon), 1);
    let start = Instant::now();
    house.cut();
    while on_the_roll(&daemon) > 0 {
        assert!(start.elapsed() < Duration::from_secs(61), "a ghost");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("gone after {} ms on {}", start.elapsed().as_millis(), engine.name());
    assert!(start.elapsed() > Duration::from_secs(30));
}

/// How many the daemon says are on its roll.
fn on_the_roll(daemon: &Daemon) -> usize {
    let lines = |daemon: &Daemon| -> Vec<String> {
        daemon.log().into_iter().filter(|line| line.contains("info: status: ")).collect()
    };
    let before = lines(daemon).len();
    daemon.signal("USR1");
    process::eventually("the status", || lines(daemon).len() > before);
    let line = lines(daemon).pop().unwrap();
    let (_, rest) = line.split_once("status: ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
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
