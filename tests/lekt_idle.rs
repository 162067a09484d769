//! A heartbeat with nothing new takes no allocation, no channel and no thread hop.

#![allow(unsafe_code, reason = "a counting allocator cannot be had without it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::time::Instant;

use common::{Daemon, Engine, Raw};
use rollcall::lekt::server::{LektDoor, Settings};
use rollcall::roll::{Roll, Sequence};
use rollcall::session::{Answer, Ask, Door, Event, Output, View};

thread_local! {
    /// How often this thread has allocated.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract, which is the system allocator's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Quiet(Roll);

impl View for Quiet {
    fn unix_time(&self) -> i64 {
        0
    }

    fn sequence(&self) -> Sequence {
        self.0.sequence()
    }

    fn read(&self, look: &mut dyn FnMut(&Roll)) {
        look(&self.0);
    }
}

#[test]
fn an_idle_heartbeat_allocates_nothing() {
    let mut world = Quiet(Roll::new(16));
    let now = Instant::now();
    let mut session = LektDoor::new(Settings::default()).open(now, "127.0.0.1:1".parse().unwrap());
    let mut out = Output::default();
    session.receive(now, &common::hello([0; 3], 0, &[]), &world, &mut out).unwrap();
    let Some(Ask::Join(applicant)) = out.take_ask() else { panic!("it does not ask to join") };
    let member = world.0.join(applicant);
    session.handle(now, Event::Answer(Answer::Joined(member)), &world, &mut out).unwrap();
    let beat = common::beat(0);
    session.receive(now, &beat, &world, &mut out).unwrap();
    out.clear(1024);

    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..1000 {
        assert_eq!(session.receive(now, &beat, &world, &mut out).ok(), Some(beat.len()));
        assert_eq!(out.plain().map(<[u8]>::len), Some(20));
        out.clear(1024);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}

on_both_engines!(idle_heartbeats_wake_nobody_but_the_connections_own_thread);

fn idle_heartbeats_wake_nobody_but_the_connections_own_thread(engine: Engine) {
    let daemon = Daemon::start(engine, &["--workers", "2"]);
    let mut client = Raw::joined(1, daemon.address(), 4242);
    client.hears_nothing();
    // The workers may still be settling down after the join; if each heartbeat woke one, they never would.
    common::process::eventually("the workers sleep while a heart beats", || {
        let before = worker_switches(daemon.pid());
        (0..500).for_each(|_| client.hears_nothing());
        before.len() == 2 && worker_switches(daemon.pid()) == before
    });
}

/// How often each worker of a process has gone to sleep.
fn worker_switches(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let statuses = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    let mut switches: Vec<_> = statuses
        .filter(|status| status.starts_with("Name:\tworker"))
        .map(|status| {
            let named = |line: &&str| line.starts_with("Name:") || line.starts_with("voluntary_ctxt");
            status.lines().filter(named).collect::<Vec<_>>().join(" ")
        })
        .collect();
    switches.sort();
    switches
}
