//! LMDB files read from bytes, and what one look at an environment wants.

pub(crate) mod format;
pub(crate) mod look;
pub(crate) mod mappers;
pub(crate) mod tree;
