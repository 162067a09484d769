//! What one client has been told about the others, and how it reads that.

use std::io;

use super::{bytes, wrong};

/// Who is there, one bit a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    words: Vec<u64>,
    /// Clients with numbers below this are counted in `home`.
    pub(crate) home_below: u32,
    /// How many of those are there.
    pub(crate) home: u32,
    /// How many changes have been told.
    pub(crate) told: u64,
    /// How many of them cannot be: adding who is there, removing who is not.
    pub(crate) strays: u64,
}

impl View {
    /// An empty view that counts those below `home_below`.
    pub(crate) fn counting(home_below: u32) -> Self {
        Self { home_below, ..Self::default() }
    }

    /// Adds somebody.
    pub(crate) fn add(&mut self, number: u32) {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.strays += u64::from(self.words[word] & bit != 0);
        self.words[word] |= bit;
        self.home += u32::from(number < self.home_below);
        self.told += 1;
    }

    /// Removes somebody.
    pub(crate) fn remove(&mut self, number: u32) {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        match self.words.get_mut(word) {
            Some(found) if *found & bit != 0 => *found &= !bit,
            _ => self.strays += 1,
        }
        self.home -= u32::from(number < self.home_below && self.home > 0);
        self.told += 1;
    }

    /// Whether this is `all` without client `own`, and came about without strays.
    pub(crate) fn is_all_but(&self, own: u32, all: &Self) -> bool {
        let without = |index: usize, word: u64| match index == own as usize / 64 {
            true => word & !(1 << (own % 64)),
            false => word,
        };
        self.strays == 0
            && (0..self.words.len().max(all.words.len())).all(|index| {
                let word = |view: &Self| view.words.get(index).copied().unwrap_or(0);
                word(self) == without(index, word(all))
            })
    }

    /// A sum of who is there that does not depend on an order.
    pub(crate) fn checksum(&self) -> u64 {
        (1_u64..)
            .zip(&self.words)
            .fold(0, |sum, (index, word)| sum.wrapping_add(word.wrapping_mul(2 * index + 1)))
    }
}

/// How far the answers of a server have been read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    removed: bool,
    left: u32,
}

impl Reading {
    /// Whether the last packet is complete.
    pub(crate) fn at_boundary(&self) -> bool {
        self.left == 0
    }

    /// Reads to the end of the packet at hand, or as far as `bytes` go, and says how far that was.
    pub(crate) fn read(&mut self, bytes: &[u8], view: &mut View) -> io::Result<usize> {
        let mut at = 0;
        if self.left == 0 {
            let Some(block) = bytes.first_chunk::<{ bytes::BLOCK }>() else { return Ok(0) };
            self.begin(block)?;
            at = bytes::BLOCK;
        }
        if self.removed {
            for address in bytes[at..].as_chunks::<{ bytes::ADDRESS }>().0.iter().take(self.left as usize) {
                view.remove(known(*address)?);
                self.left -= 1;
                at += bytes::ADDRESS;
            }
        } else {
            for object in bytes[at..].as_chunks::<{ bytes::OBJECT }>().0.iter().take(self.left as usize) {
                view.add(member(object)?);
                self.left -= 1;
                at += bytes::OBJECT;
            }
        }
        Ok(at)
    }

    fn begin(&mut self, block: &[u8; bytes::BLOCK]) -> io::Result<()> {
        if !block.starts_with(bytes::ANSWER) {
            return Err(wrong(format!("not an answer: {}", block.escape_ascii())));
        }
        self.removed = match block[16] {
            b'A' => false,
            b'R' => true,
            other => return Err(wrong(format!("a block of kind {other:#x}"))),
        };
        self.left = u32::from_be_bytes([0, block[17], block[18], block[19]]);
        Ok(())
    }
}

fn known(address: [u8; 4]) -> io::Result<u32> {
    bytes::number(address).ok_or_else(|| wrong(format!("nobody has the address {address:?}")))
}

fn member(object: &[u8; bytes::OBJECT]) -> io::Result<u32> {
    let [size, address, index, port] = *object.as_chunks::<4>().0 else {
        return Err(wrong("an object of another size"));
    };
    let number = known(address)?;
    let told = [size, index, port].map(u32::from_be_bytes);
    if told == [12, 1, bytes::port(number)] {
        return Ok(number);
    }
    Err(wrong(format!("client {number} is told as {}", object.escape_ascii())))
}
