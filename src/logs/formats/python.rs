//! Python's logging: `TIME - name - LEVEL - message`, `LEVEL:name:message`, `[TIME] LEVEL in module: message`.

use super::level::first_word;
use super::parts::Parts;
use super::time::take_time;
use crate::base::LogLevel;

pub(in crate::logs) fn python(text: &str) -> Option<Parts<'_>> {
    let Some((time, rest)) = take_time(text) else {
        let (word, rest) = text.split_once(':')?;
        let (name, message) = rest.split_once(':')?;
        let level = shout(word)?;
        let is_name = !name.is_empty() && !name.contains(' ');
        return is_name.then(|| Parts::words(None, Some(level), message, rest).with("logger", name));
    };
    if let Some(rest) = rest.strip_prefix("- ") {
        let (name, rest) = rest.split_once(" - ")?;
        let (word, message) = rest.split_once(" - ")?;
        // Some write the level before the name.
        let (level, name) = match (shout(word), shout(name)) {
            (Some(level), _) => (level, name),
            (None, Some(level)) => (level, word),
            (None, None) => return None,
        };
        let mut parts = Parts::words(Some(time), Some(level), message, message).with("logger", name.trim());
        parts.shown = format!("{}: {message}", name.trim()).into();
        return Some(parts);
    }
    let (word, rest) = first_word(rest)?;
    let (module, message) = rest.strip_prefix("in ")?.split_once(": ")?;
    Some(Parts::words(Some(time), Some(shout(word)?), message, rest).with("module", module))
}

fn shout(word: &str) -> Option<LogLevel> {
    let word = word.trim();
    LogLevel::parse(word).filter(|_| word.bytes().all(|byte| byte.is_ascii_uppercase()))
}
