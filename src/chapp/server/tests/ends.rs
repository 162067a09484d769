//! Where a request ends ("End of a request").

use super::*;

const POST: &str = "POST\tann->bob|ID:1|message: hi";

/// How many replies there are after so many milliseconds since the last byte.
fn answered_after(first: &str, pieces: &[(&str, u64)]) -> Vec<usize> {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    guest.sends(&mut world, first);
    guest.waits(&mut world, 5000);
    guest.said.clear();
    let answered = pieces.iter().map(|(pattern, milliseconds)| {
        if !pattern.is_empty() {
            guest.sends(&mut world, pattern);
        }
        guest.waits(&mut world, *milliseconds);
        guest.statuses().len()
    });
    answered.collect()
}

const QUIET: &str = "INTRODUCE\tann->server|ID:0";
const EMPTY_LINE: &str = "INTRODUCE\tann->server|ID:0||";

#[test]
fn an_empty_line_and_an_action_line_end_a_request_at_once() {
    for first in [QUIET, EMPTY_LINE] {
        assert_eq!(answered_after(first, &[(POST, 0), ("|", 0), ("|", 0)]), [0, 0, 1]);
        assert_eq!(answered_after(first, &[(POST, 0), ("|go", 0), ("odbye\t", 0)]), [0, 0, 1]);
        assert_eq!(answered_after(first, &[("||||", 0), (POST, 0), ("||||", 0), ("|", 0)]), [0, 0, 1, 1]);
        assert_eq!(answered_after(first, &[("JUMP||", 20), ("JUMP|POST\t", 0)]), [1, 2]);
    }
}

#[test]
fn twenty_milliseconds_of_quiet_end_what_has_nothing_wrong_with_it() {
    assert_eq!(answered_after(QUIET, &[(POST, 19), ("", 1)]), [0, 1]);
    let with_separator = format!("{POST}|");
    assert_eq!(answered_after(QUIET, &[(&with_separator, 19), ("", 1), ("|", 3000)]), [0, 1, 1]);
    assert_eq!(answered_after(QUIET, &[(POST, 19), (" there", 19), ("", 1)]), [0, 0, 1], "each byte counts");
}

#[test]
fn no_silence_ends_what_is_right_so_far_and_will_be_marked() {
    let late = [(POST, 3_600_000), (" there", 3_600_000), ("|", 3_600_000), ("|", 0)];
    assert_eq!(answered_after(EMPTY_LINE, &late), [0, 0, 0, 1]);
    let made_wrong = [(POST, 5000), ("|and", 1999), ("", 1)];
    assert_eq!(answered_after(EMPTY_LINE, &made_wrong), [0, 0, 1], "what has become wrong is judged");
    assert_eq!(answered_after(EMPTY_LINE, &[("POST\tann->bob|ID:1", 1999), ("|message: hi", 5000)]), [0, 0]);
}

#[test]
fn what_has_something_wrong_with_it_has_two_seconds() {
    let wrong = ["POST", "POST\ta->b|ID:1|", "POST\ta->b|mess", "POST\ta->b|message: x|ID", "x\t->"];
    for (first, text) in [QUIET, EMPTY_LINE].iter().flat_map(|first| wrong.map(|text| (first, text))) {
        assert_eq!(answered_after(first, &[(text, 1999), ("", 1)]), [0, 1], "{text:?}");
    }
    let late = [("POST\tann->bob|ID:1|mess", 1999), ("age: hi", 19), ("", 1)];
    assert_eq!(answered_after(QUIET, &late), [0, 0, 1], "the rest makes it right");
    assert_eq!(answered_after(QUIET, &[("PO", 1500), ("ST", 1500), ("", 500)]), [0, 0, 1]);
}

