//! Secrets of profiles: given as a text, by an environment variable or by a file that only the owner can read.
//! A secret has no way to be shown; what leaves the process goes through [`hide`], which knows each one that was read.

use super::trust::{self, Owners};
use crate::base::{Body, Clean, Fault};
use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

/// Shorter ones are left to the shapes that `base::scrub` knows: they would blank out innocent text.
const SHORTEST: usize = 6;
const HIDDEN: &str = "<redacted>";

/// Every secret that was read, in each form in which it may come back.
static KNOWN: RwLock<Known> = RwLock::new(Known { forms: Vec::new(), finder: None });

struct Known {
    forms: Vec<String>,
    /// Finds all of them in one pass.
    finder: Option<AhoCorasick>,
}

/// A secret's value. Neither `Debug` nor `Display`, and it is never serialised.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A value that was read; from now on [`hide`] knows it.
    pub fn new(value: String) -> Self {
        remember(&value);
        Self(value)
    }

    /// The value, for the one who sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A value in a profile, or where it is kept: `"…"`, `{ env = "NAME" }` or `{ file = "/path" }`.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "write it as \"TEXT\", { env = \"NAME\" } or { file = \"/path\" }")]
pub enum Given {
    /// In the profile itself.
    Text(String),
    /// Elsewhere.
    Kept(Kept),
}

/// Where a value is kept.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The environment variable with this name.
    Env(String),
    /// The file at this path; others may not read it.
    File(PathBuf),
}

impl Given {
    /// Takes one out of a table.
    ///
    /// # Errors
    /// When it is neither a text nor a place of one.
    pub fn take(body: &mut Body, key: &str) -> Result<Option<Self>, Fault> {
        let fault = body.fault_at(key, format!("`{key}` is neither a text nor a place of one."));
        // The reader's own words would tell of our types.
        body.take(key).map_err(|_| fault.hint("Write \"…\", { env = \"NAME\" } or { file = \"/path\" }."))
    }

    /// Reads it now: a file anew each time, so that a changed secret is taken up.
    ///
    /// # Errors
    /// Why it cannot be had; never its value.
    pub fn read(&self) -> Result<Secret, Fault> {
        self.read_from(&|name| std::env::var(name).ok())
    }

    /// The same for a password or a token: one that stands in the open is a secret too.
    ///
    /// # Errors
    /// As [`Given::read`].
    pub fn secret(&self) -> Result<Secret, Fault> {
        self.read().map(|read| Secret::new(read.0))
    }

