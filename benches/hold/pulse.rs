//! Healthy clients, and how long each of their heartbeats takes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::swarm;
use crate::support::client::PATIENCE;
use crate::support::measure::percentile;
use crate::support::view::{Reading, View};
use crate::support::{bytes, wrong};

/// How long the thread rests between two heartbeats.
const REST: Duration = Duration::from_millis(2);

/// Clients who send heartbeats in turn, on a thread of their own, until this is dropped.
pub(super) struct Pulse {
    over: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<f64>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// One of them.
struct Healthy {
    stream: TcpStream,
    reading: Reading,
    view: View,
    inbox: Vec<u8>,
}

impl Pulse {
    /// Has those clients join, who hear everything once.
    pub(super) fn start(server: SocketAddr, numbers: std::ops::Range<u32>) -> io::Result<Self> {
        let mut all = numbers.map(|number| Healthy::join(server, number)).collect::<Result<Vec<_>, _>>()?;
        for client in &mut all {
            client.beat()?;
        }
        let (over, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (is_over, times) = (Arc::clone(&over), Arc::clone(&taken));
        let thread = thread::spawn(move || {
            for at in (0..all.len()).cycle() {
                if is_over.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let took = all[at].beat()?;
                if let Ok(mut times) = times.lock() {
                    times.push(took.as_secs_f64() * 1e6);
                }
                thread::sleep(REST);
            }
            Ok(())
        });
        Ok(Self { over, taken, thread: Some(thread) })
    }

    /// Microseconds of each heartbeat since this was asked last.
    pub(super) fn take(&self) -> Vec<f64> {
        self.taken.lock().map(|mut times| std::mem::take(&mut *times)).unwrap_or_default()
    }

    /// Ends it; an error if one of them was not served.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome.map_err(|error| wrong(format!("a healthy client: {error}"))),
            _ => Err(wrong("the healthy clients are lost")),
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Healthy {
    fn join(server: SocketAddr, number: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::from((bytes::address(number), 0)).into())?;
        socket.connect_timeout(&server.into(), PATIENCE)?;
        let mut stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&swarm::greeting(number))?;
        let mut listed = [0; bytes::ACCEPTED.len() + bytes::LISTED.len()];
        stream.read_exact(&mut listed)?;
        if !listed.ends_with(bytes::LISTED) {
            return Err(wrong(format!("not let in: {}", listed.escape_ascii())));
        }
        Ok(Self { stream, reading: Reading::default(), view: View::default(), inbox: Vec::new() })
    }

    /// Sends a heartbeat, and reads its answer.
    fn beat(&mut self) -> io::Result<Duration> {
        let (began, mut whole) = (Instant::now(), false);
        self.stream.write_all(bytes::HEARTBEAT)?;
        let mut buffer = [0; 16 << 10];
        while !(whole && self.reading.at_boundary() && self.inbox.is_empty()) {
            match self.stream.read(&mut buffer)? {
                0 => return Err(wrong("the server closes")),
                some => self.inbox.extend_from_slice(&buffer[..some]),
            }
            loop {
                let used = self.reading.read(&self.inbox, &mut self.view)?;
                whole |= used > 0;
                self.inbox.drain(..used);
                if used == 0 || self.inbox.is_empty() {
                    break;
                }
            }
        }
        Ok(began.elapsed())
    }
}

/// The value below which 99 of 100 are, in words.
pub(super) fn p99(times: &[f64]) -> (f64, String) {
    let value = percentile(times, 99);
    (value, format!("{value:.0} us of {}", times.len()))
}
