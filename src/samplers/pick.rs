//! What a profile picks out of what a source says: numbers and words of a document by pointer (RFC 6901), whether
//! something is there at all, the names that it gives them, and patterns of names.

use crate::base::scrub::is_secret_name;
use crate::base::{Body, Clean, Fault, Observation, Point};
use crate::clean;
use crate::sys::secret::hide;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Facts of one answer; more would fill a pane with what nobody asked for.
const FIELDS: usize = 32;
/// A fact is a line beside others, in characters.
const TEXT: usize = 200;

/// One row of a `json = […]` list: a pointer and either a fact or a metric.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pointer: String,
    fact: Option<String>,
    metric: Option<String>,
    /// The texts of a fact that are good; its absence is good too.
    one_of: Option<Vec<String>>,
    /// Of a metric: 1 where there is a value and 0 where there is none. The value goes nowhere.
    #[serde(default)]
    present: bool,
    /// Texts that count as absent, such as the placeholder of an example.
    #[serde(default)]
    not: Vec<String>,
}

/// One value that is wanted.
#[derive(Debug)]
pub(crate) struct Pick {
    pointer: String,
    wanted: Wanted,
    one_of: Option<Vec<String>>,
    present: bool,
    not: Vec<String>,
}

/// As what a value goes on.
#[derive(Debug)]
pub(crate) enum Wanted {
    Fact(Clean),
    Metric(String),
}

impl Wanted {
    /// Either of the two names, checked. `row` is what the profile calls the row.
    pub(crate) fn check(
        body: &Body,
        key: &str,
        row: &str,
        fact: Option<String>,
        metric: Option<String>,
    ) -> Result<Self, Fault> {
        match (fact, metric) {
            (Some(fact), None) => Ok(Self::Fact(Clean::text(fact))),
            (None, Some(metric)) => metric_name(body, key, metric).map(Self::Metric),
            _ => {
                let what = format!("the row for `{}` needs either `fact` or `metric`.", Clean::text(row));
                Err(body.fault_at(key, what))
            }
        }
    }

    /// Puts a value into the observation; `why` says where there is none.
    pub(crate) fn put(&self, value: Option<&Value>, labels: &[(&str, &str)], why: Clean, seen: &mut Observation) {
        match self {
            Self::Fact(name) => seen.facts.extend(value.and_then(text).map(|text| (name.clone(), text))),
            Self::Metric(name) => match value.and_then(number) {
                Some(value) => seen.points.push(Point::named(name, labels, value)),
                None => seen.not_supported.push((Clean::text(name), why)),
            },
        }
    }
}

impl Pick {
    /// Checks the rows of `key`.
    pub(crate) fn check(body: &Body, key: &str, rows: Vec<Row>) -> Result<Vec<Self>, Fault> {
        let check = |row: Row| {
            if !row.pointer.is_empty() && !row.pointer.starts_with('/') {
                let what = format!("the JSON pointer `{}` does not begin with `/`.", Clean::text(&row.pointer));
                return Err(body.fault_at(key, what).hint("For example /queue/depth."));
            }
            let wanted = Wanted::check(body, key, &row.pointer, row.fact, row.metric)?;
            if row.one_of.is_some() && matches!(wanted, Wanted::Metric(_)) {
                let what = format!("the row for `{}` has `one_of`, which is for a `fact`.", Clean::text(&row.pointer));
                return Err(body.fault_at(key, what));
            }
            if row.present && matches!(wanted, Wanted::Fact(_)) {
                let what =
                    format!("the row for `{}` has `present`, which is for a `metric`.", Clean::text(&row.pointer));
                return Err(body.fault_at(key, what).hint("It is 1 or 0; the value itself is not shown."));
            }
            let Row { pointer, one_of, present, not, .. } = row;
            Ok(Self { pointer, wanted, one_of, present, not })
        };
        rows.into_iter().map(check).collect()
    }

