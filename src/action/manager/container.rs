//! A container of a Docker or Podman engine, through its socket. Held by its whole id, and each run of it by process and
//! start: a container that was made anew under the same name is another one.

use super::{Look, Service, Serving, Standing, Verb, log_end, plain_name};
use crate::action::doing::{Doing, LOOK};
use crate::action::kinds::StepError;
use crate::action::remote;
use crate::base::body::nearest;
use crate::base::{Clean, Clock, Fault};
use crate::sys::net::door::{Door, real};
use crate::sys::net::http::{Answer, Ask, Site};
use crate::sys::net::talk::Lost;
use crate::sys::program::signal_name;
use core::time::Duration;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// No answer is longer, in bytes.
const MOST: usize = 4 << 20;
/// A stop may take as long as the container is given; and this more.
const SLACK: Duration = Duration::from_secs(60);
/// An engine gives a container so many seconds where it does not say.
const USUAL: u64 = 10;
/// However long a container says.
const LONGEST: u64 = 1_800;
/// What may be sent instead of a reload, which an engine does not have.
const SIGNALS: [&str; 4] = ["HUP", "USR1", "USR2", "WINCH"];
/// Exit codes above it are signals.
const BY_SIGNAL: i64 = 128;

/// `{ kind = "container", name = "genesis-trading" }`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Its name, not its id.
    pub name: String,
    /// The engine's socket.
    #[serde(default = "socket")]
    pub path: PathBuf,
    /// The login that the engine runs as, where that is neither root nor ours.
    pub owner: Option<String>,
    /// The signal that has this container read its configuration again.
    pub reload_signal: Option<String>,
}

fn socket() -> PathBuf {
    "/var/run/docker.sock".into()
}

impl Container {
    fn ask(&self, method: Method, target: &str, limit: Duration) -> Result<Answer, Lost> {
        let door = Door {
            path: self.path.clone(),
            owner: self.owner.clone(),
            missing: "Is the engine running? Podman's is path = \"/run/podman/podman.sock\" (podman.socket).",
            rights: "See its group: ls -l. Who may use it may do whatever root may: let an administrator decide.",
        };
        let ask = Ask { method, headers: Vec::new(), body: String::new(), most: MOST };
        Site::behind(door, target).map_err(Lost::Before)?.ask(ask, limit)
    }

    /// One document; `None` when the engine does not have it.
    fn get(&self, target: &str) -> Result<Option<Value>, Fault> {
        let answer = self.ask(Method::GET, target, LOOK).map_err(Lost::fault)?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body)
                .map(Some)
                .map_err(|_| Fault::new(format!("{} sent what is no JSON.", self.path.display()))),
            404 => Ok(None),
            _ => Err(Fault::new(format!("{} answered {}.", self.path.display(), refusal(&answer)))),
        }
    }

    /// How its log ends.
    fn log_end(&self) -> Option<Clean> {
        let target = format!("/containers/{}/logs?stdout=1&stderr=1&tail=5", self.name);
        let answer = self.ask(Method::GET, &target, LOOK).ok().filter(|answer| answer.status == 200)?;
        log_end(&unframed(&answer.body))
    }

    fn inspect(&self) -> Result<Value, Fault> {
        if let Some(found) = self.get(&format!("/containers/{}/json", self.name))? {
            return Ok(found);
        }
        let all = self.get("/containers/json?all=1").ok().flatten().unwrap_or_default();
        let all: Vec<&str> =
            all.as_array().into_iter().flatten().map(|it| text(it, "/Names/0").trim_start_matches('/')).collect();
        let what = format!("the engine at {} has no container `{}`.", self.path.display(), self.name);
        let fault = Fault::new(what).unknown(&self.name);
        Err(if all.is_empty() { fault } else { fault.hint(nearest(&self.name, all.into_iter())) })
    }
}

