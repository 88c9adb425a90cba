//! `systemd`: units by name or pattern, else all that have failed. Names as the systemd exporter gives them.
//! ```toml
//! [samplers.services]
//! kind  = "systemd"
//! units = ["cerebellar-norse.service", "foo-*"]   # without it: every failed unit
//! systemctl = ["/usr/bin/systemctl"]              # how to call it; others must not be able to write that program
//! ```
//! Gives node_systemd_units{state="failed"} or per unit systemd_unit_state{state}, _loaded, _start_time_seconds,
//! _state_change_time_seconds, _need_daemon_reload, _tasks_current, _tasks_max, _memory_current_bytes, _memory_peak_bytes,
//! _memory_max_bytes; systemd_service_restart_total, _oom_killed, _start_limit_hit, _start_limit_burst,
//! _start_limit_interval_seconds, _exit_status; and a fact that says it in words, units that have failed first. Where
//! systemd does not run all of that is not supported, but with `systemctl` another place may be meant.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point, Unit as Of};
use crate::clean;
use crate::samplers::exec::{Ran, Runner};
use crate::samplers::systemd_show::{Unit, meaning, units};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::logind::absent;
use crate::sys::program::{Ended, Order, signal_name};
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A little less than an attempt may take, so that the sentence is ours.
const LIMIT: Duration = Duration::from_millis(4_800);
/// More units are not shown: each has up to 21 series, of which one sampler may give 2,000.
const MOST: usize = 90;
/// The states that the exporter knows; another one gets a series while it lasts.
const STATES: [&str; 5] = ["active", "activating", "deactivating", "inactive", "failed"];
const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,NeedDaemonReload,\
    StateChangeTimestamp,ActiveEnterTimestamp,ExecMainCode,ExecMainStatus,StartLimitBurst,StartLimitIntervalUSec,\
    MemoryCurrent,MemoryPeak,MemoryMax,TasksCurrent,TasksMax,Job";

/// All that it can give.
const NAMES: [&str; 17] = [
    "node_systemd_units",
    "systemd_unit_state",
    "systemd_unit_loaded",
    "systemd_unit_start_time_seconds",
    "systemd_unit_state_change_time_seconds",
    "systemd_unit_need_daemon_reload",
    "systemd_unit_tasks_current",
    "systemd_unit_tasks_max",
    "systemd_unit_memory_current_bytes",
    "systemd_unit_memory_peak_bytes",
    "systemd_unit_memory_max_bytes",
    "systemd_service_restart_total",
    "systemd_service_oom_killed",
    "systemd_service_start_limit_hit",
    "systemd_service_start_limit_burst",
    "systemd_service_start_limit_interval_seconds",
    "systemd_service_exit_status",
];

/// The kind.
pub struct Systemd;

impl Kind for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn about(&self) -> &'static str {
        "units of systemd: state, result, restarts, start limit, memory, tasks; by name, by pattern, or all that failed"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(SystemdSampler::new(body)?))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["systemd_", "node_systemd_units"].map(str::to_owned).into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    units: Option<Vec<String>>,
    systemctl: Option<Vec<String>>,
}

struct SystemdSampler {
    /// Where this host's own systemd shows, if that is meant; only tests name another than `/`.
    root: Option<PathBuf>,
    order: Order,
    failed: bool,
    runner: Runner,
}

