//! Runs of procedures on real disks: consoles that are killed, race for a lease, stop, or have no room left.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "a test starts its peers")]

mod child;
mod disk;
mod left;
#[path = "../peers/running.rs"]
mod running;
mod scene;
