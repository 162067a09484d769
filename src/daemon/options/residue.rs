//! The options of the three doors of Residue.

use std::path::PathBuf;
use std::time::Duration;

use getopts::{Matches, Options as Getopts};

use super::Addresses;
use super::read::{number, path, seconds, yes_or_no};
use crate::daemon::Failure;
use crate::door::Kind;
use crate::residue::item::LineFormat;
use crate::residue::reply::is_label;
use crate::residue::{clerk, request};

/// For how long a client lives without a touch, unless it is said: three days.
const AGE: Duration = Duration::from_secs(clerk::AGE);
/// The shortest time that clients can live by: near its end they touch without a pause.
const LEAST_AGE: usize = 300;
/// The longest that clients of every language can count.
const MOST_AGE: usize = 2_147_483_647;
/// How far the clock of a client may be off, unless it is said.
const TOLERANCE: Duration = Duration::from_secs(request::TOLERANCE);
/// Whom clients are told that the server is licensed to, unless it is said.
const LICENSEE: &str = "rollcall";
/// How many decryptions a second an address has, unless it is said.
const RSA_RATE: usize = 20;
/// What one client may fill is the least.
const MEMORY_RANGE: std::ops::RangeInclusive<usize> = clerk::CLIENT_MEMORY..=1_073_741_824;

/// What is set for Residue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residue {
    /// For how long a client lives without a touch; zero: for ever.
    pub age: Duration,
    /// Whom clients are told that the server is licensed to.
    pub licensee: String,
    /// Where the log files are, and how they are written.
    pub logs: Logging,
    /// The server's own key, where it has one.
    pub key: Option<KeyFile>,
    /// The directory with the keys of managed clients.
    pub clients: Option<PathBuf>,
    /// The file with the access codes.
    pub codes: Option<PathBuf>,
    /// What clients are allowed, and what is asked of them.
    pub policy: Policy,
    /// How far the clock of a client may be off.
    pub tolerance: Duration,
    /// How many decryptions by the server's key an address has a second; 0: any number.
    pub rsa_rate: usize,
    /// How many clients there may be.
    pub max_clients: usize,
    /// How many with generated IDs there may be of one address; 0: any number.
    pub max_clients_per_address: usize,
    /// How many packets of all of them are remembered.
    pub memory: usize,
}

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The directory that was named for them.
    pub directory: Option<PathBuf>,
    /// What a line looks like.
    pub format: LineFormat,
    /// Whether they are on the disk before a client hears of it.
    pub fsync: bool,
}

/// Where the server's key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The key.
    pub path: PathBuf,
    /// What it is encrypted with, if it is.
    pub password: Option<PathBuf>,
}

/// What clients are allowed, and what is asked of them. By default everything and nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The access code `default` gives tokens.
    pub default_code: bool,
    /// Clients that are not managed may come.
    pub unknown: bool,
    /// They may say hello in plain.
    pub plain: bool,
    /// They may compress.
    pub compression: bool,
    /// Logs need a token.
    pub require_token: bool,
    /// Hellos need a time.
    pub require_timestamp: bool,
}

