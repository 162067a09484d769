//! The probe of the door Residue: see residue(7).

mod dialogue;
mod words;

use std::fs::File;
use std::io::{self, Read};
use std::time::Instant;

use getopts::{Matches, Options};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::report::{Outcome, Report, Told};
use crate::client::commands::prompt;
use crate::client::error::Error;
use crate::residue::cipher::KeySize;
use crate::residue::client::{Client, Settings};
use crate::residue::pair::{KeyError, PrivateKey, PublicKey};
use crate::residue::request::is_client_id;
use crate::wire::text::Printable;
use dialogue::Dialogue;

/// Where a server listens for connects unless it is told otherwise; the other ports are told by it.
pub(super) const PORT: u16 = 8777;
/// What only this door has.
pub(super) const OPTIONS: &[&str] =
    &["access-code", "client-id", "client-key", "key-size", "log", "logger", "server-key", "touch"];

/// The key pair of those that are not managed: what the public clients make.
const PAIR_BITS: usize = 2048;
/// Where a log goes, and what a token is for, unless anything is said.
const LOGGER: &str = "default";
/// What every server without its own codes takes.
const DEFAULT_CODE: &str = "default";
/// No file of a key or an access code is longer.
const FILE_LIMIT: usize = 64 * 1024;

pub(super) fn options(options: &mut Options) {
    options
        .optopt("", "log", "residue: log MESSAGE as well", "MESSAGE")
        .optflag("", "touch", "residue: touch the key as well")
        .optopt("", "logger", "residue: log to NAME, and ask for a token for it (default default)", "NAME")
        .optopt(
            "",
            "access-code",
            "residue: ask for a token by the access code that is the first line of FILE; - asks for it, or \
             takes a line of standard input",
            "FILE",
        )
        .optopt("", "server-key", "residue: encrypt the hello to this public key, a PEM file", "FILE")
        .optopt("", "client-id", "residue: be the managed client ID, with --client-key", "ID")
        .optopt(
            "",
            "client-key",
            "residue: our private key, a PEM file (default: one is made); a passphrase is asked for, or is a line \
             of standard input",
            "FILE",
        )
        .optopt("", "key-size", "residue: ask for an AES key of 128, 192 or 256 bits", "BITS");
}

/// What to do once there is a key.
struct Errands {
    touch: bool,
    /// What to log.
    message: Option<String>,
    /// Where to.
    logger: String,
    /// What lets us do so.
    access_code: Option<Zeroizing<String>>,
}

/// Where our key pair comes from.
enum Pair {
    Given(Box<PrivateKey>),
    Fresh,
}

/// What goes into a hello.
struct Hello {
    pair: Pair,
    client_id: Option<Box<str>>,
    server_key: Option<PublicKey>,
    key_size: Option<KeySize>,
}

pub(super) fn run(matches: &Matches, plan: super::Plan) -> Result<(), Error> {
    let hello = hello(matches)?;
    let errands = errands(matches)?;
    let super::Plan { server, timeout, format } = plan;
    let mut report = Report::new(format, "residue", &server);
    let ended = settings(hello, &mut report).and_then(|settings| {
        let mut dialogue = Dialogue::new(Client::new(settings), &mut report, server, timeout);
        let ended = dialogue.converse(&errands);
        match &ended {
            Err(error) if !error.is_broken_pipe() => dialogue.failed(error)?,
            _ => {}
        }
        ended
    });
    report.end(ended.as_ref().err())?;
    ended
}

/// Makes a key pair if none is given, which takes a moment.
fn settings(hello: Hello, report: &mut Report) -> Result<Settings, Error> {
    let Hello { pair, client_id, server_key, key_size } = hello;
    let pair = match pair {
        Pair::Given(pair) => *pair,
        Pair::Fresh => {
            let began = Instant::now();
            let pair = PrivateKey::generate(PAIR_BITS)
                .map_err(|error| Error::Unfit(format!("cannot make a key pair: {error}")))?;
            let told = Told::new(format!("RSA, {PAIR_BITS} bits"), json!({"bits": PAIR_BITS}));
            report.step("our key", Outcome::Done, began.elapsed(), told)?;
            pair
        }
    };
    Ok(Settings { pair, client_id, server_key, key_size })
}

