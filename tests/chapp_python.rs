//! chapp: with a client in Python, which reads as the public project's client does.
//!
//! The environment variable `ROLLCALL_PYTHON` names the interpreter; it has to work then. Without it, `python3`
//! is taken where it is new enough.

#![cfg(feature = "chapp")]
#![cfg(test)]

mod common;

use std::env;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use common::chapp::*;
use common::*;

on_both_engines!(
    it_introduces_itself_posts_and_says_goodbye,
    it_hears_what_is_posted_while_it_is_there,
    it_reads_whatever_was_sent,
    it_hears_everything_that_is_posted_at_once,
    two_of_them_talk,
);

/// An interpreter that is new enough, if there is one on this machine.
#[track_caller]
fn python() -> Option<String> {
    let given = env::var("ROLLCALL_PYTHON").ok();
    let name = given.clone().unwrap_or_else(|| "python3".to_owned());
    let mut command = Command::new(&name);
    command.args(["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]);
    if command.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Some(name);
    }
    assert!(given.is_none(), "ROLLCALL_PYTHON is {name:?}, which is no Python 3.10");
    println!("not checked: there is no python3 that is 3.10 or later");
    None
}

/// Runs the client with these commands, and returns the lines that it prints.
#[track_caller]
fn run(python: &str, daemon: &Daemon, name: &str, commands: &[&str]) -> Vec<String> {
    let door = door(daemon);
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chapp_client.py"));
    command.args([&door.ip().to_string(), &door.port().to_string(), name]).args(commands);
    let output = Daemon::finish(&mut command);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {stdout}{stderr}", output.status);
    stdout.lines().map(str::to_owned).collect()
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

fn it_introduces_itself_posts_and_says_goodbye(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start(engine, &[]);
    let mut bob = Chapp::introduced("bob", &daemon);
    let lines =
        run(&python, &daemon, "ann", &["post bob hi bob", "post server hi", "goodbye", "post bob late"]);
    let posted = format!("POST 100 ann {}", hex("hi bob"));
    assert_eq!(
        lines,
        ["INTRODUCE 100 ann", &posted, "POST 302 INVALID_TO_USER", "GOODBYE 100", "POST 304 NOT_INTRODUCED"]
    );
    assert_eq!(bob.take_delivery().kept.message, "hi bob");
    assert_eq!(run(&python, &daemon, "bob", &[]), ["INTRODUCE 301 INVALID_USERNAME"]);
}

fn it_hears_what_is_posted_while_it_is_there(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start(engine, &[]);
    let mut bob = Chapp::introduced("bob", &daemon);
    let lines = run(&python, &daemon, "ann", &["post ann one", "post bob two", "post ann three", "until 2"]);
    let [one, two, three] = ["one", "two", "three"].map(hex);
    let wanted = [
        "INTRODUCE 100 ann".to_owned(),
        format!("HEARD ann {one}"),
        format!("POST 100 ann {one}"),
        format!("POST 100 ann {two}"),
        format!("HEARD ann {three}"),
        format!("POST 100 ann {three}"),
    ];
    assert_eq!(lines, wanted);
    assert_eq!(bob.take_delivery().kept.message, "two");
}

fn it_reads_whatever_was_sent(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start(engine, &[]);
    let long = "0123456789 ".repeat(900);
    let controls: String = (1..0x20_u8).map(char::from).collect();
    let messages = [
        "plain",
        "it's \"quoted\" '''thrice''' \"\"\"",
        "d\u{e9}j\u{e0} vu \u{65e5}\u{672c}\u{8a9e} \u{1f600} \u{2028}\u{85}\u{feff}",
        "two\nlines\n",
        "ends in a backslash\\",
        "\\n \\u0041 \\x41 \\N{DIGIT ONE} \\",
        "{'a': [1, None]}",
        "10:30: lunch",
        &format!("<{controls}>"),
        &long,
    ];
    let commands: Vec<_> = messages.iter().map(|message| format!("post bob {message}")).collect();
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    let mut bob = Chapp::introduced("bob", &daemon);
    let lines = run(&python, &daemon, "ann", &commands);
    for (line, message) in lines[1..].iter().zip(messages) {
        assert_eq!(*line, format!("POST 100 ann {}", hex(message)));
        assert_eq!(bob.take_delivery().kept.message, message);
    }
    drop(bob);
    // A NUL cannot be handed over on a command line.
    Chapp::connect(&daemon).connects("ann");
    let mut eve = Chapp::introduced("eve", &daemon);
    eve.posts("bob", "<\0>");
    process::eventually("whoever was bob is gone", || {
        let lines = run(&python, &daemon, "bob", &[]);
        let found = messages.iter().map(|message| format!("FOUND ann {}", hex(message)));
        let wanted: Vec<_> = found.chain([format!("FOUND eve {}", hex("<\0>"))]).collect();
        lines[0] == "INTRODUCE 100 bob" && lines[1..] == wanted
    });
}

fn it_hears_everything_that_is_posted_at_once(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start(engine, &[]);
    let mut ann = Chapp::introduced("ann", &daemon);
    let lines = thread::scope(|scope| {
        let bob =
            scope.spawn(|| run(&python, &daemon, "bob", &["post ann I am here", "until 40", "goodbye"]));
        assert_eq!(ann.take_delivery().kept.message, "I am here");
        let ids: Vec<_> = (0..40).map(|number| ann.sends_post("bob", &format!("message {number}"))).collect();
        for (number, id) in ids.into_iter().enumerate() {
            ann.hears_posted(id, "bob", &format!("message {number}"));
        }
        bob.join().unwrap()
    });
    let heard: Vec<_> = lines.iter().filter(|line| line.starts_with("HEARD ")).collect();
    let wanted: Vec<_> =
        (0..40).map(|number| format!("HEARD ann {}", hex(&format!("message {number}")))).collect();
    assert!(heard.into_iter().eq(&wanted), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "GOODBYE 100");
}

fn two_of_them_talk(engine: Engine) {
    let Some(python) = python() else { return };
    let (daemon, _place) = start(engine, &[]);
    let posts = |to: &str| {
        let mut commands: Vec<_> = (0..10).map(|number| format!("post {to} {number}")).collect();
        commands.extend(["until 10".to_owned(), "goodbye".to_owned()]);
        commands
    };
    let talk = |name: &str, to: &str| {
        let commands = posts(to);
        run(&python, &daemon, name, &commands.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let both = thread::scope(|scope| {
        let ann = scope.spawn(|| talk("ann", "bob"));
        let bob = scope.spawn(|| talk("bob", "ann"));
        [ann, bob].map(|one| one.join().unwrap())
    });
    for (lines, other) in both.iter().zip(["bob", "ann"]) {
        let came =
            lines.iter().filter_map(|line| line.strip_prefix("HEARD ").or(line.strip_prefix("FOUND ")));
        let wanted: Vec<_> = (0..10).map(|number| format!("{other} {}", hex(&number.to_string()))).collect();
        assert!(came.eq(&wanted), "{lines:#?}");
        assert_eq!(lines.last().unwrap(), "GOODBYE 100");
    }
}
