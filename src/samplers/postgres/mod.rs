//! PostgreSQL: its one session, and the questions that are asked in it.

pub(crate) mod session;
pub(crate) mod sql;
