//! `rollcalld`: the command line.

#![cfg(test)]

mod common;

use std::net::{SocketAddr, TcpListener};
use std::process::Output;

use common::*;

/// What came of a run: its exit code, stdout, stderr.
fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The run ends with this code, and a line on stderr that holds all of `words`. Where the command line is to
/// blame, a second one says where to read about it.
#[track_caller]
fn fails(args: &[&str], code: i32, words: &[&str]) {
    let (status, stdout, stderr) = outcome(&Daemon::run(args));
    assert_eq!(status, Some(code), "{args:?}: {stderr}");
    assert_eq!(stdout, "", "{args:?}");
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), if code == 2 { 2 } else { 1 }, "{args:?}: {stderr}");
    assert!(lines[0].starts_with("rollcalld: "), "{args:?}: {stderr}");
    assert!(lines[1..].iter().all(|line| line.contains("--help")), "{args:?}: {stderr}");
    for word in words {
        assert!(lines[0].contains(word), "{args:?}: no {word:?} in {stderr}");
    }
}

#[test]
fn a_bad_value_is_a_usage_error_that_names_the_option() {
    let numbers = ["", "x", "-1", "1.5", " 1", "1 ", "99999999999999999999"];
    let outside: &[(&str, &[&str])] = &[
        ("--loops", &["0", "257"]),
        ("--workers", &["0", "257"]),
        ("--max-clients", &["0", "1048577"]),
        ("--max-per-address", &["1048577"]),
        ("--handshake-timeout", &["0", "3601"]),
        ("--heartbeat-timeout", &["0", "86401"]),
        ("--journal", &["15", "16777216"]),
        ("--high-mark", &["1023", "1073741825"]),
    ];
    let fmltp: &[(&str, &[&str])] = &[("--fmltp-timeout", &["0", "3601"]), ("--fmltp-cooldown", &["86401"])];
    let residue: &[(&str, &[&str])] = &[
        ("--residue-age", &["1", "299", "2147483648"]),
        ("--residue-tolerance", &["0", "86401"]),
        ("--residue-rsa-rate", &["10001"]),
        ("--residue-max-clients", &["0", "1048577"]),
        ("--residue-max-clients-per-address", &["1048577"]),
        ("--residue-memory", &["1048575", "1073741825"]),
    ];
    let toil: &[(&str, &[&str])] = &[("--slow-workers", &["0", "257"])];
    let outside = outside.iter().chain(with_fmltp(fmltp)).chain(with_residue(residue));
    for (option, values) in outside.chain(with_toil(toil)) {
        for value in numbers.iter().chain(*values) {
            fails(&[option, value, "--check"], 2, &[option]);
        }
    }
    for value in ["", "Events", "both", "event"] {
        fails(&["--engine", value, "--check"], 2, &["--engine", "events", "threads"]);
    }
    for value in ["", "nowhere", "7890", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:7890:", "Off"] {
        let residue = with_residue(&["--residue", "--residue-token", "--residue-log"]);
        for option in ["--lekt"].iter().chain(with_fmltp(&["--fmltp"])).chain(residue) {
            fails(&[option, value, "--check"], 2, &[option]);
        }
    }
    let names =
        ["", "FlexMusic", "FlexMusic,1.0", "FlexMusic,1.0.0.0", "FlexMusic,01.0.0", " FlexMusic,1.0.0"];
    for value in with_fmltp(&names) {
        fails(&["--fmltp-name", value, "--check"], 2, &["--fmltp-name", "FlexMusic,0.0.0"]);
    }
}

/// What is there with the door FmLTP only.
fn with_fmltp<T>(some: &[T]) -> &[T] {
    if cfg!(feature = "fmltp") { some } else { &[] }
}

/// What is there with the doors of Residue only.
fn with_residue<T>(some: &[T]) -> &[T] {
    if cfg!(feature = "residue") { some } else { &[] }
}

/// What is there where a door has something slow to do.
fn with_toil<T>(some: &[T]) -> &[T] {
    if cfg!(feature = "toil") { some } else { &[] }
}

