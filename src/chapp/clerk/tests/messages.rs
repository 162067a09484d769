use super::*;
use crate::chapp::store::Table;

const ANN_TO_BOB: [&str; 2] = ["ann", "bob"];

#[test]
fn a_message_goes_to_the_book_then_to_its_name_then_to_its_sender() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.introduce(2, AWAY, "bob");
    let told = office.deal(&[(1, Some(post(HOME, ANN_TO_BOB, 2, "hi\nbob")))]);
    let posted = Verdict::Posted { message: kept(START, ANN_TO_BOB, "hi\nbob") };
    assert_eq!(told, [delivery(2, START, ANN_TO_BOB, 2, "hi\nbob"), answer(1, posted)]);
    assert_eq!(office.ask(2, connect(AWAY, None)), connected("bob", &[kept(START, ANN_TO_BOB, "hi\nbob")]));
    let to_self = ["ann", "ann"];
    let told = office.deal(&[(1, Some(post(HOME, to_self, 3, "note")))]);
    let posted = Verdict::Posted { message: kept(START, to_self, "note") };
    assert_eq!(told, [delivery(1, START, to_self, 3, "note"), answer(1, posted)]);
}

#[test]
fn messages_wait_for_whoever_comes_first() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    for message in ["one", "two"] {
        office.post(1, HOME, ANN_TO_BOB, message);
        office.now += 1;
    }
    let waiting = [kept(START, ANN_TO_BOB, "one"), kept(START + 1, ANN_TO_BOB, "two")];
    office.restart();
    assert_eq!(office.ask(2, introduce(AWAY, "bob")), introduced("bob", &waiting));
    assert_eq!(office.ask(2, introduce(AWAY, "bob")), introduced("bob", &waiting));
    office.leave(2);
    assert_eq!(office.ask(3, connect(AWAY, None)), connected("bob", &waiting));
}

/// All orders of a post, and of somebody who becomes the one that it is for: in one go and one by one.
#[test]
fn a_message_is_listed_or_delivered_after_and_never_both_or_neither() {
    let becoming: [Question; 3] = [introduce(AWAY, "bob"), connect(AWAY, None), connect(AWAY, Some("bob"))];
    for (number, become_bob) in becoming.iter().enumerate() {
        for was_live in [false, true] {
            for place in 0..=3 {
                for at_once in [true, false] {
                    let mut office = Office::open();
                    office.introduce(1, HOME, "ann");
                    if number > 0 {
                        office.introduce(2, AWAY, "bob");
                    }
                    if !was_live {
                        office.leave(2);
                    }
                    let mut asked: Vec<_> = (0..3)
                        .map(|id| (1, Some(post(HOME, ANN_TO_BOB, id, &format!("message {id}")))))
                        .collect();
                    asked.insert(place, (3, Some(become_bob.clone())));
                    let told = match at_once {
                        true => office.deal(&asked),
                        false => asked.chunks(1).flat_map(|one| office.deal(one)).collect(),
                    };
                    check(&told, place, number > 0 && was_live);
                }
            }
        }
    }
}

fn check(told: &Letters, place: usize, was_live: bool) {
    let message = |id: usize| format!("message {id}");
    let listed: Vec<_> = (0..place).map(|id| kept(START, ANN_TO_BOB, &message(id))).collect();
    let mine: Vec<_> = told.iter().filter(|(to, _)| *to == 3).map(|(_, told)| told.clone()).collect();
    match &mine[0] {
        Told::Answer(Verdict::Introduced { messages, .. } | Verdict::Connected { messages, .. }) => {
            assert_eq!(*messages, list(&listed));
        }
        other => panic!("{other:?}"),
    }
    let later = (place..3).map(|id| delivery(3, START, ANN_TO_BOB, id as u64, &message(id)).1);
    assert!(mine[1..].iter().cloned().eq(later), "{mine:?}");
    // Whoever was there before has heard of what came before, and that it was replaced, and no more.
    let others: Vec<_> = told.iter().filter(|(to, _)| *to == 2).map(|(_, told)| told.clone()).collect();
    let mut expected: Vec<_> =
        (0..place).map(|id| delivery(2, START, ANN_TO_BOB, id as u64, &message(id)).1).collect();
    expected.push(Told::Notice(Notice::Replaced));
    assert_eq!(others, if was_live { expected } else { Vec::new() });
}

#[test]
fn the_last_1000_messages_to_a_name_are_kept() {
    let mut office = Office::with(Settings { daily_messages: 5000, ..settings() });
    office.introduce(1, HOME, "ann");
    let asked: Vec<_> =
        (0..1003).map(|number| (1, Some(post(HOME, ANN_TO_BOB, 1, &format!("message {number}"))))).collect();
    for some in asked.chunks(17) {
        office.deal(some);
    }
    assert_eq!(office.maps.count(Table::Messages), 1000);
    let last: Vec<_> =
        (3..1003).map(|number| kept(START, ANN_TO_BOB, &format!("message {number}"))).collect();
    assert_eq!(office.ask(2, introduce(AWAY, "bob")), introduced("bob", &last));
}

