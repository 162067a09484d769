//! At what pace things are said ("Manner", "Deliveries").

use super::*;

#[test]
fn who_marks_its_ends_is_told_everything_at_once() {
    let mut world = World::new();
    let mut guest = Guest::named(&mut world, "bob");
    for id in 0..40 {
        guest.hears(&mut world, delivery(id, "hi"));
    }
    let expected: Vec<_> = (0..40).map(|id| (0, delivered(id, "hi"))).collect();
    assert_eq!(guest.said, expected);
}

#[test]
fn who_falls_silent_is_told_one_thing_every_twenty_milliseconds() {
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "bob");
    let start = world.time();
    for id in 0..40 {
        guest.hears(&mut world, delivery(id, "hi"));
    }
    guest.waits(&mut world, 40 * 20);
    let expected: Vec<_> = (0..40).map(|id| (start + 20 * u128::from(id), delivered(id, "hi"))).collect();
    assert_eq!(guest.said, expected);
    assert_eq!(guest.session.deadline(), None);
}

#[test]
fn replies_keep_their_place_among_deliveries() {
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "bob");
    guest.sends(&mut world, "POST\tbob->ann|ID:9|message: hi");
    guest.waits(&mut world, 19);
    guest.hears(&mut world, delivery(1, "one"));
    guest.notices.push(delivery(2, "two"));
    guest.waits(&mut world, 1);
    guest.hears(&mut world, delivery(3, "three"));
    guest.waits(&mut world, 100);
    let reply =
        format!("RESPONSE\tserver->bob|ID:1|for: 9|status: 100|message: {}|", kept("bob", "ann", "hi"));
    let expected =
        [(119, delivered(1, "one")), (139, delivered(2, "two")), (159, reply), (179, delivered(3, "three"))];
    assert_eq!(guest.said, expected);
}

#[test]
fn how_the_first_request_ends_stays_so() {
    let space = |first: &[(&str, u64)]| {
        let mut world = World::new();
        let mut guest = Guest::new(&world);
        for (pattern, milliseconds) in first {
            guest.sends(&mut world, pattern);
            guest.waits(&mut world, *milliseconds);
        }
        guest.said.clear();
        guest.hears(&mut world, delivery(1, ""));
        guest.hears(&mut world, delivery(2, ""));
        guest.said.len() == 1
    };
    let (quiet, marked) = ("INTRODUCE\tbob->|ID:0", "INTRODUCE\tbob->|ID:0||");
    assert!(space(&[(quiet, 50)]));
    assert!(space(&[(quiet, 50), (marked, 50)]));
    assert!(!space(&[(marked, 50)]));
    assert!(!space(&[(marked, 50), (quiet, 2100)]));
    assert!(!space(&[("nonsense||", 0), (quiet, 2100)]), "a bad request shows it as well");
    assert!(space(&[("||", 50), (quiet, 50)]), "empty lines are no request");
    assert!(space(&[("nonsense", 2100), (quiet, 50)]), "two seconds show nothing");
    assert!(space(&[("INTRODUCE\tbob->|ID:0|POST\t", 0), ("bob->ann|ID:1|message: x", 50)]));
    assert!(!space(&[("INTRODUCE\tbob->|ID:0|POST\t", 0), ("bob->ann|ID:1|message: x||", 50)]));
}

#[test]
fn who_marks_its_ends_may_be_slow_in_between() {
    let mut world = World::new();
    let mut guest = Guest::named(&mut world, "ann");
    for piece in ["POST\tann->bob|ID:1|message: one", " and", " two", "|", "|"] {
        assert!(guest.questions.is_empty());
        guest.sends(&mut world, piece);
        guest.waits(&mut world, 1500);
    }
    let [Question::Post { message, .. }] = &guest.questions[..] else { panic!("it is cut") };
    assert_eq!(&**message, "one and two");
}

#[test]
fn what_is_delivered_to_a_new_name_goes_behind_the_reply_that_lists_the_rest() {
    for mut guest in [Guest::new(&World::new()), Guest::named(&mut World::new(), "ann")] {
        let mut world = World::new();
        // The clerk's letters come while the connection waits to leave the roll, or to join it.
        guest.session.identity = None;
        guest.session.state = State::Asking { about: 7 };
        let (mut out, messages) = (Output::default(), b"[]"[..].into());
        let verdict = Verdict::Introduced { name: name("bob"), messages };
        let answer = Event::Answer(Answer::Clerk(Box::new(verdict)));
        guest.session.handle(world.now, answer, &world, &mut out).unwrap();
        guest.notices = vec![delivery(1, "one"), delivery(2, "two")];
        guest.follow(&mut world, Ok(()), out);
        let said = guest.all();
        let reply = said.split_once("messages: []|").unwrap();
        assert_eq!(reply.1, delivered(1, "one") + &delivered(2, "two"));
    }
}

