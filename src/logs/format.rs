//! What a line says: when, how bad, what. A line that does not fit its format is shown whole.

use crate::base::{Clean, LogLevel, LogLine, Wall, clean::LINE_LIMIT};
use crate::sys::secret::hide_clean;
use core::time::Duration;
use jiff::Timestamp;
use memchr::memchr;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How the lines of a source are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text, perhaps with a time and a level at its beginning.
    #[default]
    Plain,
    /// A JSON object, perhaps behind a prefix.
    Json,
}

const TIME_KEYS: &[&str] = &["time", "timestamp", "ts"];
const LEVEL_KEYS: &[&str] = &["level", "severity"];
const MESSAGE_KEYS: &[&str] = &["message", "msg", "event"];
/// A level stands among the first words, if anywhere.
const LEVEL_WORDS: usize = 5;

impl Format {
    /// Every format with the name that files use.
    pub const NAMES: &[(&str, Self)] = &[("plain", Self::Plain), ("json", Self::Json)];

    /// The format with this name in a file.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// Reads a line without its newline; `more` bytes were cut off it.
    pub fn read(self, raw: &[u8], more: usize) -> LogLine {
        let mut line = match self {
            Self::Json if more == 0 => json(raw).unwrap_or_else(|| plain(raw, more)),
            _ => plain(raw, more),
        };
        // A service may write down the key that we came with.
        hide_clean(&mut line.message);
        line
    }
}

impl<'de> serde::Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&name).ok_or_else(|| {
            let known: Vec<&str> = Self::NAMES.iter().map(|(known, _)| *known).collect();
            serde::de::Error::custom(format_args!("unknown format `{name}`, expected one of `{}`", known.join("`, `")))
        })
    }
}

fn plain(raw: &[u8], more: usize) -> LogLine {
    let text = Clean::cut(raw, more);
    let mut rest = text.as_str();
    let time = take_time(rest).map(|(time, after)| {
        rest = after;
        time
    });
    let level = match first_word(rest) {
        Some((word, after)) if level_word(word).is_some() => {
            rest = after;
            level_word(word)
        }
        _ => rest.split_whitespace().take(LEVEL_WORDS).find_map(level_word),
    };
    let whole = rest.len() == text.as_str().len() || text.as_str().len() > LINE_LIMIT;
    let message = if whole { text } else { Clean::text(rest) };
    LogLine { time, level, message, marker: false }
}

fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(' ').unwrap_or(text.len());
    text.split_at_checked(end).map(|(word, rest)| (word, rest.trim_start())).filter(|(word, _)| !word.is_empty())
}

/// A level as people write it: `ERROR`, `[error]`, `<warn>`, `error:`, `level=error`; not the word in a sentence.
fn level_word(word: &str) -> Option<LogLevel> {
    let named = word.strip_prefix("level=").or_else(|| word.strip_prefix("severity="));
    let bare = named.unwrap_or(word).trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let marked = named.is_some()
        || word.ends_with(':')
        || word.starts_with(['[', '<', '(', '|'])
        || bare.bytes().all(|byte| byte.is_ascii_uppercase());
    if marked { LogLevel::parse(bare) } else { None }
}

/// The time at the beginning of a text, in one word or two, and what follows it.
fn take_time(text: &str) -> Option<(Wall, &str)> {
    let open = text.starts_with('[');
    let inner = if open { text.get(1..)? } else { text };
    if !inner.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let stop = |c: char| c == ' ' || open && c == ']';
    let one = inner.find(stop).unwrap_or(inner.len());
    let two = inner.get(one + 1..).and_then(|rest| rest.find(stop).map(|at| one + 1 + at)).unwrap_or(inner.len());
    [one, two].into_iter().find_map(|end| {
        let (word, rest) = inner.split_at_checked(end)?;
        let time = written_time(word)?;
        Some((time, rest.strip_prefix(']').unwrap_or(rest).trim_start()))
    })
}

/// RFC 3339, or seconds, milli-, micro- or nanoseconds since 1970. A time without a zone is not known.
fn written_time(word: &str) -> Option<Wall> {
    if word.len() >= 10 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return if word.contains('.') {
            word.parse().ok().and_then(from_seconds)
        } else {
            word.parse().ok().and_then(from_epoch)
        };
    }
    let at: Timestamp = word.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Wall)
}

/// Which unit it is shows in its size.
fn from_epoch(number: i64) -> Option<Wall> {
    let scale = match number {
        100_000_000..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        100_000_000_000_000_000.. => 1,
        _ => return None,
    };
    number.checked_mul(scale).map(Wall)
}

fn from_seconds(seconds: f64) -> Option<Wall> {
    if !(1e8..1e11).contains(&seconds) {
        return None;
    }
    i64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_nanos()).ok().map(Wall)
}

fn json(raw: &[u8]) -> Option<LogLine> {
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
    let mut text = message.unwrap_or_else(|| String::from_utf8_lossy(prefix).trim().to_owned());
    for (key, value) in &fields {
        let gap = if text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _infallible = match value {
            Value::String(word) if is_simple(word) => write!(text, "{gap}{key}={word}"),
            other => write!(text, "{gap}{key}={other}"),
        };
    }
    let behind = String::from_utf8_lossy(behind);
    if !behind.trim().is_empty() {
        text.push(' ');
        text.push_str(behind.trim());
    }
    Some(LogLine { time, level, message: Clean::text(text), marker: false })
}

