//! `rollcall introduce`, `post` and `inbox` against servers of all kinds, played by threads of the test.

#![cfg(all(feature = "client", feature = "chapp"))]
#![cfg(test)]

mod common;
mod support_client;

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use support_client::chapp::{Server, delivery, kept, posted, refusal, welcome};
use support_client::{Ended, Rollcall, command};

fn objects(ended: &Ended) -> Vec<Value> {
    ended.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(ended: &Ended) -> Vec<String> {
    objects(ended).iter().map(|object| object["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_introduction_shows_each_step() {
    for json in [&[][..], &["--json"]] {
        let (place, server) = Server::start(|server| {
            server.accepts();
            let id = server.hears_of("CONNECT\t->server");
            server.says(&refusal(Some(id), "305 CLIENT_NOT_FOUND"));
            let id = server.hears_of("INTRODUCE\tann->server");
            server.says(&welcome(id, "ann", &[]));
            let id = server.hears_of("CONNECT\t->server");
            server.says(&welcome(id, "ann", &[kept("bob", "hi")]));
            server.hears()
        });
        let ended = Rollcall::run(&[&["introduce", "ann", &place], json].concat(), b"");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
        assert_eq!(server.join().unwrap(), "", "it just closes");
        if json.is_empty() {
            let expected = "CONNECT   as ann\n305       ann is not known at this address\n\
                INTRODUCE as ann\n100       we may be ann\n\
                CONNECT   as ann\n100       in the chat as ann; 1 message so far\n";
            assert_eq!(ended.text(), expected);
        } else {
            let names = ["asked", "unknown", "asked", "introduced", "asked", "entered"];
            assert_eq!(events(&ended), names);
            let last = &objects(&ended)[5];
            assert_eq!((&last["name"], &last["messages"]), (&"ann".into(), &1.into()));
            assert!(last["unix"].as_i64().is_some() && last["time"].as_str().is_some(), "{last}");
        }
    }
}

#[test]
fn a_name_that_is_not_to_be_had_ends_with_3_where_nobody_is_asked() {
    let (place, _) = Server::start(|server| {
        server.accepts();
        let id = server.hears_of("CONNECT\t->server");
        server.says(&refusal(Some(id), "305 CLIENT_NOT_FOUND"));
        let id = server.hears_of("INTRODUCE\tann->server");
        server.says(&refusal(Some(id), "301 INVALID_USERNAME"));
        server.hears()
    });
    // It is no terminal, whatever stands in it.
    let ended = Rollcall::run(&["introduce", "ann", &place], b"eve\n");
    let reason = "the name ann is not to be had (301 INVALID_USERNAME)";
    assert!(ended.text().ends_with("301       ann is somebody else, or no name\n"), "{}", ended.text());
    assert_eq!((ended.code, ended.stderr), (Some(3), format!("rollcall: rejected by {place}: {reason}\n")));
}

#[test]
fn on_a_terminal_another_name_is_asked_for() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        let id = server.hears_of("CONNECT\t->server");
        server.says(&refusal(Some(id), "305 CLIENT_NOT_FOUND"));
        let id = server.hears_of("INTRODUCE\tann->server");
        server.says(&refusal(Some(id), "301 INVALID_USERNAME"));
        let id = server.hears_of("INTRODUCE\teve->server");
        server.says(&welcome(id, "eve", &[]));
        let id = server.hears_of("CONNECT\t->server");
        server.says(&welcome(id, "eve", &[]));
    });
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        return println!("skipped: there is no script(1) to make a terminal");
    }
    let mut script = Command::new("script");
    let line = r#""$PROGRAM" introduce ann "$PLACE"; echo "ended with $?""#;
    let program = command(["list"]).get_program().to_owned();
    script.args(["-qec", line, "/dev/null"]).env("PROGRAM", program).env("PLACE", place);
    let mut terminal = Rollcall::spawn(&mut script);
    terminal.shows("Another name, or an empty line to leave it:");
    terminal.types("a\\b\n");
    terminal.shows("it cannot be \"a\\b\": a name has no");
    terminal.types("eve\n");
    terminal.shows("in the chat as eve");
    terminal.shows("ended with 0");
    server.join().unwrap();
}