pub(super) fn declare(all: &mut Getopts) {
    all.optmulti("", "residue", "listen for Residue clients there; may be given more than once, port 0 takes any free port, \"off\" closes the door, and the next two unless they are named (default 127.0.0.1:8777)", "ADDR:PORT");
    all.optmulti(
        "",
        "residue-token",
        "give tokens to Residue clients there; as before (default 127.0.0.1:8778)",
        "ADDR:PORT",
    );
    all.optmulti(
        "",
        "residue-log",
        "take logs of Residue clients there; as before (default 127.0.0.1:8779)",
        "ADDR:PORT",
    );
    all.optopt("", "residue-logs", "append logs to files in this directory, which is made where it is missing (default logs in the data directory)", "DIR");
    all.optopt(
        "",
        "residue-log-format",
        "what a line of them looks like: \"text\" or \"json\" (default text)",
        "FORMAT",
    );
    all.optflag("", "residue-fsync", "have logs on the disk before they are acknowledged");
    all.optopt("", "residue-age", "time for which a Residue client stays without a touch, 300 to 2147483647, 0 is for ever (default 259200)", "SECS");
    all.optopt("", "residue-licensee", "whom clients are told that the server is licensed to, 1 to 64 printable ASCII characters but ' \" \\ (default rollcall)", "TEXT");
    all.optopt(
        "",
        "residue-key",
        "the server's private RSA key, to which clients may encrypt their hellos (default none)",
        "FILE",
    );
    all.optopt(
        "",
        "residue-key-password",
        "the passphrase of that key is the first line of this file",
        "FILE",
    );
    all.optopt(
        "",
        "residue-clients",
        "the public keys of managed clients are ID.pem in this directory (default nobody is managed)",
        "DIR",
    );
    all.optopt(
        "",
        "residue-codes",
        "the access codes are lines LOGGER CODE [LIFE] in this file (default there are none)",
        "FILE",
    );
    all.optflag("", "residue-no-default-code", "give no token for the access code \"default\"");
    all.optflag("", "residue-require-token", "take no log without a token");
    all.optflag("", "residue-require-timestamp", "take no hello without a time");
    all.optopt(
        "",
        "residue-tolerance",
        "how far the clock of a client may be off, 1 to 86400 (default 120)",
        "SECS",
    );
    all.optflag("", "residue-no-unknown", "let nobody in but managed clients");
    all.optflag("", "residue-no-plain", "let nobody in who does not encrypt the hello");
    all.optflag("", "residue-no-compression", "have clients not compress their logs");
    all.optopt(
        "",
        "residue-rsa-rate",
        "encrypted hellos a second from one address, or IPv6 /64, 0 to 10000, 0 is any number (default 20)",
        "N",
    );
    all.optopt("", "residue-max-clients", "Residue clients in all, 1 to 1048576 (default 65536)", "N");
    all.optopt("", "residue-max-clients-per-address", "Residue clients that are not managed from one address, or IPv6 /64, 0 to 1048576, 0 is any number; loopback is exempt (default 1024)", "N");
    all.optopt("", "residue-memory", "packets of all Residue clients that are remembered so that nobody can repeat them, at 9 bytes each, 1048576 to 1073741824 (default 33554432)", "PACKETS");
}

pub(super) fn read(matches: &Matches) -> Result<Residue, Failure> {
    let given = |name: &str| matches.opt_present(name);
    let policy = Policy {
        default_code: !given("residue-no-default-code"),
        unknown: !given("residue-no-unknown"),
        plain: !given("residue-no-plain"),
        compression: !given("residue-no-compression"),
        require_token: given("residue-require-token"),
        require_timestamp: given("residue-require-timestamp"),
    };
    let directory = path(matches, "residue-logs", "a directory")?;
    let logs = Logging { directory, format: format(matches)?, fsync: given("residue-fsync") };
    let residue = Residue {
        age: age(matches)?,
        licensee: licensee(matches)?,
        logs,
        key: key(matches)?,
        clients: path(matches, "residue-clients", "a directory")?,
        codes: path(matches, "residue-codes", "a file")?,
        policy,
        tolerance: seconds(matches, "residue-tolerance", 1..=86_400)?.unwrap_or(TOLERANCE),
        rsa_rate: number(matches, "residue-rsa-rate", 0..=10_000)?.unwrap_or(RSA_RATE),
        max_clients: number(matches, "residue-max-clients", 1..=super::MAX_CLIENTS)?
            .unwrap_or(clerk::CLIENTS_LIMIT),
        max_clients_per_address: number(matches, "residue-max-clients-per-address", 0..=super::MAX_CLIENTS)?
            .unwrap_or(clerk::CLIENTS_PER_ADDRESS),
        memory: number(matches, "residue-memory", MEMORY_RANGE)?.unwrap_or(clerk::MEMORY_LIMIT),
    };
    residue.makes_sense()?;
    Ok(residue)
}

fn age(matches: &Matches) -> Result<Duration, Failure> {
    let name = "residue-age";
    let age = seconds(matches, name, 0..=MOST_AGE).map_err(|_| wrong_age(matches))?.unwrap_or(AGE);
    match age.as_secs() {
        short if short > 0 && short < LEAST_AGE as u64 => Err(wrong_age(matches)),
        _ => Ok(age),
    }
}

fn wrong_age(matches: &Matches) -> Failure {
    let said = matches.opt_str("residue-age").unwrap_or_default();
    Failure::usage(format!(
        "--residue-age takes a whole number from {LEAST_AGE} to {MOST_AGE}, or 0, not \"{said}\""
    ))
}

/// Clients show it between quotes, and some copy it into code.
fn licensee(matches: &Matches) -> Result<String, Failure> {
    let licensee = matches.opt_str("residue-licensee").unwrap_or_else(|| LICENSEE.to_owned());
    if is_label(&licensee) {
        return Ok(licensee);
    }
    let message =
        format!("--residue-licensee takes 1 to 64 printable ASCII characters but ' \" \\, not {licensee:?}");
    Err(Failure::usage(message))
}

