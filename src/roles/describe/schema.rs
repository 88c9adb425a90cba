//! `watchkeeper describe schema`: a JSON Schema of `profile.toml`, for editors that check TOML while it is written. Tables
//! of our own come from the reference, those of kinds from the kinds themselves ([`super::takes`]). What the values mean
//! together the kinds judge: `watchkeeper validate`.

use super::takes::{self, Judge, examples, of_kind, setting};
use crate::action::docs;
use crate::base::{Body, Clean, Fault};
use crate::config::schema::{self, Key};
use crate::config::{LogSpec, Profile};
use crate::roles::setup::known_kinds;
use crate::roles::{action_check, logs};
use crate::samplers;
use crate::ui::panes;
use serde_json::{Map, Value, json};
use toml::Table;

/// The schema, in lines.
pub(super) fn lines() -> Vec<String> {
    serde_json::to_string_pretty(&schema()).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn schema() -> Value {
    let named = |table: Value| json!({ "type": "object", "additionalProperties": table });
    let rows = |table: Value| json!({ "type": "array", "items": table });
    let mut top = object(&schema::TOP);
    let parts = [
        ("settings", json!({ "type": "object" })),
        ("samplers", named(samplers())),
        ("logs", named(logs())),
        ("panes", rows(panes())),
        ("views", rows(object(&schema::VIEW))),
        ("actions", named(actions())),
        ("procedures", object(&schema::PROCEDURES)),
        ("inhibit", rows(object(&schema::INHIBIT))),
        ("patterns", rows(object(&schema::PATTERN))),
        ("markers", rows(object(&schema::MARKER))),
        ("grants", named(one_of(&["L0", "L1", "L2", "L3"], "what they may do at most"))),
        ("severities", named(one_of(&["critical", "major", "minor", "info"], "how bad it is"))),
        ("escalation", named(object(&schema::ESCALATION))),
        ("contacts", rows(object(&schema::CONTACT))),
        ("notify", object(&schema::NOTIFY)),
    ];
    for (name, part) in parts {
        let Some(place) = top.pointer_mut(&format!("/properties/{name}")) else { continue };
        let about = place.get("description").cloned().unwrap_or_default();
        *place = part;
        if let Some(place) = place.as_object_mut() {
            place.insert("description".to_owned(), about);
        }
    }
    if let Some(top) = top.as_object_mut() {
        top.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        top.insert("title".to_owned(), "A profile of Watchkeeper".into());
    }
    top
}

/// One of these words, or a setting that stands for one.
fn one_of(words: &[&str], about: &str) -> Value {
    json!({ "anyOf": [{ "enum": words }, setting()], "description": about })
}

fn samplers() -> Value {
    kinds(&schema::SAMPLER, known_kinds().samplers, &[], &|name, common| {
        let kind = samplers::kind(name)?;
        let shown = examples(&samplers::docs(name)?, "samplers");
        of_kind(&|body| kind.build(body).err(), &Table::new(), &shown, common)
    })
}

fn logs() -> Value {
    let nobody = Profile::empty("", Vec::new());
    kinds(&schema::LOG, known_kinds().logs, &[], &|name, common| {
        let judge: &Judge<'_> = &|body| {
            let spec = LogSpec { name: "x".into(), kind: name.to_owned(), body: body.clone() };
            logs::source(&spec, &nobody).err()
        };
        of_kind(judge, &Table::new(), &examples(&logs::docs(name)?, "logs"), common)
    })
}

fn panes() -> Value {
    kinds(&schema::PANE, known_kinds().panes, &["title"], &|name, common| {
        let (kind, title) = (panes::kind(name)?, Clean::from("x"));
        of_kind(&|body| kind.build(&title, body).err(), &Table::new(), &[], common)
    })
}

fn actions() -> Value {
    let nobody = Profile::empty("", Vec::new());
    let mut start = Table::new();
    start.extend([("verb", "perform"), ("danger", "C3")].map(|(key, text)| (key.to_owned(), text.into())));
    kinds(&schema::ACTION, known_kinds().actions, &["verb", "danger"], &|name, common| {
        let judge = |body: &Body| -> Option<Fault> { action_check::judge(&nobody, name, body) };
        of_kind(&judge, &start, &examples(&docs::docs(name)?, "actions"), common)
    })
}

/// What one kind takes, with the keys that all have.
type OfKind<'a> = dyn Fn(&str, &Map<String, Value>) -> Option<Value> + 'a;