/// What a container printed, out of the frames in which an engine sends it: stream, length, text.
fn unframed(mut log: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(([stream, 0, 0, 0, a, b, c, d], rest)) = log.split_first_chunk::<8>() {
        if *stream > 2 {
            break;
        }
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX).min(rest.len());
        let (text, more) = rest.split_at(length);
        all.extend_from_slice(text);
        log = more;
    }
    // One with a terminal has no frames.
    all.extend_from_slice(log);
    all
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// What an engine says when it will not: its status, and its words.
fn refusal(answer: &Answer) -> Clean {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    crate::clean!("status {}: {}", answer.status, Clean::text(text(&said, "/message")))
}

/// How many seconds it is given to end.
fn given(of: &Value) -> u64 {
    // Less than none is for ever.
    let seconds = of
        .pointer("/Config/StopTimeout")
        .and_then(Value::as_i64)
        .map_or(USUAL, |seconds| u64::try_from(seconds).unwrap_or(LONGEST));
    seconds.min(LONGEST)
}

/// State, process and health, and why it is down: `exited, exit code 137 (SIGKILL), killed for memory`.
fn described(of: &Value) -> Clean {
    let state = text(of, "/State/Status");
    let mut words = vec![state.to_owned()];
    let pid = of.pointer("/State/Pid").and_then(Value::as_u64).filter(|pid| *pid > 0);
    words.extend(pid.map(|pid| format!("process {pid}")));
    words
        .extend(Some(text(of, "/State/Health/Status")).filter(|it| !it.is_empty() && *it != "none").map(str::to_owned));
    if matches!(state, "exited" | "dead" | "restarting") {
        words.extend(of.pointer("/State/ExitCode").and_then(Value::as_i64).map(|code| {
            let by = i32::try_from(code - BY_SIGNAL).ok().filter(|number| (1..=64).contains(number));
            by.map_or_else(
                || format!("exit code {code}"),
                |number| format!("exit code {code} ({})", signal_name(number)),
            )
        }));
        words.extend(flag(of, "/State/OOMKilled").then(|| "killed for memory".to_owned()));
        words.extend(Some(text(of, "/State/Error")).filter(|error| !error.is_empty()).map(str::to_owned));
    }
    Clean::text(words.join(", "))
}

impl Service for Container {
    fn unit(&self) -> &str {
        &self.name
    }

    fn address(&self) -> String {
        format!("container {}", real(&self.path).display())
    }