#[test]
fn acknowledgements_end_like_all_and_are_not_answered() {
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "ann");
    for end in ["", "|", "||"] {
        guest.sends(&mut world, &format!("RESPONSE\tann->server|status: 100{end}"));
        guest.waits(&mut world, 20);
        assert!(guest.unread.is_empty() && guest.said.is_empty(), "{end:?}");
    }
}

#[test]
fn what_parses_at_the_end_of_the_input_is_carried_out_and_all_else_is_complained_about() {
    let table: [(&str, &[u16]); 6] = [
        (QUIET, &[100]),
        ("INTRODUCE\tann->server|ID:0|POST\tann->bob|ID:1|message: hi", &[100, 100]),
        ("INTRODUCE\tann->server|ID:0|", &[100]),
        ("INTRODUCE\tann->server|", &[205]),
        ("x", &[200]),
        ("|", &[]),
    ];
    for (pattern, expected) in table {
        let mut world = World::new();
        let mut guest = Guest::new(&world);
        guest.sends(&mut world, pattern);
        guest.ends(&mut world);
        let statuses: Vec<_> = guest.statuses().iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, expected, "{pattern:?}");
    }
}

#[test]
fn nobody_is_ticked_without_need() {
    let mut world = World::new();
    let mut guest = Guest::new(&world);
    assert_eq!(guest.session.deadline(), Some(world.now + FIRST_LIMIT));
    guest.sends(&mut world, EMPTY_LINE);
    assert_eq!(guest.session.deadline(), None);
    guest.sends(&mut world, "PO");
    guest.waits(&mut world, 1);
    guest.happens(&mut world, Event::Tick);
    assert!(guest.said.len() == 1 && !guest.unread.is_empty(), "an early tick does nothing");
    assert_eq!(guest.session.deadline(), Some(world.now + Duration::from_millis(1999)));
    guest.sends(&mut world, "ST\tann->bob|ID:1|message: hi");
    guest.waits(&mut world, 2000);
    assert_eq!(guest.session.deadline(), None, "nothing but more of it ends what is right so far");
    assert!(guest.said.len() == 1 && !guest.unread.is_empty());
    guest.ends(&mut world);
    assert_eq!(guest.statuses(), [(100, 0), (100, 1)], "nothing more comes");
}

#[test]
fn messages_arrive_as_they_were_sent() {
    let texts = [
        "",
        "hi",
        "ends in \\",
        "\\\\",
        "a\nb\n\nc",
        "\"'`",
        "é\u{1f600}\u{202e}",
        "a\0\u{1b}[2J\u{85}",
        "ID: 5",
        "||",
    ];
    let texts = texts.map(|text| text.replace('|', "\\ \n"));
    for (text, end) in texts.iter().flat_map(|text| ["", "\\\n", "\\\n\\\n"].map(|end| (text, end))) {
        let mut world = World::new();
        let mut guest = Guest::quiet(&mut world, "ann");
        guest.sends_bytes(&mut world, format!("POST\tann->bob\\\nID:1\\\nmessage: {text}{end}").as_bytes());
        guest.waits(&mut world, 20);
        let [Question::Post { message, .. }] = &guest.questions[..] else { panic!("{text:?}{end:?}") };
        assert_eq!(&**message, text, "{end:?}");
        assert!(guest.unread.is_empty());
    }
}

#[test]
fn whoever_makes_no_request_at_all_is_not_waited_for() {
    let mut world = World::new();
    let mut silent = Guest::new(&world);
    silent.waits(&mut world, 59_999);
    assert!(silent.statuses().is_empty());
    silent.waits(&mut world, 1);
    assert_eq!(silent.statuses().iter().map(|(status, _)| *status).collect::<Vec<_>>(), [400]);
    // Whoever has made one may be silent for as long as it likes.
    let mut ann = Guest::new(&world);
    ann.sends(&mut world, EMPTY_LINE);
    ann.waits(&mut world, 3_600_000);
    assert_eq!(ann.statuses().iter().map(|(status, _)| *status).collect::<Vec<_>>(), [100]);
}
