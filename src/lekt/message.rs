//! Messages between two clients: [`Inbox`] takes parts apart, [`Outbox`] numbers them.
//!
//! Neither holds a message. A payload is handed on as it comes, borrowed from the bytes that were read; what is
//! sent is framed, and who sends it writes header, payload and padding in one go without a copy. That lets
//! messages of any length through in constant memory, and small ones in between the parts of big ones.

use super::part::{PART_HEADER, PART_LIMIT, Part, UNFINISHED_LIMIT};
use super::wire::{self, kind};
use crate::wire::{Problem, Reader, WireError};

/// What an [`Inbox`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parcel<'a> {
    /// The next bytes of message `id`, at least one. They may be all of a part's payload or some of it.
    Part {
        /// Which message.
        id: u32,
        /// What comes next in it.
        bytes: &'a [u8],
    },
    /// Message `id` is complete: now it is delivered. It may be one that had no bytes.
    Ended {
        /// Which message.
        id: u32,
    },
    /// The other side's rejection crossed our acceptance on the wire. Nothing follows.
    Rejected {
        /// Why.
        reason: &'a str,
    },
}

/// The receiving side: all the rules of "Message parts".
#[derive(Debug, Default)]
pub struct Inbox {
    /// The messages that have begun and not ended, each with the number of its next part.
    unfinished: Vec<(u32, u64)>,
    state: State,
    opening: Opening,
}

/// What comes next in the stream.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    Payload {
        id: u32,
        left: usize,
        padding: usize,
    },
    Padding(usize),
    Rejected,
}

/// Whether the first thing in the stream may still be a packet of the handshake.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Opening {
    #[default]
    Over,
    MayReject,
}

/// How the bytes of a rejection begin, whose version is not judged. A part that begins with them would be
/// one with a gap before it, so that the two cannot be confused.
const REJECTION: [u8; 5] = [b'L', b'E', b'K', b'T', kind::REJECT];

impl Inbox {
    /// The inbox of the side that accepted last: until a part has come, the other may have rejected before it
    /// learnt of that.
    pub fn after_accepting() -> Self {
        Self { opening: Opening::MayReject, ..Self::default() }
    }

    /// Takes what came, up to the next thing to tell. Returns how many of `bytes` were taken and what they were;
    /// neither means that more bytes are needed. Call it again with the rest until then.
    ///
    /// # Errors
    /// A rule was broken: the connection has to be closed without a word.
    pub fn receive<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Option<Parcel<'a>>), WireError> {
        let mut reader = Reader::new(bytes);
        match self.step(&mut reader) {
            Ok(parcel) => Ok((reader.position(), parcel)),
            Err(error) if error.is_short() => Ok((0, None)),
            Err(error) => Err(error),
        }
    }

    /// The messages that have begun and not ended. At the end of the stream they are dropped.
    pub fn unfinished(&self) -> impl Iterator<Item = u32> + '_ {
        self.unfinished.iter().map(|&(id, _)| id)
    }

    /// True if the stream may end here without cutting anything short, given that all that came was taken.
    pub fn may_end(&self) -> bool {
        self.unfinished.is_empty() && self.state == State::Header
    }

    fn step<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Option<Parcel<'a>>, WireError> {
        match self.state {
            State::Header => self.header(reader),
            State::Payload { id, left, padding } => self.payload(reader, id, left, padding).map(Some),
            State::Padding(length) => {
                reader.padding("part", length)?;
                self.state = State::Header;
                Ok(None)
            }
            State::Rejected => {
                reader.bytes("discarded", reader.rest().len())?;
                Ok(None)
            }
        }
    }

    fn payload<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        id: u32,
        left: usize,
        padding: usize,
    ) -> Result<Parcel<'a>, WireError> {
        let there = reader.rest().len().min(left).max(1);
        let bytes = reader.bytes("payload", there)?;
        self.state = match left - there {
            0 if padding == 0 => State::Header,
            // A reader pads what it has read to a multiple of four.
            0 => State::Padding(4 - padding),
            left => State::Payload { id, left, padding },
        };
        Ok(Parcel::Part { id, bytes })
    }

    fn header<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Option<Parcel<'a>>, WireError> {
        if self.opening == Opening::MayReject && reader.rest().starts_with(&REJECTION) {
            wire::header(reader)?;
            let reason = wire::said(reader, "reason")?;
            self.state = State::Rejected;
            return Ok(Some(Parcel::Rejected { reason }));
        }
        let place = self.place(&mut reader.clone())?;
        let start = reader.clone();
        let part = Part::read(reader)?;
        self.opening = Opening::Over;
        match (place, part.length) {
            (None, 0) => {}
            (Some(place), 0) => {
                self.unfinished.swap_remove(place);
            }
            (None, _) if self.unfinished.len() == UNFINISHED_LIMIT => {
                return Err(start.error("unfinished messages", Problem::Value(65)));
            }
            (None, _) => self.unfinished.push((part.id, 1)),
            (Some(place), _) => self.unfinished[place].1 += 1,
        }
        if part.length == 0 {
            return Ok(Some(Parcel::Ended { id: part.id }));
        }
        self.state = State::Payload { id: part.id, left: part.length as usize, padding: part.padding() };
        Ok(None)
    }

    /// Where in `unfinished` the message is that the part belongs to; none if it begins one. Judged as soon as
    /// id and number are there, before the length is.
    fn place(&self, reader: &mut Reader<'_>) -> Result<Option<usize>, WireError> {
        let id = reader.u32("message id")?;
        let start = reader.clone();
        let number = reader.u32("part")?;
        let place = self.unfinished.iter().position(|&(unfinished, _)| unfinished == id);
        let expected = place.map_or(0, |place| self.unfinished[place].1);
        if u64::from(number) != expected {
            return Err(start.error("part", Problem::Value(number)));
        }
        Ok(place)
    }
}

