use std::sync::Mutex;

use super::maps::Fault;
use super::*;
use crate::chapp::store::Table;

#[test]
fn when_a_commit_fails_everybody_hears_so_and_nothing_has_changed() {
    for fault in [Fault::Commit, Fault::Change(0), Fault::Change(1), Fault::Change(7), Fault::Everything] {
        let mut office = Office::open();
        office.introduce(1, HOME, "ann");
        office.introduce(2, AWAY, "bob");
        office.introduce(3, AWAY, "cid");
        let (entries, now) = (office.maps.entries(), office.now);
        let asked = [
            (1, Some(post(HOME, ["ann", "bob"], 1, "hi"))),
            (4, Some(introduce(HOME, "dan"))),
            (5, Some(connect(AWAY, Some("bob")))),
            (3, None),
            (2, Some(goodbye("bob"))),
            (1, Some(introduce(HOME, "eve"))),
        ];
        office.maps.fail(fault);
        let told = office.deal(&asked);
        office.maps.fail(Fault::None);
        assert_eq!(told, [1, 4, 5, 2, 1].map(|to| answer(to, Verdict::Failed)), "{fault:?}");
        assert_eq!(office.maps.entries(), entries);
        assert_eq!(["ann", "bob", "dan", "eve"].map(|own| office.lives(own)), [Some(1), Some(2), None, None]);
        // Who is gone is gone all the same.
        assert_eq!(office.lives("cid"), None);
        let told = office.deal(&asked);
        let posted = Verdict::Posted { message: kept(now, ["ann", "bob"], "hi") };
        let expected = [
            delivery(2, now, ["ann", "bob"], 1, "hi"),
            answer(1, posted),
            answer(4, introduced("dan", &[])),
            (2, Told::Notice(Notice::Replaced)),
            answer(5, connected("bob", &[kept(now, ["ann", "bob"], "hi")])),
            answer(2, Verdict::Gone),
            answer(1, introduced("eve", &[])),
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn where_nothing_can_be_written_the_books_can_be_read() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.post(1, HOME, ["ann", "bob"], "hi");
    office.introduce(2, AWAY, "bob");
    let hi = [kept(START, ["ann", "bob"], "hi")];
    office.maps.fail(Fault::Writing);
    let told = office.deal(&[
        (1, Some(post(HOME, ["ann", "bob"], 1, "ho"))),
        (3, Some(connect(AWAY, None))),
        (4, Some(introduce(HOME, "dan"))),
        (4, Some(connect(HOME, Some("nobody")))),
        (5, Some(introduce(AWAY, "ann"))),
        (3, Some(goodbye("bob"))),
        (1, None),
    ]);
    let expected = [
        answer(1, Verdict::Failed),
        (2, Told::Notice(Notice::Replaced)),
        answer(3, connected("bob", &hi)),
        answer(4, Verdict::Failed),
        answer(4, Verdict::NotFound),
        answer(5, Verdict::Refused),
        answer(3, Verdict::Gone),
    ];
    assert_eq!(told, expected);
    assert_eq!(["ann", "bob", "dan"].map(|own| office.lives(own)), [None; 3]);
}

#[test]
fn who_comes_and_goes_while_it_cannot_be_noted_is_not_refused() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.introduce(2, AWAY, "bob");
    office.leave(2);
    let was_seen = |office: &Office, days: u32, own: &str| {
        let key = [&(20_000 + days).to_be_bytes()[..], own.as_bytes()].concat();
        office.maps.entries().contains_key(&(Table::Seen, key))
    };
    office.idle(3 * DAY);
    office.maps.fail(Fault::Writing);
    let told = office.deal(&[
        (3, Some(connect(AWAY, None))),
        (3, Some(goodbye("bob"))),
        (4, Some(connect(AWAY, Some("bob")))),
        (4, Some(introduce(AWAY, "cid"))),
        (5, Some(connect(AWAY, None))),
        (4, None),
    ]);
    let expected = [
        answer(3, connected("bob", &[])),
        answer(3, Verdict::Gone),
        answer(4, connected("bob", &[])),
        answer(4, Verdict::Failed),
        (4, Told::Notice(Notice::Replaced)),
        answer(5, connected("bob", &[])),
    ];
    assert_eq!(told, expected);
    assert_eq!(office.lives("bob"), Some(5));
    // It goes on like that on the next day, for those who have been there, too.
    office.idle(DAY);
    assert_eq!(office.ask(1, goodbye("ann")), Verdict::Gone);
    assert_eq!(office.lives("ann"), None);
    assert!(was_seen(&office, 3, "ann") && was_seen(&office, 0, "bob"));
    // What is still true is noted when that is possible.
    office.maps.fail(Fault::None);
    office.idle(1);
    assert!(was_seen(&office, 3, "ann") && was_seen(&office, 4, "bob"));
    // The chores of that day are done; and somebody comes while they cannot be done again.
    office.leave(5);
    office.idle(DAY);
    office.maps.fail(Fault::Writing);
    assert_eq!(office.ask(6, connect(AWAY, None)), connected("bob", &[]));
    office.maps.fail(Fault::None);
    office.introduce(7, HOME, "dan");
    assert!(was_seen(&office, 4, "bob"));
    office.idle(1);
    assert!(was_seen(&office, 5, "bob"));
}

#[test]
fn who_comes_while_the_database_itself_fails_is_refused() {
    for fault in [Fault::Commit, Fault::Change(0), Fault::Change(1), Fault::Change(2)] {
        let mut office = Office::open();
        office.introduce(1, HOME, "ann");
        office.leave(1);
        office.now += DAY;
        let entries = office.maps.entries();
        office.maps.fail(fault);
        assert_eq!(office.ask(2, connect(HOME, None)), Verdict::Failed, "{fault:?}");
        assert_eq!((office.lives("ann"), office.maps.entries()), (None, entries));
        assert_eq!(office.ask(2, connect(HOME, None)), connected("ann", &[]));
    }
}

#[test]
fn chores_that_failed_are_done_later() {
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.leave(1);
    office.maps.fail(Fault::Writing);
    office.idle(31 * DAY);
    assert!(!office.maps.entries().is_empty());
    office.maps.fail(Fault::None);
    office.idle(1);
    assert!(office.maps.entries().is_empty());
}

/// The lines of the log about chapp, from the thread of this test.
struct Lines(Mutex<Vec<(std::thread::ThreadId, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        self.0.lock().unwrap().push((std::thread::current().id(), line));
    }

    fn flush(&self) {}
}

#[test]
fn the_log_hears_of_it_once_a_minute_and_when_it_is_over() {
    // No other unit test sets a logger.
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let mut office = Office::open();
    office.introduce(1, HOME, "ann");
    office.maps.fail(Fault::Everything);
    for second in 0..130 {
        office.now = START + second;
        assert_eq!(office.ask(1, connect(HOME, None)), Verdict::Failed);
        office.idle(0);
    }
    office.maps.fail(Fault::None);
    assert_eq!(office.ask(1, connect(HOME, None)), connected("ann", &[]));
    office.post(1, HOME, ["ann", "bob"], "hi");
    log::set_max_level(log::LevelFilter::Off);
    let own = std::thread::current().id();
    let lines: Vec<_> = LINES
        .0
        .lock()
        .unwrap()
        .iter()
        .filter(|(thread, _)| *thread == own)
        .map(|(_, line)| line.clone())
        .collect();
    let complaint = "WARN chapp: nothing can be stored: there is no database";
    assert_eq!(lines, [complaint, complaint, complaint, "INFO chapp: it can be stored again"]);
}
