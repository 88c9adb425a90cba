//! JSON from strangers: depth is checked before parsing, so that no body can exhaust the stack.

use serde_json::Value;

/// Deeper nesting is refused.
const DEPTH: usize = 64;

/// Parses a body; the error is a phrase without any of its text.
pub(crate) fn parse(body: &[u8]) -> Result<Value, String> {
    if too_deep(body) {
        return Err(format!("nested deeper than {DEPTH} levels"));
    }
    serde_json::from_slice(body).map_err(|error| format!("not JSON ({error})"))
}

fn too_deep(body: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                if depth > DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert!(parse(nested(DEPTH).as_bytes()).is_ok());
        assert_eq!(parse(nested(DEPTH + 1).as_bytes()), Err("nested deeper than 64 levels".to_owned()));
        assert!(parse(nested(1_000_000).as_bytes()).is_err());
        let quoted = format!(r#"{{"a": "\"{}"}}"#, "[".repeat(100));
        assert!(parse(quoted.as_bytes()).is_ok());
    }

    #[test]
    fn an_error_quotes_nothing() {
        assert_eq!(parse(b"<html>secret"), Err("not JSON (expected value at line 1 column 1)".to_owned()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(parse(&body));
        }
    }
}
