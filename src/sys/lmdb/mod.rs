//! LMDB 0.9: `env` is the one door to the library for an environment of our own. Whoever only looks at one of somebody
//! else reads its bytes (`format`, `outside`); it is opened (`foreign`) by a `child` with its owner's rights alone.

pub mod child;
mod env;
mod foreign;
pub(crate) mod format;
pub(crate) mod outside;

pub use env::{Change, Env, LmdbError, Stat, version};
