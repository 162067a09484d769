//! `rollcall chat`: joins the roll, and talks.

mod book;
mod room;
mod talk;
mod terminal;
mod typed;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use getopts::Options;

use super::answer::default_listen;
use super::line::{self, Asked, Parsed};
use super::screen::Colours;
use crate::client::error::Error;
use crate::client::hold::{HOLD, Hold};
use crate::client::listen::{Listener, MAX_PEERS};
use crate::client::presence::{News, Presence, PresenceOptions, WhenLost};
use crate::lekt::wire::Method;
use room::{Next, Room};
use talk::Happening;

const BRIEF: &str = "Usage: rollcall chat --nick NAME [OPTION]... [SERVER]\n\
    Join the roll of SERVER, see who comes and goes, and talk. /help shows what can be typed.";
/// How much may wait to be shown. Beyond it nobody is listened to any further.
const HAPPENINGS_LIMIT: usize = 256;
/// People want to see each other come: ask for news more often than a client has to.
const INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let matches = match line::parse(options(), arguments, 1, BRIEF)? {
        Parsed::Run(matches) => matches,
        Parsed::Help(text) => return Ok(Asked::Print(text)),
    };
    let nickname = line::nickname(&matches)?;
    let server = line::server(matches.free.first())?;
    let heartbeat = line::interval(&matches, INTERVAL)?;
    let max_peers = line::number(&matches, "max-peers", 1..=4096, MAX_PEERS)?;
    let hold = Hold::new(line::number(&matches, "hold", HOLD..=usize::MAX, HOLD)?);
    let address = matches.opt_str("listen").unwrap_or_else(|| default_listen(Some(&server)).to_owned());

    let (tell, happenings) = bounded(HAPPENINGS_LIMIT);
    let ids = Arc::new(AtomicU64::new(0));
    let listener = Listener::bind(&address, &nickname, max_peers)?;
    let local = listener.local_addr();
    let methods = vec![Method::DirectTcp { port: local.port() }];
    let present =
        PresenceOptions { methods, heartbeat, when_lost: WhenLost::Reconnect, ..PresenceOptions::default() };
    let presence = Presence::join(&server, present)?;
    serve(listener, tell.clone(), Arc::clone(&ids), hold.clone())?;
    let (keyboard, paper) = terminal::open(tell.clone())?;
    let mut room = Room::new(nickname, paper, Colours::of_stdout(), tell, ids, hold);
    room.tell(&format!("on the roll of {server}, listening on {local}; /help shows what you can type"))?;
    let result = follow(&mut room, &keyboard, &happenings, &presence);
    room.leave();
    // What is still on its way in is taken, so that nobody hangs in it, and not shown.
    drop(happenings);
    result.map(|()| Asked::Done)
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optopt("", "nick", "the nickname that others see; it has to be given", "NAME")
        .optopt("", "listen", "where to listen for calls, port 0 being any (default 127.0.0.1:0; 0.0.0.0:0 if SERVER is on another machine)", "ADDR:PORT")
        .optopt("", "hold", "bytes of unfinished messages to hold in all, at least 134217728 (default 134217728)", "BYTES")
        .optopt("", "max-peers", "callers at once, 1 to 4096 (default 64)", "N");
    line::interval_option(&mut options, "2");
    options
}

/// Listens for calls in a thread of its own.
fn serve(listener: Listener, tell: Sender<Happening>, ids: Arc<AtomicU64>, hold: Hold) -> Result<(), Error> {
    let handle =
        move |ringing| talk::answer(ids.fetch_add(1, Ordering::Relaxed), ringing, &tell, hold.clone());
    let spawned = thread::Builder::new().name("listener".to_owned()).spawn(move || listener.serve(handle));
    spawned.map(drop).map_err(|cause| Error::local("start a thread", cause))
}

/// Sees to one thing after the other, until there is a reason to leave.
fn follow(
    room: &mut Room,
    keyboard: &terminal::Keyboard,
    happenings: &Receiver<Happening>,
    presence: &Presence,
) -> Result<(), Error> {
    // A script may name whom it calls by a number: its first line waits until the roll is known.
    let mut asked = keyboard.is_interactive();
    if asked {
        keyboard.next_line(room.prompt());
    }
    loop {
        let next = select! {
            recv(happenings) -> happening => match happening {
                Ok(happening) => room.happen(happening)?,
                Err(_) => return Ok(()),
            },
            recv(presence.news()) -> news => match news {
                Ok(news) => {
                    let known = matches!(news, News::Complete | News::Lost(_));
                    match room.hear(&news)? {
                        Next::GoOn if known && !std::mem::replace(&mut asked, true) => Next::AskForALine,
                        next => next,
                    }
                }
                Err(_) => return Ok(()),
            },
        };
        match next {
            Next::GoOn => {}
            Next::AskForALine => keyboard.next_line(room.prompt()),
            Next::Leave => return Ok(()),
        }
    }
}
