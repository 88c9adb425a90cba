//! What one look at an LMDB environment wants; its bytes are read by `sys::lmdb::format`.

pub(crate) mod look;
pub(crate) mod mappers;
pub(crate) mod tree;
