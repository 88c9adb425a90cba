//! Starts a script of tests/peers and stops it again.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[path = "../peers/running.rs"]
pub(crate) mod running;
pub(crate) use running::Running;

/// A running peer.
pub(crate) struct Peer {
    pub(crate) script: PathBuf,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) env: String,
}

/// Starts it; `None` when it cannot run here, which is a failure where `CI=true`.
pub(crate) fn start(name: &str) -> Option<Peer> {
    start_with(name, &[])
}

/// The same with settings of the script.
pub(crate) fn start_with(name: &str, settings: &[(&str, &str)]) -> Option<Peer> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(format!("{name}.sh"));
    let dir = tempfile::tempdir().expect("a folder");
    // A server may run as a login of its own.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).expect("ours");
    let output = run(Command::new(&script).arg("start").arg(dir.path()).envs(settings.iter().copied()));
    if output.status.code() == Some(77) {
        skip(name, String::from_utf8_lossy(&output.stderr).trim());
        return None;
    }
    assert!(output.status.success(), "{name}: {output:?}");
    Some(Peer { script, dir, env: String::from_utf8_lossy(&output.stdout).into_owned() })
}

/// What CI may lack, as tests/run has it: not every kernel lets a container run, or counts quotas.
const MAY_LACK: [&str; 3] = ["container", "disk", "quota"];

/// Says that a test cannot run for want of `what`.
pub(crate) fn skip(what: &str, why: &str) {
    println!("SKIPPED: {what}: {why}");
    assert!(MAY_LACK.contains(&what) || std::env::var("CI").as_deref() != Ok("true"), "CI must have {what}");
}

impl Peer {
    /// A line of its env file.
    pub(crate) fn env(&self, name: &str) -> &str {
        let found = self.env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.env))
    }

    /// Of `netns`: takes its cable out or in.
    pub(crate) fn cable(&self, state: &str) -> bool {
        run(Command::new(&self.script).arg("cable").arg(self.dir.path()).arg(state)).status.success()
    }

    /// Stops it and starts it again with its data and its port.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    pub(crate) fn restart(&self) {
        for action in ["stop", "start"] {
            let output = run(Command::new(&self.script).arg(action).arg(self.dir.path()));
            assert!(output.status.success(), "{action}: {output:?}");
        }
    }

    /// Where it keeps its files.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `NAME.sh exec DIR …`; whether it succeeds is the caller's business.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Output {
        run(Command::new(&self.script).arg("exec").arg(self.dir.path()).args(arguments))
    }

    /// The same without waiting for its end; its output is piped.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(&self.script);
        command.arg("exec").arg(self.dir.path()).args(arguments);
        Running::start(&mut command, Stdio::null(), Stdio::piped())
    }

    /// A second process that holds what the peer serves, once it says so.
    pub(crate) fn holding(&self, arguments: &[&str]) -> Running {
        let mut child = self.spawn(arguments);
        let mut said = String::new();
        BufReader::new(child.0.stdout.take().expect("piped")).read_line(&mut said).expect("a line");
        assert_eq!(said, "holding\n");
        child
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        run(Command::new(&self.script).arg("stop").arg(self.dir.path()));
    }
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the script runs")
}
