//! A disk that can be filled, or not be written.

use std::fs;
use std::io::Write;
use std::process::Command;

use super::Place;

/// A disk of a test's own, in memory.
pub struct Disk {
    place: Place,
}

impl Disk {
    /// None where that is not permitted.
    pub fn mount(options: &str) -> Option<Self> {
        let place = Place::new();
        fs::create_dir(place.join("disk")).unwrap();
        let disk = Self { place };
        if disk.run("mount", &["-t", "tmpfs", "-o", options, "none"]) {
            return Some(disk);
        }
        println!("skipped: only root can mount a disk, and not everywhere");
        None
    }

    /// The path of something on it.
    pub fn text(&self, name: &str) -> String {
        self.place.text(&format!("disk/{name}"))
    }

    /// Mounts it anew, in another way.
    pub fn remount(&self, how: &str) {
        assert!(self.run("mount", &["-o", &format!("remount,{how}")]));
    }

    /// Leaves no room on it.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.text("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub fn empty(&self) {
        fs::remove_file(self.text("filler")).unwrap();
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let output = Command::new(program).args(arguments).arg(self.place.join("disk")).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Daemons that are still there may have files open on it.
        self.run("umount", &["-l"]);
    }
}
