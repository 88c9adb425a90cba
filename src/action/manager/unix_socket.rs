//! A process manager on a Unix socket, one line each way: `restart UNIT` and `start UNIT` → `ok PID`, `stop UNIT` → `ok`,
//! `status UNIT` → `running PID STARTTIME restarts N` or `stopped`, all possibly `error …`. Sixty seconds, then the answer
//! is unknown.

use super::{Look, Service, Serving, Standing, Verb, plain_name};
use crate::action::doing::Doing;
use crate::action::kinds::StepError;
use crate::base::{Clean, Clock, Fault, Mono};
use crate::sys::aside::heard;
use crate::sys::socket::connect;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A restart may take this long.
const RESTART_WAIT: Duration = Duration::from_secs(60);
/// A status may take this long.
const STATUS_WAIT: Duration = Duration::from_secs(2);
/// No answer is longer.
const ANSWER: usize = 4 * 1024;

/// `{ kind = "unix_socket", path = "…", unit = "…" }`. It knows `restart`, `start` and `stop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnixSocket {
    /// Its socket.
    pub path: PathBuf,
    /// The unit's name there.
    pub unit: String,
}

/// A process by more than its number.
struct Process {
    pid: u32,
    started: String,
    restarts: u64,
}

impl Service for UnixSocket {
    fn unit(&self) -> &str {
        &self.unit
    }

    fn address(&self) -> String {
        self.path.display().to_string()
    }

    fn check(&self) -> Result<(), Fault> {
        plain_name(&self.unit, "")?;
        if self.path.is_absolute() {
            Ok(())
        } else {
            Err(Fault::new(format!("{} is not an absolute path.", self.path.display())))
        }
    }

    fn look(&self, verb: Verb, clock: &dyn Clock) -> Result<Look, Fault> {
        let Self { path, unit } = self;
        let answer = ask(path, &format!("status {unit}\n"), STATUS_WAIT, clock).map_err(Stop::into_fault)?;
        let known = matches!(verb, Verb::Restart | Verb::Start | Verb::Stop);
        let unknown = || Fault::new(format!("{} knows `restart`, `start` and `stop`, not `{verb}`.", path.display()));
        let look = Look {
            standing: Standing::Stopped,
            said: Clean::from("stopped"),
            serving: None,
            identity: BTreeMap::new(),
            hits: Vec::new(),
            raise: Vec::new(),
            obstacle: (!known).then(unknown),
            doubt: None,
        };
        if answer.as_str() == "stopped" {
            return Ok(look);
        }
        let process = process(&answer).ok_or_else(|| Fault::new(format!("{unit} is not running: `{answer}`.")))?;
        let id = format!("{} restarts {}", process.started, process.restarts);
        Ok(Look {
            standing: Standing::Running,
            said: crate::clean!("running as process {}", process.pid),
            serving: Some(Serving { pid: process.pid, id }),
            hits: vec![crate::clean!("{unit} restarted {} times so far", process.restarts)],
            ..look
        })
    }

    fn line(&self, verb: Verb) -> Clean {
        crate::clean!("{verb} {}  through {}", self.unit, self.path.display())
    }

    fn apply(&self, verb: Verb, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let Self { path, unit } = self;
        let done = match verb {
            Verb::Start => "started",
            Verb::Stop => "stopped",
            _ => "restarted",
        };
        match ask(path, &format!("{verb} {unit}\n"), RESTART_WAIT, doing.clock) {
            Err(Stop::NotSent(fault)) => Err(StepError::Failed(fault)),
            Err(Stop::NoAnswer(fault)) => Err(StepError::Unknown(fault)),
            Ok(answer) if verb == Verb::Stop && answer.as_str() == "ok" => Ok(crate::clean!("{unit} {done}")),
            Ok(answer) => match answer.as_str().strip_prefix("ok ").and_then(|pid| pid.parse::<u32>().ok()) {
                Some(pid) => Ok(crate::clean!("{unit} {done} as process {pid}")),
                None => Err(StepError::Failed(Fault::new(format!("{unit} was not {done}: `{answer}`.")))),
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
    heard();
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
    use crate::action::lifecycle::Run;
    use crate::sys::clock::RealClock;
    use std::os::unix::net::UnixListener;

    /// A manager that answers one request with `answer`; what it was asked.
    fn asked(answer: &'static str, ask: impl FnOnce(&UnixSocket)) -> String {
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
        ask(&UnixSocket { path, unit: "inference".into() });
        server.join().unwrap()
    }

    fn restart(manager: &UnixSocket) -> Result<Clean, StepError> {
        let run = Run::at(Path::new("/nonexistent"));
        manager.apply(
            Verb::Restart,
            &Doing { run: &run, clock: &RealClock, tell: &|_| {}, stops: &|| false, left: &|_| {} },
        )
    }

    #[test]
    fn the_line_protocol_is_spoken() {
        let request = asked("ok 4711\n", |manager| {
            assert_eq!(restart(manager).unwrap().as_str(), "inference restarted as process 4711");
        });
        assert_eq!(request, "restart inference\n");
        let request = asked("running 12 9876 restarts 3\n", |manager| {
            let serving = manager.look(Verb::Restart, &RealClock).unwrap().serving.unwrap();
            assert_eq!((serving.pid, serving.id.as_str()), (12, "9876 restarts 3"));
        });
        assert_eq!(request, "status inference\n");
        asked("running 12 9876 restarts 3\n", |manager| {
            let obstacle = manager.look(Verb::Reload, &RealClock).unwrap().obstacle.unwrap();
            assert!(obstacle.to_string().contains("not `reload`"), "{obstacle}");
        });
        asked("stopped\n", |manager| {
            let look = manager.look(Verb::Start, &RealClock).unwrap();
            assert!(look.standing == Standing::Stopped && look.serving.is_none() && look.obstacle.is_none());
        });
    }

    #[test]
    fn a_no_is_a_failure_and_silence_is_unknown() {
        asked("error no such unit\n", |manager| {
            let Err(StepError::Failed(fault)) = restart(manager) else { panic!("not failed") };
            assert!(fault.to_string().contains("no such unit"));
        });
        asked("ok 47", |manager| assert!(matches!(restart(manager), Err(StepError::Unknown(_)))));
        let nobody = UnixSocket { path: "/nonexistent/s.sock".into(), unit: "x".into() };
        assert!(matches!(restart(&nobody), Err(StepError::Failed(_))));
    }

    #[test]
    fn names_that_could_say_more_are_refused() {
        for unit in ["", "-x", "a b", "a\nrestart b", "a;b", "wеb1", "../x"] {
            let manager = UnixSocket { path: "/s".into(), unit: unit.into() };
            assert!(manager.check().is_err(), "{unit:?}");
        }
    }
}
