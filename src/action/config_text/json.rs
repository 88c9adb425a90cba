//! JSON, by the places of its raw values. Two members of one name are refused: who reads the file may take either.

use super::{Scalar, Spot, at};
use crate::base::Fault;
use core::fmt;
use serde::Deserializer;
use serde::de::{Deserialize, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::path::Path;

/// The members of an object, in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    members.push((name.0, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// A member's name, borrowed where it holds no escape.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn find(text: &str, key: &str, file: &Path) -> Result<Option<Spot>, Fault> {
    let place = |raw: &str| raw.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let mut here = text;
    for name in key.split('.') {
        let members: Members<'_> = match serde_json::from_str(here) {
            Ok(members) => members,
            // What is no object has no member; what is no JSON at all is a fault.
            Err(error) if error.is_data() => return Ok(None),
            Err(error) => {
                let before: usize = here.lines().take(error.line().saturating_sub(1)).map(|line| line.len() + 1).sum();
                return Err(at(text, place(here) + before, file, &format!("is not JSON: {error}")));
            }
        };
        let mut found = members.0.iter().filter(|(known, _)| known == name);
        let Some((_, raw)) = found.next() else { return Ok(None) };
        if let Some((_, twice)) = found.next() {
            return Err(at(text, place(twice.get()), file, &format!("the member `{name}` stands there twice")));
        }
        here = raw.get();
    }
    let start = place(here);
    let value = match serde_json::from_str(here) {
        Ok(serde_json::Value::Bool(flag)) => Some(Scalar::Bool(flag)),
        Ok(serde_json::Value::Number(number)) => match number.as_i64() {
            Some(whole) => Some(Scalar::Int(whole)),
            None => number.as_f64().map(Scalar::Float),
        },
        Ok(serde_json::Value::String(text)) => Some(Scalar::Text(text)),
        _ => None,
    };
    Ok(Some(Spot { range: start..start + here.len(), value }))
}

pub(super) fn write(value: &Scalar) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
