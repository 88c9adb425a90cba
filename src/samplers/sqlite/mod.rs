//! SQLite files read from bytes, and what one look at a database wants.

pub(crate) mod format;
pub(crate) mod look;
