//! Redis: its one connection, what INFO says, and what keys are asked for.

pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod text;
