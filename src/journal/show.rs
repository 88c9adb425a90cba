//! The trail for people: one line per record.

use super::verify::segments;
use crate::base::{Clean, Fault};
use crate::sys::files;
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;

/// The newest `last` records of the journal in `dir`, oldest first: time, login, event, action, plan, what came of it.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn show(dir: &Path, last: usize) -> Result<Vec<Clean>, Fault> {
    let mut rows = VecDeque::new();
    for (_, path) in segments(dir)? {
        for line in files::read(&path, 32 * 1024 * 1024)?.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if rows.len() == last {
                rows.pop_front();
            }
            rows.push_back(row(line));
        }
    }
    Ok(rows.into_iter().take(last).collect())
}

fn row(line: &[u8]) -> Clean {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return Clean::from("(not a record)") };
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let who = value.get("who").and_then(|who| who.get("login")).and_then(Value::as_str).unwrap_or("?");
    let seq = value.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let args: Vec<&str> =
        value.get("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let part = |key: &str| value.get(key).unwrap_or(&Value::Null);
    let said = sentence(part("ev").as_str().unwrap_or_default(), part("target"), part("res"));
    let res = said.unwrap_or_else(|| match value.get("res") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    });
    let parts =
        [text("ts"), format!("#{seq}"), who.to_owned(), text("ev"), text("act"), text("plan"), args.join("; "), res];
    Clean::text(parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  "))
}

/// What was asked and said of alerts and incidents, as a sentence; `None` of anything else.
pub(super) fn sentence(event: &str, target: &Value, res: &Value) -> Option<String> {
    let of = |key: &str| target.get(key)?.as_str();
    let expired = res.get("expired").and_then(Value::as_bool);
    let flaps = res.get("flaps").and_then(Value::as_u64);
    let rows = res.get("lines").and_then(Value::as_array).map(Vec::len);
    let flaps = flaps.map(|n| format!("; it came and went {n} times since its last record")).unwrap_or_default();
    let res = |key: &str| res.get(key)?.as_str();
    let (alert, matchers) = (of("alert"), of("matchers"));
    Some(match event {
        "alert.firing" => {
            let how = of("severity").map(|severity| format!(" ({severity})")).unwrap_or_default();
            format!("{} began to fire{how}: {}{flaps}", alert?, res("value")?)
        }
        "alert.worse" => format!("{} became {}: {}{flaps}", alert?, of("severity")?, res("value")?),
        "alert.resolved" => format!("{} is over; it had fired since {}{flaps}", alert?, res("since")?),
        "alert.ack" => match res("note")? {
            "" => format!("took {}", alert?),
            note => format!("took {}: {note}", alert?),
        },
        "alert.unack" => format!("gave {} back", alert?),
        "alert.silence" => format!("muted {} until {}: {}", matchers?, res("until")?, res("reason")?),
        "alert.unsilence" if expired? => format!("the silence of {} ran out", matchers?),
        "alert.unsilence" => format!("ended the silence of {}", matchers?),
        "alert.escalate" => format!("told {} of {}", res("to")?, alert?),
        "incident.open" => {
            format!("opened the incident \"{}\", {}, owner {}", of("title")?, res("severity")?, res("owner")?)
        }
        "incident.note" => match res("owner") {
            Some(owner) => format!("to do, {owner}: {}", res("note")?),
            None => res("note")?.to_owned(),
        },
        "incident.close" => format!("closed the incident \"{}\": {}", of("title")?, res("summary")?),
        "incident.owner" => format!("the incident is led by {} now", res("owner")?),
        "incident.done" => format!("done, which was {}'s: {}: {}", res("owner")?, res("done")?, res("note")?),
        "incident.log" => format!("kept {} lines of the log {}", rows?, of("source")?),
        "incident.handover" => "made the handover card".to_owned(),
        _ => return None,
    })
}
