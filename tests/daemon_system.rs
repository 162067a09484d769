//! `rollcalld`: what it has to do with the system it runs on: users, supervisors, the log.

#![cfg(test)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::process::is_root;
use common::*;

/// The number of the user and the group that are called nobody; everywhere where these tests run.
const NOBODY: u32 = 65_534;

on_both_engines!(
    with_user_it_becomes_that_user,
    who_may_not_change_its_user_is_told,
    a_port_that_is_not_permitted_is_told,
    the_supervisor_hears_when_it_is_ready_and_when_it_ends,
    sockets_that_are_handed_over_are_listened_on,
    sockets_for_somebody_else_are_left_alone,
    the_log_has_a_time_unless_journald_has_one,
    quiet_logs_errors_only,
    verbose_logs_more,
    rust_log_decides,
    a_reader_of_the_log_that_goes_does_not_end_it,
    no_address_space_is_set_aside_for_threads_beside_their_stacks,
);

/// What the C library sets aside for a thread, if it is let, is 64 MiB at a time: a daemon in less than that would be
/// missing them when it starts.
fn no_address_space_is_set_aside_for_threads_beside_their_stacks(engine: Engine) {
    let daemon = Daemon::start(engine, &["--loops", "2", "--workers", "1"]);
    let mut members: Vec<Raw> = (2..=20).map(|last| Raw::joined(last, daemon.address(), 1)).collect();
    members.iter_mut().for_each(Raw::beat);
    members.iter_mut().for_each(|member| drop(member.take_packet()));
    let peak = process::status(daemon.pid(), "VmPeak");
    let peak: u64 = peak.split(' ').next().unwrap().parse().unwrap();
    assert!(peak < 64 * 1024, "{peak} KiB on {}", engine.name());
}

/// The program at a place where everybody can run it, as nobody; none where that cannot be.
fn as_nobody(place: &Place) -> Option<Command> {
    if !is_root() {
        println!("skipped: only root can become somebody else");
        return None;
    }
    let program = place.copy_program(Daemon::program().get_program());
    let mut command = Command::new(&program);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let runs = Command::new(&program).uid(NOBODY).gid(NOBODY).arg("-V").stdout(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        println!("skipped: nobody cannot run {}", program.display());
        return None;
    }
    Some(command)
}

fn with_user_it_becomes_that_user(engine: Engine) {
    if !is_root() {
        return println!("skipped: only root can become somebody else");
    }
    let daemon = Daemon::start(engine, &["--user", "nobody"]);
    for field in ["Uid", "Gid"] {
        let numbers = process::status(daemon.pid(), field);
        assert!(numbers.split('\t').all(|number| number == NOBODY.to_string()), "{field} {numbers}");
    }
    assert_eq!(process::status(daemon.pid(), "CapEff").trim_start_matches('0'), "");
    Raw::connect(daemon.address()).shake_hands();
}

fn who_may_not_change_its_user_is_told(engine: Engine) {
    let place = Place::new();
    let Some(mut command) = as_nobody(&place) else { return };
    let output = Daemon::finish(command.args(CLOSED).args([
        "--engine",
        engine.name(),
        "--lekt",
        "127.0.0.1:0",
        "--user",
        "root",
    ]));
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--user"), "{stderr}");
}

fn a_port_that_is_not_permitted_is_told(engine: Engine) {
    let place = Place::new();
    let Some(mut command) = as_nobody(&place) else { return };
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if first.trim().parse::<u16>().unwrap_or(0) <= 1 {
        return println!("skipped: on this machine everybody may listen on any port");
    }
    let output =
        Daemon::finish(command.args(CLOSED).args(["--engine", engine.name(), "--lekt", "127.0.0.1:1"]));
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("127.0.0.1:1"), "{stderr}");
}

fn the_supervisor_hears_when_it_is_ready_and_when_it_ends(engine: Engine) {
    if cfg!(not(feature = "systemd")) {
        return println!("skipped: built without systemd");
    }
    let place = Place::new();
    let supervisor = UnixDatagram::bind(place.join("notify")).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let hears = |wanted: &str| {
        let mut message = [0; 4096];
        let length = supervisor.recv(&mut message).unwrap();
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        assert!(message.lines().any(|line| line == wanted), "{message}");
    };
    let mut command = Daemon::command(engine, &[]);
    let mut daemon = Daemon::spawn(command.env("NOTIFY_SOCKET", place.join("notify")));
    hears("READY=1");
    assert!(daemon.terminate().success());
    hears("STOPPING=1");
}

/// Runs the daemon with `listener` as the first descriptor that is handed over, which the shell puts in place.
fn handed_over(engine: Engine, listener: TcpListener, pid: &str) -> Command {
    let mut shell = Daemon::program();
    let program = shell.get_program().to_owned();
    shell = Command::new("sh");
    let script = format!("exec 3<&0 </dev/null; export LISTEN_PID={pid} LISTEN_FDS=1; exec \"$@\"");
    shell.arg("-c").arg(script).arg("sh").arg(program).args(["--engine", engine.name()]);
    shell.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM");
    shell.stdin(Stdio::from(OwnedFd::from(listener)));
    shell
}

