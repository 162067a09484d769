//! Bugs on purpose, to see what becomes of a daemon one of whose threads panics.
//!
//! The environment variable `ROLLCALL_REHEARSE` names the [`Scene`] at which a build for debugging panics. A release
//! has none of it, and does not look at the variable.

/// Where a thread may panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    /// While connections are let in.
    Accept,
    /// A poll loop, at something that has happened to a connection.
    Loop,
    /// Whoever serves a connection, while its session judges bytes.
    Connection,
    /// A worker, while it changes the roll.
    Worker,
    /// A clerk, while he deals with a case.
    Clerk,
    /// Whoever does what is slow.
    Slow,
}

/// Panics if this is the scene that is rehearsed.
#[cfg(debug_assertions)]
pub(super) fn rehearse(scene: Scene) {
    use std::sync::OnceLock;
    static REHEARSED: OnceLock<Option<String>> = OnceLock::new();
    let rehearsed = REHEARSED.get_or_init(|| std::env::var("ROLLCALL_REHEARSE").ok());
    if let Some(name) = rehearsed {
        assert!(!format!("{scene:?}").eq_ignore_ascii_case(name), "this was asked for");
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
#[inline]
pub(super) fn rehearse(_: Scene) {}