#[test]
fn who_lets_too_much_wait_is_closed() {
    let long = "x".repeat(60_000);
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "bob");
    let before = (0..100).take_while(|&id| {
        guest.hears(&mut world, delivery(id, &long));
        !guest.closed
    });
    assert_eq!(before.count(), 18, "the first is said at once, and 17 make 1 MiB");
    assert!(guest.why.unwrap().contains("1048576"));

    let mut marked = Guest::named(&mut world, "bob");
    (0..100).for_each(|id| marked.hears(&mut world, delivery(id, &long)));
    assert!(!marked.closed, "what is said at once is for the engine to bound");
}

#[test]
fn who_asks_more_than_can_be_answered_in_time_is_closed() {
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "ann");
    let post = format!("POST\tann->bob|ID:1|message: {}||", "x".repeat(60_000));
    let before = (0..100).take_while(|_| {
        guest.sends(&mut world, &post);
        !guest.closed
    });
    assert_eq!(before.count(), 19, "the first is said at once, and the last that waits may be beyond 1 MiB");

    let mut guest = Guest::quiet(&mut world, "ann");
    (0..40).for_each(|_| guest.sends(&mut world, "CONNECT\t->server|ID:7||"));
    guest.waits(&mut world, 40 * 20);
    assert_eq!((guest.statuses().len(), guest.said.len()), (40, 40));
}

#[test]
fn last_words_keep_their_distance_and_the_deliveries_before_them_are_in_the_list() {
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "bob");
    let start = world.time();
    guest.hears(&mut world, delivery(1, "one"));
    guest.hears(&mut world, delivery(2, "two"));
    (0..16).for_each(|_| guest.sends(&mut world, "JUMP\t->|ID:7||"));
    guest.hears(&mut world, delivery(3, "three"));
    guest.sends(&mut world, "POST\tbob->ann|ID:8|message: hi||");
    assert!(!guest.closed && guest.unread.is_empty(), "it hears no more");
    guest.waits(&mut world, 1000);
    let times: Vec<_> = guest.said.iter().map(|(time, _)| time - start).collect();
    assert_eq!((times, guest.closed), ((0..17).map(|count| 20 * count).collect(), true));
    assert_eq!(guest.statuses(), [(201, 7); 16]);
    assert!(!guest.all().contains("two") && guest.all().contains("one"));
}

#[test]
fn who_is_replaced_is_told_nothing_else_that_waits() {
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "bob");
    let start = world.time();
    guest.hears(&mut world, delivery(1, "one"));
    guest.hears(&mut world, delivery(2, "two"));
    (0..1500).for_each(|_| guest.sends(&mut world, "CONNECT\t->server|ID:7|username: bob||"));
    guest.hears(&mut world, Notice::Replaced);
    guest.hears(&mut world, delivery(3, "three"));
    guest.sends(&mut world, "POST\tbob->ann|ID:8|message: hi||");
    assert!(!guest.closed && guest.unread.is_empty(), "it hears no more");
    guest.waits(&mut world, 20);
    let times: Vec<_> = guest.said.iter().map(|(time, _)| time - start).collect();
    assert_eq!((times, guest.closed), (vec![0, 20], true));
    assert_eq!(guest.statuses(), [(306, -1)]);
    assert!(world.names().is_empty(), "it is off the roll");
}

#[test]
fn nothing_waits_when_the_end_has_come() {
    for event in [Event::EndOfStream, Event::Shutdown] {
        let mut world = World::new();
        let mut guest = Guest::quiet(&mut world, "bob");
        (1..=3).for_each(|id| guest.hears(&mut world, delivery(id, "hi")));
        guest.happens(&mut world, event);
        assert!(guest.all().contains(&delivered(3, "hi")));
    }
    let mut world = World::new();
    let mut guest = Guest::quiet(&mut world, "bob");
    guest.sends(&mut world, "POST\tbob->ann|ID:1|message: 1|POST\tbob->ann|ID:2|message: 2");
    guest.ends(&mut world);
    assert_eq!(guest.statuses(), [(100, 1), (100, 2)]);
}