#[test]
fn late_replies_and_lost_connections_are_shown_and_lived_with() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        let first = server.hears_of("CONNECT\t->server");
        let second = server.hears_of("CONNECT\t->server");
        server.says(&refusal(Some(first), "305 CLIENT_NOT_FOUND"));
        server.says(&refusal(None, "400 SERVER_ERROR\u{1b}"));
        server.accepts();
        let third = server.hears_of("CONNECT\t->server");
        server.says(&welcome(third, "ann", &[]));
        (first, second, third)
    });
    let ended = Rollcall::run(&["introduce", "--timeout", "0.5", "ann", &place], b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    assert_eq!(server.join().unwrap(), (1, 2, 3), "new IDs");
    let text = ended.text();
    assert!(
        text.contains("CONNECT   as ann, attempt 2\nlate      a reply to request 1, ignored\n"),
        "{text}"
    );
    assert!(text.contains("400       SERVER_ERROR\\u{1B}\n"), "{text}");
    let lost = "lost      it closed the connection; it said 400 SERVER_ERROR\\u{1B}; attempt 3 in ";
    assert!(text.contains(lost), "{text}");
}

#[test]
fn who_does_not_answer_is_unreachable_after_so_many_attempts() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        std::iter::from_fn(|| Some(server.hears()).filter(|request| !request.is_empty())).count()
    });
    let began = Instant::now();
    let ended = Rollcall::run(&["introduce", "--timeout", "0.1", "--attempts", "3", "ann", &place], b"");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((ended.code, server.join().unwrap()), (Some(5), 3));
    let advice = "is a server running there? Start it, or name another SERVER";
    assert_eq!(ended.stderr, format!("rollcall: cannot reach {place}: no reply came; {advice}\n"));
}

#[test]
fn nobody_there_is_tried_as_often_as_that() {
    let gone = TcpListener::bind("127.0.0.97:0").unwrap().local_addr().unwrap().to_string();
    let quick = ["--timeout", "0.1", "--attempts", "2", gone.as_str()];
    for command in [&["introduce", "ann"][..], &["post", "bob"], &["inbox"]] {
        let ended = Rollcall::run(&[command, &quick].concat(), b"hi\n");
        assert_eq!(ended.code, Some(5), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("cannot reach {gone}: connection refused; ")),
            "{}",
            ended.stderr
        );
        let told = ended.text().to_owned() + &ended.stderr;
        assert_eq!(told.matches("connection refused; attempt 2 in 0.1 s").count(), 1, "{told}");
    }
}

#[test]
fn each_line_is_posted_as_whoever_the_server_knows() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        assert_eq!(server.hears(), "CONNECT\t->server|ID:1||");
        server.says(&welcome(1, "ann", &[]));
        let mut heard = Vec::new();
        for id in 2.. {
            let request = server.hears();
            if request.is_empty() {
                return heard;
            }
            server.says(&(delivery("eve", "in between") + &posted(id, "x")));
            heard.push(request);
        }
        heard
    });
    let mut post = Rollcall::start(&["post", "bob", &place]);
    post.says("in the chat of ");
    post.types("one\n\n two\\\n");
    post.types("without end");
    let ended = post.finish();
    assert_eq!((ended.code, ended.text()), (Some(0), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr, format!("in the chat of {place} as ann\n"));
    let expected = ["one", "", " two\\", "without end"];
    let expected = expected.map(str::to_owned).into_iter().zip(2..);
    let expected = expected.map(|(text, id)| format!("POST\tann->bob|ID:{id}|message: {text}||"));
    assert_eq!(server.join().unwrap(), expected.collect::<Vec<_>>());
}