    fn check(&self) -> Result<(), Fault> {
        plain_name(&self.name, "")?;
        if !self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) || self.name.contains([':', '@']) {
            return Err(Fault::new(format!("`{}` is no name of a container.", self.name)));
        }
        if !self.path.is_absolute() {
            return Err(Fault::new(format!("{} is not an absolute path.", self.path.display())));
        }
        match &self.reload_signal {
            Some(signal) if !SIGNALS.contains(&signal.as_str()) => {
                let what = format!("`{}` is no signal for a reload.", Clean::text(signal));
                Err(Fault::new(what).hint(format!("Known here: {}.", SIGNALS.join(", "))))
            }
            _ => Ok(()),
        }
    }

    fn look(&self, verb: Verb, _: &dyn Clock) -> Result<Look, Fault> {
        let of = self.inspect()?;
        let (state, health) = (text(&of, "/State/Status"), text(&of, "/State/Health/Status"));
        let comes_up = matches!(verb, Verb::Restart | Verb::Start | Verb::Reload);
        let standing = match state {
            "running" if comes_up && health == "unhealthy" => Standing::Failed,
            "running" => Standing::Running,
            "created" => Standing::Stopped,
            "exited" if of.pointer("/State/ExitCode").and_then(Value::as_i64) == Some(0) => Standing::Stopped,
            "exited" | "dead" => Standing::Failed,
            _ => Standing::Changing,
        };
        let restarts = of.pointer("/RestartCount").and_then(Value::as_u64).unwrap_or_default();
        let pid = of.pointer("/State/Pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
        let serving = (state == "running").then(|| Serving {
            pid: pid.unwrap_or_default(),
            id: format!("since {} restarts {restarts}", text(&of, "/State/StartedAt")),
        });
        let identity = [("container", text(&of, "/Id")), ("image", text(&of, "/Image")), ("state", state)];
        let mut said = described(&of);
        if standing == Standing::Failed || state == "restarting" {
            said = self.log_end().map_or(said.clone(), |end| crate::clean!("{said}; {end}"));
        }
        Ok(Look {
            standing,
            serving,
            identity: identity.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            hits: hits(verb, &of, restarts),
            raise: Vec::new(),
            obstacle: obstacle(self, verb, &of, &said),
            doubt: (health == "starting").then(|| Clean::from("its health check has not passed yet")),
            said,
        })
    }

    fn line(&self, verb: Verb) -> Clean {
        let Self { name, path, .. } = self;
        let (path, signal) = (path.display(), self.reload_signal.as_deref().unwrap_or_default());
        match verb {
            Verb::Reload => crate::clean!("send SIG{signal} to container {name}  through the engine at {path}"),
            _ => crate::clean!("{verb} container {name}  through the engine at {path}"),
        }
    }

    fn apply(&self, verb: Verb, _: &Doing<'_>) -> Result<Clean, StepError> {
        let (name, signal) = (&self.name, self.reload_signal.as_deref().unwrap_or_default());
        let target = match verb {
            Verb::Reload => format!("/containers/{name}/kill?signal=SIG{signal}"),
            Verb::Restart | Verb::Start | Verb::Stop | Verb::ResetFailed => format!("/containers/{name}/{verb}"),
        };
        let seconds = self.inspect().map_err(StepError::Failed).map(|of| given(&of))?;
        let limit = SLACK + Duration::from_secs(seconds);
        let answer = self.ask(Method::POST, &target, limit).map_err(remote::lost)?;
        let no = |why: &str| StepError::Failed(Fault::new(format!("`{verb} {name}` was not done: {why}.")));
        match answer.status {
            200..=299 => Ok(crate::clean!("the engine has done `{verb} {name}`")),
            304 => Err(no("the engine says that it was so already")),
            _ => Err(no(refusal(&answer).as_str())),
        }
    }
}

/// What it takes: restarts so far, how long a stop may last, what a stop does not stop.
fn hits(verb: Verb, of: &Value, restarts: u64) -> Vec<Clean> {
    let mut hits = vec![crate::clean!("restarted by the engine {restarts} times so far")];
    if matches!(verb, Verb::Restart | Verb::Stop) {
        hits.push(crate::clean!("it is given {} s to end, then it is killed", given(of)));
    }
    let policy = text(of, "/HostConfig/RestartPolicy/Name");
    if verb == Verb::Stop && policy == "always" {
        hits.push(Clean::from("its restart policy is always: it comes back when the engine is started again"));
    }
    if flag(of, "/State/OOMKilled") {
        hits.push(Clean::from("its last run was killed for memory"));
    }
    hits
}

