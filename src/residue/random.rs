//! What must not be guessed.
