//! Regular expressions as Prometheus means them: Go's dialect, anchored at both ends, `.` takes a line feed too.
//! The engine is linear in the text; the size of a compiled pattern is limited.

use regex::{Regex, RegexBuilder};

/// A compiled pattern takes no more: 1 MiB holds thousands of alternatives.
const LARGEST: usize = 1024 * 1024;

/// Compiles a pattern.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let build = |pattern: &str| {
        RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(LARGEST).dfa_size_limit(LARGEST).build()
    };
    build(&translated(pattern)).or_else(|_| build(pattern)).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large once compiled".to_owned(),
        // The last line of a syntax error says what is wrong; the others draw where.
        error => {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    })
}

/// Where the two dialects differ: Perl classes are of ASCII only, a brace without a count is itself, and so is a
/// bracket or a doubled sign inside a class.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    let mut first = false;
    while let Some(c) = chars.next() {
        let opening = core::mem::take(&mut first);
        match (c, class) {
            ('\\', _) => {
                let escaped = chars.next().unwrap_or('\\');
                match (perl(escaped), class) {
                    (Some(set), false) => out.extend(["[", set, "]"]),
                    (Some(set), true) if !set.starts_with('^') => out.push_str(set),
                    (None, false) if escaped == 'b' => out.push_str("(?-u:\\b)"),
                    _ => out.extend(['\\', escaped]),
                }
            }
            ('{', false) if !is_count(chars.clone()) => out.push_str("\\{"),
            ('[', false) => {
                (class, first) = (true, true);
                out.push(c);
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            (']', true) if opening => out.push_str("\\]"),
            (']', true) => {
                class = false;
                out.push(c);
            }
            ('[', true) if chars.peek() == Some(&':') => {
                out.push(c);
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ('[' | '&' | '~', true) => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// The members of a Perl class in Go.
const fn perl(class: char) -> Option<&'static str> {
    match class {
        'd' => Some("0-9"),
        'D' => Some("^0-9"),
        'w' => Some("0-9A-Za-z_"),
        'W' => Some("^0-9A-Za-z_"),
        's' => Some("\\t\\n\\f\\r "),
        'S' => Some("^\\t\\n\\f\\r "),
        _ => None,
    }
}

/// Whether what follows an opening brace is `2}`, `2,}` or `2,3}`.
fn is_count(rest: impl Iterator<Item = char>) -> bool {
    let inside: String = rest.take(12).collect();
    let Some((inside, _)) = inside.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    !least.is_empty() && [least, most].iter().all(|number| number.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_go_means() {
        let matches = |pattern: &str, text: &str| compile(pattern).expect(pattern).is_match(text);
        assert!(matches("a.*b", "a\nb"));
        assert!(!matches("a", "ba") && !matches("a", "a\n"));
        assert!(matches(r"\d+", "17") && !matches(r"\d+", "१७"));
        assert!(matches(r"[\w-]+", "a-b_9") && !matches(r"\w+", "ä") && matches(r"\W", "ä"));
        assert!(matches("a{b}c", "a{b}c") && matches("a{2,3}", "aa") && matches("a{,3}", "a{,3}"));
        assert!(matches("[[a]", "[") && matches("[]a]+", "]a") && matches("[[:alpha:]]+", "ab"));
        assert!(matches("[a&&b]+", "a&b"));
        assert!(matches("(?i:PRO).*", "production") && matches("", ""));
    }

    #[test]
    fn a_runaway_pattern_is_refused() {
        assert!(compile("(a{1000}){1000}").is_err());
        assert_eq!(compile("(((a{100}){100}){100}){100}").unwrap_err(), "it is too large once compiled");
        assert_eq!(compile("(").unwrap_err(), "unclosed group");
    }
}
