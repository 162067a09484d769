//! What the tests of several protocols share.

/// Random enough for tests, and the same again for the same seed (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound.max(1)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// `bytes` with one to four of them changed, inserted, taken away or doubled.
    pub(crate) fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut mutated = bytes.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(mutated.len());
            match self.below(5) {
                0 if !mutated.is_empty() => mutated[at] = self.byte(),
                1 if !mutated.is_empty() => mutated[at] ^= 1 << self.below(8),
                2 => mutated.insert(at, self.byte()),
                3 if !mutated.is_empty() => drop(mutated.remove(at)),
                _ => {
                    let again: Vec<u8> = mutated[at..].iter().copied().take(self.below(20)).collect();
                    mutated.splice(at..at, again);
                }
            }
        }
        mutated
    }
}

/// Bytes that everybody can guess, for plays that are to be the same again.
pub(crate) mod guess {
    use std::cell::RefCell;

    use super::Random;

    thread_local! {
        static SOURCE: RefCell<Option<Random>> = const { RefCell::new(None) };
    }

    /// From now on all of this thread's follow from this seed.
    pub(crate) fn begin(seed: u64) {
        SOURCE.with(|source| *source.borrow_mut() = Some(Random::new(seed)));
    }

    /// Fills these, if such a play is on.
    #[cfg(any(feature = "fmltp", feature = "residue"))]
    pub(crate) fn fill(bytes: &mut [u8]) -> bool {
        SOURCE.with(|source| {
            let mut source = source.borrow_mut();
            source.iter_mut().for_each(|random| bytes.iter_mut().for_each(|byte| *byte = random.byte()));
            source.is_some()
        })
    }
}
