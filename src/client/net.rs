//! Sockets, as far as both kinds of conversation need them alike.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::error::Error;

/// How long a connection may take to come about, per address that a name stands for.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After a rejection, what still comes is discarded for at most this time ("Rejecting").
pub const LINGER: Duration = Duration::from_secs(1);
/// A call on which nothing moves is asked after this time whether the other machine is still there,
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// again each time this has passed without an answer,
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// and is lost after so many.
const KEEPALIVE_PROBES: u32 = 6;
/// The port where a server listens unless it is told otherwise.
pub const SERVER_PORT: u16 = 7890;
/// The same for a server of chapp.
#[cfg(feature = "chapp")]
pub(super) const CHAPP_PORT: u16 = 6969;

/// `HOST:PORT` out of what a user typed; the port may be left out where there is a `default`.
///
/// # Errors
/// It names no place.
pub fn place(typed: &str, default: Option<u16>) -> Result<String, Error> {
    let usage = || {
        Error::Usage(format!("\"{}\" is no address; write ADDR:PORT", crate::wire::text::Printable(typed)))
    };
    let is_bare_v6 = typed.parse::<std::net::Ipv6Addr>().is_ok();
    let (host, port) = match typed.rsplit_once(':') {
        Some((host, port)) if !is_bare_v6 && !typed.ends_with(']') => {
            (host, Some(port.parse::<u16>().map_err(|_| usage())?))
        }
        _ => (typed, None),
    };
    let port = port.or(default).ok_or_else(usage)?;
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(usage());
    }
    Ok(if is_bare_v6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// Connects to the first address of `place` that answers.
///
/// # Errors
/// [`Error::Unreachable`], with `advice` on what to do.
pub(super) fn connect(place: &str, advice: &'static str) -> Result<TcpStream, Error> {
    connect_within(CONNECT_TIMEOUT, place, advice)
}

/// The same, with another time per address than [`CONNECT_TIMEOUT`].
pub(super) fn connect_within(
    timeout: Duration,
    place: &str,
    advice: &'static str,
) -> Result<TcpStream, Error> {
    let unreachable = |cause| Error::Unreachable { who: place.to_owned(), cause, advice };
    let mut last = io::Error::other("the name stands for no address");
    let mut addresses: Vec<_> = place.to_socket_addrs().map_err(unreachable)?.collect();
    // IPv4 first: a server of 0.0.0 has no room for clients that come by IPv6.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unreachable)?;
                return Ok(stream);
            }
            Err(cause) => last = cause,
        }
    }
    Err(unreachable(last))
}

/// The address that a server at `place` sees us come from, unless somebody translates it on the way.
///
/// # Errors
/// There is no way there.
pub(super) fn source(place: &str) -> io::Result<IpAddr> {
    let mut addresses: Vec<_> = place.to_socket_addrs()?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let Some(address) = addresses.first() else {
        return Err(io::Error::other("the name stands for no address"));
    };
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Nothing is sent: it is only asked which way it would go.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket.local_addr()?.ip())
}

/// True if who listens on `listening` can be called at `seen`, another address of the same machine.
pub(super) fn hears(listening: IpAddr, seen: IpAddr) -> bool {
    match listening {
        IpAddr::V4(address) if address.is_unspecified() => seen.is_ipv4(),
        // It takes calls by IPv4, too.
        IpAddr::V6(address) if address.is_unspecified() => true,
        _ => listening.to_canonical() == seen.to_canonical(),
    }
}

/// Writes all of `slices` in as few system calls as the system allows.
pub(super) fn write_all_vectored(mut stream: &TcpStream, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match stream.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// After a rejection: shuts down our sending side and discards what comes until the other closes, so that a
/// reset does not destroy the reason, but no longer than [`LINGER`].
pub(super) fn linger(mut stream: &TcpStream) {
    let until = Instant::now() + LINGER;
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut discarded = [0; 4096];
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        if stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut discarded) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Has the system notice within two minutes that the other machine is gone, without a word of ours. Somebody who is
/// there and says nothing is not taken for gone.
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Bytes,
    /// Nothing, within the time given.
    Nothing,
    EndOfStream,
}

