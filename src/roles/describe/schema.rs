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
            *kind = json!({ "enum": kinds, "description": "which one" });
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
        ("grants", named(json!({ "enum": ["L0", "L1", "L2", "L3"] }))),
        ("severities", named(json!({ "enum": ["critical", "major", "minor", "info"] }))),
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
        let kinds = schema.pointer("/properties/samplers/additionalProperties/properties/kind/enum").expect("kinds");
        assert!(kinds.as_array().is_some_and(|kinds| kinds.contains(&json!("lmdb"))));
        assert_eq!(schema.pointer("/properties/contacts/items/additionalProperties"), Some(&json!(false)));
    }
}
