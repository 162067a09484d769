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
