//! Whether two answers in the shape of the query API say the same.

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Values agree to this share of their size.
const SHARE: f64 = 1e-9;
/// What a sum that cancels out may leave.
const DUST: f64 = 1e-14;

type Rows = BTreeMap<String, BTreeMap<i64, f64>>;

/// What differs first; `None` when nothing does. Two refusals agree, whatever their words.
pub(crate) fn difference(theirs: &Json, ours: &Json) -> Option<String> {
    let failed = |answer: &Json| answer["status"] != "success";
    match (failed(theirs), failed(ours)) {
        (true, true) => return None,
        (true, false) => return Some(format!("only the server refuses: {}", theirs["error"])),
        (false, true) => return Some(format!("only ours refuses: {}", ours["error"])),
        (false, false) => {}
    }
    let (theirs, ours) = (&theirs["data"], &ours["data"]);
    if theirs["resultType"] != ours["resultType"] {
        return Some(format!("type {} and ours {}", theirs["resultType"], ours["resultType"]));
    }
    let (theirs, ours) = (rows(theirs)?, rows(ours)?);
    let missing = theirs.keys().find(|key| !ours.contains_key(*key)).map(|key| format!("ours lacks {key}"));
    let extra = ours.keys().find(|key| !theirs.contains_key(*key)).map(|key| format!("only ours has {key}"));
    missing.or(extra).or_else(|| theirs.iter().find_map(|(key, points)| differs(key, points, ours.get(key)?)))
}

fn differs(key: &str, theirs: &BTreeMap<i64, f64>, ours: &BTreeMap<i64, f64>) -> Option<String> {
    if let Some(at) = theirs.keys().find(|at| !ours.contains_key(at)) {
        return Some(format!("{key}: ours lacks the point at {at}"));
    }
    if let Some(at) = ours.keys().find(|at| !theirs.contains_key(at)) {
        return Some(format!("{key}: only ours has a point at {at}"));
    }
    let (at, value) = theirs.iter().find(|(at, value)| !same(**value, ours[at]))?;
    Some(format!("{key} at {at}: {value} and ours {}", ours[at]))
}

fn same(theirs: f64, ours: f64) -> bool {
    let close = || (theirs - ours).abs() <= DUST.max(SHARE * theirs.abs().max(ours.abs()));
    theirs == ours || theirs.is_nan() && ours.is_nan() || theirs.is_finite() && ours.is_finite() && close()
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of our time")]
fn rows(data: &Json) -> Option<Rows> {
    let point = |pair: &Json| {
        let value = pair[1].as_str().and_then(|text| text.parse().ok()).expect("a number in a text");
        ((pair[0].as_f64().expect("a time") * 1e3).round() as i64, value)
    };
    let list = data["result"].as_array()?;
    if data["resultType"] == "scalar" {
        return Some(Rows::from([(String::new(), BTreeMap::from([point(&data["result"])]))]));
    }
    let row = |row: &Json| {
        let labels: BTreeMap<&String, &Json> = row["metric"].as_object().expect("labels").iter().collect();
        let single = row.get("value").map(point);
        let many = row["values"].as_array().into_iter().flatten().map(point);
        (format!("{labels:?}"), single.into_iter().chain(many).collect())
    };
    Some(list.iter().map(row).collect())
}