#[test]
fn posting_under_a_name_introduces_it_where_it_is_not_known() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        assert_eq!(server.hears(), "CONNECT\t->server|ID:1|username: ann||");
        server.says(&refusal(Some(1), "305 CLIENT_NOT_FOUND"));
        let id = server.hears_of("INTRODUCE\tann->server");
        server.says(&welcome(id, "ann", &[]));
        let id = server.hears_of("CONNECT\t->server");
        server.says(&welcome(id, "ann", &[]));
        let id = server.hears_of("POST\tann->bob");
        server.says(&posted(id, "hi \u{1f600}"));
        server.hears()
    });
    let ended = Rollcall::run(&["post", "--name", "ann", "--json", "bob", &place], b"hi\n");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    assert_eq!(server.join().unwrap(), "");
    let last = objects(&ended).pop().unwrap();
    assert_eq!(
        (&last["event"], &last["message"], &last["from"]),
        (&"posted".into(), &"hi \u{1f600}".into(), &"ann".into())
    );
}

#[test]
fn who_has_no_name_hears_what_to_do() {
    for command in [&["post", "bob"][..], &["inbox"]] {
        let (place, _) = Server::start(|server| {
            server.accepts();
            let id = server.hears_of("CONNECT\t->server");
            server.says(&refusal(Some(id), "305 CLIENT_NOT_FOUND"));
            server.hears()
        });
        let ended = Rollcall::run(&[command, &[&place]].concat(), b"hi\n");
        let reason = "it knows no name of this address (305 CLIENT_NOT_FOUND); introduce one";
        assert_eq!(
            (ended.code, ended.stderr),
            (Some(3), format!("rollcall: rejected by {place}: {reason}\n"))
        );
    }
}

#[test]
fn the_first_line_that_is_not_taken_ends_it() {
    type Script = fn(&mut Server, u64);
    let table: [(Script, i32, &str); 3] = [
        (
            |server, id| server.says(&refusal(Some(id), "400 SERVER_ERROR")),
            3,
            "rejected by {}: line 2 is not taken: 400 SERVER_ERROR",
        ),
        (
            |server, _| server.hangs_up(),
            1,
            "it is not known whether line 2 has reached {}; it was not sent again",
        ),
        (
            |server, _| server.says(&refusal(None, "306 REPLACED")),
            3,
            "rejected by {}: another connection has come in our place (306 REPLACED)",
        ),
    ];
    for (script, code, what) in table {
        let (place, server) = Server::start(move |server| {
            server.lets_in(&[]);
            let id = server.hears_of("POST\tann->bob");
            server.says(&posted(id, "one"));
            let id = server.hears_of("POST\tann->bob");
            script(server, id);
            if server.stream.is_some() { server.hears() } else { String::new() }
        });
        let ended = Rollcall::run(&["post", "bob", &place], b"one\ntwo\nthree\n");
        let what = what.replace("{}", &place);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.ends_with(&format!("rollcall: {what}\n")), "{}", ended.stderr);
        assert_eq!(server.join().unwrap(), "", "nothing more is sent");
    }
}

#[test]
fn lines_that_cannot_be_sent_are_not() {
    for (input, what) in [
        (b"one\nt\xffwo\n".to_vec(), "line 2: not UTF-8 (byte 1); only that is taken"),
        (
            [b"one\n".to_vec(), vec![b'x'; 100_000]].concat(),
            "line 2: too long; a message has room in 65536 bytes, with some for who it is for",
        ),
    ] {
        let (place, server) = Server::start(|server| {
            server.lets_in(&[]);
            let id = server.hears_of("POST\tann->bob");
            server.says(&posted(id, "one"));
            server.hears()
        });
        let ended = Rollcall::run(&["post", "bob", &place], &input);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.ends_with(&format!("rollcall: {what}\n")), "{}", ended.stderr);
        assert_eq!(server.join().unwrap(), "");
    }
}

