//! Where a password comes from, and a passphrase, and whatever else nobody may read over a shoulder.

mod terminal;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use zeroize::Zeroizing;

use crate::client::error::Error;

/// A line that is longer than this, its end included, is no secret whatever comes behind.
const LINE_LIMIT: usize = 4096;

/// Something new, as `parse` takes it: from the terminal, twice, or else a line of standard input.
pub(super) fn new<T: PartialEq>(
    question: &str,
    what: &str,
    parse: impl Fn(Zeroizing<Vec<u8>>) -> Result<T, Error>,
) -> Result<T, Error> {
    let first = parse(given(question)?)?;
    if !io::stdin().is_terminal() {
        return Ok(first);
    }
    let again = ask("Once more: ")?;
    if parse(again).is_ok_and(|again| again == first) {
        return Ok(first);
    }
    Err(Error::Unfit(format!("that was not the same {what} twice; nothing was changed")))
}

/// Something that is there already, or is meant to be: from the terminal, or else a line of standard input.
pub(super) fn given(question: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return ask(question);
    }
    let reading = |cause| Error::local("read standard input", cause);
    // By itself, for a buffer of the standard library would keep the password.
    let input = stdin.as_fd().try_clone_to_owned().map(File::from).map_err(reading)?;
    read_line(input).map_err(reading)
}

/// Reads a line and not a byte more: what stands behind it is for whoever reads next. It comes without its end.
pub(super) fn read_line(mut input: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // It never grows, which would leave parts of it behind in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_LIMIT));
    let mut byte = Zeroizing::new([0]);
    while line.len() < LINE_LIMIT {
        match input.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                break;
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(line)
}

/// Asks on the terminal, without echo.
fn ask(question: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    terminal::ask(question).map_err(|cause| Error::local("ask for a password on the terminal", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_without_its_end_and_what_follows_stays() {
        let table: [(&[u8], &[u8], &[u8]); 7] = [
            (b"", b"", b""),
            (b"\n", b"", b""),
            (b"secret", b"secret", b""),
            (b"secret\n", b"secret", b""),
            (b"secret\r\nnext\n", b"secret", b"next\n"),
            (b"secret\r", b"secret\r", b""),
            (b"two words\n\n", b"two words", b"\n"),
        ];
        for (mut input, line, rest) in table {
            assert_eq!(read_line(&mut input).unwrap().as_slice(), line);
            assert_eq!(input, rest);
        }
    }

    #[test]
    fn a_line_without_end_is_not_read_for_ever() {
        let mut endless = io::repeat(b'x');
        assert_eq!(read_line(&mut endless).unwrap().len(), LINE_LIMIT);
    }
}
