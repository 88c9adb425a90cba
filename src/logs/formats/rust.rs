//! Rust: tracing's `TIME LEVEL span{a=1}: target: message key=value` and env_logger's `[TIME LEVEL target] message`.

use super::level::first_word;
use super::pairs::Pairs;
use super::parts::Parts;
use super::time::dated;
use crate::base::LogLevel;

pub(in crate::logs) fn rust(text: &str) -> Option<Parts<'_>> {
    let (head, message) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']').map(|(head, message)| (head, Some(message.trim_start())))?,
        None => (text, None),
    };
    let (time, rest) = dated(head)?;
    let (word, rest) = first_word(rest)?;
    let level = LogLevel::parse(word).filter(|_| word.bytes().all(|byte| byte.is_ascii_uppercase()))?;
    if let Some(message) = message {
        let mut parts = Parts::words(Some(time), Some(level), message, message).with("target", rest);
        if !rest.is_empty() {
            parts.shown = format!("{rest}: {message}").into();
        }
        return Some(parts);
    }
    let (target, message) = rest.split_once(": ")?;
    if time.zone != Some(0) || target.contains(' ') && !target.contains('{') {
        return None;
    }
    let mut parts = Parts::words(Some(time), Some(level), message, rest).with("target", target);
    parts.fields.extend(Pairs::new(message).map(|(name, value)| (name.into(), value)));
    Some(parts)
}
