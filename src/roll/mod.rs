//! The one client table and its recent history: plain data, with neither lock nor clock in it.
//!
//! [`Roll`] is who is there. Those who are told to others have a [`Listing`], whose bytes were encoded once,
//! by the door that let them in; they lie side by side in [`Page`]s, so that a newcomer is handed the whole
//! roll without anything being encoded again. The journal remembers the latest changes under strictly
//! increasing [`Sequence`] numbers and answers what changed, net, since one of them.

mod entry;
mod journal;
mod listing;
mod shelf;
mod table;

pub use entry::{Applicant, ClientId, Entry, Member};
pub use journal::{Forgotten, Sequence};
pub use listing::{LISTING_LIMIT, Listing};
pub use shelf::{Page, PageSlice};
pub use table::{Difference, Roll};