/// Why this cannot be asked of the container.
fn obstacle(of: &Container, verb: Verb, found: &Value, said: &Clean) -> Option<Fault> {
    let name = &of.name;
    let fault = |what: &str, hint: &str| Some(Fault::new(format!("{name} {what}.")).hint(hint));
    let is = format!("is {said}");
    let real = text(found, "/Name").trim_start_matches('/');
    if real != name {
        return fault("is an id or a part of one, not a name", &format!("Write `{}`.", Clean::text(real)));
    }
    let removed = flag(found, "/HostConfig/AutoRemove");
    match (verb, text(found, "/State/Status")) {
        (Verb::ResetFailed, _) => {
            fault("has no failed state to clear: an engine keeps none", "Look at why it failed, then start it.")
        }
        (Verb::Reload, _) if of.reload_signal.is_none() => fault(
            "cannot reload: an engine has no such thing",
            "Where the container rereads at a signal say reload_signal = \"HUP\"; else restart it.",
        ),
        (_, "paused") => fault(&is, "Somebody has frozen it: find out why, then unpause it."),
        (_, "removing" | "dead") => fault(&is, "It is being removed: make it anew."),
        (Verb::Restart | Verb::Start, "restarting") => fault(
            &format!("{is}: it ends too soon, and the engine is about to start it again by itself"),
            "Look at its log for why; then stop it, and start it.",
        ),
        (Verb::Restart | Verb::Stop, "running") if removed => fault(
            "was started to be removed when it stops (--rm): nothing would be left to start",
            "Make it anew without --rm.",
        ),
        (Verb::Reload, state) if state != "running" => fault(&is, "Only a running container rereads."),
        (Verb::Start, "running") => fault(&format!("{is}: there is nothing to start"), "To start it anew, restart it."),
        (Verb::Stop, "exited" | "created") => {
            fault(&format!("{is}: there is nothing to stop"), "Nothing needs to be done.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(name: &str) -> Container {
        Container { name: name.into(), path: socket(), owner: None, reload_signal: None }
    }

    #[test]
    fn names_that_could_say_more_are_refused() {
        for name in ["", "-x", "a b", "a\nb", "../x", "a/b", ".x", "a?t=0", "a:b", "a%2f", "wеb"] {
            assert!(container(name).check().is_err(), "{name:?}");
        }
        assert!(container("genesis-trading_1.x").check().is_ok());
        assert!(Container { path: "sock".into(), ..container("x") }.check().is_err());
        assert!(Container { reload_signal: Some("KILL".into()), ..container("x") }.check().is_err());
    }

    #[test]
    fn why_it_is_down_has_words() {
        let of = json!({ "State": { "Status": "exited", "ExitCode": 137, "OOMKilled": true, "Pid": 0 } });
        assert_eq!(described(&of).as_str(), "exited, exit code 137 (SIGKILL), killed for memory");
        let of = json!({ "State": { "Status": "running", "Pid": 12, "Health": { "Status": "healthy" } } });
        assert_eq!(described(&of).as_str(), "running, process 12, healthy");
        let of = json!({ "State": { "Status": "exited", "ExitCode": 3, "Error": "no such\u{1b}[2J file" } });
        assert_eq!(described(&of).as_str(), "exited, exit code 3, no such␛[2J file");
    }

    #[test]
    fn states_that_only_docker_has_stand_in_the_way() {
        let refused = |verb, state: &str, removed: bool| {
            let of = json!({ "Name": "/x", "State": { "Status": state }, "HostConfig": { "AutoRemove": removed } });
            obstacle(&container("x"), verb, &of, &described(&of)).map(|fault| fault.to_string())
        };
        for state in ["removing", "dead"] {
            assert!(refused(Verb::Start, state, false).unwrap().contains("It is being removed"), "{state}");
        }
        assert!(refused(Verb::Restart, "restarting", false).unwrap().contains("ends too soon"));
        assert_eq!(refused(Verb::Stop, "restarting", false), None, "that way out is open");
        assert!(refused(Verb::Stop, "running", true).unwrap().contains("--rm"));
        assert_eq!(refused(Verb::Restart, "exited", false), None);
    }

    #[test]
    fn a_log_comes_with_and_without_frames() {
        let framed = b"\x01\0\0\0\0\0\0\x03ab\n\x02\0\0\0\0\0\0\x04cde\n";
        assert_eq!(unframed(framed), b"ab\ncde\n");
        assert_eq!(unframed(b"plain text\n"), b"plain text\n");
        assert_eq!(unframed(b"\x01\0\0\0\xff\xff\xff\xffcut"), b"cut");
        assert_eq!(unframed(b""), b"");
    }

    #[test]
    fn the_time_that_it_is_given_is_its_own() {
        let seconds =
            [json!({}), json!({ "Config": { "StopTimeout": 3 } }), json!({ "Config": { "StopTimeout": -1 } })];
        assert_eq!(seconds.map(|of| given(&of)), [USUAL, 3, LONGEST]);
    }
}
