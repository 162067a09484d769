//! What the user sees.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::client::error::Error;

/// How much something stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Who.
    Name,
    /// Came, or went well.
    Good,
    /// Left, or went wrong.
    Bad,
    /// Said by us, not by people.
    Dim,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

impl Colours {
    /// On a terminal, unless the environment variable `NO_COLOR` is set to something.
    pub(super) fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stdout().is_terminal() && !unwanted && !dumb { Self::On } else { Self::Off }
    }

    /// `text` in this style. What peers sent has to be made printable before.
    pub(super) fn paint(self, style: Style, text: impl fmt::Display) -> String {
        let code = match style {
            Style::Name => "1",
            Style::Good => "32",
            Style::Bad => "31",
            Style::Dim => "2",
        };
        match self {
            Self::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Off => text.to_string(),
        }
    }
}

/// Writes a line to standard output, at once.
pub(super) fn line(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    written.map_err(unwritten)
}

/// Writes a line to standard error. If nobody reads that there is nobody to tell.
pub(super) fn note(text: fmt::Arguments<'_>) {
    let mut line = text.to_string();
    line.push('\n');
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// The error of standard output.
pub(super) fn unwritten(cause: io::Error) -> Error {
    Error::local("write to standard output", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_where_they_are_off() {
        assert_eq!(Colours::Off.paint(Style::Good, "x"), "x");
        assert_eq!(Colours::On.paint(Style::Good, "x"), "\x1b[32mx\x1b[0m");
    }
}
