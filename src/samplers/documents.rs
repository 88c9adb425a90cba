//! Texts with named values from strangers, as one kind of value whatever their format: JSON, TOML, .env and INI. What
//! cannot be read is told by its place, without any of its text. Pure.

use crate::samplers::json;
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

/// How a text is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Json,
    Toml,
    /// `NAME=value` and `export NAME=value` lines; of a script, what else it does is passed over.
    Env,
    /// `[section]`, and `name = value` or `name: value` in it.
    Ini,
}

/// One assignment of a .env file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assigned<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: String,
    /// A shell would put something else there: `$HOME`, `$(date)`.
    pub(crate) computed: bool,
}

impl Format {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Env => "env",
            Self::Ini => "ini",
        }
    }

    /// Reads a text; the error is a phrase without any of it.
    pub(crate) fn read(self, text: &[u8]) -> Result<Value, String> {
        if self == Self::Json {
            return json::parse(text);
        }
        let text = core::str::from_utf8(text).map_err(|error| {
            let line = text.get(..error.valid_up_to()).unwrap_or_default().split(|byte| *byte == b'\n').count();
            format!("not UTF-8 (line {line})")
        })?;
        match self {
            Self::Toml => toml(text),
            Self::Env => Ok(env(text)),
            Self::Json | Self::Ini => ini(text),
        }
    }
}

fn toml(text: &str) -> Result<Value, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        // What the parser says is its own words, never the text's.
        let said = error.message().trim_end_matches('.');
        format!("not TOML ({said} at line {} column {column})", before.matches('\n').count() + 1)
    })?;
    Ok(table_of(table.get_ref()))
}

fn table_of(table: &DeTable<'_>) -> Value {
    Value::Object(table.iter().map(|(name, value)| (name.get_ref().to_string(), value_of(value.get_ref()))).collect())
}

fn value_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(rows) => rows.iter().map(|row| value_of(row.get_ref())).collect(),
        DeValue::Table(table) => table_of(table),
    }
}

fn env(text: &str) -> Value {
    Value::Object(assigned(text).map(|one| (one.name.to_owned(), Value::from(one.value))).collect())
}

/// The assignments of a .env file, in its order; of a name that comes twice, the later one counts.
pub(crate) fn assigned(text: &str) -> impl Iterator<Item = Assigned<'_>> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, rest) = line.split_once('=')?;
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        let (value, single) = unquoted(rest);
        let computed = !single && value.contains(['$', '`']);
        Some(Assigned { name, value, computed })
    })
}

/// What stands right of the sign, without quotes and comment; whether in single quotes.
fn unquoted(rest: &str) -> (String, bool) {
    for quote in ['"', '\''] {
        let inner = rest.strip_prefix(quote).and_then(|inner| Some(inner.split_at_checked(inner.find(quote)?)?.0));
        if let Some(inner) = inner {
            return (inner.to_owned(), quote == '\'');
        }
    }
    let comment = [" #", "\t#"].iter().filter_map(|mark| rest.find(mark)).min();
    (rest.get(..comment.unwrap_or(rest.len())).unwrap_or(rest).trim().to_owned(), false)
}

/// Without a section, names stand at the top.
fn ini(text: &str) -> Result<Value, String> {
    let mut all = Map::new();
    let mut section: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        // A line that begins with a blank goes on with the value before it.
        if line.starts_with([' ', '\t']) || line.trim().is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')) {
            all.entry(title.trim()).or_insert_with(|| Value::Object(Map::new()));
            section = Some(title.trim().to_owned());
            continue;
        }
        let at = line.find(['=', ':']).filter(|at| *at > 0);
        let Some((name, value)) = at.and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?))) else {
            return Err(format!("not INI (neither a section nor name = value at line {})", number + 1));
        };
        let (value, _) = unquoted(value.trim());
        let place = match &section {
            Some(section) => all.get_mut(section).and_then(Value::as_object_mut),
            None => Some(&mut all),
        };
        if let Some(place) = place {
            place.insert(name.trim().to_owned(), Value::from(value));
        }
    }
    Ok(Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "hunter2hunter2";

    #[test]
    fn every_format_says_the_same_by_pointer() {
        for (format, text, port) in [
            (Format::Json, r#"{"db": {"host": "h", "port": 5}}"#, Value::from(5)),
            (Format::Toml, "[db] # c\nhost = 'h'\nport = 0x5\n", Value::from(5)),
            (Format::Ini, "; c\n[db]\nhost: h\nport = 5\n go on\n", Value::from("5")),
        ] {
            let document = format.read(text.as_bytes()).expect("reads");
            assert_eq!(document.pointer("/db/host"), Some(&Value::from("h")), "{format:?}");
            assert_eq!(document.pointer("/db/port"), Some(&port), "{format:?}");
        }
        let document = Format::Toml.read(b"a = [1.5, 2020-01-01, true]\n[[b]]\nc = nan\n").expect("reads");
        assert_eq!(document, serde_json::json!({ "a": [1.5, "2020-01-01", true], "b": [{ "c": null }] }));
    }

    #[test]
    fn assignments_are_read_as_a_shell_would() {
        let text = "# c\nexport A=1\n  B='x $y' # c\nC=\"a b\"\nD=plain # c\nE=$HOME/x\nF=\nPATH_add bin\nif [ $x == 1 ]\n\
                    use flake=1\nA=2";
        let found: Vec<_> = assigned(text).map(|one| (one.name, one.value, one.computed)).collect();
        let expected = [
            ("A", "1", false),
            ("B", "x $y", false),
            ("C", "a b", false),
            ("D", "plain", false),
            ("E", "$HOME/x", true),
            ("F", "", false),
            ("A", "2", false),
        ];
        assert_eq!(found, expected.map(|(name, value, computed)| (name, value.to_owned(), computed)));
        assert_eq!(Format::Env.read(text.as_bytes()).expect("reads").pointer("/A"), Some(&Value::from("2")));
    }

    #[test]
    fn what_cannot_be_read_says_where_and_quotes_nothing() {
        let cut = format!("ok = 1\nkey = \"{SECRET}\n");
        let twice = format!("key = 1\n[a]\nb = 1\n[a]\nc = \"{SECRET}\"");
        for (format, text, what) in [
            (Format::Toml, cut.as_str(), "not TOML (invalid basic string, expected `\"` at line 2 column 22)"),
            (Format::Toml, twice.as_str(), "not TOML (duplicate key at line 4 column 2)"),
            (Format::Ini, "[a]\nb = 1\nhunter2", "not INI (neither a section nor name = value at line 3)"),
        ] {
            assert_eq!(format.read(text.as_bytes()), Err(what.to_owned()));
        }
        assert_eq!(Format::Toml.read(b"a = 1\nb = \"\xff\""), Err("not UTF-8 (line 2)".to_owned()));
        assert!(Format::Toml.read(format!("a = {}", "[".repeat(100_000)).as_bytes()).is_err());
        let deep = format!("a{} = 1", ".a".repeat(100_000));
        assert!(Format::Toml.read(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn broken_text_never_comes_back(text in "[a-z=\\[\\]{}\"'.,0-9\n#: -]{0,60}", at in 0_usize..60) {
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            let text = format!("{}{SECRET}{}", text.get(..at).unwrap_or(""), text.get(at..).unwrap_or(""));
            for format in [Format::Toml, Format::Ini, Format::Env, Format::Json] {
                if let Err(what) = format.read(text.as_bytes()) {
                    prop_assert!(!what.contains("hunter2"), "{}", what);
                }
            }
        }
    }
}
