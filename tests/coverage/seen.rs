//! What the profile's samplers see at the stand-in of its system: one look for all rows.

use crate::row::{Fact, Pane, Reads, Row};
use crate::scene::Scene;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use watchkeeper::roles::demo::Demo;

/// The stand-in needs so long to have answered everything.
const WAIT: &str = "12s";

/// What `snapshot --json` tells of the profile at its stand-in.
pub(crate) struct Look(Value);

impl Look {
    /// One look, with the real binary.
    pub(crate) fn at(demo: &Demo) -> Self {
        let mut ask = Command::new(Path::new(env!("CARGO_BIN_EXE_watchkeeper")));
        ask.args(["snapshot", "--json", "--wait", WAIT, "--profile"]).arg(&demo.profile);
        ask.env("HOME", &demo.dir).env("XDG_STATE_HOME", &demo.state_dir);
        let out = ask.output().expect("runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        Self(serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {said}")))
    }

    /// What is wrong with the profile at its stand-in.
    pub(crate) fn faults(&self) -> Vec<String> {
        rows(&self.0, "faults").iter().map(|fault| format!("at its stand-in: {fault}")).collect()
    }
}

fn rows<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The readings as a page of text, for a question that is more than a name.
fn page(look: &Look) -> String {
    let value = |reading: &Value| {
        let labels = reading
            .get("labels")?
            .as_object()?
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
        let job = ("job", text(reading, "sampler"));
        let labels: Vec<String> = labels
            .filter(|(name, _)| *name != "job")
            .chain([job])
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        Some(format!("{}{{{}}} {} 1000\n", text(reading, "metric"), labels.join(","), reading.get("value")?.as_f64()?))
    };
    rows(&look.0, "readings").iter().filter_map(value).collect()
}

/// What a question answers in one look.
pub(crate) fn answers(look: &Look, question: &str) -> Vec<f64> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, page(look).as_bytes()).expect("writes");
    let mut ask = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let out =
        ask.args(["query", "--json", "--compat", "--series"]).arg(file.path()).arg(question).output().expect("runs");
    values(&serde_json::from_slice(&out.stdout).unwrap_or_default())
}

/// What of a row is not seen.
pub(crate) fn check(scene: &Scene, row: &Row) -> Vec<String> {
    let series = row.reads.iter().filter_map(|reads| series(&scene.look, reads));
    let series = series.chain(row.panes.iter().filter_map(|wanted| pane(&scene.look, wanted)));
    series.chain(row.facts.iter().filter_map(|wanted| fact(&scene.look, wanted))).collect()
}

/// Any series of this name has a value.
pub(crate) fn is_given(look: &Look, metric: &str) -> bool {
    rows(&look.0, "readings").iter().any(|reading| text(reading, "metric") == metric && reading.get("value").is_some())
}

/// A sampler tells this fact.
pub(crate) fn fact_is_told(look: &Look, sampler: &str, name: &str) -> bool {
    fact(look, &Fact { sampler: sampler.to_owned(), name: name.to_owned(), is: None, contains: None }).is_none()
}

fn values(answer: &Value) -> Vec<f64> {
    let result = answer.pointer("/data/result").and_then(Value::as_array).cloned().unwrap_or_default();
    result.iter().filter_map(|row| row.pointer("/value/1")?.as_str()?.parse().ok()).collect()
}

/// `name{label="value"}` with its labels; `job` is the sampler.
fn parts(series: &str) -> (&str, Vec<(String, String)>) {
    let (name, rest) = series.split_once('{').unwrap_or((series, ""));
    let labels = rest.trim_end_matches('}').split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
    });
    (name, labels.collect())
}

fn series(look: &Look, reads: &Reads) -> Option<String> {
    let (name, labels) = parts(&reads.series);
    let is = |reading: &&Value| {
        let label = |name: &str| match name {
            "job" => text(reading, "sampler"),
            name => reading.get("labels").map(|labels| text(labels, name)).unwrap_or_default(),
        };
        text(reading, "metric") == name && labels.iter().all(|(name, value)| label(name) == value)
    };
    let found: Vec<&Value> = rows(&look.0, "readings").iter().filter(is).collect();
    let simple = !reads.series.contains(['(', ' ', '~', '!']);
    let values: Vec<f64> = if simple {
        found.iter().filter_map(|reading| reading.get("value")?.as_f64()).collect()
    } else {
        answers(look, &reads.series)
    };
    let fits = |value: &f64| {
        let equal = reads.is.is_none_or(|is| (value - is).abs() <= is.abs() * 1e-9);
        equal && reads.between.is_none_or(|(low, high)| (low..=high).contains(value))
    };
    match (reads.absent, values.iter().any(fits)) {
        (true, _) if values.is_empty() => None,
        (false, true) => None,
        _ => {
            let why =
                found.first().map(|reading| format!(" ({} {})", text(reading, "freshness"), text(reading, "reason")));
            Some(format!("{} is {values:?}{}", reads.series, why.unwrap_or_default()))
        }
    }
}

/// The pane has this legend, and shows such a value.
fn pane(look: &Look, wanted: &Pane) -> Option<String> {
    let mut values = rows(&look.0, "panes").iter().filter(|shown| text(shown, "pane") == wanted.title);
    let value = match &wanted.legend {
        None => values.next(),
        Some(legend) => values.find(|shown| text(shown, "label") == legend),
    };
    let Some(value) = value else {
        return Some(format!("the pane `{}` shows no {:?}", wanted.title, wanted.legend));
    };
    let is = value.get("value").and_then(Value::as_f64);
    let fits = wanted.unit.as_ref().is_none_or(|unit| text(value, "unit") == unit)
        && wanted.asks.as_ref().is_none_or(|asks| text(value, "query").contains(asks.as_str()))
        && wanted.between.is_none_or(|(low, high)| is.is_some_and(|is| (low..=high).contains(&is)));
    (!fits).then(|| format!("the pane `{}` shows {value}", wanted.title))
}

fn fact(look: &Look, wanted: &Fact) -> Option<String> {
    let sampler = rows(&look.0, "samplers").iter().find(|sampler| text(sampler, "name") == wanted.sampler);
    let facts = sampler.map(|sampler| rows(sampler, "facts")).unwrap_or_default();
    let told: Vec<&str> =
        facts.iter().filter(|row| text(row, "name") == wanted.name).map(|row| text(row, "fact")).collect();
    let fits = |told: &&str| {
        wanted.is.as_ref().is_none_or(|is| is == told)
            && wanted.contains.as_ref().is_none_or(|part| told.contains(part.as_str()))
    };
    let any = told.iter().any(fits);
    (!any).then(|| format!("the fact `{}` of {} is {told:?}", wanted.name, wanted.sampler))
}
