//! What the daemon gives up once everything is open, so that a bug by which somebody else gets to say what it does
//! is worth little to him.
//!
//! It is Landlock's sandbox, which takes no rights of root: no file can be opened, made or removed but where [`Needs`]
//! says, none can be executed, and no TCP connection is begun and no port is taken. What is open stays open. A kernel
//! that knows a part of it, or nothing, does what it can. Besides, no memory is dumped, and nobody but root looks into it.

use std::fmt;
use std::path::PathBuf;

use super::options::Sandbox;

/// What the daemon still has to do with files after the start.
#[derive(Debug, Default)]
#[cfg_attr(
    not(all(feature = "sandbox", target_os = "linux")),
    expect(dead_code, reason = "nobody asks without a sandbox")
)]
pub(super) struct Needs {
    /// Directories in which it makes, writes, reads and removes files, whenever it likes.
    pub(super) kept: Vec<PathBuf>,
    /// Files that it reads again, and directories of files. Others may be put in the places of files meanwhile, so that
    /// it is their directories that it may read files in.
    pub(super) read: Vec<PathBuf>,
    /// Files that it removes at the end.
    pub(super) removed: Vec<PathBuf>,
}

/// What became of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "sandbox", target_os = "linux")),
    expect(dead_code, reason = "it is off without a sandbox")
)]
pub(super) enum Confinement {
    /// All of it holds.
    Whole,
    /// The kernel knows a part of it.
    Partial,
    /// The kernel knows nothing of it, or forbids it.
    None,
    /// It is not wanted, or not built in.
    Off,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "whole",
            Self::Partial => "partial",
            Self::None => "none",
            Self::Off => "off",
        })
    }
}

/// Enters the sandbox: for the calling thread, and all that it starts. There must be no others yet.
pub(super) fn enter(wish: Sandbox, needs: &Needs) -> Confinement {
    match wish {
        Sandbox::Off => Confinement::Off,
        Sandbox::On => enter_for(needs),
    }
}

