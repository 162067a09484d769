use super::*;
use crate::chapp::store::Table;

#[test]
fn a_name_is_its_addresss_and_nobody_elses() {
    let mut office = Office::open();
    assert_eq!(office.ask(1, connect(HOME, None)), Verdict::NotFound);
    assert_eq!(office.ask(1, introduce(HOME, "ann")), introduced("ann", &[]));
    assert_eq!(office.ask(1, introduce(HOME, "ann")), introduced("ann", &[]));
    assert_eq!(office.ask(2, introduce(AWAY, "ann")), Verdict::Refused);
    assert_eq!(office.ask(3, introduce(HOME, "ann")), Verdict::Refused);
    assert_eq!(office.ask(2, connect(AWAY, None)), Verdict::NotFound);
    assert_eq!(office.ask(2, connect(AWAY, Some("ann"))), Verdict::NotFound);
    office.leave(1);
    assert_eq!(office.ask(2, introduce(AWAY, "ann")), Verdict::Refused);
    assert_eq!(office.ask(3, introduce(HOME, "ann")), introduced("ann", &[]));
    assert_eq!(office.lives("ann"), Some(3));
}

#[test]
fn a_mapped_address_is_the_one_that_it_maps() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    let address = "::ffff:192.0.2.1".parse().unwrap();
    let verdict = office.ask(1, Question::Connect { address, username: None });
    assert_eq!(verdict, connected("ann", &[]));
}

#[test]
fn the_name_that_was_introduced_last_stands_in_front() {
    let mut office = Office::open();
    for own in ["ann", "bob", "cid"] {
        office.introduce(1, HOME, own);
    }
    office.leave(1);
    assert_eq!(office.ask(2, connect(HOME, Some("ann"))), connected("ann", &[]));
    // A name that was connected to has not become the last one by it.
    assert_eq!(office.ask(2, connect(HOME, None)), connected("cid", &[]));
    office.introduce(2, HOME, "bob");
    office.restart();
    assert_eq!(office.ask(3, connect(HOME, None)), connected("bob", &[]));
    office.leave(3);
    // When the last is freed, the one before it is.
    office.now += DAY;
    assert_eq!(office.ask(3, connect(HOME, Some("ann"))), connected("ann", &[]));
    assert_eq!(office.ask(3, connect(HOME, Some("cid"))), connected("cid", &[]));
    office.restart();
    office.now += 30 * DAY;
    assert_eq!(office.ask(3, connect(HOME, None)), connected("cid", &[]));
    assert_eq!(office.ask(3, connect(HOME, Some("bob"))), Verdict::NotFound);
    assert_eq!(office.maps.count(Table::Names), 2);
}

#[test]
fn who_connects_takes_the_place_of_whoever_was_there() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    let told = office.deal(&[(2, Some(connect(HOME, None)))]);
    assert_eq!(told, [(1, Told::Notice(Notice::Replaced)), answer(2, connected("ann", &[]))]);
    // The one that was replaced has yet to hear of it, and posts.
    assert_eq!(office.ask(1, post(HOME, ["ann", "bob"], 1, "hi")), Verdict::Failed);
    assert_eq!(office.ask(1, goodbye("ann")), Verdict::Gone);
    office.leave(1);
    assert_eq!(office.lives("ann"), Some(2));
    // On the connection that has the name nothing changes.
    let commits = office.maps.commits();
    assert_eq!(office.ask(2, connect(HOME, None)), connected("ann", &[]));
    assert_eq!(office.ask(2, connect(HOME, Some("ann"))), connected("ann", &[]));
    assert_eq!(office.maps.commits(), commits);
}

#[test]
fn a_connection_has_one_name_and_keeps_it_when_it_is_refused_another() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.introduce(2, AWAY, "bob");
    assert_eq!(office.ask(1, introduce(HOME, "bob")), Verdict::Refused);
    assert_eq!(office.ask(1, connect(HOME, Some("bob"))), Verdict::NotFound);
    assert_eq!(office.lives("ann"), Some(1));
    office.introduce(1, HOME, "cid");
    assert_eq!((office.lives("ann"), office.lives("cid")), (None, Some(1)));
    assert_eq!(office.ask(3, connect(HOME, Some("ann"))), connected("ann", &[]));
    assert_eq!(office.ask(1, connect(HOME, Some("nobody"))), Verdict::NotFound);
    assert_eq!(office.lives("cid"), Some(1));
}

#[test]
fn after_goodbye_the_name_stays_on_file() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    assert_eq!(office.ask(1, goodbye("ann")), Verdict::Gone);
    assert_eq!(office.lives("ann"), None);
    assert_eq!(office.ask(2, introduce(AWAY, "ann")), Verdict::Refused);
    assert_eq!(office.ask(1, connect(HOME, None)), connected("ann", &[]));
}

#[test]
fn an_address_has_64_names_and_no_more() {
    let mut office = Office::open();
    for number in 0..64 {
        office.introduce(1, HOME, &format!("name {number}"));
    }
    assert_eq!(office.ask(1, introduce(HOME, "one more")), Verdict::Refused);
    assert_eq!(office.lives("name 63"), Some(1));
    office.introduce(1, HOME, "name 0");
    office.introduce(2, AWAY, "one more");
    // All of them but the one that is live were not seen for too long, which makes room.
    office.now += 31 * DAY;
    office.introduce(3, HOME, "another");
    assert_eq!(office.lives("name 0"), Some(1));
    office.idle(0);
    assert_eq!(office.maps.count(Table::Names), 3);
}

