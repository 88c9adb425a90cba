//! PromQL: Prometheus' own cases.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts the example")]

mod cases;
#[path = "../pty/example.rs"]
mod example;
