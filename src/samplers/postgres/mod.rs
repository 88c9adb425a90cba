//! PostgreSQL: its one session, the questions that are asked in it, and the seldom answers.

pub(crate) mod seldom;
pub(crate) mod session;
pub(crate) mod sql;
