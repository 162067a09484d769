//! Logs that fail, and what becomes of the others.

use std::time::SystemTime;

use super::cabinet::Cabinet;
use super::*;

/// Logs that are as here, but for some that have room for no more than so many bytes.
fn with_little_room(most_open: usize, names: &[(&str, u64)]) -> Kept {
    let kept = Kept::at(tempfile::tempdir().unwrap(), most_open);
    for (name, room) in names {
        let file = fs::File::create(kept.path(name)).unwrap();
        // As long as a file can be here, less the room: what it has is a hole, and takes none.
        let mut length = 0;
        for bit in (0..63).rev() {
            let longer = length | 1 << bit;
            length = if file.set_len(longer).is_ok() { longer } else { length };
        }
        file.set_len(length - room).unwrap();
    }
    kept
}

/// Has it look as if nothing had been written to it for long.
fn age(kept: &Kept, name: &str) {
    fs::File::options()
        .write(true)
        .open(kept.path(name))
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
}

fn is_old(kept: &Kept, name: &str) -> bool {
    kept.path(name).metadata().unwrap().modified().unwrap() == SystemTime::UNIX_EPOCH
}

#[track_caller]
fn assert_written(results: &[Result<(), String>], expected: &[bool]) {
    let written: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(written, expected, "{results:?}");
}

#[test]
fn what_shares_a_packet_with_a_log_that_fails_is_not_written() {
    for most_open in [1, 2, 4, 64] {
        let kept = with_little_room(most_open, &[("full.log", 0)]);
        let results = kept.write_all(&[
            &[("a", "one\n"), ("b", "one\n"), ("full", "one\n")],
            &[("a", "two\n")],
            &[("b", "three\n"), ("c", "three\n")],
            &[("full", "four\n"), ("c", "four\n")],
            &[("c", "five\n")],
        ]);
        assert_written(&results, &[false, true, true, false, true]);
        let why = results[0].as_ref().unwrap_err();
        assert!(why.starts_with("full.log cannot be written: File too large"), "{why}");
        assert_eq!((kept.text("a.log"), kept.text("b.log")), ("two\n".to_owned(), "three\n".to_owned()));
        assert_eq!(kept.text("c.log"), "three\nfive\n");
        assert!(kept.logs.cabinet.lock().open_logs() <= most_open);
    }
}

#[test]
fn a_log_that_has_failed_is_left_alone_for_a_while_and_nothing_is_written_for_it() {
    let mut kept = with_little_room(4, &[("full.log", 0)]);
    let packet = [("a", "one\n"), ("b", "one\n"), ("full", "one\n")];
    assert!(kept.write(&packet).is_err());
    for name in ["a.log", "b.log"] {
        age(&kept, name);
    }
    let results = kept.write_all(&[&packet, &packet, &[("b", "two\n")], &packet]);
    assert_written(&results, &[false, false, true, false]);
    assert!(is_old(&kept, "a.log") && !is_old(&kept, "b.log"));
    assert_eq!((kept.text("a.log"), kept.text("b.log")), (String::new(), "two\n".to_owned()));
    // It may be closed meanwhile.
    for name in ["c", "d", "e", "f", "g"] {
        kept.write(&[(name, "one\n")]).unwrap();
    }
    assert!(kept.write(&packet).is_err() && is_old(&kept, "a.log"));

    fs::File::options().write(true).open(kept.path("full.log")).unwrap().set_len(0).unwrap();
    assert!(kept.write(&packet).is_err(), "it is known to fail");
    kept.logs.open_again();
    kept.write(&packet).unwrap();
    assert_eq!(kept.text("full.log"), "one\n");

    // And without a signal, when the while is over.
    kept = with_little_room(4, &[("full.log", 0)]);
    kept.logs = {
        let Kept { place, logs } = &kept;
        let settings = Settings { respite: Duration::ZERO, ..settings(place.path(), 4) };
        *logs.cabinet.lock() = Cabinet::wanting(settings, "not yet".to_owned());
        logs.clone()
    };
    assert!(kept.write(&packet).is_err());
    fs::File::options().write(true).open(kept.path("full.log")).unwrap().set_len(0).unwrap();
    kept.write(&packet).unwrap();
    assert_eq!((kept.text("a.log"), kept.text("full.log")), ("one\n".to_owned(), "one\n".to_owned()));
}

