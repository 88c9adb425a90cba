//! Julia's logger: `[ Info: message`, or a block `┌ Warning: message`, `│   key = value`, `└ @ Module file:12`.

use super::parts::Parts;
use crate::base::LogLevel;

pub(in crate::logs) fn julia(text: &str) -> Option<Parts<'_>> {
    if let Some(rest) = text.strip_prefix("│ ") {
        let parts = Parts::words(None, None, rest, text);
        return Some(match rest.trim().split_once(" = ") {
            Some((name, value)) if is_name(name) => Parts { fields: vec![(name.into(), value.into())], ..parts },
            _ => parts,
        });
    }
    if let Some(place) = text.strip_prefix("└ @ ") {
        return Some(Parts::words(None, None, text, text).with("place", place));
    }
    let rest = text.strip_prefix("┌ ").or_else(|| text.strip_prefix("[ "))?;
    let (word, message) = rest.split_once(": ")?;
    let level = LogLevel::parse(word).filter(|_| word.starts_with(|c: char| c.is_ascii_uppercase()))?;
    Some(Parts::words(None, Some(level), message, text))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '!' | '.'))
}
