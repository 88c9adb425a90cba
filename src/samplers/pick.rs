//! Values of a JSON answer: by pointer as the profile asks, and every field at the top as a fact.

use crate::base::{Body, Clean, Fault, Observation, Point};
use crate::clean;
use crate::sys::secret::hide;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Facts of one answer; more would fill a pane with what nobody asked for.
const FIELDS: usize = 32;
/// A fact is a line beside others, in characters.
const TEXT: usize = 200;

/// One value, as the profile writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// RFC 6901.
    pointer: String,
    fact: Option<String>,
    /// The metric's name.
    pub(crate) metric: Option<String>,
    /// The texts that are good; absence is good too.
    one_of: Option<Vec<String>>,
}

/// One value, checked.
#[derive(Debug)]
pub(crate) struct Pick {
    pointer: String,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Fact(Clean, Option<Vec<String>>),
    Metric(String),
}

impl Row {
    pub(crate) fn check(self, body: &Body) -> Result<Pick, Fault> {
        let pointer = self.pointer;
        let shown = Clean::text(&pointer);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let what = format!("the JSON pointer `{shown}` does not begin with `/`.");
            return Err(body.fault_at("json", what).hint("For example /queue/depth."));
        }
        let wanted = match (self.fact, self.metric, self.one_of) {
            (Some(fact), None, one_of) => Wanted::Fact(Clean::text(fact), one_of),
            (None, Some(metric), None) if is_metric_name(&metric) => Wanted::Metric(metric),
            (None, Some(metric), None) => {
                let what = format!("`{}` is no metric name.", Clean::text(metric));
                return Err(body.fault_at("json", what).hint("Letters, digits, `_` and `:`; no digit first."));
            }
            (None, _, Some(_)) => {
                let what = format!("the row for `{shown}` has `one_of`, which is for a `fact`.");
                return Err(body.fault_at("json", what));
            }
            _ => {
                let what = format!("the row for `{shown}` needs either `fact` or `metric`.");
                return Err(body.fault_at("json", what));
            }
        };
        Ok(Pick { pointer, wanted })
    }
}

fn is_metric_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

impl Pick {
    /// Adds what it finds in the answer of `place`; the error is the end of a sentence about it.
    pub(crate) fn find(&self, value: &Value, place: &Clean, seen: &mut Observation) -> Result<(), String> {
        let found = value.pointer(&self.pointer);
        match &self.wanted {
            Wanted::Fact(name, one_of) => {
                let Some(text) = found.and_then(text) else { return Ok(()) };
                if let Some(good) = one_of
                    && !good.iter().any(|good| good == text.as_str())
                {
                    return Err(format!("says {} is {text}, expected {}", self.pointer, good.join(" or ")));
                }
                seen.facts.push((name.clone(), text));
            }
            Wanted::Metric(name) => match found.and_then(number) {
                Some(value) => {
                    seen.points.push(Point::gauge(name, &[("instance", place.as_str())], value));
                }
                None => {
                    let why = clean!("{place} has no number at {}", self.pointer);
                    seen.not_supported.push((Clean::text(name), why));
                }
            },
        }
        Ok(())
    }
}

/// Every field at the top that is no fact yet; of what is nested, how much there is.
pub(crate) fn fields(fields: &Map<String, Value>, seen: &mut Observation) {
    for (name, value) in fields {
        if seen.facts.len() >= FIELDS {
            let left = fields.len().saturating_sub(FIELDS);
            seen.facts.push((Clean::from("more fields"), clean!("{left} are not shown")));
            return;
        }
        let name = Clean::text(name);
        if seen.facts.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let text = match value {
            Value::Null => Clean::from("null"),
            Value::Array(rows) => clean!("a list of {}", rows.len()),
            Value::Object(fields) => clean!("{} fields", fields.len()),
            _ => text(value).unwrap_or_default(),
        };
        seen.facts.push((name, text));
    }
}

/// A number; true counts as 1, false as 0.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        _ => None,
    }
}

fn text(value: &Value) -> Option<Clean> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => {
            // Hidden before it is cut: half a secret is no known form.
            let text = hide(text);
            Some(match text.char_indices().nth(TEXT) {
                Some((end, _)) => Clean::cut(text.get(..end).unwrap_or_default(), text.len() - end),
                None => Clean::text(&*text),
            })
        }
        other => Some(clean!("{other}")),
    }
}
