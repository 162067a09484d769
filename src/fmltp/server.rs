//! The server's side of a conversation with a client.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::users::UserBook;
use super::version::Greeting;
use crate::session::{Cooldown, Door, Event, Fault, Output, Refusal, Session, View};

/// What can be set.
#[derive(Clone)]
pub struct Settings {
    /// What the server says first; the client has to be of the same class.
    pub greeting: Greeting,
    /// How long each packet of the handshake may take, and every token from its first byte on.
    pub step_limit: Duration,
    /// How long, and whom, the door refuses after a handshake has failed.
    pub cooldown: Cooldown,
    /// Who may log in; none: nobody has to.
    pub users: Option<Arc<dyn UserBook>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            greeting: Greeting::default(),
            step_limit: Duration::from_secs(5),
            cooldown: Cooldown { length: Duration::from_secs(300), loopback: false },
            users: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { greeting, step_limit, cooldown, users } = self;
        f.debug_struct("Settings")
            .field("greeting", greeting)
            .field("step_limit", step_limit)
            .field("cooldown", cooldown)
            .field("authorization", &users.is_some())
            .finish()
    }
}

/// The door through which FlexMusic clients come.
pub struct FmltpDoor {
    settings: Arc<Settings>,
}

impl FmltpDoor {
    /// The name of this door.
    pub const NAME: &'static str = "fmltp";

    /// A door whose sessions go by `settings`.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }
}

impl Door for FmltpDoor {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn open(&self, now: Instant, peer: SocketAddr) -> Box<dyn Session> {
        let _ = (now, peer);
        Box::new(Server { settings: Arc::clone(&self.settings) })
    }

    fn refusal(&self, why: Refusal) -> Vec<u8> {
        format!("400 {why}\r\n").into_bytes()
    }

    fn cooldown(&self) -> Cooldown {
        self.settings.cooldown
    }
}

struct Server {
    settings: Arc<Settings>,
}

impl Session for Server {
    fn receive(&mut self, _: Instant, bytes: &[u8], _: &dyn View, out: &mut Output) -> Result<usize, Fault> {
        out.close();
        Ok(bytes.len())
    }

    fn handle(&mut self, _: Instant, event: Event, _: &dyn View, out: &mut Output) -> Result<(), Fault> {
        match event {
            Event::Opened => {
                out.bytes().extend_from_slice(format!("{}\r\n", self.settings.greeting).as_bytes());
            }
            Event::EndOfStream | Event::Shutdown => out.close(),
            _ => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}
