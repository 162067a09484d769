//! Message parts, which is all that two clients exchange once both have accepted.
//!
//! ```text
//!     +--------+--------+--------+--------+
//!   0 | message id                        |   There is no LEKT header here. A part of length 0 ends the
//!   4 | part: counts from 0 without a gap |   message; the empty message is part 0 of length 0.
//!   8 | length of the payload, <= 65,536  |
//!  12 | payload, NULs to the next 4 bytes |
//!     +--------+--------+--------+--------+
//! ```

use crate::wire::{Reader, WireError};

/// The bytes of a part before its payload.
pub const PART_HEADER: usize = 12;
/// The most payload bytes in one part.
pub const PART_LIMIT: u32 = 65_536;
/// The most messages that one direction may have unfinished at a time.
pub const UNFINISHED_LIMIT: usize = 64;

/// The header of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which message; free again once it has ended.
    pub id: u32,
    /// Counts from 0.
    pub number: u32,
    /// Payload bytes, padding not included; 0 ends the message.
    pub length: u32,
}

impl Part {
    /// Reads the header of a part; its length is judged at the twelfth byte.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let id = reader.u32("message id")?;
        let number = reader.u32("part")?;
        let length = reader.u32_in("length of part", 0..=PART_LIMIT)?;
        Ok(Self { id, number, length })
    }

    /// The header's bytes.
    pub fn header(&self) -> [u8; PART_HEADER] {
        let mut header = [0; PART_HEADER];
        header[..4].copy_from_slice(&self.id.to_be_bytes());
        header[4..8].copy_from_slice(&self.number.to_be_bytes());
        header[8..].copy_from_slice(&self.length.to_be_bytes());
        header
    }

    /// How many NULs follow the payload.
    pub fn padding(&self) -> usize {
        let length = self.length as usize;
        length.next_multiple_of(4) - length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Problem;

    #[test]
    fn a_part_has_golden_bytes() {
        let part = Part { id: 0x0102_0304, number: 5, length: 65_535 };
        let golden = [1, 2, 3, 4, 0, 0, 0, 5, 0, 0, 0xff, 0xff];
        assert_eq!(part.header(), golden);
        assert_eq!(Part::read(&mut Reader::new(&golden)), Ok(part));
        assert_eq!(part.padding(), 1);
    }

    #[test]
    fn a_part_is_judged_at_its_twelfth_byte() {
        let bytes = Part { id: 1, number: 0, length: PART_LIMIT + 1 }.header();
        for cut in 0..12 {
            assert!(Part::read(&mut Reader::new(&bytes[..cut])).unwrap_err().is_short());
        }
        let error = Part::read(&mut Reader::new(&bytes)).unwrap_err();
        assert_eq!((error.at, error.problem), (8, Problem::Value(65_537)));
    }
}
