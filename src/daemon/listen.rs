//! Opening the entrances.

use std::io::ErrorKind;
use std::net::SocketAddr;

use mio::net::TcpListener;

use super::options::{Addresses, Options};
use super::{Failure, system};
use crate::door;
use crate::engine::Entrance;

/// An open listener, and how it is announced.
pub(super) struct Opened {
    pub(super) entrance: Entrance,
    kind: door::Kind,
    address: SocketAddr,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Bound,
    HandedOver,
}

/// The lines that say what is ready; and, if nobody can reach it from elsewhere, which option opens it.
pub(super) fn ready_lines(opened: &[Opened]) -> Vec<String> {
    let at_home = |one: &Opened| one.address.ip().to_canonical().is_loopback() && one.origin == Origin::Bound;
    let only_at_home = opened.iter().all(at_home);
    let line = |one: &Opened| {
        let (name, address, port) = (one.kind.name(), one.address, one.address.port());
        let hint = format!(" (this machine only; --{name} 0.0.0.0:{port} opens it to others)");
        format!("{name} listening on {address}{}", if only_at_home { &hint } else { "" })
    };
    opened.iter().map(line).collect()
}

/// Opens all listeners: those that were handed over by a supervisor stand in for default addresses.
pub(super) fn open(options: &Options) -> Result<Vec<Opened>, Failure> {
    let handed = system::handed_over()
        .map_err(|error| Failure::system("cannot take the sockets handed over", &error))?;
    let kind = door::Kind::Lekt;
    let door = door::open(kind, &options.doors);
    let mut listeners = Vec::new();
    for listener in handed {
        let listens = if system::listens(&listener) { Ok(()) } else { Err(ErrorKind::InvalidInput.into()) };
        let taken =
            listens.and_then(|()| listener.set_nonblocking(true)).and_then(|()| listener.local_addr());
        let address = taken.map_err(|error| {
            Failure::system("cannot use a socket handed over, which has to listen for TCP", &error)
        })?;
        listeners.push((TcpListener::from_std(listener), address, Origin::HandedOver));
    }
    let default = [kind.default_address()];
    let wanted = match &options.lekt {
        Addresses::At(addresses) => addresses.as_slice(),
        Addresses::Default if listeners.is_empty() => &default,
        Addresses::Default | Addresses::Off => &[],
    };
    for &address in wanted {
        let (listener, address) = bind(kind, address)?;
        listeners.push((listener, address, Origin::Bound));
    }
    for (listener, ..) in &listeners {
        system::send_at_once(listener).map_err(|error| Failure::system("cannot set TCP_NODELAY", &error))?;
    }
    let opened = listeners.into_iter().map(|(listener, address, origin)| {
        let entrance = Entrance { listener, door: door.clone() };
        Opened { entrance, kind, address, origin }
    });
    Ok(opened.collect())
}

fn bind(kind: door::Kind, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let name = kind.name();
    let bound = TcpListener::bind(address).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
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
