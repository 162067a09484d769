//! Opening the entrances.

use std::io::ErrorKind;
use std::net::SocketAddr;
#[cfg(feature = "residue")]
use std::sync::Arc;

use mio::net::TcpListener;

use super::Failure;
use super::options::{Addresses, Doors};
use super::system::{self, HandedOver};
use crate::door::{self, DoorSettings};
use crate::engine::Entrance;

/// An open listener, and how it is announced.
pub(super) struct Opened {
    pub(super) entrance: Entrance,
    pub(super) kind: door::Kind,
    address: SocketAddr,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Bound,
    HandedOver,
}

/// The lines that say what is ready; and, if nobody can reach a door from elsewhere, which options open it.
pub(super) fn ready_lines(doors: &Doors, opened: &[Opened]) -> Vec<String> {
    let at_home = |one: &Opened| one.address.ip().to_canonical().is_loopback() && one.origin == Origin::Bound;
    let line = |one: &Opened| {
        let (name, address) = (one.kind.name(), one.address);
        let only_at_home = opened.iter().filter(|other| other.kind == one.kind).all(at_home);
        let opening = doors.opening(one.kind, address.port());
        let hint = format!(" (this machine only; {opening} opens it to others)");
        format!("{name} listening on {address}{}", if only_at_home { &hint } else { "" })
    };
    opened.iter().map(line).collect()
}

/// Opens all listeners: those that were handed over by a supervisor stand in for all default addresses.
pub(super) fn open(doors: &Doors) -> Result<Vec<Opened>, Failure> {
    let handed = system::handed_over()
        .map_err(|error| Failure::system("cannot take the sockets handed over", &error))?;
    let mut listening = handed.into_iter().map(|one| take(one, doors)).collect::<Result<Vec<_>, _>>()?;
    let are_handed = !listening.is_empty();
    for (kind, addresses) in &doors.addresses {
        if are_handed && *addresses == Addresses::Default {
            continue;
        }
        for address in addresses.of(*kind) {
            listening.push(bind(*kind, address)?);
        }
    }
    doors.may_be_together(|kind| listening.iter().any(|one| one.kind == kind))?;
    for one in &listening {
        let patient = one.kind == door::Kind::Lekt;
        system::prepare_connections(&one.listener)
            .and_then(|()| if patient { Ok(()) } else { system::give_up_the_dead(&one.listener) })
            .map_err(|error| Failure::system("cannot prepare a listener", &error))?;
    }
    let settings = settings(doors, &listening);
    let opened = |one: Listening| {
        let door = door::open(one.kind, &settings);
        let entrance = Entrance { listener: one.listener, door, prepare: system::spread_questions };
        Opened { entrance, kind: one.kind, address: one.address, origin: one.origin }
    };
    Ok(listening.into_iter().map(opened).collect())
}

/// What is set for the doors, once it is known where they are.
fn settings(doors: &Doors, listening: &[Listening]) -> DoorSettings {
    #[cfg_attr(not(feature = "residue"), expect(unused_mut, reason = "none tells where another is"))]
    let mut settings = doors.settings.clone();
    #[cfg(feature = "residue")]
    {
        let port = |kind| listening.iter().find(|one| one.kind == kind).map_or(0, |one| one.address.port());
        let residue = Arc::make_mut(&mut settings.residue);
        residue.token_port = port(door::Kind::ResidueToken);
        residue.logging_port = port(door::Kind::ResidueLog);
    }
    let _ = listening;
    settings
}

/// A listener, without its door.
struct Listening {
    listener: TcpListener,
    kind: door::Kind,
    address: SocketAddr,
    origin: Origin,
}

/// What a socket is called that nobody has named: by nothing, by a supervisor, or after the unit of LEKT.
const UNNAMED: [&str; 3] = ["", "unknown", "rollcalld.socket"];

/// A socket that was handed over is for the door of its name, and for LEKT if there is none of that name.
fn take(one: HandedOver, doors: &Doors) -> Result<Listening, Failure> {
    let HandedOver { listener, name } = one;
    let kind = door::Kind::named(&name).unwrap_or_else(|| {
        if !UNNAMED.contains(&name.as_str()) {
            log::warn!("the socket {name:?} is named after no door that is built in: it is taken for lekt");
        }
        door::Kind::Lekt
    });
    let name = kind.name();
    if doors.addresses.contains(&(kind, Addresses::Off)) {
        return Err(Failure::usage(format!(
            "a socket was handed over for {name}, which --{name} off closes"
        )));
    }
    let listens = if system::listens(&listener) { Ok(()) } else { Err(ErrorKind::InvalidInput.into()) };
    let taken = listens.and_then(|()| listener.set_nonblocking(true)).and_then(|()| listener.local_addr());
    let address = taken.map_err(|error| {
        Failure::system("cannot use a socket handed over, which has to listen for TCP", &error)
    })?;
    doors.may_be_at(kind, address)?;
    Ok(Listening { listener: TcpListener::from_std(listener), kind, address, origin: Origin::HandedOver })
}

fn bind(kind: door::Kind, address: SocketAddr) -> Result<Listening, Failure> {
    let name = kind.name();
    let bound = TcpListener::bind(address).and_then(|listener| {
        system::let_many_wait(&listener)?;
        let address = listener.local_addr()?;
        Ok(Listening { listener, kind, address, origin: Origin::Bound })
    });
    bound.map_err(|error| {
        let failure = Failure::system(format_args!("cannot listen on {address} for {name}"), &error);
        match error.kind() {
            ErrorKind::AddrInUse => {
                let hint = format!("; another daemon has it: end that, or take another with --{name}");
                Failure { message: failure.message + &hint, ..failure }
            }
            _ => failure,
        }
    })
}