/// Takes out the first of these keys that can be read; what cannot be read stays a field.
fn take<T>(fields: &mut Map<String, Value>, keys: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let (key, found) = keys.iter().find_map(|key| Some((*key, read(fields.get(*key)?)?)))?;
    fields.shift_remove(key);
    Some(found)
}

fn json_time(value: &Value) -> Option<Wall> {
    match value {
        Value::String(word) => written_time(word),
        Value::Number(number) => number.as_i64().and_then(from_epoch).or_else(|| from_seconds(number.as_f64()?)),
        _ => None,
    }
}

fn is_simple(word: &str) -> bool {
    !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: Wall = Wall(1_795_230_767_000_000_000);

    fn read(format: Format, text: &str) -> (Option<Wall>, Option<LogLevel>, String) {
        let line = format.read(text.as_bytes(), 0);
        (line.time, line.level, line.message.to_string())
    }

    fn is(time: Option<Wall>, level: Option<LogLevel>, message: &str) -> (Option<Wall>, Option<LogLevel>, String) {
        (time, level, message.to_owned())
    }

    #[test]
    fn a_plain_line_gives_its_time_and_level() {
        let plain = |text| read(Format::Plain, text);
        assert_eq!(plain("2026-11-21T03:12:47Z ERROR map full"), is(Some(AT), Some(LogLevel::Error), "map full"));
        assert_eq!(plain("[2026-11-21 03:12:47+00:00] [warn] slow"), is(Some(AT), Some(LogLevel::Warn), "slow"));
        assert_eq!(plain("1795230767000 info: started"), is(Some(AT), Some(LogLevel::Info), "started"));
        assert_eq!(plain("api[7]: ERROR: no"), is(None, Some(LogLevel::Error), "api[7]: ERROR: no"));
        assert_eq!(plain("no error was found"), is(None, None, "no error was found"));
        assert_eq!(plain("2026-11-21 03:12:47 INFO zone unknown").0, None);
        assert_eq!(plain(""), is(None, None, ""));
        assert_eq!(plain("5 INFO"), is(None, Some(LogLevel::Info), "5 INFO"));
    }

    #[test]
    fn a_json_line_keeps_all_its_fields() {
        let json = |text| read(Format::Json, text);
        assert_eq!(
            json(r#"{"timestamp":"2026-11-21T03:12:47Z","level":"WARN","message":"slow","ms":12.5,"route":"/a b"}"#),
            is(Some(AT), Some(LogLevel::Warn), r#"slow ms=12.5 route="/a b""#)
        );
        assert_eq!(json(r#"{"ts":1795230767,"severity":"error","msg":"x"}"#), is(Some(AT), Some(LogLevel::Error), "x"));
        assert_eq!(json(r#"03:12:47 [info] {"event":"tick","n":1} end"#), is(None, None, "tick n=1 end"));
        assert_eq!(json(r#"worker-3 {"n":1}"#), is(None, None, "worker-3 n=1"));
        assert_eq!(json(r#"{"level":30,"time":"noon","msg":"x"}"#), is(None, None, "x level=30 time=noon"));
        assert_eq!(
            json(
                r#"{"timestamp":"2026-11-21T03:12:47Z","level":"INFO","fields":{"message":"up","port":1},"target":"t"}"#
            ),
            is(Some(AT), Some(LogLevel::Info), "up target=t port=1")
        );
        assert_eq!(json("{broken ERROR"), is(None, Some(LogLevel::Error), "{broken ERROR"));
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
        assert!(json(&deep).2.starts_with(r#"{"a":{"a""#));
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_line(raw in prop::collection::vec(any::<u8>(), 0..300), brace in any::<bool>(), more in 0_usize..3) {
            let mut raw = raw;
            if brace { raw.insert(0, b'{'); }
            for (_, format) in Format::NAMES {
                let line = format.read(&raw, more);
                prop_assert!(line.message.as_str().chars().all(|c| !c.is_control()));
            }
        }
    }

    #[test]
    fn no_form_of_a_secret_that_was_read_is_shown_in_a_line() {
        use crate::sys::secret::{Secret, forms_of};
        for n in 0..30 {
            let canary = format!("line-canary/{n}+\"ä\"");
            drop(Secret::new(canary.clone()));
            for form in forms_of(&canary) {
                let plain = format!("2026-11-21T03:12:47Z ERROR sent {form} to x");
                let json = serde_json::json!({ "msg": "sent", "key": form, "list": [form] }).to_string();
                // What is quoted in itself is quoted twice in JSON: nobody writes that by accident.
                let twice = form != canary && form.contains(['\\', '"']);
                for (format, raw) in
                    [(Format::Plain, plain), (Format::Json, json)].into_iter().take(2 - usize::from(twice))
                {
                    let line = format.read(raw.as_bytes(), 0).message.to_string();
                    assert!(!line.contains(&form) && line.contains("<redacted>"), "{form}: {line}");
                }
            }
        }
    }
}
