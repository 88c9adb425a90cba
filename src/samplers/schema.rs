//! A document held against a JSON Schema that lies beside it: keys that the schema does not have, values outside their
//! range or list. Only names of keys are told, never a value. Pure but for reading the schema's own file.

use crate::base::Clean;
use crate::clean;
use crate::samplers::json;
use crate::samplers::look::{Look, look};
use serde_json::{Map, Value};
use std::io;
use std::path::Path;

/// So many slips are named; all are counted.
const NAMED: usize = 20;
/// A schema that refers to itself ends here.
const DEEPEST: usize = 32;

/// A key, dotted, and what is wrong with it.
type Slip = (Clean, Clean);

/// What is known of a schema.
pub(crate) enum Schema {
    There(Value),
    /// Why there is none to hold anything against.
    Not(Clean),
}

impl Schema {
    /// Reads its file, as any other is read; blocks.
    pub(crate) fn read(path: &Path) -> Self {
        match look(path, true, None) {
            Ok(Look { content: Some(content), .. }) if content.tail.is_none() => {
                json::parse(&content.head).map_or_else(|why| Self::Not(clean!("is {why}")), Self::There)
            }
            Ok(_) => Self::Not(Clean::from("is no file of a size that is read")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Not(Clean::from("is not there")),
            Err(error) => Self::Not(clean!("cannot be read: {error}")),
        }
    }

    /// How many slips the document has, and the first of them by their dotted keys.
    ///
    /// # Errors
    /// There is no schema, and why.
    pub(crate) fn slips(&self, document: &Value) -> Result<(usize, Vec<Slip>), &Clean> {
        let root = match self {
            Self::There(root) => root,
            Self::Not(why) => return Err(why),
        };
        let mut slips = Vec::new();
        hold(root, root, document, &Clean::from(""), DEEPEST, &mut slips);
        let count = slips.len();
        slips.truncate(NAMED);
        Ok((count, slips))
    }
}

/// A part of the document against its part of the schema.
fn hold(root: &Value, part: &Value, is: &Value, key: &Clean, left: usize, slips: &mut Vec<Slip>) {
    let Some(part) = referred(root, part).and_then(Value::as_object) else { return };
    let Some(left) = left.checked_sub(1) else { return };
    if let Some(why) = wrong(part, is) {
        slips.push((key.clone(), why));
    }
    match is {
        Value::Object(rows) => {
            let known = part.get("properties").and_then(Value::as_object);
            for (name, value) in rows {
                let below = if key.as_str().is_empty() { Clean::text(name) } else { clean!("{key}.{name}") };
                match known.and_then(|known| known.get(name)) {
                    Some(part) => hold(root, part, value, &below, left, slips),
                    None if known.is_some() && is_closed(part) => slips.push((below, Clean::from("no such key"))),
                    None => {}
                }
            }
        }
        Value::Array(rows) => {
            for row in rows {
                if let Some(part) = part.get("items") {
                    hold(root, part, row, key, left, slips);
                }
            }
        }
        _ => {}
    }
}

/// The part itself, or what its `$ref` names in the same schema.
fn referred<'a>(root: &'a Value, part: &'a Value) -> Option<&'a Value> {
    match part.get("$ref").and_then(Value::as_str) {
        Some(place) => root.pointer(place.strip_prefix('#')?),
        None => Some(part),
    }
}

/// Whether a key that it does not list is a slip: not where it says that others may come.
fn is_closed(part: &Map<String, Value>) -> bool {
    let open = ["patternProperties", "allOf", "anyOf", "oneOf", "if"].iter().any(|key| part.contains_key(*key));
    !open && part.get("additionalProperties").is_none_or(|others| *others == Value::Bool(false))
}

/// Outside its range, or not on its list.
fn wrong(part: &Map<String, Value>, is: &Value) -> Option<Clean> {
    if let Some(list) = part.get("enum").and_then(Value::as_array)
        && !list.contains(is)
    {
        return Some(Clean::from("not one of its list"));
    }
    let (number, bound) = (is.as_f64()?, |key: &str| part.get(key).and_then(Value::as_f64));
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        return Some(clean!("below its minimum, {least}"));
    }
    if let Some(most) = bound("maximum").filter(|most| number > *most) {
        return Some(clean!("above its maximum, {most}"));
    }
    let outside = bound("exclusiveMinimum").is_some_and(|least| number <= least)
        || bound("exclusiveMaximum").is_some_and(|most| number >= most);
    outside.then(|| Clean::from("outside its range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slips(schema: Value, document: &Value) -> Vec<(String, String)> {
        let (count, slips) = Schema::There(schema).slips(document).expect("there is one");
        assert_eq!(count, slips.len());
        slips.into_iter().map(|(key, why)| (key.to_string(), why.to_string())).collect()
    }

    fn told(key: &str, why: &str) -> (String, String) {
        (key.to_owned(), why.to_owned())
    }

    #[test]
    fn unknown_keys_and_values_outside_their_range_are_slips() {
        let schema = json!({
            "properties": {
                "neural": { "$ref": "#/$defs/neural" },
                "device": { "enum": ["cuda", "cpu"] },
                "free": { "additionalProperties": true, "properties": {} },
            },
            "$defs": { "neural": { "properties": { "granule_size": { "minimum": 1000, "maximum": 10_000_000 } } } },
        });
        let good = json!({ "neural": { "granule_size": 1000 }, "device": "cpu", "free": { "x": 1 } });
        assert_eq!(slips(schema.clone(), &good), []);
        let bad = json!({ "neural": { "granule_size": 999, "granul_size": 1 }, "device": "tpu", "sever": {} });
        let mut found = slips(schema, &bad);
        found.sort();
        let wanted = [
            told("device", "not one of its list"),
            told("neural.granul_size", "no such key"),
            told("neural.granule_size", "below its minimum, 1000"),
            told("sever", "no such key"),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends_and_one_that_is_not_there_is_said() {
        let schema = json!({ "properties": { "a": { "$ref": "#" } } });
        assert_eq!(slips(schema, &json!({ "a": { "a": { "b": 1 } } })), [told("a.a.b", "no such key")]);
        assert_eq!(slips(json!({ "$ref": "#" }), &json!({ "a": 1 })), []);
        let Schema::Not(why) = Schema::read(Path::new("/nonexistent/schema.json")) else { panic!("there is none") };
        assert_eq!(why.as_str(), "is not there");
    }
}
