//! `SECURITY.md` promises nothing without saying where the promise is kept: what it names has to be there.

#![cfg(test)]

mod common;

use std::fs;
use std::path::Path;

use common::Daemon;

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn promises() -> String {
    fs::read_to_string(root().join("SECURITY.md")).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_tests_that_keep_the_promises_are_there() {
    let text = promises();
    let is_path = |name: &&str| ["tests/", "src/", "contrib/"].iter().any(|start| name.starts_with(start));
    let paths: Vec<_> = quoted(&text).filter(is_path).collect();
    assert!(paths.len() > 20, "{paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_row_of_a_promise_says_where_it_is_kept() {
    for row in promises().lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 2, "{row}");
        assert!(row.contains("how far") || quoted(cells[1]).next().is_some(), "{row}");
    }
}

#[test]
fn the_options_that_it_names_are_there() {
    if cfg!(not(all(feature = "chapp", feature = "fmltp", feature = "residue", feature = "sandbox"))) {
        return println!("skipped: not every door is built in");
    }
    let help = Daemon::run(&["--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let text = promises();
    let options = quoted(&text).filter_map(|text| text.split(' ').next()?.strip_prefix("--"));
    for option in options {
        assert!(help.contains(&format!("--{option} ")), "--{option}");
    }
}
