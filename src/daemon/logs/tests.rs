use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::*;

/// Logs in a directory that is gone with this.
struct Kept {
    place: TempDir,
    logs: Logs,
}

impl Kept {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap(), 4)
    }

    fn at(place: TempDir, most_open: usize) -> Self {
        let logs = Logs::open(settings(place.path(), most_open)).unwrap();
        Self { place, logs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join("logs").join(name)
    }

    #[track_caller]
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes one packet.
    fn write(&self, lines: &[(&str, &str)]) -> Result<(), String> {
        self.write_all(&[lines]).remove(0)
    }

    fn write_all(&self, packets: &[&[(&str, &str)]]) -> Vec<Result<(), String>> {
        let packets: Vec<Vec<Lines<'_>>> = packets
            .iter()
            .map(|packet| {
                packet.iter().map(|&(logger, text)| Lines { logger, bytes: text.as_bytes() }).collect()
            })
            .collect();
        self.logs.write(&packets)
    }
}

fn settings(place: &Path, most_open: usize) -> Settings {
    Settings { path: place.join("logs"), sync: Sync::Later, most_open }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn lines_go_to_the_end_of_the_files_of_their_loggers() {
    let kept = Kept::new();
    fs::write(kept.path("old.log"), "before\n").unwrap();
    kept.write(&[("old", "one\n"), ("new", "two\n"), ("old", "three\n")]).unwrap();
    assert!(kept.write_all(&[&[("new", "four\n")], &[("old", "five\n")]]).iter().all(Result::is_ok));
    assert_eq!(kept.text("old.log"), "before\none\nthree\nfive\n");
    assert_eq!(kept.text("new.log"), "two\nfour\n");
    assert!(kept.logs.write(&[]).is_empty());
}

#[test]
fn what_is_made_is_for_its_owner_and_a_group() {
    let kept = Kept::new();
    kept.write(&[("a", "one\n")]).unwrap();
    // The mask of whoever runs the tests can only take rights away.
    assert_eq!(mode(&kept.path("")) & !0o750, 0);
    assert_eq!(mode(&kept.path("a.log")) & !0o640, 0);
    assert_eq!(mode(&kept.path("a.log")) & 0o600, 0o600);
    fs::set_permissions(kept.path(""), Permissions::from_mode(0o2755)).unwrap();
    make_directory(&kept.path(""), None).unwrap();
    assert_eq!(mode(&kept.path("")), 0o2755, "one that is there stays as it is");
}

#[test]
fn a_line_that_has_lost_its_end_is_not_continued() {
    let kept = Kept::new();
    fs::write(kept.path("a.log"), "half a li").unwrap();
    kept.write(&[("a", "one\n")]).unwrap();
    kept.write(&[("a", "two\n")]).unwrap();
    assert_eq!(kept.text("a.log"), "half a li\none\ntwo\n");
}

#[test]
fn what_would_leave_the_directory_or_hide_in_it_is_refused() {
    let kept = Kept::new();
    let long = "x".repeat(65);
    for name in ["", ".", "..", ".hidden", "a/b", "../a", "a b", "a\0", "ä", &long] {
        let why = kept.write(&[(name, "one\n")]).unwrap_err();
        assert_eq!(why, "a log cannot have that name", "{name:?}");
    }
    kept.write(&[(&long[1..], "one\n"), ("-a._9", "one\n")]).unwrap();
    assert_eq!(examine(&kept.path("")).unwrap(), "in use by another daemon");
}

#[test]
fn links_pipes_and_directories_are_not_written_to() {
    let kept = Kept::new();
    let elsewhere = kept.place.path().join("elsewhere");
    fs::write(&elsewhere, "as it was\n").unwrap();
    symlink(&elsewhere, kept.path("link.log")).unwrap();
    symlink(kept.place.path().join("nowhere"), kept.path("dangling.log")).unwrap();
    fs::create_dir(kept.path("directory.log")).unwrap();
    assert!(Command::new("mkfifo").arg(kept.path("pipe.log")).status().unwrap().success());
    for (name, expected) in [
        ("link", "link.log cannot be opened: it is a symbolic link, which is not followed"),
        ("dangling", "dangling.log cannot be opened: it is a symbolic link, which is not followed"),
        ("pipe", "pipe.log cannot be opened: it is no regular file"),
        ("directory", "directory.log cannot be opened: Is a directory (os error 21)"),
    ] {
        // Nothing of a packet is written of which something cannot be.
        let results = kept.write_all(&[&[("sound", "one\n"), (name, "two\n")], &[("sound", "three\n")]]);
        assert_eq!(results, [Err(expected.to_owned()), Ok(())]);
    }
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "as it was\n");
    assert!(!kept.place.path().join("nowhere").exists());
    assert_eq!(kept.text("sound.log"), "three\n".repeat(4));
}

