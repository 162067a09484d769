mod ages;
mod answers;
mod limits;
mod logs;
mod model;
mod world;

use std::net::SocketAddr;

use zeroize::Zeroizing;

use super::*;
use crate::residue::cipher::{KeySize, Mark};
use crate::residue::desk::{Entry, Lines, Newcomer, Pass, Port};
use crate::residue::reply::{ConnectError, TokenError};
use crate::residue::room::Room;
use world::{Told, World, public_key};

const AGE: u64 = 3_600;
/// Beyond its age, as far as clocks may differ.
const GRACE: u64 = 120;
const KEY_KEPT: u64 = 600;
const ACKNOWLEDGE_WITHIN: u64 = 300;

fn settings() -> Settings {
    Settings { age: AGE, ..Settings::default() }
}

fn home() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4711))
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// A hello of a managed client, with the key that the first book has for it.
fn managed(id: &str) -> Question {
    managed_by(id, if id == "molly" { 2 } else { 1 })
}

/// One for which the session has found another key.
fn managed_by(id: &str, key: u8) -> Question {
    let who = Newcomer::Managed { id: id.into(), key: Arc::new(public_key(key)) };
    Question::Hello { who, size: KeySize::Bits256 }
}

fn unknown() -> Question {
    Question::Hello { who: Newcomer::Unknown, size: KeySize::Bits256 }
}

fn acknowledge(pass: &Pass, mark: Mark) -> Question {
    acknowledge_from(pass, mark, home())
}

fn acknowledge_from(pass: &Pass, mark: Mark, address: SocketAddr) -> Question {
    Question::Acknowledge { pass: pass.clone(), mark, address }
}

fn touch(pass: &Pass, mark: Mark) -> Question {
    Question::Touch { pass: pass.clone(), mark }
}

fn invalid(pass: &Pass, mark: Mark, port: Port) -> Question {
    Question::Invalid { pass: pass.clone(), mark, port }
}

fn ask_token(pass: &Pass, mark: Mark, logger: &str, code: Option<&str>) -> Question {
    let access_code = code.map(secret);
    Question::AskToken { pass: pass.clone(), mark, logger: logger.into(), access_code }
}

fn check_token(pass: &Pass, mark: Mark, logger: &str, token: &str) -> Question {
    Question::CheckToken { pass: pass.clone(), mark, logger: logger.into(), token: secret(token) }
}

/// A packet of lines, each for a logger and perhaps with a token.
fn log(pass: &Pass, mark: Mark, lines: &[(&str, Option<&str>, &str)]) -> Question {
    let (mut text, mut entries) = (Vec::new(), Vec::new());
    for (logger, token, line) in lines {
        let start = text.len();
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        entries.push(Entry { logger: (*logger).into(), token: token.map(secret), line: start..text.len() });
    }
    let share = Room::new(text.len()).take(text.len()).unwrap();
    Question::Log { pass: pass.clone(), mark, lines: Lines { text, entries, share } }
}
