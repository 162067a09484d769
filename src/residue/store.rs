//! What the clerk needs of the log files.

use std::fmt;
use std::ops::Range;

/// The files that logs go to, one a logger ("Log files").
pub trait LogStore: Send {
    /// The loggers that have a file by now: clients may not have too many new ones made.
    fn loggers(&mut self) -> Vec<Box<str>>;

    /// The same, if somebody else may have changed that since it was asked for last, or if it was not known then.
    fn changed_loggers(&mut self) -> Option<Vec<Box<str>>> {
        None
    }

    /// Appends the lines of all `packets`, in their order, and says for each packet what came of it: its lines stand
    /// all in the files when this returns, or none of them does and none ever will. There are as many results as packets.
    ///
    /// Each logger's lines are one write if that is possible: where one fails, what belongs together is taken back, and
    /// the others may be tried once more.
    fn append(&mut self, packets: &[Packet]) -> Vec<Result<(), StoreError>>;
}

/// The lines of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Lines, each with its line feed. There may be some in it that are not to be written.
    pub text: Vec<u8>,
    /// What is to be written, in this order.
    pub portions: Vec<Portion>,
}

/// A line of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Whose file it goes to: `[A-Za-z0-9._-]{1,64}`, not beginning with a dot.
    pub logger: Box<str>,
    /// Where it is in the packet's text, line feed and all.
    pub line: Range<usize>,
}

impl Packet {
    /// What is to be written, and for which logger.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.portions.iter().map(|portion| {
            let line = self.text.get(portion.line.clone()).unwrap_or_default();
            (&*portion.logger, line)
        })
    }
}

/// Why something could not be written, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}
