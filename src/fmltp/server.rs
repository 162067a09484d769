//! The server's side of a conversation with a client.
//!
//! ```text
//!     Greeting --version--> AwaitKey --public key--> Agreeing --key agreed--> AwaitChallenge
//!         --right--> Lockdown <--AUTH, wrong--> Checking --right--> Joining --on the roll--> Ready
//!         --right, and nobody has to say who he is--------------> Joining
//! ```

mod channel;
mod reason;
mod session;
mod state;
mod who;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::users::UserBook;
use super::version::Greeting;
use crate::session::{Cooldown, Door, Refusal, Session};
pub use session::Server;

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
        Box::new(Server::new(now, peer, Arc::clone(&self.settings)))
    }

    fn refusal(&self, why: Refusal) -> Vec<u8> {
        reason::refusal(why).into_bytes()
    }

    fn cooldown(&self) -> Cooldown {
        self.settings.cooldown
    }

    fn toils(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_be_let_in_is_told_in_place_of_the_greeting() {
        let door = FmltpDoor::new(Settings::default());
        let cooling = |seconds| Refusal::CoolingDown(Duration::from_secs_f32(seconds));
        let table = [
            (Refusal::Full, "400 Server is full.\r\n"),
            (Refusal::Crowded, "400 Too many connections from your address.\r\n"),
            (Refusal::Pending, "400 Too many handshakes under way from your address.\r\n"),
            (Refusal::Hasty, "400 Too many new connections from your address.\r\n"),
            (cooling(299.5), "400 Try again in 300 s.\r\n"),
            (cooling(2.0), "400 Try again in 2 s.\r\n"),
            (cooling(0.0), "400 Try again in 1 s.\r\n"),
        ];
        for (why, told) in table {
            assert_eq!(String::from_utf8(door.refusal(why)).unwrap(), told);
        }
    }

    #[test]
    fn what_is_set_is_shown_without_the_users() {
        let settings = Settings::default();
        assert_eq!(settings.step_limit, Duration::from_secs(5));
        let shown = format!("{settings:?}");
        assert!(shown.contains("300s") && shown.contains("authorization: false"), "{shown}");
        let door = FmltpDoor::new(settings);
        assert!(door.toils() && !door.cooldown().loopback);
        assert_eq!(door.name(), "fmltp");
    }
}
