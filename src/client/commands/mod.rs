//! The program `rollcall`.
