//! Takes secrets out of text that leaves the process: records, captured output, error sentences.
//! The second wall behind types; it knows shapes, not values.

/// `user:password@` in URLs and `password=…`-like pairs become `<redacted>`.
pub fn scrub(text: &str) -> String {
    pairs(&userinfo(text))
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
        ] {
            assert_eq!(scrub(text), clean);
        }
    }
}
