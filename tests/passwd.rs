//! `rollcall passwd`: the users file of FmLTP.

#![cfg(all(feature = "client", feature = "fmltp"))]
#![cfg(test)]

mod common;
mod support_client;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Place, process};
use rollcall::fmltp::users::Users;
use support_client::{Ended, Rollcall};

/// A good line, and another.
const ALICE: &str = "alice:$2b$12$DEgbyzR24rCjF1HpHaOjC.Y4zYvu6yAiFBZN/ODKNUbRhdTJGncha\n";
const BOB: &str = "bob:$2a$12$wjVvI.alkOm0fuHvgmoGjuvVF/pRsT7hvIWTlCZbyir0VqYheO4au\n";

fn passwd(arguments: &[&str], stdin: &str) -> Ended {
    Rollcall::run(&[&["passwd"], arguments].concat(), stdin.as_bytes())
}

/// It ends well, and says this.
#[track_caller]
fn does(arguments: &[&str], stdin: &str, says: &str) {
    let ended = passwd(arguments, stdin);
    assert_eq!((ended.code, ended.stderr.as_str(), ended.text()), (Some(0), says, ""));
}

/// It ends with this code, for this reason.
#[track_caller]
fn fails(arguments: &[&str], stdin: &str, code: i32, says: &str) {
    let ended = passwd(arguments, stdin);
    assert_eq!((ended.code, ended.text()), (Some(code), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().next().unwrap(), format!("rollcall: {says}"));
}

#[track_caller]
fn lists(file: &str, names: &str) {
    let ended = passwd(&[file, "--list"], "");
    assert_eq!((ended.code, ended.stderr.as_str(), ended.text()), (Some(0), "", names));
}

fn is_right(file: &str, user: &str, password: &str) -> bool {
    Users::parse(&fs::read_to_string(file).unwrap()).unwrap().is_right(user, password.as_bytes())
}

fn mode(file: impl AsRef<Path>) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

/// What is in the place, by name.
fn files(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.join("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_root() -> bool {
    process::status(std::process::id(), "Uid").starts_with("0\t")
}

#[test]
fn users_are_added_changed_listed_and_deleted() {
    let place = Place::new();
    let file = place.text("users");
    does(
        &[&file, "carol"],
        "first password".replace(' ', "-").as_str(),
        &format!("carol is new in {file}\n"),
    );
    assert_eq!(mode(&file), 0o600);
    assert!(is_right(&file, "carol", "first-password"));
    does(&[&file, "alice"], "pässwörd€\r\nnot this\n", &format!("alice is new in {file}\n"));
    does(&[&file, "carol"], "second-password\n", &format!("carol has a new password in {file}\n"));
    assert!(!is_right(&file, "carol", "first-password") && is_right(&file, "carol", "second-password"));
    assert!(is_right(&file, "alice", "pässwörd€"));
    lists(&file, "carol\nalice\n");
    // What the real server makes of it: a name and a hash by the one colon of each line.
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().all(|line| line.split(':').count() == 2 && line.contains(":$2b$12$")), "{text}");

    does(&[&file, "carol", "--delete"], "", &format!("carol is no longer in {file}\n"));
    fails(&[&file, "carol", "--delete"], "", 1, &format!("there is no user carol in {file}"));
    does(&["--delete", &file, "alice"], "", &format!("alice is no longer in {file}\n"));
    lists(&file, "");
    assert_eq!(fs::read(&file).unwrap(), b"");
    assert_eq!(files(&place), ["users"], "nothing else is left behind");
}

#[test]
fn what_is_not_changed_stays_as_it_was_and_nobody_else_may_read_it() {
    let place = Place::new();
    let file = place.text("users");
    let before = format!("# who\n\n{}{BOB}# end", ALICE.replace('\n', "\r\n"));
    fs::write(&file, &before).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
    does(&[&file, "bob"], "new-password\n", &format!("bob has a new password in {file}\n"));
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&before[..before.len() - BOB.len() - 5]) && text.ends_with("\n# end"), "{text}");
    lists(&file, "alice\nbob\n");
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let place = Place::new();
    fs::create_dir(place.join("real")).unwrap();
    let (link, file) = (place.text("users"), place.join("real/file"));
    symlink("real/file", &link).unwrap();
    let nowhere = format!("cannot find the file that the link {link} leads to: no such file or directory");
    fails(&[&link, "bob"], "long-enough", 1, &nowhere);
    fs::write(&file, ALICE).unwrap();
    let shown = fs::canonicalize(&file).unwrap();
    does(&[&link, "bob"], "long-enough", &format!("bob is new in {}\n", shown.display()));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().starts_with(ALICE));
    lists(&link, "alice\nbob\n");
}