#[test]
fn the_bounds_of_every_number_are_taken() {
    let bounds = &[
        ("--loops", ["1", "256"]),
        ("--workers", ["1", "256"]),
        ("--max-per-address", ["0", "64"]),
        ("--handshake-timeout", ["1", "3600"]),
        ("--heartbeat-timeout", ["1", "86400"]),
        ("--journal", ["16", "16777215"]),
        ("--high-mark", ["1024", "1073741824"]),
    ];
    let fmltp = &[("--fmltp-timeout", ["1", "3600"]), ("--fmltp-cooldown", ["0", "86400"])];
    let residue = &[
        ("--residue-age", ["300", "2147483647"]),
        ("--residue-age", ["0", "86400"]),
        ("--residue-tolerance", ["1", "86400"]),
        ("--residue-rsa-rate", ["0", "10000"]),
        ("--residue-max-clients", ["1", "1048576"]),
        ("--residue-max-clients-per-address", ["0", "1048576"]),
        ("--residue-memory", ["1048576", "1073741824"]),
    ];
    let toil = &[("--slow-workers", ["1", "256"])];
    let bounds = bounds.iter().chain(with_fmltp(fmltp)).chain(with_residue(residue));
    for (option, values) in bounds.chain(with_toil(toil)) {
        for value in values {
            let (status, stdout, stderr) = outcome(&Daemon::run(&[option, value, "--check"]));
            assert_eq!(status, Some(0), "{option} {value}: {stderr}");
            assert!(shows(&stdout, &option[2..], value), "{option} {value}: {stdout}");
        }
    }
}

/// Whether a line of the settings names the option and has the value.
fn shows(settings: &str, option: &str, value: &str) -> bool {
    settings.lines().any(|line| {
        let mut words = line.split(|c: char| c.is_whitespace() || c == '=').filter(|word| !word.is_empty());
        words.any(|word| word.trim_start_matches("--").trim_end_matches(':') == option)
            && words.any(|word| word == value)
    })
}

#[test]
fn what_is_no_option_is_a_usage_error() {
    fails(&["--nonsense"], 2, &["nonsense"]);
    fails(&["-x"], 2, &["x"]);
    fails(&["argument"], 2, &["argument"]);
    fails(&["--loops"], 2, &["loops"]);
    fails(&["--engine", "events", "--engine", "threads"], 2, &["engine"]);
    fails(&["--check=yes"], 2, &["check"]);
    fails(&["-q", "-v"], 2, &["-q", "-v"]);
    fails(&["--engine", "threads", "--loops", "2"], 2, &["--loops", "--engine"]);
    fails(&[&["--lekt", "off"], CLOSED].concat(), 2, &["--lekt", "door"]);
    fails(&["--lekt", "off", "--lekt", "127.0.0.1:0"], 2, &["--lekt"]);
}

#[test]
fn an_unknown_user_or_group_is_named() {
    fails(&["--user", "no-such-user-here", "--check"], 2, &["user", "no-such-user-here"]);
    fails(&["--group", "no-such-group-here", "--check"], 2, &["group", "no-such-group-here"]);
}

#[test]
fn help_names_every_option() {
    for option in ["-h", "--help"] {
        let (status, stdout, stderr) = outcome(&Daemon::run(&[option]));
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        for name in OPTIONS {
            assert!(stdout.contains(&format!("--{name}")), "no --{name} in {stdout}");
        }
        for (names, are_there) in sometimes() {
            for name in names {
                assert_eq!(stdout.contains(&format!("--{name} ")), are_there, "--{name} in {stdout}");
            }
        }
    }
}

/// Without a door its options are not known either.
#[test]
fn what_is_not_built_in_has_no_options() {
    let absent = sometimes().into_iter().filter(|(_, are_there)| !are_there).flat_map(|(names, _)| names);
    // That a door is closed may be said all the same.
    for name in absent.filter(|name| !CLOSED.contains(&format!("--{name}").as_str())) {
        fails(&[&format!("--{name}")], 2, &[&format!("there is no option --{name}")]);
    }
}

/// The options that are not always there, and whether they are.
fn sometimes() -> [(&'static [&'static str], bool); 4] {
    [
        (FMLTP_OPTIONS, cfg!(feature = "fmltp")),
        (RESIDUE_OPTIONS, cfg!(feature = "residue")),
        (&["slow-workers"], cfg!(feature = "toil")),
        (&["data"], cfg!(feature = "clerks")),
    ]
}

const FMLTP_OPTIONS: &[&str] = &[
    "fmltp",
    "fmltp-users",
    "fmltp-open",
    "fmltp-name",
    "fmltp-timeout",
    "fmltp-cooldown",
    "fmltp-cooldown-loopback",
];

const RESIDUE_OPTIONS: &[&str] = &[
    "residue",
    "residue-token",
    "residue-log",
    "residue-logs",
    "residue-log-format",
    "residue-fsync",
    "residue-age",
    "residue-licensee",
    "residue-key",
    "residue-key-password",
    "residue-clients",
    "residue-codes",
    "residue-no-default-code",
    "residue-require-token",
    "residue-require-timestamp",
    "residue-tolerance",
    "residue-no-unknown",
    "residue-no-plain",
    "residue-no-compression",
    "residue-rsa-rate",
    "residue-max-clients",
    "residue-max-clients-per-address",
    "residue-memory",
];

const OPTIONS: [&str; 16] = [
    "lekt",
    "engine",
    "loops",
    "workers",
    "max-clients",
    "max-per-address",
    "handshake-timeout",
    "heartbeat-timeout",
    "journal",
    "high-mark",
    "user",
    "group",
    "pid-file",
    "check",
    "help",
    "version",
];

