//! `key=value` pairs within a text: as logfmt and Rust's tracing write them, and as we show the fields of JSON.

use crate::base::LogLine;
use std::borrow::Cow;

/// The pairs of a text, in their order; other words are passed over. A value is a word, a text in quotes, or a JSON
/// object or list.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a str,
    /// False once a word was no pair.
    pub(super) only: bool,
}

impl<'a> Pairs<'a> {
    /// Of this text.
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, only: true }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return None;
            }
            let end = self.rest.find([' ', '=', '"']).unwrap_or(self.rest.len());
            let (name, after) = self.rest.split_at_checked(end)?;
            if let Some(value) = after.strip_prefix('=')
                && is_name(name)
            {
                let (value, rest) = value_of(value);
                self.rest = rest;
                return Some((name, value));
            }
            self.only = false;
            // A quote or a lone `=` is passed by itself, a word whole.
            let step = self.rest.find(' ').unwrap_or(self.rest.len());
            self.rest = self.rest.get(step.max(1)..).unwrap_or_default();
        }
    }
}

/// A field of a line by its name, among those that it shows. The last part of a dotted name is enough, and so is a
/// name whose last part it is: some loggers put everything one deeper.
pub fn field<'a>(line: &'a LogLine, name: &str) -> Option<Cow<'a, str>> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted = last(name);
    let mut near = None;
    for (known, value) in Pairs::new(line.message.as_str()) {
        if known == name {
            return Some(value);
        }
        if near.is_none() && last(known) == wanted && (known.len() == wanted.len() || name.len() == wanted.len()) {
            near = Some(value);
        }
    }
    near
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '@'))
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '@'))
}

/// A value at the beginning of a text, and what follows it.
fn value_of(text: &str) -> (Cow<'_, str>, &str) {
    if let Some(inner) = text.strip_prefix('"') {
        return quoted(text, inner);
    }
    let end = match text.as_bytes().first() {
        Some(b'{' | b'[') => nested(text),
        _ => text
            .find([' ', ','])
            .filter(|at| !text.get(*at..).is_some_and(|rest| rest.starts_with(',') && !rest.starts_with(", "))),
    };
    let end = end.unwrap_or_else(|| text.find(' ').unwrap_or(text.len()));
    let (value, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (value.into(), rest.strip_prefix(',').unwrap_or(rest))
}

fn quoted<'a>(text: &'a str, inner: &'a str) -> (Cow<'a, str>, &'a str) {
    let mut escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                let body = inner.get(..at).unwrap_or_default();
                let rest = inner.get(at + 1..).unwrap_or_default();
                let value = if body.contains('\\') {
                    let whole = text.get(..at + 2).unwrap_or_default();
                    serde_json::from_str::<String>(whole).map_or_else(|_| body.into(), Cow::Owned)
                } else {
                    body.into()
                };
                return (value, rest.strip_prefix(',').unwrap_or(rest));
            }
            _ => {}
        }
    }
    // Never closed: the rest of the line.
    (inner.into(), "")
}

/// The end of a JSON object or list.
fn nested(text: &str) -> Option<usize> {
    let (mut depth, mut within, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            b'{' | b'[' if !within => depth += 1,
            b'}' | b']' if !within => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Pairs::new(text).map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
    }

    fn named(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn pairs_are_found_among_words() {
        assert_eq!(
            pairs("slow ms=12.5 route=\"/a b\" n=1, end"),
            named(&[("ms", "12.5"), ("route", "/a b"), ("n", "1")])
        );
        assert_eq!(
            pairs(r#"a={"b":"x y}","c":[1]} d="q\"t""#),
            named(&[("a", r#"{"b":"x y}","c":[1]}"#), ("d", "q\"t")])
        );
        assert_eq!(pairs("1+1=2 a== == \"x=1\" é=ü"), named(&[("a", "="), ("é", "ü")]));
    }

    #[test]
    fn a_field_is_found_one_deeper_or_one_higher() {
        let line = |text: &str| LogLine { time: None, level: None, message: Clean::text(text), marker: false };
        let of = |text, name| field(&line(text), name).map(Cow::into_owned);
        assert_eq!(of("x ns=7", "fields.ns"), Some("7".to_owned()));
        assert_eq!(of("x fields.ns=7", "ns"), Some("7".to_owned()));
        assert_eq!(of("x a.ns=7", "b.ns"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_pairs(text in "[a-z=\"\\\\{}\\[\\], é]{0,60}") {
            let found = pairs(&text);
            prop_assert!(found.len() <= text.len());
        }
    }
}
