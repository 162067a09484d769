//! The bottom floor: bytes in and out, with no protocol in it.
//!
//! Every parser in the house reads through [`Reader`] and nothing else slices what a peer sent; every
//! emitter writes through the functions of [`writer`]. [`Buffer`] keeps what came but is not whole yet.

mod buffer;
#[cfg(test)]
pub(crate) mod random;
mod reader;
pub mod text;
pub mod writer;

pub use buffer::Buffer;
pub use reader::{Problem, Reader, WireError};
