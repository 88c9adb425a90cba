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
    let res = sentence(&value).unwrap_or_else(|| match value.get("res") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    });
    let parts =
        [text("ts"), format!("#{seq}"), who.to_owned(), text("ev"), text("act"), text("plan"), args.join("; "), res];
    Clean::text(parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  "))
}

/// What was asked and said of alerts, as a sentence; `None` of anything else.
fn sentence(value: &Value) -> Option<String> {
    let text = |of: &str, key: &str| value.get(of)?.get(key)?.as_str();
    let (alert, matchers) = (text("target", "alert"), text("target", "matchers"));
    Some(match value.get("ev")?.as_str()? {
        "alert.firing" => format!("{} began to fire: {}", alert?, text("res", "value")?),
        "alert.resolved" => format!("{} is over; it had fired since {}", alert?, text("res", "since")?),
        "alert.ack" => match text("res", "note")? {
            "" => format!("took {}", alert?),
            note => format!("took {}: {note}", alert?),
        },
        "alert.unack" => format!("gave {} back", alert?),
        "alert.silence" => format!("muted {} until {}: {}", matchers?, text("res", "until")?, text("res", "reason")?),
        "alert.unsilence" if value.get("res")?.get("expired")?.as_bool()? => {
            format!("the silence of {} ran out", matchers?)
        }
        "alert.unsilence" => format!("ended the silence of {}", matchers?),
        "alert.escalate" => format!("told {} of {}", text("res", "to")?, alert?),
        _ => return None,
    })
}