/// What stands around a payload of 1 to [`PART_LIMIT`] bytes, or all of a part that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Goes before the payload.
    pub header: [u8; PART_HEADER],
    /// How many NULs go after it, 0 to 3.
    pub padding: usize,
}

impl Frame {
    fn of(id: u32, number: u32, length: u32) -> Self {
        let part = Part { id, number, length };
        Self { header: part.header(), padding: part.padding() }
    }
}

/// A message that has begun and not ended; made by [`Outbox::begin`], taken back by [`Outbox::end`].
#[derive(Debug)]
pub struct Outgoing {
    id: u32,
    next: u64,
}

/// The sending side: ids and part numbers.
///
/// Parts of several messages may be sent in any order: whoever sends a big message gives the others their turn
/// after each part.
#[derive(Debug, Default)]
pub struct Outbox {
    unfinished: Vec<u32>,
    next: u32,
}

impl Outbox {
    /// Begins a message that goes out in parts; none while as many are unfinished as may be. One place is always
    /// kept for a message that goes out [`whole`](Self::whole).
    pub fn begin(&mut self) -> Option<Outgoing> {
        if self.unfinished.len() >= UNFINISHED_LIMIT - 1 {
            return None;
        }
        let id = self.unused();
        self.unfinished.push(id);
        Some(Outgoing { id, next: 0 })
    }

    /// The frame of the next part of `message`, with `length` bytes of payload, 1 to [`PART_LIMIT`]; none for any
    /// other length, and after 2^32 - 1 parts, when there is no number left but for the end.
    pub fn part(&self, message: &mut Outgoing, length: usize) -> Option<Frame> {
        let number = u32::try_from(message.next).ok().filter(|&number| number < u32::MAX)?;
        let length = u32::try_from(length).ok().filter(|length| (1..=PART_LIMIT).contains(length))?;
        message.next += 1;
        Some(Frame::of(message.id, number, length))
    }

    /// Ends `message`: all of its last part.
    #[expect(clippy::needless_pass_by_value, reason = "a message ends once")]
    pub fn end(&mut self, message: Outgoing) -> [u8; PART_HEADER] {
        let Outgoing { id, next } = message;
        self.unfinished.retain(|&unfinished| unfinished != id);
        // `part` never lets the number grow beyond this.
        Frame::of(id, u32::try_from(next).unwrap_or(u32::MAX), 0).header
    }

    /// A whole message of `length` bytes, at most [`PART_LIMIT`]: what stands before and around its payload, and
    /// the part that ends it. None if it is longer. Nothing else may be sent in between.
    pub fn whole(&mut self, length: usize) -> Option<(Option<Frame>, [u8; PART_HEADER])> {
        let length = u32::try_from(length).ok().filter(|&length| length <= PART_LIMIT)?;
        let id = self.unused();
        Some(match length {
            0 => (None, Frame::of(id, 0, 0).header),
            _ => (Some(Frame::of(id, 0, length)), Frame::of(id, 1, 0).header),
        })
    }

    /// An id that no unfinished message has. There are at most 64 to step over.
    fn unused(&mut self) -> u32 {
        while self.unfinished.contains(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        id
    }
}

#[cfg(test)]
mod tests;