#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
fn enter_for(_: &Needs) -> Confinement {
    Confinement::Off
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
fn enter_for(needs: &Needs) -> Confinement {
    if let Err(error) = super::system::keep_memory_private() {
        log::warn!("memory can be dumped: {error}");
    }
    match landlock::confine(needs) {
        Ok(Confinement::None) => {
            log::info!("no sandbox: this kernel has no Landlock");
            Confinement::None
        }
        Ok(confinement) => {
            log::debug!("the sandbox is {confinement}");
            confinement
        }
        Err(error) => {
            log::warn!("no sandbox: {error}");
            Confinement::None
        }
    }
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod landlock {
    use std::path::{Path, PathBuf};

    use ::landlock::{
        ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
        RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, make_bitflags,
    };

    use super::{Confinement, Needs};

    /// What is given up: all that this version of Landlock knows, which is that of Linux 6.12.
    const GIVEN_UP: ABI = ABI::V6;
    /// Where time zones are, which are read when a time is told.
    const ZONES: [&str; 4] =
        ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo", "/etc/localtime"];

    /// Confines this thread and those that it starts.
    pub(super) fn confine(needs: &Needs) -> Result<Confinement, RulesetError> {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(GIVEN_UP))?
            .handle_access(AccessNet::from_all(GIVEN_UP))?
            .scope(scopes())?
            .create()?;
        let status = rules(needs).into_iter().try_fold(ruleset, allow)?.restrict_self()?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Confinement::Whole,
            RulesetStatus::PartiallyEnforced => Confinement::Partial,
            RulesetStatus::NotEnforced => Confinement::None,
        })
    }

    /// No signals to others, and no way to sockets without a path, unless that is where the supervisor is told.
    fn scopes() -> BitFlags<Scope> {
        let supervisor = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
        if supervisor.starts_with('@') {
            Scope::Signal.into()
        } else {
            Scope::Signal | Scope::AbstractUnixSocket
        }
    }

    /// What is allowed all the same, and where.
    fn rules(needs: &Needs) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
        let keep = make_bitflags!(AccessFs::{ReadFile | WriteFile | ReadDir | MakeReg | MakeDir | RemoveFile | Truncate});
        let kept = needs.kept.iter().map(|path| (there(path), keep));
        let read = needs.read.iter().flat_map(|path| {
            // Where the path leads through links, both ends count.
            let real = path.canonicalize().ok();
            real.into_iter().chain([path.clone()]).map(readable)
        });
        let remove = AccessFs::ReadFile | AccessFs::RemoveFile;
        let removed = needs.removed.iter().map(|path| (directory(path), remove));
        let look = AccessFs::ReadFile | AccessFs::ReadDir;
        let named = ["TZDIR", "TZ"].into_iter().filter_map(std::env::var_os);
        let named = named.map(PathBuf::from).filter(|path| path.is_absolute());
        let zones = ZONES.iter().map(PathBuf::from).chain(named).map(|path| (path, look));
        kept.chain(read).chain(removed).chain(zones).collect()
    }

    /// Allows it. What is not there, or is not to be reached by who we are, needs no leave.
    fn allow(
        ruleset: RulesetCreated,
        (path, access): (PathBuf, BitFlags<AccessFs>),
    ) -> Result<RulesetCreated, RulesetError> {
        let Ok(descriptor) = PathFd::new(&path) else { return Ok(ruleset) };
        // A file has fewer rights than a directory to be allowed.
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(GIVEN_UP) };
        ruleset.add_rule(PathBeneath::new(descriptor, access))
    }

    /// A directory whose files are read; or a file, which others may take the place of.
    fn readable(path: PathBuf) -> (PathBuf, BitFlags<AccessFs>) {
        if path.is_dir() {
            (path, AccessFs::ReadFile | AccessFs::ReadDir)
        } else {
            (directory(&path), AccessFs::ReadFile.into())
        }
    }

    /// The directory that a file is in.
    fn directory(path: &Path) -> PathBuf {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    }

    /// A directory, or where it will be made once that is possible.
    fn there(path: &Path) -> PathBuf {
        let found = path.ancestors().find(|part| part.is_dir());
        found.filter(|part| !part.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    }

    #[cfg(test)]
    mod tests {
        use std::fs::{self, File};
        use std::net::{TcpListener, TcpStream};
        use std::process::Command;
        use std::{io, thread};

        use super::*;

        #[test]
        fn outside_of_what_is_needed_nothing_can_be_done() {
            let place = tempfile::tempdir().unwrap();
            let [kept, outside] = ["kept", "outside"].map(|name| place.path().join(name));
            [&kept, &outside].into_iter().for_each(|path| fs::create_dir(path).unwrap());
            fs::write(outside.join("file"), "").unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            // A thread is confined alone, with those that it starts.
            let confined = thread::spawn(move || {
                let needs = Needs { kept: vec![kept.clone()], ..Needs::default() };
                match confine(&needs).unwrap() {
                    Confinement::Whole => {}
                    other => return println!("skipped: the sandbox is {other} on this kernel"),
                }
                let is_denied = |result: io::Result<()>| {
                    let kind = result.map_err(|error| error.kind());
                    assert_eq!(kind, Err(io::ErrorKind::PermissionDenied));
                };
                let (before, after) = (kept.join("before"), kept.join("after"));
                fs::write(&before, "1").unwrap();
                fs::rename(&before, &after).unwrap();
                File::options().write(true).open(&after).unwrap().set_len(10).unwrap();
                File::open(&kept).unwrap().sync_all().unwrap();
                fs::remove_file(&after).unwrap();
                is_denied(File::open(outside.join("file")).map(drop));
                is_denied(File::create(outside.join("new")).map(drop));
                is_denied(fs::remove_file(outside.join("file")));
                is_denied(fs::create_dir(outside.join("new")));
                is_denied(std::os::unix::fs::symlink("/", kept.join("link")));
                is_denied(Command::new("/bin/sh").spawn().map(drop));
                is_denied(TcpStream::connect(address).map(drop));
                is_denied(TcpListener::bind("127.0.0.1:0").map(drop));
                drop(listener);
            });
            confined.join().unwrap();
        }

        #[test]
        fn what_is_not_there_yet_is_allowed_where_it_will_be() {
            let place = tempfile::tempdir().unwrap();
            let path = place.path();
            for (wanted, expected) in [("", ""), ("one", ""), ("one/two", "")] {
                assert_eq!(there(&path.join(wanted)), path.join(expected));
            }
            assert_eq!(there(Path::new("not-there/at-all")), Path::new("."));
            assert_eq!(directory(Path::new("users")), Path::new("."));
            assert_eq!(directory(Path::new("/etc/users")), Path::new("/etc"));
        }

        #[test]
        fn a_file_behind_a_link_is_read_at_both_ends() {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().canonicalize().unwrap();
            std::fs::create_dir(path.join("real")).unwrap();
            std::fs::write(path.join("real/users"), "").unwrap();
            std::os::unix::fs::symlink("real/users", path.join("users")).unwrap();
            let needs = Needs { read: vec![path.join("users")], ..Needs::default() };
            let found: Vec<_> = rules(&needs).into_iter().map(|(path, _)| path).take(2).collect();
            assert_eq!(found, [path.join("real"), path]);
        }
    }
}