/// Bytes that came and have not been used up, in one buffer that does not grow.
#[derive(Debug)]
pub(super) struct Inflow {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How long the socket waits, as far as we have told it.
    wait: Option<Option<Duration>>,
    was_reset: bool,
}

impl Inflow {
    pub(super) fn of(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity], start: 0, end: 0, wait: None, was_reset: false }
    }

    /// What is there.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes the first `count` bytes away.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// True if there is no room for more before something is consumed.
    pub(super) fn is_full(&self) -> bool {
        self.end - self.start == self.bytes.len()
    }

    /// True if the stream has not ended but was cut off: the other did not read all that was sent to it.
    pub(super) fn was_reset(&self) -> bool {
        self.was_reset
    }

    /// The same bytes in a buffer of another size, which has to hold them.
    pub(super) fn resized(self, capacity: usize) -> Self {
        let mut other = Self::of(capacity.max(self.end - self.start));
        other.end = self.end - self.start;
        other.bytes[..other.end].copy_from_slice(self.rest());
        other
    }

    /// Reads once; `wait` bounds how long, none for as long as it takes. What a reset cuts off counts as the
    /// end, and is [known](Self::was_reset).
    pub(super) fn fill(&mut self, mut stream: &TcpStream, wait: Option<Duration>) -> io::Result<Came> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.wait != Some(wait) {
            // A timeout of zero would mean none.
            stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
            self.wait = Some(wait);
        }
        match stream.read(&mut self.bytes[self.end..]) {
            Ok(0) => Ok(Came::EndOfStream),
            Ok(count) => {
                self.end += count;
                Ok(Came::Bytes)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(Came::Nothing),
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                    self.was_reset = true;
                    Ok(Came::EndOfStream)
                }
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_users_write_them() {
        let table = [
            ("localhost", Some(7890), Some("localhost:7890")),
            ("localhost:1", Some(7890), Some("localhost:1")),
            ("127.0.0.1:80", None, Some("127.0.0.1:80")),
            ("::1", Some(7890), Some("[::1]:7890")),
            ("[::1]", Some(7890), Some("[::1]:7890")),
            ("[::1]:5", None, Some("[::1]:5")),
            ("localhost", None, None),
            ("localhost:", Some(7890), None),
            ("localhost:70000", Some(7890), None),
            (":80", None, None),
            ("", Some(7890), None),
            ("a b:1", None, None),
        ];
        for (typed, default, expected) in table {
            assert_eq!(place(typed, default).ok().as_deref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn who_listens_elsewhere_than_it_is_seen_is_not_heard() {
        for (listening, seen, hears) in [
            ("0.0.0.0", "192.0.2.1", true),
            ("0.0.0.0", "::1", false),
            ("::", "192.0.2.1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.5", "127.0.0.1", false),
            ("::1", "127.0.0.1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
        ] {
            let [listening, seen] = [listening, seen].map(|address| address.parse().unwrap());
            assert_eq!(super::hears(listening, seen), hears, "{listening} {seen}");
        }
        assert_eq!(source("127.0.0.9:7890").unwrap().to_string(), "127.0.0.1");
    }

    #[test]
    fn an_inflow_keeps_what_was_not_used_up() {
        let mut inflow = Inflow { bytes: b"abcdef".to_vec(), start: 1, end: 5, wait: None, was_reset: false };
        assert_eq!((inflow.rest(), inflow.is_full()), (&b"bcde"[..], false));
        inflow.consume(2);
        let mut inflow = inflow.resized(2);
        assert_eq!((inflow.rest(), inflow.is_full()), (&b"de"[..], true));
        inflow.consume(9);
        assert_eq!(inflow.rest(), b"");
    }
}
