//! What `rollcall` makes of its command line, and how it ends.

#![cfg(feature = "client")]
#![cfg(test)]

mod common;
mod support_client;

use std::net::TcpListener;

use support_client::Rollcall;

const COMMANDS: &[&str] = &["list", "watch", "answer", "call", "chat", "demo"];
/// Those that are there with the door chapp only.
const CHAPP_COMMANDS: &[&str] =
    if cfg!(feature = "chapp") { &["introduce", "post", "inbox", "probe"] } else { &[] };
/// Those that are there with the door FmLTP only.
const FMLTP_COMMANDS: &[&str] = if cfg!(feature = "fmltp") { &["passwd", "probe"] } else { &[] };

#[test]
fn help_is_for_standard_output_and_ends_well() {
    for arguments in [&["help"][..], &["--help"], &["-h"]] {
        let ended = Rollcall::run(arguments, b"");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        for command in COMMANDS.iter().chain(CHAPP_COMMANDS).chain(FMLTP_COMMANDS) {
            assert!(ended.text().contains(&format!("\n    {command} ")), "{command}");
        }
    }
    for command in COMMANDS.iter().chain(CHAPP_COMMANDS).chain(FMLTP_COMMANDS) {
        let ended = Rollcall::run(&[command, "--help"], b"");
        assert_eq!(ended.code, Some(0));
        assert!(ended.text().starts_with(&format!("Usage: rollcall {command}")), "{}", ended.text());
        assert_eq!(Rollcall::run(&["help", command], b"").text(), ended.text());
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ended = Rollcall::run(&["-V"], b"");
    assert_eq!((ended.code, ended.text()), (Some(0), concat!("rollcall ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_is_wrong() {
    let table: [(&[&str], &str); 14] = [
        (&[], "no command is given"),
        (&["dance"], "there is no command \"dance\""),
        (&["list", "--bogus"], "there is no option --bogus"),
        (&["list", "a", "b"], "\"b\" is one argument too many"),
        (&["list", "host:port"], "\"host:port\" is no address; write ADDR:PORT"),
        (&["watch", "--interval", "0"], "--interval takes seconds from 0.1 to 3600, not \"0\""),
        (&["answer"], "--nick has to be given: the name that others see"),
        (&["answer", "--nick", ""], "--nick takes 1 to 255 bytes without control characters"),
        (
            &["answer", "--nick", "b", "--accept", "some"],
            "--accept takes \"all\", \"ask\" or \"none\", not \"some\"",
        ),
        (
            &["answer", "--nick", "b", "--hold", "134217727"],
            "--hold takes a number from 134217728 to more, not \"134217727\"",
        ),
        (
            &["answer", "--nick", "b", "--max-peers", "0"],
            "--max-peers takes a number from 1 to 4096, not \"0\"",
        ),
        (&["call", "--nick", "a"], "PEER has to be given, as ADDR:PORT"),
        (&["call", "--nick", "a", "127.0.0.1"], "\"127.0.0.1\" is no address; write ADDR:PORT"),
        (&["chat"], "--nick has to be given: the name that others see"),
    ];
    for (arguments, what) in table {
        let ended = Rollcall::run(arguments, b"");
        let expected = format!("rollcall: {what}\nTry 'rollcall --help', or read rollcall(1).\n");
        assert_eq!((ended.code, ended.stderr), (Some(2), expected), "{arguments:?}");
    }
}

/// A place where nobody listens, at an address at which none of those who listen in these tests gets a port.
fn nobody_there() -> String {
    TcpListener::bind("127.0.0.99:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn who_is_not_there_is_unreachable() {
    let gone = nobody_there();
    let table: [&[&str]; 5] = [
        &["list", &gone],
        &["watch", &gone],
        &["call", "--nick", "a", &gone],
        &["chat", "--nick", "a", &gone],
        &["answer", "--nick", "a", "--server", &gone],
    ];
    for arguments in table {
        let ended = Rollcall::run(arguments, b"");
        assert_eq!(ended.code, Some(5), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("cannot reach {gone}: connection refused; ")),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn the_environment_names_the_server_where_nothing_else_does() {
    let gone = nobody_there();
    let mut command = support_client::command(["list"]);
    let ended = Rollcall::spawn(command.env("ROLLCALL_SERVER", &gone)).finish();
    assert!(ended.stderr.contains(&gone), "{}", ended.stderr);
}

#[test]
fn a_directory_that_is_not_there_is_an_error_at_once() {
    let ended = Rollcall::run(&["answer", "--nick", "b", "--out", "/nonexistent/rollcall"], b"");
    assert_eq!(ended.code, Some(1));
    let what = "rollcall: cannot create a file in /nonexistent/rollcall: no such file or directory\n";
    assert_eq!(ended.stderr, what);
}

#[test]
fn the_demo_tells_its_story_and_ends_well() {
    let ended = Rollcall::run(&["demo"], b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    let text = ended.text();
    for told in [
        "rollcalld lekt listening on 127.0.0.1:",
        "alice     bob calls, I accept",
        "alice     <bob> hello alice",
        "[10000000 bytes of binary data]",
        "alice     bob has hung up",
        "left",
    ] {
        assert!(text.contains(told), "{told:?} in {text}");
    }
    assert!(!text.contains('\x1b'), "no colours where there is no terminal");
    let port = text.split("127.0.0.1:").nth(1).unwrap().split(' ').next().unwrap();
    let left = std::net::TcpStream::connect(format!("127.0.0.1:{port}"));
    assert!(left.is_err(), "the daemon is gone");
}