    /// As [`Given::read`], with another environment.
    ///
    /// # Errors
    /// As [`Given::read`].
    pub fn read_from(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, Fault> {
        match self {
            // What stands in the open is no secret by itself, such as most URLs.
            Self::Text(text) => Ok(Secret(text.clone())),
            Self::Kept(Kept::Env(name)) => env(name)
                .filter(|value| !value.trim().is_empty())
                .map(Secret::new)
                .ok_or_else(|| Fault::new(format!("the environment variable `{name}` is not set."))),
            Self::Kept(Kept::File(path)) => trust::secret(path, Owners::effective()).map(Secret::new),
        }
    }
}

/// The text without any secret that was read, in whatever usual form it stands there.
pub fn hide(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let Some(finder) = &known.finder else { return Cow::Borrowed(text) };
    let mut found = finder.find_iter(text).peekable();
    if found.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for form in found {
        out.push_str(text.get(from..form.start()).unwrap_or_default());
        out.push_str(HIDDEN);
        from = form.end();
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// The same for text that is clean already.
pub fn hide_clean(text: &mut Clean) {
    if let Cow::Owned(hidden) = hide(text.as_str()) {
        *text = Clean::text(hidden);
    }
}

/// True once there is anything to hide.
pub fn any() -> bool {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).finder.is_some()
}

fn remember(value: &str) {
    let value = value.trim();
    if value.len() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.forms.iter().any(|form| form == value) {
        return;
    }
    known.forms.extend(forms_of(value));
    known.forms.sort_unstable();
    known.forms.dedup();
    // Of two that begin at the same place the longer one is meant. A few secrets cannot be too many to be built.
    known.finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&known.forms).ok();
}

/// The forms in which protocols and error texts repeat a value.
pub(crate) fn forms_of(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let hex = super::files::hex(bytes);
    let percent = |all: bool| {
        let kept = |byte: u8| !all && (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        let letter = |byte: &u8| if kept(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
        bytes.iter().map(letter).collect::<String>()
    };
    let inside = |quoted: &str| {
        let text = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        text.unwrap_or(quoted).to_owned()
    };
    let json = |text: &str| inside(&serde_json::Value::from(text).to_string());
    let mut forms = vec![
        value.to_owned(),
        Clean::text(value).as_str().to_owned(),
        hex.to_uppercase(),
        hex,
        percent(false),
        percent(false).to_lowercase(),
        percent(true),
        percent(true).to_lowercase(),
        json(value),
        // JSON in JSON, as a log line quotes a field.
        json(&json(value)),
        inside(&format!("{value:?}")),
        value.chars().rev().collect(),
    ];
    for alphabet in [BASE64, BASE64_URL] {
        // In a longer text a value begins at one of three places of a group.
        forms.extend((0..3).map(|lead| base64(bytes, lead, alphabet)));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// In letters, with their padding: for what a server asks a login for.
pub fn base64_of(bytes: &[u8]) -> String {
    // With zeros to whole groups, so that the last letters are there, which depend on a part of a byte alone.
    let padding = (3 - bytes.len() % 3) % 3;
    let mut letters = base64(&[bytes, [0, 0].get(..padding).unwrap_or_default()].concat(), 0, BASE64);
    letters.truncate(letters.len().saturating_sub(padding));
    letters + "==".get(..padding).unwrap_or_default()
}

/// The letters that depend on `bytes` alone when `lead` unknown bytes stand before them and others may follow.
fn base64(bytes: &[u8], lead: usize, alphabet: &[u8; 64]) -> String {
    let padded: Vec<u8> = core::iter::repeat_n(0, lead).chain(bytes.iter().copied()).collect();
    let letters = padded.chunks(3).flat_map(|group| {
        let at = |place: usize| group.get(place).copied().map_or(0, u32::from);
        let word = (at(0) << 16) | (at(1) << 8) | at(2);
        let whole = if group.len() == 3 { 4 } else { group.len() };
        (0..whole).map(move |place| (word >> (18 - 6 * place)) & 63)
    });
    let skipped = [0, 2, 3].get(lead).copied().unwrap_or(0);
    letters.skip(skipped).filter_map(|letter| alphabet.get(letter as usize).map(|byte| char::from(*byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_encoded_to_its_last_letter() {
        for (text, letters) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64_of(text.as_bytes()), letters, "RFC 4648");
        }
    }

    #[test]
    fn a_secret_that_was_read_is_hidden_in_every_usual_form() {
        let secret = Secret::new("s3cret/\"värde\"+7".to_owned());
        assert_eq!(secret.reveal(), "s3cret/\"värde\"+7");
        let base64 = "AAczY3JldA"; // another value's letters stay
        for text in [
            "x s3cret/\"värde\"+7 y".to_owned(),
            format!("x {:?} y", secret.reveal()),
            format!("{}", serde_json::json!({ "k": secret.reveal() })),
            "x s3cret%2F%22v%C3%A4rde%22%2B7 y".to_owned(),
            super::super::files::hex(secret.reveal().as_bytes()),
        ] {
            let hidden = hide(&text);
            assert!(hidden.contains(HIDDEN) && !hidden.contains("rde"), "{text}: {hidden}");
        }
        assert_eq!(hide(base64), base64);
        for lead in ["", "a", "ab", "user:"] {
            let text = format!("{lead}{}", secret.reveal());
            let padded = text.len().div_ceil(3) * 3;
            let mut bytes = text.into_bytes();
            bytes.resize(padded, b'!');
            for alphabet in [BASE64, BASE64_URL] {
                let shown = super::base64(&bytes, 0, alphabet);
                assert!(hide(&shown).contains(HIDDEN), "{shown}");
            }
        }
    }

    #[test]
    fn a_short_one_blanks_nothing_out() {
        let _short = Secret::new("on".to_owned());
        assert_eq!(hide("the console"), "the console");
    }
}
