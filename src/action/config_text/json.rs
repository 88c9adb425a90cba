//! JSON, by the places of its raw values. Two members of one name are refused: who reads the file may take either.

use super::{Scalar, Spot, at};
use crate::base::Fault;
use core::fmt;
use serde::Deserializer;
use serde::de::{Deserialize, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
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

/// Any value in which no object has two members of one name.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;

        impl<'de> Visitor<'de> for Look {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
                let mut names = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if let Some(twice) = names.replace(name.clone()) {
                        return Err(A::Error::custom(format!("the member `{twice}` stands there twice")));
                    }
                    let Once = map.next_value()?;
                }
                Ok(Once)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
                while seq.next_element::<Once>()?.is_some() {}
                Ok(Once)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_str<E>(self, _: &str) -> Result<Once, E> {
                Ok(Once)
            }

            fn visit_unit<E>(self) -> Result<Once, E> {
                Ok(Once)
            }
        }

        deserializer.deserialize_any(Look)
    }
}

/// A fault of a reader, at its line.
fn misread(text: &str, error: &serde_json::Error, file: &Path) -> Fault {
    let line = error.line().saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let said = error.to_string();
    let what = said.split(" at line ").next().filter(|_| error.is_data()).map(str::to_owned);
    at(text, before, file, &what.unwrap_or_else(|| format!("is not JSON: {said}")))
}

pub(super) fn find(text: &str, key: &str, file: &Path) -> Result<Option<Spot>, Fault> {
    serde_json::from_str::<Once>(text).map_err(|error| misread(text, &error, file))?;
    let place = |raw: &str| raw.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let mut here = text;
    for name in key.split('.') {
        let members: Members<'_> = match serde_json::from_str(here) {
            Ok(members) => members,
            // What is no object has no member.
            Err(_) => return Ok(None),
        };
        let Some((_, raw)) = members.0.iter().find(|(known, _)| known == name) else { return Ok(None) };
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
