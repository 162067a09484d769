//! What clients ask for ("Hello", "Tokens").
