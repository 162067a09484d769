//! Bytes that nobody can guess.

/// Fills `bytes` with what the system has for secrets.
///
/// # Panics
/// The system has none. Nothing can be secured then, and to go on would only pretend that it is.
pub(super) fn fill(bytes: &mut [u8]) {
    #[cfg(test)]
    if guess::fill(bytes) {
        return;
    }
    let filled = getrandom::fill(bytes);
    assert!(filled.is_ok(), "the system has no random bytes");
}

/// Bytes that everybody can guess, for plays that are to be the same again.
#[cfg(test)]
pub(crate) mod guess {
    use std::cell::RefCell;

    use crate::wire::random::Random;

    thread_local! {
        static SOURCE: RefCell<Option<Random>> = const { RefCell::new(None) };
    }

    /// From now on all of this thread's follow from this seed.
    pub(crate) fn begin(seed: u64) {
        SOURCE.with(|source| *source.borrow_mut() = Some(Random::new(seed)));
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        SOURCE.with(|source| {
            let mut source = source.borrow_mut();
            source.iter_mut().for_each(|random| bytes.iter_mut().for_each(|byte| *byte = random.byte()));
            source.is_some()
        })
    }
}
