use super::*;
use std::time::Instant;
use zeroize::Zeroizing;

/// What bcrypt 5.0.0 for Python makes of "correct horse".
const CORRECT_HORSE: &str = "$2b$12$DEgbyzR24rCjF1HpHaOjC.Y4zYvu6yAiFBZN/ODKNUbRhdTJGncha";
/// Other passwords, and what it makes of them.
const GOLDEN: [(&str, &str); 4] = [
    ("old-style-1", "$2a$12$wjVvI.alkOm0fuHvgmoGjuvVF/pRsT7hvIWTlCZbyir0VqYheO4au"),
    ("password of a y", "$2y$12$0VRNf3W8rGmJ.4z8Gmo6se8G.IgTUcxu8IgsQXosPNMPklWTBusI6"),
    ("pässwörd€", "$2b$12$SqMyqZLY8n3JcI2HeQM/zuB1cYFbP0qoYBP47dECPGCq9/pHBJ78a"),
    (SEVENTY_TWO, "$2b$12$busRG36o26xKl6d9FMFOmuhToot6F1sc81tAHvAeGveCzzuARPWAi"),
];
const SEVENTY_TWO: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn hash(text: &str) -> Hash {
    Hash::parse(text).unwrap()
}

fn password(text: &str) -> Result<Password, PasswordError> {
    Password::parse(Zeroizing::new(text.as_bytes().to_vec()))
}

#[test]
fn hashes_that_python_made_are_right_for_their_passwords_alone() {
    for (password, hash) in GOLDEN {
        let users = Users::parse(&format!("alice:{hash}\n")).unwrap();
        assert!(users.is_right("alice", password.as_bytes()), "{password}");
        assert!(!users.is_right("alice", &password.as_bytes()[1..]), "{password}");
    }
    let users = Users::parse(&format!("alice:{CORRECT_HORSE}")).unwrap();
    for (name, password, right) in [
        ("alice", "correct horse", true),
        ("alice", "correct horse ", false),
        ("alice", "Correct horse", false),
        ("alice", "", false),
        ("Alice", "correct horse", false),
        ("", "correct horse", false),
    ] {
        assert_eq!(users.is_right(name, password.as_bytes()), right, "{name} {password}");
    }
}

#[test]
fn what_bcrypt_would_take_for_the_same_password_is_not() {
    let long = Users::parse(&format!("alice:{}", GOLDEN[3].1)).unwrap();
    assert!(!long.is_right("alice", format!("{SEVENTY_TWO}x").as_bytes()), "73 bytes are not cut");
    assert!(!long.is_right("alice", &[b'x'; 100_000]));
    let users = Users::parse(&format!("alice:{CORRECT_HORSE}")).unwrap();
    for again in [&b"correct horse\0correct horse"[..], b"correct horse\0"] {
        assert!(!users.is_right("alice", again), "{again:?}");
    }
    // This is what would have happened.
    assert!(bcrypt::verify(b"correct horse\0correct horse", CORRECT_HORSE).unwrap());
}

#[test]
fn nobody_is_told_from_a_stranger_by_the_time_it_takes() {
    let users = Users::parse(&format!("alice:{CORRECT_HORSE}")).unwrap();
    let time = |name: &str, password: &[u8]| {
        let start = Instant::now();
        users.is_right(name, password);
        start.elapsed()
    };
    let known = time("alice", b"wrong password");
    for (name, password) in [("bob", &b"wrong"[..]), ("alice", &[b'x'; 73]), ("alice", b"\0"), ("", b"")] {
        let other = time(name, password);
        // Far apart is a bcrypt that did not run; the machine may be busy with something else.
        assert!(other > known / 20, "{name:?}: {other:?}, where a user takes {known:?}");
    }
    assert!(!users.is_right("bob", b"correct horse"));
    assert!(!Users::default().is_right("bob", b"correct horse"));
}

#[test]
fn comments_and_blank_lines_are_skipped_and_line_ends_do_not_count() {
    let hash = CORRECT_HORSE;
    let table = [
        (String::new(), 0),
        ("\n\n".to_owned(), 0),
        ("# alice:hash\n#\n \t\n".to_owned(), 0),
        (format!("alice:{hash}"), 1),
        (format!("alice:{hash}\r\nbob:{hash}\r\n\r\n# end\r\n"), 2),
        (format!("\n#\nalice:{hash}\n\nAlice:{hash}\n#alice:{hash}"), 2),
        (format!("a1:{hash}\n{}:{hash}\n", "Z".repeat(32)), 2),
    ];
    for (text, count) in table {
        let users = Users::parse(&text).unwrap();
        assert_eq!((users.len(), users.is_empty()), (count, count == 0), "{text:?}");
    }
}

