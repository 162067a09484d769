//! `rollcall answer`: takes calls, and passes on what comes.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use getopts::{Matches, Options};

use super::ask::{self, Question};
use super::deliver::{Delivery, Stdout};
use super::files::Directory;
use super::line::{self, Asked, Parsed};
use super::screen::note;
use crate::client::call::{Call, Incoming};
use crate::client::error::Error;
use crate::client::hold::{HOLD, Hold};
use crate::client::listen::{Listener, MAX_PEERS};
use crate::client::net;
use crate::client::presence::{HEARTBEAT_INTERVAL, News, Presence, PresenceOptions, WhenLost};
use crate::client::ringing::Ringing;
use crate::lekt::wire::Method;
use crate::wire::text::Printable;

const BRIEF: &str = "Usage: rollcall answer --nick NAME [OPTION]...\n\
    Take calls. Each message is written to standard output when it is complete, followed by a newline.";
/// The most peers that can be asked for: a thread each.
const MAX_MAX_PEERS: usize = 4096;
/// Questions that wait to be asked. Each keeps a connection, even one that its caller has left.
const QUESTIONS_LIMIT: usize = 16;

/// Whose calls to accept.
#[derive(Debug, Clone)]
enum Accept {
    All,
    None,
    /// Those that the user says yes to; who asks is told here.
    Ask(Sender<Question>),
}

/// What every call needs.
struct Answering {
    accept: Accept,
    delivery: Delivery,
    /// Where the end of the one call is told, with `--once`; and whether there is one.
    once: Option<(Sender<Result<(), Error>>, AtomicBool)>,
    /// Where it is told that standard output is gone.
    broken: Sender<Result<(), Error>>,
}

/// The turn to be the one call of `--once`. Dropped, it is free for the next one: a call that came to nothing was
/// not the one that was meant.
#[must_use]
struct Turn<'a>(Option<&'a AtomicBool>);

impl<'a> Turn<'a> {
    /// None if another call has it. Without `--once`, which is without a flag, there is one for everybody.
    fn take(taken: Option<&'a AtomicBool>) -> Option<Self> {
        let is_free = taken.is_none_or(|taken| !taken.swap(true, Ordering::SeqCst));
        is_free.then_some(Self(taken))
    }

    /// Nobody else gets it.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.0 {
            taken.store(false, Ordering::SeqCst);
        }
    }
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let matches = match line::parse(options(), arguments, 0, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let nickname = line::nickname(&matches)?;
    let max_peers = line::number(&matches, "max-peers", 1..=MAX_MAX_PEERS, MAX_PEERS)?;
    let server = matches.opt_str("server").map(|server| line::server(Some(&server))).transpose()?;
    let heartbeat = line::interval(&matches, HEARTBEAT_INTERVAL)?;
    let (ended, end) = bounded(1);
    let answering = Answering {
        delivery: delivery(&matches)?,
        accept: accept(&matches)?,
        once: matches.opt_present("once").then(|| (ended.clone(), AtomicBool::new(false))),
        broken: ended,
    };
    let address = matches.opt_str("listen").unwrap_or_else(|| default_listen(server.as_deref()).to_owned());
    let listener = Listener::bind(&address, &nickname, max_peers)?;
    let listening = listener.local_addr();
    note(format_args!("listening on {listening}"));
    let port = listening.port();
    let serving = thread::Builder::new().name("listener".to_owned());
    serving
        .spawn(move || listener.serve(move |ringing| answering.answer(ringing)))
        .map_err(|cause| Error::local("start a thread", cause))?;
    if let Some(server) = server {
        let methods = vec![Method::DirectTcp { port }];
        let options = PresenceOptions {
            methods,
            heartbeat,
            when_lost: WhenLost::Reconnect,
            ..PresenceOptions::default()
        };
        warn_if_unheard(listening, &server);
        let presence = Presence::join(&server, options)?;
        return report(&presence, &server, &end).map(|()| Asked::Done);
    }
    end.recv().unwrap_or(Ok(())).map(|()| Asked::Done)
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optopt("", "nick", "the nickname that callers are told; it has to be given", "NAME")
        .optopt("", "listen", "where to listen, port 0 being any (default 127.0.0.1:0; 0.0.0.0:0 with a SERVER on another machine)", "ADDR:PORT")
        .optopt("", "server", "join the roll of this server, so that others find the way", "SERVER")
        .optopt("", "accept", "whose calls to accept: \"all\", \"none\", or \"ask\" on the terminal (default all)", "WHOSE")
        .optflag("", "once", "end after the first call that was accepted")
        .optflag("", "binary", "write bytes only, without a newline behind each message")
        .optopt("", "out", "write each message to a file of its own in DIR, and print the file's name", "DIR")
        .optopt("", "hold", "bytes of unfinished messages to hold in all, at least 134217728 (default 134217728)", "BYTES")
        .optopt("", "max-peers", "peers at once, 1 to 4096 (default 64)", "N");
    line::interval_option(&mut options, "10");
    options
}

