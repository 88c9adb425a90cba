//! The follower against real files: rotation in both styles, late creation, hostile bytes, floods.
#![cfg(test)]

mod bench;
mod flood;
mod life;
mod rotation;
