//! The trail for people: one line per record, and the records themselves.

use super::verify::segments;
use super::words::Words;
use crate::base::{Clean, Fault};
use crate::sys::files;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// A file is never larger by much more than one record.
const LIMIT: u64 = 32 * 1024 * 1024;

/// The newest `last` records of the journal in `dir`, oldest first: time, number, login, event, what it says, and of which
/// plan.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn show(dir: &Path, last: usize) -> Result<Vec<Clean>, Fault> {
    let records: Vec<Option<Value>> = raw(dir, last)?.iter().map(|line| serde_json::from_slice(line).ok()).collect();
    // Some records have the plan alone: others of the same plan name its action.
    let named = records
        .iter()
        .flatten()
        .filter_map(|record| Some((record.get("plan")?.as_str()?, record.get("act")?.as_str()?)));
    let named: BTreeMap<&str, &str> = named.collect();
    let row = |record: &Option<Value>| match record {
        Some(record) => row(record, &named),
        None => Clean::from("(not a record)"),
    };
    Ok(records.iter().map(row).collect())
}

/// The newest `last` records as they stand in their files, oldest first.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn raw(dir: &Path, last: usize) -> Result<Vec<Vec<u8>>, Fault> {
    let mut rows = VecDeque::new();
    for (_, path) in segments(dir)? {
        for line in files::read(&path, LIMIT)?.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if rows.len() == last {
                rows.pop_front();
            }
            rows.push_back(line.to_vec());
        }
    }
    Ok(rows.into_iter().take(last).collect())
}

fn row(record: &Value, named: &BTreeMap<&str, &str>) -> Clean {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or("");
    let who = record.get("who").and_then(|who| who.get("login")).and_then(Value::as_str).unwrap_or("?");
    let seq = record.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let plan = text("plan");
    let said = Words::of(record, named.get(plan).copied()).say();
    let plan = if plan.is_empty() { String::new() } else { format!("(plan {plan})") };
    let parts = [text("ts").to_owned(), format!("#{seq}"), who.to_owned(), text("ev").to_owned(), said, plan];
    Clean::text(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  "))
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
