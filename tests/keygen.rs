//! `rollcall keygen residue`: the key pair of a server.

#![cfg(all(feature = "client", feature = "residue"))]
#![cfg(test)]

mod common;
mod support_client;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::Place;
use rollcall::residue::pair::{KeyError, PrivateKey, PublicKey};
use support_client::{Ended, Rollcall};

fn keygen(options: &[&str], stdin: &str) -> Ended {
    Rollcall::run(&[&["keygen", "residue"], options].concat(), stdin.as_bytes())
}

#[track_caller]
fn fails(ended: &Ended, code: i32, says: &str) {
    assert_eq!((ended.code, ended.text()), (Some(code), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().next().unwrap(), format!("rollcall: {says}"));
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn files(directory: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_pair_is_made_that_belongs_together() {
    let place = Place::new();
    let directory = place.text("keys");
    let ended = keygen(&[&directory], "");
    assert_eq!((ended.code, ended.text()), (Some(0), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("keys/residue.pem is the key of the server, of 3072 bits\n"));
    assert_eq!(files(&directory), ["residue.pem", "residue.pub.pem"]);
    let [private, public] = ["residue.pem", "residue.pub.pem"].map(|name| place.join("keys").join(name));
    assert_eq!((mode(&private), mode(&public)), (0o600, 0o644));
    let pair = PrivateKey::from_pem(&fs::read(&private).unwrap(), None).unwrap();
    assert!(pair.public() == PublicKey::from_pem(&fs::read(&public).unwrap()).unwrap());
    assert_eq!(pair.bits(), 3072);
}

#[test]
fn what_is_there_is_left_as_it_is() {
    for there in ["residue.pem", "residue.pub.pem"] {
        let place = Place::new();
        fs::write(place.join(there), "mine").unwrap();
        let ended = keygen(&[&place.text("")], "");
        fails(&ended, 1, &format!("cannot write {}: file exists", place.text(there)));
        assert_eq!(
            (files(place.join("")), fs::read(place.join(there)).unwrap()),
            (vec![there.into()], b"mine".into())
        );
    }
    // A link leads nowhere, and nothing is written where it leads to.
    let place = Place::new();
    std::os::unix::fs::symlink(place.join("elsewhere"), place.join("residue.pem")).unwrap();
    fails(
        &keygen(&[&place.text("")], ""),
        1,
        &format!("cannot write {}: file exists", place.text("residue.pem")),
    );
    assert_eq!(files(place.join("")), ["residue.pem"]);
}

#[test]
fn a_passphrase_is_a_line_of_standard_input() {
    let place = Place::new();
    let ended = keygen(&[&place.text(""), "--bits", "2048", "--passphrase"], "let me in\nmore\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let pem = fs::read(place.join("residue.pem")).unwrap();
    assert!(pem.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert_eq!(PrivateKey::from_pem(&pem, None).err(), Some(KeyError::Passphrase));
    assert_eq!(PrivateKey::from_pem(&pem, Some(b"let me out")).err(), Some(KeyError::WrongPassphrase));
    let pair = PrivateKey::from_pem(&pem, Some(b"let me in")).unwrap();
    assert_eq!(pair.bits(), 2048);

    let place = Place::new();
    for (typed, says) in
        [("\n", "a passphrase is not empty"), (&*"x".repeat(1025), "a passphrase has at most 1024 bytes")]
    {
        fails(&keygen(&[&place.text(""), "--passphrase"], typed), 1, says);
    }
    assert!(files(place.join("")).is_empty());
}

#[test]
fn a_directory_is_made_but_not_its_parents() {
    let place = Place::new();
    let directory = place.text("a/b");
    let ended = keygen(&[&directory], "");
    fails(&ended, 1, &format!("cannot make the directory {directory}: no such file or directory"));
    fs::write(place.join("file"), "").unwrap();
    let ended = keygen(&[&place.text("file"), "--bits", "2048"], "");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("not a directory"), "{}", ended.stderr);
}
