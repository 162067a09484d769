//! `rollcalld`: how many there may be, and what happens when there are more.

#![cfg(test)]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Instant;

use common::*;

on_both_engines!(
    beyond_max_clients_the_server_is_full,
    many_who_cannot_be_let_in_at_once_are_told_and_delay_nobody,
    a_place_that_becomes_free_is_given_again,
    loopback_is_exempt_from_the_bound_of_one_address,
    beyond_max_per_address_others_are_still_let_in,
    without_bound_one_address_may_have_any_number,
    a_limit_beyond_the_descriptors_is_lowered_to_them,
    out_of_descriptors_sessions_go_on_and_later_ones_are_let_in,
    many_connections_at_once_are_all_served,
    connections_find_out_when_their_peers_are_gone_without_a_word,
);

/// Knocks, and shakes hands if it is let in; otherwise returns the reason.
#[track_caller]
fn knock(address: impl Into<IpAddr>, server: SocketAddr) -> Result<Raw, String> {
    let mut client = Raw::connect_from(address, server);
    client.send(HELLO);
    if client.next_kind() == b'R' {
        return Err(client.expect_reject());
    }
    client.expect(ACCEPT);
    client.expect(ASK_1);
    Ok(client)
}

fn beyond_max_clients_the_server_is_full(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-clients", "5"]);
    let mut members: Vec<Raw> = (2..=6).map(|last| Raw::joined(last, daemon.address(), 1)).collect();
    for _ in 0..10 {
        let mut refused = Raw::connect(daemon.address());
        assert_eq!(refused.expect_reject(), "the server is full");
    }
    members[0].hears(&[], &[who(3, 1), who(4, 1), who(5, 1), who(6, 1)]);
    // Whoever knocks does not get to fill the log.
    daemon.wait_for_log(&["the server is full"]);
    let complaints = daemon.log().iter().filter(|line| line.contains("the server is full")).count();
    assert_eq!(complaints, 1, "{:#?}", daemon.log());
}

/// However many they are, and whether they have said something already or not.
fn many_who_cannot_be_let_in_at_once_are_told_and_delay_nobody(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-clients", "1"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    let before = process::descriptors(daemon.pid());
    let mut refused: Vec<Raw> = (0..200).map(|_| Raw::connect(daemon.address())).collect();
    refused.iter_mut().step_by(2).for_each(|client| client.send(HELLO));
    member.hears_nothing();
    for client in &mut refused {
        assert_eq!(client.take_reject(), "the server is full");
    }
    member.hears_nothing();
    // Few of them stay until they have heard it, and those not for long.
    assert!(process::descriptors(daemon.pid()) <= before + 16);
    process::eventually("all of them gone", || process::descriptors(daemon.pid()) == before);
}

fn a_place_that_becomes_free_is_given_again(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-clients", "2"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    for port in 7000..7020 {
        let mut other = let_in_at_last(daemon.address());
        other.send(&method(1, port));
        other.expect(ASK_0);
        assert_eq!(Raw::connect(daemon.address()).expect_reject(), "the server is full");
        member.hears(&[], &[who(3, u16::try_from(port).unwrap())]);
        drop(other);
        member.hears_at_last(&[ip(3)], &[]);
    }
}

/// Knocks until the server has a place.
#[track_caller]
fn let_in_at_last(server: SocketAddr) -> Raw {
    let start = Instant::now();
    loop {
        match knock(ip(3), server) {
            Ok(client) => return client,
            Err(reason) => assert!(start.elapsed() < PATIENCE, "{reason}"),
        }
    }
}

fn loopback_is_exempt_from_the_bound_of_one_address(engine: Engine) {
    let daemon = Daemon::start(engine, &["--max-per-address", "1"]);
    let mut one = Raw::joined(2, daemon.address(), 1);
    let _two = Raw::joined(2, daemon.address(), 2);
    let _three = Raw::joined(2, daemon.address(), 3);
    one.hears(&[], &[who(2, 2), who(2, 3)]);
}

fn beyond_max_per_address_others_are_still_let_in(engine: Engine) {
    let Some(own) = own_address() else { return println!("skipped: there is no address but loopback") };
    let daemon = Daemon::start(engine, &["--lekt", "0.0.0.0:0", "--max-per-address", "2"]);
    let port = daemon.address().port();
    let server = SocketAddr::new(own, port);
    let _members = [1, 2].map(|port| Raw::joined_from(own, server, port));
    for _ in 0..5 {
        let mut refused = Raw::connect_from(own, server);
        assert_eq!(refused.expect_reject(), "too many connections from your address");
    }
    let mut other = Raw::joined(2, SocketAddr::new(ip(1).into(), port), 1);
    let IpAddr::V4(own) = own else { panic!("an IPv4 address") };
    other.hears(&[], &[1, 2].map(|port| Seen { address: own, port: Some(port) }));
}

