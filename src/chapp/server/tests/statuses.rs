//! What each request is answered ("Statuses", "Replies").

use super::*;

/// Each row of the statuses, in the order in which they are checked, and what the client hears.
#[test]
fn each_request_is_answered_as_the_page_says() {
    let failed = |to: &str, about: i64, status: &str| {
        format!("RESPONSE\tserver->{to}|ID:0|for: {about}|status: {}|reason: {}|", &status[..3], &status[4..])
    };
    let named = |name: &str, about: u64| {
        let head = format!("RESPONSE\tserver->{name}|ID:0|for: {about}|status: 100|");
        format!("{head}username: {name}|messages: []|")
    };
    let kept = kept("ann", "bob", "hi");
    let table: [(Option<&str>, &str, String); 33] = [
        (None, "CONNECT\t->server|ID:1", named("ann", 1)),
        (None, "CONNECT\tx->y|ID:1|username: bob", named("bob", 1)),
        (Some("bob"), "CONNECT\t->server|ID:1|username: bob", named("bob", 1)),
        (Some("ann"), "CONNECT\t->|ID:1|username: bob", named("bob", 1)),
        (None, "INTRODUCE\tcleo->x|ID:7", named("cleo", 7)),
        (Some("ann"), "INTRODUCE\tann->x|ID:7", named("ann", 7)),
        (Some("ann"), "INTRODUCE\tcleo->x|ID:7", named("cleo", 7)),
        (
            Some("ann"),
            "POST\tann->bob|ID:8|message: hi",
            format!("RESPONSE\tserver->ann|ID:0|for: 8|status: 100|message: {kept}|"),
        ),
        (Some("ann"), "GOODBYE\tann->|ID:9", "RESPONSE\tserver->ann|ID:0|for: 9|status: 100|".into()),
        (Some("ann"), "RESPONSE\tann->server|ID:9|no field", String::new()),
        (None, "RESPONSE\t->", String::new()),
        (None, "HELLO", failed("unknown", -1, "200 UNPARSABLE_ACTION")),
        (Some("ann"), "HELLO|ID:5", failed("ann", 5, "200 UNPARSABLE_ACTION")),
        (Some("ann"), "HELLO\tann->bob|ID:5", failed("ann", 5, "201 INVALID_ACTION")),
        (Some("ann"), "POST\tann->bob|x|ID:5", failed("ann", 5, "202 UNPARSABLE_FIELD")),
        (Some("ann"), "POST\tann->bob|x:|X:|ID:5", failed("ann", 5, "203 DUPLICATE_FIELD")),
        (None, "POST\tann->bob|ID:5", failed("unknown", 5, "204 MISSING_REQUIRED_FIELD")),
        (None, "POST\tann->bob|message: x", failed("unknown", -1, "205 MALFORMED_ID_LINE")),
        (None, "INTRODUCE\t->server|ID:3", failed("unknown", 3, "301 INVALID_USERNAME")),
        (Some("ann"), "INTRODUCE\tServer->server|ID:3", failed("ann", 3, "301 INVALID_USERNAME")),
        (None, "INTRODUCE\ttaken->server|ID:3", failed("unknown", 3, "301 INVALID_USERNAME")),
        (Some("ann"), "INTRODUCE\ttaken->server|ID:3", failed("ann", 3, "301 INVALID_USERNAME")),
        (None, "POST\tunknown->server|ID:3|message: x", failed("unknown", 3, "304 NOT_INTRODUCED")),
        (Some("ann"), "POST\tAnn->server|ID:3|message: x", failed("ann", 3, "303 INVALID_FROM_USER")),
        (Some("ann"), "POST\tann->server|ID:3|message: x", failed("ann", 3, "302 INVALID_TO_USER")),
        (Some("ann"), "POST\tann-> bob|ID:3|message: x", failed("ann", 3, "302 INVALID_TO_USER")),
        (Some("ann"), "POST\tann->broken|ID:3|message: x", failed("ann", 3, "400 SERVER_ERROR")),
        (None, "GOODBYE\tann->server|ID:3", failed("unknown", 3, "304 NOT_INTRODUCED")),
        (Some("ann"), "GOODBYE\tbob->server|ID:3", failed("ann", 3, "303 INVALID_FROM_USER")),
        (None, "CONNECT\t->server|ID:3|username: cleo", failed("unknown", 3, "305 CLIENT_NOT_FOUND")),
        (Some("ann"), "CONNECT\t->server|ID:3|username: a\\b", failed("ann", 3, "305 CLIENT_NOT_FOUND")),
        (Some("ann"), "CONNECT\t->server|ID:3|username:", failed("ann", 3, "305 CLIENT_NOT_FOUND")),
        (None, "INTRODUCE\tbroken->server|ID:3", failed("unknown", 3, "400 SERVER_ERROR")),
    ];
    for (name, pattern, expected) in table {
        let mut world = World::new();
        let mut guest = match name {
            Some(name) => Guest::named(&mut world, name),
            None => Guest::new(&world),
        };
        guest.session.next = 0;
        guest.sends(&mut world, &format!("{pattern}||"));
        assert_eq!(guest.all(), expected, "{pattern:?}");
        assert!(!guest.closed && guest.unread.is_empty());
    }
}

