//! Listings side by side, in pages that are shared with whoever is being sent them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The bytes of a page: enough that ten thousand clients are forty pieces for one write, and few enough to
/// copy when the roll changes while somebody is being sent the page as it was.
const PAGE: usize = 4096;

/// Some listings of one size, one behind the other. A page that somebody else holds is never changed: the
/// roll goes on with a copy.
#[derive(Clone)]
pub struct Page {
    bytes: [u8; PAGE],
}

/// A part of a page, for as long as it takes to send it.
#[derive(Clone)]
pub struct PageSlice {
    page: Arc<Page>,
    start: u16,
    end: u16,
}

impl PageSlice {
    fn new(page: &Arc<Page>, part: Range<usize>) -> Self {
        // A page is far smaller than what 16 bits can count.
        let [start, end] = [part.start, part.end].map(|at| u16::try_from(at).unwrap_or(u16::MAX));
        Self { page: Arc::clone(page), start, end }
    }

    /// The bytes of the listings in this part.
    pub fn as_slice(&self) -> &[u8] {
        &self.page.bytes[usize::from(self.start)..usize::from(self.end)]
    }
}

impl fmt::Debug for PageSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageSlice({}..{})", self.start, self.end)
    }
}

/// All listings of one size, without gaps: the last one fills the place of whichever goes.
pub(super) struct Shelf {
    size: usize,
    pages: Vec<Arc<Page>>,
    /// The slot of the entry whose listing lies at each index.
    owners: Vec<u32>,
}

impl Shelf {
    /// An empty shelf for listings of `size` bytes, 1 to [`PAGE`].
    pub(super) fn new(size: usize) -> Self {
        assert!((1..=PAGE).contains(&size), "a listing is smaller than a page");
        Self { size, pages: Vec::new(), owners: Vec::new() }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Puts the listing of the entry at `owner` behind the others, and says at which index.
    pub(super) fn push(&mut self, listing: &[u8], owner: u32) -> u32 {
        let index = self.owners.len();
        let (page, start) = self.place(index);
        if page == self.pages.len() {
            self.pages.push(Arc::new(Page { bytes: [0; PAGE] }));
        }
        Arc::make_mut(&mut self.pages[page]).bytes[start..start + self.size].copy_from_slice(listing);
        self.owners.push(owner);
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// Takes the listing at `index` away. The last one moves there, and its owner is told of: his entry has
    /// to be set right.
    pub(super) fn remove(&mut self, index: u32) -> Option<u32> {
        let index = index as usize;
        let last = self.owners.len() - 1;
        if index != last {
            let mut moved = [0; PAGE];
            moved[..self.size].copy_from_slice(self.listing(last));
            let (page, start) = self.place(index);
            Arc::make_mut(&mut self.pages[page]).bytes[start..start + self.size]
                .copy_from_slice(&moved[..self.size]);
        }
        self.owners.swap_remove(index);
        self.pages.truncate(self.owners.len().div_ceil(self.per_page()));
        if self.owners.len() < self.owners.capacity() / 4 {
            self.owners.shrink_to(self.owners.len() * 2);
        }
        self.owners.get(index).copied()
    }

    /// The bytes of the listing at `index`.
    pub(super) fn listing(&self, index: usize) -> &[u8] {
        let (page, start) = self.place(index);
        &self.pages[page].bytes[start..start + self.size]
    }

    /// All listings but the one at `except`, in as few pieces as there are.
    pub(super) fn slices(&self, except: Option<u32>) -> impl Iterator<Item = PageSlice> + '_ {
        let except = except.map(|index| self.place(index as usize));
        let filled = self.per_page() * self.size;
        let total = self.owners.len() * self.size;
        self.pages.iter().enumerate().flat_map(move |(number, page)| {
            let end = filled.min(self.owners.len().saturating_sub(number * self.per_page()) * self.size);
            debug_assert!(end <= total);
            let parts = match except {
                Some((hole, start)) if hole == number => [0..start, start + self.size..end],
                _ => [0..end, end..end],
            };
            parts.into_iter().filter(|part| !part.is_empty()).map(|part| PageSlice::new(page, part))
        })
    }

    fn per_page(&self) -> usize {
        PAGE / self.size
    }

    fn place(&self, index: usize) -> (usize, usize) {
        (index / self.per_page(), index % self.per_page() * self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(shelf: &Shelf, except: Option<u32>) -> Vec<u8> {
        shelf.slices(except).flat_map(|slice| slice.as_slice().to_vec()).collect()
    }

    #[test]
    fn the_last_listing_fills_the_gap() {
        let mut shelf = Shelf::new(2);
        for (owner, listing) in [b"aa", b"bb", b"cc"].into_iter().enumerate() {
            assert_eq!(shelf.push(listing, 10 + owner as u32), owner as u32);
        }
        assert_eq!(all(&shelf, Some(1)), b"aacc");
        assert_eq!(shelf.remove(0), Some(12), "cc has moved");
        assert_eq!(all(&shelf, None), b"ccbb");
        assert_eq!(shelf.remove(1), None);
        assert_eq!(shelf.remove(0), None);
        assert_eq!((shelf.owners.len(), shelf.pages.len()), (0, 0));
    }

    #[test]
    fn whoever_holds_a_page_keeps_it_as_it_was() {
        let mut shelf = Shelf::new(4);
        shelf.push(b"1234", 0);
        let held: Vec<_> = shelf.slices(None).collect();
        shelf.push(b"5678", 1);
        shelf.remove(0);
        assert_eq!(held[0].as_slice(), b"1234");
        assert_eq!(all(&shelf, None), b"5678");
    }

    #[test]
    fn many_pages_miss_exactly_the_one_that_is_left_out() {
        let mut shelf = Shelf::new(16);
        let count = 1000_u32;
        for index in 0..count {
            shelf.push(&[index.to_be_bytes(); 4].concat(), index);
        }
        for except in [0, 1, 255, 256, 511, 999] {
            let found = all(&shelf, Some(except));
            let expected: Vec<u8> = (0..count)
                .filter(|&index| index != except)
                .flat_map(|i| [i.to_be_bytes(); 4].concat())
                .collect();
            assert_eq!(found, expected);
        }
    }
}
