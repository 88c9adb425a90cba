//! What runs on this host and would be worth watching: GPUs, failed units, listening ports, LMDB environments, sockets
//! of engines, errors in the journal. Plain reads of /proc, /sys, /dev and /run, and two programs of systemd; nothing is
//! loaded, opened for writing or connected to, but the ports on the loopback where that is asked for.
//!
//! Called by the kind `discover`, and by the role that writes a profile from what was found.

mod finder;
mod found;
mod gpus;
mod metrics;
mod ports;
mod processes;
mod programs;
mod services;
mod sockets;

pub use finder::{Finder, Wanted};
pub use found::{Found, Journal, Keep, Seen, What, quoted};
