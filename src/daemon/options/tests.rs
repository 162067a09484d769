use super::*;
use crate::door::{ABSENT, Kind};
use std::time::Duration;

fn parsed(arguments: &[&str]) -> Result<Options, String> {
    match parse(arguments.iter().map(OsString::from)) {
        Ok(Command::Serve(options) | Command::Check(options)) => Ok(options),
        Ok(Command::Print(text)) => Err(text),
        Err(failure) => {
            assert_eq!(failure.exit, super::super::Exit::Usage);
            Err(failure.message)
        }
    }
}

#[test]
fn every_option_has_its_default() {
    let options = parsed(&[]).unwrap();
    let by_default = |(_, addresses): &(Kind, Addresses)| *addresses == Addresses::Default;
    assert!(options.doors.addresses.iter().all(by_default));
    assert!(options.doors.addresses.iter().map(|(kind, _)| kind).eq(Kind::ALL));
    assert!(matches!(options.engine, EngineKind::Events { .. }));
    let limits = &options.limits;
    assert_eq!((limits.max_clients, limits.max_per_address), (usize::MAX, 64));
    assert_eq!((limits.max_pending, limits.max_pending_per_address), (1024, 16));
    assert_eq!((limits.max_new_per_minute, limits.max_messages), (120, 2000));
    assert_eq!((options.journal, limits.high_mark), (65_536, 65_536));
    assert_eq!(limits.give_way, if cfg!(feature = "residue") { 120 } else { 0 });
    assert_eq!(options.doors.settings.lekt.handshake_timeout, Duration::from_secs(10));
    assert_eq!(options.doors.settings.lekt.heartbeat_timeout, Duration::from_secs(30));
    assert_eq!(options.log_level, log::LevelFilter::Info);
    assert_eq!(options.sandbox, Sandbox::On);
    assert_eq!(parsed(&["--no-sandbox"]).unwrap().sandbox, Sandbox::Off);
}

