//! The follower against real files: rotation in both styles, late creation, hostile bytes, floods;
//! logrotate itself; and the logs that are no files.
#![cfg(test)]

mod bench;
#[path = "../console/corpus.rs"]
#[expect(dead_code, reason = "the screen's tests use more of it")]
mod corpus;
mod flood;
mod hostile;
mod life;
mod logrotate;
#[path = "../samplers/peer.rs"]
#[expect(clippy::disallowed_methods, dead_code, reason = "a test starts its peers; others use more of this")]
mod peer;
mod rotation;
mod streams;
