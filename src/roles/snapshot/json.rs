//! A snapshot as JSON. Its schema is part of what other programs build on: keys are added, never changed.

use super::picture::{Alert, Picture, Row, Said, Sampled, Shown};
use crate::app::Identity;
use crate::base::{Clean, Level, Now, SeriesKey, Unit};
use crate::roles::query::number;
use core::time::Duration;
use serde_json::{Map, Number, Value as Json, json};

/// The JSON Schema of [`document`].
pub(super) const SCHEMA: &str = include_str!("schema.json");

/// The whole document.
pub(super) fn document(picture: &Picture, identity: &Identity, now: Now) -> Json {
    json!({
        "schema": "watchkeeper-snapshot-v1",
        "at": now.wall.rfc3339(),
        "host": identity.host.as_str(),
        "profile": identity.title.as_str(),
        "environment": identity.environment.as_str(),
        "level": picture.level().word(),
        "status": picture.status(),
        "samplers": picture.samplers.iter().map(sampler).collect::<Json>(),
        "readings": picture.readings.iter().map(|row| reading(row, picture)).collect::<Json>(),
        "panes": picture.panes.iter().map(pane).collect::<Json>(),
        "alerts": picture.alerts.iter().map(alert).collect::<Json>(),
        "faults": picture.faults.iter().map(|fault| Json::from(fault.as_str())).collect::<Json>(),
    })
}

fn sampler(of: &Sampled) -> Json {
    let facts: Vec<Json> =
        of.facts.iter().map(|(name, fact)| json!({ "name": name.as_str(), "fact": fact.as_str() })).collect();
    json!({
        "name": &*of.name,
        "kind": of.kind.as_str(),
        "source": of.source.as_str(),
        "level": of.level().word(),
        "freshness": of.freshness.word(),
        "age_seconds": of.age.map(seconds),
        "interval_seconds": seconds(of.interval),
        "took_seconds": seconds(of.took),
        "simulated": of.simulated,
        "failure": of.failure.as_ref().map(Clean::as_str),
        "dropped_series": of.dropped_series,
        "facts": facts,
    })
}

fn reading(row: &Row, picture: &Picture) -> Json {
    let sampler = picture.samplers.iter().find(|sampler| sampler.name == row.sampler);
    let mut out = Map::new();
    out.insert("metric".into(), row.key.name.as_str().into());
    out.insert("labels".into(), labels(&row.key));
    out.insert("type".into(), row.kind.into());
    out.insert("unit".into(), row.unit.map(Unit::name).into());
    said(&mut out, &row.said);
    out.insert("sampler".into(), (&*row.sampler).into());
    out.insert("source".into(), sampler.map_or("", |sampler| sampler.source.as_str()).into());
    out.insert("simulated".into(), sampler.is_some_and(|sampler| sampler.simulated).into());
    Json::Object(out)
}

fn pane(of: &Shown) -> Json {
    let mut out = Map::new();
    out.insert("pane".into(), of.pane.as_str().into());
    out.insert("label".into(), of.label.as_str().into());
    out.insert("query".into(), of.query.as_str().into());
    out.insert("series".into(), of.which.as_ref().map(Clean::as_str).into());
    out.insert("unit".into(), of.unit.name().into());
    said(&mut out, &of.said);
    Json::Object(out)
}

/// Value, level, freshness, age and reason; a stale value is told as the last one, not as the value.
fn said(out: &mut Map<String, Json>, said: &Said) {
    let known = match said {
        Said::Value { value, age, .. } => Some((*value, *age)),
        Said::NotSupported(_) | Said::Refused(_) | Said::Unknown(_) => None,
    };
    let stale = said.freshness() == "STALE";
    out.insert("value".into(), known.filter(|_| !stale).map(|(value, _)| float(value)).into());
    if let Some((value, _)) = known.filter(|_| stale) {
        out.insert("last_value".into(), float(value));
    }
    let level = if matches!(said, Said::NotSupported(_)) { None } else { Some(said.level().word()) };
    out.insert("level".into(), level.into());
    out.insert("freshness".into(), said.freshness().into());
    out.insert("age_seconds".into(), known.map(|(_, age)| seconds(age)).into());
    out.insert("reason".into(), said.reason().map(Clean::as_str).into());
}

fn alert(of: &Alert) -> Json {
    let level: Level = of.level;
    json!({
        "name": of.name.as_str(),
        "labels": labels(&of.labels),
        "state": of.state,
        "level": level.word(),
        "value": float(of.value),
    })
}

fn labels(key: &SeriesKey) -> Json {
    let pairs = key.labels.iter().map(|(name, value)| (name.to_string(), Json::from(value.as_str())));
    Json::Object(pairs.collect())
}

fn seconds(of: Duration) -> Json {
    Number::from_f64(of.as_secs_f64()).map_or(Json::Null, Json::Number)
}

/// A number; what JSON cannot hold as Prometheus writes it: `"NaN"`, `"+Inf"`, `"-Inf"`.
fn float(value: f64) -> Json {
    Number::from_f64(value).map_or_else(|| number(value).into(), Json::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_unit_and_level_and_freshness() {
        let schema: Json = serde_json::from_str(SCHEMA).expect("JSON");
        let known = |of: &str| -> Vec<String> {
            serde_json::from_value(schema.pointer(&format!("/$defs/{of}/enum")).expect(of).clone()).expect("words")
        };
        assert_eq!(known("unit"), Unit::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let levels = [Level::Ok, Level::Note, Level::BelowNormal, Level::Unknown, Level::Warning, Level::Critical];
        assert_eq!(known("level"), levels.map(Level::word));
    }
}
