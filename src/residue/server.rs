//! The server's side of all three ports.