/// The roll shows from where the server sees us come, and that has to be where we listen.
fn warn_if_unheard(listening: SocketAddr, server: &str) {
    // Whether there is a way to the server is found out in a moment, and told then.
    let Ok(seen) = net::source(server) else { return };
    if !net::hears(listening.ip(), seen) {
        let shown = SocketAddr::new(seen, listening.port());
        note(format_args!("warning: the roll will show {shown}, where nobody listens; use --listen {shown}"));
    }
}

/// On this machine alone, unless the server is on another one.
pub(super) fn default_listen(server: Option<&str>) -> &'static str {
    let host = server.and_then(|server| server.rsplit_once(':')).map_or("localhost", |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if is_here { "127.0.0.1:0" } else { "0.0.0.0:0" }
}

fn delivery(matches: &Matches) -> Result<Delivery, Error> {
    let hold = Hold::new(line::number(matches, "hold", HOLD..=usize::MAX, HOLD)?);
    match (matches.opt_str("out"), matches.opt_present("binary")) {
        (Some(directory), _) => Ok(Delivery::Files(Arc::new(Directory::open(&directory)?))),
        (None, true) => Ok(Delivery::Binary(hold, Stdout::open()?)),
        (None, false) => Ok(Delivery::Lines(hold)),
    }
}

fn accept(matches: &Matches) -> Result<Accept, Error> {
    match matches.opt_str("accept").as_deref() {
        None | Some("all") => Ok(Accept::All),
        Some("none") => Ok(Accept::None),
        Some("ask") => ask::start(QUESTIONS_LIMIT).map(Accept::Ask),
        Some(other) => {
            let other = Printable(other);
            Err(Error::Usage(format!("--accept takes \"all\", \"ask\" or \"none\", not \"{other}\"")))
        }
    }
}

impl Answering {
    /// Sees to one caller from its first byte to its last.
    fn answer(&self, mut ringing: Ringing) {
        let remote = ringing.remote();
        let nickname = match ringing.introduced() {
            Ok(nickname) => nickname,
            Err(error) => return note(format_args!("a call from {remote} came to nothing: {error}")),
        };
        let name = Printable(&nickname);
        let Some(turn) = Turn::take(self.once.as_ref().map(|(_, taken)| taken)) else {
            let _ = ringing.decider().reject("busy with another call");
            let _ = ringing.connected();
            return note(format_args!("{name} ({remote}) called and was rejected"));
        };
        match self.connect(ringing, &nickname, turn) {
            Ok((call, incoming)) => {
                note(format_args!("{name} ({remote}) is connected"));
                let result = self.listen(&call, incoming);
                note(format_args!("{name} ({remote}) has hung up"));
                self.ended(result);
            }
            Err(Error::Declined) => note(format_args!("{name} ({remote}) called and was rejected")),
            Err(error) => note(format_args!("a call from {remote} came to nothing: {error}")),
        }
    }

