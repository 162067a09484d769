//! Where the daemon keeps what is to outlive it.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::Failure;
use super::system::Identity;

/// For nobody but who keeps it.
const MODE: u32 = 0o700;

/// The directory: the one that was named, or else the one that the environment is about. `what` is to be kept in it, and
/// `otherwise` is the option by which there would be nothing to keep.
pub(super) fn find(named: Option<&Path>, what: &str, otherwise: &str) -> Result<PathBuf, Failure> {
    choose(named, |variable| std::env::var_os(variable)).ok_or_else(|| {
        Failure::usage(format!(
            "there is no directory to keep {what} in, as HOME is not set: name one with --data, or close the door \
             with {otherwise}"
        ))
    })
}

/// What is chosen where the environment says so.
fn choose(named: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // What is no absolute path counts as not said, as the XDG rules have it.
    let said = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let supervised = || {
        // A supervisor that has several directories for us names them all, with colons between them.
        let all = variable("STATE_DIRECTORY")?;
        std::env::split_paths(&all).next().filter(|path| path.is_absolute())
    };
    named
        .map(Path::to_owned)
        .or_else(supervised)
        .or_else(|| said("XDG_STATE_HOME").map(|home| home.join("rollcalld")))
        .or_else(|| said("HOME").map(|home| home.join(".local/state/rollcalld")))
}

/// Makes the directory where it is not there, and the ones that it is in. They are for whoever the daemon is to become.
pub(super) fn create(path: &Path, identity: Option<&Identity>) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|part| !is_there(part)).collect();
    DirBuilder::new().recursive(true).mode(MODE).create(path)?;
    if let Some(identity) = identity {
        missing.iter().try_for_each(|part| identity.own(part))?;
    }
    // What becomes durable in there is of no use without the way to it.
    missing.iter().try_for_each(|part| sync_parent(part))
}

/// Makes durable that this is in its directory.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// An empty path is the working directory.
fn is_there(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_is_named_goes_before_what_the_environment_says() {
        // What is named, what the environment says, and what is chosen.
        type Row<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], Option<&'a str>);
        let table: [Row<'_>; 10] = [
            (Some("/d"), &[("STATE_DIRECTORY", "/s"), ("HOME", "/h")], Some("/d")),
            (Some("d"), &[], Some("d")),
            (None, &[("STATE_DIRECTORY", "/s"), ("XDG_STATE_HOME", "/x")], Some("/s")),
            (None, &[("STATE_DIRECTORY", "/s:/t")], Some("/s")),
            (None, &[("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/x/rollcalld")),
            (None, &[("XDG_STATE_HOME", "x"), ("HOME", "/h")], Some("/h/.local/state/rollcalld")),
            (None, &[("XDG_STATE_HOME", ""), ("HOME", "/h")], Some("/h/.local/state/rollcalld")),
            (None, &[("STATE_DIRECTORY", ""), ("HOME", "/h")], Some("/h/.local/state/rollcalld")),
            (None, &[("HOME", "")], None),
            (None, &[], None),
        ];
        for (named, variables, expected) in table {
            let value = |name: &str| {
                variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.into())
            };
            assert_eq!(choose(named.map(Path::new), value), expected.map(PathBuf::from), "{variables:?}");
        }
    }

    #[test]
    fn what_is_missing_is_made_for_nobody_else_and_what_is_there_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        let before = mode(place.path());
        let inner = place.path().join("one/two");
        for _ in 0..2 {
            create(&inner, None).unwrap();
            assert_eq!(mode(&inner), 0o700);
            assert_eq!(mode(&place.path().join("one")), 0o700);
            assert_eq!(mode(place.path()), before);
        }
    }
}
