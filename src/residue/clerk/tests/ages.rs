//! How long clients live, to the second and beyond it.

use std::time::Duration;

use super::*;

#[test]
fn who_does_not_acknowledge_has_five_minutes() {
    for (id, hello) in [(None, unknown()), (Some("manny"), managed("manny"))] {
        let mut world = World::open();
        let pass = world.hello(hello);
        world.pass(ACKNOWLEDGE_WITHIN);
        let told = world.try_with(|mark| touch(&pass, mark));
        assert_eq!(told, Told::Refused(ConnectError::NotAcknowledged), "{id:?}");
        world.tick();
        let told = world.try_with(|mark| acknowledge(&pass, mark));
        assert_eq!(told, Told::Refused(ConnectError::NotConnected), "{id:?}");
        assert_eq!(world.hall.names(), [""; 0]);
        // Its key is kept for a while, and then it is gone.
        world.now -= Duration::from_nanos(1);
        world.pass(KEY_KEPT);
        assert!(world.is_on_record(&pass.id));
        world.tick();
        assert!(!world.is_on_record(&pass.id));
        assert_eq!(world.try_with(|mark| touch(&pass, mark)), Told::Changed(None));
    }
    let mut world = World::open();
    let pass = world.hello(unknown());
    world.pass(ACKNOWLEDGE_WITHIN);
    world.acknowledge(&pass);
    assert_eq!(world.hall.names(), [&*pass.id]);
    assert_eq!(world.hall.there_when_told, 1, "who hears that he is there is there");
}

#[test]
fn who_does_not_touch_dies_of_age() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    world.pass(AGE + GRACE);
    world.tick_back();
    assert_eq!(world.hall.names(), [&*pass.id]);
    world.tick();
    world.tick();
    assert_eq!(world.hall.names(), [""; 0], "and nobody had to ask");
    assert_eq!(world.try_with(|mark| touch(&pass, mark)), Told::Refused(ConnectError::Dead));
    assert_eq!(world.try_with(|mark| acknowledge(&pass, mark)), Told::Refused(ConnectError::NotConnected));
    world.now -= Duration::from_nanos(1);
    world.pass(KEY_KEPT);
    assert!(world.is_on_record(&pass.id));
    world.tick();
    assert!(!world.is_on_record(&pass.id));
}

#[test]
fn who_may_be_late_by_more_lives_by_as_much_longer() {
    for tolerance in [1, 3_600] {
        let mut world = World::with(Settings { tolerance, ..settings() });
        let pass = world.acknowledged(unknown());
        world.pass(AGE + tolerance);
        let told = world.try_with(|mark| touch(&pass, mark));
        assert_eq!(told, Told::Established(world.unix_time, AGE));
        world.pass(AGE + tolerance);
        world.tick();
        assert_eq!(world.hall.names(), [""; 0]);
    }
}

#[test]
fn a_touch_gives_another_age() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    for _ in 0..5 {
        world.pass(AGE + GRACE);
        let told = world.try_with(|mark| touch(&pass, mark));
        assert_eq!(told, Told::Established(world.unix_time, AGE));
    }
    // Neither does a hello, nor a log, nor a token.
    world.pass(AGE);
    world.try_with(|mark| log(&pass, mark, &[("a", None, "line")]));
    world.try_with(|mark| ask_token(&pass, mark, "a", None));
    world.pass(GRACE);
    world.tick();
    assert_eq!(world.hall.names(), [""; 0]);
    assert_eq!(world.hall.roll.joined(), 1);
}

#[test]
fn a_managed_client_may_acknowledge_again_for_another_age() {
    let mut world = World::open();
    let pass = world.acknowledged(managed("manny"));
    for _ in 0..3 {
        world.pass(AGE + GRACE);
        world.acknowledge(&pass);
    }
    assert_eq!((world.hall.names(), world.hall.roll.joined()), (vec!["manny"], 1));
}

#[test]
fn an_age_of_zero_has_no_end() {
    for age in [0, u64::MAX] {
        let mut world = World::with(Settings { age, ..settings() });
        let pass = world.acknowledged(unknown());
        let lazy = world.hello(unknown());
        world.pass(1 << 31);
        world.tick();
        assert_eq!(world.hall.names(), [&*pass.id]);
        assert_eq!(world.try_with(|mark| touch(&pass, mark)), Told::Established(world.unix_time, age));
        assert!(!world.is_on_record(&lazy.id), "to acknowledge there is no more time than otherwise");
    }
}

#[test]
fn a_wall_clock_that_jumps_ends_nobody() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    let fresh = world.hello(unknown());
    let token = world.token(&pass, "disk", "");
    for unix_time in [0, i64::MAX, i64::MIN, 1_700_000_000] {
        world.unix_time = unix_time;
        world.tick();
        assert_eq!(world.hall.names(), [&*pass.id]);
        assert_eq!(world.try_with(|mark| check_token(&pass, mark, "disk", &token)), Told::TokenIsRight);
        assert_eq!(world.try_with(|mark| touch(&pass, mark)), Told::Established(unix_time, AGE));
    }
    world.acknowledge(&fresh);
    // And one that stands still keeps nobody alive.
    world.now += Duration::from_secs(AGE + GRACE + 1);
    world.tick();
    assert_eq!(world.hall.names(), [""; 0]);
}

#[test]
fn all_ends_are_found_after_a_long_sleep() {
    let mut world = World::open();
    let dead = world.acknowledged(unknown());
    world.pass(ACKNOWLEDGE_WITHIN + KEY_KEPT);
    let lapsed = world.hello(unknown());
    world.pass(AGE + GRACE - ACKNOWLEDGE_WITHIN - 1);
    world.tick();
    assert_eq!(world.hall.names(), [""; 0]);
    let told = world.try_with(|mark| touch(&dead, mark));
    assert_eq!(
        told,
        Told::Refused(ConnectError::Dead),
        "it died when its time came, not when that was found"
    );
    assert!(!world.is_on_record(&lapsed.id));
    assert_eq!((world.hall.roll.joined(), world.hall.changes), (1, 2));
}

impl World {
    /// A moment before, nothing was to be told either.
    fn tick_back(&mut self) {
        self.now -= Duration::from_nanos(1);
        assert_eq!(self.deal(Vec::new()), []);
    }
}
