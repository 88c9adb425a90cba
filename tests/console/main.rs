//! The real console in a pseudo-terminal, from outside: the story that README tells, every way to lose it, hostile
//! text and broken files. Tests wait for what stands on the screen; wall time is only a hang guard.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts programs and guards against hanging by the wall clock")]

mod alarm;
mod alerts;
mod busy;
mod corpus;
mod describe;
mod desk;
mod events;
mod facts;
mod faults;
mod gpu;
mod handbook;
#[path = "../pty/harness.rs"]
#[expect(unused_imports, reason = "shared with tests/pty, which uses the rest")]
mod harness;
mod hazards;
mod history;
mod host;
mod hostile;
mod hostile_files;
mod incident;
#[path = "../pty/judge.rs"]
#[expect(dead_code, reason = "shared with tests/pty, which uses the rest")]
mod judge;
mod kernel_log;
mod logs;
#[path = "../samplers/peer.rs"]
#[expect(dead_code, reason = "shared with tests/samplers, which uses the rest")]
mod peer;
mod poor;
mod procedure;
mod readme;
#[path = "../samplers/server.rs"]
#[expect(dead_code, reason = "shared with tests/samplers, which counts")]
mod server;
mod shipped;
mod sick;
mod story;
mod tables;
mod terminal;
mod unit;
mod walker;
mod way_back;