fn sockets_that_are_handed_over_are_listened_on(engine: Engine) {
    if cfg!(not(feature = "systemd")) {
        return println!("skipped: built without systemd");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut daemon = Daemon::spawn_with(&mut handed_over(engine, listener, "$$"), 1);
    assert_eq!(daemon.addresses(), [address]);
    let mut one = Raw::joined(2, address, 1);
    let two = Raw::joined(3, address, 2);
    one.hears(&[], &[who(3, 2)]);
    drop((one, two));
    assert!(daemon.terminate().success());
}

fn sockets_for_somebody_else_are_left_alone(engine: Engine) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = handed_over(engine, listener, "1");
    let daemon = Daemon::spawn(command.args(["--lekt", "127.0.0.9:0"]).args(CLOSED));
    assert_ne!(daemon.address(), address);
    Raw::connect(daemon.address()).shake_hands();
}

/// The line of the log that `USR1` asks for, once it stands in the file.
fn status_line(mut command: Command, log: &Path) -> String {
    let mut daemon = Killed(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(daemon.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    process::signal(daemon.0.id(), "USR1");
    let mut line = None;
    process::eventually("the status", || {
        let text = fs::read_to_string(log).unwrap();
        line = text
            .split_inclusive('\n')
            .find(|line| line.contains("status") && line.ends_with('\n'))
            .map(str::to_owned);
        line.is_some()
    });
    line.unwrap()
}

/// Journald is where the log goes if its variable names the very file that stderr is; it may be inherited.
fn the_log_has_a_time_unless_journald_has_one(engine: Engine) {
    let place = Place::new();
    let (path, elsewhere) = (place.join("log"), place.join("elsewhere"));
    let log = fs::File::create(&path).unwrap();
    let name = |file: &fs::File| {
        let status = file.metadata().unwrap();
        format!("{}:{}", status.dev(), status.ino())
    };
    let streams = [None, Some(name(&fs::File::create(elsewhere).unwrap())), Some(name(&log))];
    let lines = streams.map(|stream| {
        log.set_len(0).unwrap();
        let mut command = Daemon::command(engine, &[]);
        command.envs(stream.map(|stream| ("JOURNAL_STREAM", stream)));
        command.stderr(fs::File::options().append(true).open(&path).unwrap());
        status_line(command, &path)
    });
    for line in &lines[..2] {
        let time: String = line.chars().take(20).map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(time, "9999-99-99T99:99:99Z", "{line}");
    }
    assert!(lines[2].starts_with("info: status"), "{}", lines[2]);
}

fn quiet_logs_errors_only(engine: Engine) {
    let mut daemon = Daemon::start(engine, &["-q"]);
    daemon.signal("USR1");
    daemon.signal("HUP");
    Raw::joined(2, daemon.address(), 1).send(GARBAGE);
    assert!(daemon.terminate().success());
    assert_eq!(daemon.log(), [""; 0]);
}

fn verbose_logs_more(engine: Engine) {
    let levels = |args: &[&str]| {
        let mut daemon = Daemon::start(engine, args);
        let mut client = Raw::joined(2, daemon.address(), 1);
        client.hears_nothing();
        client.send(GARBAGE);
        client.expect_reject();
        drop(client);
        assert!(daemon.terminate().success());
        let has = |level: &str| daemon.log().iter().any(|line| line.contains(&format!(" {level}: ")));
        [has("info"), has("debug"), has("trace")]
    };
    assert_eq!(levels(&[]), [true, false, false]);
    assert_eq!(levels(&["-v"]), [true, true, false]);
    assert_eq!(levels(&["-v", "-v"]), [true, true, true]);
    assert_eq!(levels(&["-vv"]), [true, true, true]);
}

fn rust_log_decides(engine: Engine) {
    let logs_debug = |value: &str, args: &[&str]| {
        let mut daemon = Daemon::spawn(Daemon::command(engine, args).env("RUST_LOG", value));
        Raw::connect(daemon.address()).shake_hands();
        let mut client = Raw::connect(daemon.address());
        client.send(GARBAGE);
        client.expect_reject();
        drop(client);
        assert!(daemon.terminate().success());
        daemon.log().iter().any(|line| line.contains(" debug: "))
    };
    assert!(logs_debug("debug", &[]));
    assert!(!logs_debug("error", &["-v"]));
}

/// A child that is killed when the test is over.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its stderr is a pipe whose reader ends at once; its stdout is a file, from which the address is read.
fn a_reader_of_the_log_that_goes_does_not_end_it(engine: Engine) {
    let place = Place::new();
    let output = place.join("output");
    let mut command = Daemon::command(engine, &["-v"]);
    command.stdin(Stdio::null()).stdout(fs::File::create(&output).unwrap()).stderr(Stdio::piped());
    let mut daemon = Killed(command.spawn().unwrap());
    drop(daemon.0.stderr.take());
    let mut line = String::new();
    process::eventually("the ready line", || {
        line = fs::read_to_string(&output).unwrap();
        line.ends_with('\n')
    });
    let server = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    let mut client = Raw::joined(2, server, 1);
    for _ in 0..20 {
        Raw::connect(server).send(GARBAGE);
        client.hears_nothing();
    }
    process::signal(daemon.0.id(), "TERM");
    client.expect_reject();
    drop(client);
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}
