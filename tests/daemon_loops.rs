//! Poll loops share the connections that stay.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;

use common::process::eventually;
use common::{Daemon, Engine, Raw, who};

#[test]
fn who_stays_is_served_by_all_loops_and_misses_nothing() {
    let daemon = Daemon::start(Engine::Events, &["--loops", "3", "--handshake-timeout", "1"]);
    let hosts = 1..=250;
    let mut clients: Vec<_> = hosts.clone().map(|last| Raw::joined(last, daemon.address(), 4242)).collect();
    for (own, client) in hosts.clone().zip(&mut clients) {
        let others: Vec<_> = hosts.clone().filter(|&last| last != own).map(|last| who(last, 4242)).collect();
        client.beat();
        client.expect_answer(&[], &others);
    }
    let idle = |name: &str| switches(daemon.pid(), name);
    let before = ["loop 1", "loop 2"].map(idle);
    eventually("every loop wakes for its share of the heartbeats", || {
        clients.iter_mut().for_each(Raw::hears_nothing);
        ["loop 1", "loop 2"].map(idle).iter().zip(&before).all(|(now, before)| *now > before + 20)
    });
    clients.pop();
    clients.iter_mut().for_each(|client| client.hears_at_last(&[common::ip(250)], &[]));
}

/// How often the thread of this name has gone to sleep.
fn switches(pid: u32, name: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .filter(|status| status.starts_with(&format!("Name:\t{name}\n")))
        .flat_map(|status| {
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
            line.and_then(|line| line.split_whitespace().last()?.parse::<u64>().ok())
        })
        .sum()
}