#[test]
fn the_clerk_is_asked_what_only_he_knows() {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    let requests = [
        "CONNECT\t->server|ID:1|username: bob||",
        "CONNECT\t->server|ID:2||",
        "INTRODUCE\tcleo->server|ID:3||",
        "POST\tcleo->nobody|ID:004|message: hi||",
        "POST\tcleo->server|ID:5|message: hi||",
        "GOODBYE\tcleo->server|ID:6||",
    ];
    guest.sends(&mut world, &requests.concat());
    // An IPv4-mapped address counts as IPv4.
    let address = "10.0.0.1".parse().unwrap();
    let expected = [
        Question::Connect { address, username: Some(name("bob")) },
        Question::Connect { address, username: None },
        Question::Introduce { address, name: name("cleo") },
        Question::Post { address, from: name("cleo"), to: name("nobody"), id: 4, message: "hi".into() },
        Question::Goodbye { name: name("cleo") },
    ];
    assert_eq!(guest.questions, expected);
}

#[test]
fn who_has_a_name_is_on_the_roll_with_it_and_no_other() {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    let table = [
        ("CONNECT\t->server|ID:1|username: cleo", vec![]),
        ("CONNECT\t->server|ID:2", vec!["ann"]),
        ("CONNECT\t->server|ID:3|username: ann", vec!["ann"]),
        ("INTRODUCE\tcleo->server|ID:4", vec!["cleo"]),
        ("INTRODUCE\tcleo->server|ID:5", vec!["cleo"]),
        ("INTRODUCE\ttaken->server|ID:6", vec!["cleo"]),
        ("GOODBYE\tcleo->server|ID:7", vec![]),
        ("GOODBYE\tcleo->server|ID:8", vec![]),
        ("INTRODUCE\tbob->server|ID:9", vec!["bob"]),
    ];
    for (pattern, names) in table {
        guest.sends(&mut world, &format!("{pattern}||"));
        assert_eq!(world.names(), names, "{pattern:?}");
    }
    assert!(world.roll.entries().all(|entry| entry.door == "chapp" && entry.since == 77));
    let statuses: Vec<_> = guest.statuses().iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [305, 100, 100, 100, 100, 301, 100, 304, 100]);
}

/// A client that hears nothing in time sends again with a new ID, and hears of both.
#[test]
fn a_resent_request_is_answered_for_itself() {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    for id in [1, 2] {
        guest.sends(&mut world, &format!("INTRODUCE\tann->server|ID:{id}||"));
    }
    for id in [3, 4] {
        guest.sends(&mut world, &format!("CONNECT\t->server|ID:{id}|username: ann||"));
    }
    for id in [5, 6] {
        guest.sends(&mut world, &format!("GOODBYE\tann->server|ID:{id}||"));
    }
    assert_eq!(guest.statuses(), [(100, 1), (100, 2), (100, 3), (100, 4), (100, 5), (304, 6)]);
    let ids: Vec<String> = (0..6).map(|id| format!("|ID:{id}|")).collect();
    assert!(ids.iter().all(|id| guest.all().contains(id)), "replies have IDs of their own");
}

#[test]
fn the_sixteenth_complaint_is_the_last_word() {
    let mut world = World::new();
    let mut guest = Guest::named(&mut world, "ann");
    for _ in 0..40 {
        guest.sends(&mut world, "POST\tbob->ann|ID:1|message: x||POST\tann->broken|ID:2|message: x||");
    }
    assert!(!guest.closed, "3xx and 400 do not count");
    guest.said.clear();
    for _ in 0..15 {
        guest.sends(&mut world, "JUMP\t->|ID:1||");
    }
    assert!(!guest.closed);
    guest.sends(&mut world, "x||INTRODUCE\tann->server|ID:2||");
    assert!(guest.closed && world.names().is_empty());
    let statuses = guest.statuses();
    assert_eq!((statuses.len(), statuses[15]), (16, (200, -1)));
}

