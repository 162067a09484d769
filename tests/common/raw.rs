//! A LEKT client of plain bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::answer::{Answer, Block, Packet, Seen};
use super::bytes::{ACCEPT, ASK_0, ASK_1, BEAT, HELLO, HELLO_WITHOUT_METHODS, method};
use super::{GLANCE, PATIENCE};

/// One connection to a server, with bounded waiting.
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects from 127.0.0.1.
    #[track_caller]
    pub fn connect(server: SocketAddr) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, server)
    }

    /// Connects from an address of this machine; any in 127.0.0.0/8 is.
    #[track_caller]
    pub fn connect_from(address: impl Into<IpAddr>, server: SocketAddr) -> Self {
        Self::connect_with(address, server, |_| ())
    }

    /// Connects with a small receive buffer, so that little is on its way when nothing is read.
    #[track_caller]
    pub fn connect_narrow(address: impl Into<IpAddr>, server: SocketAddr) -> Self {
        Self::connect_with(address, server, |socket| socket.set_recv_buffer_size(8192).unwrap())
    }

    #[track_caller]
    fn connect_with(address: impl Into<IpAddr>, server: SocketAddr, prepare: impl FnOnce(&Socket)) -> Self {
        let source = SocketAddr::new(address.into(), 0);
        let socket = Socket::new(Domain::for_address(source), Type::STREAM, None).unwrap();
        prepare(&socket);
        // Where connections come from anyway, the system finds a port by itself, and better: it knows the other
        // end. For the rest, ports of connections that have ended lately would run out but for this option.
        if source.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
            socket.set_reuse_address(true).unwrap();
            socket.bind(&source.into()).unwrap();
        }
        socket.connect_timeout(&server.into(), PATIENCE).unwrap();
        Self::over(socket.into())
    }

    /// Takes a connection as it is.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// A client at `address` that has joined, with Direct TCP on `port`.
    #[track_caller]
    pub fn joined_from(address: impl Into<IpAddr>, server: SocketAddr, port: u16) -> Self {
        let mut client = Self::connect_from(address, server);
        client.join(port);
        client
    }

    /// A client at 127.0.0.`last` that has joined, with Direct TCP on `port`.
    #[track_caller]
    pub fn joined(last: u8, server: SocketAddr, port: u16) -> Self {
        Self::joined_from(super::ip(last), server, port)
    }

    /// A client at `address` that has joined without a method: it looks, but cannot be reached.
    #[track_caller]
    pub fn looking_from(address: impl Into<IpAddr>, server: SocketAddr) -> Self {
        let mut client = Self::connect_from(address, server);
        client.send(HELLO_WITHOUT_METHODS);
        client.expect(ACCEPT);
        client.expect(ASK_0);
        client
    }

    /// Shakes hands and is asked for its port.
    #[track_caller]
    pub fn shake_hands(&mut self) {
        self.send(HELLO);
        self.expect(ACCEPT);
        self.expect(ASK_1);
    }

    /// Everything up to the heartbeat phase.
    #[track_caller]
    pub fn join(&mut self, port: u16) {
        self.shake_hands();
        self.send(&method(1, port.into()));
        self.expect(ASK_0);
    }

    /// Where the client comes from.
    pub fn address(&self) -> IpAddr {
        self.stream.local_addr().unwrap().ip()
    }

    /// The connection itself.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends all of `bytes`.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what is sent");
    }

    /// Sends all of `bytes`, one at a time, each in a segment of its own.
    #[track_caller]
    pub fn send_byte_by_byte(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.send(&[*byte]));
    }

    /// Sends a heartbeat.
    #[track_caller]
    pub fn beat(&mut self) {
        self.send(BEAT);
    }

    /// Sends heartbeats without reading until the server takes no more, and says how many bytes it took.
    #[track_caller]
    pub fn fill(&mut self) -> usize {
        self.fill_beside(|| ())
    }

    /// As [`Raw::fill`], and calls `meanwhile` all the time.
    #[track_caller]
    pub fn fill_beside(&mut self, mut meanwhile: impl FnMut()) -> usize {
        self.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let beats = BEAT.repeat(256);
        let mut sent = 0;
        loop {
            match uninterrupted(|| self.stream.write(&beats[sent % BEAT.len()..])) {
                Ok(more) => sent += more,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    return sent;
                }
            }
            assert!(sent < 256 << 20, "the server takes everything");
            meanwhile();
        }
    }

    /// The next so many bytes.
    #[track_caller]
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut have = 0;
        while have < length {
            match uninterrupted(|| self.stream.read(&mut bytes[have..])) {
                Ok(0) => panic!("the stream ends after {:02x?}, of {length} bytes", &bytes[..have]),
                Ok(more) => have += more,
                Err(error) => panic!("{error} after {:02x?}, of {length} bytes", &bytes[..have]),
            }
        }
        bytes
    }

    /// The kind of the next packet, which stays to be read.
    #[track_caller]
    pub fn next_kind(&mut self) -> u8 {
        let mut header = [0; 5];
        loop {
            match uninterrupted(|| self.stream.peek(&mut header)) {
                Ok(5) => return header[4],
                Ok(0) => panic!("the end instead of a packet"),
                Ok(_) => (),
                Err(error) => panic!("{error} instead of a packet"),
            }
        }
    }

    /// The next bytes are these.
    #[track_caller]
    pub fn expect(&mut self, wanted: &[u8]) {
        let got = self.take(wanted.len());
        assert_eq!(got, wanted, "got {:?}", String::from_utf8_lossy(&got));
    }

    /// The stream ends, in order, without another byte.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut rest = [0; 64];
        match uninterrupted(|| self.stream.read(&mut rest)) {
            Ok(0) => (),
            Ok(more) => panic!("more instead of the end: {:02x?}", &rest[..more]),
            Err(error) => panic!("{error} instead of the end"),
        }
    }

    /// The server closes, be it by a reset, without another byte.
    #[track_caller]
    pub fn expect_gone(&mut self) {
        let mut rest = [0; 64];
        match uninterrupted(|| self.stream.read(&mut rest)) {
            Ok(0) => (),
            Ok(more) => panic!("more instead of the end: {:02x?}", &rest[..more]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }

    /// The connection stays as it is, and nothing comes.
    #[track_caller]
    pub fn expect_silence(&mut self) {
        self.stream.set_read_timeout(Some(GLANCE)).unwrap();
        let mut rest = [0; 64];
        match uninterrupted(|| self.stream.read(&mut rest)) {
            Ok(0) => panic!("the end instead of silence"),
            Ok(more) => panic!("{:?} instead of silence", String::from_utf8_lossy(&rest[..more])),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    /// Whether there is something to read, be it the end, within so long.
    pub fn hears_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let heard = uninterrupted(|| self.stream.peek(&mut [0]));
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        !heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// An `R` of this version with a reason by the rules, which is returned.
    #[track_caller]
    pub fn take_reject(&mut self) -> String {
        self.expect(b"LEKTR\0\0\0");
        let mut text = self.take(4);
        while text.last() != Some(&0) {
            assert!(text.len() < 256, "a reason without end: {:?}", String::from_utf8_lossy(&text));
            text.extend(self.take(4));
        }
        let end = text.iter().position(|&byte| byte == 0).unwrap();
        assert!((1..=255).contains(&end), "a reason of {end} bytes");
        assert!(text[end..].iter().all(|&byte| byte == 0), "padding that is not NUL: {text:02x?}");
        let reason = std::str::from_utf8(&text[..end]).expect("a reason is UTF-8").to_owned();
        assert!(
            reason.chars().all(|c| !c.is_ascii_control()),
            "a reason with control characters: {reason:?}"
        );
        reason
    }

    /// An `R`, and after it the end of the stream.
    #[track_caller]
    pub fn expect_reject(&mut self) -> String {
        let reason = self.take_reject();
        self.expect_end();
        reason
    }

    /// One packet of an answer.
    #[track_caller]
    pub fn take_packet(&mut self) -> Packet {
        Packet::read(|length| self.take(length))
    }

    /// The answer that is next in the stream, if it is as long as `wanted`, which ends it.
    #[track_caller]
    pub fn take_answer(&mut self, wanted: &Answer) -> Answer {
        let first = self.take_packet();
        self.answer_from(first, wanted)
    }

    #[track_caller]
    fn answer_from(&mut self, first: Packet, wanted: &Answer) -> Answer {
        let mut packets = vec![first];
        loop {
            let told = |list: fn(&Block) -> usize| packets.iter().map(|p| list(&p.block)).sum::<usize>();
            let removed = told(|block| if let Block::Removed(which) = block { which.len() } else { 0 });
            let added = told(|block| if let Block::Added(who) = block { who.len() } else { 0 });
            let silent = packets.last().is_some_and(Packet::says_nothing);
            if silent || removed >= wanted.removed.len() && added >= wanted.added.len() {
                return Answer::from_packets(&packets);
            }
            packets.push(self.take_packet());
        }
    }

    /// The next answer in the stream says this and no more. What is behind it is not looked at.
    #[track_caller]
    pub fn expect_answer(&mut self, removed: &[Ipv4Addr], added: &[Seen]) {
        let wanted = Answer::of(removed, added);
        let got = self.take_answer(&wanted);
        assert_eq!(got, wanted);
    }

    /// A heartbeat is answered by this; and the next one by nothing, so that this was all.
    #[track_caller]
    pub fn hears(&mut self, removed: &[Ipv4Addr], added: &[Seen]) {
        self.beat();
        self.expect_answer(removed, added);
        self.beat();
        self.expect_answer(&[], &[]);
    }

    /// A heartbeat is answered by the one packet that says that nothing changed.
    #[track_caller]
    pub fn hears_nothing(&mut self) {
        self.beat();
        self.expect_answer(&[], &[]);
    }

    /// Sends heartbeats until one is answered by something, which is this.
    #[track_caller]
    pub fn hears_at_last(&mut self, removed: &[Ipv4Addr], added: &[Seen]) {
        let wanted = Answer::of(removed, added);
        let start = Instant::now();
        let first = loop {
            self.beat();
            let packet = self.take_packet();
            if !packet.says_nothing() {
                break packet;
            }
            assert!(start.elapsed() < PATIENCE, "nobody says {wanted:?}");
        };
        let got = self.answer_from(first, &wanted);
        assert_eq!(got, wanted);
    }

    /// Ends the sending side and goes on reading.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection by a reset.
    pub fn reset(self) {
        Socket::from(self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A call that may block for so long is not taken up again by itself when the process was stopped meanwhile.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            outcome => return outcome,
        }
    }
}
