//! What there may be no more of.

use super::*;
use world::Known;

impl World {
    /// Sends this many packets, each of which is served.
    #[track_caller]
    fn send(&mut self, pass: &Pass, count: usize) {
        for _ in 0..count {
            assert_eq!(self.try_with(|mark| invalid(pass, mark, Port::Connect)), Told::Noted);
        }
    }
}

#[test]
fn those_who_never_acknowledged_give_way_first_then_the_dead_then_nobody() {
    let mut world = World::with(Settings { clients_limit: 5, age: 300, ..settings() });
    let died_first = world.acknowledged(unknown());
    world.pass(100);
    let died_second = world.acknowledged(managed("manny"));
    world.pass(21);
    let lapsed = world.hello(unknown());
    world.pass(400);
    let waits_longer = world.hello(unknown());
    world.pass(1);
    let waits = world.hello(managed("molly"));
    // By now two are dead, one has lapsed, and two may still acknowledge.
    let order = [&lapsed, &waits_longer, &waits, &died_first, &died_second];
    for (gone, pass) in order.iter().enumerate() {
        world.acknowledged(unknown());
        assert!(!world.is_on_record(&pass.id), "{gone}");
        for rest in &order[gone + 1..] {
            assert!(world.is_on_record(&rest.id), "{gone}");
        }
    }
    assert_eq!(world.ask(unknown()), Told::Full);
    assert_eq!(world.ask(managed("manny")), Told::Full);
    assert_eq!(world.hall.names().len(), 5);
    world.pass(300 + GRACE + 1);
    assert_eq!(world.hello(managed("manny")).id, "manny".into());
}

/// One that has acknowledged from there.
fn from(world: &mut World, address: &str) -> Pass {
    let pass = world.hello(unknown());
    let mark = world.mark();
    let address = SocketAddr::new(address.parse().unwrap(), 4711);
    let told = world.deal(vec![(9, acknowledge_from(&pass, mark, address))]);
    assert!(matches!(told[0], (9, Told::Established(..))), "{told:?}");
    pass
}

#[test]
fn of_an_address_only_so_many_live_and_the_one_that_is_quiet_for_longest_dies() {
    let mut world = World::with(Settings { clients_per_address: 3, ..settings() });
    let others = ["2001:db8::1", "192.0.2.2"].map(|address| from(&mut world, address));
    let manny = world.acknowledged(managed("manny"));
    for _ in 0..9 {
        from(&mut world, "127.0.0.1");
    }
    assert_eq!(world.hall.names().len(), 12, "behind loopback there may be everybody");
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(from(&mut world, "2001:db8:0:0:1::2"));
        world.pass(1);
    }
    // The first of all has been quiet for longest, and its address begins as theirs.
    assert_eq!(world.try_with(|mark| touch(&others[0], mark)), Told::Refused(ConnectError::Dead));
    // The others are heard, if only by a log; that somebody repeats a packet of the second one is nothing.
    let mark = world.mark();
    world.ask(invalid(&own[1], mark, Port::Log));
    world.pass(1);
    assert_eq!(world.try_with(|mark| log(&own[0], mark, &[("a", None, "x")])), Told::Logged);
    assert_eq!(world.try_with(|mark| log(&own[2], mark, &[("a", None, "x")])), Told::Logged);
    world.pass(1);
    world.ask(invalid(&own[1], mark, Port::Log));
    from(&mut world, "2001:db8::3");
    assert_eq!(world.try_with(|mark| touch(&own[1], mark)), Told::Refused(ConnectError::Dead));
    world.pass(1);
    for pass in [&own[0], &own[2], &others[1], &manny] {
        let told = world.try_with(|mark| touch(pass, mark));
        assert!(matches!(told, Told::Established(..)), "{told:?}");
    }
    // Its connections are closed, so that it begins anew if it is there.
    let pass = world.hello(unknown());
    let mark = world.mark();
    let told = world.deal(vec![(7, acknowledge_from(&pass, mark, "[2001:db8::4]:1".parse().unwrap()))]);
    assert!(matches!(told[..], [(7, Told::Established(..)), (9, Told::CloseNow)]), "{told:?}");
}

#[test]
fn any_number_may_come_from_an_address_if_that_is_said() {
    assert_eq!(Settings::default().clients_per_address, 1_024);
    let mut world = World::with(Settings { clients_per_address: 0, ..settings() });
    for _ in 0..2_000 {
        from(&mut world, "192.0.2.1");
    }
    assert_eq!(world.hall.names().len(), 2_000);
}

