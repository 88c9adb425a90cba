//! syslog in its three shapes: RFC 5424, RFC 3164, and the files that rsyslog writes of either.

use super::level::{first_word, level_word, of_syslog as level_of};
use super::parts::Parts;
use super::time::{dated, of_syslog};
use crate::base::LogLevel;

/// Longest name of a host or program that is taken for one.
const NAME: usize = 255;

pub(in crate::logs) fn syslog(text: &str) -> Option<Parts<'_>> {
    let (level, rest) = match text.strip_prefix('<') {
        Some(rest) => {
            let (number, rest) = rest.split_once('>')?;
            let number: u32 = number.parse().ok().filter(|number| *number < 192)?;
            (Some(level_of(number % 8)), rest)
        }
        None => (None, text),
    };
    if level.is_some()
        && let Some(rest) = rest.strip_prefix("1 ")
    {
        return modern(level, rest);
    }
    let (time, rest) = of_syslog(rest).or_else(|| dated(rest).filter(|(time, _)| time.zone.is_some()))?;
    let (host, rest) = first_word(rest.strip_prefix(' ')?)?;
    let (tag, message) = rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
    let (app, pid) = tag.split_once('[').map_or((tag, ""), |(app, pid)| (app, pid.trim_end_matches(']')));
    let named = |name: &str| !name.is_empty() && name.len() <= NAME && !name.contains([' ', '=', '"']);
    if !named(app) || !named(host) || host.ends_with(':') || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A level in place of a host: another format.
    if level_word(host).is_some() {
        return None;
    }
    let level = level.or_else(|| first_words(message));
    Some(Parts::words(Some(time), level, message, rest).with("host", host).with("app", app).with("pid", pid))
}

fn first_words(message: &str) -> Option<LogLevel> {
    message.split_whitespace().take(3).find_map(level_word)
}

/// `TIME HOST APP PID ID [DATA] MESSAGE`; `-` stands for nothing.
fn modern(level: Option<LogLevel>, text: &str) -> Option<Parts<'_>> {
    let (time, rest) = match text.strip_prefix("- ") {
        Some(rest) => (None, rest),
        None => dated(text).and_then(|(time, rest)| Some((Some(time), rest.strip_prefix(' ')?)))?,
    };
    let mut words = rest.splitn(5, ' ');
    let (host, app, pid, id) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let rest = words.next().unwrap_or_default();
    let (data, message) = match rest.strip_prefix('-') {
        Some(message) => ("", message),
        None => structured(rest)?,
    };
    let message = message.trim_start().trim_start_matches("<U+FEFF>");
    let mut parts = Parts::words(time, level, message, message);
    parts = parts.with("host", host).with("app", app).with("pid", pid).with("id", id).with("data", data);
    let name = if app == "-" { String::new() } else { app.to_owned() + if pid == "-" { ": " } else { "" } };
    let pid = if pid == "-" { String::new() } else { format!("[{pid}]: ") };
    let data = if data.is_empty() { String::new() } else { format!(" {data}") };
    parts.shown = format!("{name}{pid}{message}{data}").into();
    Some(parts)
}

/// One or more `[id name="value"]`, and what follows.
fn structured(text: &str) -> Option<(&str, &str)> {
    let (mut within, mut quoted, mut escaped) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if within => quoted = !quoted,
            b'[' if !quoted && !within => within = true,
            b']' if !quoted && within => within = false,
            b' ' if !within => return text.split_at_checked(at),
            _ if !within => return None,
            _ => {}
        }
    }
    (!within && !text.is_empty()).then_some((text, ""))
}
