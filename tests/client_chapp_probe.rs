//! `rollcall probe chapp` against servers of all kinds, played by threads of the test.

#![cfg(all(feature = "client", feature = "chapp"))]
#![cfg(test)]

mod common;
mod support_client;

use std::net::TcpListener;

use serde_json::Value;

use support_client::chapp::{Server, delivery, refusal, welcome};
use support_client::{Ended, Rollcall};

/// The first word of each line that is shown, and the second one, which says how it went.
fn steps(ended: &Ended) -> Vec<(&str, &str)> {
    ended
        .text()
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect()
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

/// What the server keeps and delivers of a message, in the words of the request.
fn kept(request: &str, name: &str) -> String {
    let (_, text) = request.split_once("|message: ").unwrap();
    let text = text.strip_suffix("||").unwrap();
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!(
        "{{\"timestamp\": \"[2026-11-21 06:59:13]\", \"message\": \"{text}\", \
         \"from_user\": \"{name}\", \"to_user\": \"{name}\"}}"
    )
}

/// Lets somebody in who is not known.
fn lets_in(server: &mut Server, name: &str) {
    server.accepts();
    assert_eq!(server.hears(), format!("CONNECT\t->server|ID:1|username: {name}||"));
    server.says(&refusal(Some(1), "305 CLIENT_NOT_FOUND"));
    let id = server.hears_of(&format!("INTRODUCE\t{name}->server"));
    server.says(&welcome(id, name, &[]));
    let id = server.hears_of("CONNECT\t->server");
    server.says(&welcome(id, name, &[]));
}

#[test]
fn each_step_has_a_line() {
    for format in [&[][..], &["--json"]] {
        let (place, server) = Server::start(|server| {
            let name = "probe-127.0.0.1";
            lets_in(server, name);
            let request = server.hears();
            let message = kept(&request, name);
            server.says(&format!("POST\teve->{name}|ID:4|id: 4|message: {}|", message.replace(name, "eve")));
            server.says(&format!("RESPONSE\tserver->{name}|ID:9|for: 4|status: 100|message: {message}|"));
            server.says(&format!("POST\t{name}->{name}|ID:4|id: 4|message: {message}|"));
            let id = server.hears_of(&format!("GOODBYE\t{name}->server"));
            server.says(&format!("RESPONSE\tserver->{name}|ID:9|for: {id}|status: 100|"));
            server.hears()
        });
        let ended = Rollcall::run(&[&["probe", "chapp", &place], format].concat(), b"");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
        assert_eq!(server.join().unwrap(), "");
        let names = ["connect", "ask", "introduce", "enter", "post", "delivery", "goodbye"];
        if format.is_empty() {
            assert_eq!(steps(&ended), names.map(|name| (name, "done")));
            for told in [&place, "probe-127.0.0.1 is not known yet\n", "kept at 2026-11-21 06:59:13\n"] {
                assert!(ended.text().contains(told), "{told:?} in {}", ended.text());
            }
        } else {
            let object = json(&ended);
            assert_eq!((&object["door"], &object["result"]), (&"chapp".into(), &"fine".into()));
            names.iter().for_each(|name| assert_eq!(step(&object, name)["result"], "done"));
            assert_eq!(step(&object, "ask")["known"], false);
            assert_eq!(step(&object, "post")["timestamp"], "2026-11-21 06:59:13");
        }
    }
}

#[test]
fn what_goes_wrong_is_told_with_its_step() {
    type Script = fn(&mut Server);
    let table: [(Script, i32, &str, &str); 9] = [
        (
            |server| {
                server.accepts();
                server.hears();
            },
            1,
            "ask",
            "it closed the connection",
        ),
        (
            |server| {
                server.accepts();
                server.says("HTTP/1.1 400 Bad Request\r\n\r\n");
                server.hears();
            },
            1,
            "ask",
            "there is no action line (byte 0)",
        ),
        (
            |server| {
                server.accepts();
                server.hears();
                server.says(&refusal(None, "400 SERVER_ERROR\u{1b}"));
                server.hangs_up();
            },
            1,
            "ask",
            r"it closed the connection; it said 400 SERVER_ERROR\u{1B}",
        ),
        (
            |server| {
                server.accepts();
                server.hears();
                server.says(&welcome(1, "eve", &[]));
                server.hears();
            },
            1,
            "ask",
            "it calls us eve",
        ),
        (
            |server| {
                server.accepts();
                server.hears();
                server.says(&refusal(Some(1), "201 INVALID_ACTION"));
                server.hears();
            },
            3,
            "ask",
            "201 INVALID_ACTION",
        ),
        (
            |server| {
                server.accepts();
                server.hears();
                server.says(&refusal(Some(1), "305 CLIENT_NOT_FOUND"));
                server.hears();
                server.says(&refusal(Some(2), "301 INVALID_USERNAME"));
                server.hears();
            },
            3,
            "introduce",
            "the name ann is not to be had (301 INVALID_USERNAME); --name takes another",
        ),
        (
            |server| {
                lets_in(server, "ann");
                server.hears();
                server.says(&refusal(Some(4), "400 SERVER_ERROR"));
                server.hears();
            },
            3,
            "post",
            "400 SERVER_ERROR",
        ),
        (
            |server| {
                lets_in(server, "ann");
                let message = kept(&server.hears(), "ann").replace("\\t", "\\r");
                server.says(&format!("RESPONSE\tserver->ann|ID:9|for: 4|status: 100|message: {message}|"));
                server.hears();
            },
            1,
            "post",
            "it keeps something else than was posted",
        ),
        (
            |server| {
                lets_in(server, "ann");
                let message = kept(&server.hears(), "ann");
                server.says(&format!("RESPONSE\tserver->ann|ID:9|for: 4|status: 100|message: {message}|"));
                server.hangs_up();
            },
            1,
            "delivery",
            "it closed the connection",
        ),
    ];
    for (script, code, name, why) in table {
        let (place, _) = Server::start(script);
        let ended = Rollcall::run(&["probe", "chapp", "--name", "ann", &place], b"");
        assert_eq!(ended.code, Some(code), "{name}: {} {}", ended.text(), ended.stderr);
        assert_eq!(steps(&ended).pop(), Some((name, "failed")), "{}", ended.text());
        assert!(ended.text().ends_with(&format!("{why}\n")), "{why}: {}", ended.text());
        let expected = match code {
            3 => format!("rollcall: rejected by {place}: {why}\n"),
            _ => format!("rollcall: {place} failed at the step \"{name}\": {why}\n"),
        };
        assert_eq!(ended.stderr, expected);
    }
}

#[test]
fn who_says_nothing_is_given_up() {
    type Script = fn(&mut Server);
    let table: [(Script, &str); 4] = [
        (|server| server.accepts(), "ask"),
        (|server| lets_in(server, "ann"), "post"),
        (
            |server| {
                lets_in(server, "ann");
                let message = kept(&server.hears(), "ann");
                server.says(&format!("RESPONSE\tserver->ann|ID:9|for: 4|status: 100|message: {message}|"));
                // Not what was posted.
                server.says(&delivery("bob", "hi"));
            },
            "delivery",
        ),
        (
            |server| {
                lets_in(server, "ann");
                let message = kept(&server.hears(), "ann");
                server.says(&format!("POST\tann->ann|ID:4|id: 4|message: {message}|"));
                server.says(&format!("RESPONSE\tserver->ann|ID:9|for: 4|status: 100|message: {message}|"));
            },
            "goodbye",
        ),
    ];
    for (script, name) in table {
        let (place, server) = Server::start(move |server| {
            script(server);
            while !server.hears().is_empty() {}
        });
        let ended = Rollcall::run(&["probe", "chapp", "--name", "ann", "--timeout", "0.5", &place], b"");
        let what = format!("{place} failed at the step \"{name}\": no reply came within 0.5 s");
        assert_eq!((ended.code, ended.stderr), (Some(1), format!("rollcall: {what}\n")));
        server.join().unwrap();
    }
}

#[test]
fn nobody_there_is_a_failed_step_as_well() {
    let gone = TcpListener::bind("127.0.0.96:0").unwrap().local_addr().unwrap().to_string();
    let ended = Rollcall::run(&["probe", "chapp", &gone, "--json"], b"");
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
    let mut table: Vec<(&[&str], &str)> = vec![
        (&["chapp"], "SERVER has to be given, as HOST or HOST:PORT"),
        (&["chapp", "a", "b"], "\"b\" is one argument too many"),
        (&["chapp", "host:port"], "\"host:port\" is no address; write ADDR:PORT"),
        (&["chapp", "a", "--name", " "], "NAME cannot be \" \": a name has no white space at its ends"),
    ];
    if cfg!(feature = "fmltp") {
        table.push((&["chapp", "a", "--user", "ann"], "--user is for the door fmltp"));
    }
    for (arguments, what) in table {
        let ended = Rollcall::run(&[&["probe"], arguments].concat(), b"");
        let expected = format!("rollcall: {what}\nTry 'rollcall --help', or read rollcall(1).\n");
        assert_eq!((ended.code, ended.stderr), (Some(2), expected), "{arguments:?}");
    }
}
