//! `[[patterns]]`: what of the lines is named, counted and leads to an entry.

use crate::base::body::nearest;
use crate::base::{Body, Clean, Fault, LogLevel};
use crate::config::{Part, Profile};
use crate::logs::captured::{Captured, Saying, Shape};
use crate::logs::matching::{self, check};
use crate::logs::packs::pack;
use crate::logs::{LogPattern, LogPatterns, LooksFor};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    pack: Option<String>,
    name: Option<Clean>,
    regex: Option<String>,
    text: Option<String>,
    level: Option<String>,
    entry: Option<Clean>,
    #[serde(default)]
    sources: Vec<Arc<str>>,
    #[serde(default)]
    values: Vec<ValueRow>,
    #[serde(default)]
    facts: Vec<FactRow>,
}

/// A text that lines say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactRow {
    group: String,
    fact: Clean,
}

/// A number that lines say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueRow {
    group: String,
    metric: String,
    scale: Option<f64>,
    #[serde(rename = "as")]
    shape: Option<Word>,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Max,
    Last,
    Summary,
}

/// The patterns of a profile, and what is wrong with the rows that are left out.
pub fn patterns(profile: &Profile) -> (LogPatterns, Vec<Fault>) {
    let (mut all, mut faults): (Vec<LogPattern>, Vec<Fault>) = (Vec::new(), Vec::new());
    let logs = profile.names(Part::Log);
    for body in &profile.judging.patterns {
        match row(body, &logs) {
            Ok(rows) => {
                for pattern in rows {
                    // A profile's own row takes the place of one with its name.
                    all.retain(|known| known.name != pattern.name || known.sources != pattern.sources);
                    all.push(pattern);
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    let found = LogPatterns::new(all).unwrap_or_else(|fault| {
        faults.push(fault);
        LogPatterns::default()
    });
    (found, faults)
}

fn row(body: &Body, logs: &[&str]) -> Result<Vec<LogPattern>, Fault> {
    let row: Row = body.read()?;
    if let Some(strange) = row.sources.iter().find(|name| !logs.contains(&&***name)) {
        let fault =
            body.fault_at("sources", format!("no log of this profile is called `{}`.", Clean::text(&**strange)));
        return Err(if logs.is_empty() { fault } else { fault.hint(nearest(strange, logs.iter().copied())) });
    }
    if let Some(name) = row.pack {
        let more = row.name.is_some() || row.regex.is_some() || row.text.is_some() || row.level.is_some();
        if more || row.entry.is_some() || !row.values.is_empty() || !row.facts.is_empty() {
            return Err(body.fault_at("pack", "beside `pack` only `sources` may stand."));
        }
        let rows = pack(&name).map_err(|fault| Fault { at: body.fault_at("pack", "").at, ..fault })?;
        return Ok(rows.into_iter().map(|pattern| LogPattern { sources: row.sources.clone(), ..pattern }).collect());
    }
    let name = row.name.ok_or_else(|| body.fault("`name` is missing here.").hint("Or name a `pack`."))?;
    let sayings = sayings(body, row.facts, row.regex.as_deref())?;
    let captured = captured(body, row.values, row.regex.as_deref())?;
    let looks_for = match (row.regex, row.text) {
        (Some(regex), None) => {
            check(&regex).map_err(|fault| {
                let column = fault.at.as_ref().map_or(1, |at| at.column);
                let placed = body.fault_in("regex", (1, column), fault.what.as_str());
                Fault { hint: fault.hint, ..placed }
            })?;
            LooksFor::Regex(regex)
        }
        (None, Some(text)) if !text.is_empty() => LooksFor::Text(text),
        _ => return Err(body.fault("a pattern looks for a `regex` or for a `text`, one of the two.")),
    };
    let level = match row.level {
        None => LogLevel::Warn,
        Some(word) => LogLevel::parse(&word).ok_or_else(|| {
            let hint = "One of: trace, debug, info, warn, error.";
            body.fault_at("level", format!("no level is called `{}`.", Clean::text(&word))).hint(hint)
        })?,
    };
    Ok(vec![LogPattern { name, looks_for, level, entry: row.entry, sources: row.sources, captured, sayings }])
}

/// The named groups of an expression. What is wrong with it is told in its own place.
fn groups(regex: Option<&str>) -> Vec<String> {
    let expression = regex.and_then(|regex| matching::regex(regex).ok());
    expression.iter().flat_map(|regex| regex.capture_names().flatten()).map(str::to_owned).collect()
}

/// Refuses a group that the expression does not have.
fn is_group(fault: &dyn Fn(String) -> Fault, groups: &[String], group: &String) -> Result<(), Fault> {
    if groups.contains(group) {
        return Ok(());
    }
    let hint = match groups {
        [] => "Write one as `(?<name>…)`.".to_owned(),
        _ => nearest(group, groups.iter().map(String::as_str)),
    };
    Err(fault(format!("the expression has no group `{}`.", Clean::text(group))).hint(hint))
}

/// The rows of `facts`: each group must be one of the expression, each name says something.
fn sayings(body: &Body, rows: Vec<FactRow>, regex: Option<&str>) -> Result<Vec<Saying>, Fault> {
    let groups = groups(regex);
    let fault = |what: String| body.fault_at("facts", what);
    let mut sayings = Vec::new();
    for FactRow { group, fact } in rows {
        is_group(&fault, &groups, &group)?;
        if fact.as_str().trim().is_empty() {
            return Err(fault("a fact without a name tells nobody what it says.".to_owned()));
        }
        sayings.push(Saying { group, fact });
    }
    Ok(sayings)
}

/// The rows of `values`: each group must be one of the expression, each name one that a series may have.
fn captured(body: &Body, rows: Vec<ValueRow>, regex: Option<&str>) -> Result<Vec<Captured>, Fault> {
    let groups = groups(regex);
    let fault = |what: String| body.fault_at("values", what);
    let mut captured = Vec::new();
    for row in rows {
        for group in core::iter::once(&row.group).chain(&row.labels) {
            is_group(&fault, &groups, group)?;
        }
        let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        if row.metric.is_empty() || !letters(&row.metric) || row.metric.starts_with(|c: char| c.is_ascii_digit()) {
            let what = format!("`{}` cannot be the name of a metric.", Clean::text(&row.metric));
            return Err(fault(what).hint("Use a-z A-Z 0-9 _ : and no digit first."));
        }
        let scale = row.scale.unwrap_or(1.0);
        if !scale.is_finite() || scale == 0.0 {
            return Err(fault("`scale` is a number other than zero.".to_owned()));
        }
        let shape = match row.shape.unwrap_or(Word::Max) {
            Word::Max => Shape::Max,
            Word::Last => Shape::Last,
            Word::Summary => Shape::Summary,
        };
        captured.push(Captured { group: row.group, metric: row.metric, scale, shape, labels: row.labels });
    }
    Ok(captured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::setup::known_kinds;

    fn read(rows: &str) -> (LogPatterns, Vec<String>) {
        let text = format!("[logs.app]\nkind = \"kernel\"\n{rows}");
        let profile = Profile::parse("t", "p.toml", &text, &known_kinds()).expect("parses");
        let (found, faults) = patterns(&profile);
        (found, profile.faults.iter().chain(&faults).map(Fault::to_string).collect())
    }

    #[test]
    fn rows_and_packs_become_patterns() {
        let (found, faults) = read(
            "[[patterns]]\npack = \"lmdb\"\n[[patterns]]\nname = \"lmdb_map_full\"\ntext = \"no room\"\nlevel = \"error\"\n\
             entry = \"PL-5.2\"\n[[patterns]]\nname = \"mine\"\nregex = 'a+b'\nsources = [\"app\"]\n",
        );
        assert_eq!(faults, Vec::<String>::new());
        let worst =
            |text: &str| found.worst("app", text).map(|pattern| (pattern.name.to_string(), pattern.entry.clone()));
        assert_eq!(worst("no room"), Some(("lmdb_map_full".to_owned(), Some(Clean::from("PL-5.2")))));
        assert_eq!(worst("MDB_MAP_FULL"), None, "the profile's own row took its place");
        assert_eq!(worst("aab").map(|found| found.0), Some("mine".to_owned()));
    }

    #[test]
    fn a_bad_row_says_where_and_leaves_the_others() {
        let (found, faults) = read(
            "[[patterns]]\nname = \"a\"\nregex = 'x(y'\n[[patterns]]\nname = \"b\"\ntext = \"b\"\nlevel = \"bad\"\n\
             [[patterns]]\npack = \"lmbd\"\n[[patterns]]\nname = \"c\"\ntext = \"c\"\nsources = [\"ap\"]\n\
             [[patterns]]\nname = \"d\"\ntext = \"d\"\n[[patterns]]\nname = \"e\"\n",
        );
        assert_eq!(found.all().len(), 1);
        assert_eq!(
            faults,
            [
                "p.toml:5:11: this is no regular expression: unclosed group.",
                "p.toml:9:9: no level is called `bad`. One of: trace, debug, info, warn, error.",
                "p.toml:11:8: there is no pack of patterns `lmbd`. Did you mean `lmdb`?",
                "p.toml:15:11: no log of this profile is called `ap`. Did you mean `app`?",
                "p.toml:19:1: a pattern looks for a `regex` or for a `text`, one of the two.",
            ]
        );
    }

    #[test]
    fn values_name_groups_of_the_expression() {
        let row = |values: &str| {
            read(&format!("[[patterns]]\nname = \"a\"\nregex = 'took (?<ms>\\d+)'\nvalues = [{values}]\n"))
        };
        let (found, faults) = row("{ group = \"ms\", metric = \"took_seconds\", scale = 0.001, as = \"summary\" }");
        assert_eq!(faults, Vec::<String>::new());
        let names: Vec<String> = found.all().iter().flat_map(|it| &it.captured).flat_map(Captured::names).collect();
        assert_eq!(names, ["took_seconds", "took_seconds_sum", "took_seconds_count"]);
        let said = |values: &str| row(values).1.join(" ");
        assert_eq!(
            said("{ group = \"m\", metric = \"x\" }"),
            "p.toml:6:10: the expression has no group `m`. Did you mean `ms`?"
        );
        assert!(said("{ group = \"ms\", metric = \"7 x\" }").contains("cannot be the name of a metric"));
        assert!(said("{ group = \"ms\", metric = \"x\", as = \"mean\" }").contains("unknown value `mean`"));
    }

    #[test]
    fn facts_name_groups_of_the_expression() {
        let row = |facts: &str| {
            read(&format!("[[patterns]]\nname = \"a\"\nregex = 'No module (?<module>\\w+)'\nfacts = [{facts}]\n"))
        };
        let (found, faults) = row("{ group = \"module\", fact = \"missing module\" }");
        assert_eq!(faults, Vec::<String>::new());
        let sayings: Vec<&Saying> = found.all().iter().flat_map(|pattern| &pattern.sayings).collect();
        assert_eq!(sayings.iter().map(|saying| saying.fact.as_str()).collect::<Vec<_>>(), ["missing module"]);
        let said = |facts: &str| row(facts).1.join(" ");
        assert_eq!(
            said("{ group = \"modul\", fact = \"x\" }"),
            "p.toml:6:9: the expression has no group `modul`. Did you mean `module`?"
        );
        assert!(said("{ group = \"module\", fact = \" \" }").contains("without a name"));
        assert!(said("{ group = \"module\" }").contains("fact"));
        let beside = read("[[patterns]]\npack = \"lmdb\"\nfacts = [{ group = \"a\", fact = \"b\" }]\n").1.join(" ");
        assert!(beside.contains("beside `pack` only `sources` may stand"), "{beside}");
    }
}
