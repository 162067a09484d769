//! Bytes that nobody can guess.

/// Fills `bytes` with what the system has for secrets.
///
/// # Panics
/// The system has none. Nothing can be secured then, and to go on would only pretend that it is.
pub(super) fn fill(bytes: &mut [u8]) {
    #[cfg(test)]
    if crate::wire::random::guess::fill(bytes) {
        return;
    }
    let filled = getrandom::fill(bytes);
    assert!(filled.is_ok(), "the system has no random bytes");
}
