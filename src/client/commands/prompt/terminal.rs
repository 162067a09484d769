//! A question on the terminal whose answer is not shown.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{self, FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use zeroize::Zeroizing;

/// What ends a program, and would leave the terminal without its echo.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
/// The longest line of a terminal; the system drops what is typed beyond it.
const LINE: usize = 4096;

/// Asks, and reads a line, which comes without its end. Where a signal ends us meanwhile, the terminal is as it was
/// before it does.
pub(super) fn ask(question: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    // Let go last: what has come meanwhile ends us then.
    let held = Held::new()?;
    let silent = Silent::new(&terminal)?;
    (&terminal).write_all(question.as_bytes())?;
    let typed = held.wait_for(&terminal).and_then(|()| line(&terminal));
    drop(silent);
    // Enter was not shown either.
    terminal.write_all(b"\n")?;
    typed
}

/// A terminal gives a line at a time.
fn line(mut terminal: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(vec![0; LINE]);
    let count = terminal.read(&mut line)?;
    if count == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected end of file"));
    }
    line.truncate(count);
    line.pop_if(|last| *last == b'\n');
    Ok(line)
}

/// A terminal without echo, until this is dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = termios::tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        silent.local_flags.insert(LocalFlags::ICANON | LocalFlags::ISIG);
        // A shell that we are stopped under would give the terminal its echo back, and we would not notice.
        silent.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
        termios::tcsetattr(terminal, SetArg::TCSANOW, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        if let Err(error) = termios::tcsetattr(self.terminal, SetArg::TCSANOW, &self.before) {
            log::warn!("the terminal stays without echo: {error}");
        }
    }
}

/// The signals that end us, which wait until this is dropped.
struct Held {
    before: SigSet,
    came: SignalFd,
}

impl Held {
    fn new() -> io::Result<Self> {
        let ending = SigSet::from_iter(ENDING);
        let came = SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { before: ending.thread_swap_mask(SigmaskHow::SIG_BLOCK)?, came })
    }

    /// Waits until there is something to read, or one of the signals, which is an error.
    fn wait_for(&self, terminal: &File) -> io::Result<()> {
        let mut both = [terminal.as_fd(), self.came.as_fd()].map(|one| PollFd::new(one, PollFlags::POLLIN));
        while let Err(error) = poll(&mut both, PollTimeout::NONE) {
            if error != Errno::EINTR {
                return Err(error.into());
            }
        }
        if both[1].any() != Some(true) {
            return Ok(());
        }
        // A shell would take what is there of a password for a command that is being typed, and show it.
        termios::tcflush(terminal, FlushArg::TCIFLUSH)?;
        Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.before.thread_set_mask() {
            log::warn!("signals stay held back: {error}");
        }
    }
}
