//! The ambient world, and nothing else: real clock, randomness, files, locks, child processes, signals, limits.
//! The only floor with `unsafe`, FFI, `std::process` and the system clocks. Imports `base` alone.

pub mod aside;
pub mod bell;
pub mod child;
pub mod clock;
pub mod control_group;
pub mod entry;
pub mod files;
pub mod group;
pub mod held;
pub mod held_process;
pub(crate) mod holders;
pub mod host;
pub mod limits;
pub mod listeners;
pub mod lmdb;
pub mod lock;
pub mod logind;
pub mod net;
pub mod news;
pub mod open_files;
pub mod paths;
pub mod process;
pub mod program;
pub(crate) mod quiet;
pub(crate) mod quota;
pub mod random;
mod replaceable;
pub mod reserve;
pub mod run;
pub mod secret;
pub mod signal;
pub mod socket;
pub mod tree;
pub mod trust;
pub mod xml_rpc;
pub mod zone;
