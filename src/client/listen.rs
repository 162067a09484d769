//! Being called: a bounded number of peers at once, each in a thread of its own.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use log::{debug, warn};

use super::error::Error;
use super::net;
use super::ringing::Ringing;
use crate::lekt::wire::{self, Version};

/// How many peers are served at once unless the user says otherwise.
pub const MAX_PEERS: usize = 64;
/// How many peers at once are told that there is no room for them. Beyond that they are not told.
const TURNED_AWAY: usize = 16;
/// How long to wait before accepting again when the system has run out of something.
const OUT_OF_BREATH: Duration = Duration::from_millis(200);

/// Listens for peers.
///
/// ```no_run
/// use rollcall::client::Listener;
///
/// let listener = Listener::bind("127.0.0.1:0", "bob", 64)?;
/// println!("listening on {}", listener.local_addr());
/// listener.serve(|mut ringing| {
///     let Ok(nickname) = ringing.introduced() else { return };
///     let Ok(()) = ringing.decider().accept() else { return };
///     let Ok((_, mut incoming)) = ringing.connected() else { return };
///     while let Ok(Some(message)) = incoming.next_message() {
///         println!("{nickname}: {}", String::from_utf8_lossy(&message));
///     }
/// });
/// # Ok::<(), rollcall::client::Error>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    nickname: String,
    max_peers: usize,
    stopping: Arc<AtomicBool>,
}

/// Ends [`Listener::serve`] from another thread.
#[derive(Debug, Clone)]
pub struct Stopper {
    local: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl Stopper {
    /// No further peer is answered; those that are being served go on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let mut address = self.local;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}

/// One of a bounded number of places, free again when this is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let free = |count| (count < limit).then_some(count + 1);
        taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).ok()?;
        Some(Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Listener {
    /// Listens at `address`, where port 0 is any, for at most `max_peers` at once.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn bind(address: &str, nickname: &str, max_peers: usize) -> Result<Self, Error> {
        let place = net::place(address, Some(0))?;
        let bound = place.to_socket_addrs().and_then(|addresses| {
            let socket = TcpListener::bind(addresses.collect::<Vec<_>>().as_slice())?;
            Ok((socket.local_addr()?, socket))
        });
        let (local, socket) = bound.map_err(|cause| Error::local(format!("listen on {place}"), cause))?;
        let stopping = Arc::new(AtomicBool::new(false));
        Ok(Self { socket, local, nickname: nickname.to_owned(), max_peers, stopping })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// A handle with which another thread can end [`serve`](Self::serve).
    pub fn stopper(&self) -> Stopper {
        Stopper { local: self.local, stopping: Arc::clone(&self.stopping) }
    }

    /// Hands each caller to `handle`, in a thread of its own, until stopped. Those beyond the bound are rejected.
    pub fn serve(&self, handle: impl Fn(Ringing) + Send + Sync + 'static) {
        let handle = Arc::new(handle);
        let (served, turned_away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        loop {
            let accepted = self.socket.accept();
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    breathe(&error);
                    continue;
                }
            };
            if let Some(place) = Place::take(&served, self.max_peers) {
                let (handle, nickname) = (Arc::clone(&handle), self.nickname.clone());
                spawn("peer", move || {
                    let _place = place;
                    match Ringing::answer(stream, &nickname) {
                        Ok(ringing) => handle(ringing),
                        Err(error) => debug!("{error}"),
                    }
                });
            } else if let Some(place) = Place::take(&turned_away, TURNED_AWAY) {
                spawn("full", move || {
                    let _place = place;
                    turn_away(&stream);
                });
            }
        }
    }
}

/// Rejects a peer for whom there is no place.
fn turn_away(stream: &TcpStream) {
    let mut out = Vec::new();
    wire::put_reject(&mut out, Version::OURS, "too many peers at once, try again later");
    let told = stream.set_write_timeout(Some(net::LINGER)).and_then(|()| {
        let mut stream = stream;
        io::Write::write_all(&mut stream, &out)
    });
    if told.is_ok() {
        net::linger(stream);
    }
}

/// Starts a thread. If there is none to be had, the connection that it was for is closed.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
        warn!("cannot serve a peer: {error}");
        thread::sleep(OUT_OF_BREATH);
    }
}

/// Accepting failed. One peer that has gone again is no reason to wait; running out of descriptors is.
fn breathe(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
        _ => {
            warn!("cannot accept a peer: {error}");
            thread::sleep(OUT_OF_BREATH);
        }
    }
}
