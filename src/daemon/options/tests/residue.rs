use super::*;
use crate::residue::item::LineFormat;

#[test]
fn every_option_has_its_default() {
    let options = parsed(&[]).unwrap();
    let expected = Residue {
        age: Duration::from_secs(259_200),
        licensee: "rollcall".to_owned(),
        logs: Logging { directory: None, format: LineFormat::Text, fsync: false },
        key: None,
        clients: None,
        codes: None,
        policy: Policy {
            default_code: true,
            unknown: true,
            plain: true,
            compression: true,
            require_token: false,
            require_timestamp: false,
        },
        tolerance: Duration::from_secs(120),
        rsa_rate: 20,
        max_clients: 65_536,
        max_clients_per_address: 1_024,
        memory: 33_554_432,
    };
    assert_eq!(options.doors.residue, expected);
    let places: Vec<_> = options.doors.places().collect();
    let doors = [("residue", 8777), ("residue-token", 8778), ("residue-log", 8779)];
    for (name, port) in doors {
        assert!(places.contains(&(name, format!("127.0.0.1:{port}"))), "{places:?}");
    }
    assert_eq!(options.slow_workers, spare_cores());
}

#[test]
fn every_option_is_taken() {
    let table: &[&[&str]] = &[
        &["--residue", "0.0.0.0:1", "--residue", "[::]:2", "--residue-token", "10.0.0.1:3"],
        &["--residue-log", "127.0.0.5:0", "--residue-logs", "/logs", "--residue-log-format", "json"],
        &["--residue-fsync", "--residue-age", "300", "--residue-licensee", "The Example Company, 4th floor"],
        &["--residue-key", "/key", "--residue-key-password", "/password"],
        &["--residue-clients", "/clients", "--residue-codes", "/codes", "--residue-no-default-code"],
        &["--residue-require-token", "--residue-require-timestamp", "--residue-tolerance", "5"],
        &["--residue-no-unknown", "--residue-no-plain", "--residue-no-compression"],
        &["--residue-rsa-rate", "0", "--residue-max-clients", "7", "--residue-memory", "1048576"],
        &["--residue-max-clients-per-address", "9"],
        &["--slow-workers", "3"],
    ];
    let options = parsed(&table.concat()).unwrap();
    let expected = Residue {
        age: Duration::from_secs(300),
        licensee: "The Example Company, 4th floor".to_owned(),
        logs: Logging { directory: Some("/logs".into()), format: LineFormat::Json, fsync: true },
        key: Some(KeyFile { path: "/key".into(), password: Some("/password".into()) }),
        clients: Some("/clients".into()),
        codes: Some("/codes".into()),
        policy: Policy {
            default_code: false,
            unknown: false,
            plain: false,
            compression: false,
            require_token: true,
            require_timestamp: true,
        },
        tolerance: Duration::from_secs(5),
        rsa_rate: 0,
        max_clients: 7,
        max_clients_per_address: 9,
        memory: 1_048_576,
    };
    assert_eq!(options.doors.residue, expected);
    assert_eq!(options.slow_workers.get(), 3);
    let places: Vec<_> = options.doors.places().collect();
    assert!(places.contains(&("residue", "0.0.0.0:1 [::]:2".into())));
    assert_eq!(options.doors.opening(Kind::ResidueLog, 5), "--residue-log 0.0.0.0:5");
}

