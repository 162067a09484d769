//! The files of Residue: the server's key, who is managed, and which codes give tokens.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Failure;
use super::logs::Logs;
use super::options::{KeyFile, Policy, Residue};
use super::reread::{self, Care, Content, Kept, counted, unfit};
use crate::residue::books::{ClientBook, Clients, CodeBook, Codes};
use crate::residue::clerk::{Desk, ResidueClerk, Settings, SystemSource};
use crate::residue::pair::{KeyError, PrivateKey, PublicKey};
use crate::residue::reply::Flags;
use crate::residue::server;
use crate::session::{Clerk, Ration};

/// How long the file of a key may be, in bytes; and one with a passphrase.
const KEY_LIMIT: usize = 65_536;
/// How long the file with the access codes may be, in bytes.
const CODES_LIMIT: usize = 1 << 20;
/// What a decryption costs of an address's ration.
const DECRYPTION: u32 = 10;
/// How the names of the files end in which the keys of managed clients are.
const ENDING: &str = ".pem";

/// All of them that were named.
pub(super) struct Books {
    key: Option<ServerKey>,
    clients: Option<Arc<Kept<Clients>>>,
    codes: Option<Arc<Kept<Codes>>>,
}

impl Books {
    /// Reads them.
    pub(super) fn read(named: &Residue) -> Result<Self, Failure> {
        let kept = |path: &Option<PathBuf>| path.as_deref().map(Kept::open).transpose();
        Ok(Self {
            key: named.key.as_ref().map(ServerKey::read).transpose()?,
            clients: kept(&named.clients)?.map(Arc::new),
            codes: named.codes.as_deref().map(Kept::open).transpose()?.map(Arc::new),
        })
    }

    /// The server's key.
    pub(super) fn key(&self) -> Option<Arc<PrivateKey>> {
        self.key.as_ref().map(|key| Arc::clone(&key.key))
    }

    /// Who is managed.
    pub(super) fn clients(&self) -> Arc<dyn ClientBook> {
        match &self.clients {
            Some(clients) => clients.clone(),
            None => Arc::new(Nobody::default()),
        }
    }

    /// Which codes give tokens.
    pub(super) fn codes(&self) -> Arc<dyn CodeBook> {
        match &self.codes {
            Some(codes) => codes.clone(),
            None => Arc::new(Nothing::default()),
        }
    }

    /// Where those are that are read again.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let clients = self.clients.iter().map(|clients| clients.path());
        clients.chain(self.codes.iter().map(|codes| codes.path()))
    }

    /// Warns of those that cannot be read again as they are now.
    pub(super) fn look_ahead(&self) {
        self.clients.iter().for_each(|clients| clients.look_ahead());
        self.codes.iter().for_each(|codes| codes.look_ahead());
    }

    /// Reads them again, but for the key, which is what clients know the server by as long as it runs.
    pub(super) fn read_again(&self) {
        self.clients.iter().for_each(|clients| clients.read_again());
        self.codes.iter().for_each(|codes| codes.read_again());
        self.key.iter().for_each(ServerKey::look_again);
    }

    /// Whether there is nothing to read again.
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_none() && self.codes.is_none()
    }
}

/// What goes for all three doors, but for their ports.
pub(super) fn settings(set: &Residue, books: &Books) -> server::Settings {
    server::Settings {
        key: books.key(),
        clients: books.clients(),
        flags: flags(&set.policy),
        licensee: set.licensee.as_str().into(),
        tolerance: set.tolerance.as_secs(),
        line_format: set.logs.format,
        ration: ration(set.rsa_rate),
        ..server::Settings::default()
    }
}

fn flags(policy: &Policy) -> Flags {
    let with = |set: bool, flag: u32| if set { flag } else { 0 };
    let always = Flags::UNKNOWN_LOGGERS | Flags::BULK | Flags::IMMEDIATE_FLUSH;
    Flags(
        always
            | with(policy.require_token, Flags::REQUIRES_TOKEN)
            | with(policy.default_code, Flags::DEFAULT_CODE)
            | with(policy.unknown, Flags::UNKNOWN_CLIENTS)
            | with(policy.plain, Flags::PLAIN)
            | with(policy.compression, Flags::COMPRESSION)
            | with(policy.require_timestamp, Flags::REQUIRES_TIMESTAMP),
    )
}

/// So many decryptions a second, and twice as many at once.
fn ration(rate: usize) -> Ration {
    let units = u32::try_from(rate).unwrap_or(u32::MAX).saturating_mul(DECRYPTION);
    match Duration::from_secs(1).checked_div(units) {
        Some(interval) => Ration { interval, burst: units.saturating_mul(2) },
        None => Ration::NONE,
    }
}

/// Who keeps the books of all three doors, and writes the logs.
pub(super) fn clerk(set: &Residue, books: &Books, logs: Option<Logs>) -> Box<dyn Clerk> {
    let settings = Settings {
        age: set.age.as_secs(),
        tolerance: set.tolerance.as_secs(),
        require_token: set.policy.require_token,
        default_code: set.policy.default_code,
        clients_limit: set.max_clients,
        clients_per_address: set.max_clients_per_address,
        memory_limit: set.memory,
        ..Settings::default()
    };
    let desk = Desk { clients: books.clients(), codes: books.codes(), source: Box::new(SystemSource) };
    Box::new(ResidueClerk::new(settings, desk, logs))
}

