//! `rollcall keygen`: the key pair of a server of the door Residue.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use getopts::{Matches, Options};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::line::{self, Asked, Parsed};
use super::{prompt, screen};
use crate::client::error::Error;
use crate::residue::pair::PrivateKey;
use crate::wire::text::Printable;

const BRIEF: &str = "Usage: rollcall keygen residue DIR [OPTION]...\n\
    Make a key pair for a server of the door Residue: DIR/residue.pem for 'rollcalld --residue-key', which nobody else\n\
    may read, and DIR/residue.pub.pem for its clients. DIR is made if it is not there; a file that is there is left\n\
    as it is. To a key of up to 4096 bits only managed clients can encrypt a hello: that of others holds their own\n\
    public key, and needs 6144 bits.";
/// The door that has keys.
const DOOR: &str = "residue";
const PRIVATE: &str = "residue.pem";
const PUBLIC: &str = "residue.pub.pem";
/// What may be asked for.
const BITS: [usize; 4] = [2048, 3072, 4096, 6144];
/// As hard to break as an AES key of 128 bits, which is the least that is sealed by then; and the most that costs the
/// server no more than a few milliseconds a hello.
const DEFAULT_BITS: usize = 3072;
/// The bytes that a passphrase may have.
const PASSPHRASE_LIMIT: usize = 1024;

/// What to make.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    directory: PathBuf,
    bits: usize,
    protection: Protection,
}

/// What keeps a private key from those who get at its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    /// Its mode.
    Mode,
    /// A passphrase as well.
    Passphrase,
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let matches = match line::parse(options(), arguments, 2, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    make(&plan(&matches)?)?;
    Ok(Asked::Done)
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optopt("", "bits", "how long the key is: 2048, 3072, 4096 or 6144 (default 3072)", "BITS")
        .optflag(
            "",
            "passphrase",
            "encrypt the private key with a passphrase, which is asked for, or is a line of standard input",
        );
    options
}

fn plan(matches: &Matches) -> Result<Plan, Error> {
    let usage = |what: String| Err(Error::Usage(what));
    match matches.free.first() {
        Some(door) if door == DOOR => {}
        Some(other) => {
            return usage(format!("there are no keys for the door \"{}\"; write {DOOR}", Printable(other)));
        }
        None => return usage(format!("the door has to be given: {DOOR}")),
    }
    let Some(directory) = matches.free.get(1).filter(|directory| !directory.is_empty()) else {
        return usage("DIR has to be given: where to put the keys".to_owned());
    };
    let bits = match matches.opt_str("bits") {
        None => DEFAULT_BITS,
        Some(said) => match said.parse().ok().filter(|bits| BITS.contains(bits)) {
            Some(bits) => bits,
            None => {
                return usage(format!("--bits takes 2048, 3072, 4096 or 6144, not \"{}\"", Printable(&said)));
            }
        },
    };
    let protection =
        if matches.opt_present("passphrase") { Protection::Passphrase } else { Protection::Mode };
    Ok(Plan { directory: directory.into(), bits, protection })
}

fn make(plan: &Plan) -> Result<(), Error> {
    let [private, public] = [PRIVATE, PUBLIC].map(|name| plan.directory.join(name));
    // What cannot be done is told before anybody types a passphrase, or waits.
    for path in [&private, &public] {
        if fs::symlink_metadata(path).is_ok() {
            let there = io::Error::from_raw_os_error(libc::EEXIST);
            return Err(Error::local(format!("write {}", path.display()), there));
        }
    }
    match fs::create_dir(&plan.directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::local(format!("make the directory {}", plan.directory.display()), error));
        }
        _ => {}
    }
    let passphrase = match plan.protection {
        Protection::Mode => None,
        Protection::Passphrase => Some(prompt::new("Passphrase of the new key: ", "passphrase", fit)?),
    };
    let unfit = |error| Error::Unfit(format!("cannot make a key: {error}"));
    let pair = PrivateKey::generate(plan.bits).map_err(unfit)?;
    let private_pem = match &passphrase {
        None => pair.to_pem(),
        Some(passphrase) => pair.to_encrypted_pem(passphrase),
    };
    write_new(&private, private_pem.map_err(unfit)?.as_bytes(), 0o600)?;
    let public_pem = pair.public_pem().map_err(unfit)?;
    if let Err(error) = write_new(&public, public_pem.as_bytes(), 0o644) {
        // Half a pair is none; that half is ours.
        let _ = fs::remove_file(&private);
        return Err(error);
    }
    screen::note(format_args!("{} is the key of the server, of {} bits", private.display(), pair.bits()));
    screen::note(format_args!("{} is what its clients need of it", public.display()));
    Ok(())
}

fn fit(typed: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Error> {
    if typed.is_empty() {
        return Err(Error::Unfit("a passphrase is not empty".to_owned()));
    }
    if typed.len() > PASSPHRASE_LIMIT {
        return Err(Error::Unfit(format!("a passphrase has at most {PASSPHRASE_LIMIT} bytes")));
    }
    Ok(typed)
}

/// Writes a file that is there whole or not at all, and is not there yet.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let write = || {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let mut new = NamedTempFile::with_prefix_in(".rollcall-key-", directory)?;
        new.write_all(bytes)?;
        new.as_file().set_permissions(Permissions::from_mode(mode))?;
        new.as_file().sync_all()?;
        new.persist_noclobber(path)?;
        // It is there: to say that it is not written would be wrong.
        if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
            log::warn!("{} may be gone if the machine ends all at once: {error}", path.display());
        }
        Ok(())
    };
    let written: io::Result<()> = write();
    written.map_err(|cause| Error::local(format!("write {}", path.display()), cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Plan, String> {
        plan(&options().parse(arguments).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_door_a_directory_and_a_size_are_asked_for() {
        let expected = |bits, protection| Ok(Plan { directory: "keys".into(), bits, protection });
        assert_eq!(asked(&["residue", "keys"]), expected(3072, Protection::Mode));
        assert_eq!(
            asked(&["residue", "--bits", "2048", "keys", "--passphrase"]),
            expected(2048, Protection::Passphrase)
        );
        let table: [(&[&str], &str); 6] = [
            (&[], "the door has to be given: residue"),
            (&["fmltp", "keys"], "there are no keys for the door \"fmltp\"; write residue"),
            (&["a\u{1b}b"], "there are no keys for the door \"a\\u{1B}b\"; write residue"),
            (&["residue"], "DIR has to be given: where to put the keys"),
            (&["residue", "keys", "--bits", "1024"], "--bits takes 2048, 3072, 4096 or 6144, not \"1024\""),
            (&["residue", "keys", "--bits", "x"], "--bits takes 2048, 3072, 4096 or 6144, not \"x\""),
        ];
        for (arguments, expected) in table {
            assert_eq!(asked(arguments).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_passphrase_is_something_but_not_anything() {
        for (length, expected) in [(0, false), (1, true), (1024, true), (1025, false)] {
            assert_eq!(fit(Zeroizing::new(vec![b'x'; length])).is_ok(), expected, "{length}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_left_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        write_new(&path, b"one", 0o600).unwrap();
        let error = write_new(&path, b"two", 0o600).unwrap_err();
        assert!(error.to_string().contains("exists"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