fn format(matches: &Matches) -> Result<LineFormat, Failure> {
    match matches.opt_str("residue-log-format").as_deref() {
        None | Some("text") => Ok(LineFormat::Text),
        Some("json") => Ok(LineFormat::Json),
        Some(other) => {
            Err(Failure::usage(format!("--residue-log-format takes \"text\" or \"json\", not \"{other}\"")))
        }
    }
}

fn key(matches: &Matches) -> Result<Option<KeyFile>, Failure> {
    let password = path(matches, "residue-key-password", "a file")?;
    match (path(matches, "residue-key", "a file")?, password) {
        (None, Some(_)) => Err(Failure::usage("--residue-key-password goes with --residue-key FILE only")),
        (None, None) => Ok(None),
        (Some(path), password) => Ok(Some(KeyFile { path, password })),
    }
}

impl Residue {
    /// Nothing is asked of clients that none could do.
    fn makes_sense(&self) -> Result<(), Failure> {
        let Policy { default_code, unknown, plain, require_token, .. } = self.policy;
        let wrong = if !plain && self.key.is_none() {
            "with --residue-no-plain clients have to encrypt their hellos: give --residue-key FILE to which they can"
        } else if !unknown && self.clients.is_none() {
            "with --residue-no-unknown clients have to be managed: give --residue-clients DIR that says who they are"
        } else if require_token && !default_code && self.codes.is_none() {
            "with --residue-require-token and --residue-no-default-code clients need access codes: give \
             --residue-codes FILE"
        } else {
            return Ok(());
        };
        Err(Failure::usage(wrong))
    }

    /// Whether the doors that are `open` are of use together: without the first nobody can come to the others, and tokens that
    /// are needed have to be had somewhere.
    pub(in crate::daemon) fn may_open(&self, open: impl Fn(Kind) -> bool) -> Result<(), Failure> {
        for other in [Kind::ResidueToken, Kind::ResidueLog] {
            if open(other) && !open(Kind::Residue) {
                let (one, other) = (Kind::Residue.name(), other.name());
                return Err(Failure::usage(format!(
                    "nobody could come to the door {other} without the door {one}: open that with --{one} too"
                )));
            }
        }
        if self.policy.require_token && open(Kind::ResidueLog) && !open(Kind::ResidueToken) {
            let message = "with --residue-require-token clients need the door residue-token, which is closed";
            return Err(Failure::usage(message));
        }
        Ok(())
    }
}

/// The doors that are closed because the first one is, and nothing was said of them.
pub(super) fn close_together(addresses: &mut [(Kind, Addresses)]) {
    if !addresses.contains(&(Kind::Residue, Addresses::Off)) {
        return;
    }
    for (kind, addresses) in addresses {
        if matches!(kind, Kind::ResidueToken | Kind::ResidueLog) && *addresses == Addresses::Default {
            *addresses = Addresses::Off;
        }
    }
}

pub(super) fn rows(residue: &Residue) -> Vec<(&'static str, String)> {
    let named =
        |path: Option<&PathBuf>| path.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let policy = &residue.policy;
    let format = match residue.logs.format {
        LineFormat::Text => "text",
        LineFormat::Json => "json",
    };
    vec![
        ("residue-log-format", format.to_owned()),
        ("residue-fsync", yes_or_no(residue.logs.fsync)),
        ("residue-age", residue.age.as_secs().to_string()),
        ("residue-licensee", residue.licensee.clone()),
        ("residue-key", named(residue.key.as_ref().map(|key| &key.path))),
        ("residue-key-password", named(residue.key.as_ref().and_then(|key| key.password.as_ref()))),
        ("residue-clients", named(residue.clients.as_ref())),
        ("residue-codes", named(residue.codes.as_ref())),
        ("residue-no-default-code", yes_or_no(!policy.default_code)),
        ("residue-require-token", yes_or_no(policy.require_token)),
        ("residue-require-timestamp", yes_or_no(policy.require_timestamp)),
        ("residue-tolerance", residue.tolerance.as_secs().to_string()),
        ("residue-no-unknown", yes_or_no(!policy.unknown)),
        ("residue-no-plain", yes_or_no(!policy.plain)),
        ("residue-no-compression", yes_or_no(!policy.compression)),
        ("residue-rsa-rate", residue.rsa_rate.to_string()),
        ("residue-max-clients", residue.max_clients.to_string()),
        ("residue-max-clients-per-address", residue.max_clients_per_address.to_string()),
        ("residue-memory", residue.memory.to_string()),
    ]
}