/// Nobody is managed.
#[derive(Default)]
struct Nobody(Arc<Clients>);

impl ClientBook for Nobody {
    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.0)
    }
}

/// There are no codes.
#[derive(Default)]
struct Nothing(Arc<Codes>);

impl CodeBook for Nothing {
    fn codes(&self) -> Arc<Codes> {
        Arc::clone(&self.0)
    }
}

/// The server's key, and what its file was like when it was read.
struct ServerKey {
    key: Arc<PrivateKey>,
    path: PathBuf,
    state: Option<FileState>,
}

/// By what it is seen that a file is not what it was: device, file, time of the last change, length.
type FileState = (u64, u64, (i64, i64), u64);

impl ServerKey {
    const NAME: &'static str = "server key";
    const PASSWORD: &'static str = "password of the server key";

    fn read(file: &KeyFile) -> Result<Self, Failure> {
        let KeyFile { path, password } = file;
        let state = state(path);
        let pem = reread::read(Self::NAME, path, KEY_LIMIT, Care::Secret)?;
        let passphrase = password.as_deref().map(passphrase).transpose()?;
        let key = PrivateKey::from_pem(&pem, passphrase.as_deref().map(Vec::as_slice)).map_err(|error| {
            let hint = match error {
                KeyError::Passphrase => ": give --residue-key-password FILE",
                _ => "",
            };
            unfit(Self::NAME, path, &format!("is not right: {error}{hint}"))
        })?;
        log::info!("a server key of {} bits in {}", key.bits(), path.display());
        Ok(Self { key: Arc::new(key), path: path.clone(), state })
    }

    /// Says so if there is another key now.
    fn look_again(&self) {
        let now = state(&self.path);
        if now.is_some() && now != self.state {
            log::warn!("the server key {} has changed: it is taken at the next start", self.path.display());
        }
    }
}

fn state(path: &Path) -> Option<FileState> {
    let there = fs::metadata(path).ok()?;
    Some((there.dev(), there.ino(), (there.mtime(), there.mtime_nsec()), there.len()))
}

/// The first line of a file.
fn passphrase(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = reread::read(ServerKey::PASSWORD, path, KEY_LIMIT, Care::Secret)?;
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(unfit(ServerKey::PASSWORD, path, "has nothing in its first line"));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

impl Content for Clients {
    const NAME: &'static str = "directory of managed clients";
    const STAYS: &'static str = "the managed clients stay who they were";

    fn load(path: &Path) -> Result<Self, Failure> {
        let files = key_files(path).map_err(|error| {
            Failure::system(format_args!("cannot read the {} {}", Self::NAME, path.display()), &error)
        })?;
        let mut clients = Self::default();
        for file in files {
            let name = "key of a managed client";
            let invalid = |what: &dyn std::fmt::Display| unfit(name, &file, &format!("is not right: {what}"));
            // What is no text is no ID either.
            let id =
                file.file_name().and_then(|name| name.to_str()?.strip_suffix(ENDING)).unwrap_or_default();
            let pem = reread::read(name, &file, KEY_LIMIT, Care::Public)?;
            let key = PublicKey::from_pem(&pem).map_err(|error| invalid(&error))?;
            clients.add(id, key).map_err(|error| invalid(&error))?;
        }
        Ok(clients)
    }

    fn told(&self) -> String {
        counted(self.len(), "managed client")
    }

    fn look(path: &Path) -> io::Result<()> {
        key_files(path)?.iter().try_for_each(|file| File::open(file).map(drop))
    }
}

impl ClientBook for Kept<Clients> {
    fn clients(&self) -> Arc<Clients> {
        self.content()
    }
}

/// The files in a directory that hold keys, in the order of their names. What is hidden is not looked at, nor what is called
/// something else: editors and version control leave such files.
fn key_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(ENDING.as_bytes()) && !bytes.starts_with(b".") {
            files.push(path.join(name));
        }
    }
    files.sort();
    Ok(files)
}

impl Content for Codes {
    const NAME: &'static str = "file of access codes";
    const STAYS: &'static str = "the codes stay what they were";

    fn load(path: &Path) -> Result<Self, Failure> {
        let bytes = reread::read(Self::NAME, path, CODES_LIMIT, Care::Secret)?;
        let invalid =
            |what: &dyn std::fmt::Display| unfit(Self::NAME, path, &format!("is not right: {what}"));
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes.iter().take(error.valid_up_to()).filter(|&&byte| byte == b'\n').count() + 1;
            invalid(&format_args!("line {line}: it is not UTF-8"))
        })?;
        Self::parse(text).map_err(|error| invalid(&error))
    }

    fn told(&self) -> String {
        counted(self.len(), "access code")
    }
}

impl CodeBook for Kept<Codes> {
    fn codes(&self) -> Arc<Codes> {
        self.content()
    }
}

#[cfg(test)]
mod tests;
