//! Values in configuration files, found by their place in the text: a change of one is a change of its bytes and of
//! nothing else, so comments, order, spacing and line ends stay. One file per format. Pure.

pub mod allowed;
pub mod edit;
mod json;
mod lines;
#[cfg(test)]
mod tests;
mod toml_text;
mod variables;
pub mod wanted;

use crate::base::{Clean, Fault};
use core::fmt;
use core::ops::Range;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A plain value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a value is true or false, a number or a text")]
pub enum Scalar {
    /// `true`.
    Bool(bool),
    /// `512`.
    Int(i64),
    /// `0.5`.
    Float(f64),
    /// `"20GB"`.
    Text(String),
}

impl fmt::Display for Scalar {
    /// As it stands in a TOML file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml_text::write(self))
    }
}

impl Scalar {
    /// A text read as a value of the same type as `like`; `None` when it is none.
    fn read(text: &str, like: &Self) -> Option<Self> {
        match like {
            Self::Bool(_) => text.parse().ok().map(Self::Bool),
            Self::Int(_) => text.parse().ok().map(Self::Int),
            Self::Float(_) => text.parse().ok().map(Self::Float),
            Self::Text(_) => Some(Self::Text(text.to_owned())),
        }
    }

    /// As it is, without quotes.
    fn plain(&self) -> String {
        match self {
            Self::Bool(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A format that can be edited in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Keys are dotted paths.
    Toml,
    /// Keys are dotted paths of objects.
    Json,
    /// `NAME=value` lines, as systemd and shells read them.
    Env,
    /// `[section]` and `name = value`; a key is `section.name`.
    Ini,
    /// supervisord's INI, of which single variables of a program are keys: `program:app.environment.NAME`.
    Supervisor,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Its bytes.
    pub range: Range<usize>,
    /// What it is; `None` when it is no plain value of the wanted type.
    pub value: Option<Scalar>,
}

impl Format {
    /// By the ending of the file's name.
    pub fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        match name.rsplit('.').next()? {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            "env" => Some(Self::Env),
            "ini" | "cfg" => Some(Self::Ini),
            _ => None,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Json => "JSON",
            Self::Env => "lines of NAME=value",
            Self::Ini => "INI",
            Self::Supervisor => "supervisord's configuration",
        }
    }

    /// Section and name of a key among lines.
    fn place(self, key: &str) -> (Option<&str>, &str) {
        if self == Self::Env { (None, key) } else { lines::section(key) }
    }

    /// Finds a value; `like` says the type where the format has none. `None` when there is no such key.
    ///
    /// # Errors
    /// What is wrong with the text, placed: it cannot be parsed, or a key stands there twice.
    pub fn find(self, text: &str, key: &str, like: &Scalar, file: &Path) -> Result<Option<Spot>, Fault> {
        match self {
            Self::Toml => toml_text::find(text, key, file),
            Self::Json => json::find(text, key, file),
            Self::Env | Self::Ini => lines::find(text, self.place(key), like, file),
            Self::Supervisor => variables::find(text, key, like, file),
        }
    }

    /// The text with a key that is not there, at the end of its table or section.
    ///
    /// # Errors
    /// It is there, or the place for it cannot be told.
    pub fn add(self, text: &str, key: &str, value: &Scalar, file: &Path) -> Result<String, Fault> {
        let none = |what: &str| Fault::new(format!("`{}` {what}", Clean::text(key))).at(file.to_string_lossy(), 0, 0);
        if self.find(text, key, value, file)?.is_some() {
            return Err(none("is there already."));
        }
        match self {
            Self::Toml => toml_text::add(text, key, value).map_err(none),
            Self::Json => Err(none("cannot be added to JSON here.")),
            Self::Env | Self::Ini => lines::add(text, self.place(key), value),
            Self::Supervisor => variables::add(text, key, value, file),
        }
    }

    /// A value as it is written where `old` stood.
    ///
    /// # Errors
    /// The format cannot hold it.
    pub fn write(self, value: &Scalar, old: &str) -> Result<String, Fault> {
        match self {
            Self::Toml => Ok(toml_text::write(value)),
            Self::Json => Ok(json::write(value)),
            Self::Env | Self::Ini => lines::write(value, old),
            Self::Supervisor => variables::write(value),
        }
    }
}

/// The text with these lines at a byte where a line begins, each ended as the file's lines are.
fn put_in(text: &str, at: usize, lines: &[String]) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let open = if before.is_empty() || before.ends_with('\n') { "" } else { end };
    let lines: String = lines.iter().flat_map(|line| [line.as_str(), end]).collect();
    format!("{before}{open}{lines}{after}")
}

/// Where the line of this byte ends.
fn line_end(text: &str, byte: usize) -> usize {
    let rest = text.get(byte..).and_then(|rest| rest.find('\n'));
    rest.map_or(text.len(), |at| byte.saturating_add(at).saturating_add(1))
}

/// A fault at a byte of the file.
fn at(text: &str, byte: usize, file: &Path, what: &str) -> Fault {
    let before = text.get(..byte).unwrap_or("");
    let line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(0);
    Fault::new(format!("{}.", Clean::text(what.trim_end_matches('.')))).at(file.to_string_lossy(), line, 0)
}
