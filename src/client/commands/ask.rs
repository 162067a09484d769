//! `--accept ask`: the user is asked about one caller at a time.

use std::io::{self, BufRead, IsTerminal, Read};
use std::net::SocketAddr;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, never, select, select_biased};

use super::screen::note;
use crate::client::error::Error;
use crate::client::ringing::Decider;
use crate::wire::text::Printable;

/// A line of an answer that is longer than this is none.
const ANSWER_LIMIT: u64 = 1024;

/// Somebody calls.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) nickname: String,
    pub(super) remote: SocketAddr,
    pub(super) decider: Decider,
    /// Disconnected as soon as there is nothing left to decide: the caller has given up, or we have.
    pub(super) over: Receiver<()>,
}

/// What a line of standard input says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Yes,
    No,
}

/// What becomes of lines that come before there is a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Early {
    /// Somebody has typed them, and not as an answer to what was not asked yet.
    Dropped,
    /// They are the answers to come, out of a file or a pipe.
    Kept,
}

/// Starts to ask on standard error, and to take the answers from standard input. Up to `limit` questions wait.
pub(super) fn start(limit: usize) -> Result<Sender<Question>, Error> {
    let (questions, asked) = bounded(limit);
    let (said, words) = bounded(0);
    let early = if io::stdin().is_terminal() { Early::Dropped } else { Early::Kept };
    let started = |cause| Error::local("start a thread", cause);
    // Reading cannot be broken off, so it is done where nobody waits for it.
    let reading = thread::Builder::new().name("stdin".to_owned());
    reading.spawn(move || read_words(io::stdin().lock(), &said)).map_err(started)?;
    let asking = thread::Builder::new().name("ask".to_owned());
    asking.spawn(move || ask(&asked, &words, early)).map_err(started)?;
    Ok(questions)
}

fn read_words(mut input: impl BufRead, said: &Sender<Word>) {
    while let Ok(Some(word)) = read_word(&mut input) {
        if said.send(word).is_err() {
            return;
        }
    }
}

/// None at the end of the input.
fn read_word(input: &mut impl BufRead) -> io::Result<Option<Word>> {
    let mut line = Vec::new();
    if input.by_ref().take(ANSWER_LIMIT).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    let is_yes = matches!(line.trim_ascii(), b"y" | b"Y" | b"yes");
    Ok(Some(if is_yes { Word::Yes } else { Word::No }))
}

/// Puts the questions, one after the other.
fn ask(questions: &Receiver<Question>, words: &Receiver<Word>, mut early: Early) {
    loop {
        let too_early = if early == Early::Dropped { words.clone() } else { never() };
        select! {
            recv(questions) -> question => match question {
                Ok(question) => {
                    while early == Early::Dropped && words.try_recv().is_ok() {}
                    put(&question, words);
                }
                Err(_) => return,
            },
            recv(too_early) -> word => if word.is_err() {
                // That was the end of the input, and stays it.
                early = Early::Kept;
            },
        }
    }
}

/// Asks about one caller, until there is an answer or nobody who waits for it.
fn put(question: &Question, words: &Receiver<Word>) {
    let Question { nickname, remote, decider, over } = question;
    if decider.is_over() || over.try_recv() == Err(TryRecvError::Disconnected) {
        return;
    }
    let nickname = Printable(nickname);
    note(format_args!("{nickname} calls from {remote}. Accept? [y/n]"));
    let decided = select_biased! {
        // What became of the call is told by who has waited for it.
        recv(over) -> _ => return,
        recv(words) -> word => match word {
            Ok(Word::Yes) => decider.accept(),
            Ok(Word::No) => decider.reject("the call was declined"),
            Err(_) => decider.reject("nobody is there to accept the call"),
        },
    };
    if decided.is_err() {
        note(format_args!("{nickname} has given up"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_answer_however_long_it_is() {
        let long = "y".repeat(5000) + "\n";
        let mut input = io::Cursor::new(format!("y\n yes \r\nno\n{long}Y\n\n\u{fe}\ny"));
        let mut words = Vec::new();
        while let Some(word) = read_word(&mut input).unwrap() {
            words.push(word);
        }
        use Word::{No, Yes};
        assert_eq!(words, [Yes, Yes, No, No, Yes, No, No, Yes]);
    }

    #[test]
    fn what_was_typed_before_the_question_is_no_answer_to_it() {
        for (early, reply) in [(Early::Dropped, &b"LEKTR"[..]), (Early::Kept, b"LEKTA")] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let mut eve = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            io::Write::write_all(&mut eve, b"LEKTH\0\0\0eve\0").unwrap();
            let mut ringing = crate::client::Ringing::answer(listener.accept().unwrap().0, "bob").unwrap();
            ringing.introduced().unwrap();
            let (questions, asked) = bounded(1);
            let (said, words) = bounded(1);
            let (_waiting, over) = bounded(0);
            said.send(Word::Yes).unwrap();
            let question = Question {
                nickname: "eve".to_owned(),
                remote: ringing.remote(),
                decider: ringing.decider(),
                over,
            };
            questions.send(question).unwrap();
            // The input ends behind the one word, and then the questions.
            drop((said, questions));
            ask(&asked, &words, early);
            let mut start = [0; 5];
            eve.read_exact(&mut start).unwrap();
            assert_eq!(start, reply, "{early:?}");
        }
    }
}