#[test]
fn version_is_said() {
    for option in ["-V", "--version"] {
        let (status, stdout, stderr) = outcome(&Daemon::run(&[option]));
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        assert_eq!(stdout, format!("rollcalld {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn check_prints_the_settings_and_starts_nothing() {
    // Its address is taken: only a start would notice.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let given = [
        ("lekt", address.as_str()),
        ("engine", "events"),
        ("loops", "3"),
        ("workers", "5"),
        ("max-clients", "77"),
        ("max-per-address", "9"),
        ("handshake-timeout", "11"),
        ("heartbeat-timeout", "31"),
        ("journal", "1000"),
        ("high-mark", "2048"),
    ];
    let mut args = vec!["--check".to_owned()];
    args.extend(given.iter().flat_map(|(option, value)| [format!("--{option}"), (*value).to_owned()]));
    let (status, stdout, stderr) =
        outcome(&Daemon::run(&args.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(status, Some(0), "{stderr}");
    for (option, value) in given {
        assert!(shows(&stdout, option, value), "no {option} {value} in {stdout}");
    }
}

#[test]
fn check_prints_the_defaults() {
    let (status, stdout, stderr) = outcome(&Daemon::run(&["--check"]));
    assert_eq!(status, Some(0), "{stderr}");
    let cores = std::thread::available_parallelism().unwrap().to_string();
    let defaults = [
        ("lekt", "127.0.0.1:7890"),
        ("engine", "events"),
        ("loops", cores.as_str()),
        ("workers", "1"),
        ("max-per-address", "64"),
        ("handshake-timeout", "10"),
        ("heartbeat-timeout", "30"),
        ("journal", "65536"),
        ("high-mark", "65536"),
    ];
    for (option, value) in defaults {
        assert!(shows(&stdout, option, value), "no {option} {value} in {stdout}");
    }
}

/// By default as many clients as there are descriptors, less 32, one for the listener and two for each loop; the
/// limit is raised to the hard one.
#[test]
fn the_default_of_max_clients_follows_the_descriptor_limit() {
    for (limits, most) in [("ulimit -n 100", "63"), ("ulimit -Sn 50; ulimit -Hn 300", "263")] {
        let mut command = Daemon::command_after(limits, Engine::Events, &["--check", "--loops", "2"]);
        let (status, stdout, stderr) = outcome(&Daemon::finish(&mut command));
        assert_eq!(status, Some(0), "{stderr}");
        assert!(shows(&stdout, "max-clients", most), "{limits}: {stdout}");
    }
}

on_both_engines!(
    it_listens_where_it_is_told,
    an_address_in_use_is_a_failure_that_names_it,
    the_ready_line_says_how_to_open_it_to_others,
);

fn it_listens_where_it_is_told(engine: Engine) {
    let args = ["--lekt", "127.0.0.1:0", "--lekt", "127.0.0.5:0", "--lekt", "127.0.0.1:0"];
    let daemon = Daemon::start(engine, &args);
    let hosts: Vec<_> = daemon.addresses().iter().map(SocketAddr::ip).collect();
    assert_eq!(hosts, [ip(1), ip(5), ip(1)]);
    for address in daemon.addresses() {
        Raw::connect(*address).shake_hands();
    }
}

fn an_address_in_use_is_a_failure_that_names_it(engine: Engine) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["--engine", engine.name(), "--lekt", &address], 1, &[&address, "in use"]);
    fails(&["--engine", engine.name(), "--lekt", "127.0.0.1:0", "--lekt", &address], 1, &[&address]);
    fails(&["--engine", engine.name(), "--lekt", "192.0.2.1:0"], 1, &["192.0.2.1"]);
}

fn the_ready_line_says_how_to_open_it_to_others(engine: Engine) {
    let local = Daemon::start(engine, &[]);
    let port = local.address().port();
    let wanted = format!(
        "lekt listening on 127.0.0.1:{port} (this machine only; --lekt 0.0.0.0:{port} opens it to others)"
    );
    assert_eq!(local.output(), [wanted]);

    let open = Daemon::start(engine, &["--lekt", "127.0.0.1:0", "--lekt", "0.0.0.0:0"]);
    for (line, address) in open.output().iter().zip(open.addresses()) {
        assert_eq!(*line, format!("lekt listening on {address}"));
    }
}

/// A server that could not let anybody in does not begin.
#[test]
fn too_few_descriptors_for_any_client_are_a_failure() {
    let mut command = Daemon::command_after("ulimit -n 100", Engine::Events, &["--loops", "60"]);
    let (status, _, stderr) = outcome(&Daemon::finish(&mut command));
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("100 descriptors") && stderr.contains("--loops"), "{stderr}");
}
