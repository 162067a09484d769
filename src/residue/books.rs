//! What the clerk is told by files that people write: who is managed, and which codes give tokens.
