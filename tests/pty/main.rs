//! The console's hold on a real (pseudo) terminal: restored after every death, gone after a hang-up, alive when the
//! terminal is not; and not one byte that is not ours.

mod floor;
mod harness;
mod judge;
