//! A file as the ground of a draft: whoever writes on it sees what it has written, and the file stays as it is.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// How much is kept of the file when something within it is written.
const BLOCK: usize = 4096;

/// What a database takes for its file. It has to be told apart from other such files by the system's locks, which
/// a file that was opened for reading can only share with others that read.
#[derive(Debug)]
pub(super) struct Draft {
    file: FileBackend,
    sheets: Mutex<Sheets>,
}

#[derive(Debug)]
struct Sheets {
    /// How long the draft is.
    length: u64,
    /// How much of the file it still shows: what was once cut off reads as zeros.
    ground: u64,
    /// What was written, by the numbers of the blocks.
    written: BTreeMap<u64, Box<[u8]>>,
}

impl Draft {
    /// A draft on this file.
    pub(super) fn new(file: FileBackend) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self { file, sheets: Mutex::new(Sheets { length, ground: length, written: BTreeMap::new() }) })
    }

    /// Reads what the file has to say about this, and zeros beyond it.
    fn read_ground(&self, sheets: &Sheets, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there =
            usize::try_from(sheets.ground.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (shown, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        if shown.is_empty() { Ok(()) } else { self.file.read(offset, shown) }
    }
}

/// The block that holds a byte, and where in it that is.
fn place(offset: u64) -> (u64, usize) {
    let block = BLOCK as u64;
    // A remainder of BLOCK is less than that.
    (offset / block, usize::try_from(offset % block).unwrap_or_default())
}

impl StorageBackend for Draft {
    fn len(&self) -> io::Result<u64> {
        Ok(self.sheets.lock().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let sheets = self.sheets.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > sheets.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_ground(&sheets, offset, out)?;
        let mut done = 0;
        while done < out.len() {
            let (number, start) = place(offset + done as u64);
            let count = (BLOCK - start).min(out.len() - done);
            if let Some(block) = sheets.written.get(&number) {
                out[done..done + count].copy_from_slice(&block[start..start + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut sheets = self.sheets.lock();
        if length < sheets.length {
            let (number, start) = place(length);
            drop(sheets.written.split_off(&(number + u64::from(start > 0))));
            if let Some(last) = sheets.written.get_mut(&number) {
                last[start..].fill(0);
            }
        }
        sheets.ground = sheets.ground.min(length);
        sheets.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut sheets = self.sheets.lock();
        let mut done = 0;
        while done < data.len() {
            let (number, start) = place(offset + done as u64);
            let count = (BLOCK - start).min(data.len() - done);
            let mut block = match sheets.written.remove(&number) {
                Some(block) => block,
                None => {
                    let mut block = vec![0; BLOCK].into_boxed_slice();
                    self.read_ground(&sheets, number * BLOCK as u64, &mut block)?;
                    block
                }
            };
            block[start..start + count].copy_from_slice(&data[done..done + count]);
            sheets.written.insert(number, block);
            done += count;
        }
        sheets.length = sheets.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::wire::random::Random;

    #[test]
    fn a_draft_is_like_a_file_and_leaves_the_file_alone() {
        let mut random = Random::new(4);
        for _ in 0..50 {
            let mut plain: Vec<u8> = (0..random.below(20_000)).map(|_| random.byte()).collect();
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&plain).unwrap();
            let before = plain.clone();
            let draft = Draft::new(FileBackend::new(file.reopen().unwrap()).unwrap()).unwrap();
            for _ in 0..40 {
                let (offset, count) = (random.below(30_000), random.below(9000));
                match random.below(3) {
                    0 => {
                        plain.resize(offset, 0);
                        draft.set_len(offset as u64).unwrap();
                    }
                    1 => {
                        let data: Vec<u8> = (0..count).map(|_| random.byte()).collect();
                        plain.resize(plain.len().max(offset + count), 0);
                        plain[offset..offset + count].copy_from_slice(&data);
                        draft.write(offset as u64, &data).unwrap();
                    }
                    _ => {
                        let mut seen = vec![1; count];
                        let outcome = draft.read(offset as u64, &mut seen);
                        match plain.get(offset..offset + count) {
                            Some(expected) => assert_eq!(seen, expected),
                            None => assert!(outcome.is_err()),
                        }
                    }
                }
                assert_eq!(draft.len().unwrap(), plain.len() as u64);
            }
            assert_eq!(std::fs::read(file.path()).unwrap(), before);
        }
    }
}
