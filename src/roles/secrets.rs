//! What is secret in a profile and in the environment, so that it can be taken out of what leaves the host: the values
//! themselves in every form in which they may come back, beside the shapes that `base::scrub` knows.

use crate::base::Clean;
use crate::base::scrub::{is_secret_name, scrub};
use crate::config::Profile;
use crate::incident::plain::ascii;
use crate::sys::files;
use crate::sys::secret::{Given, Kept, Secret, hide};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use toml::Value;

/// Of a file of the profile no more is read.
const LARGEST: u64 = 1024 * 1024;
const HIDDEN: &str = "<redacted>";

/// Values too short for [`hide`]: they are taken out where they stand in quotes.
static SHORT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Learns what is secret: variables with telling names, and all that a profile's files keep or point to.
pub(super) fn spared(profile: Option<&Profile>) {
    for (name, value) in std::env::vars() {
        if is_secret_name(&name) {
            learn(&value);
        }
        userinfo(&value);
    }
    for source in profile.into_iter().flat_map(|profile| &profile.sources) {
        let path = Path::new(source.file.as_str());
        let text = files::read(path, LARGEST).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(Ok(table)) = text.map(|text| text.parse::<toml::Table>()) {
            walk("", &Value::Table(table));
        }
    }
}

/// Text for a file that leaves the host: what is known to be secret is taken out, the rest is plain ASCII lines.
pub(super) fn redacted(text: &str) -> String {
    let mut text = hide(text).into_owned();
    for short in SHORT.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        for quote in ['"', '\''] {
            text = text.replace(&format!("{quote}{short}{quote}"), &format!("{quote}{HIDDEN}{quote}"));
        }
    }
    let line = |line: &str| hide(&ascii(Clean::text(scrub(line)).as_str())).into_owned();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn learn(value: &str) {
    let value = value.trim();
    if value.is_empty() {
        return;
    }
    SHORT.lock().unwrap_or_else(PoisonError::into_inner).insert(value.to_owned());
    // `Bearer …`, several lines: each part is secret too.
    for part in core::iter::once(value).chain(value.split_whitespace()) {
        drop(Secret::new(part.to_owned()));
    }
}

/// Learns a value under its key, and what lies below it.
fn walk(key: &str, value: &Value) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                match (name.as_str(), value) {
                    ("env", Value::String(of)) => kept(&Kept::Env(of.clone())),
                    ("file", Value::String(of)) if is_secret_name(key) => kept(&Kept::File(PathBuf::from(of))),
                    _ => walk(name, value),
                }
            }
        }
        Value::Array(rows) => {
            for (at, row) in rows.iter().enumerate() {
                walk(key, row);
                // A program's `--token`, and after it the token.
                let before = at.checked_sub(1).and_then(|at| rows.get(at)?.as_str());
                if let (Some(before), Some(text)) = (before, row.as_str())
                    && before.starts_with('-')
                    && is_secret_name(before)
                {
                    learn(text);
                }
            }
        }
        Value::String(text) => {
            if is_secret_name(key) {
                learn(text);
            }
            if let Some((name, value)) = text.split_once(['=', ':'])
                && is_secret_name(name)
                && !value.starts_with("//")
            {
                learn(value);
            }
            userinfo(text);
        }
        _ => {}
    }
}

fn kept(kept: &Kept) {
    if let Ok(secret) = Given::Kept(kept.clone()).read() {
        learn(secret.reveal());
    }
}

/// The password in an address.
fn userinfo(text: &str) {
    for rest in text.split("://").skip(1) {
        let end = rest.find(|c: char| c == '/' || c == '?' || c == '#' || c.is_whitespace()).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        if let Some((_, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
            learn(password);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_under_telling_names_in_arguments_and_addresses_are_learned() {
        let text = r#"
            [samplers.a]
            url = "http://user:canary-one-77@db/x"
            headers = { Authorization = "Bearer canary-two-77" }
            password = "abc"
            command = ["prog", "--token", "canary-three-77", "X-Api-Key: canary-four-77"]
            "#;
        walk("", &Value::Table(text.parse().expect("TOML")));
        let told = redacted("canary-one-77 canary-two-77 canary-three-77\nx canary-four-77 y\npassword = \"abc\" abc");
        assert!(!told.contains("canary") && !told.contains("\"abc\""), "{told}");
        assert_eq!(told.lines().count(), 3);
    }
}
