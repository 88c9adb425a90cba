//! The answer of an HTTP server that a profile expects: its status, and values of its JSON.

use super::remote::said;
use crate::base::{Body, Clean, Fault};
use crate::sys::net::http::Answer;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A regular expression is not larger, in bytes.
const REGEX: usize = 256 << 10;
/// Rows of one expectation.
const ROWS: usize = 16;

/// `{ status = [200, 202], json = [{ pointer = "/state", equals = "ok" }, { pointer = "/id", matches = "^q-" }] }`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Expect {
    /// Every 2xx when empty.
    status: Vec<u16>,
    json: Vec<Row>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    pointer: String,
    equals: Option<Value>,
    matches: Option<String>,
    /// Whether the number is below this is said, and decides nothing.
    #[serde(default)]
    note_below: Option<f64>,
}

impl Expect {
    /// Takes the keys `status` and `json` out of a table.
    ///
    /// # Errors
    /// What can never be met: a status that is none, a row without its one condition.
    pub fn take(body: &mut Body) -> Result<Self, Fault> {
        let table = body.clone();
        let status: Vec<u16> = body.take("status")?.unwrap_or_default();
        let json: Vec<Row> = body.take("json")?.unwrap_or_default();
        if let Some(bad) = status.iter().find(|status| !(200..600).contains(*status)) {
            return Err(table.fault_at("status", format!("{bad} is no final status of HTTP.")));
        }
        let fault = |what: String| Err(table.fault_at("json", what));
        if json.len() > ROWS {
            return fault(format!("`json` takes up to {ROWS} rows."));
        }
        for row in &json {
            let pointer = Clean::text(&row.pointer);
            if !(row.pointer.is_empty() || row.pointer.starts_with('/')) {
                return fault(format!("`{pointer}` is no JSON pointer: it begins with `/`."));
            }
            match (&row.equals, &row.matches) {
                (Some(_), None) => {}
                (None, Some(pattern)) if regex(pattern).is_some() => {}
                (None, Some(_)) => return fault(format!("`matches` of {pointer} is no regular expression.")),
                _ => return fault(format!("the row for {pointer} needs either `equals` or `matches`.")),
            }
        }
        Ok(Self { status, json })
    }

    /// Whether it asks more of an answer than to be a good one.
    pub const fn asks(&self) -> bool {
        !self.status.is_empty() || !self.json.is_empty()
    }

    /// In words, for the plan.
    pub fn words(&self) -> Clean {
        let status: Vec<String> = self.status.iter().map(u16::to_string).collect();
        let status = if status.is_empty() { "any 2xx".to_owned() } else { status.join(" or ") };
        let rows = self.json.iter().map(|row| match (&row.equals, &row.matches) {
            (Some(value), _) => format!("; {} is {value}", row.pointer),
            (_, pattern) => format!("; {} matches {}", row.pointer, pattern.as_deref().unwrap_or_default()),
        });
        let rows = rows.zip(&self.json).map(|(words, row)| match row.note_below {
            Some(limit) => format!("{words}, noted whether below {limit}"),
            None => words,
        });
        Clean::text(format!("status {status}{}", rows.collect::<String>()))
    }

    /// What the answer says when it is as expected, else how it differs; without secrets.
    ///
    /// # Errors
    /// How it differs.
    pub fn judge(&self, answer: &Answer) -> Result<Clean, Clean> {
        let status = answer.status;
        let good = if self.status.is_empty() { (200..300).contains(&status) } else { self.status.contains(&status) };
        if !good {
            let to = answer.location.as_ref();
            let to = to.map_or_else(String::new, |to| format!(" to {}; redirects are not followed", said(to.as_str())));
            let text = said(&String::from_utf8_lossy(&answer.body));
            let text = if text.as_str().is_empty() { String::new() } else { format!(": {text}") };
            return Err(crate::clean!("the answer is {status}{to}{text}"));
        }
        let mut seen = format!("the answer is {status}");
        if self.json.is_empty() {
            return Ok(Clean::text(seen));
        }
        if answer.cut {
            return Err(crate::clean!("{seen}, and longer than 1 MiB"));
        }
        let document: Value =
            serde_json::from_slice(&answer.body).map_err(|_| crate::clean!("{seen}, and not JSON as expected"))?;
        for row in &self.json {
            let found = document.pointer(&row.pointer);
            let shown = found.map_or_else(|| Clean::from("absent"), |value| said(&value.to_string()));
            if !found.is_some_and(|value| row.holds(value)) {
                return Err(crate::clean!("{seen}, but {} is {shown}", row.pointer));
            }
            seen = format!("{seen}, {} is {shown}{}", row.pointer, row.note(found));
        }
        Ok(Clean::text(seen))
    }
}

