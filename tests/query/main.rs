//! `watchkeeper query` from outside: the real binary against files of series, this host, a real Prometheus server's
//! answers for the same points, and a terminal to draw on.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts programs and guards against hanging by the wall clock")]

#[path = "../console/desk.rs"]
#[expect(dead_code, reason = "shared with tests/console, which uses the rest")]
mod desk;
mod file;
#[path = "../pty/harness.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/pty, which uses the rest")]
mod harness;
#[path = "../pty/judge.rs"]
#[expect(dead_code, reason = "shared with tests/pty, which uses the rest")]
mod judge;
mod live;
#[path = "../samplers/peer.rs"]
#[expect(dead_code, reason = "shared with tests/samplers, which uses the rest")]
mod peer;
#[path = "../differential/server.rs"]
#[expect(dead_code, reason = "shared with tests/differential, which uses the rest")]
mod server;

use desk::Desk;
use std::process::Output;

/// What a query said.
struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

fn query(desk: &Desk, args: &[&str]) -> Said {
    let Output { status, stdout, stderr } = desk.run(&[&["query"], args].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { status: status.code(), out: text(stdout), err: text(stderr) }
}
