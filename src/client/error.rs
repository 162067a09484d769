//! What can go wrong, in one sentence that names what to do.

use std::fmt;
use std::io;

use crate::lekt::peer::Fault;
use crate::wire::WireError;
use crate::wire::text::Printable;

/// Why a client's undertaking failed. `who` is the other side, as its user would name it.
#[derive(Debug)]
pub enum Error {
    /// Nobody answers there.
    Unreachable {
        /// What was tried.
        who: String,
        /// What the system said.
        cause: io::Error,
        /// What to do about it.
        advice: &'static str,
    },
    /// The other side does not want to talk to us.
    Rejected {
        /// Who.
        who: String,
        /// In its own words.
        reason: String,
    },
    /// Our own user did not want to.
    Declined,
    /// The other side broke the protocol, or let us wait too long.
    Fault {
        /// Who.
        who: String,
        /// What it did.
        fault: Fault,
    },
    /// The other side does not keep to the protocol of this name.
    Garbled {
        /// Who.
        who: String,
        /// The protocol.
        protocol: &'static str,
        /// What it did.
        why: String,
    },
    /// It is not known whether something has arrived.
    Unsure {
        /// At whom.
        who: String,
        /// What.
        what: String,
    },
    /// The connection ended before it should have.
    Lost {
        /// With whom.
        who: String,
        /// How.
        why: String,
    },
    /// A handshake that was tried out did not come to its end.
    Stuck {
        /// With whom.
        who: String,
        /// At which step.
        step: &'static str,
        /// What the other side did there, or did not do.
        why: String,
    },
    /// The other side began more than we hold unfinished, this many bytes.
    Held(usize),
    /// The server lists more clients than we take, this many, or has more of them come and go at once.
    Crowded(usize),
    /// Something of our own failed: a file, the terminal, a socket.
    Local {
        /// What was being done, as in "cannot ...".
        doing: String,
        /// What the system said.
        cause: io::Error,
    },
    /// What was given, other than the command line, is not as it has to be: one sentence that says how.
    Unfit(String),
    /// The command line, or a line typed, does not say what to do.
    Usage(String),
}

impl Error {
    /// A shorthand for [`Error::Local`].
    pub fn local(doing: impl Into<String>, cause: io::Error) -> Self {
        Self::Local { doing: doing.into(), cause }
    }

    /// A connection with `who` that ended badly.
    pub fn lost(who: &str, why: impl fmt::Display) -> Self {
        let why = why.to_string();
        // What the system says, without its number.
        let why = why.split(" (os error").next().unwrap_or_default().to_owned();
        Self::Lost { who: who.to_owned(), why }
    }

    /// A shorthand for a [`Error::Fault`] that lies in the bytes.
    pub fn malformed(who: &str, error: WireError) -> Self {
        Self::Fault { who: who.to_owned(), fault: Fault::Malformed(error) }
    }

    /// True if nobody reads any more what we write: there is nothing to tell anybody about it.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Local { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { who, cause, advice } => {
                write!(f, "cannot reach {}: {}; {advice}", Printable(who), plain(cause))
            }
            Self::Rejected { who, reason } => {
                write!(f, "rejected by {}: {}", Printable(who), Printable(reason))?;
                // Servers and peers greet with the same letter and go on differently.
                let confused = reason.starts_with("malformed");
                f.write_str(if confused {
                    "; is that a server where a peer was meant, or a peer?"
                } else {
                    ""
                })
            }
            Self::Declined => f.write_str("the call was not accepted here"),
            Self::Fault { who, fault: Fault::Malformed(error) } => {
                write!(f, "{} does not speak LEKT as it should: {error}", Printable(who))
            }
            Self::Fault { who, fault } => write!(f, "gave up on {}: {fault}", Printable(who)),
            Self::Garbled { who, protocol, why } => {
                write!(f, "{} does not speak {protocol} as it should: {why}", Printable(who))
            }
            Self::Unsure { who, what } => {
                write!(
                    f,
                    "it is not known whether {what} has reached {}; it was not sent again",
                    Printable(who)
                )
            }
            Self::Lost { who, why } => write!(f, "lost {}: {why}", Printable(who)),
            Self::Stuck { who, step, why } => {
                write!(f, "{} failed at the step \"{step}\": {why}", Printable(who))
            }
            Self::Held(limit) => {
                write!(f, "closed: more than {limit} bytes of unfinished messages; --hold allows more")
            }
            Self::Crowded(limit) => write!(f, "gave up: the server lists more than {limit} clients"),
            Self::Local { doing, cause } => write!(f, "cannot {doing}: {}", plain(cause)),
            Self::Unfit(what) | Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// What the system said, without its number.
pub(super) fn plain(error: &io::Error) -> String {
    let said = error.to_string();
    match said.find(" (os error") {
        Some(end) => said[..end].to_lowercase(),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_sentence_and_say_what_to_do() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        let unreachable =
            Error::Unreachable { who: "localhost:1".to_owned(), cause: refused, advice: "try again" };
        assert_eq!(unreachable.to_string(), "cannot reach localhost:1: connection refused; try again");
        let rejected = Error::Rejected { who: "bob".to_owned(), reason: "no\u{1b}[2J".to_owned() };
        assert_eq!(rejected.to_string(), r"rejected by bob: no\u{1B}[2J");
        assert!(Error::local("write", io::ErrorKind::BrokenPipe.into()).is_broken_pipe());
    }
}
