//! `container`: containers of a Docker or Podman engine, over its socket. Names as cAdvisor and docker_state_exporter.
//! ```toml
//! [samplers.engine]
//! kind  = "container"
//! path  = "/var/run/docker.sock"      # the default; Podman: "/run/podman/podman.sock"
//! names = ["genesis-trading"]         # looked at closely; without it: every container, from the list
//! ```
//! Gives container_state_status{status} and _health_status{status}, 0 or 1 for each; container_state_exitcode; for names
//! also container_present (0: there is none of this name; told first), container_state_oomkilled, container_restartcount,
//! container_start_time_seconds, container_finish_time_seconds, container_spec_memory_limit_bytes,
//! container_mount_writable{destination, source}, container_info{image, working_dir} where it has a work folder; container_engine_up, 0 when the engine is silent or refuses; its version and each state in words as facts; and what a
//! container has said last, once it has ended: asked for once for each of its ends.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::http::local::Daemon;
use crate::samplers::systemd_show::with_meaning;
use crate::samplers::{Kind, Observed, Sampler, json};
use crate::sys::secret::hide_clean;
use core::time::Duration;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// Further containers of the list are not shown: each has up to 13 series, of which one sampler may give 2,000.
const MOST: usize = 150;
/// Names of one table, since each is a request.
const NAMES: usize = 20;
/// Mounts of one container.
const MOUNTS: usize = 50;
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
/// Lines that an ended container is quoted with.
const LAST_WORDS: usize = 5;
const HEALTH: [&str; 4] = ["healthy", "unhealthy", "starting", "none"];

/// The kind.
pub struct Container;

impl Kind for Container {
    fn name(&self) -> &'static str {
        "container"
    }

    fn about(&self) -> &'static str {
        "containers of Docker or Podman: state, health, exit code, restarts, killed for memory, mounts"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let config: Config = body.read()?;
        let plain = |name: &String| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        if let Some(name) = config.names.iter().find(|name| !plain(name)) {
            return Err(body.fault_at("names", format!("`{}` is no name of a container.", Clean::text(name))));
        }
        if config.names.len() > NAMES {
            let fault = body.fault_at("names", format!("more than {NAMES} names: each is a request."));
            return Err(fault.hint("Leave `names` out to see all from the list."));
        }
        let daemon = Daemon::at_socket(body, config.path.unwrap_or_else(|| "/var/run/docker.sock".into()))?;
        Ok(Box::new(ContainerSampler { daemon, names: config.names, engine: None, last_words: HashMap::new() }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["container_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: Option<PathBuf>,
    #[serde(default)]
    names: Vec<String>,
}

struct ContainerSampler {
    daemon: Daemon,
    names: Vec<String>,
    engine: Option<Clean>,
    /// What ended containers have said last, by name: when each ended, and its lines.
    last_words: HashMap<String, (String, Vec<Clean>)>,
}

impl ContainerSampler {
    async fn look(&mut self) -> Result<Observation, Failure> {
        let mut seen = Observation { points: vec![up(1.0)], ..Observation::default() };
        // Kept until the engine is silent: Podman runs programs to tell its version.
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => self.version().await?,
        };
        if self.names.is_empty() {
            let all = self.ask("containers/json?all=1").await?.unwrap_or_default();
            let Value::Array(all) = all else { return Err(self.daemon.answered("did not answer with a list")) };
            for container in all.iter().take(MOST) {
                listed(container, &mut seen);
            }
            if all.len() > MOST {
                let more = clean!("{} more containers, beyond {MOST}", all.len() - MOST);
                seen.facts.push((Clean::from("not shown"), more));
            }
        }
        // Told first.
        let mut missing = Vec::new();
        for name in self.names.clone() {
            let found = self.ask(&format!("containers/{name}/json")).await?;
            let present = f64::from(u8::from(found.is_some()));
            seen.points.push(Point::gauge("container_present", &[("name", &name)], present));
            match found {
                Some(container) => {
                    inspected(&name, &container, &mut seen);
                    self.quote(&name, &container, &mut seen).await;
                }
                None => missing.push((Clean::text(&name), Clean::from("MISSING: no such container"))),
            }
        }
        missing.append(&mut seen.facts);
        seen.facts = missing;
        seen.facts.push((Clean::from("engine"), engine.clone()));
        self.engine = Some(engine);
        Ok(seen)
    }

    /// What a container that has ended said last. An engine that keeps no log of it has nothing to add.
    async fn quote(&mut self, name: &str, container: &Value, seen: &mut Observation) {
        if !matches!(text(container, "/State/Status"), "exited" | "dead") {
            self.last_words.remove(name);
            return;
        }
        let ended = text(container, "/State/FinishedAt");
        if self.last_words.get(name).is_none_or(|(known, _)| known != ended) {
            let path = format!("containers/{name}/logs?stdout=1&stderr=1&tail={LAST_WORDS}");
            let log = self.daemon.get(&path).await.ok().flatten().unwrap_or_default();
            let framed = container.pointer("/Config/Tty").and_then(Value::as_bool) != Some(true);
            self.last_words.insert(name.to_owned(), (ended.to_owned(), lines(&log, framed)));
        }
        let lines = self.last_words.get(name).map(|(_, lines)| lines.as_slice()).unwrap_or_default();
        let fact = |(at, line): (usize, &Clean)| (clean!("{name} last said, {}", at + 1), line.clone());
        // Beside its exit, before its mounts.
        let at = seen.facts.iter().position(|(known, _)| known.as_str() == name).map_or(0, |at| at + 1);
        seen.facts.splice(at..at, lines.iter().enumerate().map(fact));
    }

    async fn version(&mut self) -> Result<Clean, Failure> {
        let about = self.ask("version").await?.unwrap_or_default();
        let maker = if text(&about, "/Components/0/Name").starts_with("Podman") { "Podman" } else { "Docker" };
        Ok(clean!("{maker} {}, API {}", text(&about, "/Version"), text(&about, "/ApiVersion")))
    }

    /// One document; `None` when the engine does not have it.
    async fn ask(&mut self, path: &str) -> Result<Option<Value>, Failure> {
        let Some(answer) = self.daemon.get(path).await? else { return Ok(None) };
        json::parse(&answer).map(Some).map_err(|what| self.daemon.answered(format!("sent what is {what}")))
    }
}

/// The last lines of a log. Without a terminal each piece has a head of eight bytes: its stream, and how long it is.
fn lines(log: &[u8], framed: bool) -> Vec<Clean> {
    let mut text = Vec::new();
    let mut rest = log;
    while framed && let Some(([0..=2, 0, 0, 0, length @ ..], more)) = rest.split_first_chunk::<8>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).min(more.len());
        let (piece, left) = more.split_at(length);
        text.extend_from_slice(piece);
        rest = left;
    }
    text.extend_from_slice(rest);
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LAST_WORDS)..).unwrap_or_default();
    last.iter()
        .map(|line| {
            let mut line = Clean::cut(line, 0);
            hide_clean(&mut line);
            line
        })
        .collect()
}

