//! A process manager on a Unix socket, one line each way: `restart UNIT` → `ok PID`, `status UNIT` →
//! `running PID STARTTIME restarts N`, both possibly `error …`. Sixty seconds, then the answer is unknown.

use super::kinds::StepError;
use super::plan::{Process, Target};
use crate::base::{Clean, Clock, Fault, Mono};
use crate::sys::socket::connect;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A restart may take this long.
pub const RESTART_WAIT: Duration = Duration::from_secs(60);
/// A status may take this long.
pub const STATUS_WAIT: Duration = Duration::from_secs(2);
/// No answer is longer.
const ANSWER: usize = 4 * 1024;

/// `restart = { kind = "unix_socket", path = "…", unit = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Manager {
    /// A supervisor that takes lines on a Unix socket.
    UnixSocket {
        /// Its socket.
        path: PathBuf,
        /// The unit's name there.
        unit: String,
    },
}

impl Manager {
    /// Refuses names that could say something else on the line: `[A-Za-z0-9._:@-]`, not starting with `-`.
    ///
    /// # Errors
    /// Which rule.
    pub fn check(&self) -> Result<(), Fault> {
        let Self::UnixSocket { path, unit } = self;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '@' | '-');
        if unit.is_empty() || unit.len() > 128 || unit.starts_with('-') || !unit.chars().all(plain) {
            return Err(Fault::new(format!("`{}` is no unit name.", Clean::text(unit)))
                .hint("Letters, digits and . _ : @ - up to 128, not starting with -."));
        }
        if path.is_absolute() {
            Ok(())
        } else {
            Err(Fault::new(format!("{} is not an absolute path.", path.display())))
        }
    }

    /// The unit's name.
    pub fn unit(&self) -> &str {
        let Self::UnixSocket { unit, .. } = self;
        unit
    }

    /// What will be done, as shown under WHAT.
    pub fn line(&self) -> Clean {
        let Self::UnixSocket { path, unit } = self;
        crate::clean!("then  restart {unit}  through {}", path.display())
    }

    /// The unit as it runs now.
    ///
    /// # Errors
    /// No answer, not running, or an answer that is none.
    pub fn status(&self, clock: &dyn Clock) -> Result<Process, Fault> {
        let Self::UnixSocket { path, unit } = self;
        let answer = ask(path, &format!("status {unit}\n"), STATUS_WAIT, clock).map_err(Stop::into_fault)?;
        process(&answer).ok_or_else(|| Fault::new(format!("{unit} is not running: `{answer}`.")))
    }

    /// The unit by identity, for a plan.
    ///
    /// # Errors
    /// As [`Manager::status`].
    pub fn target(&self, clock: &dyn Clock) -> Result<Target, Fault> {
        let Self::UnixSocket { path, unit } = self;
        Ok(Target::Unit { manager: path.clone(), unit: unit.clone(), process: self.status(clock)? })
    }

    /// Restarts the unit; the new process number.
    ///
    /// # Errors
    /// [`StepError::Failed`] when the manager was not reached or said no; [`StepError::Unknown`] when it did not say.
    pub fn restart(&self, clock: &dyn Clock) -> Result<Clean, StepError> {
        let Self::UnixSocket { path, unit } = self;
        match ask(path, &format!("restart {unit}\n"), RESTART_WAIT, clock) {
            Err(Stop::NotSent(fault)) => Err(StepError::Failed(fault)),
            Err(Stop::NoAnswer(fault)) => Err(StepError::Unknown(fault)),
            Ok(answer) => match answer.as_str().strip_prefix("ok ").and_then(|pid| pid.parse::<u32>().ok()) {
                Some(pid) => Ok(crate::clean!("{unit} restarted as process {pid}")),
                None => Err(StepError::Failed(Fault::new(format!("{unit} was not restarted: `{answer}`.")))),
            },
        }
    }
}