fn hello(matches: &Matches) -> Result<Hello, Error> {
    let client_id = matches.opt_str("client-id");
    if let Some(id) = client_id.as_deref().filter(|id| !is_client_id(id)) {
        let id = Printable(id);
        return Err(Error::Usage(format!(
            "--client-id takes 1 to 64 letters, digits, and any of @#_.-, not \"{id}\""
        )));
    }
    let key_size = matches.opt_str("key-size").map(|said| {
        said.parse().ok().and_then(KeySize::from_bits).ok_or_else(|| {
            Error::Usage(format!("--key-size takes 128, 192 or 256, not \"{}\"", Printable(&said)))
        })
    });
    let key_size = key_size.transpose()?;
    let client_key = matches.opt_str("client-key");
    if client_id.is_some() && client_key.is_none() {
        return Err(Error::Usage("--client-id needs --client-key, which the server has to know".to_owned()));
    }
    let server_key = matches.opt_str("server-key").map(|path| {
        PublicKey::from_pem(&read(&path)?).map_err(|error| Error::Unfit(format!("{path}: {error}")))
    });
    let pair = client_key
        .map_or(Ok(Pair::Fresh), |path| private_key(&path).map(|pair| Pair::Given(Box::new(pair))))?;
    Ok(Hello { pair, client_id: client_id.map(Into::into), server_key: server_key.transpose()?, key_size })
}

fn errands(matches: &Matches) -> Result<Errands, Error> {
    let filled = |name: &str| match matches.opt_str(name) {
        Some(text) if text.is_empty() => {
            Err(Error::Usage(format!("--{name} takes a text that is not empty")))
        }
        given => Ok(given),
    };
    let (message, logger) = (filled("log")?, filled("logger")?);
    let access_code = matches.opt_str("access-code").map(|path| access_code(&path)).transpose()?;
    Ok(Errands {
        touch: matches.opt_present("touch"),
        message,
        logger: logger.unwrap_or_else(|| LOGGER.to_owned()),
        access_code,
    })
}

/// A code is no argument: everybody on the machine can read those.
fn access_code(path: &str) -> Result<Zeroizing<String>, Error> {
    let line = match path {
        "-" => prompt::given("Access code: ")?,
        _ => File::open(path)
            .and_then(prompt::read_line)
            .map_err(|cause| Error::local(format!("read {path}"), cause))?,
    };
    match std::str::from_utf8(&line) {
        Ok(code) if !code.is_empty() => Ok(Zeroizing::new(code.to_owned())),
        _ => Err(Error::Unfit("an access code is UTF-8, and not empty".to_owned())),
    }
}

fn private_key(path: &str) -> Result<PrivateKey, Error> {
    let pem = read(path)?;
    let pair = match PrivateKey::from_pem(&pem, None) {
        Err(KeyError::Passphrase) => {
            let passphrase = prompt::given(&format!("Passphrase of {}: ", Printable(path)))?;
            PrivateKey::from_pem(&pem, Some(&passphrase))
        }
        read => read,
    };
    pair.map_err(|error| Error::Unfit(format!("{path}: {error}")))
}

/// What is in a file that may hold a secret.
fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(vec![0; FILE_LIMIT + 1]);
    let length = File::open(path)
        .and_then(|file| read_all(file, &mut bytes))
        .map_err(|cause| Error::local(format!("read {path}"), cause))?;
    if length > FILE_LIMIT {
        return Err(Error::Unfit(format!("{path}: it is longer than {FILE_LIMIT} bytes")));
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Fills as much of a buffer as there is for it.
fn read_all(mut file: File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// What there is nothing to tell of.
fn nothing(about: impl Into<String>) -> Told {
    Told::new(about, Value::Null)
}

#[cfg(test)]
mod tests;
