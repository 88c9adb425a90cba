//! `watchkeeper describe schema`: a JSON Schema of `profile.toml`, for editors that check TOML while it is written. It
//! knows every table and the names of every kind; what a kind reads, the kind itself judges: `watchkeeper validate`.

use crate::config::schema::{self, Key, Table};
use crate::roles::setup::known_kinds;
use serde_json::{Map, Value, json};

/// The schema, in lines.
pub(super) fn lines() -> Vec<String> {
    serde_json::to_string_pretty(&schema()).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn schema() -> Value {
    let kinds = known_kinds();
    let one = |table: &Table, kinds: &[&str]| {
        let mut table = object(table, true);
        if let Some(kind) = table.pointer_mut("/properties/kind") {
            *kind = one_of(kinds, "which one");
        }
        table
    };
    let named = |table: Value| json!({ "type": "object", "additionalProperties": table });
    let rows = |table: Value| json!({ "type": "array", "items": table });
    let mut top = object(&schema::TOP, false);
    let parts = [
        ("settings", json!({ "type": "object" })),
        ("samplers", named(one(&schema::SAMPLER, kinds.samplers))),
        ("logs", named(one(&schema::LOG, kinds.logs))),
        ("panes", rows(one(&schema::PANE, kinds.panes))),
        ("views", rows(object(&schema::VIEW, false))),
        ("actions", named(one(&schema::ACTION, kinds.actions))),
        ("procedures", object(&schema::PROCEDURES, false)),
        ("inhibit", rows(object(&schema::INHIBIT, false))),
        ("patterns", rows(object(&schema::PATTERN, false))),
        ("markers", rows(object(&schema::MARKER, false))),
        ("grants", named(one_of(&["L0", "L1", "L2", "L3"], "what they may do at most"))),
        ("severities", named(one_of(&["critical", "major", "minor", "info"], "how bad it is"))),
        ("escalation", named(object(&schema::ESCALATION, false))),
        ("contacts", rows(object(&schema::CONTACT, false))),
        ("notify", object(&schema::NOTIFY, false)),
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
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": "^\\$\\{" }], "description": about })
}

/// A table with its keys; `open` where a kind adds its own.
fn object(table: &Table, open: bool) -> Value {
    let row = |key: &Key| {
        let about = format!("{}; for example {}", key.about, key.example);
        (key.name.to_owned(), json!({ "description": about }))
    };
    let keys: Map<String, Value> = table.keys.iter().map(row).collect();
    json!({ "type": "object", "description": table.about, "properties": keys, "additionalProperties": open })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of this value the schema does not allow, as far as ours uses the format.
    fn wrong(schema: &Value, value: &Value, at: &str) -> Vec<String> {
        if let Some(ways) = schema.get("anyOf").and_then(Value::as_array) {
            let any = ways.iter().any(|way| wrong(way, value, at).is_empty());
            return if any { Vec::new() } else { vec![format!("{at}: {value}")] };
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return if words.contains(value) { Vec::new() } else { vec![format!("{at}: {value}")] };
        }
        if schema.get("pattern").is_some() {
            let setting = value.as_str().is_some_and(|text| text.starts_with("${"));
            return if setting { Vec::new() } else { vec![format!("{at}: {value}")] };
        }
        let none = Value::Null;
        let of_kind = |kind: &str| schema.get("type").is_some_and(|it| it == kind);
        match value {
            Value::Array(rows) if of_kind("array") => {
                let items = schema.get("items").unwrap_or(&none);
                rows.iter().enumerate().flat_map(|(n, row)| wrong(items, row, &format!("{at}/{n}"))).collect()
            }
            Value::Object(fields) if of_kind("object") => {
                let rest = schema.get("additionalProperties").unwrap_or(&none);
                let field = |(key, value): (&String, &Value)| {
                    let at = format!("{at}/{key}");
                    match schema.pointer(&format!("/properties/{key}")) {
                        Some(known) => wrong(known, value, &at),
                        None if *rest == json!(false) => vec![format!("{at}: unknown")],
                        None => wrong(rest, value, &at),
                    }
                };
                fields.iter().flat_map(field).collect()
            }
            _ if schema.get("type").is_some() => vec![format!("{at}: {value}")],
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_profile_that_ships_fits_it_and_what_is_misspelt_does_not() {
        let schema = schema();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).expect("reads").flatten() {
            let Ok(text) = std::fs::read_to_string(entry.path().join("profile.toml")) else { continue };
            let value: Value = toml::from_str(&text).expect("TOML");
            assert_eq!(wrong(&schema, &value, ""), [""; 0], "{}", entry.path().display());
            count += 1;
        }
        assert!(count >= 5, "{count} profiles");
        for (odd, at) in [
            (json!({ "severities": { "order": "criticl" } }), "/severities/order: \"criticl\""),
            (json!({ "samplers": { "a": { "kind": "lmbd" } } }), "/samplers/a/kind: \"lmbd\""),
            (json!({ "contacts": [{ "fone": "1" }] }), "/contacts/0/fone: unknown"),
            (json!({ "panes": {} }), "/panes: {}"),
        ] {
            assert_eq!(wrong(&schema, &odd, ""), [at]);
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
