//! What the kinds that act on an LMDB environment share: which one it is and what keeps us from it, copies, sizes, and
//! lines that say that its map is full. The library is called by a child with its owner's rights, never here (`sys::lmdb::child`).

pub(super) mod copy;
pub(super) mod full;
pub(super) mod identity;
pub(super) mod limits;
pub(super) mod size;
