//! What has come of the next request, and when ("End of a request", "Manner").

use std::time::{Duration, Instant};

use crate::chapp::wire::REQUEST_LIMIT;
use crate::chapp::wire::frame::{End, Frame, PATIENCE, QUIET, as_it_stands, frame};
use crate::chapp::wire::request::{Complaint, Request};

/// So many times [`QUIET`] may come to nothing for one text. From then on it is twice as long each time, and
/// by [`PATIENCE`] the text is judged for the last time: however slowly its bytes come, it is judged 23 times
/// at most, unless the client marks its ends.
const HASTY_LIMIT: u32 = 16;

/// Listens to one client.
pub(super) struct Hearing {
    manner: Manner,
    input: Input,
    text: Text,
}

/// How a client ends its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// That has not shown yet.
    Unknown,
    /// By empty lines. It may be as slow as it likes in between.
    EmptyLines,
    /// By falling silent.
    Quiet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Flowing,
    Ended,
}

/// What has come of the next request.
enum Text {
    Nothing,
    Some {
        /// How many bytes.
        length: usize,
        /// In how many of them no end begins.
        searched: usize,
        /// When the last of them came.
        since: Instant,
        looks: Looks,
        /// How many times it was judged, as it stood then, and that came to nothing.
        judged: u32,
    },
}

/// What is known of a text that has not ended, as it stands.
#[derive(Clone, Copy)]
enum Looks {
    /// It was not judged yet.
    Unknown,
    /// Something is wrong with it.
    Flawed,
    /// Nothing is wrong with it, but it is not for time to end it.
    Sound,
}

/// What comes of listening.
pub(super) enum Heard<'a> {
    /// No request is whole.
    Nothing,
    /// Empty lines of so many bytes.
    EmptyLines(usize),
    /// A request of so many bytes, or what is wrong with it.
    Request(Result<Request<'a>, Complaint>, usize),
    /// A request that is too long to be heard to its end.
    TooLong(Complaint),
}

impl Hearing {
    pub(super) fn new() -> Self {
        Self { manner: Manner::Unknown, input: Input::Flowing, text: Text::Nothing }
    }

    /// How the client ends its requests.
    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    /// Nothing more comes: what is there is all of it.
    pub(super) fn end(&mut self) {
        self.input = Input::Ended;
    }

    /// Looks for a request at the front of `bytes`, which are all that has come and was not taken. What was
    /// looked at before is looked at again only if time has made a request of it.
    pub(super) fn hear<'a>(&mut self, now: Instant, bytes: &'a [u8]) -> Heard<'a> {
        let heard = match frame(bytes, self.note(now, bytes.len())) {
            Frame::EmptyLines(length) => Heard::EmptyLines(length),
            Frame::TooLong => Heard::TooLong(Complaint::too_long(bytes)),
            Frame::Whole { text, length, end } => {
                if end == End::EmptyLine {
                    self.behave(Manner::EmptyLines);
                }
                Heard::Request(Request::parse(&bytes[..text]), length)
            }
            Frame::Open(least) => {
                if let Text::Some { searched, .. } = &mut self.text {
                    *searched = least;
                }
                let text = as_it_stands(bytes);
                match self.ended_by_time(now, text) {
                    None => Heard::Nothing,
                    // What could still have become an end has become none.
                    Some(Err(complaint)) if text.len() > REQUEST_LIMIT => Heard::TooLong(complaint),
                    Some(request) => Heard::Request(request, bytes.len()),
                }
            }
        };
        if !matches!(heard, Heard::Nothing) {
            self.text = Text::Nothing;
        }
        heard
    }

    /// When what has come may have become a request, if nothing more comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let Text::Some { since, looks, judged, .. } = self.text else { return None };
        self.patience(looks, judged).map(|patience| since + patience)
    }

    /// After how much silence a text is judged that looks like this, and was judged so often; none: not by
    /// silence.
    fn patience(&self, looks: Looks, judged: u32) -> Option<Duration> {
        match (looks, self.manner) {
            (Looks::Sound, _) => None,
            (Looks::Flawed, _) | (Looks::Unknown, Manner::EmptyLines) => Some(PATIENCE),
            (Looks::Unknown, _) if judged < HASTY_LIMIT => Some(QUIET),
            (Looks::Unknown, _) => {
                let times = 2_u32.saturating_pow(judged - HASTY_LIMIT + 1);
                Some(QUIET.saturating_mul(times).min(PATIENCE))
            }
        }
    }

    /// Notes how much is there, and says how much of that was searched.
    fn note(&mut self, now: Instant, there: usize) -> usize {
        let (searched, judged) = match self.text {
            Text::Nothing => (0, 0),
            Text::Some { length, searched, .. } if length == there => return searched,
            Text::Some { searched, judged, .. } => (searched, judged),
        };
        self.text = Text::Some { length: there, searched, since: now, looks: Looks::Unknown, judged };
        searched
    }

    /// What becomes of a text that nothing ends but time, or that nothing more comes.
    fn ended_by_time<'a>(&mut self, now: Instant, text: &'a [u8]) -> Option<Result<Request<'a>, Complaint>> {
        if self.input == Input::Ended {
            return Some(Request::parse(text));
        }
        let Text::Some { since, looks, judged, .. } = self.text else { return None };
        let silence = now.saturating_duration_since(since);
        if self.patience(looks, judged).is_none_or(|patience| silence < patience) {
            return None;
        }
        let looks = match (Request::judge(text), self.manner) {
            (Err(_), _) if silence < PATIENCE => Looks::Flawed,
            // The rest may be on its way, however late it is: a message must not be cut in two.
            (Ok(_), Manner::EmptyLines) => Looks::Sound,
            (Ok(request), _) => {
                self.behave(Manner::Quiet);
                return Some(Ok(request));
            }
            (Err(flaw), _) => return Some(Err(flaw.complain(text))),
        };
        self.look(looks);
        None
    }

    /// Notes what is known of the text, as it was judged.
    fn look(&mut self, like: Looks) {
        if let Text::Some { looks, judged, .. } = &mut self.text {
            *looks = like;
            *judged = judged.saturating_add(1);
        }
    }

    /// The first request shows how a client ends them all.
    fn behave(&mut self, manner: Manner) {
        if self.manner == Manner::Unknown {
            self.manner = manner;
        }
    }
}

#[cfg(test)]
mod tests;
