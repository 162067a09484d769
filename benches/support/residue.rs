//! Residue clients of a bench.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollcall::residue::cipher::Key;
use rollcall::residue::envelope;
use rollcall::residue::packet::DELIMITER;
use rollcall::residue::pair::{PrivateKey, PublicKey};
use rollcall::residue::random;
use rollcall::residue::reply::ConnectReply;
use rollcall::residue::request::{self, Introduction};

use super::wrong;

/// The options that open the three doors.
pub(crate) const OPEN: [&str; 6] =
    ["--residue", "127.0.0.1:0", "--residue-token", "127.0.0.1:0", "--residue-log", "127.0.0.1:0"];
/// What the reply to a log is if it was taken.
pub(crate) const TAKEN: &[u8] = b"{\"r\":0}\r\n\r\n";
/// The bits of all RSA keys.
const BITS: usize = 2048;
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(120);

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

/// A fresh RSA key.
pub(crate) fn fresh_pair() -> io::Result<Arc<PrivateKey>> {
    PrivateKey::generate(BITS).map(Arc::new).map_err(io::Error::other)
}

/// What all clients of a server say hello with.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) pair: Arc<PrivateKey>,
    /// The server's key, and as whom the server knows the client; none: the hello is plain, and brings its key.
    pub(crate) managed: Option<(Arc<PublicKey>, &'static str)>,
}

impl Visitor {
    /// A hello.
    pub(crate) fn hello(&self) -> io::Result<Vec<u8>> {
        let mut hello = Vec::new();
        let Some((server, id)) = &self.managed else {
            let key = STANDARD.encode(self.pair.public_pem().map_err(io::Error::other)?);
            request::put_hello(&mut hello, now(), Introduction::PublicKey(&key), None);
            hello.extend_from_slice(DELIMITER);
            return Ok(hello);
        };
        request::put_hello(&mut hello, now(), Introduction::ClientId(id), None);
        let mut packet = Vec::new();
        envelope::put_base64(&mut packet, &server.encrypt(&hello).map_err(io::Error::other)?);
        Ok(packet)
    }

    /// Who it is by the reply to its hello.
    pub(crate) fn greeted(&self, reply: &[u8]) -> io::Result<Guest> {
        let text = reply.strip_suffix(DELIMITER).unwrap_or(reply);
        let ciphertext = envelope::decode_base64(text).map_err(|error| wrong(error.to_string()))?;
        match ConnectReply::parse(&self.pair.decrypt(&ciphertext)) {
            Ok(ConnectReply::Accepted { key, terms }) => Ok(Guest { id: terms.client_id, key }),
            _ => Err(wrong(format!("refused: {}", String::from_utf8_lossy(reply)))),
        }
    }
}

/// A client that has an ID and a key.
pub(crate) struct Guest {
    pub(crate) id: Box<str>,
    pub(crate) key: Key,
}

impl Guest {
    /// Appends a sealed packet.
    pub(crate) fn seal(&self, out: &mut Vec<u8>, plain: &[u8]) -> io::Result<()> {
        let iv = random::iv().map_err(io::Error::other)?;
        envelope::put(out, &iv, Some(&self.id), &self.key.seal(plain, iv));
        Ok(())
    }

    /// An acknowledgement.
    pub(crate) fn acknowledgement(&self) -> io::Result<Vec<u8>> {
        let (mut plain, mut packet) = (Vec::new(), Vec::new());
        request::put_acknowledge(&mut plain, now(), &self.id);
        self.seal(&mut packet, &plain)?;
        Ok(packet)
    }

    /// Whether a reply establishes it.
    pub(crate) fn check_established(&self, reply: &[u8]) -> io::Result<()> {
        let packet = reply.strip_suffix(DELIMITER).unwrap_or(reply);
        let opened = envelope::read_reply(packet).and_then(|sealed| self.key.open(&sealed).ok());
        let reply = opened.map(|opened| ConnectReply::parse(&opened.plain));
        match reply {
            Some(Ok(ConnectReply::Accepted { terms, .. })) if terms.is_acknowledged => Ok(()),
            other => Err(wrong(format!("not established: {other:?}"))),
        }
    }

    /// A new client, established.
    pub(crate) fn established(server: SocketAddr, visitor: &Visitor) -> io::Result<Self> {
        let mut wire = Wire::connect(server)?;
        let guest = visitor.greeted(&wire.ask(&visitor.hello()?)?)?;
        guest.check_established(&wire.ask(&guest.acknowledgement()?)?)?;
        Ok(guest)
    }
}

/// A connection.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// Sends a packet, and takes the reply, its delimiter included.
    pub(crate) fn ask(&mut self, packet: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(packet)?;
        let (mut reply, mut piece) = (Vec::new(), [0; 2048]);
        while !reply.ends_with(DELIMITER) {
            match self.0.read(&mut piece)? {
                0 => return Err(wrong("the server hung up")),
                count => reply.extend_from_slice(&piece[..count]),
            }
        }
        Ok(reply)
    }

    /// Sends packets.
    pub(crate) fn send(&mut self, packets: &[u8]) -> io::Result<()> {
        self.0.write_all(packets)
    }

    /// So many packets were taken.
    pub(crate) fn expect_taken(&mut self, count: usize) -> io::Result<()> {
        let mut replies = vec![0; count * TAKEN.len()];
        self.0.read_exact(&mut replies)?;
        match replies.chunks(TAKEN.len()).find(|reply| *reply != TAKEN) {
            None => Ok(()),
            Some(other) => Err(wrong(format!("not taken: {}", String::from_utf8_lossy(other)))),
        }
    }
}
