//! Takes secrets out of text that leaves the process: records, captured output, error sentences.
//! The second wall behind types; it knows shapes, not values.

use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

/// `user:password@` in URLs, `password=…`-like pairs, private keys, tokens of JSON (JWT) and keys of clouds become
/// `<redacted>`.
pub fn scrub(text: &str) -> String {
    pairs(&userinfo(&shapes(text)))
}

/// What is a secret by its looks, wherever it stands. Of a key whose beginning was cut off the lines are known by
/// their length; a digest in hex is none.
static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"(?m:^[A-Za-z0-9+/]{64}\r?$)",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{35}",
        r"\bgh[pousr]_[A-Za-z0-9]{36,}",
        r"\bgithub_pat_[A-Za-z0-9_]{22,}",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\bsk_live_[A-Za-z0-9]{16,}",
    ];
    Regex::new(&shapes.join("|")).ok()
});

fn shapes(text: &str) -> Cow<'_, str> {
    let is_digest = |found: &str| found.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit());
    SHAPES.as_ref().map_or(Cow::Borrowed(text), |shapes| {
        shapes.replace_all(text, |found: &Captures<'_>| match found.get(0).map_or("", |found| found.as_str()) {
            digest if is_digest(digest) => digest.to_owned(),
            line if line.ends_with('\r') => format!("{REDACTED}\r"),
            _ => REDACTED.to_owned(),
        })
    })
}

const REDACTED: &str = "<redacted>";
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "token",
    "secret",
    "apikey",
    "api_key",
    "authorization",
    "access_key",
    "private_key",
];

/// Whether what has this name is secret by nature: a variable, a field. Too much is hidden rather than too little.
pub fn is_secret_name(name: &str) -> bool {
    const PARTS: [&str; 11] =
        ["pass", "pwd", "secret", "token", "key", "cred", "auth", "private", "cookie", "dsn", "signature"];
    let name = name.to_ascii_lowercase();
    !matches!(&*name, "pwd" | "oldpwd") && PARTS.iter().any(|part| name.contains(part))
}

fn userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| c == '/' || c == '?' || c == '#' || c.is_whitespace()).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str(REDACTED);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn pairs(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some((start, name)) = NAMES
        .iter()
        .filter_map(|name| lower.get(from..).and_then(|rest| rest.find(name)).map(|at| (from + at, *name)))
        .min_by_key(|(at, _)| *at)
    {
        let value = start + name.len();
        let sign = lower.get(value..).unwrap_or("");
        let gap = sign.len() - sign.trim_start_matches(['"', '\'', ' ']).len();
        let after = sign.get(gap..).unwrap_or("");
        if !after.starts_with(['=', ':']) {
            out.push_str(text.get(from..value).unwrap_or(""));
            from = value;
            continue;
        }
        let body = after.get(1..).unwrap_or("");
        let lead = body.len() - body.trim_start_matches(['"', '\'', ' ']).len();
        let first = value + gap + 1 + lead;
        let body = text.get(first..).unwrap_or("");
        let scheme =
            ["bearer ", "basic "].iter().find(|s| body.to_ascii_lowercase().starts_with(*s)).map_or(0, |s| s.len());
        let stop = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '&' | ',' | ';' | '}');
        let rest = body.get(scheme..).unwrap_or("");
        let end = first + scheme + rest.find(stop).unwrap_or(rest.len());
        out.push_str(text.get(from..first).unwrap_or(""));
        out.push_str(REDACTED);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_no_trace() {
        for (text, clean) in [
            ("GET http://user:hunter2@db/x failed", "GET http://<redacted>@db/x failed"),
            ("password=hunter2 user=x", "password=<redacted> user=x"),
            (r#"{"api_key": "hunter2", "n": 1}"#, r#"{"api_key": "<redacted>", "n": 1}"#),
            ("Authorization: Bearer hunter2", "Authorization: <redacted>"),
            ("the token bucket is empty", "the token bucket is empty"),
            ("/path?token=hunter2&x=1", "/path?token=<redacted>&x=1"),
            ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nx\n-----END RSA PRIVATE KEY-----\nb", "a\n<redacted>\nb"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "<redacted>"),
            ("sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN to", "sent <redacted> to"),
            ("id AKIAIOSFODNN7EXAMPLE used", "id <redacted> used"),
            ("AKIAshort and eyJ.a.b stay", "AKIAshort and eyJ.a.b stay"),
        ] {
            assert_eq!(scrub(text), clean);
        }
        let (line, digest) = ("MIIEowIBAAKCAQEA".repeat(4), "0123456789abcdef".repeat(4));
        assert_eq!(scrub(&format!("{line}\n{digest}\n")), format!("<redacted>\n{digest}\n"), "a line of a key");
    }
}