#[test]
fn what_cannot_be_meant_is_told_by_its_option() {
    let table: &[(&[&str], &str)] = &[
        (&["--loops", "0"], "--loops takes a whole number from 1 to 256, not \"0\""),
        (&["--workers", "+3"], "--workers takes a whole number from 1 to 256, not \"+3\""),
        (&["--max-messages", "100001"], "--max-messages takes a whole number from 0 to 100000"),
        (&["--max-new-per-minute", "-1"], "--max-new-per-minute takes a whole number from 0 to 1000000"),
        (&["--high-mark", "10"], "--high-mark takes a whole number from 1024 to 1073741824, not \"10\""),
        (&["--heartbeat-timeout", "1.5"], "--heartbeat-timeout takes a whole number from 1 to 86400"),
        (&["--lekt", "localhost"], "--lekt takes an address and a port"),
        (&["--lekt", "off", "--lekt", "127.0.0.1:1"], "\"off\" alone"),
        (&["--engine", "magic"], "--engine takes \"events\" or \"threads\", not \"magic\""),
        (&["--engine", "threads", "--loops", "2"], "--loops goes with --engine events only"),
        (&["-q", "-v"], "-q and -v exclude each other"),
        (&["here"], "it takes options only, not \"here\""),
        (&["--nonsense"], "there is no option --nonsense"),
        (&["--journal"], "--journal needs a value"),
        (&["--check=yes"], "--check takes no value"),
        (&["--engine", "events", "--engine", "threads"], "--engine is given more than once"),
    ];
    for (arguments, expected) in table {
        let message = parsed(arguments).unwrap_err();
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn one_door_at_least_stays_open() {
    let off: Vec<_> = Kind::ALL.iter().map(|kind| [format!("--{}", kind.name()), "off".to_owned()]).collect();
    let all: Vec<_> = off.iter().flatten().map(String::as_str).collect();
    assert!(parsed(&all).unwrap_err().contains("there is no door left to listen on"));
    for one in off.iter().filter(|_| off.len() > 1) {
        let options = parsed(&[one[0].as_str(), "off"]).unwrap();
        let closed = options.doors.addresses.iter().filter(|(_, addresses)| *addresses == Addresses::Off);
        let closed: Vec<_> = closed.map(|(kind, _)| format!("--{}", kind.name())).collect();
        match one[0].as_str() {
            // Nobody could come to the others of its doors.
            "--residue" => assert_eq!(closed, ["--residue", "--residue-token", "--residue-log"]),
            alone => assert_eq!(closed, [alone]),
        }
    }
}

#[test]
fn a_door_that_is_not_built_in_can_be_off_and_nothing_else() {
    for name in ABSENT {
        let option = format!("--{name}");
        let options = parsed(&[&option, "off"]).unwrap();
        assert!(options.doors.addresses.iter().all(|(_, addresses)| *addresses == Addresses::Default));
        let message = parsed(&[&option, "127.0.0.1:1"]).unwrap_err();
        assert_eq!(message, format!("{option} takes \"off\" alone: that door is not built in"));
        assert!(!parsed(&["--help"]).unwrap_err().contains(&option));
    }
    assert_eq!(Kind::ALL.len() + ABSENT.len(), 6);
}

#[cfg(feature = "fmltp")]
mod fmltp {
    use super::*;

    #[test]
    fn every_option_has_its_default() {
        let options = parsed(&[]).unwrap();
        let settings = &options.doors.settings.fmltp;
        assert_eq!(options.doors.login, Login::OnThisMachine);
        assert_eq!(settings.greeting.to_string(), "FlexMusic,0.0.0");
        assert_eq!(settings.step_limit, Duration::from_secs(5));
        assert_eq!(settings.cooldown.length, Duration::from_secs(300));
        assert!(!settings.cooldown.loopback && settings.users.is_none());
        assert_eq!(options.slow_workers, spare_cores());
    }

    #[test]
    fn every_option_is_taken() {
        let table: &[&[&str]] = &[
            &["--fmltp-name", "FlexMusic Test,1.22.333"],
            &["--fmltp-timeout", "7"],
            &["--fmltp-cooldown", "0"],
            &["--fmltp-cooldown-loopback", "--fmltp-open"],
            &["--fmltp", "0.0.0.0:1", "--fmltp", "[::]:2", "--slow-workers", "9"],
        ];
        let options = parsed(&table.concat()).unwrap();
        let settings = &options.doors.settings.fmltp;
        assert_eq!(options.doors.login, Login::Open);
        assert_eq!(settings.greeting.to_string(), "FlexMusic Test,1.22.333");
        assert_eq!(settings.step_limit, Duration::from_secs(7));
        assert!(settings.cooldown.length.is_zero() && settings.cooldown.loopback);
        assert_eq!(options.slow_workers.get(), 9);
        let places: Vec<_> = options.doors.places().collect();
        assert_eq!(places[..2], [("lekt", "127.0.0.1:7890".into()), ("fmltp", "0.0.0.0:1 [::]:2".into())]);
    }

    #[test]
    fn what_cannot_be_meant_is_told_by_its_option() {
        let name = "--fmltp-name takes a name and a version like FlexMusic,0.0.0: ";
        let table: &[(&[&str], &str)] = &[
            (&["--slow-workers", "0"], "--slow-workers takes a whole number from 1 to 256, not \"0\""),
            (&["--fmltp-timeout", "0"], "--fmltp-timeout takes a whole number from 1 to 3600, not \"0\""),
            (&["--fmltp-cooldown", "86401"], "--fmltp-cooldown takes a whole number from 0 to 86400"),
            (&["--fmltp-name", "FlexMusic"], &format!("{name}no comma")),
            (&["--fmltp-name", "FlexMusic,1.0"], &format!("{name}the version has not three parts")),
            (&["--fmltp-name", "FlexMusic,1.0.00"], &format!("{name}a leading zero")),
            (&["--fmltp-name", " FlexMusic,1.0.0"], &format!("{name}white space at the beginning")),
            (&["--fmltp-name", "FlexMusic,1.0.0 "], name),
            (&["--fmltp-name", &format!("{},1.0.0", "x".repeat(249))], &format!("{name}too long (byte 254)")),
            (&["--fmltp", "8900"], "--fmltp takes an address and a port like 0.0.0.0:8900"),
            (&["--fmltp", "off", "--fmltp", "127.0.0.1:1"], "\"off\" alone"),
            (&["--fmltp-users", "x", "--fmltp-open"], "--fmltp-users and --fmltp-open exclude each other"),
            (
                &["--fmltp", "0.0.0.0:8900"],
                "at 0.0.0.0:8900 the door fmltp would let in whoever can reach it",
            ),
            (&["--fmltp", "127.0.0.1:1", "--fmltp", "[::]:1"], "at [::]:1 the door fmltp"),
        ];
        for (arguments, expected) in table {
            let message = parsed(arguments).unwrap_err();
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
    }

    #[test]
    fn where_nobody_logs_in_only_this_machine_is_let_in() {
        for (address, is_here) in [
            ("127.0.0.1:8900", true),
            ("127.9.8.7:0", true),
            ("[::1]:8900", true),
            ("[::ffff:127.0.0.1]:8900", true),
            ("0.0.0.0:8900", false),
            ("[::]:8900", false),
            ("192.0.2.1:8900", false),
            ("[::ffff:192.0.2.1]:8900", false),
        ] {
            assert_eq!(parsed(&["--fmltp", address]).is_ok(), is_here, "{address}");
            assert!(parsed(&["--fmltp", address, "--fmltp-open"]).is_ok(), "{address}");
            assert!(parsed(&["--fmltp", address, "--fmltp-users", "x"]).is_ok(), "{address}");
            assert!(parsed(&["--lekt", address]).is_ok(), "{address}");
        }
    }

    #[test]
    fn the_hint_names_all_that_opens_a_door() {
        let opening = |arguments: &[&str], kind| parsed(arguments).unwrap().doors.opening(kind, 5);
        assert_eq!(opening(&[], Kind::Lekt), "--lekt 0.0.0.0:5");
        assert_eq!(opening(&[], Kind::Fmltp), "--fmltp 0.0.0.0:5 --fmltp-users FILE");
        assert_eq!(opening(&["--fmltp-users", "x"], Kind::Fmltp), "--fmltp 0.0.0.0:5");
        assert_eq!(opening(&["--fmltp-open"], Kind::Fmltp), "--fmltp 0.0.0.0:5");
    }
}

#[cfg(feature = "chapp")]
mod chapp {
    use super::*;

    #[test]
    fn every_option_has_its_default() {
        let options = parsed(&[]).unwrap();
        assert_eq!(options.doors.keeping, Keeping { name_days: 30 });
        assert_eq!(options.doors.data, None);
        let places: Vec<_> = options.doors.places().collect();
        assert!(places.contains(&("chapp", "127.0.0.1:6969".into())));
    }

    #[test]
    fn every_option_is_taken() {
        let table: &[&[&str]] =
            &[&["--chapp", "0.0.0.0:1", "--chapp", "[::]:2"], &["--data", "/d", "--chapp-name-days", "0"]];
        let options = parsed(&table.concat()).unwrap();
        assert_eq!(options.doors.keeping, Keeping { name_days: 0 });
        assert_eq!(options.doors.data, Some("/d".into()));
        let places: Vec<_> = options.doors.places().collect();
        assert!(places.contains(&("chapp", "0.0.0.0:1 [::]:2".into())));
        assert_eq!(options.doors.opening(Kind::Chapp, 5), "--chapp 0.0.0.0:5");
    }

    #[test]
    fn what_cannot_be_meant_is_told_by_its_option() {
        let days = "--chapp-name-days takes a whole number from 0 to 3650, not";
        let table: &[(&[&str], &str)] = &[
            (&["--chapp-name-days", "3651"], days),
            (&["--chapp-name-days", "1.5"], days),
            (&["--chapp", "6969"], "--chapp takes an address and a port like 0.0.0.0:6969"),
            (&["--chapp", "off", "--chapp", "127.0.0.1:1"], "\"off\" alone"),
            (&["--data", ""], "--data takes a directory"),
            (&["--data", "a", "--data", "b"], "--data is given more than once"),
        ];
        for (arguments, expected) in table {
            let message = parsed(arguments).unwrap_err();
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
    }
}

#[cfg(feature = "residue")]
mod residue;
