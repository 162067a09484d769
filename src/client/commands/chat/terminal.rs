//! Where a chat is typed and shown: on a terminal with line editing and history, or line by line.

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor, ExternalPrinter};

use super::talk::Happening;
use crate::client::commands::screen;
use crate::client::error::Error;

/// Lines that are remembered from chat to chat.
const HISTORY: usize = 1000;
/// A line that is longer than this is cut.
const LINE_LIMIT: u64 = 1 << 20;
/// What may wait to be printed.
const UNPRINTED_LIMIT: usize = 256;
/// How long it is waited for room for more.
const UNPRINTED_AFTER: Duration = Duration::from_secs(1);
/// How long the last of it may take.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Where lines are shown.
pub(super) enum Paper {
    /// Standard output.
    Plain,
    /// A terminal on which somebody may be typing: what is shown goes above that.
    Terminal(Printer),
}

impl Paper {
    /// Shows a line, or several.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Error> {
        match self {
            Self::Plain => screen::line(text),
            Self::Terminal(printer) => printer.print(format!("{text}\n")),
        }
    }
}

/// Prints without tearing the line being typed.
///
/// The line editor may take what is printed only once it waits for the next line. So that we get as far as
/// asking it for that, a thread of its own does the waiting.
pub(super) struct Printer {
    lines: Option<Sender<String>>,
    done: Receiver<()>,
}

impl Printer {
    fn start(mut editor: impl ExternalPrinter + Send + 'static) -> io::Result<Self> {
        let (lines, printed) = bounded::<String>(UNPRINTED_LIMIT);
        let (finished, done) = bounded(0);
        thread::Builder::new().name("printer".to_owned()).spawn(move || {
            let _finished: Sender<()> = finished;
            for line in printed {
                if editor.print(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { lines: Some(lines), done })
    }

    fn print(&self, text: String) -> Result<(), Error> {
        let gone = || screen::unwritten(io::ErrorKind::BrokenPipe.into());
        match self.lines.as_ref().ok_or_else(gone)?.send_timeout(text, UNPRINTED_AFTER) {
            Ok(()) => Ok(()),
            // The editor may take nothing before it is asked for the next line, and it is us who ask: better a
            // line that tears another than a chat that hangs.
            Err(SendTimeoutError::Timeout(text)) => screen::line(text.trim_end_matches('\n')),
            Err(SendTimeoutError::Disconnected(_)) => Err(gone()),
        }
    }
}

impl Drop for Printer {
    /// Lets what is on its way be seen.
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.done.recv_timeout(LAST_LINES);
    }
}

/// Where lines are typed.
pub(super) struct Keyboard {
    /// What stands before the line being typed.
    prompt: Arc<Mutex<String>>,
    /// The next line is asked for only once the last one was seen to.
    next: Sender<()>,
    is_interactive: bool,
}

impl Keyboard {
    /// Whether somebody types, who sees what there is to answer to.
    pub(super) fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Asks for another line; `prompt` stands before it on a terminal.
    pub(super) fn next_line(&self, prompt: String) {
        *self.prompt.lock() = prompt;
        let _ = self.next.send(());
    }
}

/// Opens the terminal, if it is one; lines that are typed become happenings.
pub(super) fn open(tell: Sender<Happening>) -> Result<(Keyboard, Paper), Error> {
    let (next, asked) = bounded(1);
    let prompt = Arc::new(Mutex::new(String::new()));
    let is_interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let keyboard = Keyboard { prompt: Arc::clone(&prompt), next, is_interactive };
    let (paper, read): (_, Box<dyn FnOnce() + Send>) = if is_interactive {
        let (editor, printer) = editor().map_err(|error| {
            Error::local("edit lines on this terminal", io::Error::other(error.to_string()))
        })?;
        let paper = Paper::Terminal(printer);
        (paper, Box::new(move || edit_lines(editor, &prompt, &asked, &tell)))
    } else {
        (Paper::Plain, Box::new(move || read_lines(&asked, &tell)))
    };
    let spawned = thread::Builder::new().name("keyboard".to_owned()).spawn(read);
    spawned.map_err(|cause| Error::local("start a thread", cause))?;
    Ok((keyboard, paper))
}

fn editor() -> rustyline::Result<(DefaultEditor, Printer)> {
    let config = Config::builder().max_history_size(HISTORY)?.auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config)?;
    if let Some(file) = history_file() {
        // There is none at first.
        let _ = editor.load_history(&file);
    }
    let printer = Printer::start(editor.create_external_printer()?)?;
    Ok((editor, printer))
}

fn edit_lines(
    mut editor: DefaultEditor,
    prompt: &Mutex<String>,
    asked: &Receiver<()>,
    tell: &Sender<Happening>,
) {
    for () in asked {
        let before = prompt.lock().clone();
        let happening = match editor.readline(&before) {
            Ok(line) => Happening::Typed(line),
            Err(ReadlineError::Signal(_)) => Happening::Typed(String::new()),
            Err(_) => Happening::EndOfInput,
        };
        let is_last = matches!(happening, Happening::EndOfInput);
        if let Some(file) = history_file() {
            let _ = editor.append_history(&file);
        }
        if tell.send(happening).is_err() || is_last {
            return;
        }
    }
}

fn read_lines(asked: &Receiver<()>, tell: &Sender<Happening>) {
    let mut stdin = io::stdin().lock();
    for () in asked {
        let mut line = Vec::new();
        let happening = match stdin.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => Happening::EndOfInput,
            Ok(_) => Happening::Typed(String::from_utf8_lossy(&line).into_owned()),
        };
        let is_last = matches!(happening, Happening::EndOfInput);
        if tell.send(happening).is_err() || is_last {
            return;
        }
    }
}

/// Where what was typed is remembered: below `XDG_STATE_HOME`, for the user alone.
fn history_file() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    let directory = state.join("rollcall");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}