impl Row {
    fn note(&self, found: Option<&Value>) -> String {
        match (self.note_below, found.and_then(Value::as_f64)) {
            (Some(limit), Some(value)) if value < limit => format!(" (below {limit})"),
            (Some(limit), Some(_)) => format!(" (NOT below {limit})"),
            _ => String::new(),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match (&self.equals, &self.matches) {
            // 1 and 1.0 are the same number, whoever writes it.
            (Some(wanted), _) if wanted.is_number() && value.is_number() => wanted.as_f64() == value.as_f64(),
            (Some(wanted), _) => wanted == value,
            (_, Some(pattern)) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                regex(pattern).is_some_and(|regex| regex.is_match(&text))
            }
            _ => false,
        }
    }
}

fn regex(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(REGEX).build().ok()
}

/// True for a status by which a server says that it did not carry the request out. A time-out, and a client that went
/// away (in the view of what stands between), say nothing of it.
pub const fn is_refusal(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 408 | 499)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(expect: &str, status: u16, body: &str) -> Result<String, String> {
        let mut table = Body::parse("p.toml", &format!("expect = {expect}")).expect("TOML");
        let mut table = table.take_table("expect").expect("reads").expect("is there");
        let expect = Expect::take(&mut table).map_err(|fault| fault.to_string())?;
        let answer = Answer { status, body: body.into(), ..Answer::default() };
        expect.judge(&answer).map(|said| said.to_string()).map_err(|why| why.to_string())
    }

    #[test]
    fn an_answer_is_good_when_status_and_every_value_are() {
        let rows = "{ json = [{ pointer = \"/state\", equals = \"ok\" }, { pointer = \"/n\", equals = 1 }] }";
        assert_eq!(judge("{}", 204, "").as_deref(), Ok("the answer is 204"));
        let good = judge(rows, 200, r#"{"state": "ok", "n": 1.0}"#);
        assert_eq!(good.as_deref(), Ok("the answer is 200, /state is \"ok\", /n is 1.0"));
        let noted = "{ json = [{ pointer = \"/ns\", matches = \".\", note_below = 10000 }] }";
        assert_eq!(judge(noted, 200, "{\"ns\": 9999}").as_deref(), Ok("the answer is 200, /ns is 9999 (below 10000)"));
        let slow = judge(noted, 200, "{\"ns\": 10000}");
        assert_eq!(
            slow.as_deref(),
            Ok("the answer is 200, /ns is 10000 (NOT below 10000)"),
            "noted, and good all the same"
        );
        for (expect, status, body, why) in [
            ("{}", 302, "", "the answer is 302"),
            ("{ status = [202] }", 200, "", "the answer is 200"),
            ("{}", 500, "no room\n", "the answer is 500: no room"),
            (rows, 200, "{\"state\": \"ok\"}", "the answer is 200, /state is \"ok\", but /n is absent"),
            (rows, 200, "ok", "the answer is 200, and not JSON as expected"),
            (
                "{ json = [{ pointer = \"/id\", matches = \"^q-[0-9]+$\" }] }",
                200,
                "{\"id\": \"x-1\"}",
                "the answer is 200, but /id is \"x-1\"",
            ),
            ("{ status = [100] }", 200, "", "p.toml:1:21: 100 is no final status of HTTP."),
            (
                "{ json = [{ pointer = \"a\", equals = 1 }] }",
                200,
                "",
                "p.toml:1:19: `a` is no JSON pointer: it begins with `/`.",
            ),
            (
                "{ json = [{ pointer = \"/a\" }] }",
                200,
                "",
                "p.toml:1:19: the row for /a needs either `equals` or `matches`.",
            ),
        ] {
            assert_eq!(judge(expect, status, body), Err(why.to_owned()), "{expect}");
        }
    }

    #[test]
    fn only_a_refusal_proves_that_nothing_was_done() {
        assert!(is_refusal(401) && is_refusal(404) && is_refusal(429));
        assert!(!is_refusal(408) && !is_refusal(500) && !is_refusal(303) && !is_refusal(200));
    }
}
