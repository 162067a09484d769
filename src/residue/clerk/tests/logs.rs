//! Logs: what is written, and what is said of it.

use super::*;

#[test]
fn all_that_comes_in_one_go_is_written_in_one_go() {
    let mut world = World::open();
    let [one, other] = [(); 2].map(|()| world.acknowledged(unknown()));
    let marks = [(); 3].map(|()| world.mark());
    let told = world.deal(vec![
        (1, log(&one, marks[0], &[("a", None, "1"), ("b", None, "2"), ("a", None, "3")])),
        (2, Question::Key { id: "nobody".into() }),
        (3, log(&other, marks[1], &[("a", None, "4")])),
        (4, log(&one, marks[2], &[("c", None, "5")])),
    ]);
    // Who does not have to wait does not.
    let logged = [1, 3, 4].map(|caller| (caller, Told::Logged));
    assert_eq!(told, [&[(2, Told::Key(None))], &logged[..]].concat());
    assert_eq!(["a", "b", "c"].map(|logger| world.files.text(logger)), ["1\n3\n4\n", "2\n", "5\n"]);
    assert_eq!(world.files.look().goes, [3]);
    world.tick();
    assert_eq!(world.files.look().goes, [3], "nothing is nothing");
}

#[test]
fn a_log_that_comes_again_is_not_written_again() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    let mark = world.mark();
    for _ in 0..3 {
        assert_eq!(world.ask(log(&pass, mark, &[("a", None, "once")])), Told::Logged);
    }
    assert_eq!(world.files.text("a"), "once\n");
    assert_eq!(world.ask(touch(&pass, mark)), Told::Refused(ConnectError::Invalid));
}

#[test]
fn a_log_that_failed_may_come_again() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    let mark = world.mark();
    world.files.look().faults.extend([false, false]);
    assert_eq!(world.ask(log(&pass, mark, &[("a", None, "line")])), Told::NotLogged);
    assert_eq!(world.ask(log(&pass, mark, &[("a", None, "line")])), Told::NotLogged);
    assert_eq!(world.files.text("a"), "");
    assert_eq!(world.ask(log(&pass, mark, &[("a", None, "line")])), Told::Logged);
    assert_eq!(world.ask(log(&pass, mark, &[("a", None, "line")])), Told::Logged);
    assert_eq!(world.files.text("a"), "line\n");
}

#[test]
fn one_that_comes_again_meanwhile_waits_for_what_comes_of_the_first() {
    for (is_good, expected) in [(true, Told::Logged), (false, Told::NotLogged)] {
        let mut world = World::open();
        let pass = world.acknowledged(unknown());
        let [mark, other] = [(); 2].map(|()| world.mark());
        world.files.look().faults.extend([is_good, true]);
        let line = [("a", None, "line")];
        let told = world.deal(vec![
            (1, log(&pass, mark, &line)),
            (2, log(&pass, mark, &line)),
            (3, log(&pass, other, &line)),
            (1, log(&pass, mark, &line)),
        ]);
        let same = [1, 2, 1].map(|caller| (caller, expected.clone()));
        assert_eq!(told, [&same[..], &[(3, Told::Logged)]].concat());
        assert_eq!(world.files.look().goes, [2]);
        assert_eq!(world.files.text("a"), if is_good { "line\nline\n" } else { "line\n" });
    }
}

#[test]
fn the_same_mark_of_another_client_is_another_packet() {
    let mut world = World::open();
    let [one, other] = [(); 2].map(|()| world.acknowledged(unknown()));
    let mark = world.mark();
    let told = world
        .deal(vec![(1, log(&one, mark, &[("a", None, "1")])), (2, log(&other, mark, &[("a", None, "2")]))]);
    assert_eq!(told, [(1, Told::Logged), (2, Told::Logged)]);
    assert_eq!(world.files.text("a"), "1\n2\n");
}

