//! Any record as a sentence for whoever takes over: who did what to what, how it ended, and by which figures. What stands
//! in no sentence is in the record itself, which `--json` shows.

use super::show::sentence;
use crate::base::Unit;
use serde_json::Value;

/// So much of a digest tells one file from another.
const DIGEST: usize = 12;

/// A record read back, as far as words need it.
pub(super) struct Words<'a> {
    record: &'a Value,
    /// The action, where another record of the same plan names it.
    act: Option<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn of(record: &'a Value, act: Option<&'a str>) -> Self {
        Self { record, act: record.get("act").and_then(Value::as_str).or(act) }
    }

    /// What the record says; of a newer program's event whatever it has.
    pub(super) fn say(&self) -> String {
        let event = self.record.get("ev").and_then(Value::as_str).unwrap_or_default();
        let family = event.split('.').next().unwrap_or_default();
        let said = match family {
            "journal" | "clock" => self.trail(event),
            "session" | "config" | "mode" => self.session(event),
            "confirm" => self.prompt(event),
            "action" => self.action(event),
            "procedure" => self.procedure(event),
            _ => sentence(event, self.part("target"), self.part("res")),
        };
        said.unwrap_or_else(|| self.plain())
    }

    fn part(&self, key: &str) -> &Value {
        self.record.get(key).unwrap_or(&Value::Null)
    }

    fn res(&self, key: &str) -> Option<&str> {
        self.part("res").get(key)?.as_str().filter(|text| !text.is_empty())
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.part("res").get(key)?.as_i64()
    }

    /// `: why`, where the record says it.
    fn because(&self, key: &str) -> String {
        self.res(key).map(|why| format!(": {why}")).unwrap_or_default()
    }

    /// The action's name, without its kind.
    fn act(&self) -> &str {
        self.act.and_then(|act| act.split(" (").next()).unwrap_or("an action")
    }

    fn trail(&self, event: &str) -> Option<String> {
        Some(match event {
            "journal.open" => {
                let after = self.res("after").unwrap_or("the file before");
                match self.res("why")? {
                    "first file" => "the trail begins here".to_owned(),
                    "broken" => format!("a new chain begins: {after} was found broken{}", self.because("found")),
                    "torn" => format!("the trail goes on after {after}, whose last line was cut off"),
                    why => format!("the trail goes on after {after}: {why}"),
                }
            }
            "journal.gap" => {
                let lost = self.number("dropped")?;
                let records = if lost == 1 { "record is" } else { "records are" };
                format!("{lost} {records} missing before this one: the disk did not keep up")
            }
            "journal.broken" => format!("the trail was found changed{}", self.because("found")),
            "clock.jump" => {
                let by = self.number("by_ms")?;
                let (seconds, way) = (by.unsigned_abs() as f64 / 1_000.0, if by < 0 { "back" } else { "forward" });
                format!("the wall clock was moved {way} by {} from {}", Unit::Seconds.show(seconds), self.res("from")?)
            }
            _ => return None,
        })
    }

    fn session(&self, event: &str) -> Option<String> {
        Some(match event {
            "session.start" => {
                let part = |key: &str| self.part("who").get(key).and_then(Value::as_str);
                let tty = part("tty").map(|tty| format!(" on {tty}")).unwrap_or_default();
                let ssh = part("ssh").map(|from| format!(", by ssh from {from}")).unwrap_or_default();
                let (profile, mode) = (self.res("profile")?, self.res("mode").unwrap_or("OBSERVE"));
                format!("started a console of {profile} in {mode}{tty}{ssh}")
            }
            "session.end" => "left the console".to_owned(),
            "config.load" => {
                let digest: String = self.res("sha256").unwrap_or_default().chars().take(DIGEST).collect();
                let distrusted = self.because("distrusted");
                let trust = if distrusted.is_empty() { "" } else { ", which may only be shown" };
                format!("loaded {} (SHA-256 {digest}…){trust}{distrusted}", self.res("file")?)
            }
            "mode.arm" => "armed the console".to_owned(),
            "mode.disarm" => format!("put the console back to OBSERVE{}", self.because("why")),
            _ => return None,
        })
    }

    fn prompt(&self, event: &str) -> Option<String> {
        Some(match event {
            "confirm.shown" => format!("was shown the plan of {}", self.act()),
            "confirm.refused" if self.record.get("plan").is_none_or(Value::is_null) => {
                format!("got no plan of {}{}", self.act(), self.because("why"))
            }
            "confirm.refused" => format!("did not confirm {}{}", self.act(), self.because("why")),
            "confirm.accepted" => {
                let confirm = self.part("confirm");
                let danger = confirm.get("danger").and_then(Value::as_str).map(|danger| format!(" at {danger}"));
                let reason = confirm.get("reason").and_then(Value::as_str).map(|why| format!(", because \"{why}\""));
                let (danger, reason) = (danger.unwrap_or_default(), reason.unwrap_or_default());
                format!("confirmed {}{danger}{reason}: {}", self.act(), self.lines())
            }
            _ => return None,
        })
    }

    fn action(&self, event: &str) -> Option<String> {
        let act = self.act();
        Some(match event {
            "action.intent" => format!("{act} is about to be done: {}", self.lines()),
            "action.stop" => format!("asked {act} to end"),
            "action.refused" | "action.outcome" => {
                let late = if self.part("res").get("late").is_some() { ", recorded late" } else { "" };
                let reason = self.because("reason");
                format!("{act} ended {}{late}{reason}{}", self.res("outcome")?, self.figures())
            }
            "action.settled" => {
                let (by, observed) = (self.res("by").unwrap_or("somebody"), self.res("observed").unwrap_or("nothing"));
                format!("{by} settled {act}{}; observed then: {observed}", self.because("reason"))
            }
            _ => return None,
        })
    }

    fn procedure(&self, event: &str) -> Option<String> {
        let name = || self.res("procedure").map(|name| format!("the procedure {name}"));
        let value = self.because("value");
        Some(match event {
            "procedure.begin" => format!("began {}{value}", name()?),
            "procedure.item" => {
                let (item, state) = (self.res("item").unwrap_or("an item"), self.res("state")?);
                format!("{}, {item}: {state}{value}", self.res("procedure")?)
            }
            "procedure.pause" => format!("interrupted {}{value}", name()?),
            "procedure.resume" => format!("went on with {}{value}", name()?),
            "procedure.takeover" => {
                let who = |key: &str| self.part("res").get(key)?.get("who")?.as_str();
                format!("{} took over {} from {}", who("to")?, name()?, who("from")?)
            }
            "procedure.end" => {
                let state = self.res("state")?;
                let left = self.number("deferred").map(|left| format!(" ({left})")).unwrap_or_default();
                format!("ended {}: {state}{left}{value}", name()?)
            }
            "procedure.drop" => {
                let gone = self.part("res").get("runs")?.as_array()?.len();
                format!("removed what {gone} procedures that are long over had left")
            }
            _ => return None,
        })
    }

    /// The exact commands or the diff.
    fn lines(&self) -> String {
        let lines = self.part("args").as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.map(str::trim).collect::<Vec<_>>().join("; ")
    }

    /// Every figure before and after that is known.
    fn figures(&self) -> String {
        let rows = self.part("res").get("comparisons").and_then(Value::as_array).into_iter().flatten();
        let figure = |row: &Value| {
            let unit: Unit = serde_json::from_value(row.get("unit")?.clone()).ok()?;
            let [before, after] =
                ["before", "after"].map(|key| row.get(key).and_then(Value::as_f64).map(|value| unit.show(value)));
            let (label, after) = (row.get("label")?.as_str()?, after?);
            Some(format!(" {label} {} → {after}.", before.as_deref().unwrap_or("unknown")))
        };
        rows.filter_map(figure).collect()
    }

    /// What a record without a sentence has: an event of a newer program.
    fn plain(&self) -> String {
        let res = match self.part("res") {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let parts = [self.act.unwrap_or_default().to_owned(), self.lines(), res];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::EVENTS;
    use super::*;
    use serde_json::json;

    fn said(record: &Value) -> String {
        Words::of(record, None).say()
    }

    #[test]
    fn each_record_is_a_sentence() {
        let plan = "01M7Y7877V3T34XY8C9E0VN000";
        let rows = [
            (json!({"ev": "journal.open", "res": {"why": "first file"}}), "the trail begins here"),
            (
                json!({"ev": "journal.open", "res": {"why": "full", "after": "00000001.jsonl"}}),
                "the trail goes on after 00000001.jsonl: full",
            ),
            (
                json!({"ev": "journal.open", "res": {"why": "torn", "after": "00000001.jsonl", "bytes": 7}}),
                "the trail goes on after 00000001.jsonl, whose last line was cut off",
            ),
            (
                json!({"ev": "journal.open", "res": {"why": "broken", "after": "00000001.jsonl", "found": "line 3 was changed"}}),
                "a new chain begins: 00000001.jsonl was found broken: line 3 was changed",
            ),
            (
                json!({"ev": "journal.gap", "res": {"dropped": 3}}),
                "3 records are missing before this one: the disk did not keep up",
            ),
            (
                json!({"ev": "journal.broken", "res": {"found": "line 3 was changed"}}),
                "the trail was found changed: line 3 was changed",
            ),
            (
                json!({"ev": "clock.jump", "res": {"by_ms": -5_000, "from": "2026-11-21T03:12:47Z"}}),
                "the wall clock was moved back by 5.00 s from 2026-11-21T03:12:47Z",
            ),
            (
                json!({"ev": "session.start", "who": {"login": "oncall", "tty": "pts/3", "ssh": "10.0.0.5:50222"}, "res": {"profile": "genesis", "mode": "OBSERVE"}}),
                "started a console of genesis in OBSERVE on pts/3, by ssh from 10.0.0.5:50222",
            ),
            (json!({"ev": "session.end"}), "left the console"),
            (
                json!({"ev": "config.load", "res": {"file": "/etc/p.toml", "sha256": "0123456789abcdef", "distrusted": null}}),
                "loaded /etc/p.toml (SHA-256 0123456789ab…)",
            ),
            (
                json!({"ev": "config.load", "res": {"file": "/etc/p.toml", "sha256": "0123456789abcdef", "distrusted": "others may write to it."}}),
                "loaded /etc/p.toml (SHA-256 0123456789ab…), which may only be shown: others may write to it.",
            ),
            (json!({"ev": "mode.arm"}), "armed the console"),
            (
                json!({"ev": "mode.disarm", "res": {"why": "15 minutes without a key"}}),
                "put the console back to OBSERVE: 15 minutes without a key",
            ),
            (
                json!({"ev": "confirm.shown", "act": "restart (service_restart)", "plan": plan}),
                "was shown the plan of restart",
            ),
            (
                json!({"ev": "confirm.refused", "act": "restart", "res": {"why": "a.service is masked."}}),
                "got no plan of restart: a.service is masked.",
            ),
            (
                json!({"ev": "confirm.refused", "act": "restart", "plan": plan, "res": {"why": "Esc"}}),
                "did not confirm restart: Esc",
            ),
            (
                json!({"ev": "confirm.accepted", "act": "restart", "plan": plan, "args": ["  systemctl restart a", "then look"], "confirm": {"danger": "C3", "reason": "it hangs"}}),
                "confirmed restart at C3, because \"it hangs\": systemctl restart a; then look",
            ),
            (
                json!({"ev": "action.intent", "act": "restart", "args": ["systemctl restart a"]}),
                "restart is about to be done: systemctl restart a",
            ),
            (json!({"ev": "action.stop", "act": "restart"}), "asked restart to end"),
            (
                json!({"ev": "action.refused", "act": "restart", "res": {"outcome": "REFUSED", "reason": "the lock is held."}}),
                "restart ended REFUSED: the lock is held.",
            ),
            (
                json!({"ev": "action.outcome", "act": "restart", "res": {"outcome": "VERIFIED", "late": true, "reason": "all came true.", "comparisons": [
                    {"label": "latency p95", "unit": "seconds", "before": 1.42e-5, "after": 7.3e-6},
                    {"label": "queue", "unit": "count", "before": null, "after": 4.0},
                    {"label": "traffic", "unit": "per_second", "before": 9.0, "after": null}]}}),
                "restart ended VERIFIED, recorded late: all came true. latency p95 14.2 µs → 7.30 µs. queue unknown → 4.",
            ),
            (
                json!({"ev": "action.settled", "act": "restart", "res": {"by": "ada", "reason": "seen by hand", "observed": "it runs"}}),
                "ada settled restart: seen by hand; observed then: it runs",
            ),
            (
                json!({"ev": "procedure.begin", "res": {"procedure": "gpu-memory", "state": "running", "value": ""}}),
                "began the procedure gpu-memory",
            ),
            (
                json!({"ev": "procedure.item", "res": {"procedure": "gpu-memory", "item": "look", "state": "sensed", "value": "97 %"}}),
                "gpu-memory, look: sensed: 97 %",
            ),
            (
                json!({"ev": "procedure.pause", "res": {"procedure": "p", "value": "terminal lost"}}),
                "interrupted the procedure p: terminal lost",
            ),
            (json!({"ev": "procedure.resume", "res": {"procedure": "p"}}), "went on with the procedure p"),
            (
                json!({"ev": "procedure.takeover", "res": {"procedure": "p", "from": {"who": "joe@pts/1"}, "to": {"who": "ada@pts/2"}}}),
                "ada@pts/2 took over the procedure p from joe@pts/1",
            ),
            (
                json!({"ev": "procedure.end", "res": {"procedure": "p", "state": "COMPLETE EXCEPT DEFERRED", "deferred": 2}}),
                "ended the procedure p: COMPLETE EXCEPT DEFERRED (2)",
            ),
            (
                json!({"ev": "procedure.drop", "res": {"runs": [plan, plan]}}),
                "removed what 2 procedures that are long over had left",
            ),
            (
                json!({"ev": "tea.made", "act": "brew", "args": ["kettle"], "res": {"cups": 2}}),
                "brew  kettle  {\"cups\":2}",
            ),
        ];
        for (record, wanted) in &rows {
            assert_eq!(said(record), *wanted);
        }
        let tried = |name: &str| rows.iter().any(|(record, _)| record["ev"] == name);
        let elsewhere = |name: &str| name.starts_with("alert.") || name.starts_with("incident.");
        let left: Vec<&str> =
            EVENTS.iter().map(|(_, name, _)| *name).filter(|name| !tried(name) && !elsewhere(name)).collect();
        assert!(left.is_empty(), "without a sentence: {left:?}");
    }
}
