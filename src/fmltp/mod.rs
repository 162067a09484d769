//! FmLTP/1.0: FlexMusic clients shake hands, are secured and authorized.

pub mod command;
pub mod space;
pub mod users;
pub mod version;
