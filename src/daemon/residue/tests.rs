use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::daemon::Exit;

/// A key for tests, which is made faster than one for use would be.
fn new_key() -> PrivateKey {
    PrivateKey::generate(1024).unwrap()
}

fn write(place: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = place.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn key_file(path: &Path, password: Option<&Path>) -> KeyFile {
    KeyFile { path: path.to_owned(), password: password.map(Path::to_owned) }
}

#[track_caller]
fn refused<T>(outcome: Result<T, Failure>) -> String {
    let failure = outcome.err().unwrap();
    assert_eq!(failure.exit, Exit::Failed, "{}", failure.message);
    failure.message
}

#[test]
fn the_key_of_the_server_is_read_with_its_password() {
    let place = tempfile::tempdir().unwrap();
    let key = new_key();
    let plain = write(&place, "plain", key.to_pem().unwrap());
    let sealed = write(&place, "sealed", key.to_encrypted_pem(b"two words").unwrap());
    for ending in ["", "\n", "\r\n", "\nand what else there is\n"] {
        let password = write(&place, "password", format!("two words{ending}"));
        for path in [&plain, &sealed] {
            let read = ServerKey::read(&key_file(path, Some(&password))).unwrap();
            assert_eq!(read.key.public_pem().unwrap(), key.public_pem().unwrap());
        }
    }
    let wrong = write(&place, "wrong", "two  words\n");
    let empty = write(&place, "empty", "\ntwo words\n");
    let public = write(&place, "public", key.public_pem().unwrap());
    let (sealed_at, public_at) = (sealed.display(), public.display());
    for (path, password, expected) in [
        (&sealed, None, format!("the server key {sealed_at} is not right: the key is encrypted")),
        (&sealed, None, "give --residue-key-password FILE".to_owned()),
        (&sealed, Some(&wrong), format!("the server key {sealed_at} is not right: the passphrase is not")),
        (&sealed, Some(&empty), format!("{} has nothing in its first line", empty.display())),
        (&public, None, format!("the server key {public_at} is not right: the PEM block is of another kind")),
    ] {
        let message = refused(ServerKey::read(&key_file(path, password.map(PathBuf::as_path))));
        assert!(message.contains(&expected), "{message}");
        assert!(!message.contains("two"), "{message}");
    }
    let missing = refused(ServerKey::read(&key_file(&place.path().join("missing"), None)));
    assert!(
        missing.starts_with("cannot read the server key") && missing.contains("No such file"),
        "{missing}"
    );
}

#[test]
fn it_is_seen_that_the_key_of_the_server_is_another() {
    let place = tempfile::tempdir().unwrap();
    let path = write(&place, "key", new_key().to_pem().unwrap());
    let read = ServerKey::read(&key_file(&path, None)).unwrap();
    assert_eq!(state(&path), read.state);
    write(&place, "new", new_key().to_pem().unwrap());
    fs::rename(place.path().join("new"), &path).unwrap();
    assert_ne!(state(&path), read.state);
    read.look_again();
}

#[test]
fn managed_clients_are_called_by_the_names_of_their_files() {
    let place = tempfile::tempdir().unwrap();
    let pem = new_key().public_pem().unwrap();
    write(&place, "network@home#1_a.b-c.pem", &pem);
    write(&place, "second.pem", &pem);
    // Secrets that a supervisor provides are links to what is hidden.
    write(&place, ".third.pem", &pem);
    symlink(".third.pem", place.path().join("third.pem")).unwrap();
    for name in ["README", "fourth.pem~", "fifth.PEM", "sixth.pub"] {
        write(&place, name, "no key");
    }
    let clients = Clients::load(place.path()).unwrap();
    assert_eq!(clients.len(), 3);
    for id in ["network@home#1_a.b-c", "second", "third"] {
        assert_eq!(clients.key(id).unwrap().bits(), 1024, "{id}");
    }
    assert!(clients.key(".third").is_none());
}

#[test]
fn a_bad_key_of_a_managed_client_is_told_by_its_file() {
    let place = tempfile::tempdir().unwrap();
    let key = new_key();
    write(&place, "good.pem", key.public_pem().unwrap());
    let long = "x".repeat(65) + ".pem";
    let table = [
        ("a b.pem", key.public_pem().unwrap(), "a b.pem is not right: the ID of a client has 1 to 64 of"),
        (&long, key.public_pem().unwrap(), "x.pem is not right: the ID of a client has 1 to 64 of"),
        (
            "private.pem",
            key.to_pem().unwrap().to_string(),
            "private.pem is not right: the PEM block is of another",
        ),
        ("empty.pem", String::new(), "empty.pem is not right: "),
        ("long.pem", "x".repeat(65_537), "long.pem is longer than 65536 bytes"),
    ];
    for (name, text, expected) in table {
        let path = write(&place, name, text);
        let message = refused(Clients::load(place.path()));
        assert!(
            message.starts_with("the key of a managed client ") && message.contains(expected),
            "{message}"
        );
        fs::remove_file(path).unwrap();
    }
    fs::create_dir(place.path().join("directory.pem")).unwrap();
    assert!(refused(Clients::load(place.path())).ends_with("directory.pem is no regular file"));
    let file = write(&place, "file", "");
    let message = refused(Clients::load(&file));
    assert!(message.starts_with("cannot read the directory of managed clients"), "{message}");
}

#[test]
fn who_was_managed_stays_so_while_the_directory_is_not_right() {
    let place = tempfile::tempdir().unwrap();
    let pem = new_key().public_pem().unwrap();
    write(&place, "a.pem", &pem);
    let kept = Kept::<Clients>::open(place.path()).unwrap();
    let before = kept.clients();
    assert!(Arc::ptr_eq(&before, &kept.clients()), "the same as long as nothing is read again");
    write(&place, "b.pem", "no key");
    kept.read_again();
    assert!(Arc::ptr_eq(&before, &kept.clients()));
    write(&place, "b.pem", &pem);
    fs::remove_file(place.path().join("a.pem")).unwrap();
    kept.read_again();
    assert!(kept.clients().key("a").is_none() && kept.clients().key("b").is_some());
    assert!(before.key("a").is_some(), "who still has the old book goes by it");
}

#[test]
fn codes_are_read_and_stay_while_their_file_is_not_right() {
    let place = tempfile::tempdir().unwrap();
    let path = write(&place, "codes", "network secret\ndisk other 60\n");
    let kept = Kept::<Codes>::open(&path).unwrap();
    assert_eq!(kept.content().told(), "2 access codes");
    let before = kept.codes();
    for (bytes, expected) in [
        (&b"network secret\ndisk\n"[..], "line 2: there is no code behind the logger"),
        (b"network secret\ndisk oth\xffer\n", "line 2: it is not UTF-8"),
    ] {
        write(&place, "codes", bytes);
        let message = refused(Codes::load(&path));
        assert!(message.ends_with(expected) && !message.contains("secret"), "{message}");
        kept.read_again();
        assert!(Arc::ptr_eq(&before, &kept.codes()));
    }
    write(&place, "codes", "# nobody\n");
    kept.read_again();
    assert_eq!(kept.codes().life("network", "secret"), None);
    assert_eq!(before.life("disk", "other"), Some(60));
}

#[test]
fn without_files_nobody_is_managed_and_no_code_gives_a_token() {
    let books = Books { key: None, clients: None, codes: None };
    assert!(books.is_empty() && books.key().is_none());
    assert!(books.clients().clients().is_empty() && books.codes().codes().is_empty());
    let clients = books.clients();
    assert!(Arc::ptr_eq(&clients.clients(), &clients.clients()));
}

#[test]
fn what_clients_are_told_follows_the_policy() {
    let open = Policy {
        default_code: true,
        unknown: true,
        plain: true,
        compression: true,
        require_token: false,
        require_timestamp: false,
    };
    assert_eq!(flags(&open), Flags(501));
    assert_eq!(flags(&open), server::Settings::default().flags);
    let table = [
        (Policy { default_code: false, ..open }, 501 - 4),
        (Policy { unknown: false, ..open }, 501 - 64),
        (Policy { plain: false, ..open }, 501 - 128),
        (Policy { compression: false, ..open }, 501 - 256),
        (Policy { require_token: true, ..open }, 501 + 2),
        (Policy { require_timestamp: true, ..open }, 501 + 1024),
    ];
    for (policy, expected) in table {
        assert_eq!(flags(&policy), Flags(expected), "{policy:?}");
    }
}

#[test]
fn a_rate_is_a_ration_with_as_much_again_at_once() {
    assert_eq!(ration(20), server::RATION);
    assert_eq!(ration(0), Ration::NONE);
    assert_eq!(ration(1), Ration { interval: Duration::from_millis(100), burst: 20 });
    assert_eq!(ration(10_000), Ration { interval: Duration::from_micros(10), burst: 200_000 });
}
