//! What a process was started with: the names of its environment, values where the profile asks for them, whether they
//! are as they should be and as a file of assignments says, and its command line. Values go nowhere else.

use super::tell::Tell;
use super::texts::strings;
use super::{Absent, read};
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Clean, Observation};
use crate::clean;
use crate::samplers::documents::assigned;
use crate::samplers::look::look;
use crate::samplers::pick::{plain_number, shown};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Names of an environment that are told.
const NAMES: usize = 128;
/// Assignments of a file that are compared.
const ASSIGNED: usize = 64;

/// What the profile asks of an environment.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Names whose values are told.
    pub(crate) show: Vec<String>,
    /// What should be so; an empty text also stands for a name that is not there.
    pub(crate) expect: BTreeMap<String, String>,
    /// A .env or .envrc file that the process should have been started with.
    pub(crate) file: Option<PathBuf>,
}

/// What a look at it told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) facts: Vec<(Clean, Clean)>,
    /// Metric, name of the variable, and whether it is another than it should be.
    pub(super) other: Vec<(&'static str, String, bool)>,
    /// Variables whose values are told, and whether they have one.
    set: Vec<(String, bool)>,
    /// Those of them that are numbers.
    numbers: Vec<(String, f64)>,
    /// No numbers, but what there are none of.
    pub(super) missing: Observation,
}

pub(super) const UNEXPECTED: &str = "process_env_unexpected";
pub(super) const DIFFERS: &str = "process_env_differs";
const VALUE: &str = "process_env_value";
const SET: &str = "process_env_set";

impl Asked {
    /// Looks at one process below this root.
    pub(super) fn look(&self, root: &Path, pid: u32) -> Told {
        let mut told = Told::default();
        let folder = root.join(format!("proc/{pid}"));
        let command = read(&folder.join("cmdline")).ok().map(|raw| command(&raw)).filter(|text| !text.is_empty());
        told.facts.extend(command.map(|text| (Clean::from("command line"), shown(&text))));
        match read(&folder.join("environ")) {
            Ok(raw) => self.compare(&raw, &mut told),
            Err(error) => {
                let why = Absent::from(error);
                told.facts.push((Clean::from("environment"), why.why()));
                let shows = [VALUE, SET].map(|name| (name, !self.show.is_empty()));
                let asked = [(UNEXPECTED, !self.expect.is_empty()), (DIFFERS, self.file.is_some())];
                let asked = asked.into_iter().chain(shows);
                let asked = asked.filter(|(_, asked)| *asked);
                asked.for_each(|(name, _)| why.tell(&[name], &mut told.missing));
            }
        }
        told
    }

    fn compare(&self, raw: &[u8], told: &mut Told) {
        let split = |entry: &[u8]| {
            let entry = String::from_utf8_lossy(entry).into_owned();
            entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let entries: Vec<(String, String)> = strings(raw).filter_map(split).collect();
        let value = |name: &str| entries.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        told.facts.push((Clean::from("environment"), names(&entries)));
        for name in &self.show {
            let is = value(name);
            told.set.push((name.clone(), is.is_some_and(|is| !is.is_empty())));
            let number = is.and_then(|is| plain_number(is.as_bytes()));
            told.numbers.extend(number.map(|number| (name.clone(), number)));
            let shown = is.map_or_else(|| Clean::from("not set"), |is| Clean::text(scrub(is)));
            told.facts.push((clean!("{name}"), shown));
        }
        let mut wrong = Vec::new();
        for (name, expected) in &self.expect {
            let is = value(name);
            let other = is.unwrap_or_default() != expected;
            told.other.push((UNEXPECTED, name.clone(), other));
            if other {
                wrong.push(self.told(name, ("should be", expected), ("is", is)));
            }
        }
        told.facts.extend((!wrong.is_empty()).then(|| (Clean::from("unexpected"), shown(&wrong.join("; ")))));
        if let Some(file) = &self.file {
            self.compare_file(file, &value, told);
        }
    }

    fn compare_file<'a>(&self, file: &Path, value: &dyn Fn(&str) -> Option<&'a str>, told: &mut Told) {
        let text = match text_of(file) {
            Ok(text) => text,
            Err((refused, why)) => {
                let why = clean!("{} {why}", file.display());
                if refused {
                    told.missing.refuse(&[DIFFERS], &why);
                } else {
                    told.missing.not_supported.push((Clean::from(DIFFERS), why));
                }
                return;
            }
        };
        // Of a name that comes twice, the later one counts.
        let all: BTreeMap<&str, _> = assigned(&text).map(|one| (one.name, (one.value, one.computed))).collect();
        let (mut differs, mut open) = (Vec::new(), Vec::new());
        for (name, (wanted, computed)) in all.iter().take(ASSIGNED) {
            if *computed {
                open.push(*name);
                continue;
            }
            let is = value(name);
            let other = is.unwrap_or_default() != wanted;
            told.other.push((DIFFERS, (*name).to_owned(), other));
            if other {
                differs.push(self.told(name, ("file", wanted), ("process", is)));
            }
        }
        told.facts.extend((!differs.is_empty()).then(|| (Clean::from("differs"), shown(&differs.join("; ")))));
        let more = all.len().saturating_sub(ASSIGNED);
        if more > 0 {
            told.facts.push((Clean::from("not compared"), clean!("{more} names beyond {ASSIGNED}")));
        }
        if !open.is_empty() {
            let what = format!("{}: only a shell can tell", open.join(" "));
            told.facts.push((Clean::from("not compared"), shown(&what)));
        }
    }

