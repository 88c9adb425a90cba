//! Levels as people write them.

use crate::base::LogLevel;

/// `ERROR`, `[error]`, `<warn>`, `error:`, `level=error`; not the word in a sentence.
pub(super) fn level_word(word: &str) -> Option<LogLevel> {
    let named = word.strip_prefix("level=").or_else(|| word.strip_prefix("severity="));
    let bare = named.unwrap_or(word).trim_matches(|c: char| c.is_ascii_punctuation());
    let marked = named.is_some()
        || word.ends_with(':')
        || word.starts_with(['[', '<', '(', '|'])
        || bare.bytes().all(|byte| byte.is_ascii_uppercase());
    if marked { LogLevel::parse(bare) } else { None }
}

/// The severity of syslog, 0 to 7.
pub(in crate::logs) fn of_syslog(severity: u32) -> LogLevel {
    match severity {
        0..=3 => LogLevel::Error,
        4 => LogLevel::Warn,
        5 | 6 => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// The first word and what follows it.
pub(super) fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(' ').unwrap_or(text.len());
    text.split_at_checked(end).map(|(word, rest)| (word, rest.trim_start())).filter(|(word, _)| !word.is_empty())
}
