//! Opening the entrances.

use std::net::SocketAddr;

use mio::net::TcpListener;

use super::options::{Addresses, Options};
use super::{Failure, system};
use crate::door;
use crate::engine::Entrance;

/// An open listener, and how it is announced.
pub(super) struct Opened {
    pub(super) entrance: Entrance,
    pub(super) kind: door::Kind,
    pub(super) address: SocketAddr,
}

impl Opened {
    /// The line that says that it is ready, and how to reach it from elsewhere if it cannot be.
    pub(super) fn ready_line(&self) -> String {
        let (name, address) = (self.kind.name(), self.address);
        let mut line = format!("{name} listening on {address}");
        if address.ip().to_canonical().is_loopback() {
            let open = if address.is_ipv4() { "0.0.0.0" } else { "[::]" };
            let port = address.port();
            line += &format!(" (this machine only; --{name} {open}:{port} opens it to others)");
        }
        line
    }
}

/// Opens all listeners: those that were handed over by a supervisor stand in for default addresses.
pub(super) fn open(options: &Options) -> Result<Vec<Opened>, Failure> {
    let handed = system::handed_over()
        .map_err(|error| Failure::system("cannot take the sockets handed over", &error))?;
    let kind = door::Kind::Lekt;
    let door = door::open(kind, &options.doors);
    let mut listeners = Vec::new();
    for listener in handed {
        let taken = listener.set_nonblocking(true).and_then(|()| listener.local_addr());
        let address = taken.map_err(|error| Failure::system("cannot use a socket handed over", &error))?;
        listeners.push((TcpListener::from_std(listener), address));
    }
    let default = [kind.default_address()];
    let wanted = match &options.lekt {
        Addresses::At(addresses) => addresses.as_slice(),
        Addresses::Default if listeners.is_empty() => &default,
        Addresses::Default | Addresses::Off => &[],
    };
    for &address in wanted {
        listeners.push(bind(kind, address)?);
    }
    let opened = listeners.into_iter().map(|(listener, address)| {
        let entrance = Entrance { listener, door: door.clone() };
        Opened { entrance, kind, address }
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
            std::io::ErrorKind::AddrInUse => {
                let hint = format!("; another daemon has it: end that, or take another with --{name}");
                Failure { message: failure.message + &hint, ..failure }
            }
            _ => failure,
        }
    })
}
