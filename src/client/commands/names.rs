//! How clients are named on the screen.

use std::net::SocketAddr;

use crate::lekt::wire::{Method, Object};
use crate::wire::text::Printable;

/// Where a client can be called, if it can.
pub(super) fn reach(client: &Object) -> Option<SocketAddr> {
    let Method::DirectTcp { port } = client.methods.first()?;
    Some(SocketAddr::from((client.address, *port)))
}

/// Address and port of a client that can be called, or the address alone.
pub(super) fn place(client: &Object) -> String {
    reach(client).map_or_else(|| client.address.to_string(), |reach| reach.to_string())
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
    fn messages_are_text_unless_they_begin_with_nul() {
        assert_eq!(shown(b"a\nb\x1b[2J"), ["a", r"b\u{1B}[2J"]);
        assert_eq!(shown(b"\0\x01\x02"), ["[3 bytes of binary data]"]);
        assert_eq!(shown(b"\xff"), ["\u{fffd}"]);
        assert_eq!(shown(b""), [""]);
        assert_eq!(beginning(b"\0", 70_000), ["[70000 bytes of binary data]"]);
    }
}
