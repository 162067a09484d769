//! The marks of packets that were seen ("Repeated packets").
//!
//! They lie in pages, sorted, each page in a memory of its own that grows by little. One page after the other is split
//! in two as they fill (linear hashing), so that adding a mark never moves more than a few hundred others, and a million
//! of them takes less than nine bytes each.

use std::hash::{BuildHasher, RandomState};

use crate::residue::cipher::Mark;

/// How many marks a page has in the mean before the next one is split.
const PAGE: usize = 192;
/// What tells marks of packets that were not written from those of logs that were. As marks are as good as random,
/// nothing is taken for what it is not.
const UNWRITTEN: u64 = 0x5be0_cd19_137e_2179;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its items stand in the log files.
    Written,
    /// Anything else.
    Unwritten,
}

/// The marks of a client.
#[derive(Default)]
pub(super) struct Marks {
    /// A power of two of them, and those by which pages were split since.
    pages: Vec<Vec<u64>>,
    count: usize,
}

/// Where marks lie: nobody outside can choose marks that all come to the same page.
pub(super) type Order = RandomState;

impl Marks {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// What became of the packet with this mark, if one was seen.
    pub(super) fn fate(&self, order: &Order, mark: Mark) -> Option<Fate> {
        let fates = [Fate::Written, Fate::Unwritten];
        fates.into_iter().find(|fate| self.has(order, stored(mark, *fate)))
    }

    /// Remembers a mark, which was not seen before.
    pub(super) fn add(&mut self, order: &Order, mark: Mark, fate: Fate) {
        let mark = stored(mark, fate);
        if self.pages.is_empty() {
            self.pages.push(Vec::new());
        }
        let page = page_of(order, mark, self.pages.len());
        if insert(&mut self.pages[page], mark) {
            self.count += 1;
        }
        if self.count > PAGE * self.pages.len() {
            self.split(order);
        }
    }

    fn has(&self, order: &Order, mark: u64) -> bool {
        !self.pages.is_empty() && {
            let page = &self.pages[page_of(order, mark, self.pages.len())];
            page.binary_search(&mark).is_ok()
        }
    }

    /// Makes one page more, and moves there what belongs there now: all of it lies in one page.
    fn split(&mut self, order: &Order) {
        let new = self.pages.len();
        let old = new - (1 << new.ilog2());
        let mark_stays = |mark: &u64| page_of(order, *mark, new + 1) == old;
        let (mut stay, mut go): (Vec<u64>, Vec<u64>) =
            self.pages[old].iter().partition(|mark| mark_stays(mark));
        stay.shrink_to_fit();
        go.shrink_to_fit();
        self.pages[old] = stay;
        self.pages.push(go);
    }
}

/// In which of so many pages a mark lies. The first ones, of which there is a power of two, go by so many bits of the
/// hash; where such a page was split already, one bit more decides.
fn page_of(order: &Order, mark: u64, pages: usize) -> usize {
    // Only the lower bits are used.
    #[allow(clippy::cast_possible_truncation)]
    let hash = order.hash_one(mark) as usize;
    let half = 1_usize << pages.ilog2();
    let page = hash & (2 * half - 1);
    if page < pages { page } else { page & (half - 1) }
}

/// Puts a mark in its place; false if it is there already.
fn insert(page: &mut Vec<u64>, mark: u64) -> bool {
    let Err(at) = page.binary_search(&mark) else { return false };
    if page.len() == page.capacity() {
        page.reserve_exact(page.len() / 16 + 4);
    }
    page.insert(at, mark);
    true
}

fn stored(Mark(mark): Mark, fate: Fate) -> u64 {
    match fate {
        Fate::Written => mark,
        Fate::Unwritten => mark ^ UNWRITTEN,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::wire::random::Random;

    impl Marks {
        /// How many bytes it takes, without what the system keeps for itself.
        fn size(&self) -> usize {
            let own = self.pages.capacity() * size_of::<Vec<u64>>();
            own + self.pages.iter().map(|page| page.capacity() * size_of::<u64>()).sum::<usize>()
        }
    }

    #[test]
    fn what_was_seen_is_known_with_its_fate_and_nothing_else_is() {
        let (order, mut random) = (Order::new(), Random::new(7));
        let (mut marks, mut model) = (Marks::default(), HashMap::new());
        assert_eq!(marks.fate(&order, Mark(0)), None);
        for step in 0..20_000 {
            // Some lie close to each other, as no real ones do.
            let mark = if step % 3 == 0 { random.next() } else { random.below(30_000) as u64 };
            assert_eq!(marks.fate(&order, Mark(mark)), model.get(&mark).copied(), "{mark}");
            model.entry(mark).or_insert_with(|| {
                let fate = if step % 2 == 0 { Fate::Written } else { Fate::Unwritten };
                marks.add(&order, Mark(mark), fate);
                fate
            });
            assert_eq!(marks.len(), model.len());
        }
        for (mark, fate) in &model {
            assert_eq!(marks.fate(&order, Mark(*mark)), Some(*fate));
        }
    }

    #[test]
    fn a_mark_takes_less_than_nine_bytes_and_few_of_them_take_little() {
        let (order, mut random) = (Order::new(), Random::new(8));
        let mut marks = Marks::default();
        assert_eq!(marks.size(), 0);
        let most = |count: usize| if count < 1000 { 128 + 10 * count } else { 9 * count };
        for count in 1..=300_000_usize {
            marks.add(&order, Mark(random.next()), Fate::Written);
            if count.is_power_of_two() || count % 10_000 == 0 {
                let size = marks.size();
                assert!(size <= most(count), "{count}: {size}");
            }
        }
    }

    #[test]
    fn adding_one_moves_only_few_others() {
        let (order, mut random) = (Order::new(), Random::new(9));
        let mut marks = Marks::default();
        for _ in 0..300_000 {
            marks.add(&order, Mark(random.next()), Fate::Unwritten);
        }
        let longest = marks.pages.iter().map(Vec::len).max().unwrap();
        assert!(longest < 4 * PAGE, "{longest}");
    }
}