#[test]
fn where_there_is_room_for_less_less_is_written() {
    // A line feed goes first, since the hole does not end in one.
    let kept = with_little_room(4, &[("tight.log", 1 + 100)]);
    let line = |length: usize| "x".repeat(length - 1) + "\n";
    let (long, short, tiny) = (line(60), line(30), line(10));
    let results = kept.write_all(&[
        &[("a", "one\n"), ("tight", &long)],
        &[("a", "two\n"), ("tight", &long)],
        &[("a", "three\n"), ("tight", &short)],
        &[("a", "four\n")],
        &[("tight", &short)],
    ]);
    assert_written(&results, &[true, false, true, true, false]);
    assert_eq!(kept.text("a.log"), "one\nthree\nfour\n");
    age(&kept, "a.log");
    // What is known not to fit is not tried, and what does is written.
    assert_written(&kept.write_all(&[&[("a", "five\n"), ("tight", &short)]]), &[false]);
    assert!(is_old(&kept, "a.log"));
    let packet: &[_] = &[("a", "five\n"), ("tight", &tiny)];
    assert_written(&kept.write_all(&[packet, packet]), &[true, false]);
    assert_eq!(kept.text("a.log"), "one\nthree\nfour\nfive\n");
}

#[test]
fn several_logs_may_fail() {
    let kept = with_little_room(3, &[("full.log", 0), ("stuffed.log", 0), ("tight.log", 1 + 4)]);
    let results = kept.write_all(&[
        &[("a", "one\n"), ("tight", "one\n")],
        &[("b", "two\n"), ("a", "two\n")],
        &[("b", "three\n"), ("stuffed", "three\n")],
        &[("a", "four\n"), ("b", "four\n"), ("full", "four\n")],
        &[("a", "five\n"), ("tight", "five\n")],
        &[("b", "six\n"), ("a", "six\n")],
    ]);
    assert_written(&results, &[true, true, false, false, false, true]);
    assert_eq!(kept.text("a.log"), "one\ntwo\nsix\n");
    assert_eq!(kept.text("b.log"), "two\nsix\n");
}

#[test]
fn what_is_taken_back_is_taken_out_of_the_file_that_it_was_written_to() {
    let kept = Kept::at(tempfile::tempdir().unwrap(), 1);
    let mut cabinet = kept.logs.cabinet.lock();
    cabinet.hold("a").ok().unwrap();
    cabinet.append("a", &[b"before\n"]).ok().unwrap();
    cabinet.release();
    // More logs are held than there should be, and what was written to is renamed, as by logrotate.
    for name in ["a", "b", "c"] {
        cabinet.hold(name).ok().unwrap();
    }
    let stretch = cabinet.append("a", &[b"one\n", b"two\n"]).ok().unwrap();
    fs::rename(kept.path("a.log"), kept.path("a.log.1")).unwrap();
    cabinet.hold("d").ok().unwrap();
    cabinet.take_back("a", stretch).unwrap();
    assert!(!kept.path("a.log").exists(), "it is not made anew for that");
    assert_eq!(kept.text("a.log.1"), "before\n");
    assert_eq!(cabinet.open_logs(), 4);
    cabinet.release();
    assert_eq!(cabinet.open_logs(), 1);
    assert!(cabinet.take_back("a", stretch).is_err() && !kept.path("a.log").exists());
}

#[test]
fn what_cannot_be_taken_back_is_told_of_and_harms_no_other() {
    let kept = with_little_room(4, &[("full.log", 0)]);
    // What is written to the one is written behind what was written to the other.
    fs::write(kept.path("a.log"), "").unwrap();
    fs::hard_link(kept.path("a.log"), kept.path("b.log")).unwrap();
    let results = kept.write_all(&[
        &[("a", "one\n")],
        &[("a", "two\n"), ("b", "two\n"), ("full", "two\n")],
        &[("c", "three\n"), ("b", "three\n")],
    ]);
    assert_written(&results, &[true, false, true]);
    let why = results[1].as_ref().unwrap_err();
    assert!(
        why.contains("full.log cannot be written") && why.contains("a.log cannot be taken back"),
        "{why}"
    );
    assert_eq!((kept.text("a.log"), kept.text("c.log")), ("one\ntwo\nthree\n".into(), "three\n".into()));
}