#[test]
fn a_file_that_is_not_right_is_not_touched() {
    let place = Place::new();
    let file = place.text("users");
    let no_hash = "line 2: behind the colon is no bcrypt hash (60 characters, version 2a, 2b or 2y)";
    let table = [
        (b"\nalice:secret\n".to_vec(), no_hash),
        (b"alice\n".to_vec(), "line 1: there is no colon between a name and a hash"),
        (b"#\n#\n\xff".to_vec(), "line 3: it is not UTF-8"),
        ([ALICE, ALICE].concat().into(), "line 2: the name is in line 1 already"),
        (ALICE.replace("$12$", "$10$").into(), "line 1: the cost of the hash is not 12"),
    ];
    for (text, says) in table {
        fs::write(&file, &text).unwrap();
        let says = format!("{file}: {says}");
        fails(&[&file, "bob"], "long-enough", 1, &says);
        fails(&[&file, "alice", "--delete"], "", 1, &says);
        fails(&[&file, "--list"], "", 1, &says);
        assert_eq!(fs::read(&file).unwrap(), text);
    }
    fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    let says = format!("more than 1048576 bytes are not read, and {file} would be longer");
    fails(&[&file, "--list"], "", 1, &says);
    fs::write(&file, "#".repeat(1 << 20)).unwrap();
    fails(&[&file, "bob"], "long-enough", 1, &says);
    assert_eq!(fs::metadata(&file).unwrap().len(), 1 << 20);
    assert_eq!(files(&place), ["users"]);
}

#[test]
fn where_there_is_no_file_there_is_nobody_to_list_or_delete() {
    let place = Place::new();
    let (file, directory) = (place.text("users"), place.text(""));
    let missing = format!("cannot read {file}: no such file or directory");
    fails(&[&file, "--list"], "", 1, &missing);
    fails(&[&file, "alice", "--delete"], "", 1, &missing);
    fails(&[&directory, "alice"], "long-enough", 1, &format!("{directory} is no regular file"));
    let nowhere = place.text("no/users");
    let says = format!("cannot write {nowhere}: no such file or directory");
    let ended = passwd(&[&nowhere, "alice"], "long-enough");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with(&format!("rollcall: {says}")), "{}", ended.stderr);
    assert_eq!(files(&place), [""; 0]);
}

#[test]
fn a_password_that_is_not_fit_changes_nothing() {
    let place = Place::new();
    let file = place.text("users");
    let long = "x".repeat(73);
    let table = [
        ("", "a password has at least 8 bytes"),
        ("1234567\n", "a password has at least 8 bytes"),
        ("\nlong-enough\n", "a password has at least 8 bytes"),
        (&long, "a password has at most 72 bytes"),
        ("two words\n", "a password has no white space in it"),
        ("long-enough \n", "a password has no white space in it"),
        ("long\0enough\n", "a password has no control characters in it"),
    ];
    for (stdin, says) in table {
        fails(&[&file, "alice"], stdin, 1, says);
    }
    assert!(!fs::exists(&file).unwrap());
    does(&[&file, "alice"], &"x".repeat(72), &format!("alice is new in {file}\n"));
    let ended = Rollcall::run(&["passwd", &file, "bob"], b"p\xe4ssword\n");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "rollcall: a password is UTF-8\n"));
}

#[test]
fn a_wrong_command_line_is_told() {
    let place = Place::new();
    let file = place.text("users");
    let table: [(&[&str], &str); 7] = [
        (&[], "FILE has to be given: the users file"),
        (&[&file], "USER has to be given, or --list"),
        (&[&file, "alice", "bob"], "\"bob\" is one argument too many"),
        (&[&file, "al:ice"], "a name is 2 to 32 ASCII letters and digits, not \"al:ice\""),
        (&[&file, "a", "--delete"], "a name is 2 to 32 ASCII letters and digits, not \"a\""),
        (&[&file, "alice", "--list"], "--list takes no USER"),
        (&[&file, "alice", "--delete", "--list"], "--delete and --list exclude each other"),
    ];
    for (arguments, says) in table {
        fails(arguments, "long-enough", 2, says);
    }
    assert_eq!(files(&place), [""; 0]);
}