#[test]
fn an_inbox_shows_what_came_and_what_comes() {
    let (place, _) = Server::start(|server| {
        server.lets_in(&[kept("bob", "one"), kept("eve", "two\u{1b}[2J\nbob: three")]);
        server.says(&delivery("bob", "four"));
        server.hears()
    });
    let inbox = Rollcall::start(&["inbox", &place]);
    inbox.shows("bob: four");
    let time = "2026-11-21 06:59:13";
    let expected =
        format!("{time} bob: one\n{time} eve: two\\u{{1B}}[2J\n{time} eve: bob: three\n{time} bob: four\n");
    assert_eq!(inbox.shown(), expected);
    inbox.says(&format!("in the chat of {place} as ann"));
}

#[test]
fn an_inbox_that_was_cut_off_comes_back_and_shows_nothing_twice() {
    let (place, _) = Server::start(|server| {
        server.lets_in(&[kept("bob", "one")]);
        server.says(&delivery("bob", "two"));
        server.accepts();
        assert_eq!(server.hears(), "CONNECT\t->server|ID:2|username: ann||");
        server.says(&welcome(2, "ann", &[kept("bob", "one"), kept("bob", "two"), kept("bob", "three")]));
        server.says(&delivery("bob", "four"));
        server.hears()
    });
    let inbox = Rollcall::start(&["inbox", "--timeout", "0.1", &place]);
    inbox.shows("bob: four");
    let said: Vec<_> = inbox.shown().lines().map(|line| line[20..].to_owned()).collect();
    assert_eq!(said, ["bob: one", "bob: two", "bob: three", "bob: four"]);
    inbox.says("lost: it closed the connection; attempt 1 in ");
}

#[test]
fn an_inbox_may_end_after_what_came() {
    let (place, _) = Server::start(|server| {
        server.lets_in(&[kept("bob", "one"), kept("bob", "two")]);
        server.hears()
    });
    let ended = Rollcall::run(&["inbox", "--once", "--json", &place], b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(events(&ended), ["asked", "entered", "listed", "listed"]);
    let last = objects(&ended).pop().unwrap();
    let facts = ["timestamp", "from", "to", "message"].map(|name| last[name].as_str().unwrap().to_owned());
    assert_eq!(facts, ["2026-11-21 06:59:13", "bob", "ann", "two"]);
}

#[test]
fn who_does_not_speak_chapp_is_told_so() {
    for said in [
        "LEKT|",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "RESPONSE\tserver->ann|ID:1|for: 1|status: 100|reason: x|",
    ] {
        let (place, _) = Server::start(move |server| {
            server.accepts();
            server.says(said);
            server.hears()
        });
        let ended = Rollcall::run(&["inbox", &place], b"");
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("{place} does not speak chapp as it should: ")),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_nothing_is_tried() {
    let table: [(&[&str], &str); 8] = [
        (&["introduce"], "NAME has to be given"),
        (
            &["introduce", "a\\b"],
            "NAME cannot be \"a\\b\": a name has no \"->\" and no backslash, which there is at byte 1",
        ),
        (
            &["introduce", "server"],
            "NAME cannot be \"server\": the names \"server\" and \"unknown\" are the server's own",
        ),
        (&["introduce", "ann", "host:port"], "\"host:port\" is no address; write ADDR:PORT"),
        (&["introduce", "ann", "--attempts", "0"], "--attempts takes a number from 1 to 1000, not \"0\""),
        (&["post"], "TO has to be given"),
        (&["post", "bob", "--name", ""], "NAME cannot be \"\": a name has 1 to 64 bytes, not 0"),
        (&["inbox", "a", "b"], "\"b\" is one argument too many"),
    ];
    for (arguments, what) in table {
        let ended = Rollcall::run(arguments, b"");
        let expected = format!("rollcall: {what}\nTry 'rollcall --help', or read rollcall(1).\n");
        assert_eq!((ended.code, ended.stderr), (Some(2), expected), "{arguments:?}");
    }
}
