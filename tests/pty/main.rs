//! The console's hold on a real (pseudo) terminal: restored after every death, gone after a hang-up, alive when the
//! terminal is not; and not one byte that is not ours.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, starts programs, and guards against hanging by the wall clock"
)]

mod floor;
mod harness;
mod judge;
