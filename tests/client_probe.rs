//! `rollcall probe fmltp` against servers of all kinds, played by threads of the test.

#![cfg(all(feature = "client", feature = "fmltp"))]
#![cfg(test)]

mod common;
mod support_client;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rollcall::fmltp::fernet::{self, Key, Scan};
use rollcall::fmltp::{group, key, pem};
use serde_json::Value;

use common::PATIENCE;
use support_client::{Ended, Rollcall};

const GREETING: &str = "FlexMusic,0.0.0\r\n";
const READY: &str = "100 FmLTP/1.0 Interpreter Ready.\r\n";
const WANTS_PASSWORD: &str = "100 FmLTP/1.0 Interpreter Ready.\r\nAuthentication required.\r\n";
const HELP: &str =
    "200 Available commands:\r\nHELP - Displays help\r\nQUIT - Closes\r\nRun HELP <command>.\r\n";

/// The server's end of a connection.
struct Server {
    stream: TcpStream,
    waiting: Vec<u8>,
}

impl Server {
    /// A server that does this with its only client; where it listens, and what comes of it.
    fn start<T: Send + 'static>(
        script: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> (String, JoinHandle<T>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let played = thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            script(&mut Self { stream, waiting: Vec::new() })
        });
        (place, played)
    }

    fn says(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).unwrap();
    }

    /// Reads until `whole` says how long the packet at the front is.
    fn hears(&mut self, mut whole: impl FnMut(&[u8]) -> Option<usize>) -> Vec<u8> {
        loop {
            if let Some(end) = whole(&self.waiting) {
                return self.waiting.drain(..end).collect();
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the client has closed");
            self.waiting.extend_from_slice(&bytes[..count]);
        }
    }

    /// Greets, and tells what the client says of itself.
    fn greets(&mut self, greeting: &str) -> String {
        self.says(greeting);
        let line = self.hears(|bytes| bytes.iter().position(|&byte| byte == b'\n').map(|end| end + 1));
        String::from_utf8(line).unwrap()
    }

    /// Agrees on a key, and tells what the challenge is.
    fn agrees(&mut self) -> (Key, String) {
        self.says(group::parameters());
        let block = self.hears(|bytes| pem::frame(bytes, key::LABEL).unwrap());
        let agreed = key::agree(&key::PublicKey::parse(&block).unwrap());
        self.says(agreed.public.to_pem());
        let challenge = self.opens(&agreed.key);
        (agreed.key, challenge)
    }

    fn opens(&mut self, key: &Key) -> String {
        while self.waiting.first().is_some_and(u8::is_ascii_whitespace) {
            self.waiting.remove(0);
        }
        let mut text = Vec::new();
        self.hears(|bytes| {
            let start = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (end, said) = key.find(&bytes[start..], &mut Scan::default()).unwrap()?;
            text = said.to_vec();
            Some(start + end)
        });
        String::from_utf8(text).unwrap()
    }

    fn seals(&mut self, key: &Key, text: &str) {
        self.says(key.seal(text.as_bytes(), 0, fernet::fresh_iv()));
    }

    /// Takes commands until there are no more answers, and tells what they were.
    fn answers(&mut self, key: &Key, answers: &[&str]) -> Vec<String> {
        let mut commands = Vec::new();
        for answer in answers {
            commands.push(self.opens(key));
            self.seals(key, answer);
        }
        commands
    }
}

/// The first word of each line that is shown, and the second one, which says how it went.
fn steps(ended: &Ended) -> Vec<(String, String)> {
    let line = |line: &str| {
        let outcome = ["done", "skipped", "failed"].into_iter().find(|&word| line[13..].starts_with(word));
        (line[..13].trim().to_owned(), outcome.unwrap_or_else(|| panic!("{line:?}")).to_owned())
    };
    ended.text().lines().map(line).collect()
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.text().lines().count(), 1, "one object: {}", ended.text());
    serde_json::from_str(ended.text()).unwrap()
}

