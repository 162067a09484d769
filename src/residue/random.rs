//! What must not be guessed: keys, initialization vectors, IDs and tokens.
//!
//! All of it comes from the random source of the system; where that has nothing, the caller is told and sends nothing.

use std::fmt;

use zeroize::Zeroizing;

/// The letters of an ID, and the characters of a token.
pub const NAME: usize = 16;

/// The system has no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomError;

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system has no random bytes")
    }
}

impl std::error::Error for RandomError {}

/// Fills `bytes`.
///
/// # Errors
/// The system has no random bytes; what stands in `bytes` is not to be used then.
pub fn fill(bytes: &mut [u8]) -> Result<(), RandomError> {
    #[cfg(test)]
    if crate::wire::random::guess::fill(bytes) {
        return Ok(());
    }
    getrandom::fill(bytes).map_err(|_| RandomError)
}

/// A fresh initialization vector.
///
/// # Errors
/// The system has no random bytes.
pub fn iv() -> Result<[u8; 16], RandomError> {
    let mut iv = [0; 16];
    fill(&mut iv)?;
    Ok(iv)
}

/// The ID of a new client: 16 lower-case letters ("Hello").
///
/// # Errors
/// The system has no random bytes.
pub fn id() -> Result<String, RandomError> {
    let mut id = String::with_capacity(NAME);
    draw(b"abcdefghijklmnopqrstuvwxyz", &mut id)?;
    Ok(id)
}

/// A new token: 16 letters and digits ("Tokens"), about 95 bits that nobody can guess.
///
/// # Errors
/// The system has no random bytes.
pub fn token() -> Result<Zeroizing<String>, RandomError> {
    let mut token = Zeroizing::new(String::with_capacity(NAME));
    draw(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &mut token)?;
    Ok(token)
}

/// Fills `name` up to [`NAME`] with characters of `alphabet`, each as likely as any other.
fn draw(alphabet: &[u8], name: &mut String) -> Result<(), RandomError> {
    while name.len() < NAME {
        let mut bytes = Zeroizing::new([0; 2 * NAME]);
        fill(bytes.as_mut_slice())?;
        extend(name, alphabet, bytes.as_slice());
    }
    Ok(())
}

/// Adds the characters that these bytes choose. Bytes above the last whole multiple of the alphabet choose none:
/// they would make its first characters more likely than the others.
fn extend(name: &mut String, alphabet: &[u8], bytes: &[u8]) {
    let fair = 256 - 256 % alphabet.len();
    let chosen = bytes.iter().map(|&byte| usize::from(byte)).filter(|&byte| byte < fair);
    let characters = chosen.filter_map(|byte| alphabet.get(byte % alphabet.len()));
    let room = NAME.saturating_sub(name.len());
    name.extend(characters.take(room).map(|&character| char::from(character)));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_character_is_as_likely_as_any_other() {
        for alphabet in [&b"abcdefghijklmnopqrstuvwxyz"[..], b"01", b"abc", &[b'x'; 62]] {
            let mut counts = vec![0_u32; alphabet.len()];
            for byte in 0..=u8::MAX {
                let mut name = String::new();
                extend(&mut name, alphabet, &[byte]);
                assert_eq!(name.is_empty(), usize::from(byte) >= 256 - 256 % alphabet.len(), "{byte}");
                if !name.is_empty() {
                    counts[usize::from(byte) % alphabet.len()] += 1;
                }
            }
            assert!(counts.iter().all(|&count| count == counts[0] && count > 0), "{counts:?}");
        }
    }

    #[test]
    fn a_name_is_never_longer_than_it_should_be() {
        let mut name = String::new();
        extend(&mut name, b"abc", &[0; 100]);
        assert_eq!(name, "a".repeat(NAME));
        extend(&mut name, b"abc", &[1; 100]);
        assert_eq!(name, "a".repeat(NAME));
    }

    #[test]
    fn ids_are_letters_and_tokens_letters_and_digits() {
        let ids: HashSet<String> = (0..500).map(|_| id().unwrap()).collect();
        assert_eq!(ids.len(), 500);
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_lowercase())));
        let letters: HashSet<char> = ids.iter().flat_map(|id| id.chars()).collect();
        assert_eq!(letters.len(), 26);

        let tokens: HashSet<String> = (0..500).map(|_| token().unwrap().to_string()).collect();
        assert_eq!(tokens.len(), 500);
        assert!(tokens.iter().all(|token| token.len() == 16));
        let characters: HashSet<char> = tokens.iter().flat_map(|token| token.chars()).collect();
        assert_eq!(characters.len(), 62);
        assert!(characters.iter().all(char::is_ascii_alphanumeric));
    }

    #[test]
    fn no_initialization_vector_comes_twice() {
        let ivs: HashSet<[u8; 16]> = (0..500).map(|_| iv().unwrap()).collect();
        assert_eq!(ivs.len(), 500);
    }
}
