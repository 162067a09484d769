//! How clients are named on the screen.

use std::net::SocketAddr;

use crate::lekt::wire::{Method, Object};
use crate::wire::text::{Printable, truncate};

/// Bytes of a nickname that name somebody.
const NAME_LIMIT: usize = 64;

/// Where a client can be called, if it can.
pub(super) fn reach(client: &Object) -> Option<SocketAddr> {
    let Method::DirectTcp { port } = client.methods.first()?;
    Some(SocketAddr::from((client.address, *port)))
}

/// Address and port of a client that can be called, or the address alone.
pub(super) fn place(client: &Object) -> String {
    reach(client).map_or_else(|| client.address.to_string(), |reach| reach.to_string())
}

/// A nickname as a word that can be typed: printable, in one piece, and nothing that could be taken for the number
/// or the address of somebody else.
pub(super) fn word(nickname: &str) -> String {
    let short = Printable(truncate(nickname, NAME_LIMIT)).to_string().replace(':', "_");
    let word = short.split_whitespace().collect::<Vec<_>>().join("_");
    let is_number = word.chars().all(|character| character.is_ascii_digit() || ".+".contains(character));
    match word.as_str() {
        "" => "somebody".to_owned(),
        _ if is_number => format!("_{word}"),
        _ => word,
    }
}

/// A message as one or more lines of text: what is not text is only counted.
pub(super) fn shown(message: &[u8]) -> Vec<String> {
    beginning(message, message.len())
}

/// The same of a message of which the beginning is there, and how many bytes the whole of it has.
pub(super) fn beginning(shown: &[u8], length: usize) -> Vec<String> {
    if is_binary(shown) {
        return vec![format!("[{length} bytes of binary data]")];
    }
    let text = String::from_utf8_lossy(shown);
    text.split('\n').map(|line| Printable(line.strip_suffix('\r').unwrap_or(line)).to_string()).collect()
}

/// Whether a message that begins so is not for people to read.
pub(super) fn is_binary(message: &[u8]) -> bool {
    message.first() == Some(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_named_by_where_to_call_them() {
        let address = [127, 0, 0, 9].into();
        let methods = vec![Method::DirectTcp { port: 80 }];
        assert_eq!(place(&Object { address, methods }), "127.0.0.9:80");
        assert_eq!(place(&Object { address, methods: vec![] }), "127.0.0.9");
    }

    #[test]
    fn nicknames_are_words_that_can_be_typed() {
        for (nickname, expected) in [
            ("bob", "bob"),
            (" bob  smith ", "bob_smith"),
            ("a:b", "a_b"),
            ("12", "_12"),
            ("+1", "_+1"),
            ("127.0.0.1", "_127.0.0.1"),
            ("127.0.0.1:80", "127.0.0.1_80"),
            ("12b", "12b"),
            ("::1", "__1"),
            ("bob\u{1b}", r"bob\u{1B}"),
            (" ", "somebody"),
            (&"x".repeat(255), &"x".repeat(64)),
        ] {
            let word = word(nickname);
            assert_eq!(word, expected, "{nickname:?}");
            assert!(!word.contains(':') && word.parse::<usize>().is_err() && !word.contains(' '));
        }
    }

    #[test]
    fn messages_are_text_unless_they_begin_with_nul() {
        assert_eq!(shown(b"a\nb\x1b[2J"), ["a", r"b\u{1B}[2J"]);
        assert_eq!(shown(b"\0\x01\x02"), ["[3 bytes of binary data]"]);
        assert_eq!(shown(b"\xff"), ["\u{fffd}"]);
        assert_eq!(shown(b""), [""]);
        assert_eq!(beginning(b"\0", 70_000), ["[70000 bytes of binary data]"]);
    }
}