/// A row of the list: its state in the engine's words holds exit code and health.
fn listed(container: &Value, seen: &mut Observation) {
    let name = text(container, "/Names/0").trim_start_matches('/');
    if name.is_empty() {
        return;
    }
    let (image, status) = (text(container, "/Image"), text(container, "/Status"));
    let labels = [("name", name), ("image", image)];
    let state = text(container, "/State");
    one_of("container_state_status", &labels, &STATES, state, seen);
    let within =
        |from: &str, to: char| status.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(it, _)| it);
    if let Some(code) = within("Exited (", ')').and_then(|code| code.parse::<f64>().ok()) {
        seen.points.push(Point::gauge("container_state_exitcode", &labels, code));
    }
    // Podman's list has no health; without a word there may still be a check.
    let health = match within(" (", ')').filter(|_| state == "running") {
        Some(health @ ("healthy" | "unhealthy")) => Some(health),
        Some("health: starting" | "starting") => Some("starting"),
        _ => None,
    };
    if let Some(health) = health {
        one_of("container_state_health_status", &labels, &HEALTH, health, seen);
    }
    seen.facts.push((Clean::text(name), Clean::text(status)));
}

fn inspected(name: &str, container: &Value, seen: &mut Observation) {
    let image = text(container, "/Config/Image");
    let labels = [("name", name), ("image", image)];
    let number = |pointer: &str| container.pointer(pointer).and_then(Value::as_f64);
    let state = text(container, "/State/Status");
    one_of("container_state_status", &labels, &STATES, state, seen);
    let health = Some(text(container, "/State/Health/Status")).filter(|health| !health.is_empty()).unwrap_or("none");
    one_of("container_state_health_status", &labels, &HEALTH, health, seen);
    let (start, finish) = (moment(container, "/State/StartedAt"), moment(container, "/State/FinishedAt"));
    let ended = matches!(state, "exited" | "dead");
    // 0 is no limit.
    let limit = number("/HostConfig/Memory").filter(|limit| *limit > 0.0);
    let killed = container.pointer("/State/OOMKilled").and_then(Value::as_bool);
    for (metric, value) in [
        ("container_state_exitcode", number("/State/ExitCode").filter(|_| ended)),
        ("container_state_oomkilled", killed.map(|killed| f64::from(u8::from(killed)))),
        ("container_start_time_seconds", start),
        ("container_finish_time_seconds", finish.filter(|_| ended)),
        ("container_spec_memory_limit_bytes", limit),
    ] {
        seen.points.extend(value.map(|value| Point::gauge(metric, &labels, value)));
    }
    let restarts = number("/RestartCount");
    seen.points.extend(restarts.map(|count| Point::counter("container_restartcount", &labels, count)));
    seen.facts.push((Clean::text(name), sentence(container, state, health, killed == Some(true))));
    let folder = text(container, "/Config/WorkingDir");
    if !folder.is_empty() {
        let labels = [labels[0], ("image", image), ("working_dir", folder)];
        seen.points.push(Point::gauge("container_info", &labels, 1.0));
        seen.facts.push((clean!("{name} work folder"), Clean::text(folder)));
    }
    let mounts = container.pointer("/Mounts").and_then(Value::as_array);
    for mount in mounts.into_iter().flatten().take(MOUNTS) {
        let (source, destination) = (text(mount, "/Source"), text(mount, "/Destination"));
        let Some(writable) = mount.pointer("/RW").and_then(Value::as_bool) else { continue };
        let labels = [labels[0], ("source", source), ("destination", destination)];
        seen.points.push(Point::gauge("container_mount_writable", &labels, f64::from(u8::from(writable))));
        let how = if writable { "writable" } else { "read-only" };
        seen.facts.push((clean!("{name} {destination}"), clean!("{} {source}, {how}", text(mount, "/Type"))));
    }
}

