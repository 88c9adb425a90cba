//! The console's hold on a real (pseudo) terminal: restored after every death, gone after a hang-up, alive when the
//! terminal is not; and not one byte that is not ours.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts programs and guards against hanging by the wall clock")]

mod example;
mod floor;
mod harness;
mod judge;