    /// A name, and both values where the profile shows them.
    fn told(&self, name: &str, (wants, wanted): (&str, &str), (has, is): (&str, Option<&str>)) -> String {
        if !self.show.iter().any(|known| known == name) {
            return name.to_owned();
        }
        let quoted = |value: &str| if value.is_empty() { "empty".to_owned() } else { scrub(value) };
        format!("{name} {wants} {}, {has} {}", quoted(wanted), is.map_or_else(|| "not set".to_owned(), quoted))
    }
}

impl Tell<'_> {
    /// Whether variables are as they should be.
    pub(super) fn environment(&mut self, told: &Told) {
        for (metric, name, other) in &told.other {
            self.gauge(metric, &[("name", name)], f64::from(u8::from(*other)));
        }
        for (name, set) in &told.set {
            self.gauge(SET, &[("name", name)], f64::from(u8::from(*set)));
        }
        for (name, number) in &told.numbers {
            self.gauge(VALUE, &[("name", name)], *number);
        }
        self.seen.lack_too(&told.missing);
    }
}

fn names(entries: &[(String, String)]) -> Clean {
    let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    let told = names.join(" ");
    if more > 0 { clean!("{told} and {more} more") } else { clean!("{told}") }
}

/// The file's text, or whether this login may not read it and why there is none. A link is not followed.
fn text_of(file: &Path) -> Result<String, (bool, String)> {
    let looked = look(file, true, None).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => (false, "does not exist".to_owned()),
        io::ErrorKind::PermissionDenied => (true, "is not for this login to read".to_owned()),
        _ => (false, format!("cannot be read: {error}")),
    })?;
    let content = looked.content.ok_or_else(|| (false, "is no regular file".to_owned()))?;
    if content.tail.is_some() {
        return Err((false, "is larger than 1 MiB".to_owned()));
    }
    Ok(String::from_utf8_lossy(&content.head).into_owned())
}

/// The command line without what looks like a secret: the value of such a name, joined or as the next word.
fn command(raw: &[u8]) -> String {
    let mut hide_next = false;
    let mut words = Vec::new();
    for word in strings(raw) {
        let word = String::from_utf8_lossy(word).into_owned();
        if core::mem::take(&mut hide_next) && !word.starts_with('-') {
            words.push("<redacted>".to_owned());
            continue;
        }
        match word.split_once('=') {
            Some((name, _)) if is_secret_name(name) && !name.contains(char::is_whitespace) => {
                words.push(format!("{name}=<redacted>"));
            }
            None => {
                hide_next = word.starts_with('-') && is_secret_name(&word);
                words.push(scrub(&word));
            }
            Some(_) => words.push(scrub(&word)),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_told_without_its_secrets() {
        for (raw, told) in [
            ("julia\0--project=Planar\0-e\0using Planar\0", "julia --project=Planar -e using Planar"),
            ("x\0--api-key\0hunter2\0--verbose\0", "x --api-key <redacted> --verbose"),
            ("x\0--token=hunter2\0DB_PASSWORD=hunter2\0", "x --token=<redacted> DB_PASSWORD=<redacted>"),
            ("x\0http://me:hunter2@db/y\0--auth\0-v\0", "x http://<redacted>@db/y --auth -v"),
            ("nginx: master process /usr/sbin/nginx\0\0\0", "nginx: master process /usr/sbin/nginx"),
            ("", ""),
        ] {
            assert_eq!(command(raw.as_bytes()), told);
        }
    }
}
