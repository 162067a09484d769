//! `rollcall call`: calls somebody and sends standard input.

use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use getopts::{Matches, Options};

use super::deliver::{Delivery, Stdout};
use super::line::{self, Asked, Parsed};
use super::screen::note;
use crate::client::call::{Call, Incoming};
use crate::client::error::Error;
use crate::client::hold::{HOLD, Hold};
use crate::client::ringing::Ringing;
use crate::wire::text::Printable;

const BRIEF: &str = "Usage: rollcall call --nick NAME [OPTION]... PEER\n\
    Call PEER, which is ADDR:PORT. Each line of standard input is a message; what comes back goes to standard output.\n\
    Exit status: 0 accepted, 3 rejected, 5 unreachable.";
/// After the end of input, how long to wait for the other to read it all and close.
const FAREWELL: Duration = Duration::from_secs(30);
/// Lines up to this length go out as a whole, longer ones in parts as they are read.
const LINE: u64 = 65_536;

/// One of the two directions is over.
enum Over {
    /// All of standard input has been sent.
    Sent(Result<(), Error>),
    /// The other has closed.
    Received(Result<usize, Error>),
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut options = Options::new();
    options
        .optopt("", "nick", "the nickname that the peer is told; it has to be given", "NAME")
        .optflag("", "binary", "all of standard input is one message, of any length; write bytes only")
        .optopt(
            "",
            "hold",
            "bytes of unfinished messages to hold in all, at least 134217728 (default 134217728)",
            "BYTES",
        );
    let matches = match line::parse(options, arguments, 1, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let nickname = line::nickname(&matches)?;
    let Some(peer) = matches.free.first() else {
        return Err(Error::Usage("PEER has to be given, as ADDR:PORT".to_owned()));
    };
    let delivery = delivery(&matches)?;
    let mut ringing = Ringing::call(peer, &nickname)?;
    let theirs = ringing.introduced()?;
    ringing.decider().accept()?;
    let (call, incoming) = ringing.connected()?;
    note(format_args!("connected to {}", Printable(&theirs)));
    converse(&call, incoming, delivery, matches.opt_present("binary")).map(|()| Asked::Done)
}

fn delivery(matches: &Matches) -> Result<Delivery, Error> {
    let hold = Hold::new(line::number(matches, "hold", HOLD..=usize::MAX, HOLD)?);
    Ok(if matches.opt_present("binary") {
        Delivery::Binary(hold, Stdout::open()?)
    } else {
        Delivery::Lines(hold)
    })
}

fn converse(call: &Call, mut incoming: Incoming, delivery: Delivery, binary: bool) -> Result<(), Error> {
    let (over, ends) = bounded(2);
    let nickname = call.nickname().to_owned();
    spawn("receive", over.clone(), move || {
        Over::Received(incoming.stream_to(&mut *delivery.sink(&nickname)))
    })?;
    let sending = call.clone();
    spawn("send", over, move || {
        let stdin = io::stdin().lock();
        Over::Sent(if binary { sending.send_from(stdin).map(|_| ()) } else { send_lines(&sending, stdin) })
    })?;
    match ends.recv() {
        Ok(Over::Sent(Ok(()))) => {
            call.finish();
            farewell(call, &ends)
        }
        // Why it could not be sent is what the other said last.
        Ok(Over::Sent(Err(error))) => farewell(call, &ends).and(Err(error)),
        Ok(Over::Received(received)) => {
            received_all(call, received)?;
            note(format_args!("{} has hung up", Printable(call.nickname())));
            let sent = ends.recv_timeout(Duration::from_millis(200));
            match (binary, sent) {
                (_, Ok(Over::Sent(Err(error)))) => Err(error),
                (true, Ok(Over::Sent(Ok(())) | Over::Received(_))) | (false, _) => Ok(()),
                (true, _) => Err(Error::lost(call.nickname(), "it hung up before everything was sent")),
            }
        }
        Err(_) => Ok(()),
    }
}

/// Waits until the other has read everything and closed.
fn farewell(call: &Call, ends: &Receiver<Over>) -> Result<(), Error> {
    match ends.recv_timeout(FAREWELL) {
        Ok(Over::Received(received)) => received_all(call, received),
        _ => Ok(()),
    }
}

fn received_all(call: &Call, received: Result<usize, Error>) -> Result<(), Error> {
    match received? {
        0 => Ok(()),
        _ => Err(Error::lost(call.nickname(), "a message was cut short")),
    }
}

fn spawn(name: &str, over: Sender<Over>, work: impl FnOnce() -> Over + Send + 'static) -> Result<(), Error> {
    let told = move || drop(over.send(work()));
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(told);
    spawned.map(drop).map_err(|cause| Error::local("start a thread", cause))
}

/// Sends each line of `input` as a message. A line may be of any length.
fn send_lines(call: &Call, mut input: impl BufRead) -> Result<(), Error> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(LINE).read_until(b'\n', &mut line);
        let count = read.map_err(|cause| Error::local("read standard input", cause))?;
        if count == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            call.send(&line)?;
        } else if (count as u64) < LINE {
            // The last one, without its newline.
            call.send(&line)?;
        } else {
            call.send_from(line.as_slice().chain(RestOfLine { input: &mut input, ended: false }))?;
        }
    }
}

/// What a line has beyond what was read of it.
struct RestOfLine<'a, R> {
    input: &'a mut R,
    ended: bool,
}

impl<R: BufRead> Read for RestOfLine<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let there = self.input.fill_buf()?;
        let there = &there[..there.len().min(buffer.len())];
        let newline = there.iter().position(|&byte| byte == b'\n');
        let count = newline.unwrap_or(there.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.ended = newline.is_some() || count == 0;
        self.input.consume(count + usize::from(newline.is_some()));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_line_ends_with_it() {
        for (input, rest, left) in [
            (&b"rest\nnext"[..], "rest", &b"next"[..]),
            (b"\nnext", "", b"next"),
            (b"no newline", "no newline", b""),
        ] {
            let mut input = io::BufReader::with_capacity(3, input);
            let mut text = String::new();
            RestOfLine { input: &mut input, ended: false }.read_to_string(&mut text).unwrap();
            let mut after = Vec::new();
            input.read_to_end(&mut after).unwrap();
            assert_eq!((text.as_str(), after.as_slice()), (rest, left));
        }
    }
}
