//! How a session ends badly.

use std::borrow::Cow;

/// Why a session ends badly.
#[derive(Debug)]
pub struct Fault {
    /// For the log: one line, in which nothing of the peer's can do harm.
    pub why: Cow<'static, str>,
    /// What the peer is told, as bytes; empty: nothing.
    pub farewell: Vec<u8>,
    /// How much the log makes of it: a peer's fault is for debugging.
    pub level: log::Level,
    /// Which limit it is that the session has run into, if it is one.
    pub excess: Option<Excess>,
}

/// A limit that whoever runs into it is closed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// More has changed since it was told than the journal remembers.
    Changes,
    /// More letters wait for it than may.
    Letters,
}

impl Fault {
    /// A fault of the peer's about which it hears nothing.
    pub fn silent(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), farewell: Vec::new(), level: log::Level::Debug, excess: None }
    }

    /// A limit, which whoever runs the server has set and is told of.
    pub fn excess(excess: Excess, why: impl Into<Cow<'static, str>>) -> Self {
        Self { level: log::Level::Info, excess: Some(excess), ..Self::silent(why) }
    }

    /// A fault of the peer's, which is told `farewell`.
    pub fn told(why: impl Into<Cow<'static, str>>, farewell: Vec<u8>) -> Self {
        Self { farewell, ..Self::silent(why) }
    }
}
