//! FmLTP clients of a bench, which cost next to nothing: their secret is 1, so that their public key is g and what is
//! agreed on is the server's own public key.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hkdf::Hkdf;
use rollcall::fmltp::fernet::{Key, Scan, fresh_iv};
use rollcall::fmltp::{group, pem};
use sha2::Sha256;

use super::{measure, wrong};

/// A user that the server knows, and her password.
pub(crate) const USER: &str = "alice:$2b$12$eCsjpZYyoRC2ega8jP8bReUdExmmhh/wFIhP6l0Fbspai4GYM/xBu\n";
const LOGIN: &str = "AUTH alice correct-horse";
/// The DER of an INTEGER of this length and its sign, before its number.
const LENGTH: usize = 256;
/// How long a server may be silent: logins wait for each other.
const PATIENCE: Duration = Duration::from_secs(600);
/// What is sent first.
const VERSION: &str = "FlexMusic Bench,0.0.0\r\n";

/// A client that has come through the handshake.
pub(crate) struct Client {
    stream: TcpStream,
    key: Key,
    /// What the server said when it was ready.
    pub(crate) ready: String,
}

impl Client {
    /// Connects, and shakes hands.
    pub(crate) fn shake_hands(server: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let greeting = until(&mut stream, |text| text.ends_with("\r\n"))?;
        stream.write_all(VERSION.as_bytes())?;
        until(&mut stream, |text| text.ends_with("-----END DH PARAMETERS-----\n"))?;
        stream.write_all(public_key().as_bytes())?;
        let theirs = until(&mut stream, |text| text.ends_with("-----END PUBLIC KEY-----\n"))?;
        let key = agreed(theirs.as_bytes())?;
        stream.write_all(&key.seal(greeting.trim().as_bytes(), 0, fresh_iv()))?;
        let mut client = Self { stream, key, ready: String::new() };
        client.ready = client.hear()?;
        if client.ready.starts_with("100 ") { Ok(client) } else { Err(wrong(client.ready)) }
    }

    /// Logs in.
    pub(crate) fn log_in(&mut self) -> io::Result<()> {
        let answer = self.ask(LOGIN)?;
        if answer.starts_with("150 ") { Ok(()) } else { Err(wrong(answer)) }
    }

    fn ask(&mut self, command: &str) -> io::Result<String> {
        self.stream.write_all(&self.key.seal(command.as_bytes(), 0, fresh_iv()))?;
        self.hear()
    }

    /// Waits for what the server says next.
    pub(crate) fn hear(&mut self) -> io::Result<String> {
        let (mut bytes, mut buffer, mut scan) = (Vec::new(), [0; 4096], Scan::default());
        loop {
            match self.stream.read(&mut buffer)? {
                0 => return Err(wrong("the server hung up")),
                count => bytes.extend_from_slice(&buffer[..count]),
            }
            let found = self.key.find(&bytes, &mut scan).map_err(|error| wrong(error.to_string()))?;
            if let Some((_, text)) = found {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
}

/// Reads until what came `is_whole`.
fn until(stream: &mut TcpStream, is_whole: fn(&str) -> bool) -> io::Result<String> {
    let (mut text, mut buffer) = (String::new(), [0; 2048]);
    while !is_whole(&text) {
        match stream.read(&mut buffer)? {
            0 => return Err(wrong(format!("the server hung up after {text:?}"))),
            count => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
        }
    }
    Ok(text)
}

/// The public key 2, in the group of the server.
fn public_key() -> String {
    let mut algorithm = vec![0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01];
    algorithm.extend_from_slice(group::der());
    let mut der = sequence(&algorithm);
    der.extend_from_slice(&[0x03, 0x04, 0x00, 0x02, 0x01, 0x02]);
    pem::encode("PUBLIC KEY", &sequence(&der))
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x30, 0x82, length[0], length[1]], content].concat()
}

/// The key that is agreed on with the owner of this public key, by a secret of 1.
fn agreed(theirs: &[u8]) -> io::Result<Key> {
    let der = pem::decode(theirs, "PUBLIC KEY").map_err(|error| wrong(error.to_string()))?;
    // The number is the last thing in it: with a zero for its sign, or shorter where it begins with zeros.
    let prefix = sequence(&[]).len() + public_prefix();
    let number = der.get(prefix..).ok_or_else(|| wrong("the server's key is too short"))?;
    let number = number.get(integer_header(number)..).unwrap_or_default();
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    let mut shared = vec![0; LENGTH.saturating_sub(number.len())];
    shared.extend_from_slice(number);
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, &shared).expand(&[], &mut key).map_err(|error| wrong(error.to_string()))?;
    Ok(Key::new(key))
}