#[test]
fn only_so_many_logs_are_open_and_whoever_waits_the_longest_is_closed() {
    let kept = Kept::at(tempfile::tempdir().unwrap(), 3);
    for name in ["a", "b", "c", "a", "d", "a", "e"] {
        kept.write(&[(name, "one\n")]).unwrap();
    }
    assert_eq!(kept.logs.cabinet.lock().open_logs(), 3);
    // More of them in one packet than can be open at a time.
    let names = ["a", "b", "c", "d", "e", "f"];
    let all: Vec<_> = names.iter().map(|name| (*name, "two\n")).collect();
    kept.write(&all).unwrap();
    assert_eq!(kept.logs.cabinet.lock().open_logs(), 3);
    assert_eq!(kept.text("a.log"), "one\none\none\ntwo\n");
    assert!(names.iter().all(|name| kept.text(&format!("{name}.log")).ends_with("two\n")));
}

#[test]
fn who_has_a_log_is_found_by_its_name() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("logs");
    fs::create_dir(&path).unwrap();
    for name in ["b.log", "a.log.1", "a.log.gz", ".log", ".a.log", "a b.log", "other", "a.b.log"] {
        fs::write(path.join(name), "").unwrap();
    }
    let kept = Kept::at(place, 4);
    let mut loggers = Some(kept.logs.clone()).loggers();
    loggers.sort();
    assert_eq!(loggers, ["a.b".into(), "b".into()] as [Box<str>; 2]);
    assert!(None::<Logs>.loggers().is_empty());
}

#[test]
fn what_the_clerk_gives_is_written_line_by_line() {
    use crate::residue::store::Portion;
    let kept = Kept::new();
    let portion = |logger: &str, line| Portion { logger: logger.into(), line };
    let packets = [
        Packet {
            text: b"one\ntwo\nthree\n".to_vec(),
            portions: vec![portion("a", 8..14), portion("a", 0..4)],
        },
        Packet { text: b"four\n".to_vec(), portions: vec![portion("../b", 0..5)] },
    ];
    let mut logs = Some(kept.logs.clone());
    let refused = StoreError("a log cannot have that name".to_owned());
    assert_eq!(logs.append(&packets), [Ok(()), Err(refused)]);
    assert_eq!(kept.text("a.log"), "three\none\n");
    assert!(None::<Logs>.append(&packets).iter().all(Result::is_err));
}

#[test]
fn files_are_opened_by_their_names_again_when_we_are_told() {
    let kept = Kept::new();
    kept.write(&[("moved", "one\n"), ("gone", "one\n"), ("cut", "one\n")]).unwrap();
    fs::rename(kept.path("moved.log"), kept.path("moved.log.1")).unwrap();
    fs::remove_file(kept.path("gone.log")).unwrap();
    // As logrotate does with copytruncate.
    fs::copy(kept.path("cut.log"), kept.path("cut.log.1")).unwrap();
    fs::File::options().write(true).open(kept.path("cut.log")).unwrap().set_len(0).unwrap();
    kept.write(&[("moved", "two\n"), ("gone", "two\n"), ("cut", "two\n")]).unwrap();
    assert_eq!(kept.text("moved.log.1"), "one\ntwo\n");
    assert!(!kept.path("moved.log").exists() && !kept.path("gone.log").exists());
    assert_eq!((kept.text("cut.log.1").as_str(), kept.text("cut.log").as_str()), ("one\n", "two\n"));
    kept.logs.open_again();
    assert_eq!(kept.logs.cabinet.lock().open_logs(), 0, "nothing keeps a file that was moved away");
    kept.write(&[("moved", "three\n"), ("gone", "three\n"), ("cut", "three\n")]).unwrap();
    assert_eq!(
        (kept.text("moved.log.1").as_str(), kept.text("moved.log").as_str()),
        ("one\ntwo\n", "three\n")
    );
    assert_eq!((kept.text("gone.log").as_str(), kept.text("cut.log").as_str()), ("three\n", "two\nthree\n"));
}

