//! chapp: names that last, and messages that are kept until they are fetched.
//!
//! ```text
//!     ACTION TAB FROM -> TO  SEP  name: value  SEP  name: value ...          SEP = backslash, LF
//! ```
//!
//! A client asks whether the server knows it (`CONNECT`), which goes by its address, or introduces itself
//! with a name (`INTRODUCE`). It then posts messages to other names (`POST`), which are kept in a database,
//! handed to whoever has that name now, and listed for whoever comes back to it later. In the end it says
//! `GOODBYE`. Every request is answered (`RESPONSE`) with a status, which is 100 where all went well.
//!
//! Each message has an ID, and each reply says which request it is `for`, so that a client that lost patience
//! can send a request again and tell the late reply from the new one. Where a request ends is not marked by
//! everybody: the real client of the public project just stops sending, so that 20 ms of quiet end a request
//! unless the client has shown by an empty line that it marks the ends itself.
//!
//! The manual page chapp(7) settles every byte; "quoted words" in comments here are its headings. What
//! sessions and their clerk say to each other goes over the [`desk`]: sessions know no database, the clerk no
//! connection.

pub mod clerk;
pub mod client;
pub mod desk;
pub mod message;
pub mod name;
pub mod server;
pub mod store;
pub mod wire;
