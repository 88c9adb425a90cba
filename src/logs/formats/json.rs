//! A JSON object, perhaps behind what a console put before it: read from the first brace. All its fields are kept.

use super::logfmt::show;
use super::parts::Parts;
use super::time::{Stamp, from_epoch, from_seconds, written};
use crate::base::LogLevel;
use memchr::memchr;
use serde_json::{Map, Value};

const TIME_KEYS: &[&str] = &["time", "timestamp", "ts", "@timestamp"];
const LEVEL_KEYS: &[&str] = &["level", "severity", "lvl", "levelname"];
const MESSAGE_KEYS: &[&str] = &["message", "msg", "event"];

pub(in crate::logs) fn json(raw: &[u8]) -> Option<Parts<'static>> {
    let (prefix, object) = raw.split_at_checked(memchr(b'{', raw)?)?;
    let mut stream = serde_json::Deserializer::from_slice(object).into_iter::<Map<String, Value>>();
    let mut fields = stream.next()?.ok()?;
    let behind = object.get(stream.byte_offset()..).unwrap_or_default();
    // Some loggers put everything but time and level one deeper.
    if let Some(Value::Object(inner)) = fields.get("fields").filter(|inner| inner.is_object()).cloned() {
        fields.shift_remove("fields");
        for (key, value) in inner {
            fields.entry(key).or_insert(value);
        }
    }
    let time = take(&mut fields, TIME_KEYS, json_time);
    let level = take(&mut fields, LEVEL_KEYS, |value| LogLevel::parse(value.as_str()?));
    let message = take(&mut fields, MESSAGE_KEYS, |value| value.as_str().map(str::to_owned));
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(prefix).trim().to_owned());
    let (mut shown, mut named) = (String::new(), Vec::with_capacity(fields.len()));
    for (key, value) in fields {
        let (value, is_text) = match value {
            Value::String(word) => (word, true),
            other => (other.to_string(), false),
        };
        show(&mut shown, &key, &value, is_text);
        named.push((key.into(), value.into()));
    }
    let behind = String::from_utf8_lossy(behind);
    let pieces = [message.as_str(), shown.as_str(), behind.trim()];
    let shown = pieces.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ");
    Some(Parts { time, level, message: message.into(), shown: shown.into(), fields: named })
}

/// Takes out the first of these keys that can be read; what cannot be read stays a field.
fn take<T>(fields: &mut Map<String, Value>, keys: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let (key, found) = keys.iter().find_map(|key| Some((*key, read(fields.get(*key)?)?)))?;
    fields.shift_remove(key);
    Some(found)
}

fn json_time(value: &Value) -> Option<Stamp> {
    match value {
        // One without a zone stays a field: it shows there.
        Value::String(word) => written(word).filter(|time| time.wall().is_some()),
        Value::Number(number) => {
            number.as_i64().and_then(from_epoch).or_else(|| from_seconds(number.as_f64()?)).map(Stamp::utc)
        }
        _ => None,
    }
}