#[test]
fn the_directory_itself_may_be_moved_away() {
    let kept = Kept::new();
    kept.write(&[("a", "one\n")]).unwrap();
    let moved = kept.place.path().join("moved");
    fs::rename(kept.path(""), &moved).unwrap();
    kept.write(&[("b", "one\n")]).unwrap();
    assert!(moved.join("b.log").exists());
    kept.logs.open_again();
    kept.write(&[("a", "two\n")]).unwrap();
    assert_eq!(kept.text("a.log"), "two\n");
}

#[test]
fn one_daemon_at_a_time_writes_to_a_directory() {
    let kept = Kept::new();
    let path = kept.path("");
    let refused = Logs::open(settings(kept.place.path(), 4)).err().unwrap().message;
    let expected =
        format!("the directory {} is in use for logs", path.display().to_string().trim_end_matches('/'));
    assert!(refused.starts_with(&expected) && refused.contains("--residue-logs"), "{refused}");
    kept.logs.open_again();
    assert!(Logs::open(settings(kept.place.path(), 4)).is_err());
    let Kept { place, logs } = kept;
    drop(logs);
    Logs::open(settings(place.path(), 4)).unwrap();
}

#[test]
fn a_directory_is_looked_at_without_changing_anything() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("logs");
    assert_eq!(examine(&path).unwrap(), "not there yet");
    assert!(!path.exists());
    fs::create_dir(&path).unwrap();
    for (name, expected) in [("a.log", "1 log"), ("b.log", "2 logs"), ("b.log.1", "2 logs")] {
        fs::write(path.join(name), "").unwrap();
        assert_eq!(examine(&path).unwrap(), expected);
    }
    let refused = examine(&path.join("a.log")).unwrap_err().message;
    assert!(refused.contains("a.log for logs: ") && refused.contains("ot a directory"), "{refused}");
    assert_eq!(Logs::open(settings(&path.join("a.log"), 4)).err().unwrap().exit, Exit::Failed);
}

/// A disk of a test's own, in memory; none where that is not permitted.
struct Disk {
    place: Option<TempDir>,
}

impl Disk {
    fn mount(options: &str) -> Option<Self> {
        let disk = Self { place: Some(tempfile::tempdir().unwrap()) };
        if disk.run("mount", &["-t", "tmpfs", "-o", options, "none"]) {
            return Some(disk);
        }
        println!("skipped: only root can mount a disk, and not everywhere");
        None
    }

    fn path(&self) -> &Path {
        self.place.as_ref().unwrap().path()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let output = Command::new(program).args(arguments).arg(self.path()).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.run("umount", &["-l"]);
    }
}

/// Logs on such a disk.
fn on_disk(disk: &Disk, sync: Sync) -> Logs {
    Logs::open(Settings { sync, ..settings(disk.path(), 4) }).unwrap()
}

fn lines<'a>(logger: &'a str, text: &'a str) -> Lines<'a> {
    Lines { logger, bytes: text.as_bytes() }
}

#[test]
fn on_a_full_disk_what_still_fits_is_written_and_nothing_by_halves() {
    for sync in [Sync::Later, Sync::Each] {
        let Some(disk) = Disk::mount("size=64k") else { return };
        let logs = on_disk(&disk, sync);
        let text = |name: &str| fs::read_to_string(disk.path().join("logs").join(name)).unwrap();
        let long = "x".repeat(40_000) + "\n";
        let packets = [
            vec![lines("a", "first\n")],
            vec![lines("a", &long)],
            vec![lines("a", &long)],
            vec![lines("a", "small\n")],
            vec![lines("b", "not alone\n"), lines("a", &long)],
            vec![lines("b", "alone\n")],
            vec![lines("c", "apart\n")],
        ];
        let results = logs.write(&packets);
        let stored: Vec<_> = results.iter().map(Result::is_ok).collect();
        assert_eq!(stored, [true, true, false, true, false, true, true], "{results:?}");
        let why = results[2].as_ref().unwrap_err();
        assert!(why.starts_with("a.log cannot be written: No space left"), "{why}");
        assert_eq!(text("a.log"), ["first\n", &long, "small\n"].concat());
        assert_eq!((text("b.log").as_str(), text("c.log").as_str()), ("alone\n", "apart\n"));
        // When there is room again, it is as if nothing had been.
        assert!(disk.run("mount", &["-o", "remount,size=1m"]));
        assert_eq!(logs.write(&packets), vec![Ok(()); 7]);
        assert!(text("a.log").ends_with(&["small\n", &long].concat()));
    }
}