#[test]
fn a_name_is_freed_when_it_was_not_seen_for_30_days() {
    // Each way to be seen, and whether the name is there 30 and 31 days after that.
    let ways: [fn(&mut Office); 4] = [
        |office| assert_eq!(office.ask(1, connect(HOME, None)), connected("ann", &[])),
        |office| office.introduce(1, HOME, "ann"),
        |office| office.leave(9),
        |office| office.idle(0),
    ];
    for (number, see) in ways.iter().enumerate() {
        for (days, is_there) in [(30, true), (31, false)] {
            for tidy in [true, false] {
                let mut office = Office::open();
                office.introduce(9, HOME, "ann");
                if number < 2 {
                    office.leave(9);
                }
                office.now += 10 * DAY;
                see(&mut office);
                office.restart();
                office.now += days * DAY;
                if tidy {
                    office.idle(0);
                    assert_eq!(office.maps.count(Table::Names), usize::from(is_there));
                }
                let verdict = office.ask(2, introduce(AWAY, "ann"));
                assert_eq!(verdict == Verdict::Refused, is_there, "{number} {days} {tidy} {verdict:?}");
            }
        }
    }
}

#[test]
fn a_name_that_is_live_is_never_freed() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.idle(100 * DAY);
    assert_eq!(office.ask(2, introduce(AWAY, "ann")), Verdict::Refused);
    office.leave(1);
    office.idle(30 * DAY);
    assert_eq!(office.ask(2, introduce(AWAY, "ann")), Verdict::Refused);
    office.idle(DAY);
    assert_eq!(office.ask(2, introduce(AWAY, "ann")), introduced("ann", &[]));
}

#[test]
fn names_are_kept_for_as_long_as_is_set() {
    for (name_days, days, is_there) in [(1, 1, true), (1, 2, false), (0, 10_000, true)] {
        let mut office = Office::with(Settings { name_days, ..settings() });
        office.introduce(1, HOME, "ann");
        office.leave(1);
        office.idle(days * DAY);
        let verdict = office.ask(2, introduce(AWAY, "ann"));
        assert_eq!(verdict == Verdict::Refused, is_there, "{name_days} {days}");
    }
}

#[test]
fn chores_are_done_in_pieces() {
    let mut office = Office::open();
    let asked: Vec<_> = (0..1000_u64)
        .map(|number| {
            let address = [10, 0, (number / 100).to_le_bytes()[0], (number % 100).to_le_bytes()[0]];
            (number, Some(introduce(address, &format!("name {number}"))))
        })
        .collect();
    assert!(
        office.deal(&asked).iter().all(|(_, told)| matches!(told, Told::Answer(Verdict::Introduced { .. })))
    );
    let gone: Vec<_> = (500..1000).map(|number| (number, None)).collect();
    office.deal(&gone);
    office.now += 40 * DAY;
    let (mut left, mut pieces) = (1000, 0);
    while left > 500 {
        assert_eq!(office.deal(&[]), []);
        let now = office.maps.count(Table::Names);
        assert!(left - now <= 256, "{left} {now}");
        (left, pieces) = (now, pieces + 1);
        assert!(pieces < 50);
    }
    office.idle(0);
    assert_eq!([Table::Names, Table::Seen, Table::Addresses].map(|table| office.maps.count(table)), [500; 3]);
    // There is nothing left to do until another day.
    let commits = office.maps.commits();
    office.idle(3600);
    assert_eq!(office.maps.commits(), commits);
}

#[test]
fn of_two_addresses_that_race_for_a_name_one_wins_for_good() {
    let mut office = Office::open();
    let (mut random, mut winners) = (crate::wire::random::Random::new(7), Vec::new());
    for number in 0..1000 {
        let own = format!("name {number}");
        let mut addresses = [[10, 1, 0, 0], [10, 2, 0, 0]];
        addresses.iter_mut().for_each(|address| address[3] = u8::try_from(number / 50).unwrap());
        addresses.swap(0, random.below(2));
        let asked = [0, 1].map(|side| (side, Some(introduce(addresses[usize::from(side == 1)], &own))));
        let told = match random.below(2) {
            0 => office.deal(&asked),
            _ => asked.chunks(1).flat_map(|one| office.deal(one)).collect(),
        };
        assert_eq!(told, [answer(0, introduced(&own, &[])), answer(1, Verdict::Refused)]);
        office.deal(&[(0, None), (1, None)]);
        winners.push((own, addresses));
    }
    office.restart();
    for (own, [winner, loser]) in winners {
        assert_eq!(office.ask(1, connect(loser, Some(&own))), Verdict::NotFound);
        assert_eq!(office.ask(1, introduce(loser, &own)), Verdict::Refused);
        assert_eq!(office.ask(0, connect(winner, Some(&own))), connected(&own, &[]));
    }
}
