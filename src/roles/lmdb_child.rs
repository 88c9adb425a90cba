//! The child that opens an LMDB environment as its owner, for the action that started it, over the socket that is its
//! stdin.

use crate::sys::lmdb::child::serve;
use std::os::fd::AsFd;

/// Runs the child. Returns its exit status.
pub(super) fn run() -> u8 {
    std::io::stdin().as_fd().try_clone_to_owned().map_or(1, serve)
}