fn process(answer: &Clean) -> Option<Process> {
    let words: Vec<&str> = answer.as_str().split(' ').collect();
    match words.as_slice() {
        ["running", pid, started, "restarts", restarts] => {
            Some(Process { pid: pid.parse().ok()?, started: (*started).to_owned(), restarts: restarts.parse().ok()? })
        }
        _ => None,
    }
}

enum Stop {
    NotSent(Fault),
    NoAnswer(Fault),
}

impl Stop {
    fn into_fault(self) -> Fault {
        match self {
            Self::NotSent(fault) | Self::NoAnswer(fault) => fault,
        }
    }
}

/// One request, one line back, all within `limit`.
fn ask(path: &Path, request: &str, limit: Duration, clock: &dyn Clock) -> Result<Clean, Stop> {
    let start = clock.now().mono;
    let failed = |doing: &str, error: &std::io::Error| crate::sys::files::fault(doing, path, error);
    let mut stream =
        connect(path, STATUS_WAIT).map_err(|error| Stop::NotSent(failed("reach the manager at", &error)))?;
    let sent = stream.set_write_timeout(Some(STATUS_WAIT)).and_then(|()| stream.write_all(request.as_bytes()));
    // Part of a request may have gone out; without its line feed it says nothing.
    sent.map_err(|error| Stop::NotSent(failed("write to", &error)))?;
    let mut answer: Vec<u8> = Vec::new();
    let mut chunk = [0; 512];
    while !answer.contains(&b'\n') && answer.len() < ANSWER {
        let left = remaining(start, limit, clock).ok_or_else(|| {
            Stop::NoAnswer(Fault::new(format!("{} did not answer within {} s.", path.display(), limit.as_secs())))
        })?;
        let read = stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut chunk));
        match read {
            Ok(0) => break,
            Ok(n) => answer.extend(chunk.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(Stop::NoAnswer(failed("read from", &error))),
        }
    }
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if answer.contains(&b'\n') {
        Ok(Clean::text(line.trim_ascii_end()))
    } else {
        Err(Stop::NoAnswer(Fault::new(format!("{} ended without an answer.", path.display()))))
    }
}

fn remaining(start: Mono, limit: Duration, clock: &dyn Clock) -> Option<Duration> {
    limit.checked_sub(clock.now().mono.since(start)).filter(|left| *left > Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;
    use std::os::unix::net::UnixListener;

    /// A manager that answers one request with `answer`; what it was asked.
    fn asked(answer: &'static str, ask: impl FnOnce(&Manager)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let n = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..n]).into_owned()
        });
        ask(&Manager::UnixSocket { path, unit: "inference".into() });
        server.join().unwrap()
    }

    #[test]
    fn the_line_protocol_is_spoken() {
        let request = asked("ok 4711\n", |manager| {
            assert_eq!(manager.restart(&RealClock).unwrap().as_str(), "inference restarted as process 4711");
        });
        assert_eq!(request, "restart inference\n");
        let request = asked("running 12 9876 restarts 3\n", |manager| {
            let process = manager.status(&RealClock).unwrap();
            assert_eq!((process.pid, process.started.as_str(), process.restarts), (12, "9876", 3));
        });
        assert_eq!(request, "status inference\n");
    }

    #[test]
    fn a_no_is_a_failure_and_silence_is_unknown() {
        asked("error no such unit\n", |manager| {
            let Err(StepError::Failed(fault)) = manager.restart(&RealClock) else { panic!("not failed") };
            assert!(fault.to_string().contains("no such unit"));
        });
        asked("ok 47", |manager| assert!(matches!(manager.restart(&RealClock), Err(StepError::Unknown(_)))));
        let nobody = Manager::UnixSocket { path: "/nonexistent/s.sock".into(), unit: "x".into() };
        assert!(matches!(nobody.restart(&RealClock), Err(StepError::Failed(_))));
    }

    #[test]
    fn names_that_could_say_more_are_refused() {
        for unit in ["", "-x", "a b", "a\nrestart b", "a;b", "wеb1", "../x"] {
            let manager = Manager::UnixSocket { path: "/s".into(), unit: unit.into() };
            assert!(manager.check().is_err(), "{unit:?}");
        }
    }
}
