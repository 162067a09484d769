//! `rollcall demo`: the whole story in one terminal, with a daemon and clients of its own.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use getopts::Options;

use super::line::{self, Asked, Parsed};
use super::names;
use super::screen::{self, Colours, Style};
use crate::client::call::{Call, Incoming};
use crate::client::error::Error;
use crate::client::listen::{Listener, Stopper};
use crate::client::presence::{News, Presence, PresenceOptions};
use crate::client::ringing::Ringing;
use crate::client::roll::Change;
use crate::lekt::wire::{Method, Object};
use crate::wire::text::Printable;

const BRIEF: &str = "Usage: rollcall demo\n\
    Show the whole story in one terminal: a daemon, three clients, arrivals, a call, a chat, departures.";
/// How often the clients ask for news; short, so that the story goes on.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// Nothing in the story takes this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// So that one can read along.
const PAUSE: Duration = Duration::from_millis(300);
/// Nobody calls more than these.
const CALLERS: usize = 4;

pub(super) fn run(arguments: Vec<OsString>) -> Result<Asked, Error> {
    match line::parse(Options::new(), arguments, 0, BRIEF)? {
        Parsed::Help(text) => Ok(Asked::Print(text)),
        Parsed::Run(_) => tell(&Stage { colours: Colours::of_stdout() }).map(|()| Asked::Done),
    }
}

fn tell(stage: &Stage) -> Result<(), Error> {
    stage.remark("a daemon keeps the roll; it takes any free port of this machine")?;
    let daemon = Daemon::start()?;
    stage.says("rollcalld", &daemon.ready)?;

    stage.remark("alice and bob join; each listens for calls, and tells the daemon on which port")?;
    let alice = Person::join("alice", &daemon.address)?;
    stage.says("alice", &format!("I am on the roll, call me at {}", alice.reach))?;
    let bob = Person::join("bob", &daemon.address)?;
    stage.says("alice", &alice.hears(Seen::Arrived, &bob)?)?;
    stage.says("bob", &bob.hears(Seen::Present, &alice)?)?;

    stage.remark("carol joins, too; whoever sends a heartbeat hears of it")?;
    let carol = Person::join("carol", &daemon.address)?;
    for person in [&alice, &bob] {
        stage.says(person.name, &person.hears(Seen::Arrived, &carol)?)?;
    }

    stage.remark("bob calls alice directly: the daemon does not hear what they say")?;
    let (bobs, alices) = connect(stage, &bob, &alice)?;
    chat(stage, bobs, alices)?;

    stage.remark("carol leaves; the others hear of it with their next heartbeat")?;
    let place = carol.as_seen();
    drop(carol);
    for person in [&alice, &bob] {
        stage.says(person.name, &person.news(Seen::Departed, &place)?)?;
    }
    let place = bob.as_seen();
    drop(bob);
    stage.says("alice", &alice.news(Seen::Departed, &place)?)?;
    drop(alice);
    stage.remark("that was all; nothing is left running")
}

/// One side of a conversation.
type Side = (Call, Incoming);

/// Bob calls, alice answers; both accept.
fn connect(stage: &Stage, bob: &Person, alice: &Person) -> Result<(Side, Side), Error> {
    let mut calling = Ringing::call(&alice.reach, bob.name)?;
    let mut ringing = alice.callers.recv_timeout(PATIENCE).map_err(|_| late("a call"))?;
    let caller = ringing.introduced()?;
    stage.says("alice", &format!("{} calls, I accept", Printable(&caller)))?;
    ringing.decider().accept()?;
    let answering = thread::spawn(move || ringing.connected());
    let answerer = calling.introduced()?;
    stage.says("bob", &format!("{} has accepted, so do I", Printable(&answerer)))?;
    calling.decider().accept()?;
    let alices = answering.join().map_err(|_| late("the connection"))??;
    Ok((calling.connected()?, alices))
}

fn chat(stage: &Stage, (bob, mut to_bob): Side, (alice, mut to_alice): Side) -> Result<(), Error> {
    stage.remark("now they exchange messages of any length")?;
    bob.send("hello alice, is it you?".as_bytes())?;
    stage.hears("alice", "bob", to_alice.next_message()?)?;
    alice.send("it is; here is something big".as_bytes())?;
    stage.hears("bob", "alice", to_bob.next_message()?)?;
    let big = thread::spawn({
        let alice = alice.clone();
        move || alice.send_from(io::repeat(0).take(10_000_000))
    });
    stage.hears("bob", "alice", to_bob.next_message()?)?;
    big.join().map_err(|_| late("the message"))??;
    bob.send("thank you, bye".as_bytes())?;
    stage.hears("alice", "bob", to_alice.next_message()?)?;
    bob.finish();
    match to_alice.next_message()? {
        None => stage.says("alice", "bob has hung up"),
        Some(_) => Err(late("the end of the call")),
    }
}