#[test]
fn what_cannot_be_meant_is_told_by_its_option() {
    let age = "--residue-age takes a whole number from 300 to 2147483647, or 0, not \"";
    let licensee = "--residue-licensee takes 1 to 64 printable ASCII characters but ' \" \\, not ";
    let long = "x".repeat(65);
    let table: &[(&[&str], &str)] = &[
        (&["--residue", "8777"], "--residue takes an address and a port like 0.0.0.0:8777"),
        (&["--residue-token", "nowhere"], "--residue-token takes an address and a port like 0.0.0.0:8778"),
        (&["--residue-log", "off", "--residue-log", "127.0.0.1:1"], "\"off\" alone"),
        (&["--residue-age", "299"], age),
        (&["--residue-age", "1"], age),
        (&["--residue-age", "2147483648"], age),
        (&["--residue-age", "3d"], age),
        (&["--residue-licensee", ""], licensee),
        (&["--residue-licensee", &long], licensee),
        (&["--residue-licensee", "it's"], licensee),
        (&["--residue-licensee", "a \"b\""], licensee),
        (&["--residue-licensee", "a\\b"], licensee),
        (&["--residue-licensee", "a\nb"], licensee),
        (&["--residue-licensee", "Müller"], licensee),
        (&["--residue-logs", ""], "--residue-logs takes a directory, not \"\""),
        (&["--residue-log-format", "JSON"], "--residue-log-format takes \"text\" or \"json\", not \"JSON\""),
        (&["--residue-key", ""], "--residue-key takes a file, not \"\""),
        (&["--residue-key-password", "x"], "--residue-key-password goes with --residue-key FILE only"),
        (&["--residue-clients", ""], "--residue-clients takes a directory"),
        (&["--residue-codes", ""], "--residue-codes takes a file"),
        (&["--residue-codes", "a", "--residue-codes", "b"], "--residue-codes is given more than once"),
        (&["--residue-tolerance", "0"], "--residue-tolerance takes a whole number from 1 to 86400"),
        (&["--residue-rsa-rate", "10001"], "--residue-rsa-rate takes a whole number from 0 to 10000"),
        (
            &["--residue-max-clients-per-address", "1048577"],
            "--residue-max-clients-per-address takes a whole number from 0 to 1048576",
        ),
        (&["--residue-max-clients", "0"], "--residue-max-clients takes a whole number from 1 to 1048576"),
        (
            &["--residue-memory", "1048575"],
            "--residue-memory takes a whole number from 1048576 to 1073741824",
        ),
        (&["--residue-fsync=yes"], "--residue-fsync takes no value"),
    ];
    for (arguments, expected) in table {
        let message = parsed(arguments).unwrap_err();
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn nothing_is_asked_of_clients_that_none_could_do() {
    let table: &[(&[&str], &[&str], &str)] = &[
        (&["--residue-no-plain"], &["--residue-key", "x"], "give --residue-key FILE"),
        (&["--residue-no-unknown"], &["--residue-clients", "x"], "give --residue-clients DIR"),
        (
            &["--residue-require-token", "--residue-no-default-code"],
            &["--residue-codes", "x"],
            "give --residue-codes FILE",
        ),
        (
            &["--residue-require-token", "--residue-token", "off"],
            &["--residue-log", "off"],
            "with --residue-require-token clients need the door residue-token, which is closed",
        ),
    ];
    for (asked, given, expected) in table {
        let message = parsed(asked).unwrap_err();
        assert!(message.contains(expected), "{asked:?}: {message}");
        assert!(parsed(&[*asked, *given].concat()).is_ok(), "{given:?}");
    }
    // By the default code everybody gets tokens, and where they are not needed nobody misses them.
    assert!(parsed(&["--residue-require-token"]).is_ok());
    assert!(parsed(&["--residue-no-default-code"]).is_ok());
}

#[test]
fn without_the_first_door_nobody_comes_to_the_others() {
    let closed = |arguments: &[&str]| {
        let addresses = parsed(arguments).unwrap().doors.addresses;
        let closed = addresses.into_iter().filter(|(_, addresses)| *addresses == Addresses::Off);
        closed.map(|(kind, _)| kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(closed(&["--residue", "off"]), ["residue", "residue-token", "residue-log"]);
    assert_eq!(closed(&["--residue-token", "off"]), ["residue-token"]);
    assert_eq!(closed(&["--residue-token", "off", "--residue-log", "off"]), ["residue-token", "residue-log"]);
    for name in ["residue-token", "residue-log"] {
        let option = format!("--{name}");
        let message = parsed(&["--residue", "off", &option, "127.0.0.1:1"]).unwrap_err();
        assert!(message.contains(&format!("to the door {name} without the door residue")), "{message}");
    }
}

#[test]
fn each_setting_has_a_row() {
    let shown = |arguments: &[&str]| parsed(arguments).unwrap().doors.rows();
    let row = |rows: &[(&str, String)], name: &str| {
        rows.iter().find(|(option, _)| *option == name).map(|(_, value)| value.clone())
    };
    let rows = shown(&[]);
    for (name, expected) in [
        ("residue-age", "259200"),
        ("residue-licensee", "rollcall"),
        ("residue-log-format", "text"),
        ("residue-fsync", "no"),
        ("residue-key", "none"),
        ("residue-key-password", "none"),
        ("residue-clients", "none"),
        ("residue-codes", "none"),
        ("residue-no-default-code", "no"),
        ("residue-require-token", "no"),
        ("residue-require-timestamp", "no"),
        ("residue-tolerance", "120"),
        ("residue-no-unknown", "no"),
        ("residue-no-plain", "no"),
        ("residue-no-compression", "no"),
        ("residue-rsa-rate", "20"),
        ("residue-max-clients", "65536"),
        ("residue-max-clients-per-address", "1024"),
        ("residue-memory", "33554432"),
    ] {
        assert_eq!(row(&rows, name).as_deref(), Some(expected), "{name}");
    }
    let rows = shown(&["--residue-no-plain", "--residue-key", "/key", "--residue-log-format", "json"]);
    for (name, expected) in
        [("residue-no-plain", "yes"), ("residue-key", "/key"), ("residue-log-format", "json")]
    {
        assert_eq!(row(&rows, name).as_deref(), Some(expected), "{name}");
    }
}