#[test]
fn what_is_too_long_is_answered_at_once_and_the_end() {
    let mut world = World::new();
    let mut guest = Guest::named(&mut world, "ann");
    let head = "POST\tann->bob|ID:7|message: ";
    guest.sends(&mut world, head);
    let room = 65_536 - (head.len() + 2);
    guest.sends_bytes(&mut world, "x".repeat(room).as_bytes());
    assert_eq!((guest.statuses(), guest.closed), (vec![], false));
    guest.sends_bytes(&mut world, b"x");
    assert_eq!((guest.statuses(), guest.closed), (vec![(202, 7)], true));

    let mut guest = Guest::named(&mut world, "ann");
    guest.sends(&mut world, &format!("{head}{}||", "x".repeat(room)));
    assert_eq!(guest.statuses(), [(100, 7)]);
}

#[test]
fn what_has_become_too_long_by_time_is_the_end_as_well() {
    let head = "POST\tann->bob|ID:7|message: ";
    let filler = "x".repeat(65_536 - (head.len() + 2));
    for end in ["\\", "|\\", "|POST"] {
        let mut world = World::new();
        let mut guest = Guest::named(&mut world, "ann");
        guest.sends(&mut world, &format!("{head}{filler}{end}"));
        guest.waits(&mut world, 1999);
        assert_eq!((guest.statuses(), guest.closed), (vec![], false), "{end:?} may become an end");
        guest.waits(&mut world, 1);
        assert_eq!((guest.statuses(), guest.closed), (vec![(202, 7)], true), "{end:?}");
    }
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "ann");
    guest.sends(&mut world, &format!("{head}{filler}|"));
    guest.waits(&mut world, 20);
    assert_eq!((guest.statuses(), guest.closed), (vec![(100, 7)], false), "the separator does not count");
}

#[test]
fn who_is_replaced_is_told_so_with_its_last_words() {
    let replaced =
        |to: &str, id: u64| format!("RESPONSE\tserver->{to}|ID:{id}|for: -1|status: 306|reason: REPLACED|");
    let mut world = World::new();
    let mut idle = Guest::named(&mut world, "ann");
    idle.hears(&mut world, Notice::Replaced);
    assert_eq!((idle.all(), idle.closed), (replaced("ann", 1), true));

    let mut asking = Guest::named(&mut world, "ann");
    asking.notices.push(Notice::Replaced);
    asking.sends(&mut world, "POST\tann->bob|ID:7|message: hi||");
    assert_eq!((asking.all(), asking.closed), (replaced("ann", 1), true));

    // The clerk has given it a name, and then that name to another one, before it was on the roll.
    let mut joining = Guest::new(&world);
    joining.session.state = State::Asking { about: 7 };
    let (mut out, messages) = (Output::default(), b"[]"[..].into());
    let verdict = Verdict::Connected { name: name("bob"), messages };
    let answer = Event::Answer(Answer::Clerk(Box::new(verdict)));
    joining.session.handle(world.now, answer, &world, &mut out).unwrap();
    assert!(out.is_empty(), "it is not on the roll yet");
    joining.notices.push(Notice::Replaced);
    joining.follow(&mut world, Ok(()), out);
    let named = "RESPONSE\tserver->bob|ID:0|for: 7|status: 100|username: bob|messages: []|".to_owned();
    assert_eq!((joining.all(), joining.closed), (named + &replaced("bob", 1), true));
    assert!(world.names().is_empty());
}

#[test]
fn who_cannot_be_served_hears_400() {
    let expected = "RESPONSE\tserver->unknown|ID:0|for: -1|status: 400|reason: SERVER_ERROR|";
    let refusal = ChappDoor.refusal(Refusal::Full);
    assert_eq!(String::from_utf8(refusal).unwrap().replace("\\\n", "|"), expected);

    for event in [Event::Shutdown, Event::GiveWay] {
        let mut world = World::new();
        let mut guest = Guest::new(&world);
        guest.happens(&mut world, event);
        assert_eq!((guest.all().as_str(), guest.closed), (expected, true));
    }
}

#[test]
fn who_never_made_a_valid_request_is_pending() {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    guest.sends(&mut world, "||NONSENSE||||");
    assert_eq!(guest.session.standing(), Standing::Pending);
    guest.sends(&mut world, "CONNECT\tann->server|ID:7||");
    assert_eq!(guest.session.standing(), Standing::Settled);
}