impl SystemdSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let config: Config = body.read()?;
        let root = config.systemctl.is_none().then(|| PathBuf::from("/"));
        let systemctl = config.systemctl.unwrap_or_else(|| ["/usr/bin/systemctl".to_owned()].into());
        let Some((program, prefix)) = systemctl.split_first().filter(|(program, _)| program.starts_with('/')) else {
            let fault = body.fault_at("systemctl", "`systemctl` names no program by its whole path.");
            return Err(fault.hint("Such as [\"/usr/bin/systemctl\"]."));
        };
        let odd = |name: &&String| name.is_empty() || name.contains(char::is_whitespace) || name.contains(['/', '\0']);
        if let Some(name) = config.units.iter().flatten().find(odd) {
            return Err(body.fault_at("units", format!("`{}` is no name of a unit.", Clean::text(name))));
        }
        if config.units.as_ref().is_some_and(Vec::is_empty) {
            return Err(body.fault_at("units", "no unit is named.").hint("Leave `units` out to see all that failed."));
        }
        let failed = config.units.is_none();
        let mut args = prefix.to_vec();
        args.extend(["show", "--no-pager", "--no-ask-password", PROPERTIES].map(str::to_owned));
        match config.units {
            Some(units) => args.extend(core::iter::once("--".to_owned()).chain(units)),
            None => args.extend(["--state=failed", "--", "*"].map(str::to_owned)),
        }
        // Times in UTC whatever the host's zone; nothing that changes how the manager is reached.
        let env = vec![("TZ".to_owned(), "UTC".to_owned())];
        let order = Order { program: program.into(), args, env, spare: false };
        Ok(Self { root, order, failed, runner: Runner::new() })
    }

    async fn look(&mut self, now: Now) -> Result<Observation, Failure> {
        if let Some(why) = self.root.as_deref().and_then(absent) {
            let not_supported = NAMES.map(|name| (Clean::from(name), why.clone())).into();
            return Ok(Observation {
                facts: vec![(Clean::from("systemd"), why)],
                not_supported,
                ..Observation::default()
            });
        }
        let ran = self.runner.run(now.mono, &self.order, LIMIT).await?;
        self.observation(&ran)
    }

    fn observation(&self, ran: &Ran) -> Result<Observation, Failure> {
        let name = clean!("{}", self.order.program.display());
        if ran.ended != Ended::Code(0) {
            let said = ran.stderr.first_line().unwrap_or_else(|| "no words".into());
            let said = said.as_str().trim_end_matches('.');
            return Err(Failure::unreachable(format!("{name} failed ({}): {said}.", ran.ended)));
        }
        if ran.stdout.beyond > 0 {
            return Err(Failure::answered(format!("{name} prints more than 1 MiB.")));
        }
        let text = String::from_utf8_lossy(&ran.stdout.bytes);
        let all = units(&text);
        let mut seen = Observation::default();
        if self.failed {
            seen.points.push(Point::gauge("node_systemd_units", &[("state", "failed")], all.len() as f64));
        }
        let mut known = BTreeSet::new();
        // A unit comes once per name that it was asked by.
        let mut distinct: Vec<&Unit<'_>> = all.iter().filter(|unit| known.insert(unit.text("Id"))).collect();
        distinct.sort_by_key(|unit| !unit.is("ActiveState", "failed"));
        for unit in distinct.iter().take(MOST) {
            observe(unit, &mut seen);
        }
        if distinct.len() > MOST {
            let more = distinct.len() - MOST;
            let more = clean!("{more} more unit{}, beyond {MOST}", if more == 1 { "" } else { "s" });
            seen.facts.push((Clean::from("not shown"), more));
        }
        if !self.failed && !distinct.is_empty() {
            let why =
                "systemd does not tell how many starts of the window are used up; the limit and its window are given";
            seen.not_supported.push((Clean::from("systemd_service_start_limit_left"), Clean::from(why)));
        }
        Ok(seen)
    }
}

/// The series and the sentence of one unit.
fn observe(unit: &Unit<'_>, seen: &mut Observation) {
    let Some(id) = unit.text("Id") else { return };
    let kind = id.rsplit('.').next().unwrap_or(id);
    let labels = [("name", id), ("type", kind)];
    let state = unit.text("ActiveState").unwrap_or("unknown");
    if unit.is("LoadState", "not-found") {
        // Of what does not exist there is no state, no limit and no count.
        seen.points.push(Point::gauge("systemd_unit_loaded", &labels, 0.0));
        seen.facts.push((Clean::text(id), Clean::from("no such unit")));
        return;
    }
    let other = Some(state).filter(|state| !STATES.contains(state));
    for known in STATES.into_iter().chain(other) {
        let labels = [labels[0], labels[1], ("state", known)];
        seen.points.push(Point::gauge("systemd_unit_state", &labels, flag(known == state)));
    }
    let start = unit.moment("ActiveEnterTimestamp").filter(|_| matches!(state, "active" | "reloading"));
    for (name, value) in [
        ("systemd_unit_loaded", Some(flag(unit.is("LoadState", "loaded")))),
        ("systemd_unit_start_time_seconds", start),
        ("systemd_unit_state_change_time_seconds", unit.moment("StateChangeTimestamp")),
        ("systemd_unit_need_daemon_reload", Some(flag(unit.is("NeedDaemonReload", "yes")))),
        ("systemd_unit_tasks_current", unit.number("TasksCurrent")),
        ("systemd_unit_tasks_max", unit.number("TasksMax")),
        ("systemd_unit_memory_current_bytes", unit.number("MemoryCurrent")),
        ("systemd_unit_memory_peak_bytes", unit.number("MemoryPeak")),
        ("systemd_unit_memory_max_bytes", unit.number("MemoryMax")),
    ] {
        seen.points.extend(value.map(|value| Point::gauge(name, &labels, value)));
    }
    if kind == "service" {
        service(unit, id, seen);
    }
    seen.facts.push((Clean::text(id), sentence(unit, state)));
}

