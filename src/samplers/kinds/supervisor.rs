//! `supervisor`: the programs of a supervisord, over its XML-RPC. Names as the node exporter gives them.
//! ```toml
//! [samplers.programs]
//! kind = "supervisor"
//! path = "/var/run/supervisor.sock"     # the default; or
//! url  = "http://127.0.0.1:9001"
//! user = "watch"                        # either way, where it wants a login
//! password = { file = "/etc/watchkeeper/supervisor.password" }
//! ```
//! Gives per program (name, group) node_supervisord_up, _state (its code), _start_time_seconds, _exit_status,
//! supervisor_fatal (1: it could not be started and no more attempts are made; told first), supervisor_restarts_seen_total
//! (since this console began), and a fact that says it in words; supervisor_up, 0 when supervisord is silent or refuses.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point, Unit};
use crate::clean;
use crate::samplers::http::local::Daemon;
use crate::samplers::systemd_show::with_meaning;
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::secret::Given;
use crate::sys::xml_rpc::{Row, rows};
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Further programs are not shown.
const MOST: usize = 200;
const CALL: &str =
    "<?xml version='1.0'?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params/></methodCall>";

/// The kind.
pub struct Supervisor;

impl Kind for Supervisor {
    fn name(&self) -> &'static str {
        "supervisor"
    }

    fn about(&self) -> &'static str {
        "programs of a supervisord: state, exit status, since when, restarts, why one could not be started"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let config: Config = body.read()?;
        let login = match (config.user, config.password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err(body.fault("a login needs both `user` and `password`.")),
        };
        let daemon = match (config.path, config.url) {
            (Some(_), Some(_)) => return Err(body.fault_at("url", "`path` and `url` name two daemons.")),
            (None, Some(url)) => Daemon::at_url(body, &url)?,
            (path, None) => Daemon::at_socket(body, path.unwrap_or_else(|| "/var/run/supervisor.sock".into()))?,
        };
        Ok(Box::new(SupervisorSampler { daemon: daemon.with(login), seen: BTreeMap::new() }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["node_supervisord_", "supervisor_"].map(str::to_owned).into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: Option<PathBuf>,
    url: Option<String>,
    user: Option<String>,
    password: Option<Given>,
}

struct SupervisorSampler {
    daemon: Daemon,
    /// By group and name: when it was last started, and how often it was started again since we look.
    seen: BTreeMap<(String, String), (f64, u32)>,
}

/// Codes of states in which there is a process: STARTING, RUNNING, STOPPING.
const RUNS: [i32; 3] = [10, 20, 40];
/// The code of FATAL.
const FATAL: i32 = 200;

impl SupervisorSampler {
    async fn look(&mut self) -> Result<Observation, Failure> {
        let answer = self.daemon.post("RPC2", "text/xml", CALL.to_owned()).await?;
        let programs = rows(&answer).map_err(|what| self.daemon.answered(what))?;
        let mut seen = Observation { points: vec![up(1.0)], ..Observation::default() };
        // What could not be started is told first.
        let mut shown: Vec<&Row> = programs.iter().take(MOST).collect();
        shown.sort_by_key(|row| row.get("state").and_then(|state| state.parse().ok()) != Some(FATAL));
        for program in shown {
            self.program(program, &mut seen);
        }
        if programs.len() > MOST {
            let more = clean!("{} more programs, beyond {MOST}", programs.len() - MOST);
            seen.facts.push((Clean::from("not shown"), more));
        }
        let known = |(group, name): &(String, String)| {
            programs.iter().any(|row| row.get("group") == Some(group) && row.get("name") == Some(name))
        };
        self.seen.retain(|program, _| known(program));
        Ok(seen)
    }

    fn program(&mut self, row: &Row, seen: &mut Observation) {
        let (Some(name), Some(group)) = (row.get("name"), row.get("group")) else { return };
        let number = |member: &str| row.get(member).and_then(|text| text.parse::<i64>().ok());
        let Some(state) = number("state").and_then(|state| i32::try_from(state).ok()) else { return };
        let labels = [("name", name.as_str()), ("group", group.as_str())];
        let up = RUNS.contains(&state);
        let start = number("start").filter(|start| *start > 0).map(|start| start as f64);
        // 0 also stands for "never ended" and "ended too soon": then there is none.
        let ended = matches!(state, 0 | 100) && number("stop").is_some_and(|stop| stop > 0);
        let status = number("exitstatus").filter(|_| ended);
        seen.points.push(Point::gauge("node_supervisord_up", &labels, f64::from(u8::from(up))));
        seen.points.push(Point::gauge("node_supervisord_state", &labels, f64::from(state)));
        seen.points.push(Point::gauge("supervisor_fatal", &labels, f64::from(u8::from(state == FATAL))));
        for (name, value) in [
            ("node_supervisord_start_time_seconds", start.filter(|_| up)),
            ("node_supervisord_exit_status", status.map(|status| status as f64)),
        ] {
            seen.points.extend(value.map(|value| Point::gauge(name, &labels, value)));
        }
        let entry = self.seen.entry((group.clone(), name.clone())).or_insert((start.unwrap_or(0.0), 0));
        if let Some(start) = start.filter(|start| *start > entry.0) {
            // The first start is no restart.
            entry.1 += u32::from(entry.0 > 0.0);
            entry.0 = start;
        }
        seen.points.push(Point::counter("supervisor_restarts_seen_total", &labels, f64::from(entry.1)));
        seen.facts.push((clean!("{group}:{name}"), sentence(row, state, status, number("pid"))));
    }
}

/// Whether supervisord answers.
fn up(value: f64) -> Point {
    Point::gauge("supervisor_up", &[], value)
}

fn sentence(row: &Row, state: i32, status: Option<i64>, pid: Option<i64>) -> Clean {
    let mut parts = vec![match state {
        0 => "STOPPED".to_owned(),
        10 => "STARTING".to_owned(),
        20 => "RUNNING".to_owned(),
        30 => "BACKOFF: it ended too soon and will be started again".to_owned(),
        40 => "STOPPING".to_owned(),
        100 => "EXITED".to_owned(),
        FATAL => "FATAL: it could not be started, no more attempts are made".to_owned(),
        1_000 => "UNKNOWN: a fault of supervisord".to_owned(),
        other => format!("state {other}"),
    }];
    parts.extend(status.map(|status| match status {
        -1 => "ended by a signal".to_owned(),
        status => with_meaning("exit status", status),
    }));
    parts.extend(row.get("spawnerr").filter(|text| !text.is_empty()).cloned());
    parts.extend(pid.filter(|pid| *pid > 0).map(|pid| format!("process {pid}")));
    let number = |member: &str| row.get(member).and_then(|text| text.parse::<f64>().ok()).filter(|time| *time > 0.0);
    if let (Some(now), Some(since)) = (number("now"), number(if RUNS.contains(&state) { "start" } else { "stop" })) {
        parts.push(format!("for {}", Unit::Seconds.show((now - since).max(0.0))));
    }
    Clean::text(parts.join("; "))
}

impl Sampler for SupervisorSampler {
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
    fn a_bad_table_says_where_and_what() {
        for (config, fault) in [
            ("path = \"/a\"\nurl = \"http://x\"", "p.toml:2:7: `path` and `url` name two daemons."),
            ("path = \"a\"", "p.toml:1:8: `a` does not begin with `/`."),
            ("user = \"a\"", "p.toml:1:1: a login needs both `user` and `password`."),
            (
                "url = \"http://joe:hunter2@x/\"",
                "p.toml:1:7: a login does not belong into `url`. Write `user` and `password`.",
            ),
            ("url = \"http://host:9001\"", "p.toml:1:7: `url` names a host. Write the address of the host."),
            (
                "url = \"unix:///x\"",
                "p.toml:1:7: `url` does not begin with http://. For example http://127.0.0.1:9001.",
            ),
        ] {
            let body = Body::parse("p.toml", config).expect("TOML");
            assert_eq!(Supervisor.build(&body).err().map(|fault| fault.to_string()).as_deref(), Some(fault));
        }
    }

    #[test]
    fn states_have_words() {
        let row = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let fatal: Row = row(&[("spawnerr", "can't find command '/x\u{1b}[2J'"), ("now", "100"), ("stop", "40")]);
        let said = "FATAL: it could not be started, no more attempts are made; can't find command '/x␛[2J'; for 60.0 s";
        assert_eq!(sentence(&fatal, 200, None, Some(0)).as_str(), said);
        let said = sentence(&Row::new(), 100, Some(137), None);
        assert_eq!(said.as_str(), "EXITED; exit status 137, SIGKILL: killed, often for memory");
        assert_eq!(sentence(&Row::new(), 100, Some(-1), None).as_str(), "EXITED; ended by a signal");
    }
}