/// Where the story is shown.
struct Stage {
    colours: Colours,
}

impl Stage {
    fn remark(&self, text: &str) -> Result<(), Error> {
        thread::sleep(PAUSE);
        screen::line(&self.colours.paint(Style::Dim, format_args!("# {text}")))
    }

    fn says(&self, who: &str, text: &str) -> Result<(), Error> {
        let who = self.colours.paint(Style::Name, format_args!("{who:<10}"));
        screen::line(&format!("{who}{text}"))
    }

    fn hears(&self, who: &str, from: &str, message: Option<Vec<u8>>) -> Result<(), Error> {
        let message = message.ok_or_else(|| late("a message"))?;
        self.says(who, &format!("<{from}> {}", names::shown(&message).join(" ")))
    }
}

/// What a person may hear of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Present,
    Arrived,
    Departed,
}

/// Somebody in the story.
struct Person {
    name: &'static str,
    reach: String,
    port: u16,
    callers: Receiver<Ringing>,
    presence: Presence,
    stopper: Stopper,
}

impl Person {
    fn join(name: &'static str, server: &str) -> Result<Self, Error> {
        let listener = Listener::bind("127.0.0.1:0", name, CALLERS)?;
        let (address, stopper) = (listener.local_addr(), listener.stopper());
        let (calls, callers) = bounded(CALLERS);
        thread::spawn(move || {
            listener.serve(move |ringing| {
                let _ = calls.send(ringing);
            });
        });
        let methods = vec![Method::DirectTcp { port: address.port() }];
        let options = PresenceOptions { methods, heartbeat: HEARTBEAT, ..PresenceOptions::default() };
        let presence = Presence::join(server, options)?;
        let person =
            Self { name, reach: address.to_string(), port: address.port(), callers, presence, stopper };
        Ok(person)
    }

    /// How others see this one.
    fn as_seen(&self) -> Object {
        let methods = vec![Method::DirectTcp { port: self.port }];
        Object { address: std::net::Ipv4Addr::LOCALHOST, methods }
    }

    fn hears(&self, expected: Seen, other: &Self) -> Result<String, Error> {
        self.news(expected, &other.as_seen())
    }

    /// Waits for that news, and puts it into words.
    fn news(&self, expected: Seen, about: &Object) -> Result<String, Error> {
        loop {
            let news = self.presence.news().recv_timeout(PATIENCE).map_err(|_| late("news"))?;
            let (seen, client) = match news {
                News::Roll(Change::Present(client)) => (Seen::Present, client),
                News::Roll(Change::Arrived(client)) => (Seen::Arrived, client),
                News::Roll(Change::Departed(client)) => (Seen::Departed, client),
                News::Lost(error) => return Err(error),
                News::Complete | News::Retrying(_) | News::Rejoined => continue,
            };
            // Whether somebody who came at the same time was there before does not matter here.
            let fits = (seen == Seen::Departed) == (expected == Seen::Departed);
            if !fits || client != *about {
                continue;
            }
            let place = names::place(&client);
            return Ok(match expected {
                Seen::Present => format!("{place} is here"),
                Seen::Arrived => format!("{place} arrived"),
                Seen::Departed => format!("{place} left"),
            });
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

/// The daemon of the story, which ends with it.
struct Daemon {
    child: Child,
    ready: String,
    address: String,
}

/// Runs the daemon for as long as standard input is open: it ends with the demo, even if that is killed.
const KEEPER: &str = r#""$0" "$@" </dev/null & exec >&-; read -r _; kill "$!" 2>/dev/null; wait "$!""#;

impl Daemon {
    fn start() -> Result<Self, Error> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEPER).arg(program()).args(["--lekt", "127.0.0.1:0", "-q"]);
        // They have no part in the story, and their default addresses may be another daemon's.
        command.args(["--fmltp", "off", "--chapp", "off", "--residue", "off"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| Error::local("start a shell", cause))?;
        let stdout = child.stdout.take();
        let mut daemon = Self { child, ready: String::new(), address: String::new() };
        if let Some(stdout) = stdout {
            let read = BufReader::new(stdout.take(1024)).read_line(&mut daemon.ready);
            read.map_err(|cause| Error::local("hear from the daemon", cause))?;
        }
        daemon.ready.truncate(daemon.ready.trim_end().len());
        let address = daemon.ready.strip_prefix("lekt listening on ").and_then(|rest| rest.split(' ').next());
        let Some(address) = address else {
            let advice = "start rollcalld, which has to be installed beside rollcall or in PATH";
            return Err(Error::local(advice, io::Error::other("it did not say that it is ready")));
        };
        daemon.address = address.to_owned();
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The daemon beside this program, or else the one in `PATH`.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|exe| exe.with_file_name("rollcalld"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("rollcalld"))
}

fn late(what: &str) -> Error {
    Error::local(format!("go on, for {what} did not come"), io::ErrorKind::TimedOut.into())
}