/// How long the algorithm is, and the header of the bit string behind it.
fn public_prefix() -> usize {
    4 + 11 + group::der().len() + 5
}

/// How long the header of an INTEGER is that begins here.
fn integer_header(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(0x82) => 4,
        Some(0x81) => 3,
        _ => 2,
    }
}

/// Keeps a server busy until this is dropped: a process that runs only where nobody else wants to, so that what is measured beside
/// it waits for the server and not for this.
pub(crate) struct Load(Child);

impl Load {
    /// Has `clients` come again and again, every other of which logs in.
    pub(crate) fn start(server: SocketAddr, clients: u32) -> io::Result<Self> {
        let own = std::env::current_exe()?;
        let mut idle = Command::new("chrt");
        idle.args(["--idle", "0"]).arg(&own);
        Self::run(idle, server, clients).or_else(|error| {
            eprintln!("without chrt, which is missing or may not: {error}");
            Self::run(Command::new(own), server, clients)
        })
    }

    fn run(mut command: Command, server: SocketAddr, clients: u32) -> io::Result<Self> {
        command.args(["--load", &server.to_string(), &clients.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut load = Self(command.spawn()?);
        // It says so when all are under way.
        let stdout = load.0.stdout.as_mut().ok_or_else(|| wrong("no standard output"))?;
        stdout.read_exact(&mut [0; 1])?;
        Ok(load)
    }

    /// Ends it, and says how many handshakes and logins it has seen since all were under way.
    pub(crate) fn finish(mut self) -> io::Result<(u64, u64)> {
        drop(self.0.stdin.take());
        let mut said = String::new();
        let stdout = self.0.stdout.as_mut().ok_or_else(|| wrong("no standard output"))?;
        stdout.read_to_string(&mut said)?;
        let counts: Vec<u64> = said.split_whitespace().filter_map(|count| count.parse().ok()).collect();
        match counts.as_slice() {
            &[handshakes, logins, 0] => Ok((handshakes, logins)),
            _ => Err(wrong(format!("handshakes, logins and failures of the load: {said:?}"))),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

static HANDSHAKES: AtomicU64 = AtomicU64::new(0);
static LOGINS: AtomicU64 = AtomicU64::new(0);
static FAILURES: AtomicU64 = AtomicU64::new(0);

/// Runs a load if that is what the arguments ask for.
pub(crate) fn main(arguments: &[String]) -> Option<io::Result<()>> {
    match arguments {
        [flag, server, clients] if flag == "--load" => Some(load(server, clients)),
        _ => None,
    }
}

fn load(server: &str, clients: &str) -> io::Result<()> {
    let server: SocketAddr = server.parse().map_err(io::Error::other)?;
    let clients: u32 = clients.parse().map_err(io::Error::other)?;
    for number in 0..clients {
        let builder = std::thread::Builder::new().stack_size(128 * 1024);
        builder.spawn(move || come_again_and_again(server, number % 2 == 0))?;
    }
    // A handshake for each of them takes a while; then the queues are as full as they get.
    let first = u64::from(clients);
    while HANDSHAKES.load(Ordering::Relaxed) < first && FAILURES.load(Ordering::Relaxed) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let before = counts();
    let mut stdout = io::stdout();
    stdout.write_all(b".")?;
    stdout.flush()?;
    // The bench ends, or says that it is enough.
    io::stdin().read_to_end(&mut Vec::new())?;
    let [handshakes, logins, failures] = counts();
    println!("{} {} {failures}", handshakes - before[0], logins - before[1]);
    std::process::exit(0)
}

fn counts() -> [u64; 3] {
    [&HANDSHAKES, &LOGINS, &FAILURES].map(|count| count.load(Ordering::Relaxed))
}

fn come_again_and_again(server: SocketAddr, logs_in: bool) {
    let visit = || {
        let mut client = Client::shake_hands(server)?;
        HANDSHAKES.fetch_add(1, Ordering::Relaxed);
        if logs_in {
            client.log_in()?;
            LOGINS.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, io::Error>(())
    };
    loop {
        if let Err(error) = visit() {
            FAILURES.fetch_add(1, Ordering::Relaxed);
            eprintln!("a client of the load: {error}");
            return;
        }
    }
}

/// The processor time that one key exchange takes the server's side: the mean of `count`.
pub(crate) fn exchange(count: u32) -> io::Result<Duration> {
    let theirs = rollcall::fmltp::key::PublicKey::parse(public_key().as_bytes());
    let theirs = theirs.map_err(|error| wrong(error.to_string()))?;
    let began = measure::own_processor_time()?;
    for _ in 0..count {
        std::hint::black_box(rollcall::fmltp::key::agree(&theirs));
    }
    Ok((measure::own_processor_time()? - began) / count.max(1))
}
