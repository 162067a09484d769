//! A client of Residue: the product's own, over sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rollcall::residue::client::{Client, Event, Settings};
use rollcall::residue::pair::{PrivateKey, PublicKey};
use rollcall::residue::reply::{LogReply, Terms};
use rollcall::residue::request::{Credential, LogItem};

use super::{Daemon, PATIENCE};

/// A key for all tests, in PEM, as private and as public one.
pub fn key() -> &'static [String; 2] {
    static KEY: OnceLock<[String; 2]> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = PrivateKey::generate(2048).unwrap();
        [pair.to_pem().unwrap().to_string(), pair.public_pem().unwrap()]
    })
}

/// The same, to decrypt with.
pub fn pair() -> PrivateKey {
    PrivateKey::from_pem(key()[0].as_bytes(), None).unwrap()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A client of all three ports.
pub struct Reporter {
    client: Client,
    connect: TcpStream,
    server: SocketAddr,
    /// What the server says once it is established.
    pub terms: Option<Terms>,
}

impl Reporter {
    pub fn new(server: SocketAddr, client_id: Option<&str>, server_key: Option<PublicKey>) -> Self {
        let settings =
            Settings { pair: pair(), client_id: client_id.map(Into::into), server_key, key_size: None };
        Self { client: Client::new(settings), connect: connect(server), server, terms: None }
    }

    /// One who is established.
    #[track_caller]
    pub fn established(daemon: &Daemon) -> Self {
        let mut reporter = Self::new(daemon.door("residue"), None, None);
        reporter.establish();
        reporter
    }

    #[track_caller]
    pub fn establish(&mut self) {
        let greeted = self.hello();
        assert!(matches!(greeted, Event::Greeted(_)), "{greeted:?}");
        let mut out = Vec::new();
        self.client.acknowledge(now(), &mut out).unwrap();
        match exchange(&mut self.client, &mut self.connect, &out) {
            Event::Established(terms) => self.terms = Some(*terms),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn hello(&mut self) -> Event {
        let mut out = Vec::new();
        self.client.hello(now(), &mut out).unwrap();
        exchange(&mut self.client, &mut self.connect, &out)
    }

    /// Asks for a token for `logger` by an access code.
    #[track_caller]
    pub fn token(&mut self, logger: &str, code: &str) -> Event {
        let port = self.terms.as_ref().unwrap().token_port.unwrap();
        let mut out = Vec::new();
        self.client.token(now(), logger, Credential::AccessCode(code), &mut out).unwrap();
        self.client.begin_anew();
        exchange(&mut self.client, &mut connect((self.server.ip(), port).into()), &out)
    }

    /// Logs, where it was told to.
    #[track_caller]
    pub fn log(&mut self, logger: &str, message: &str) -> LogReply {
        let port = self.terms.as_ref().unwrap().logging_port.unwrap();
        let item = LogItem {
            datetime: 1_504_663_925_034,
            logger,
            message,
            level: 128,
            application: "test",
            token: None,
        };
        let mut out = Vec::new();
        self.client.log(now(), &item, &mut out).unwrap();
        self.client.begin_anew();
        match exchange(&mut self.client, &mut connect((self.server.ip(), port).into()), &out) {
            Event::Logged(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn logs(&mut self, logger: &str, message: &str) {
        assert_eq!(self.log(logger, message), LogReply::Taken, "{logger}: {message}");
    }
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What comes of a request.
#[track_caller]
fn exchange(client: &mut Client, stream: &mut TcpStream, request: &[u8]) -> Event {
    stream.write_all(request).unwrap();
    let (mut reply, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = match stream.read(&mut piece) {
            // A read that may wait for so long only is not begun anew by itself.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.unwrap(),
        };
        assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&reply));
        reply.extend_from_slice(&piece[..count]);
        match client.receive(&reply).unwrap() {
            (_, Some(event)) => return event,
            (0, None) => {}
            (taken, None) => drop(reply.drain(..taken)),
        }
    }
}
