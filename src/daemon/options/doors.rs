//! The doors, and the options of each: where they are, and what goes for them.

use std::fmt;
use std::net::SocketAddr;
#[cfg(feature = "clerks")]
use std::path::PathBuf;

use getopts::{Matches, Options as Getopts};

#[cfg(feature = "chapp")]
use super::chapp::{self, Keeping};
#[cfg(feature = "fmltp")]
use super::fmltp::{self, Login};
#[cfg(feature = "clerks")]
use super::read::path;
use super::read::seconds;
#[cfg(feature = "residue")]
use super::residue::{self, Residue};
use crate::daemon::Failure;
use crate::door::{ABSENT, DoorSettings, Kind};

/// What is said about the doors.
#[derive(Debug, Clone)]
pub struct Doors {
    /// Where each of them is; those that are built in, all of them.
    pub addresses: Vec<(Kind, Addresses)>,
    /// What is set for them.
    pub settings: DoorSettings,
    /// Who has to log in at the door FmLTP.
    #[cfg(feature = "fmltp")]
    pub login: Login,
    /// What is kept for the door chapp.
    #[cfg(feature = "chapp")]
    pub keeping: Keeping,
    /// What is set for the doors of Residue.
    #[cfg(feature = "residue")]
    pub residue: Residue,
    /// The directory that was named for what outlives the daemon.
    #[cfg(feature = "clerks")]
    pub data: Option<PathBuf>,
}

/// Where a door is listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addresses {
    /// Nothing was said: its default address, unless sockets were handed over.
    Default,
    /// Nowhere.
    Off,
    /// There.
    At(Vec<SocketAddr>),
}

impl Addresses {
    /// The addresses, where the one of `kind` is not kept from it.
    pub(in crate::daemon) fn of(&self, kind: Kind) -> Vec<SocketAddr> {
        match self {
            Self::Default => vec![kind.default_address()],
            Self::Off => Vec::new(),
            Self::At(addresses) => addresses.clone(),
        }
    }
}

/// Declares the options.
pub(super) fn declare(all: &mut Getopts) {
    all.optmulti("", "lekt", "listen for LEKT clients there; may be given more than once, port 0 takes any free port, \"off\" closes the door (default 127.0.0.1:7890)", "ADDR:PORT");
    all.optopt("", "handshake-timeout", "time for handshake and setup, 1 to 3600 (default 10)", "SECS");
    all.optopt(
        "",
        "heartbeat-timeout",
        "time on the roll without a heartbeat, 1 to 86400 (default 30)",
        "SECS",
    );
    #[cfg(feature = "fmltp")]
    fmltp::declare(all);
    #[cfg(feature = "chapp")]
    chapp::declare(all);
    #[cfg(feature = "residue")]
    residue::declare(all);
    #[cfg(feature = "clerks")]
    all.optopt("", "data", DATA, "DIR");
}

/// What is kept, where it is.
#[cfg(all(feature = "chapp", feature = "residue"))]
const DATA: &str = "keep chapp names and messages, and logs, in this directory, which is made where it is missing (default $STATE_DIRECTORY, or rollcalld in $XDG_STATE_HOME, or ~/.local/state/rollcalld)";
#[cfg(all(feature = "chapp", not(feature = "residue")))]
const DATA: &str = "keep chapp names and messages in this directory, which is made where it is missing (default $STATE_DIRECTORY, or rollcalld in $XDG_STATE_HOME, or ~/.local/state/rollcalld)";
#[cfg(all(feature = "residue", not(feature = "chapp")))]
const DATA: &str = "keep logs in this directory, which is made where it is missing (default $STATE_DIRECTORY, or rollcalld in $XDG_STATE_HOME, or ~/.local/state/rollcalld)";

/// Declares what the help does not tell: a door that is not built in may be said to be off, so that one command line
/// does for all builds.
pub(super) fn declare_absent(all: &mut Getopts) {
    for name in ABSENT {
        all.optopt("", name, "", "off");
    }
}

