//! TOML, by the spans of its parser.

use super::{Scalar, Spot, at, line_end, put_in};
use crate::base::Fault;
use std::path::Path;
use toml_edit::{Document, Item, Key, Table, TableLike, Value};

pub(super) fn find(text: &str, key: &str, file: &Path) -> Result<Option<Spot>, Fault> {
    let document = Document::parse(text)
        .map_err(|error| at(text, error.span().map_or(0, |span| span.start), file, error.message()))?;
    let Some(value) = lookup(&document, key) else { return Ok(None) };
    Ok(value.span().map(|range| Spot { range, value: scalar(value) }))
}

fn lookup<'a>(document: &'a Document<&str>, key: &str) -> Option<&'a Value> {
    let mut names = Key::parse(key).ok()?;
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

/// The text with a key at the end of its table; the table too, at the end of the file, where there is none.
pub(super) fn add(text: &str, key: &str, value: &Scalar) -> Result<String, &'static str> {
    const NO_PLACE: &str = "cannot be added: what it belongs to has no table of its own in the file.";
    let document = Document::parse(text).map_err(|_| NO_PLACE)?;
    let mut names = Key::parse(key).map_err(|_| "is no key.")?;
    let last = names.pop().ok_or("is no key.")?;
    let line = format!("{} = {}", last.display_repr(), write(value));
    let mut table: &Table = document.as_table();
    for name in &names {
        match table.get(name.get()) {
            // `[a.b]` alone makes an `a` that nobody has written.
            Some(Item::Table(inner)) => table = inner,
            Some(_) => return Err(NO_PLACE),
            None if table.is_dotted() => return Err(NO_PLACE),
            None => return Ok(with_table(text, &names, line)),
        }
    }
    if table.is_dotted() || table.contains_key(last.get()) {
        return Err(NO_PLACE);
    }
    if table.is_implicit() && !names.is_empty() {
        return Ok(with_table(text, &names, line));
    }
    let own = table.iter().filter_map(|(_, item)| item.as_value().and_then(Value::span)).map(|span| span.end).max();
    let header = table.span().filter(|_| !names.is_empty()).map(|span| span.start);
    Ok(put_in(text, own.or(header).map_or(0, |byte| line_end(text, byte)), &[line]))
}

/// The text with a new table at its end that has this one line.
fn with_table(text: &str, names: &[Key], line: String) -> String {
    let path: Vec<_> = names.iter().map(Key::display_repr).collect();
    let gap = (!text.is_empty() && !text.ends_with("\n\n") && !text.ends_with("\n\r\n")).then(String::new);
    let lines: Vec<String> = gap.into_iter().chain([format!("[{}]", path.join(".")), line]).collect();
    put_in(text, text.len(), &lines)
}
