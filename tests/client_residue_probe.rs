//! `rollcall probe residue` against servers of all kinds, played by threads of the test.

#![cfg(all(feature = "client", feature = "residue"))]
#![cfg(test)]

mod common;
mod support_client;
mod support_residue;

use std::fs;
use std::net::TcpListener;

use rollcall::residue::pair::PrivateKey;
use rollcall::residue::reply::Flags;
use serde_json::Value;

use common::Place;
use support_client::{Ended, Rollcall, steps};
use support_residue::{ID, Server, hello};

#[track_caller]
fn probe(place: &str, options: &[&str]) -> Ended {
    Rollcall::run(&[&["probe", "residue", place], options].concat(), b"")
}

#[track_caller]
fn fails(ended: &Ended, code: i32, step: &str, words: &str) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.text(), ended.stderr);
    assert_eq!(steps(ended).last(), Some(&(step, "failed")), "{}", ended.text());
    assert!(ended.stderr.contains(words), "no {words:?}: {}", ended.stderr);
    assert!(ended.stderr.lines().count() == 1, "{}", ended.stderr);
}

#[test]
fn each_step_has_a_line() {
    let (place, server) = Server::start(|server| {
        server.lets_in();
        server.packet()
    });
    let ended = probe(&place, &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    let expected = [
        ("our key", "done"),
        ("connect", "done"),
        ("hello", "done"),
        ("acknowledge", "done"),
        ("token", "skipped"),
    ];
    assert_eq!(steps(&ended), expected);
    for words in [ID, "256 bits", "played 1.0 of ACME", "alive for 300 s", "up to 100 at once", "flags 501"] {
        assert!(ended.text().contains(words), "no {words:?}: {}", ended.text());
    }
    assert_eq!(server.join().unwrap(), b"");
}

#[test]
fn all_that_can_be_done_is_done() {
    let (place, server) = Server::start(|server| {
        server.flags = Flags(Flags::default().0 | Flags::REQUIRES_TOKEN);
        server.lets_in();
        assert!(server.hears_sealed().contains("\"type\":3,"));
        server.establishes();
        server.accepts_for_token();
        let request = server.hears_sealed();
        server.says_sealed(r#"{"life":60,"loggerId":"app","status":0,"token":"96028078"}"#);
        server.accepts_for_logs();
        let item = server.hears_sealed();
        server.says_plain("{\"r\":0}");
        [request, item]
    });
    let home = Place::new();
    let code = home.text("code");
    fs::write(&code, "a2dcb\n").unwrap();
    let options = ["--json", "--touch", "--log", "hi there", "--logger", "app", "--access-code", &code];
    let ended = probe(&place, &options);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.text());
    let [request, item] = server.join().unwrap();
    assert!(request.ends_with(r#""logger_id":"app","access_code":"a2dcb"}"#), "{request}");
    for member in [r#""logger":"app""#, r#""msg":"hi there""#, r#""level":128"#, r#""token":"96028078""#] {
        assert!(item.contains(member), "no {member}: {item}");
    }
    let told: Value = serde_json::from_str(ended.text()).unwrap();
    assert_eq!((&told["result"], &told["door"]), (&"fine".into(), &"residue".into()));
    let steps = told["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["our key", "connect", "hello", "acknowledge", "touch", "token", "log"]);
    assert!(steps.iter().all(|step| step["result"] == "done"));
    assert_eq!(
        (&steps[2]["client_id"], &steps[3]["age"], &steps[5]["life"]),
        (&ID.into(), &300.into(), &60.into())
    );
    // What is secret is told nobody.
    for secret in ["96028078", "a2dcb", support_residue::HEX] {
        assert!(!ended.text().contains(secret));
    }
}

#[test]
fn a_managed_client_says_who_it_is_to_the_key_of_the_server() {
    let home = Place::new();
    let pairs = ["server", "client"].map(|name| {
        let directory = home.text(name);
        let made = Rollcall::run(&["keygen", "residue", &directory, "--bits", "2048"], b"");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let pem = fs::read(home.join(name).join("residue.pem")).unwrap();
        PrivateKey::from_pem(&pem, None).unwrap()
    });
    let (place, server) = Server::start(move |server| {
        let [ours, theirs] = pairs;
        server.accepts();
        let said = server.hears_encrypted(&ours);
        let hello = String::from_utf8(hello()).unwrap().replace(ID, "known01");
        server.says_encrypted(hello.as_bytes(), &theirs.public());
        server.packet();
        server.says_plain(r#"{"ack":0,"error_text":"Client not connected yet","status":1}"#);
        said
    });
    let (server_key, client_key) = (home.text("server/residue.pub.pem"), home.text("client/residue.pem"));
    let options = ["--server-key", &server_key, "--client-id", "known01", "--client-key", &client_key];
    let ended = probe(&place, &[&options[..], &["--key-size", "128"]].concat());
    let said = server.join().unwrap();
    assert!(said.ends_with(r#""type":1,"client_id":"known01","key_size":128}"#), "{said}");
    fails(&ended, 3, "acknowledge", "Client not connected yet");
    assert!(ended.text().contains("we are known01"), "{}", ended.text());

    // Whoever is not managed has too much to say for a key of that size.
    let (place, server) = Server::start(Server::accepts);
    let ended = probe(&place, &["--server-key", &server_key]);
    server.join().unwrap();
    fails(&ended, 1, "hello", "the server's key has room for 245: only a managed client fits");
}

#[test]
fn a_passphrase_and_an_access_code_come_line_by_line() {
    let home = Place::new();
    let directory = home.text("keys");
    let made =
        Rollcall::run(&["keygen", "residue", &directory, "--bits", "2048", "--passphrase"], b"let me in\n");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (place, server) = Server::start(|server| {
        server.lets_in();
        server.accepts_for_token();
        let request = server.hears_sealed();
        server.says_sealed(r#"{"error_text":"Invalid access code","status":1}"#);
        request
    });
    let key = home.text("keys/residue.pem");
    let arguments = ["probe", "residue", &place, "--client-key", &key, "--access-code", "-"];
    let ended = Rollcall::run(&arguments, b"let me in\na2dcb\n");
    fails(&ended, 3, "token", "rejected by 127.0.0.1:");
    assert!(ended.stderr.contains("Invalid access code"), "{}", ended.stderr);
    assert!(server.join().unwrap().contains(r#""access_code":"a2dcb""#));

    let ended = Rollcall::run(&arguments, b"let me out\na2dcb\n");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the passphrase is not that of the key"), "{}", ended.stderr);
}

#[test]
fn what_becomes_of_a_log_is_told() {
    for (reply, words) in
        [("{r:1}", "the log was not taken (r 1)"), ("{\"r\":2}", "it does not know us (r 2)")]
    {
        let (place, server) = Server::start(move |server| {
            server.lets_in();
            server.accepts_for_logs();
            server.packet();
            server.says_plain(reply);
        });
        let ended = probe(&place, &["--log", "hi"]);
        server.join().unwrap();
        fails(&ended, 3, "log", words);
    }
}

#[test]
fn refusals_are_told_in_the_words_of_the_server() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        server.packet();
        server.says_plain("{\"ack\":0,\"error_text\":\"Plain \\u001b[2J\",\"status\":1}");
    });
    let ended = probe(&place, &[]);
    server.join().unwrap();
    fails(&ended, 3, "hello", "Plain \\u{1B}[2J");
}

#[test]
fn a_server_that_is_none_is_told_from_one() {
    type Says = fn(&mut Server);
    let table: [(Says, &str); 7] = [
        (|server| server.says_plain("HTTP/1.1 400 Bad Request"), "it said \"HTTP/1.1 400 Bad Request"),
        (|server| server.says(vec![b'x'; 70_000]), "it sends more than 65536 bytes without an end"),
        (|server| server.says(b"\0\x01\x02\r\n\r\n"), "neither JSON nor an envelope"),
        (|server| server.says_plain("AAAA"), "it sends 3 encrypted bytes, and our key makes 256 of them"),
        (|server| server.says("{\"ack\""), "it closed the connection in mid-sentence"),
        (|_| {}, "it closed the connection"),
        (
            |server| server.says_plain(std::str::from_utf8(&hello()).unwrap()),
            "it sends the key in plain, for everybody to read",
        ),
    ];
    for (says, words) in table {
        let (place, server) = Server::start(move |server| {
            server.accepts();
            server.packet();
            says(server);
            server.hangs_up();
        });
        let ended = probe(&place, &[]);
        server.join().unwrap();
        fails(&ended, 1, "hello", words);
    }
}

#[test]
fn a_server_that_takes_its_time_is_not_waited_for() {
    let (place, server) = Server::start(|server| {
        server.accepts();
        server.packet();
        server.says("{\"ack\":0,");
        server.packet()
    });
    let ended = probe(&place, &["--timeout", "0.3"]);
    fails(&ended, 1, "hello", "nothing whole came within 0.3 s");
    server.join().unwrap();
}

#[test]
fn nobody_there_is_told_with_what_to_do() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ended = probe(&place, &[]);
    fails(&ended, 5, "connect", "connection refused");
    // The other ports are the server's word.
    let (place, server) = Server::start(|server| {
        server.lets_in();
        let terms = server.hears_sealed();
        assert!(terms.contains("\"type\":3,"));
        let off = format!(r#"{{"ack":1,"client_id":"{ID}","key":"{}","status":0}}"#, support_residue::HEX);
        server.says_sealed(off);
        server.packet()
    });
    let ended = probe(&place, &["--touch", "--log", "hi"]);
    server.join().unwrap();
    fails(&ended, 1, "log", "it names no logging port");
}

#[test]
fn options_are_for_their_door() {
    let table: [(&[&str], &str); 4] = [
        (&["residue", "a", "--name", "b"], "--name is for the door"),
        (&["residue", "a", "--client-id", "b"], "--client-id needs --client-key"),
        (&["residue", "a", "--key-size", "64"], "--key-size takes 128, 192 or 256"),
        (&["residue", "a:b"], "\"a:b\" is no address"),
    ];
    for (arguments, words) in table {
        let ended = Rollcall::run(&[&["probe"], arguments].concat(), b"");
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "no {words:?}: {}", ended.stderr);
    }
}
