//! nginx's error log: `2026/11/21 03:12:47 [error] 123#45: *6 message, client: 10.0.0.1, server: web`.

use super::parts::Parts;
use super::time::dated;
use crate::base::LogLevel;

const FIELDS: [&str; 6] = ["client", "server", "request", "upstream", "host", "referrer"];

pub(in crate::logs) fn server(text: &str) -> Option<Parts<'_>> {
    let (time, rest) = dated(text)?;
    let (word, rest) = rest.strip_prefix(" [")?.split_once("] ")?;
    let level = match word {
        "emerg" | "alert" | "crit" => LogLevel::Error,
        word => LogLevel::parse(word)?,
    };
    let (worker, message) = rest.split_once(": ")?;
    let (pid, thread) = worker.split_once('#')?;
    if !pid.bytes().chain(thread.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut parts = Parts::words(Some(time), Some(level), message, rest).with("pid", pid);
    for name in FIELDS {
        let found = message.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix(": "));
        parts = parts.with(name, found.unwrap_or_default().trim_matches('"'));
    }
    Some(parts)
}