#[test]
fn a_list_holds_the_newest_that_fit_in_a_mebibyte() {
    let bare = kept(START, ANN_TO_BOB, "").len();
    // 16 of these take a mebibyte, with what stands between and around them.
    let exact = ((1 << 20) - 2 - 15 * 2) / 16 - bare;
    let rest = (1 << 20) - 2 - 15 * 2 - 16 * (exact + bare);
    for (extra, fit) in [(rest, 16), (rest + 1, 15)] {
        let mut office = Office::open();
        office.introduce(1, HOME, "ann");
        let texts: Vec<_> =
            (0..20).map(|number| "x".repeat(exact + if number == 10 { extra } else { 0 })).collect();
        texts.iter().for_each(|text| office.post(1, HOME, ANN_TO_BOB, text));
        let newest: Vec<_> = texts[20 - fit..].iter().map(|text| kept(START, ANN_TO_BOB, text)).collect();
        assert_eq!(list(&newest).len() == 1 << 20, fit == 16);
        assert_eq!(office.ask(2, introduce(AWAY, "bob")), introduced("bob", &newest));
    }
}

#[test]
fn quotas_go_by_address_and_day_and_outlive_the_daemon() {
    let settings = Settings { daily_messages: 3, daily_bytes: 10, ..settings() };
    let posted = |office: &mut Office, from, address, own, message: &str| match office
        .ask(from, post(address, [own, "bob"], 1, message))
    {
        Verdict::Posted { .. } => true,
        Verdict::Failed => false,
        other => panic!("{other:?}"),
    };
    let mut office = Office::with(settings);
    office.introduce(1, HOME, "ann");
    office.introduce(2, HOME, "amy");
    office.introduce(3, AWAY, "cid");
    assert!(posted(&mut office, 1, HOME, "ann", "12345678"));
    assert!(!posted(&mut office, 2, HOME, "amy", "123"));
    assert!(posted(&mut office, 2, HOME, "amy", "12"));
    assert!(posted(&mut office, 1, HOME, "ann", ""));
    assert!(!posted(&mut office, 1, HOME, "ann", ""));
    assert!(posted(&mut office, 3, AWAY, "cid", "éé"));
    assert_eq!(office.maps.count(Table::Messages), 4);
    office.restart();
    assert_eq!(office.ask(1, connect(HOME, Some("ann"))), connected("ann", &[]));
    assert!(!posted(&mut office, 1, HOME, "ann", ""));
    // The next UTC day.
    office.now += DAY - 8 * 3600 - 1;
    assert!(!posted(&mut office, 1, HOME, "ann", ""));
    office.now += 1;
    assert!(posted(&mut office, 1, HOME, "ann", ""));
    office.idle(0);
    assert_eq!(office.maps.count(Table::Quotas), 1);
}

#[test]
fn the_quotas_are_those_of_the_page() {
    let settings = settings();
    assert_eq!((settings.daily_messages, settings.daily_bytes), (10_000, 16_777_216));
    assert_eq!((settings.name_days, settings.message_days), (30, 30));
}

#[test]
fn the_messages_to_a_name_go_with_it() {
    for tidy in [true, false] {
        let mut office = Office::open();
        office.introduce(1, HOME, "ann");
        office.introduce(2, AWAY, "bob");
        office.leave(2);
        office.post(1, HOME, ANN_TO_BOB, "private");
        office.now += 31 * DAY;
        if tidy {
            office.idle(0);
            assert_eq!(office.maps.count(Table::Messages), 0);
        }
        office.post(1, HOME, ANN_TO_BOB, "news");
        let news = [kept(office.now, ANN_TO_BOB, "news")];
        assert_eq!(office.ask(3, introduce(HOME, "bob")), introduced("bob", &news), "{tidy}");
    }
}

#[test]
fn messages_to_a_name_that_nobody_has_go_after_30_days() {
    for tidy in [true, false] {
        let mut office = Office::with(Settings { name_days: 0, ..settings() });
        office.introduce(1, HOME, "ann");
        for message in ["first", "second", "third"] {
            office.post(1, HOME, ANN_TO_BOB, message);
            office.now += DAY;
        }
        let third = [kept(START + 2 * DAY, ANN_TO_BOB, "third")];
        // 32 days after the first, 31 after the second, 30 after the third.
        office.now += 29 * DAY;
        if tidy {
            office.idle(0);
            assert_eq!((office.maps.count(Table::Messages), office.maps.count(Table::Strays)), (1, 1));
        }
        assert_eq!(office.ask(2, introduce(AWAY, "bob")), introduced("bob", &third), "{tidy}");
        // They are somebody's now, and stay.
        office.idle(100 * DAY);
        assert_eq!((office.maps.count(Table::Messages), office.maps.count(Table::Strays)), (1, 0));
    }
}