#[test]
fn a_directory_that_cannot_be_had_is_tried_again() {
    let Some(disk) = Disk::mount("size=64k,ro") else { return };
    let logs = on_disk(&disk, Sync::Later);
    let packet = [vec![lines("a", "one\n")]];
    let why = logs.write(&packet).remove(0).unwrap_err();
    assert!(why.starts_with("the directory ") && why.contains("Read-only"), "{why}");
    assert!(disk.run("mount", &["-o", "remount,rw"]));
    // Not at once, unless we are told.
    assert!(logs.write(&packet)[0].is_err());
    logs.open_again();
    logs.write(&packet).remove(0).unwrap();
    // And with one that is there.
    assert!(logs.write(&[vec![lines("b", "one\n")]])[0].is_ok());
    logs.open_again();
    assert!(disk.run("mount", &["-o", "remount,ro"]));
    let why = logs.write(&packet).remove(0).unwrap_err();
    assert!(why.starts_with("a.log cannot be opened: Read-only"), "{why}");
    assert!(disk.run("mount", &["-o", "remount,rw"]));
    logs.write(&packet).remove(0).unwrap();
    assert_eq!(fs::read_to_string(disk.path().join("logs/a.log")).unwrap(), "one\none\n");
}

#[test]
fn what_somebody_else_has_written_behind_it_is_not_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let kept = Kept::at(place, 4);
    let path = kept.path("a.log");
    fs::write(&path, "before\n").unwrap();
    let open = || fs::File::options().read(true).append(true).open(&path).unwrap();
    let mut log = file::Log::new(open()).unwrap();
    let stretch = log.append(b"ours\n", Sync::Later).ok().unwrap();
    open().write_all(b"theirs\n").unwrap();
    assert!(log.take_back(stretch).is_err());
    assert_eq!(kept.text("a.log"), "before\nours\ntheirs\n");
    let stretch = log.append(b"more\n", Sync::Each).ok().unwrap();
    log.take_back(stretch).unwrap();
    assert_eq!(kept.text("a.log"), "before\nours\ntheirs\n");
}

/// Packets that share logs in every way, some of which cannot be written: each log holds the lines of the packets
/// that were, in their order, and no other.
#[test]
fn any_batch_leaves_whole_packets_in_their_order() {
    use crate::wire::random::Random;
    let Some(disk) = Disk::mount("size=96k") else { return };
    let logs = on_disk(&disk, Sync::Later);
    fs::create_dir(disk.path().join("logs/dir.log")).unwrap();
    let names = ["a", "b", "c", "d", "e", "dir"];
    let mut random = Random::new(9);
    let mut expected = vec![String::new(); names.len()];
    let mut refused = 0;
    for round in 0..40 {
        let texts: Vec<Vec<(usize, String)>> = (0..random.below(12) + 1)
            .map(|packet| {
                let line = |random: &mut Random, at| {
                    // Not to the one that cannot be written every time.
                    let name = if random.below(8) == 0 { 5 } else { random.below(5) };
                    (name, format!("{round} {packet} {at} {}\n", "y".repeat(random.below(600))))
                };
                (0..random.below(4) + 1).map(|at| line(&mut random, at)).collect()
            })
            .collect();
        let packets: Vec<Vec<_>> = texts
            .iter()
            .map(|packet| packet.iter().map(|(name, text)| lines(names[*name], text)).collect())
            .collect();
        for (packet, result) in texts.iter().zip(logs.write(&packets)) {
            match result {
                Ok(()) => packet.iter().for_each(|(name, text)| expected[*name] += text),
                Err(_) => refused += 1,
            }
        }
        for (name, expected) in names.iter().zip(&expected).take(5) {
            let there = fs::read_to_string(disk.path().join(format!("logs/{name}.log"))).unwrap_or_default();
            assert!(there == *expected, "{name} in round {round}");
        }
    }
    assert!(refused > 40 && expected[..5].iter().all(|text| !text.is_empty()), "{refused}");
}