    /// Decides, and waits for what comes of it. The turn is free again if that is nothing.
    fn connect(&self, ringing: Ringing, nickname: &str, turn: Turn<'_>) -> Result<(Call, Incoming), Error> {
        let decider = ringing.decider();
        // Dropped when we return, which tells that there is nothing left to ask.
        let (_waiting, over) = bounded(0);
        match &self.accept {
            Accept::All => decider.accept()?,
            Accept::None => {
                decider.reject("no calls are accepted here")?;
                // Nobody has to wait until this one has understood.
                drop(turn);
                return ringing.connected();
            }
            Accept::Ask(asked) => {
                let (nickname, remote) = (nickname.to_owned(), ringing.remote());
                let question = Question { nickname, remote, decider, over };
                asked.send(question).map_err(|_| Error::Declined)?;
            }
        }
        let connected = ringing.connected()?;
        turn.keep();
        Ok(connected)
    }

    /// Passes on what comes, until the caller hangs up.
    fn listen(&self, call: &Call, mut incoming: Incoming) -> Result<(), Error> {
        match incoming.stream_to(&mut *self.delivery.sink(call.nickname()))? {
            0 => Ok(()),
            _ => Err(Error::lost(call.nickname(), "a message was cut short")),
        }
    }

    fn ended(&self, result: Result<(), Error>) {
        match (result, &self.once) {
            (Err(error), _) if error.is_broken_pipe() => drop(self.broken.try_send(Err(error))),
            (result, Some((end, _))) => drop(end.try_send(result)),
            (Err(error), None) => note(format_args!("rollcall: {error}")),
            (Ok(()), None) => {}
        }
    }
}

/// Tells what becomes of the connection to the server, until all is over.
fn report(presence: &Presence, server: &str, end: &Receiver<Result<(), Error>>) -> Result<(), Error> {
    note(format_args!("on the roll of {server}"));
    loop {
        crossbeam_channel::select! {
            recv(end) -> result => return result.unwrap_or(Ok(())),
            recv(presence.news()) -> news => match news {
                Ok(News::Lost(error)) => note(format_args!("{error}")),
                Ok(News::Retrying(wait)) => note(format_args!("trying again in {:.1} s", wait.as_secs_f64())),
                Ok(News::Rejoined) => note(format_args!("on the roll of {server} again")),
                Ok(News::Roll(_) | News::Complete) => {}
                Err(_) => return end.recv().unwrap_or(Ok(())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    #[test]
    fn a_caller_who_resets_does_not_use_up_the_one_call() {
        let (ended, end) = bounded(1);
        let answering = Answering {
            accept: Accept::All,
            delivery: Delivery::Lines(Hold::default()),
            once: Some((ended.clone(), AtomicBool::new(false))),
            broken: ended,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let call = || {
            let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (&caller).write_all(b"LEKTH\0\0\0eve\0").unwrap();
            (caller, Ringing::answer(listener.accept().unwrap().0, "bob").unwrap())
        };
        let (eve, ringing) = call();
        socket2::SockRef::from(&eve).set_linger(Some(Duration::ZERO)).unwrap();
        drop(eve);
        answering.answer(ringing);
        assert!(end.is_empty(), "it was not the one call");
        let (carol, ringing) = call();
        (&carol).write_all(b"LEKTA\0\0\0").unwrap();
        carol.shutdown(std::net::Shutdown::Write).unwrap();
        answering.answer(ringing);
        assert!(end.try_recv().unwrap().is_ok());
    }

    #[test]
    fn who_serves_this_machine_alone_listens_there_alone() {
        for here in [None, Some("127.0.0.5:7890"), Some("[::1]:7890"), Some("localhost:1")] {
            assert_eq!(default_listen(here), "127.0.0.1:0");
        }
        assert_eq!(default_listen(Some("example.org:7890")), "0.0.0.0:0");
    }
}