    /// Takes the values out of a document of `place`.
    ///
    /// # Errors
    /// A text that is none of the good ones, as the end of a sentence.
    pub(crate) fn take(
        picks: &[Self],
        document: &Value,
        place: &Clean,
        labels: &[(&str, &str)],
        seen: &mut Observation,
    ) -> Result<(), String> {
        for pick in picks {
            let found = document.pointer(&pick.pointer).filter(|value| pick.counts(value));
            if let (true, Wanted::Metric(name)) = (pick.present, &pick.wanted) {
                seen.points.push(Point::gauge(name, labels, f64::from(u8::from(found.is_some()))));
                continue;
            }
            if let (Some(good), Some(is)) = (&pick.one_of, found.and_then(text))
                && !good.iter().any(|good| good == is.as_str())
            {
                return Err(format!("says {} is {is}, expected {}", pick.pointer, good.join(" or ")));
            }
            pick.wanted.put(found, labels, clean!("{place} has no number at {}", pick.pointer), seen);
        }
        Ok(())
    }

    /// Whether a value is one, and no placeholder. Where only presence is asked, null and an empty text are none.
    fn counts(&self, value: &Value) -> bool {
        let nothing = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        let placeholder = match value {
            Value::String(text) => self.not.contains(text),
            Value::Bool(_) | Value::Number(_) => self.not.contains(&value.to_string()),
            _ => false,
        };
        !(placeholder || self.present && nothing)
    }

    /// Whether it asks only if the field of this name at the top is there: its value is not to be shown.
    fn hides(&self, field: &str) -> bool {
        let top = self.pointer.strip_prefix('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
        self.present && top.as_deref() == Some(field)
    }

    /// The metrics that rows name.
    pub(crate) fn metrics(rows: Vec<Row>) -> impl Iterator<Item = String> {
        rows.into_iter().filter_map(|row| row.metric)
    }
}

/// A metric name as Prometheus takes it.
pub(crate) fn metric_name(body: &Body, key: &str, name: String) -> Result<String, Fault> {
    let good = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
    if good {
        return Ok(name);
    }
    let what = format!("`{}` is no metric name.", Clean::text(name));
    Err(body.fault_at(key, what).hint("Letters, digits, `_` and `:`; no digit first."))
}

/// Every field at the top that is no fact yet and none whose value `picks` keep to themselves; of what is nested, how
/// much there is.
pub(crate) fn fields(fields: &Map<String, Value>, picks: &[Pick], seen: &mut Observation) {
    for (name, value) in fields {
        if picks.iter().any(|pick| pick.hides(name)) {
            continue;
        }
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
            Value::String(_) | Value::Number(_) if is_secret_name(name.as_str()) => {
                Clean::from("not shown: by its name it is secret")
            }
            Value::Null => Clean::from("null"),
            Value::Array(rows) => clean!("a list of {}", rows.len()),
            Value::Object(fields) => clean!("{} fields", fields.len()),
            _ => text(value).unwrap_or_default(),
        };
        seen.facts.push((name, text));
    }
}

/// A number, also one in a text, as .env and INI have them; true counts as 1, false as 0.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        Value::String(text) => plain_number(text.as_bytes()),
        _ => None,
    }
}

fn text(value: &Value) -> Option<Clean> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(shown(text)),
        other => Some(clean!("{other}")),
    }
}

/// A text as a fact: without secrets that are known, and no longer than a line.
pub(crate) fn shown(text: &str) -> Clean {
    // Hidden before it is cut: half a secret is no known form.
    let text = hide(text);
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => Clean::cut(text.get(..end).unwrap_or_default(), text.len() - end),
        None => Clean::text(&*text),
    }
}

/// A number in plain text, with blanks around it and nothing else; never NaN or infinite.
pub(crate) fn plain_number(text: &[u8]) -> Option<f64> {
    let word = core::str::from_utf8(text.trim_ascii()).ok()?;
    word.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Whether a name fits a pattern where `*` stands for anything and `?` for one character.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || name.get(n) == Some(c) => {
                p += 1;
                n += 1;
            }
            // Let the last star take one more.
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.gz", false),
            ("foo-*@?.service", "foo-bar-baz@1.service", true),
            ("*a*b", "xaxxbxb", true),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a", "b", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_plain_number_is_nothing_else() {
        assert_eq!(plain_number(b" -1.5e3\n"), Some(-1500.0));
        for text in [&b""[..], b"1 2", b"NaN", b"inf", b"12%", b"\xff"] {
            assert_eq!(plain_number(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_star_takes_any_name(name in ".{0,20}", pattern in "[*?ab]{0,8}") {
            prop_assert!(fits("*", &name));
            prop_assert!(fits(&name.replace(['*', '?'], "?"), &name));
            let _no_panic = fits(&pattern, &name);
        }
    }
}