/// A table that a kind completes.
fn kinds(table: &schema::Table, names: &[&str], needed: &[&str], of: &OfKind<'_>) -> Value {
    let common: Map<String, Value> = table.keys.iter().map(|key| (key.name.to_owned(), typed(key))).collect();
    let forms = names.iter().filter_map(|name| Some(((*name).to_owned(), of(name, &common)?)));
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut all = takes::by_kind(&names, forms.collect());
    if let Some(all) = all.as_object_mut() {
        all.insert("description".to_owned(), table.about.into());
        let mut known = common;
        if let Some(kind) = all.get_mut("properties").and_then(|rows| rows.get("kind")) {
            known.insert("kind".to_owned(), kind.clone());
        }
        all.insert("properties".to_owned(), known.into());
        let required = core::iter::once("kind").chain(needed.iter().copied());
        all.insert("required".to_owned(), required.collect::<Vec<_>>().into());
    }
    all
}

/// A key by its example: what can be given in several ways says so in its sentence.
fn typed(key: &Key) -> Value {
    let example = format!("x = {}", key.example).parse::<Table>().ok().and_then(|mut table| table.remove("x"));
    let kind = |value: &toml::Value| match value {
        toml::Value::String(_) => json!({ "type": "string" }),
        toml::Value::Integer(_) => json!({ "anyOf": [{ "type": "integer" }, setting()] }),
        toml::Value::Float(_) => json!({ "anyOf": [{ "type": "number" }, setting()] }),
        toml::Value::Boolean(_) => json!({ "anyOf": [{ "type": "boolean" }, setting()] }),
        toml::Value::Table(_) => json!({ "anyOf": [{ "type": "object" }, setting()] }),
        toml::Value::Array(_) | toml::Value::Datetime(_) => json!({}),
    };
    let mut typed = match example {
        Some(_) | None if key.about.contains("{ env") => json!({}),
        Some(toml::Value::Array(rows)) => {
            let items = rows.first().map_or_else(|| json!({}), kind);
            json!({ "anyOf": [{ "type": "array", "items": items }, setting()] })
        }
        Some(value) => kind(&value),
        None => json!({}),
    };
    if let Some(typed) = typed.as_object_mut() {
        typed.insert("description".to_owned(), format!("{}; for example {}", key.about, key.example).into());
    }
    typed
}

