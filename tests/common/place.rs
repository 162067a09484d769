//! A directory of a test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory that others may enter, and that is gone when the test is over.
pub struct Place(PathBuf);

impl Place {
    /// Makes one.
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rollcall-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    /// The path of something in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The same as text, for a command line.
    pub fn text(&self, name: &str) -> String {
        self.join(name).to_str().unwrap().to_owned()
    }

    /// Copies a program to it that everybody can run; where it is. Another process copies it: what this one writes is open in
    /// each child of tests beside this one until the child is a program itself, and what is open to be written cannot be run.
    #[track_caller]
    pub fn copy_program(&self, program: impl AsRef<Path>) -> PathBuf {
        let copy = self.join(program.as_ref().file_name().unwrap());
        let status = Command::new("install").args(["-m", "755"]).arg(program.as_ref()).arg(&copy).status();
        assert!(status.unwrap().success());
        copy
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
