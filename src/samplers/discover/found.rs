//! What discovery gives: things found, in words and with the table that would watch them. Pure data.

use crate::base::Clean;
use crate::clean;
use core::fmt;
use std::path::{Path, PathBuf};

/// The families of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A graphics device.
    Gpu,
    /// A unit of systemd that has failed.
    Unit,
    /// An LMDB environment that a process maps.
    Lmdb,
    /// A listening TCP port, at the loopback or at any address.
    Port,
    /// A port that answered with metrics when it was asked.
    Metrics,
    /// The socket of an engine that tells of what it runs.
    Socket,
}

impl What {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Unit => "unit",
            Self::Lmdb => "lmdb",
            Self::Port => "port",
            Self::Metrics => "metrics",
            Self::Socket => "socket",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its family.
    pub what: What,
    /// Unique within the family.
    pub name: Clean,
    /// What it is, in one line that begins with its name.
    pub says: Clean,
    /// The table of a profile that would watch it, where there is one.
    pub keep: Option<Keep>,
}

/// The table of a sampler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The sampler's kind.
    pub kind: &'static str,
    /// Its keys, with values as TOML writes them.
    pub keys: Vec<(&'static str, String)>,
    /// Whoever keeps a profile would want it; else it is merely possible.
    pub wanted: bool,
    /// What is to be adjusted, or why it is only possible; may be empty.
    pub why: &'static str,
}

impl Found {
    /// What it is, in one line for a narrow screen: the name, how to keep it, then all else.
    pub(crate) fn brief(&self) -> Clean {
        let (says, name) = (self.says.as_str(), self.name.as_str());
        let named = says.strip_prefix(name).and_then(|rest| Some((name, rest.strip_prefix(", ")?)));
        let (name, about) = named.or_else(|| says.split_once(", ")).unwrap_or((says, ""));
        let keep = self.keep.as_ref().map(|keep| format!(" · keep as {}", keep.kind)).unwrap_or_default();
        clean!("{name}{keep} · {about}")
    }
}

impl Keep {
    /// A table with one text in it. `None` where the text cannot be written into a file of text as it is.
    pub(super) fn text(kind: &'static str, key: &'static str, value: &str) -> Option<Self> {
        let keys = Vec::from([(key, quoted(value)?)]);
        Some(Self { kind, keys, wanted: true, why: "" })
    }

    /// The same for a path.
    pub(super) fn path(kind: &'static str, path: &Path) -> Option<Self> {
        Self::text(kind, "path", path.to_str()?)
    }

    /// Merely possible, since …
    #[must_use]
    pub(super) fn possible(self, why: &'static str) -> Self {
        Self { wanted: false, why, ..self }
    }

    /// With a key more, its value as TOML writes it.
    #[must_use]
    pub(super) fn and(mut self, key: &'static str, value: &str) -> Self {
        self.keys.push((key, value.to_owned()));
        self
    }

    /// To be adjusted.
    #[must_use]
    pub(super) fn adjust(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    /// Every line of the table, without its head.
    pub fn lines(&self) -> Vec<String> {
        let kind = ("kind", format!("\"{}\"", self.kind));
        core::iter::once(&kind).chain(&self.keys).map(|(key, value)| format!("{key} = {value}")).collect()
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join(", "))
    }
}

/// `1 port`, `2 ports`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A text as TOML writes it. Foreign: what is not plain cannot be shown as it is, so it is not written either.
pub fn quoted(text: &str) -> Option<String> {
    (Clean::text(text).as_str() == text).then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Errors in the journal of the last hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// How many.
    pub errors: usize,
    /// There are more than are counted.
    pub more: bool,
    /// Who wrote most of them, and how many.
    pub most: Option<(Clean, usize)>,
}

/// One look.
#[derive(Debug, Default)]
pub struct Seen {
    /// What is here.
    pub found: Vec<Found>,
    /// How many of each family there are, or why that is not known; families that were not looked for are absent.
    pub counts: Vec<(What, Result<usize, Clean>)>,
    /// Errors in the journal, or why they are not known.
    pub journal: Option<Result<Journal, Clean>>,
    /// What should be known beside, by family.
    pub notes: Vec<(What, Clean)>,
    /// LMDB environments that can be read here, with the processes that map them; `None` where processes could not be
    /// looked at.
    pub(crate) lmdb: Option<Vec<(PathBuf, Vec<u32>)>>,
}

impl Seen {
    /// Takes in what was found of a family, or why nothing was.
    pub(super) fn add(&mut self, what: What, found: Result<Vec<Found>, Clean>) {
        self.counts.push((what, found.as_ref().map(Vec::len).map_err(Clean::clone)));
        self.found.extend(found.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_keep_a_thing_is_told_before_what_may_be_cut() {
        let found = |name: &str, says: &str, keep| Found {
            what: What::Port,
            name: Clean::text(name),
            says: Clean::text(says),
            keep,
        };
        let brief = |found: Found| found.brief().to_string();
        let keep = |kind| Keep::text(kind, "path", "/x");
        assert_eq!(
            brief(found("/a, b", "/a, b, mapped by x (1): 7 %", keep("lmdb"))),
            "/a, b · keep as lmdb · mapped by x (1): 7 %"
        );
        assert_eq!(brief(found("0", "GPU 0, Model", keep("gpu"))), "GPU 0 · keep as gpu · Model");
        assert_eq!(brief(found("card1", "card1, AMD: amdgpu", None)), "card1 · AMD: amdgpu");
    }

    #[test]
    fn a_table_is_valid_toml_whatever_the_text() {
        for text in ["/var/lib/x", "a \"b\" \\c", "/µ", "tab\t"] {
            let Some(keep) = Keep::text("file", "path", text) else {
                assert_eq!(text, "tab\t", "only what would not be shown as it is");
                continue;
            };
            let body = crate::base::Body::parse("p.toml", &keep.lines().join("\n")).expect("TOML");
            assert_eq!(body.clone().take::<String>("path"), Ok(Some(text.to_owned())));
        }
        let keep = Keep::text("lmdb", "path", "/x").expect("plain");
        assert_eq!(keep.to_string(), "kind = \"lmdb\", path = \"/x\"");
    }
}