#[test]
fn where_all_have_acknowledged_the_one_gives_way_that_is_quiet_for_ten_minutes() {
    let mut world = World::with(Settings { clients_limit: 3, ..settings() });
    let manny = world.acknowledged(managed("manny"));
    let first = from(&mut world, "127.0.0.1");
    world.pass(1);
    let second = from(&mut world, "192.0.2.1");
    world.pass(1);
    assert_eq!(world.try_with(|mark| log(&first, mark, &[("a", None, "x")])), Told::Logged);
    world.pass(598);
    assert_eq!(world.ask(unknown()), Told::Full);
    world.pass(1);
    let told = world.deal(vec![(4, unknown())]);
    assert!(matches!(told[..], [(4, Told::Hello(_)), (9, Told::CloseNow)]), "{told:?}");
    assert!(!world.is_on_record(&second.id), "its place is needed");
    assert_eq!(world.hall.names(), [&*first.id, "manny"]);
    // Then who has not acknowledged, then the other one, and the managed client never.
    world.acknowledged(unknown());
    world.pass(1);
    let told = world.deal(vec![(4, managed("molly"))]);
    let [(4, Told::Hello(third)), (9, Told::CloseNow), (1, Told::CloseNow)] = &told[..] else {
        panic!("{told:?}")
    };
    let third = third.pass();
    world.acknowledge(&third);
    assert!(!world.is_on_record(&first.id));
    world.pass(700);
    world.deal(vec![(4, unknown())]);
    assert_eq!(world.hall.names(), ["manny", "molly"]);
    for pass in [&manny, &third] {
        assert!(matches!(world.try_with(|mark| touch(pass, mark)), Told::Established(..)));
    }
}

#[test]
fn a_managed_client_that_comes_again_needs_no_room() {
    let mut world = World::with(Settings { clients_limit: 2, ..settings() });
    let dead = world.acknowledged(managed("manny"));
    world.pass(AGE + GRACE + 1);
    let waits = world.hello(unknown());
    let again = world.hello(managed("manny"));
    assert_ne!(again.life, dead.life);
    assert!(world.is_on_record(&waits.id));
}

#[test]
fn the_packet_that_fills_the_memory_is_served_and_then_all_is_over() {
    let mut world = World::with(Settings { client_memory: 6, ..settings() });
    let pass = world.acknowledged(managed("manny"));
    let marks = [(); 6].map(|()| world.mark());
    let told = world.deal(vec![
        (21, check_token(&pass, marks[0], "a", "")),
        (22, check_token(&pass, marks[1], "a", "")),
        (31, log(&pass, marks[2], &[("a", None, "1")])),
    ]);
    assert_eq!(told.len(), 3);
    let told = world.deal(vec![
        (12, invalid(&pass, marks[3], Port::Connect)),
        (11, touch(&pass, marks[4])),
        // Too late: this life is over.
        (31, log(&pass, marks[5], &[("a", None, "2")])),
    ]);
    let established = Told::Established(world.unix_time, AGE);
    let answers = [(12, Told::Noted), (11, established), (31, Told::NoClient)];
    let closes = [11, 22, 31].map(|caller| (caller, Told::CloseNow));
    assert_eq!(told, [&answers[..], &closes].concat());
    assert_eq!(world.hall.names(), [""; 0]);

    // It is as dead as others are, and what it has sent is still known.
    let mark = world.mark();
    assert_eq!(world.ask(touch(&pass, mark)), Told::Refused(ConnectError::Dead));
    assert_eq!(world.ask(touch(&pass, marks[4])), Told::Refused(ConnectError::Invalid));
    assert_eq!(world.ask(log(&pass, mark, &[("a", None, "3")])), Told::NoClient);
    assert_eq!(world.files.text("a"), "1\n");
    let again = world.acknowledged(managed("manny"));
    assert_ne!(Known::new(&again), Known::new(&pass));
}

