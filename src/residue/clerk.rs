//! The clerk: who has which key and for how long, and what becomes of logs.
