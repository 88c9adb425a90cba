//! TOML, by the spans of its parser.

use super::{Scalar, Spot, at};
use crate::base::Fault;
use std::path::Path;
use toml_edit::{Document, Item, TableLike, Value};

pub(super) fn find(text: &str, key: &str, file: &Path) -> Result<Option<Spot>, Fault> {
    let document = Document::parse(text)
        .map_err(|error| at(text, error.span().map_or(0, |span| span.start), file, error.message()))?;
    let Some(value) = lookup(&document, key) else { return Ok(None) };
    Ok(value.span().map(|range| Spot { range, value: scalar(value) }))
}

fn lookup<'a>(document: &'a Document<&str>, key: &str) -> Option<&'a Value> {
    let mut names = toml_edit::Key::parse(key).ok()?;
    let last = names.pop()?;
    let mut table: &dyn TableLike = document.as_table();
    for name in &names {
        table = table.get(name.get()).and_then(Item::as_table_like)?;
    }
    table.get(last.get()).and_then(Item::as_value)
}

fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Boolean(it) => Some(Scalar::Bool(*it.value())),
        Value::Integer(it) => Some(Scalar::Int(*it.value())),
        Value::Float(it) => Some(Scalar::Float(*it.value())),
        Value::String(it) => Some(Scalar::Text(it.value().clone())),
        _ => None,
    }
}

pub(super) fn write(value: &Scalar) -> String {
    match value {
        Scalar::Bool(flag) => flag.to_string(),
        Scalar::Int(number) => number.to_string(),
        Scalar::Float(number) => Value::from(*number).to_string(),
        Scalar::Text(text) => Value::from(text.as_str()).to_string(),
    }
}
