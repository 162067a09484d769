//! `rollcalld`: signals, and the end.

#![cfg(test)]

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use common::*;

on_both_engines!(
    term_says_so_to_everybody_and_ends_well,
    int_says_so_to_everybody_and_ends_well,
    who_goes_on_sending_is_told_as_well,
    a_client_that_does_not_read_does_not_hold_up_the_end,
    nobody_is_let_in_any_more_at_the_end,
    hup_disconnects_nobody,
    a_daemon_that_was_stopped_reads_before_it_judges,
    usr1_logs_the_status,
    the_pid_file_is_there_as_long_as_the_daemon,
    a_pid_file_is_written_through_no_link,
    a_pid_file_of_another_daemon_is_left_alone,
    a_pid_file_that_cannot_be_written_is_a_failure,
);

/// A laptop that slept, or a machine that was frozen: what clients have sent meanwhile counts.
fn a_daemon_that_was_stopped_reads_before_it_judges(engine: Engine) {
    let daemon = Daemon::start(engine, &["--heartbeat-timeout", "1"]);
    let mut client = Raw::joined(2, daemon.address(), 1);
    client.hears_nothing();
    daemon.signal("STOP");
    process::eventually("every thread stands still", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
        let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).unwrap();
        tasks.map(|task| status(task.unwrap())).all(|status| status.contains("\nState:\tT"))
    });
    client.beat();
    assert!(!client.hears_within(Duration::from_millis(1500)), "the daemon is not stopped");
    daemon.signal("CONT");
    client.expect_answer(&[], &[]);
    client.hears_nothing();
}

fn ends_well(engine: Engine, signal: &str) {
    let mut daemon = Daemon::start(engine, &[]);
    let silent = Raw::connect(daemon.address());
    let mut in_setup = Raw::connect(daemon.address());
    in_setup.shake_hands();
    let mut members: Vec<Raw> = (2..20).map(|last| Raw::joined(last, daemon.address(), 1)).collect();
    daemon.signal(signal);
    for client in members.iter_mut().chain([&mut in_setup]) {
        let reason = client.expect_reject();
        assert_eq!(reason, "the server is shutting down");
    }
    drop((silent, members, in_setup));
    let status = daemon.wait_for_exit();
    assert_eq!(status.code(), Some(0), "{status}");
}

fn term_says_so_to_everybody_and_ends_well(engine: Engine) {
    ends_well(engine, "TERM");
}

fn int_says_so_to_everybody_and_ends_well(engine: Engine) {
    ends_well(engine, "INT");
}

/// Heartbeats are on their way when the reason is: they must not destroy it.
fn who_goes_on_sending_is_told_as_well(engine: Engine) {
    let mut daemon = Daemon::start(engine, &[]);
    let senders: Vec<_> = (2..10)
        .map(|last| {
            let mut client = Raw::joined(last, daemon.address(), 1);
            client.beat();
            client.take_packet();
            thread::spawn(move || {
                while client.next_kind() != b'R' {
                    client.beat();
                    client.beat();
                    client.take_packet();
                }
                client.expect_reject()
            })
        })
        .collect();
    daemon.signal("TERM");
    for sender in senders {
        assert_eq!(sender.join().unwrap(), "the server is shutting down");
    }
    assert_eq!(daemon.wait_for_exit().code(), Some(0));
}

/// Neither one that never reads nor one that never closes.
fn a_client_that_does_not_read_does_not_hold_up_the_end(engine: Engine) {
    let mut daemon = Daemon::start(engine, &["--max-messages", "0"]);
    let mut stuck = Raw::connect_narrow(ip(3), daemon.address());
    stuck.join(7000);
    stuck.fill();
    let mut open = Raw::joined(2, daemon.address(), 1);
    let status = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
    open.take_reject();
}

fn nobody_is_let_in_any_more_at_the_end(engine: Engine) {
    // At an address of its own, where no other test could take the port meanwhile.
    let address = if engine == Engine::Events { "127.9.9.1:0" } else { "127.9.9.2:0" };
    let mut daemon = Daemon::start(engine, &["--lekt", address]);
    let address = daemon.address();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(std::net::TcpStream::connect(address).is_err());
    // The port is free again at once.
    let again = Daemon::start(engine, &["--lekt", &address.to_string()]);
    assert_eq!(again.address(), address);
}

fn hup_disconnects_nobody(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let mut members = [2, 3].map(|last| Raw::joined(last, daemon.address(), 1));
    members[0].hears(&[], &[who(3, 1)]);
    for _ in 0..3 {
        daemon.signal("HUP");
    }
    daemon.wait_for_log(&["read again"]);
    members[0].hears_nothing();
    members[1].hears(&[], &[who(2, 1)]);
    let _new = Raw::joined(4, daemon.address(), 1);
    members[0].hears(&[], &[who(4, 1)]);
}

fn usr1_logs_the_status(engine: Engine) {
    let daemon = Daemon::start(engine, &[]);
    let _members = [2, 3, 4].map(|last| Raw::joined(last, daemon.address(), 1));
    daemon.signal("USR1");
    daemon.wait_for_log(&["status", "3"]);
}

fn the_pid_file_is_there_as_long_as_the_daemon(engine: Engine) {
    let place = Place::new();
    let file = place.text("pid");
    fs::write(&file, "999999999\n").unwrap();
    let mut daemon = Daemon::start(engine, &["--pid-file", &file]);
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", daemon.pid()));
    daemon.terminate();
    assert!(!fs::exists(&file).unwrap());
}

fn a_pid_file_is_written_through_no_link(engine: Engine) {
    let place = Place::new();
    let (file, victim) = (place.text("pid"), place.text("victim"));
    fs::write(&victim, "precious").unwrap();
    let trap = format!("ln -s '{victim}' '{file}'.$$");
    let mut daemon = Daemon::spawn(&mut Daemon::command_after(&trap, engine, &["--pid-file", &file]));
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    daemon.terminate();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    std::os::unix::fs::symlink(&victim, &file).unwrap();
    let output = Daemon::finish(&mut Daemon::command(engine, &["--pid-file", &file]));
    assert_eq!(output.status.code(), Some(1), "what is there is no regular file");
}

fn a_pid_file_of_another_daemon_is_left_alone(engine: Engine) {
    let place = Place::new();
    let file = place.text("pid");
    let mut first = Daemon::start(engine, &["--pid-file", &file]);
    let second = Daemon::start(engine, &["--pid-file", &file]);
    first.terminate();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", second.pid()));
}

fn a_pid_file_that_cannot_be_written_is_a_failure(engine: Engine) {
    let place = Place::new();
    let file = place.text("no/such/directory/pid");
    let mut command = Daemon::command(engine, &["--pid-file", &file]);
    let output = Daemon::finish(&mut command);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&file), "{stderr}");
}
