//! The follower against real files: rotation in both styles, late creation, hostile bytes, floods; logrotate itself;
//! the logs that are no files; and the tool that shows one log on the whole screen, in a pseudo-terminal.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts programs and guards against hanging by the wall clock")]

mod bench;
mod by_time;
#[path = "../console/corpus.rs"]
mod corpus;
mod flood;
#[path = "../../benches/flood/generator.rs"]
#[expect(clippy::disallowed_methods, dead_code, reason = "shared with benches/flood, which measures too")]
mod generator;
#[path = "../pty/harness.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/pty, which uses the rest")]
mod harness;
mod hostile;
#[path = "../pty/judge.rs"]
#[expect(dead_code, reason = "shared with tests/pty, which uses the rest")]
mod judge;
mod large;
mod life;
mod logrotate;
#[path = "../samplers/peer.rs"]
#[expect(clippy::disallowed_methods, dead_code, reason = "a test starts its peers; others use more of this")]
mod peer;
mod reading;
mod rotation;
mod spine;
mod streams;
mod tool;