#[test]
fn a_line_of_standard_input_is_all_that_is_taken() {
    let place = Place::new();
    let script = r#"for user in alice bob; do "$0" passwd "$1" $user; done; cat"#;
    let mut shell = Command::new("sh");
    let program = support_client::command(["list"]).get_program().to_owned();
    shell.arg("-c").arg(script).arg(program).arg(place.join("users"));
    let mut shell = Rollcall::spawn(&mut shell);
    shell.types("password-of-alice\npassword-of-bob\nrest\n");
    let ended = shell.finish();
    assert_eq!((ended.code, ended.text()), (Some(0), "rest\n"), "{}", ended.stderr);
    assert!(is_right(&place.text("users"), "alice", "password-of-alice"));
    assert!(is_right(&place.text("users"), "bob", "password-of-bob"));
}

#[test]
fn who_comes_at_the_same_time_takes_nobody_out_again() {
    let place = Place::new();
    let file = place.text("users");
    let names: Vec<_> = (0..8).map(|number| format!("user{number}")).collect();
    let running = names.iter().map(|name| {
        let mut running = Rollcall::start(&["passwd", &file, name]);
        running.types("long-enough\n");
        running
    });
    for running in running.collect::<Vec<_>>() {
        assert_eq!(running.finish().code, Some(0));
    }
    let listed = passwd(&[&file, "--list"], "");
    let mut listed: Vec<_> = listed.text().lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, names);
    assert_eq!(files(&place), ["users"]);
}

#[test]
fn who_waits_for_another_says_so() {
    let place = Place::new();
    let file = place.text("users");
    fs::write(&file, ALICE).unwrap();
    let locked = fs::File::open(&file).unwrap();
    locked.lock_shared().unwrap();
    let mut waiting = Rollcall::start(&["passwd", &file, "bob"]);
    waiting.types("long-enough\n");
    waiting.says(&format!("waiting for another program that has locked {file}"));
    locked.unlock().unwrap();
    assert_eq!(waiting.finish().code, Some(0));
    lists(&file, "alice\nbob\n");
}

/// Here a limit of the size of files stands for a disk that is full.
#[test]
fn a_file_that_cannot_be_written_whole_is_not_written() {
    let place = Place::new();
    let file = place.text("users");
    fs::write(&file, ALICE).unwrap();
    let mut shell = Command::new("sh");
    let program = support_client::command(["list"]).get_program().to_owned();
    let script = r#"trap "" XFSZ; ulimit -f 0; exec "$0" passwd "$1" bob"#;
    shell.arg("-c").arg(script).arg(program).arg(&file);
    let mut shell = Rollcall::spawn(&mut shell);
    shell.types("long-enough\n");
    let ended = shell.finish();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with(&format!("rollcall: cannot write {file}: ")), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), ALICE);
    assert_eq!(files(&place), ["users"]);
}

#[test]
fn a_directory_that_takes_no_files_or_cannot_be_opened_is_told() {
    let (place, programs) = (Place::new(), Place::new());
    let file = place.text("users");
    fs::write(&file, ALICE).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new(programs.copy_program(support_client::command(["list"]).get_program()));
    command.uid(nobody()).current_dir("/");
    let runs = Command::new(command.get_program()).uid(nobody()).arg("-V").stdout(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        return println!("skipped: nobody cannot run it there");
    }
    command.args(["passwd", &file, "bob"]);
    // In the second one files can be made, but it cannot be made sure that they are on disk.
    for (owner, mode) in [(0, 0o555), (nobody(), 0o300)] {
        if is_root() {
            chown(place.join(""), Some(owner), None).unwrap();
        }
        fs::set_permissions(place.join(""), Permissions::from_mode(mode)).unwrap();
        let mut running = Rollcall::spawn(&mut command);
        running.types("long-enough\n");
        let ended = running.finish();
        fs::set_permissions(place.join(""), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let says = format!("rollcall: cannot write {file}: permission denied");
        assert!(ended.stderr.starts_with(&says), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), ALICE);
    }
}

/// Who does not write everywhere, as root does.
fn nobody() -> u32 {
    if is_root() { 65_534 } else { fs::metadata("/proc/self").unwrap().uid() }
}

#[test]
fn the_file_stays_its_owners() {
    if !is_root() {
        return println!("skipped: only root can give files away");
    }
    let place = Place::new();
    let file = place.text("users");
    fs::write(&file, ALICE).unwrap();
    chown(&file, Some(65_534), Some(65_534)).unwrap();
    does(&[&file, "bob"], "long-enough", &format!("bob is new in {file}\n"));
    let there = fs::metadata(&file).unwrap();
    assert_eq!((there.uid(), there.gid(), mode(&file)), (65_534, 65_534, 0o600));
}