/// The step of this name.
fn step<'a>(object: &'a Value, name: &str) -> &'a Value {
    let steps = object["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no {name} in {object}"))
}

#[test]
fn each_step_has_a_line() {
    let (place, server) = Server::start(|server| {
        let theirs = server.greets(GREETING);
        let (key, challenge) = server.agrees();
        server.seals(&key, WANTS_PASSWORD);
        let commands =
            server.answers(&key, &["150 Authentication successful.\r\n", HELP, "200 Goodbye.\r\n"]);
        (theirs, challenge, commands)
    });
    let ended = Rollcall::run(&["probe", "fmltp", &place, "--user", "alice"], b"correct-horse\n");
    let (theirs, challenge, commands) = server.join().unwrap();
    assert_eq!((theirs.as_str(), challenge.as_str()), (GREETING, "FlexMusic,0.0.0"));
    assert_eq!(commands, ["AUTH alice correct-horse\r\n", "HELP\r\n", "QUIT\r\n"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    let names = [
        "connect",
        "greeting",
        "group",
        "our key",
        "server key",
        "challenge",
        "ready",
        "login",
        "help",
        "quit",
        "close",
    ];
    assert_eq!(steps(&ended), names.map(|name| (name.to_owned(), "done".to_owned())));
    for told in [
        &place,
        "FlexMusic,0.0.0; we say FlexMusic,0.0.0\n",
        "2048 bits, generator 2, no private value length\n",
        "100, the versions are the same; wants a user and a password\n",
        "150 Authentication successful.\n",
        "HELP, QUIT\n",
        "200 Goodbye.\n",
    ] {
        assert!(ended.text().contains(told), "{told:?} in {}", ended.text());
    }
    assert!(!ended.text().contains("correct-horse"));
}

#[test]
fn the_same_is_told_as_one_object() {
    let (place, _) = Server::start(|server| {
        let theirs = server.greets("FlexMusic Server,0.1.2\r\n");
        let (key, _) = server.agrees();
        server.seals(&key, "120 FmLTP/1.0 Intepreter Ready");
        server.answers(&key, &[HELP, "200 Goodbye.\r\n"]);
        theirs
    });
    let ended = Rollcall::run(&["probe", "fmltp", "--json", "--name", "FlexMusic me,0.0.2", &place], b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    let object = json(&ended);
    assert_eq!((&object["door"], &object["server"]), (&"fmltp".into(), &place.as_str().into()));
    assert_eq!((&object["result"], &object["error"]), (&"fine".into(), &Value::Null));
    assert!(object["ms"].as_f64().is_some_and(|ms| ms > 0.0));
    let greeting = step(&object, "greeting");
    assert_eq!(greeting["server"], serde_json::json!({"name": "FlexMusic Server", "version": "0.1.2"}));
    assert_eq!(greeting["client"], serde_json::json!({"name": "FlexMusic me", "version": "0.0.2"}));
    let group = step(&object, "group");
    let facts = (&group["bits"], &group["generator"], &group["private_value_length"]);
    assert_eq!(facts, (&2048.into(), &2.into(), &Value::Null));
    let ready = step(&object, "ready");
    assert_eq!((&ready["code"], &ready["expected"]), (&120.into(), &120.into()));
    assert_eq!(ready["authentication"], false);
    assert_eq!(step(&object, "login")["result"], "skipped");
    assert_eq!(step(&object, "help")["commands"], serde_json::json!(["HELP", "QUIT"]));
    assert_eq!(step(&object, "close")["result"], "done");
}

#[test]
fn who_does_not_log_in_sees_what_anybody_sees() {
    let (place, _) = Server::start(|server| {
        server.greets(GREETING);
        let (key, _) = server.agrees();
        server.seals(&key, WANTS_PASSWORD);
        server.answers(&key, &[HELP, "200 Goodbye.\r\n"])
    });
    let ended = Rollcall::run(&["probe", "fmltp", &place], b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    assert!(ended.text().contains("required, but there is no --user"), "{}", ended.text());
}

#[test]
fn a_rejection_ends_with_3_wherever_it_comes() {
    type Script = fn(&mut Server);
    let table: [(Script, &str, &str); 5] = [
        (|server| server.says("400 Try again in 300 s.\r\n"), "greeting", "400 Try again in 300 s."),
        (
            |server| {
                server.greets("FlexMusic,1.0.0\r\n");
                server.says("400 Another class.\r\n");
            },
            "group",
            "400 Another class.",
        ),
        (
            |server| {
                server.greets(GREETING);
                server.says(group::parameters());
                server.says("400 Too late.");
                server.hears(|bytes| pem::frame(bytes, key::LABEL).unwrap());
            },
            "server key",
            "400 Too late.",
        ),
        (
            |server| {
                server.greets(GREETING);
                let (key, _) = server.agrees();
                server.seals(&key, "400 Wrong challenge.\r\n");
            },
            "ready",
            "400 Wrong challenge.",
        ),
        (
            |server| {
                server.greets(GREETING);
                let (key, _) = server.agrees();
                server.seals(&key, WANTS_PASSWORD);
                server.answers(&key, &["151 Authentication failed.\r\n"]);
            },
            "login",
            "151 Authentication failed.",
        ),
    ];
    for (script, name, reason) in table {
        for format in [&["--user", "alice"][..], &["--user", "alice", "--json"]] {
            let (place, _) = Server::start(script);
            let ended = Rollcall::run(&[&["probe", "fmltp", &place], format].concat(), b"wrong-horse\n");
            assert_eq!(ended.code, Some(3), "{name}: {} {}", ended.text(), ended.stderr);
            assert_eq!(ended.stderr, format!("rollcall: rejected by {place}: {reason}\n"));
            assert!(!ended.text().contains("wrong-horse"));
            if format.len() == 3 {
                let object = json(&ended);
                assert_eq!(
                    (&object["result"], &step(&object, name)["result"]),
                    (&"rejected".into(), &"failed".into())
                );
            } else {
                assert_eq!(steps(&ended).pop(), Some((name.to_owned(), "failed".to_owned())));
                assert!(ended.text().contains(&format!("rejected: {reason}\n")), "{}", ended.text());
            }
        }
    }
}

#[test]
fn what_goes_wrong_is_told_with_its_step() {
    type Script = fn(&mut Server);
    let table: [(Script, &str, &str); 10] = [
        (
            |server| server.says("HTTP/1.1 400 Bad Request\r\n\r\n"),
            "greeting",
            "no name and version: no comma behind a name (byte 24); it said \"HTTP/1.1 400 Bad Request\\x0d\\x0a\\x0d\\x0a\"",
        ),
        (|_| (), "greeting", "it closed the connection"),
        (
            |server| server.says("FlexMus"),
            "greeting",
            "no name and version: no comma behind a name (byte 7); it said \"FlexMus\"",
        ),
        (
            |server| {
                server.greets(GREETING);
                server.says(&group::parameters()[..100]);
            },
            "group",
            "it closed the connection in mid-sentence",
        ),
        (
            |server| {
                server.greets(GREETING);
                server.says("OK\r\n");
            },
            "group",
            "no group: another BEGIN line is expected (byte 0); it said \"OK\\x0d\\x0a\"",
        ),
        (
            |server| {
                server.greets(GREETING);
                server.agrees();
                let foreign = Key::new([7; fernet::KEY]);
                server.seals(&foreign, WANTS_PASSWORD);
            },
            "ready",
            "no token of ours: no token that verifies ends here (byte 162)",
        ),
        (
            |server| {
                server.greets(GREETING);
                server.agrees();
                let foreign = Key::new([7; fernet::KEY]);
                server.seals(&foreign, READY);
            },
            "ready",
            "it closed the connection in mid-sentence, or what it said was sealed with another key",
        ),
        (
            |server| {
                server.greets(GREETING);
                let (key, _) = server.agrees();
                server.seals(&key, "120 FmLTP/1.0 Interpreter Ready.\r\n");
            },
            "ready",
            "it says 120, the server's stepping is higher, and should say 100",
        ),
        (
            |server| {
                server.greets("FlexMusic,1.0.0\r\n");
                let (key, _) = server.agrees();
                server.seals(&key, WANTS_PASSWORD);
            },
            "ready",
            "it is ready, and should refuse us: the versions are of different classes",
        ),
        (
            |server| {
                server.greets(GREETING);
                let (key, _) = server.agrees();
                server.seals(&key, READY);
                server.answers(&key, &["299 What?\r\n"]);
            },
            "help",
            "it answers \"299 What?\"",
        ),
    ];
    for (script, name, why) in table {
        let (place, _) = Server::start(script);
        let ended = Rollcall::run(&["probe", "fmltp", &place], b"");
        assert_eq!(ended.code, Some(1), "{name}: {} {}", ended.text(), ended.stderr);
        assert_eq!(ended.stderr, format!("rollcall: {place} failed at the step \"{name}\": {why}\n"));
        assert_eq!(steps(&ended).pop(), Some((name.to_owned(), "failed".to_owned())));
        assert!(ended.text().ends_with(&format!("{why}\n")), "{}", ended.text());
    }
}

#[test]
fn a_server_cannot_flood_the_screen_nor_act_on_it() {
    let long = format!("{}\u{9b}31m{}\r\n", "x".repeat(300), "\u{202e}".repeat(15_000));
    for code in ["299", "400"] {
        for (format, most) in [(&[][..], 3000), (&["--json"], 6000)] {
            let answer = format!("{code} {long}");
            let (place, _) = Server::start(move |server| {
                server.greets(GREETING);
                let (key, _) = server.agrees();
                server.seals(&key, READY);
                server.answers(&key, &[&answer]);
            });
            let ended = Rollcall::run(&[&["probe", "fmltp", &place], format].concat(), b"");
            assert_ne!(ended.code, Some(0));
            assert!(ended.stdout.len() < most && ended.stderr.len() < most, "{}", ended.text());
            for shown in [ended.text(), &ended.stderr] {
                assert!(!shown.contains(['\u{9b}', '\u{202e}']) && shown.contains("xxx"), "{shown}");
            }
        }
    }
    let (place, _) = Server::start(|server| {
        server.greets(GREETING);
        let (key, _) = server.agrees();
        server.seals(&key, "100 \u{9b}31m\u{202e}FmLTP/1.0\r\n");
        server.answers(&key, &["200\r\n\u{9b} - x\r\n", "200 \u{9d}0;title\u{9c}\r\n"]);
    });
    let ended = Rollcall::run(&["probe", "fmltp", &place, "--json"], b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.text().contains(['\u{9b}', '\u{9c}', '\u{9d}', '\u{202e}']), "{}", ended.text());
    assert_eq!(step(&json(&ended), "help")["commands"], serde_json::json!(["\u{9b}"]));
}

#[test]
fn who_says_nothing_is_given_up() {
    let half = format!("{GREETING}-----BEGIN DH PARAMETERS-----\nMII");
    for (said, name, expected) in [
        (String::new(), "greeting", "nothing came within 0.3 s"),
        (" \r\n ".to_owned(), "greeting", "nothing came within 0.3 s"),
        (half, "group", "nothing whole came within 0.3 s"),
    ] {
        let (place, _) = Server::start(move |server| {
            server.says(said);
            server.stream.read_to_end(&mut Vec::new()).unwrap()
        });
        let began = Instant::now();
        let ended = Rollcall::run(&["probe", "fmltp", &place, "--timeout", "0.3"], b"");
        assert!(began.elapsed() < PATIENCE);
        assert_eq!(ended.code, Some(1));
        let end = format!("at the step \"{name}\": {expected}\n");
        assert!(ended.stderr.ends_with(&end), "{}", ended.stderr);
    }
}

#[test]
fn nobody_there_is_a_failed_step_as_well() {
    let gone = TcpListener::bind("127.0.0.98:0").unwrap().local_addr().unwrap().to_string();
    let ended = Rollcall::run(&["probe", "fmltp", &gone, "--json"], b"");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("cannot reach {gone}: connection refused; ")), "{}", ended.stderr);
    let object = json(&ended);
    assert_eq!(
        (&object["result"], &step(&object, "connect")["result"]),
        (&"unreachable".into(), &"failed".into())
    );
}

#[test]
fn a_wrong_command_line_ends_with_2_and_nothing_is_tried() {
    let (chapp, residue) = (cfg!(feature = "chapp"), cfg!(feature = "residue"));
    let doors = ["fmltp", "fmltp or residue", "fmltp or chapp", "fmltp, chapp or residue"];
    let doors = doors[2 * usize::from(chapp) + usize::from(residue)];
    let long = format!("{},0.0.0", "x".repeat(249));
    let told = format!("--name takes NAME,x.y.z, not \"{long}\": too long (byte 254)");
    let table: [(&[&str], &str); 9] = [
        (&[], &format!("the door has to be given: {doors}")),
        (&["lekt", "localhost"], &format!("\"lekt\" is no door that can be probed; write {doors}")),
        (&["fmltp"], "SERVER has to be given, as HOST or HOST:PORT"),
        (&["fmltp", "a", "b"], "\"b\" is one argument too many"),
        (&["fmltp", "host:port"], "\"host:port\" is no address; write ADDR:PORT"),
        (&["fmltp", "a", "--timeout", "0"], "--timeout takes seconds from 0.1 to 3600, not \"0\""),
        (
            &["fmltp", "a", "--name", "me"],
            "--name takes NAME,x.y.z, not \"me\": no comma behind a name (byte 2)",
        ),
        (&["fmltp", "a", "--name", &long], &told),
        (&["fmltp", "a", "--password", "x"], "there is no option --password"),
    ];
    for (arguments, what) in table {
        let ended = Rollcall::run(&[&["probe"], arguments].concat(), b"");
        let expected = format!("rollcall: {what}\nTry 'rollcall --help', or read rollcall(1).\n");
        assert_eq!((ended.code, ended.stderr), (Some(2), expected), "{arguments:?}");
    }
    let ended = Rollcall::run(&["probe", "fmltp", "localhost", "--user", "a b"], b"");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_password_that_is_not_fit_is_told_before_anything_is_tried() {
    let no_word = "a password is UTF-8 without white space, and not empty";
    let [empty, first, two, latin]: [&[u8]; 4] = [b"", b"\nlong-enough\n", b"two words\n", b"p\xe4ssword\n"];
    let no_words = [empty, first, two, latin].map(|typed| (typed, no_word));
    let long = "x".repeat(73);
    let table = no_words.into_iter().chain([(long.as_bytes(), "a password has at most 72 bytes")]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    for (stdin, says) in table {
        let ended = Rollcall::run(&["probe", "fmltp", &place, "--user", "alice"], stdin);
        assert_eq!((ended.code, ended.text()), (Some(1), ""), "{}", ended.stderr);
        assert_eq!(ended.stderr, format!("rollcall: {says}\n"));
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has come");
}

#[test]
fn no_log_at_any_level_has_the_password() {
    let (place, _) = Server::start(|server| {
        server.greets(GREETING);
        let (key, _) = server.agrees();
        server.seals(&key, WANTS_PASSWORD);
        server.answers(&key, &["150 Authentication successful.\r\n", HELP, "200 Goodbye.\r\n"])
    });
    let mut command = support_client::command(["probe", "fmltp", &place, "--user", "alice"]);
    let mut rollcall = Rollcall::spawn(command.env("RUST_LOG", "trace"));
    rollcall.types("correct-horse\n");
    let ended = rollcall.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Ready -> Open"), "it is logged: {}", ended.stderr);
    assert!(!ended.stderr.contains("horse") && !ended.text().contains("horse"));
}