#[test]
fn a_line_that_is_wrong_is_told_by_its_number() {
    let good = CORRECT_HORSE;
    let table = [
        ("alice".to_owned(), Problem::Colon),
        (format!("alice {good}"), Problem::Colon),
        (good.to_owned(), Problem::Colon),
        (format!(":{good}"), Problem::Name),
        (format!("a:{good}"), Problem::Name),
        (format!("{}:{good}", "a".repeat(33)), Problem::Name),
        (format!(" alice:{good}"), Problem::Name),
        (format!("alice :{good}"), Problem::Name),
        (format!("al-ice:{good}"), Problem::Name),
        (format!("alicé:{good}"), Problem::Name),
        (format!("\u{feff}alice:{good}"), Problem::Name),
        (format!(" # comment:{good}"), Problem::Name),
        ("alice:".to_owned(), Problem::Hash),
        ("alice:correct horse".to_owned(), Problem::Hash),
        (format!("alice: {good}"), Problem::Hash),
        (format!("alice:{good} "), Problem::Hash),
        (format!("alice:{good}\r\r"), Problem::Hash),
        (format!("alice:{good}:x"), Problem::Hash),
        (format!("alice::{good}"), Problem::Hash),
        (format!("alice:{}", &good[..59]), Problem::Hash),
        (format!("alice:{good}a"), Problem::Hash),
        (format!("alice:{}", good.replace("$2b", "$2x")), Problem::Hash),
        (format!("alice:{}", good.replace("$2b", "$2 ")), Problem::Hash),
        (format!("alice:{}", good.replace("$12$", "$1x$")), Problem::Hash),
        (format!("alice:{}", good.replace("24rCj", "24r:j")), Problem::Hash),
        (format!("alice:{}", good.replace("24rCj", "24ré")), Problem::Hash),
        (format!("alice:{}", good.replace("ncha", "nch_")), Problem::Hash),
        (format!("alice:{}", good.replace("$12$", "$10$")), Problem::Cost),
        (format!("alice:{}", good.replace("$12$", "$13$")), Problem::Cost),
        (format!("alice:{}", good.replace("$12$", "$+9$")), Problem::Cost),
        (format!("bob:{good}"), Problem::Duplicate { of: 2 }),
    ];
    for (line, problem) in table {
        for end in ["\n", "\r\n", "\nlater:not looked at"] {
            let text = format!("# users\nbob:{good}\n\n{line}{end}");
            assert_eq!(Users::parse(&text).unwrap_err(), UsersError { line: 4, problem }, "{text:?}");
            assert_eq!(Draft::parse(&text).unwrap_err(), UsersError { line: 4, problem }, "{text:?}");
        }
    }
}

#[test]
fn an_error_does_not_repeat_the_line() {
    let table = [
        ("secret", "line 1: there is no colon between a name and a hash"),
        ("x-secret:", "line 1: a name is 2 to 32 ASCII letters and digits"),
        ("alice:secret", "line 1: behind the colon is no bcrypt hash (60 characters, version 2a, 2b or 2y)"),
    ];
    for (text, expected) in table {
        assert_eq!(Users::parse(text).unwrap_err().to_string(), expected);
    }
    let other_cost = format!("alice:{}", CORRECT_HORSE.replace("$12$", "$04$"));
    assert_eq!(Users::parse(&other_cost).unwrap_err().to_string(), "line 1: the cost of the hash is not 12");
    let twice = format!("alice:{CORRECT_HORSE}\nalice:{CORRECT_HORSE}");
    assert_eq!(Users::parse(&twice).unwrap_err().to_string(), "line 2: the name is in line 1 already");
}

#[test]
fn what_is_no_text_is_told_by_its_line() {
    assert_eq!(text(b"a\xc3\xa9\n".to_vec()).unwrap(), "aé\n");
    for (bytes, line) in [(&b"\xff"[..], 1), (b"a\n\nb\xff\n\xff", 3), (b"#\n\xc3", 2)] {
        let error = text(bytes.to_vec()).unwrap_err();
        assert_eq!(error.to_string(), format!("line {line}: it is not UTF-8"));
    }
}

#[test]
fn a_password_that_is_set_is_right_from_then_on() {
    let password = password(SEVENTY_TWO).unwrap();
    let made = password.hash().unwrap();
    assert!(made.as_str().starts_with("$2b$12$") && made.as_str().len() == 60);
    let mut draft = Draft::default();
    assert_eq!(draft.set(&name("alice"), &made), Outcome::Added);
    let users = Users::parse(&draft.text()).unwrap();
    assert!(users.is_right("alice", SEVENTY_TWO.as_bytes()));
    assert!(!users.is_right("alice", &SEVENTY_TWO.as_bytes()[1..]));
    assert!(made != password.hash().unwrap(), "the salt is fresh");
}