/// Reads them.
pub(super) fn read(matches: &Matches) -> Result<Doors, Failure> {
    let addresses = |&kind: &Kind| Ok((kind, addresses(matches, kind)?));
    let mut doors = Doors {
        addresses: Kind::ALL.iter().map(addresses).collect::<Result<_, Failure>>()?,
        settings: DoorSettings::default(),
        #[cfg(feature = "fmltp")]
        login: fmltp::login(matches)?,
        #[cfg(feature = "chapp")]
        keeping: chapp::read(matches)?,
        #[cfg(feature = "residue")]
        residue: residue::read(matches)?,
        #[cfg(feature = "clerks")]
        data: path(matches, "data", "a directory")?,
    };
    #[cfg(feature = "residue")]
    residue::close_together(&mut doors.addresses);
    if doors.addresses.iter().all(|(_, addresses)| *addresses == Addresses::Off) {
        let off: Vec<_> = Kind::ALL.iter().map(|kind| format!("--{} off", kind.name())).collect();
        return Err(Failure::usage(format!("with {} there is no door left to listen on", off.join(" and "))));
    }
    for name in ABSENT {
        if matches.opt_str(name).is_some_and(|said| said != "off") {
            return Err(Failure::usage(format!("--{name} takes \"off\" alone: that door is not built in")));
        }
    }
    for (kind, addresses) in &doors.addresses {
        addresses.of(*kind).into_iter().try_for_each(|address| doors.may_be_at(*kind, address))?;
    }
    let is_open = |kind| doors.addresses.iter().any(|(one, at)| *one == kind && *at != Addresses::Off);
    doors.may_be_together(is_open)?;
    if let Some(timeout) = seconds(matches, "handshake-timeout", 1..=3600)? {
        doors.settings.lekt.handshake_timeout = timeout;
    }
    if let Some(timeout) = seconds(matches, "heartbeat-timeout", 1..=86_400)? {
        doors.settings.lekt.heartbeat_timeout = timeout;
    }
    #[cfg(feature = "fmltp")]
    fmltp::read(matches, &mut doors.settings.fmltp)?;
    Ok(doors)
}

fn addresses(matches: &Matches, kind: Kind) -> Result<Addresses, Failure> {
    let name = kind.name();
    let said = matches.opt_strs(name);
    match said.as_slice() {
        [] => return Ok(Addresses::Default),
        [off] if off == "off" => return Ok(Addresses::Off),
        _ => {}
    }
    let port = kind.default_address().port();
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            let hint = format!("an address and a port like 0.0.0.0:{port} or [::]:{port}, or \"off\" alone");
            Failure::usage(format!("--{name} takes {hint}, not \"{text}\""))
        })
    };
    said.iter().map(parse).collect::<Result<_, _>>().map(Addresses::At)
}

impl Doors {
    /// Whether a door may be at an address: one at which nobody logs in is for this machine only.
    pub(in crate::daemon) fn may_be_at(&self, kind: Kind, address: SocketAddr) -> Result<(), Failure> {
        match kind {
            _ if address.ip().to_canonical().is_loopback() => Ok(()),
            Kind::Lekt => Ok(()),
            #[cfg(feature = "fmltp")]
            Kind::Fmltp => self.login.allows_others(address),
            // Nobody can log in there: who can reach it may take part.
            #[cfg(feature = "chapp")]
            Kind::Chapp => Ok(()),
            #[cfg(feature = "residue")]
            Kind::Residue | Kind::ResidueToken | Kind::ResidueLog => Ok(()),
        }
    }

    /// Whether the doors that are open are of use together.
    pub(in crate::daemon) fn may_be_together(&self, is_open: impl Fn(Kind) -> bool) -> Result<(), Failure> {
        #[cfg(feature = "residue")]
        self.residue.may_open(&is_open)?;
        let _ = is_open;
        Ok(())
    }

    /// The options that open a door to others at this port.
    pub(in crate::daemon) fn opening(&self, kind: Kind, port: u16) -> String {
        let opening = format!("--{} 0.0.0.0:{port}", kind.name());
        match kind {
            Kind::Lekt => opening,
            #[cfg(feature = "fmltp")]
            Kind::Fmltp => opening + self.login.missing(),
            #[cfg(feature = "chapp")]
            Kind::Chapp => opening,
            #[cfg(feature = "residue")]
            Kind::Residue | Kind::ResidueToken | Kind::ResidueLog => opening,
        }
    }

    /// Where each door is, by the names of the options.
    pub(in crate::daemon) fn places(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.addresses.iter().map(|(kind, addresses)| (kind.name(), Place(*kind, addresses).to_string()))
    }

    /// What is set, by the names of the options.
    pub(in crate::daemon) fn rows(&self) -> Vec<(&'static str, String)> {
        let lekt = &self.settings.lekt;
        #[cfg_attr(
            not(any(feature = "chapp", feature = "fmltp", feature = "residue")),
            expect(unused_mut, reason = "there is nothing to add")
        )]
        let mut rows = vec![
            ("handshake-timeout", lekt.handshake_timeout.as_secs().to_string()),
            ("heartbeat-timeout", lekt.heartbeat_timeout.as_secs().to_string()),
        ];
        #[cfg(feature = "fmltp")]
        rows.extend(fmltp::rows(&self.settings.fmltp, &self.login));
        #[cfg(feature = "chapp")]
        rows.extend(chapp::rows(&self.keeping));
        #[cfg(feature = "residue")]
        rows.extend(residue::rows(&self.residue));
        rows
    }
}

/// Where a door is, to be shown.
struct Place<'a>(Kind, &'a Addresses);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind, addresses) = self;
        let addresses: Vec<_> = addresses.of(*kind).iter().map(ToString::to_string).collect();
        f.write_str(if addresses.is_empty() { "off" } else { "" })?;
        f.write_str(&addresses.join(" "))
    }
}
