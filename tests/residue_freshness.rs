//! Residue: what is too old, or comes too early.

#![cfg(feature = "residue")]
#![cfg(test)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::residue::*;
use common::*;

on_both_engines!(
    a_hello_is_fresh_or_says_nothing,
    a_hello_may_have_to_say_when_it_was_sent,
    requests_have_to_say_when_they_were_sent,
    how_far_a_clock_may_be_off_can_be_set,
);

/// A connection to the connect port.
#[track_caller]
fn connect(daemon: &Daemon) -> Wire {
    Wire::connect(Port::Connect.of(daemon))
}

/// The hello of Ann with this for its time, and whatever comes of it.
#[track_caller]
fn hello_of(wire: &mut Wire, time: &str) -> bool {
    wire.says(format!(r#"{{{time}"type":1,"rsa_public_key":"{}"}}"#, ANNS.as_sent()));
    let reply = wire.take();
    let is_refused = reply == error(INVALID);
    assert!(is_refused || STANDARD.decode(&reply).is_ok(), "{reply}");
    !is_refused
}

fn time(offset: i64) -> String {
    format!(r#""_t":{},"#, now() + offset)
}

const NO_TIMES: [&str; 7] = [
    "",
    r#""_t":0,"#,
    r#""_t":null,"#,
    r#""_t":"1504663925","#,
    r#""_t":1504663925.5,"#,
    r#""_t":1.5e9,"#,
    r#""_t":[],"#,
];

fn a_hello_is_fresh_or_says_nothing(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut wire = connect(&daemon);
    for offset in [0, -60, 60, -90, 90] {
        assert!(hello_of(&mut wire, &time(offset)), "{offset}");
    }
    for offset in [-150, 150, -3600, 3600, -now() + 1, -2 * now(), i64::MAX - now(), i64::MIN] {
        assert!(!hello_of(&mut wire, &format!(r#""_t":{},"#, now().saturating_add(offset))), "{offset}");
    }
    for missing in NO_TIMES {
        assert!(hello_of(&mut wire, missing), "{missing}");
    }
}

fn a_hello_may_have_to_say_when_it_was_sent(engine: Engine) {
    let (daemon, _place) = start(engine, &["--residue-require-timestamp"]);
    let mut wire = connect(&daemon);
    for missing in NO_TIMES {
        assert!(!hello_of(&mut wire, missing), "{missing}");
    }
    assert!(hello_of(&mut wire, &time(0)));
}

fn requests_have_to_say_when_they_were_sent(engine: Engine) {
    let (daemon, _place) = start(engine, &[]);
    let mut client = Client::greeted(&daemon);
    for kind in [2, 3] {
        let rest = format!(r#""type":{kind},"client_id":"{}"}}"#, client.id);
        let stale = [-150, 150].map(time);
        for time in NO_TIMES.into_iter().chain(stale.iter().map(String::as_str)) {
            assert_eq!(client.asks(Port::Connect, &format!("{{{time}{rest}")), error(INVALID), "{time}");
        }
        assert!(client.asks(Port::Connect, &format!("{{{}{rest}", time(-90))).starts_with(r#"{"ack":1,"#));
    }
}

fn how_far_a_clock_may_be_off_can_be_set(engine: Engine) {
    let (daemon, _place) = start(engine, &["--residue-tolerance", "1000"]);
    let mut client = Client::established(&daemon);
    let mut wire = connect(&daemon);
    for (offset, is_fresh) in [(-980, true), (980, true), (-1020, false), (1020, false)] {
        assert_eq!(hello_of(&mut wire, &time(offset)), is_fresh, "{offset}");
        let log = format!(r#"{{{}"datetime":1,"msg":"{offset}"}}"#, time(offset));
        assert_eq!(client.logs(log), if is_fresh { TAKEN } else { NOT_TAKEN });
    }
    let (daemon, _place) = start(engine, &["--residue-tolerance", "20"]);
    let mut wire = connect(&daemon);
    for (offset, is_fresh) in [(-5, true), (5, true), (-40, false), (40, false)] {
        assert_eq!(hello_of(&mut wire, &time(offset)), is_fresh, "{offset}");
    }
}