#[test]
fn who_repeats_a_packet_is_not_closed_in_the_place_of_its_client() {
    let mut world = World::with(Settings { client_memory: 6, ..settings() });
    let pass = world.acknowledged(unknown());
    let marks = [(); 5].map(|()| world.mark());
    let first = |world: &mut World, at: u64| {
        world.deal(vec![
            (at, touch(&pass, marks[0])),
            (at + 10, ask_token(&pass, marks[1], "a", None)),
            (at + 20, log(&pass, marks[2], &[("a", None, "1")])),
            (at + 20, invalid(&pass, marks[3], Port::Log)),
        ])
    };
    assert_eq!(first(&mut world, 11).len(), 4);
    // Somebody else has heard all of it, and a log that waits for the first of its kind is nobody's either.
    assert_eq!(first(&mut world, 71).len(), 4);
    let told = world.deal(vec![
        (31, log(&pass, marks[4], &[("a", None, "2")])),
        (99, log(&pass, marks[4], &[("a", None, "2")])),
    ]);
    let logged = [(31, Told::Logged), (99, Told::Logged)];
    let closes = [11, 21, 31].map(|caller| (caller, Told::CloseNow));
    assert_eq!(told, [&logged[..], &closes].concat());
}

#[test]
fn a_log_that_fills_the_memory_is_written_and_answered_first() {
    let mut world = World::with(Settings { client_memory: 2, ..settings() });
    let pass = world.acknowledged(unknown());
    let marks = [(); 2].map(|()| world.mark());
    world.files.look().faults.push_back(false);
    let told = world.deal(vec![(1, log(&pass, marks[0], &[("a", None, "1")]))]);
    assert_eq!(told, [(1, Told::NotLogged)], "what failed fills nothing");
    let told = world.deal(vec![
        (1, log(&pass, marks[0], &[("a", None, "1")])),
        (3, log(&pass, marks[1], &[("a", None, "2")])),
    ]);
    let closes = [(1, Told::CloseNow), (3, Told::CloseNow)];
    assert_eq!(told, [&[(1, Told::Logged), (3, Told::Logged)], &closes[..]].concat());
    assert_eq!((world.files.text("a"), world.hall.names()), ("1\n2\n".to_owned(), Vec::new()));
}

#[test]
fn who_fills_its_memory_before_it_acknowledges_dies_too() {
    let mut world = World::with(Settings { client_memory: 3, ..settings() });
    let pass = world.hello(unknown());
    world.send(&pass, 2);
    let mark = world.mark();
    let told = world.deal(vec![(1, acknowledge(&pass, mark))]);
    let established = Told::Established(world.unix_time, AGE);
    assert_eq!(told, [(1, established), (1, Told::CloseNow)]);
    assert_eq!((world.hall.roll.joined(), world.hall.changes), (0, 0), "it was gone before it came");
    assert_eq!(world.try_with(|mark| touch(&pass, mark)), Told::Refused(ConnectError::Dead));
}

#[test]
fn beyond_the_memory_of_all_whoever_has_most_of_it_begins_anew() {
    let mut world = World::with(Settings { memory_limit: 20, ..settings() });
    let [most, more, less] = [(); 3].map(|()| world.acknowledged(unknown()));
    world.send(&most, 8);
    world.send(&more, 6);
    world.send(&less, 3);
    let mark = world.mark();
    let told = world.deal(vec![(2, invalid(&less, mark, Port::Token))]);
    assert_eq!(told, [(2, Told::Noted), (1, Told::CloseNow)]);
    assert_eq!(world.hall.names().len(), 2);
    assert_eq!(world.try_with(|mark| touch(&most, mark)), Told::Refused(ConnectError::Dead));
    // It is dead, and so it only forgets what it has sent since; the others live.
    world.send(&most, 6);
    world.send(&less, 4);
    assert_eq!(world.hall.names().len(), 2);
    world.pass(AGE + GRACE + KEY_KEPT + 1);
    world.tick();
    world.tick();
    let again = world.acknowledged(unknown());
    world.send(&again, 19);
    assert_eq!(world.hall.names(), [&*again.id], "who is forgotten takes his marks along");
}

#[test]
fn a_client_may_send_as_many_packets_in_one_life_as_was_said_and_by_default_a_million() {
    assert_eq!(Settings::default().client_memory, 1_048_576);
    let mut world = World::with(Settings { client_memory: 1 << 14, ..settings() });
    let pass = world.acknowledged(unknown());
    // One it was that acknowledged.
    world.send(&pass, (1 << 14) - 2);
    assert_eq!(world.hall.names().len(), 1);
    let mark = world.mark();
    let told = world.deal(vec![(7, invalid(&pass, mark, Port::Log))]);
    let closes = [(1, Told::CloseNow), (7, Told::CloseNow)];
    assert_eq!(told, [&[(7, Told::Noted)], &closes[..]].concat());
    assert_eq!(world.hall.names().len(), 0);
}