fn without_bound_one_address_may_have_any_number(engine: Engine) {
    let Some(own) = own_address() else { return println!("skipped: there is no address but loopback") };
    let daemon = Daemon::start(engine, &["--lekt", "0.0.0.0:0", "--max-per-address", "0"]);
    let server = SocketAddr::new(own, daemon.address().port());
    let _members: Vec<Raw> = (1..=100).map(|port| Raw::joined_from(own, server, port)).collect();
}

/// Leaves the running daemon room for so many descriptors more; false where the system has no means for that.
fn leave_descriptors(daemon: &Daemon, more: usize) -> bool {
    let limit = process::descriptors(daemon.pid()) + more;
    let mut command = Command::new("prlimit");
    command.arg("--pid").arg(daemon.pid().to_string()).arg(format!("--nofile={limit}:{limit}"));
    command.status().is_ok_and(|status| status.success())
}

fn out_of_descriptors_sessions_go_on_and_later_ones_are_let_in(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "1", "--workers", "1"]);
    let mut member = Raw::joined(2, daemon.address(), 1);
    member.hears_nothing();
    if !leave_descriptors(&daemon, 20) {
        return println!("skipped: prlimit(1) is not there or not permitted");
    }
    let start = Instant::now();
    let waiting: Vec<Raw> = (0..60).map(|_| Raw::connect_from(ip(3), daemon.address())).collect();
    daemon.wait_for_log(&["cannot accept"]);
    for _ in 0..100 {
        member.hears_nothing();
    }
    // For some there was room; the others are told.
    let mut let_in = Vec::new();
    for mut client in waiting {
        client.send(HELLO);
        if client.next_kind() == b'R' {
            assert_eq!(client.expect_reject(), "the server is full");
        } else {
            let_in.push(client);
        }
    }
    assert!((10..=30).contains(&let_in.len()), "{} were let in", let_in.len());
    let_in.truncate(5);
    let released = Instant::now();
    for _ in 0..10 {
        let_in_at_last(daemon.address());
    }
    println!("in again after {} ms on {}", released.elapsed().as_millis(), engine.name());
    member.hears_nothing();
    let complaints = daemon.log().iter().filter(|line| line.contains("cannot accept")).count();
    assert!(complaints as u64 <= 1 + start.elapsed().as_secs() / 10, "{:#?}", daemon.log());
}

/// More clients are asked for than there can be descriptors: the reserve keeps the server able to say that it is full.
fn a_limit_beyond_the_descriptors_is_lowered_to_them(engine: Engine) {
    let args = ["--max-clients", "1000", "--loops", "1", "--workers", "1"];
    let daemon = Daemon::spawn(&mut Daemon::command_after("ulimit -n 64", engine, &args));
    let _members: Vec<Raw> = (0..29).map(|_| Raw::joined(2, daemon.address(), 1)).collect();
    for _ in 0..8 {
        assert_eq!(Raw::connect(daemon.address()).expect_reject(), "the server is full");
    }
    daemon.wait_for_log(&["--max-clients", "1000", "descriptors", "29"]);
}

fn many_connections_at_once_are_all_served(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut clients: Vec<Raw> = (0..500).map(|_| Raw::connect(daemon.address())).collect();
    clients.iter_mut().for_each(|client| client.send(HELLO));
    for client in &mut clients {
        client.expect(ACCEPT);
        client.expect(ASK_1);
    }
}

/// The system's table of connections has a keepalive timer running for ours: its field `tr` is 02.
fn connections_find_out_when_their_peers_are_gone_without_a_word(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    let peer = client.stream().local_addr().unwrap();
    let ends = format!(":{:04X} {}", daemon.address().port(), in_hexadecimal(peer));
    let mut line = String::new();
    process::eventually("our end of the connection at rest", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        line = table.lines().find(|line| line.contains(&ends)).unwrap_or_default().to_owned();
        line.split_whitespace().nth(5).is_some_and(|timer| timer.starts_with("02:"))
    });
}

/// As the system's table has an address.
fn in_hexadecimal(address: std::net::SocketAddr) -> String {
    let std::net::IpAddr::V4(ip) = address.ip() else { panic!("an IPv4 address") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
}
