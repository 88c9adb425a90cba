//! The access log of a web server, common or combined:
//! `10.0.0.1 - ada [21/Nov/2026:03:12:47 +0000] "GET / HTTP/1.1" 200 12 "referer" "agent"`.

use super::parts::Parts;
use super::time::of_access;
use crate::base::LogLevel;

pub(in crate::logs) fn access(text: &str) -> Option<Parts<'_>> {
    let (head, rest) = text.split_once(" [")?;
    let mut words = head.split(' ');
    let (client, _, user) = (words.next()?, words.next()?, words.next()?);
    let plausible =
        client.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'%'));
    if words.next().is_some() || client.is_empty() || !plausible {
        return None;
    }
    let (time, rest) = of_access(rest)?;
    let shown = rest.strip_prefix("] ")?;
    let (request, rest) = in_quotes(shown)?;
    let mut words = rest.trim_start().splitn(3, ' ');
    let (status, bytes, more) = (words.next()?, words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let number: u16 = status.parse().ok().filter(|status| (100..600).contains(status))?;
    let level = match number {
        500.. => LogLevel::Error,
        400.. => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    let mut parts = Parts::words(Some(time), Some(level), request, text).with("client", client).with("user", user);
    parts = parts.with("status", status).with("bytes", bytes);
    if let Some((referer, rest)) = in_quotes(more) {
        parts = parts.with("referer", referer);
        parts = parts.with("agent", in_quotes(rest.trim_start()).map_or("", |(agent, _)| agent));
    }
    parts.shown = format!("{client} {user} {shown}").into();
    Some(parts)
}

/// What stands in the quotes at the beginning, and what follows.
fn in_quotes(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })?;
    Some((inner.get(..end)?, inner.get(end + 1..)?))
}
