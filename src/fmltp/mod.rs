//! FmLTP, the protocol of FlexMusic.

pub mod users;