/// Whether the engine answers.
fn up(value: f64) -> Point {
    Point::gauge("container_engine_up", &[], value)
}

fn sentence(container: &Value, state: &str, health: &str, killed: bool) -> Clean {
    let mut parts = vec![state.to_owned()];
    parts.extend((health != "none").then(|| health.to_owned()));
    parts.extend(killed.then(|| "killed for memory (OOMKilled)".to_owned()));
    let code =
        container.pointer("/State/ExitCode").and_then(Value::as_i64).filter(|_| matches!(state, "exited" | "dead"));
    parts.extend(code.map(|code| with_meaning("exit code", code)));
    parts.extend(Some(text(container, "/State/Error")).filter(|error| !error.is_empty()).map(str::to_owned));
    let restarts = container.pointer("/RestartCount").and_then(Value::as_u64).filter(|count| *count > 0);
    parts.extend(restarts.map(|count| format!("{count} restarts")));
    let streak = container.pointer("/State/Health/FailingStreak").and_then(Value::as_u64).filter(|count| *count > 0);
    parts.extend(streak.map(|count| format!("{count} health checks failed in a row")));
    Clean::text(parts.join("; "))
}

/// A series per known word, 1 for the one that holds; an unknown word gets its own while it lasts.
fn one_of(metric: &str, labels: &[(&str, &str)], known: &[&str], holds: &str, seen: &mut Observation) {
    let other = Some(holds).filter(|holds| !known.contains(holds) && !holds.is_empty());
    for word in known.iter().copied().chain(other) {
        let labels = [labels, &[("status", word)]].concat();
        seen.points.push(Point::gauge(metric, &labels, f64::from(u8::from(word == holds))));
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Seconds since the epoch; the engine writes the year 1 for "never".
fn moment(value: &Value, pointer: &str) -> Option<f64> {
    let stamp: jiff::Timestamp = text(value, pointer).parse().ok()?;
    Some(stamp.as_millisecond() as f64 / 1e3).filter(|seconds| *seconds > 0.0)
}

impl Sampler for ContainerSampler {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        Box::pin(async { self.look().await.map_err(|failure| failure.with(self.unheard())) })
    }

    fn unheard(&self) -> Vec<Point> {
        vec![up(0.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_with_heads_and_without_and_only_its_end_is_kept() {
        let framed = b"\x01\0\0\0\0\0\0\x04one\n\x02\0\0\0\0\0\0\x09two\nthree";
        let shown = |log: &[u8], framed| lines(log, framed).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(framed, true), ["one", "two", "three"]);
        assert_eq!(shown(b"one\n\ntwo\n", false), ["one", "two"]);
        assert_eq!(shown(b"1\n2\n3\n4\n5\n6\n7\n", true), ["3", "4", "5", "6", "7"]);
        assert_eq!(shown(b"\x01\0\0\0\0\0\0\xffcut", true), ["cut"], "a piece that is not whole");
        assert!(shown(b"", true).is_empty());
    }

    #[test]
    fn a_bad_table_says_where_and_what() {
        let many = format!("names = {:?}", vec!["a"; 21]);
        for (config, fault) in [
            ("path = \"a\"", "p.toml:1:8: `a` does not begin with `/`."),
            ("names = [\"../version\"]", "p.toml:1:9: `../version` is no name of a container."),
            (
                many.as_str(),
                "p.toml:1:9: more than 20 names: each is a request. Leave `names` out to see all from the list.",
            ),
        ] {
            let body = Body::parse("p.toml", config).expect("TOML");
            assert_eq!(Container.build(&body).err().map(|fault| fault.to_string()).as_deref(), Some(fault));
        }
    }
}
