//! Being called: a bounded number of peers at once, each in a thread of its own.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, warn};

use super::error::Error;
use super::net;
use super::ringing::Ringing;
use crate::lekt::wire::{self, Version};

/// How many peers are served at once unless the user says otherwise.
pub const MAX_PEERS: usize = 64;
/// How many peers at once are told that there is no room for them, and seen to the door. Those beyond that are
/// told in passing: their own haste may destroy it.
const TURNED_AWAY: usize = 16;
/// Descriptors that are there for other things than peers.
const RESERVE: usize = 32;
/// How long to wait before accepting again when the system has run out of something.
const OUT_OF_BREATH: Duration = Duration::from_millis(200);
/// How often it is said at most that the system has run out of something.
const COMPLAINT: Duration = Duration::from_secs(30);

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
    /// The system does not let us, or there cannot be so many.
    pub fn bind(address: &str, nickname: &str, max_peers: usize) -> Result<Self, Error> {
        if let Some(descriptors) = descriptor_limit() {
            check(max_peers, descriptors)?;
        }
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
        let mut complaints = Complaints::default();
        loop {
            let accepted = self.socket.accept();
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    complaints.breathe(&error);
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
                    if reject(&stream).is_ok() {
                        net::linger(&stream);
                    }
                });
            } else if let Err(error) = stream.set_nonblocking(true).and_then(|()| reject(&stream)) {
                debug!("a peer beyond the bound was not told: {error}");
            }
        }
    }
}

/// Tells a peer that there is no place for it.
fn reject(mut stream: &TcpStream) -> io::Result<()> {
    let mut out = Vec::new();
    wire::put_reject(&mut out, Version::OURS, "too many peers at once, try again later");
    stream.set_write_timeout(Some(net::LINGER))?;
    io::Write::write_all(&mut stream, &out)
}

/// How many descriptors this process may have, where that can be told.
fn descriptor_limit() -> Option<usize> {
    parse_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// The soft limit out of what proc_pid_limits(5) describes; none if there is none.
fn parse_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Fails if there are too few `descriptors` for `peers`, each of which takes one, and more are asked for than the
/// default, which nobody has asked for: so many may come or not.
fn check(peers: usize, descriptors: usize) -> Result<(), Error> {
    let most = descriptors.saturating_sub(RESERVE + TURNED_AWAY).max(1);
    if peers <= most.max(MAX_PEERS) {
        return Ok(());
    }
    let why = format!("with {descriptors} descriptors it is {most} at most; raise that with `ulimit -n`");
    Err(Error::local(format!("serve {peers} peers at once"), io::Error::other(why)))
}

/// Starts a thread. If there is none to be had, the connection that it was for is closed.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
        warn!("cannot serve a peer: {error}");
        thread::sleep(OUT_OF_BREATH);
    }
}

/// Says that the system has run out of something, and not too often.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    /// Accepting failed. One peer that has gone again is no reason to wait; running out of descriptors is.
    fn breathe(&mut self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted => {}
            _ => {
                if self.is_due(Instant::now()) {
                    warn!("cannot accept a peer: {error}");
                }
                thread::sleep(OUT_OF_BREATH);
            }
        }
    }

    /// True if nothing was said for a while. Then this counts as said.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= COMPLAINT);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_peers_than_descriptors_are_refused_at_once() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             7                    7                    processes \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(parse_limit(limits), Some(1024));
        assert_eq!(parse_limit("Max open files  unlimited  unlimited  files"), None);
        assert_eq!(parse_limit(""), None);
        assert!(descriptor_limit().is_some_and(|limit| limit > 3));
        assert!(check(976, 1024).is_ok() && check(1, 8).is_ok());
        let error = check(977, 1024).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot serve 977 peers at once: with 1024 descriptors it is 976 at most; raise that with `ulimit -n`"
        );
    }

    #[test]
    fn the_same_complaint_is_not_made_all_the_time() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let due = [0, 1, 29, 30, 31, 61].map(|s| complaints.is_due(start + Duration::from_secs(s)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }

    #[test]
    fn everybody_beyond_the_bound_is_told() {
        let listener = Listener::bind("127.0.0.1:0", "bob", 0).unwrap();
        let (address, stopper) = (listener.local_addr(), listener.stopper());
        let serving = thread::spawn(move || listener.serve(drop));
        // They do not close, so that sixteen are being seen to the door.
        let callers: Vec<_> = (0..TURNED_AWAY + 8).map(|_| TcpStream::connect(address).unwrap()).collect();
        for mut caller in &callers {
            caller.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut told = [0; 5];
            io::Read::read_exact(&mut caller, &mut told).unwrap();
            assert_eq!(&told, b"LEKTR");
        }
        stopper.stop();
        serving.join().unwrap();
    }
}