#[test]
fn who_acknowledges_in_the_same_go_logs() {
    let mut world = World::open();
    let pass = world.hello(unknown());
    let marks = [(); 3].map(|()| world.mark());
    let told = world.deal(vec![
        (1, log(&pass, marks[0], &[("a", None, "too early")])),
        (2, acknowledge(&pass, marks[1])),
        (3, log(&pass, marks[2], &[("a", None, "line")])),
    ]);
    let established = Told::Established(world.unix_time, AGE);
    assert_eq!(told, [(1, Told::NoClient), (2, established), (3, Told::Logged)]);
    // What came too early is not held against it.
    assert_eq!(world.ask(log(&pass, marks[0], &[("a", None, "not any more")])), Told::Logged);
    assert_eq!(world.files.text("a"), "line\nnot any more\n");
}

#[test]
fn items_without_the_token_they_need_are_left_out() {
    let mut world = World::with(Settings { require_token: true, ..settings() });
    let pass = world.acknowledged(unknown());
    let [network, disk] = ["network", "disk"].map(|logger| world.token(&pass, logger, ""));
    let [network, disk] = [&network, &disk].map(|token| Some(token.as_str()));
    let told = world.try_with(|mark| {
        log(
            &pass,
            mark,
            &[
                ("network", network, "good"),
                ("network", disk, "another's"),
                ("network", None, "none"),
                ("network", Some(""), "empty"),
                ("disk", disk, "good, too"),
            ],
        )
    });
    assert_eq!(told, Told::Logged);
    assert_eq!(["network", "disk"].map(|logger| world.files.text(logger)), ["good\n", "good, too\n"]);

    let mark = world.mark();
    for _ in 0..2 {
        assert_eq!(world.ask(log(&pass, mark, &[("network", disk, "another's")])), Told::NotLogged);
    }
    world.pass(3601);
    assert_eq!(world.try_with(|mark| log(&pass, mark, &[("disk", disk, "late")])), Told::NotLogged);
    assert_eq!(world.files.text("disk"), "good, too\n");
}

#[test]
fn tokens_that_are_not_needed_are_not_looked_at() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    let told = world.try_with(|mark| log(&pass, mark, &[("a", Some("wrong"), "1"), ("a", None, "2")]));
    assert_eq!((told, world.files.text("a")), (Told::Logged, "1\n2\n".to_owned()));
}

#[test]
fn clients_make_only_so_many_files() {
    let mut world = World::open();
    let names: Vec<_> = (0..loggers::LOGGERS_LIMIT + 1).map(|number| format!("logger-{number}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), None, "line")).collect();
    let (mut files, mut at) = (0, 0);
    while files < loggers::LOGGERS_LIMIT {
        let pass = world.acknowledged(unknown());
        for lines in lines[at..].chunks(40).take(2) {
            assert_eq!(world.try_with(|mark| log(&pass, mark, lines)), Told::Logged);
        }
        files += loggers::OWN_LIMIT;
        at = files;
        assert_eq!(world.files.look().texts.len(), files, "one life makes no more of them");
    }
    let pass = world.acknowledged(unknown());
    let told = world.try_with(|mark| log(&pass, mark, &[("one-more", None, "line")]));
    assert_eq!(told, Told::NotLogged);
    for logger in ["logger-0", "network", "default"] {
        assert_eq!(world.try_with(|mark| log(&pass, mark, &[(logger, None, "line")])), Told::Logged);
    }
    // Somebody has cleared the directory.
    world.files.look().changed = Some(vec!["logger-0".into()]);
    let told = world.try_with(|mark| log(&pass, mark, &[("one-more", None, "line")]));
    assert_eq!(told, Told::Logged);
}

#[test]
fn what_was_written_and_comes_again_too_late_is_still_said_to_be_written() {
    let mut world = World::open();
    let pass = world.acknowledged(unknown());
    let mark = world.mark();
    assert_eq!(world.ask(log(&pass, mark, &[("a", None, "line")])), Told::Logged);
    assert_eq!(world.ask(invalid(&pass, mark, Port::Log)), Told::Logged);
    assert_eq!(world.try_with(|mark| invalid(&pass, mark, Port::Log)), Told::Noted);
    assert_eq!(world.files.text("a"), "line\n");
}
