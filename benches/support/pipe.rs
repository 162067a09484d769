//! The floor of a transfer: one process sends its standard input over a bare connection, another one receives it
//! and writes it to its standard output. Parts of a message are as long as what is read and written here at once.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use super::wrong;

/// Payload bytes of the longest part.
const PART: usize = 65_536;

/// Runs one end if that is what the arguments ask for.
pub(crate) fn main(arguments: &[String]) -> Option<io::Result<()>> {
    match arguments {
        [flag, address] if flag == "--floor-send" => Some(send(address)),
        [flag] if flag == "--floor-receive" => Some(receive()),
        _ => None,
    }
}

fn send(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    pump(&mut unbuffered(io::stdin())?, &mut stream)
}

fn receive() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    eprintln!("listening on {}", listener.local_addr()?);
    let (mut stream, _) = listener.accept()?;
    pump(&mut stream, &mut unbuffered(io::stdout())?)
}

/// The descriptor itself, without the standard library's buffer before it.
fn unbuffered(stream: impl AsFd) -> io::Result<std::fs::File> {
    stream.as_fd().try_clone_to_owned().map(Into::into)
}

/// One read, one write: what the standard library's copy does without either would be another comparison.
fn pump(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PART];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(some) => to.write_all(&buffer[..some])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(wrong(format!("cannot read: {error}"))),
        }
    }
}
