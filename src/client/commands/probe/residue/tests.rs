use super::*;
use crate::residue::reply::{Flags, Terms};

fn matches(arguments: &[&str]) -> Matches {
    let mut known = Options::new();
    options(&mut known);
    known.parse(arguments).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let matches = matches(arguments);
    hello(&matches).err().or_else(|| errands(&matches).err()).unwrap().to_string()
}

#[test]
fn every_option_is_one_of_the_door() {
    let mut known = Options::new();
    options(&mut known);
    for name in OPTIONS {
        let arguments = [format!("--{name}"), "x".to_owned()];
        assert!(known.parse(&arguments).is_ok(), "{name}");
    }
}

#[test]
fn options_say_what_is_wrong_with_them() {
    let table: [(&[&str], &str); 7] = [
        (&["--client-id", "a b"], "--client-id takes 1 to 64 letters, digits, and any of @#_.-, not \"a b\""),
        (&["--client-id", "a"], "--client-id needs --client-key, which the server has to know"),
        (&["--key-size", "512"], "--key-size takes 128, 192 or 256, not \"512\""),
        (&["--key-size", "x\u{1b}"], "--key-size takes 128, 192 or 256, not \"x\\u{1B}\""),
        (&["--log", ""], "--log takes a text that is not empty"),
        (&["--logger", ""], "--logger takes a text that is not empty"),
        (&["--server-key", "/"], "cannot read /: is a directory"),
    ];
    for (arguments, expected) in table {
        assert_eq!(refused(arguments), expected);
    }
    let errands = errands(&matches(&["--touch"])).unwrap();
    assert!(errands.touch && errands.message.is_none() && errands.access_code.is_none());
    assert_eq!(errands.logger, "default");
}

#[test]
fn an_access_code_is_the_first_line_of_a_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("code");
    for (text, expected) in [
        (&b"a2dcb"[..], Some("a2dcb")),
        (b"a2dcb\r\nmore\n", Some("a2dcb")),
        (b"two words\n", Some("two words")),
        (b"", None),
        (b"\na2dcb", None),
        (b"\xff\n", None),
    ] {
        std::fs::write(&path, text).unwrap();
        let code = access_code(path.to_str().unwrap());
        assert_eq!(code.ok().as_ref().map(|code| code.as_str()), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn a_file_of_a_key_has_its_limit() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key");
    let path = path.to_str().unwrap();
    for (length, expected) in [(0, true), (FILE_LIMIT, true), (FILE_LIMIT + 1, false)] {
        std::fs::write(path, vec![b'x'; length]).unwrap();
        let read = read(path).ok().map(|bytes| bytes.len());
        assert_eq!(read, expected.then_some(length));
    }
}

#[test]
fn what_a_server_says_is_told_in_words() {
    let mut terms = Terms {
        is_acknowledged: true,
        client_id: "abc".into(),
        age: Some(300),
        date_created: Some(1),
        flags: Some(Flags(18)),
        logging_port: Some(8779),
        token_port: None,
        max_bulk_size: Some(100),
        licensee: Some("ACME\u{1b}".into()),
        version: Some("1.2.2".into()),
    };
    let told = words::established(&terms);
    assert_eq!(
        told.about,
        "1.2.2 of ACME\\u{1B}; alive for 300 s; tokens at off, logs at 8779, up to 100 at once; flags 18"
    );
    assert_eq!(told.facts["flag_names"], json!(["requires token", "bulk"]));
    (terms.age, terms.flags, terms.licensee, terms.version) = (None, None, None, None);
    (terms.max_bulk_size, terms.logging_port) = (None, None);
    assert_eq!(
        words::established(&terms).about,
        "a server without a name; alive for as long as it likes; tokens at off, logs at off"
    );
    assert_eq!(
        words::greeted(&terms, Some(KeySize::Bits192)).about,
        "we are abc, with a key of 192 bits, and are acknowledged"
    );
}