fn service(unit: &Unit<'_>, id: &str, seen: &mut Observation) {
    let labels = [("name", id)];
    seen.points
        .extend(unit.number("NRestarts").map(|count| Point::counter("systemd_service_restart_total", &labels, count)));
    let result = |name| unit.text("Result").map(|result| flag(result == name));
    // 1: it has ended by itself. By a signal there is no status.
    let status = unit.number("ExecMainStatus").filter(|_| unit.is("ExecMainCode", "1"));
    for (name, value) in [
        ("systemd_service_oom_killed", result("oom-kill")),
        ("systemd_service_start_limit_hit", result("start-limit-hit").filter(|hit| *hit > 0.0 || !crashed_on(unit))),
        ("systemd_service_start_limit_burst", unit.number("StartLimitBurst")),
        ("systemd_service_start_limit_interval_seconds", unit.span("StartLimitIntervalUSec")),
        ("systemd_service_exit_status", status),
    ] {
        seen.points.extend(value.map(|value| Point::gauge(name, &labels, value)));
    }
}

/// A crash loop that systemd has ended keeps the result of the last crash: whether no more starts were left, or it
/// ended by another rule, cannot be told from the number of its restarts, which knows no window.
fn crashed_on(unit: &Unit<'_>) -> bool {
    unit.is("ActiveState", "failed") && unit.number("NRestarts").is_some_and(|again| again > 0.0)
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

/// Its state in words: what, why, since when, what else is unusual.
fn sentence(unit: &Unit<'_>, state: &str) -> Clean {
    let mut parts = vec![match unit.text("LoadState") {
        Some("masked") => format!("masked, {state}"),
        Some("loaded") | None => match unit.text("SubState") {
            Some(sub) if sub != state => format!("{state} ({sub})"),
            _ => state.to_owned(),
        },
        Some(load) => format!("{load}: its file cannot be used; {state}"),
    }];
    parts.extend(match unit.text("Result") {
        None | Some("success") => None,
        Some("oom-kill") => Some("killed for memory (oom-kill)".to_owned()),
        Some("start-limit-hit") => Some("started too often: the start limit is hit".to_owned()),
        Some(result) if crashed_on(unit) => Some(format!("{result}, again and again: it is not restarted any more")),
        Some(result) => Some(result.to_owned()),
    });
    let status = unit.text("ExecMainStatus").and_then(|status| status.parse::<i32>().ok());
    parts.extend(match (unit.text("ExecMainCode"), status) {
        (Some("1"), Some(status)) if status != 0 => {
            let meaning = meaning(status).map_or_else(String::new, |words| format!(", {words}"));
            Some(format!("exit status {status}{meaning}"))
        }
        (Some("2" | "3"), Some(signal)) => Some(format!("killed by {}", signal_name(signal))),
        _ => None,
    });
    parts.extend(unit.number("MainPID").filter(|pid| *pid > 0.0).map(|pid| format!("process {pid}")));
    parts.extend(
        unit.number("NRestarts")
            .filter(|count| *count > 0.0)
            .map(|count| format!("{} restart{}", Of::Count.show(count), if count == 1.0 { "" } else { "s" })),
    );
    parts.extend(unit.text("Job").filter(|job| *job != "0").map(|_| "a job is queued".to_owned()));
    parts
        .extend(unit.is("NeedDaemonReload", "yes").then(|| "its file has changed: daemon-reload is needed".to_owned()));
    parts.extend(unit.text("StateChangeTimestamp").map(|time| format!("since {time}")));
    Clean::text(parts.join("; "))
}

impl Sampler for SystemdSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(self.look(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded on a host whose service was killed for memory, and one whose user is missing.
    const RECORDED: &str = "Result=oom-kill\nMainPID=0\nNRestarts=2\nExecMainCode=2\nExecMainStatus=9\n\
        MemoryCurrent=[not set]\nMemoryPeak=536870912\nMemoryMax=536870912\nTasksCurrent=[not set]\nTasksMax=18446744073709551615\n\
        Id=hungry.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nNeedDaemonReload=yes\nJob=\n\
        StateChangeTimestamp=Sat 2026-11-28 20:21:46 UTC\nStartLimitIntervalUSec=10s\nStartLimitBurst=5\n\n\
        Result=exit-code\nExecMainCode=1\nExecMainStatus=217\nId=nouser.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n\n\
        Id=nouser.service\n\nId=x.service\nLoadState=loaded\nActiveState=reloading\nSubState=reload\nJob=7\n";

    fn seen(config: &str, stdout: &str) -> Observation {
        let sampler = SystemdSampler::new(&Body::parse("p.toml", config).expect("TOML")).expect("valid");
        sampler.observation(&Ran::of(Ended::Code(0), stdout, "")).expect("an answer")
    }

    fn value(seen: &Observation, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |point: &&Point| {
            point.key.name.as_str() == name
                && labels
                    .iter()
                    .all(|(name, value)| point.key.label(name).is_some_and(|found| found.as_str() == *value))
        };
        seen.points.iter().find(fits).map(|point| point.value)
    }

    #[test]
    fn a_unit_killed_for_memory_says_so() {
        let seen = seen("units = [\"*\"]", RECORDED);
        let hungry = [("name", "hungry.service")];
        assert_eq!(value(&seen, "systemd_service_oom_killed", &hungry), Some(1.0));
        assert_eq!(value(&seen, "systemd_unit_memory_peak_bytes", &hungry), Some(536_870_912.0));
        for absent in [
            "systemd_unit_memory_current_bytes",
            "systemd_unit_tasks_max",
            "systemd_unit_tasks_current",
            "systemd_service_exit_status",
            "systemd_unit_start_time_seconds",
        ] {
            assert_eq!(value(&seen, absent, &hungry), None, "{absent}");
        }
        let said = "failed; killed for memory (oom-kill); killed by SIGKILL; 2 restarts; its file has changed: \
            daemon-reload is needed; since Sat 2026-11-28 20:21:46 UTC";
        assert_eq!(seen.facts[0], (Clean::from("hungry.service"), Clean::text(said)));
        let said = "failed; exit-code; exit status 217, USER: its user does not exist or cannot be taken";
        assert_eq!(seen.facts[1].1.as_str(), said);
        assert_eq!(seen.facts.len(), 3, "the same unit twice is one");
        assert_eq!(seen.facts[2].1.as_str(), "reloading (reload); a job is queued");
        assert_eq!(value(&seen, "systemd_unit_state", &[("name", "x.service"), ("state", "reloading")]), Some(1.0));
        assert_eq!(value(&seen, "systemd_unit_state", &[("name", "x.service"), ("state", "active")]), Some(0.0));
    }

    #[test]
    fn failed_units_come_first_so_that_none_is_beyond_what_is_shown() {
        let many: String = (0..91).map(|number| format!("Id=u{number}.service\nActiveState=active\n\n")).collect();
        let bad = "Id=bad.service\nActiveState=failed\nResult=exit-code\nNRestarts=1\n";
        let all = seen("units = [\"*\"]", &format!("{many}{bad}"));
        assert_eq!(
            all.facts[0],
            (
                "bad.service".into(),
                "failed; exit-code, again and again: it is not restarted any more; 1 restart".into()
            )
        );
        assert_eq!(value(&all, "systemd_unit_state", &[("name", "bad.service"), ("state", "failed")]), Some(1.0));
        assert_eq!(all.facts[1].0.as_str(), "u0.service", "the others in their order");
        let one_less = seen("units = [\"*\"]", &many);
        assert_eq!(one_less.facts.last().map(|(_, said)| said.as_str()), Some("1 more unit, beyond 90"));
    }

    #[test]
    fn that_the_start_limit_is_hit_is_said_where_systemd_says_it() {
        for (state, hit) in [
            ("ActiveState=failed\nResult=start-limit-hit\nNRestarts=0", Some(1.0)),
            ("ActiveState=failed\nResult=exit-code\nNRestarts=0", Some(0.0)),
            ("ActiveState=active\nResult=success\nNRestarts=3", Some(0.0)),
            // It may be, but the number of restarts has no window.
            ("ActiveState=failed\nResult=exit-code\nNRestarts=3", None),
        ] {
            let text = format!("Id=a.service\n{state}\nStartLimitBurst=3\nStartLimitIntervalUSec=10s\n");
            let seen = seen("units = [\"a\"]", &text);
            assert_eq!(value(&seen, "systemd_service_start_limit_hit", &[]), hit, "{state}");
        }
    }

    #[test]
    fn all_that_is_given_is_what_is_not_supported_without_systemd() {
        let whole = "Id=a.service\nActiveState=active\nActiveEnterTimestamp=Sat 2026-11-28 20:21:46 UTC\n\
            StateChangeTimestamp=Sat 2026-11-28 20:21:46 UTC\nResult=success\nNRestarts=0\nExecMainCode=1\nExecMainStatus=0\n\
            StartLimitBurst=5\nStartLimitIntervalUSec=10s\nMemoryCurrent=1\nMemoryPeak=1\nMemoryMax=1\nTasksCurrent=1\nTasksMax=1\n";
        let all = seen("", whole);
        let given: BTreeSet<&str> = all.points.iter().map(|point| point.key.name.as_str()).collect();
        assert_eq!(given, BTreeSet::from(NAMES));
    }

    #[tokio::test]
    async fn where_systemd_does_not_run_its_metrics_are_not_supported_and_nothing_is_started() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("proc/1")).expect("made");
        std::fs::write(root.path().join("proc/1/comm"), "runit\n").expect("written");
        let body = Body::parse("p.toml", "units = [\"x\"]").expect("TOML");
        let mut sampler = SystemdSampler::new(&body).expect("valid");
        (sampler.root, sampler.order.program) = (Some(root.path().to_owned()), "/no/such/systemctl".into());
        let none = sampler.observe(Now::default()).await.expect("an answer");
        let why = Clean::from("systemd does not run here (PID 1 is runit)");
        assert_eq!((none.points.len(), &none.facts), (0, &vec![("systemd".into(), why.clone())]));
        assert_eq!(none.not_supported.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), NAMES);
        assert!(none.not_supported.iter().all(|(_, said)| *said == why));
        // Once it runs it is asked.
        std::fs::create_dir_all(root.path().join("run/systemd/system")).expect("made");
        let asked = sampler.observe(Now::default()).await.expect_err("no such program");
        assert!(asked.what.as_str().starts_with("/no/such/systemctl"), "{asked:?}");
        // Called otherwise, another systemd is meant.
        let body = Body::parse("p.toml", "systemctl = [\"/bin/x\"]").expect("TOML");
        assert_eq!(SystemdSampler::new(&body).expect("valid").root, None);
    }

    #[test]
    fn without_units_the_failed_are_counted_and_none_is_zero() {
        assert_eq!(value(&seen("", ""), "node_systemd_units", &[("state", "failed")]), Some(0.0));
        let many: String = (0..300).map(|number| format!("Id=u{number}.service\nActiveState=failed\n\n")).collect();
        let seen = seen("", &many);
        assert_eq!(value(&seen, "node_systemd_units", &[]), Some(300.0));
        assert_eq!(seen.facts.last().map(|(_, said)| said.as_str()), Some("210 more units, beyond 90"));
    }

    #[test]
    fn a_bad_table_says_where_and_what() {
        for (config, fault) in [
            ("units = []", "p.toml:1:9: no unit is named. Leave `units` out to see all that failed."),
            ("units = [\"a b\"]", "p.toml:1:9: `a b` is no name of a unit."),
            (
                "systemctl = [\"systemctl\"]",
                "p.toml:1:13: `systemctl` names no program by its whole path. Such as [\"/usr/bin/systemctl\"].",
            ),
        ] {
            let body = Body::parse("p.toml", config).expect("TOML");
            assert_eq!(Systemd.build(&body).err().map(|fault| fault.to_string()).as_deref(), Some(fault));
        }
    }
}
