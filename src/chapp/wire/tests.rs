use super::*;

#[test]
fn an_action_line_has_one_tab_and_behind_it_one_arrow() {
    let good =
        [("POST\tann->bob", "POST", "ann", "bob"), ("\t->", "", "", ""), (" x \ta-->>b", " x ", "a-", ">b")];
    for (line, word, from, to) in good {
        let parsed = ActionLine::parse(line.as_bytes()).unwrap();
        assert_eq!((parsed.word, parsed.from, parsed.to), (word, from, to), "{line:?}");
    }
    let bad = ["", "POST", "POST\t", "POST ann->bob", "a->b\tc", "a->b\tc->d", "P\ta->b->c", "P\ta->->b"];
    let tabs = ["\tP\ta->b", "P\ta\t->b", "P\ta->b\t", "P\t\ta->b"];
    for line in bad.into_iter().chain(tabs) {
        assert!(ActionLine::parse(line.as_bytes()).is_none(), "{line:?}");
    }
    assert!(ActionLine::parse(b"P\ta\xff->b").is_none());
}

#[test]
fn a_number_is_ascii_digits_up_to_the_limit() {
    let zeros = "0".repeat(1000);
    let table = [
        ("0", Some(0)),
        ("007", Some(7)),
        ("9223372036854775807", Some(NUMBER_LIMIT)),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        (zeros.as_str(), Some(0)),
        ("", None),
        ("1 ", None),
        ("+1", None),
        ("-1", None),
        ("1_0", None),
        ("0x1", None),
        ("\u{661}", None),
        ("99999999999999999999999999999999999999999", None),
    ];
    for (value, expected) in table {
        assert_eq!(number(value), expected, "{value:?}");
    }
    assert_eq!(number(&format!("{zeros}9223372036854775807")), Some(NUMBER_LIMIT));
}

#[test]
fn a_field_keeps_what_trails() {
    assert_eq!(field(b"message: \t\n hi : there \n"), Some(("message", "hi : there \n")));
    assert_eq!(field("a:\u{3000}b".as_bytes()), Some(("a", "b")));
    assert_eq!(field(b":"), Some(("", "")));
    assert_eq!((field(b"message"), field(b""), field(b"a:\xff"), field(b"\xff:a")), (None, None, None, None));
}

#[test]
fn words_and_numbers_are_found_again() {
    for action in Action::ALL {
        assert_eq!(Action::of(&action.word().to_ascii_lowercase()), Some(action));
    }
    assert_eq!((Action::of(" POST"), Action::of("POST "), Action::of("")), (None, None, None));
    for status in Status::ALL {
        assert_eq!(Status::of(status.code()), Some(status));
    }
    assert_eq!(Status::of(299), None);
}

#[test]
fn lines_are_what_separators_separate() {
    let split = |text: &[u8]| -> Vec<(usize, Vec<u8>)> {
        lines(text).map(|(at, line)| (at, line.to_vec())).collect()
    };
    assert_eq!(split(b"a\\\nb\n\\c\\\\\n"), [(0, b"a".to_vec()), (3, b"b\n\\c\\".to_vec()), (10, vec![])]);
    assert_eq!(split(b""), [(0, vec![])]);
}