/// A table with its keys.
fn object(table: &schema::Table) -> Value {
    let keys: Map<String, Value> = table.keys.iter().map(|key| (key.name.to_owned(), typed(key))).collect();
    json!({ "type": "object", "description": table.about, "properties": keys, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of this value the schema does not allow, as far as ours uses the format.
    fn wrong(schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let none = Value::Null;
        let part = |name: &str| schema.get(name).unwrap_or(&none);
        let mut found = Vec::new();
        if let Some(ways) = part("anyOf").as_array() {
            let told: Vec<Vec<String>> = ways.iter().map(|way| wrong(way, value, at)).collect();
            // The way that fits furthest says most.
            let not_at_all = format!("{at}: {value}");
            let deepest = told
                .into_iter()
                .max_by_key(|told| if told.is_empty() { 2 } else { usize::from(!told.contains(&not_at_all)) });
            found.extend(deepest.unwrap_or_default());
        }
        let known = |words: &Vec<Value>| !words.contains(value);
        let is = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            _ => "integer",
        };
        let other_type = |kind: &str| kind != is && !(kind == "number" && is == "integer");
        let no_setting = || !value.as_str().is_some_and(|text| text.starts_with("${"));
        if part("enum").as_array().is_some_and(known)
            || part("type").as_str().is_some_and(other_type)
            || part("pattern").is_string() && no_setting()
            || schema.get("const").is_some_and(|only| only != value)
        {
            return vec![format!("{at}: {value}")];
        }
        for rule in part("allOf").as_array().into_iter().flatten() {
            if rule.get("if").is_some_and(|when| wrong(when, value, at).is_empty()) {
                found.extend(wrong(rule.get("then").unwrap_or(&none), value, at));
            }
        }
        for (n, row) in value.as_array().into_iter().flatten().enumerate() {
            found.extend(wrong(part("items"), row, &format!("{at}/{n}")));
        }
        let Some(fields) = value.as_object() else { return found };
        for name in part("required").as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(format!("{at}: no {name}"));
            }
        }
        for (key, value) in fields {
            let at = format!("{at}/{key}");
            match part("properties").get(key) {
                Some(known) => found.extend(wrong(known, value, &at)),
                None if *part("additionalProperties") == json!(false) => found.push(format!("{at}: unknown")),
                None => found.extend(wrong(part("additionalProperties"), value, &at)),
            }
        }
        found
    }

    #[test]
    fn every_kind_says_what_it_takes() {
        let schema = schema();
        for (table, kinds) in [
            ("samplers/additionalProperties", known_kinds().samplers),
            ("logs/additionalProperties", known_kinds().logs),
            ("panes/items", known_kinds().panes),
            ("actions/additionalProperties", known_kinds().actions),
        ] {
            let forms = schema.pointer(&format!("/properties/{table}/allOf")).and_then(Value::as_array).expect("forms");
            let told: Vec<&str> =
                forms.iter().filter_map(|form| form.pointer("/if/properties/kind/const")?.as_str()).collect();
            assert_eq!(told, kinds, "{table}");
        }
    }

    #[test]
    fn keys_of_kinds_and_types_of_values_are_known() {
        let schema = schema();
        let action = |rows: Value| json!({ "actions": { "a": rows } });
        let pane = |rows: Value| json!({ "panes": [rows] });
        let sampler = |rows: Value| json!({ "samplers": { "a": rows } });
        for (odd, told) in [
            (json!({ "title": 5 }), "/title: 5"),
            (json!({ "rules": "a.yaml" }), "/rules: \"a.yaml\""),
            (json!({ "procedures": { "keep_runs": "200" } }), "/procedures/keep_runs: \"200\""),
            (sampler(json!({ "kind": "host", "every": 5 })), "/samplers/a/every: 5"),
            (sampler(json!({ "kind": "host", "evry": "5s" })), "/samplers/a/evry: unknown"),
            (sampler(json!({ "kind": "http" })), "/samplers/a: no url"),
            (sampler(json!({ "kind": "http", "url": "http://a/", "status": "200" })), "/samplers/a/status: \"200\""),
            (sampler(json!({ "kind": "http", "url": "http://a/", "method": "PUT" })), "/samplers/a/method: \"PUT\""),
            (pane(json!({ "kind": "sparkline", "title": "x" })), "/panes/0: no query"),
            (
                pane(json!({ "kind": "sparkline", "title": "x", "query": "y", "bands": { "warnin": 1 } })),
                "/panes/0/bands/warnin: unknown",
            ),
            (
                pane(json!({ "kind": "sparkline", "title": "x", "query": "y", "beside": [{ "lable": "z" }] })),
                "/panes/0/beside/0/lable: unknown",
            ),
            (
                action(json!({ "kind": "command", "verb": "look", "danger": "C9", "argv": ["/bin/true"] })),
                "/actions/a/danger: \"C9\"",
            ),
            (
                action(
                    json!({ "kind": "service_stop", "verb": "stop", "danger": "C3", "service": { "kind": "systemd" } }),
                ),
                "/actions/a/service: no unit",
            ),
            (action(json!({ "kind": "service_stop", "verb": "stop", "danger": "C3" })), "/actions/a: no service"),
            (action(json!({ "kind": "command", "danger": "C2", "argv": ["/bin/true"] })), "/actions/a: no verb"),
            (json!({ "logs": { "a": { "kind": "file" } } }), "/logs/a: no path"),
        ] {
            let found = wrong(&schema, &odd, "");
            assert!(found.iter().any(|found| found == told), "{told}: {found:?}");
        }
        let good = sampler(json!({ "kind": "${which}", "url": 5 }));
        assert_eq!(wrong(&schema, &good, ""), [""; 0], "what a setting stands for is not known here");
    }

    #[test]
    fn every_profile_that_ships_fits_it_and_what_is_misspelt_does_not() {
        let schema = schema();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
        let (mut count, mut odd) = (0, Vec::new());
        for entry in std::fs::read_dir(folder).expect("reads").flatten() {
            let Ok(text) = std::fs::read_to_string(entry.path().join("profile.toml")) else { continue };
            let value: Value = toml::from_str(&text).expect("TOML");
            odd.extend(wrong(&schema, &value, &format!("{}:", entry.path().display())));
            count += 1;
        }
        assert_eq!(odd, [""; 0]);
        assert!(count >= 5, "{count} profiles");
        for (odd, at) in [
            (json!({ "severities": { "order": "criticl" } }), "/severities/order: \"criticl\""),
            (json!({ "samplers": { "a": { "kind": "lmbd" } } }), "/samplers/a/kind: \"lmbd\""),
            (json!({ "contacts": [{ "fone": "1" }] }), "/contacts/0/fone: unknown"),
            (json!({ "panes": {} }), "/panes: {}"),
        ] {
            let found = wrong(&schema, &odd, "");
            assert!(found.iter().any(|found| found == at), "{at}: {found:?}");
        }
    }

    #[test]
    fn every_table_of_the_reference_stands_in_it_with_every_key() {
        let text = lines().join("\n");
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        for key in schema::TOP.keys {
            assert!(schema.pointer(&format!("/properties/{}", key.name)).is_some(), "{}", key.name);
        }
        for table in
            schema::TABLES.iter().filter(|table| !["[settings]", "[grants]", "[severities]"].contains(&table.header))
        {
            assert!(table.keys.iter().all(|key| text.contains(&format!("\"{}\": {{", key.name))), "{}", table.header);
        }
        let kinds =
            schema.pointer("/properties/samplers/additionalProperties/properties/kind/anyOf/0/enum").expect("kinds");
        assert!(kinds.as_array().is_some_and(|kinds| kinds.contains(&json!("lmdb"))));
        assert_eq!(schema.pointer("/properties/contacts/items/additionalProperties"), Some(&json!(false)));
    }
}