#[test]
fn passwords_are_8_to_72_bytes_without_white_space() {
    let table = [
        ("", Err(PasswordError::Short)),
        ("1234567", Err(PasswordError::Short)),
        ("       ", Err(PasswordError::Short)),
        ("12345678", Ok(())),
        ("äöüß", Ok(())),
        (SEVENTY_TWO, Ok(())),
        (&SEVENTY_TWO.replace("xx", "xyz"), Err(PasswordError::Long)),
        ("pass word", Err(PasswordError::WhiteSpace)),
        ("password\n", Err(PasswordError::WhiteSpace)),
        ("\tpassword", Err(PasswordError::WhiteSpace)),
        ("pass\u{a0}word", Err(PasswordError::WhiteSpace)),
        ("pass\u{3000}word", Err(PasswordError::WhiteSpace)),
        ("pass\0word", Err(PasswordError::Control)),
        ("pass\u{1f}word", Err(PasswordError::Control)),
        ("pass\u{7f}word", Err(PasswordError::Control)),
    ];
    for (text, expected) in table {
        assert_eq!(password(text).map(drop), expected, "{text:?}");
    }
    let latin = Password::parse(Zeroizing::new(b"p\xe4ssword".to_vec()));
    assert_eq!(latin, Err(PasswordError::Utf8));
}

#[test]
fn names_are_2_to_32_letters_and_digits() {
    for good in ["ab", "Z9", "007", &"x".repeat(32)] {
        assert_eq!(Name::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a", &"x".repeat(33), "a b", "a:b", "a\n", "al.ice", "älice", "a\0b", "#ab"] {
        assert_eq!(Name::parse(bad), Err(NameError), "{bad:?}");
    }
}

#[test]
fn a_draft_changes_one_line_and_keeps_the_others() {
    let (old, new) = (CORRECT_HORSE, GOLDEN[0].1);
    let before = format!("# who\r\n\nalice:{old}\r\n bob\n").replace(" bob", &format!("bob:{old}"));
    let mut draft = Draft::parse(&before).unwrap();
    assert_eq!(draft.text(), before);
    assert_eq!(draft.names().map(Name::as_str).collect::<Vec<_>>(), ["alice", "bob"]);

    assert_eq!(draft.set(&name("alice"), &hash(new)), Outcome::Changed);
    assert_eq!(draft.text(), format!("# who\r\n\nalice:{new}\r\nbob:{old}\n"));
    assert_eq!(draft.set(&name("carol"), &hash(new)), Outcome::Added);
    assert_eq!(draft.text(), format!("# who\r\n\nalice:{new}\r\nbob:{old}\ncarol:{new}\n"));
    assert!(draft.remove(&name("alice")));
    assert!(!draft.remove(&name("alice")) && !draft.remove(&name("Bob")));
    assert_eq!(draft.text(), format!("# who\r\n\nbob:{old}\ncarol:{new}\n"));
}

#[test]
fn a_draft_has_lines_of_one_colon_only_if_it_is_made_here() {
    let made = hash(CORRECT_HORSE);
    let mut draft = Draft::default();
    for user in ["alice", "bob", "carol"] {
        draft.set(&name(user), &made);
    }
    draft.set(&name("bob"), &made);
    draft.remove(&name("alice"));
    let text = draft.text();
    assert_eq!(text, format!("bob:{CORRECT_HORSE}\ncarol:{CORRECT_HORSE}\n"));
    assert!(text.lines().all(|line| line.matches(':').count() == 1));
    draft.remove(&name("bob"));
    draft.remove(&name("carol"));
    assert_eq!(draft.text(), "");
}

#[test]
fn a_last_line_without_an_end_gets_one_before_another_follows() {
    let mut draft = Draft::parse(&format!("bob:{CORRECT_HORSE}")).unwrap();
    draft.set(&name("bob"), &hash(GOLDEN[0].1));
    assert_eq!(draft.text(), format!("bob:{}", GOLDEN[0].1));
    draft.set(&name("alice"), &hash(CORRECT_HORSE));
    assert_eq!(draft.text(), format!("bob:{}\nalice:{CORRECT_HORSE}\n", GOLDEN[0].1));
}

#[test]
fn nothing_here_shows_a_hash_or_a_password() {
    let users = Users::parse(&format!("alice:{CORRECT_HORSE}")).unwrap();
    let shown = format!("{users:?} {:?} {:?}", hash(CORRECT_HORSE), password("correct-horse").unwrap());
    assert_eq!(shown, "Users(1) Hash Password");
}
