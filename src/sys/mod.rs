//! The ambient world, and nothing else: real clock, randomness, files, locks, child processes, signals, limits.
//! The only floor with `unsafe`, FFI, `std::process` and the system clocks. Imports `base` alone.

pub mod bell;
pub mod child;
pub mod clock;
pub mod lmdb;
