//! What the server waits for, and what it knows by then.

use std::time::Instant;

use zeroize::Zeroizing;

use super::super::key::{self, PublicKey};
use super::channel::Channel;

/// Where a conversation has come to ("Phases").
pub(super) enum State {
    /// Waits for the client's name and version.
    Greeting { until: Instant, quiet: Option<Quiet> },
    /// Has sent the parameters, and waits for the client's public key.
    AwaitKey { until: Instant, code: u16 },
    /// Waits for a key to be agreed upon.
    Agreeing { code: u16, exchange: Exchange },
    /// Has sent its public key, and waits for the challenge.
    AwaitChallenge { until: Instant, code: u16, channel: Channel },
    /// Waits for somebody to prove who he is, which has `failed` so often.
    Lockdown { until: Instant, failed: u8, channel: Channel },
    /// Waits for a password to be checked.
    Checking { until: Instant, failed: u8, channel: Channel, attempt: Box<Attempt> },
    /// Waits for the workers to put the client on the roll.
    Joining { channel: Channel, welcome: Welcome },
    /// Waits for commands.
    Ready { channel: Channel },
    /// Waits for nothing any more.
    Over,
}

/// A version reply without line end that could be all.
#[derive(Clone, Copy)]
pub(super) struct Quiet {
    /// How many bytes of it are there.
    pub(super) length: usize,
    /// When it is all, if no more come.
    pub(super) until: Instant,
}

/// A key exchange, before and after the slow part.
pub(super) enum Exchange {
    /// The client's public key.
    Theirs(Box<PublicKey>),
    /// The server's, as it is sent, and what is between both.
    Agreed { ours: String, channel: Channel },
}

/// A name and a password, before and after they were checked.
pub(super) enum Attempt {
    /// What somebody says. One may be in the place of the other by mistake.
    Claimed { name: Zeroizing<String>, password: Zeroizing<Vec<u8>> },
    /// It is he.
    Right { name: Box<str> },
    /// It is not.
    Wrong,
}

/// What a client hears once it is on the roll.
pub(super) enum Welcome {
    /// That the interpreter is ready, with this code.
    Ready(u16),
    /// That the password was right.
    Authenticated,
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Greeting { .. } => "greeting",
            Self::AwaitKey { .. } => "await key",
            Self::Agreeing { .. } => "agreeing",
            Self::AwaitChallenge { .. } => "await challenge",
            Self::Lockdown { .. } => "lockdown",
            Self::Checking { .. } => "checking",
            Self::Joining { .. } => "joining",
            Self::Ready { .. } => "ready",
            Self::Over => "over",
        }
    }

    /// Whether the client has still to hear that the interpreter is ready.
    pub(super) fn is_handshake(&self) -> bool {
        match self {
            Self::Greeting { .. }
            | Self::AwaitKey { .. }
            | Self::Agreeing { .. }
            | Self::AwaitChallenge { .. }
            | Self::Joining { welcome: Welcome::Ready(_), .. } => true,
            Self::Lockdown { .. }
            | Self::Checking { .. }
            | Self::Joining { welcome: Welcome::Authenticated, .. }
            | Self::Ready { .. }
            | Self::Over => false,
        }
    }

    /// What tokens go through; none before the client has the server's public key.
    pub(super) fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Greeting { .. } | Self::AwaitKey { .. } | Self::Agreeing { .. } | Self::Over => None,
            Self::AwaitChallenge { channel, .. }
            | Self::Lockdown { channel, .. }
            | Self::Checking { channel, .. }
            | Self::Joining { channel, .. }
            | Self::Ready { channel } => Some(channel),
        }
    }

    /// What tokens are taken from.
    pub(super) fn channel_mut(&mut self) -> Option<&mut Channel> {
        match self {
            Self::AwaitChallenge { channel, .. }
            | Self::Lockdown { channel, .. }
            | Self::Ready { channel } => Some(channel),
            _ => None,
        }
    }
}

impl Exchange {
    /// Agrees upon a key. Slow: it takes milliseconds.
    pub(super) fn agree(&mut self) {
        if let Self::Theirs(theirs) = self {
            let agreed = key::agree(theirs);
            *self = Self::Agreed { ours: agreed.public.to_pem(), channel: Channel::new(agreed.key) };
        }
    }
}

impl Attempt {
    pub(super) fn claimed(name: &str, password: &str) -> Self {
        Self::Claimed {
            name: Zeroizing::new(name.to_owned()),
            password: Zeroizing::new(password.as_bytes().to_vec()),
        }
    }

    /// Has it checked by `is_right`, and forgets the password. Slow: it takes tenths of a second.
    pub(super) fn judge(&mut self, is_right: impl FnOnce(&str, &[u8]) -> bool) {
        if let Self::Claimed { name, password } = self {
            let is_he = is_right(name, password);
            *self = if is_he { Self::Right { name: name.as_str().into() } } else { Self::Wrong };
        }
    }
}