/// What is done at a question.
enum Done {
    Typed(&'static [u8]),
    /// This signal is sent to the program.
    Sent(&'static str),
}

/// Runs the program on a terminal of its own, and then says how that ended and whether the terminal has its echo;
/// what is done comes each after its question.
fn on_a_terminal(file: &str, answers: &[(&str, Done)]) -> Option<String> {
    let program = support_client::command(["list"]).get_program().to_owned();
    let mut script = Command::new("script");
    // Under nohup(1) the signal HUP would end nothing.
    let command = r#"trap : INT; tty; sh -c 'echo "process $$"; exec env --default-signal "$PROGRAM" passwd "$FILE" alice'
        echo "ended with $?"; stty -a"#;
    script.args(["-qec", command, "/dev/null"]).env("PROGRAM", program).env("FILE", file);
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: there is no script(1) to make a terminal");
        return None;
    }
    let mut terminal = Rollcall::spawn(&mut script);
    let name = terminal.shows("/dev/").trim_end().to_owned();
    let process = terminal.shows("process ").trim_end().replace("process ", "").parse().unwrap();
    let is_silent = || {
        let said = Command::new("stty").args(["-F", &name, "-a"]).output().unwrap().stdout;
        String::from_utf8(said).unwrap().contains(" -echo ")
    };
    for (question, answer) in answers {
        // The echo goes a moment before the question comes, and is there again between two questions.
        process::eventually(question, || terminal.shown().contains(question) && is_silent());
        match answer {
            Done::Typed(bytes) => terminal.types(bytes),
            Done::Sent(signal) => process::signal(process, signal),
        }
    }
    terminal.shows("ended with ");
    let ended = terminal.finish();
    let shown = ended.text().replace('\r', "");
    let words: Vec<_> = shown.split_whitespace().collect();
    for flag in ["echo", "icanon", "isig"] {
        assert!(words.contains(&flag), "{flag} is not back: {shown}");
    }
    assert!(shown.contains(" susp = ^Z;"), "{shown}");
    Some(shown)
}

#[test]
fn on_a_terminal_it_is_asked_for_twice_and_not_shown() {
    let place = Place::new();
    let file = place.text("users");
    let answers = [
        ("New password of alice: ", Done::Typed(b"long-enough\n")),
        ("Once more: ", Done::Typed(b"wrong\x15long-enouhg\x7f\x7fgh\n")),
    ];
    let Some(shown) = on_a_terminal(&file, &answers) else { return };
    assert!(shown.contains("ended with 0") && !shown.contains("long-enou"), "{shown}");
    assert!(is_right(&file, "alice", "long-enough"));
}

#[test]
fn on_a_terminal_two_passwords_that_differ_change_nothing() {
    let place = Place::new();
    let file = place.text("users");
    let answers = [
        ("New password of alice: ", Done::Typed(b"long-enough\n")),
        ("Once more: ", Done::Typed(b"long-enouhg\n")),
    ];
    let Some(shown) = on_a_terminal(&file, &answers) else { return };
    assert!(
        shown.contains("that was not the same password twice") && shown.contains("ended with 1"),
        "{shown}"
    );
    assert!(!fs::exists(&file).unwrap());
}

#[test]
fn on_a_terminal_only_fit_passwords_are_taken_and_nothing_is_cut() {
    let table: [(&[u8], &str); 4] = [
        // Latin-1, with a letter that would begin one of two bytes in UTF-8 at the end.
        (b"p\xe4sswort\n", "a password is UTF-8"),
        (b"long-enough\xc3\n", "a password is UTF-8"),
        ([[b'x'; 73].as_slice(), b"\n"].concat().leak(), "a password has at most 72 bytes"),
        (b"\x04", "cannot ask for a password on the terminal: unexpected end of file"),
    ];
    for (typed, says) in table {
        let place = Place::new();
        let answers = [("New password of alice: ", Done::Typed(typed))];
        let Some(shown) = on_a_terminal(&place.text("users"), &answers) else { return };
        assert!(
            shown.contains(&format!("rollcall: {says}\n")) && shown.contains("ended with 1\n"),
            "{shown}"
        );
        assert_eq!(files(&place), [""; 0]);
    }
}

#[test]
fn a_question_that_a_signal_ends_leaves_the_terminal_as_it_was() {
    let table = [
        (Done::Typed(b"long\x03"), 130),
        (Done::Sent("INT"), 130),
        (Done::Sent("TERM"), 143),
        (Done::Sent("HUP"), 129),
    ];
    for (what, code) in table {
        let place = Place::new();
        let Some(shown) = on_a_terminal(&place.text("users"), &[("New password of alice: ", what)]) else {
            return;
        };
        assert!(shown.contains(&format!("ended with {code}\n")), "{shown}");
        assert_eq!(files(&place), [""; 0]);
    }
}
