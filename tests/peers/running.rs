//! A process of a test: killed and waited for on drop, however the test ends, and no holder of what the test writes to.

use std::process::{Child, Command, Stdio};

/// Whoever waits for it or talks with it does so by its field.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts it. What it complains of is lost: a process left behind would keep the output of `tests/run` open.
    pub(crate) fn start(command: &mut Command, stdin: Stdio, stdout: Stdio) -> Self {
        Self(command.stdin(stdin).stdout(stdout).stderr(Stdio::null()).spawn().expect("it starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
